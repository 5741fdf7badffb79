use super::*;
use serde_json::json;

fn filled(resources: Value, containers: Value) -> Value {
    let mut spec = json!({ "resources": resources, "containers": containers });
    fill(spec.as_object_mut().unwrap());
    spec["resources"].clone()
}

#[test]
fn requests_follow_containers_then_limits() {
    let some = json!([
        {"resources": {"requests": {"cpu": "100m", "ephemeral-storage": "1Gi"}}},
        {"resources": {"requests": {"cpu": "200m"}}},
    ]);
    for (own, containers, want) in [
        (
            json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
            some.clone(),
            json!({"limits": {"cpu": "1", "memory": "1Gi"},
                "requests": {"cpu": "300m", "memory": "1Gi"}}),
        ),
        (
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}),
            some.clone(),
            json!({"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}}),
        ),
        // Without limits nothing is taken over.
        (
            json!({"requests": {"memory": "1Gi"}}),
            some,
            json!({"requests": {"memory": "1Gi"}}),
        ),
        (
            json!({"requests": {"memory": "1Gi"}}),
            json!([{"resources": {"limits": {"hugepages-2Mi": "4Mi"}}}]),
            json!({"limits": {"hugepages-2Mi": "4Mi"},
                "requests": {"memory": "1Gi", "hugepages-2Mi": "4Mi"}}),
        ),
        (
            json!({}),
            json!([{"resources": {"limits": {"cpu": "1"}}}]),
            json!({}),
        ),
    ] {
        assert_eq!(filled(own, containers), want);
    }
}

#[test]
fn a_pod_holds_its_containers() {
    let said = |own: Value, container: Value| {
        let spec = json!({"resources": own, "containers": [{"resources": container}]});
        let mut errors = Vec::new();
        validate(&spec, &At::of("spec.resources"), &mut errors);
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        texts.join("\n")
    };
    for (own, container, want) in [
        (
            json!({"requests": {"cpu": "1"}}),
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}),
            "",
        ),
        (
            json!({"requests": {"cpu": "1"}}),
            json!({"requests": {"cpu": "1500m"}}),
            "spec.resources.requests[cpu]: Invalid value: \"1\": must be greater than or equal to \
             aggregate container requests of 1500m",
        ),
        (
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}),
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "3"}}),
            "spec.resources.containers[0][cpu].limits: Invalid value: \"3\": must be less than or \
             equal to pod limits of 2",
        ),
        (
            json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            json!({}),
            "spec.resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit \
             of 1",
        ),
        (
            json!({"requests": {"ephemeral-storage": "1"}}),
            json!({}),
            "spec.resources.requests[ephemeral-storage]: Unsupported value: \"ephemeral-storage\": \
             supported values: \"cpu\", \"hugepages-\", \"memory\"",
        ),
        (
            json!({"requests": {"cpu": "1"}, "claims": [{"name": "x"}]}),
            json!({}),
            "spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level\n\
             spec.resources.claims[0]: Not found: \"x\": must be one of the names in \
             pod.spec.resourceClaims which is empty",
        ),
    ] {
        assert_eq!(said(own, container), want);
    }
}

#[test]
fn the_pods_word_stands_for_its_containers() {
    let spec = json!({"resources": {"requests": {"cpu": "2", "example.com/gpu": "1"}}});
    assert!(has_pod_level(&spec));
    assert_eq!(of_pod_level(&spec, "requests").len(), 1);
    assert!(!has_pod_level(&json!({"resources": {"limits": {}}})));
}
