use crate::Value;
use crate::kinds::check::{create, defaulted, update};
use crate::patch::merge_patch;
use serde_json::json;

const KIND: (&str, &str) = ("autoscaling", "horizontalpodautoscalers");

fn scaler(spec: &Value) -> Value {
    let given =
        json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}});
    let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
    defaulted(KIND.0, KIND.1, "v2", &given)
}

#[test]
fn defaults() {
    let spec =
        scaler(&json!({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}))["spec"]
            .clone();
    assert_eq!(spec["minReplicas"], 1);
    assert_eq!(
        spec["metrics"],
        json!([{"type": "Resource", "resource": {"name": "cpu",
            "target": {"type": "Utilization", "averageUtilization": 80}}}])
    );
    assert_eq!(
        spec["behavior"],
        json!({
            "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [
                {"type": "Pods", "value": 4, "periodSeconds": 15},
                {"type": "Percent", "value": 100, "periodSeconds": 15}]},
            "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": [
                {"type": "Percent", "value": 100, "periodSeconds": 15}]},
        })
    );
    let old = defaulted(KIND.0, KIND.1, "v1", &json!({"spec": {}}));
    assert_eq!(old["spec"], json!({"minReplicas": 1}));
}

#[test]
fn rules() {
    let metric = |metric: Value| json!({"metrics": [metric]});
    let resource = |target: Value| {
        metric(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}))
    };
    let up = |rules: Value| json!({"behavior": {"scaleUp": rules}});
    let first = "spec.metrics[0]";
    let cases = [
        (json!({}), String::new()),
        (
            json!({"maxReplicas": 0, "minReplicas": 0}),
            "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1; spec.maxReplicas: Invalid value: 0: must be greater than 0".to_owned(),
        ),
        (
            json!({"minReplicas": 4}),
            "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`".to_owned(),
        ),
        (
            json!({"scaleTargetRef": {"kind": null, "name": "a/b"}}),
            "spec.scaleTargetRef.kind: Required value; spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'".to_owned(),
        ),
        (metric(json!({})), format!("{first}.type: Required value: must specify a metric source type")),
        (
            metric(json!({"type": "Pods"})),
            format!("{first}.pods: Required value: must populate information for the given metric source"),
        ),
        (
            resource(json!({"type": "Utilization"})),
            format!("{first}.resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization"),
        ),
        (
            resource(json!({"type": "x", "averageUtilization": 0})),
            format!("{first}.resource.target.type: Invalid value: \"x\": must be either Utilization, Value, or AverageValue; {first}.resource.target.averageUtilization: Invalid value: 0: must be greater than 0"),
        ),
        (
            metric(json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "0"}}})),
            format!("{first}.pods.target.averageValue: Invalid value: \"0\": must be positive; {first}.pods.target.averageValue: Required value: must specify a positive target averageValue"),
        ),
        (
            metric(json!({"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1", "averageValue": "1"}}})),
            format!("{first}.external.target.value: Forbidden: may not set both a target value for metric and a per-pod target"),
        ),
        (
            metric(json!({"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "m"}, "target": {"type": "Value", "value": "1k"}}})),
            String::new(),
        ),
        (
            up(json!({"stabilizationWindowSeconds": 3601, "selectPolicy": "x"})),
            "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600; spec.behavior.scaleUp.selectPolicy: Unsupported value: \"x\": supported values: \"Disabled\", \"Max\", \"Min\"".to_owned(),
        ),
        (
            up(json!({"policies": []})),
            "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy".to_owned(),
        ),
        (
            up(json!({"policies": [{"type": "x", "value": 0, "periodSeconds": 1801}]})),
            "spec.behavior.scaleUp.policies[0].type: Unsupported value: \"x\": supported values: \"Percent\", \"Pods\"; spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero; spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 1801: must be less than or equal to 1800".to_owned(),
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(
            create(KIND.0, KIND.1, &scaler(&spec)).join("; "),
            want,
            "{spec}"
        );
    }
    let both = metric(json!({"type": "Resource", "pods": {}, "resource": {}}));
    let errors = create(KIND.0, KIND.1, &scaler(&both));
    let wanted = format!("{first}.pods: Forbidden: must populate the given metric source only");
    assert!(errors.contains(&wanted), "{errors:?}");
    let bad = json!({"status": {"desiredReplicas": -1}});
    assert_eq!(
        update(KIND.0, KIND.1, &bad, &bad, "status"),
        ["status.desiredReplicas: Invalid value: -1: must be greater than or equal to 0"]
    );
}
