use super::*;
use serde_json::json;

fn warned(metadata: Value, spec: Value) -> Vec<String> {
    let (metadata_at, at) = (At::of("metadata"), At::of("spec"));
    pod_spec(&metadata, &spec, &metadata_at, &at, false)
}

#[test]
fn names_that_are_no_labels() {
    assert_eq!(pod_name("web-0"), None);
    let common = "metadata.name: this is used in the Pod's hostname, which can result in \
                  surprising behavior; a DNS label is recommended: ";
    assert_eq!(
        pod_name("a.b"),
        Some(format!("{common}[must not contain dots]"))
    );
    assert_eq!(
        pod_name(&"a".repeat(64)),
        Some(format!("{common}[must be no more than 63 characters]"))
    );
}

#[test]
fn placement() {
    let old = "beta.kubernetes.io/os";
    let term = json!({"matchExpressions": [{"key": old, "operator": "In", "values": ["a b"]}]});
    let spec = json!({
        "nodeSelector": {old: "linux"},
        "affinity": {
            "nodeAffinity": {
                REQUIRED: {"nodeSelectorTerms": [term]},
                PREFERRED: [{"weight": 1, "preference": term}],
            },
            "podAffinity": {REQUIRED: [{"topologyKey": "x"}]},
            "podAntiAffinity": {PREFERRED: [{"podAffinityTerm": {"topologyKey": "x"}}]},
        },
        "topologySpreadConstraints": [{"topologyKey": old}, {"labelSelector": {}}],
    });
    let text = "deprecated since v1.14; use \"kubernetes.io/os\" instead";
    let at = "spec.affinity.nodeAffinity";
    let preferred = format!("{at}.{PREFERRED}[0].preference.matchExpressions[0]");
    let got = warned(json!({}), spec);
    assert_eq!(
        got.iter().map(String::as_str).take(3).collect::<Vec<_>>(),
        [
            format!("spec.nodeSelector[{old}]: {text}"),
            format!(
                "{at}.{REQUIRED}.nodeSelectorTerms[0].matchExpressions[0].key: {old} is {text}"
            ),
            format!("{preferred}.key: {old} is {text}"),
        ]
    );
    assert!(got[3].starts_with(&format!(
        "{preferred}.values[0]: a b is invalid, a valid label"
    )));
    assert_eq!(
        got[4..],
        [
            format!("spec.topologySpreadConstraints[0].topologyKey: {old} is {text}"),
            format!("spec.topologySpreadConstraints[0].labelSelector: {NO_SELECTOR}"),
            format!("spec.affinity.podAffinity.{REQUIRED}[0].labelSelector: {NO_SELECTOR}"),
            format!(
                "spec.affinity.podAntiAffinity.{PREFERRED}[0].podAffinityTerm.labelSelector: \
                 {NO_SELECTOR}"
            ),
        ]
    );
}

#[test]
fn ports_of_all_containers() {
    let port = |host: i64, ip: &str| json!({"containerPort": 80, "protocol": "TCP", "hostPort": host, "hostIP": ip});
    let spec = |ports: Value| json!({"containers": [{"ports": ports}]});
    let at = "spec.containers[0].ports";
    let cases = [
        (json!([port(0, ""), port(81, "")]), "overlapping"),
        (json!([port(81, ""), port(81, "")]), "duplicate"),
        (
            json!([port(81, ""), port(81, "::1")]),
            "dangerously ambiguous",
        ),
        (json!([port(81, ""), port(82, "")]), ""),
    ];
    for (ports, how) in cases {
        let want = match how {
            "" => Vec::new(),
            how => vec![format!("{at}[1]: {how} port definition with {at}[0]")],
        };
        assert_eq!(warned(json!({}), spec(ports)), want);
    }
    let spec = json!({
        "initContainers": [{"ports": [{"containerPort": 1, "name": "x"}]}],
        "containers": [{"ports": [
            {"containerPort": 2, "name": "x", "hostIP": "::1", "protocol": "TCP"},
        ]}],
    });
    let first = "spec.initContainers[0].ports[0]";
    assert_eq!(
        warned(json!({}), spec),
        [
            format!(
                "{at}[0]: hostIP set without hostPort: {{Name:x HostPort:0 ContainerPort:2 \
                 Protocol:TCP HostIP:::1}}"
            ),
            format!(
                "{at}[0]: duplicate port name \"x\" with {first}, services and probes that \
                 select ports by name will use {first}"
            ),
        ]
    );
}

#[test]
fn the_rest() {
    let metadata = json!({"annotations": {
        "scheduler.alpha.kubernetes.io/critical-pod": "",
        "seccomp.security.alpha.kubernetes.io/pod": "x",
        "container.apparmor.security.beta.kubernetes.io/c": "unconfined",
    }});
    let spec = json!({
        "overhead": {"memory": "1500m"},
        "hostAliases": [{"ip": "::1"}, {"ip": "::1"}],
        "imagePullSecrets": [{"name": "a"}, {}, {"name": "a"}],
        "volumes": [{"name": "v", "projected": {"sources": [{}]}}],
        "containers": [{"name": "c", "env": [
            {"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"},
            {"name": "A", "value": "3"},
        ]}],
    });
    let want = [
        "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: non-functional in \
         v1.16+; use the \"priorityClassName\" field instead",
        "volume \"v\" (Projected) has no sources provided",
        "spec.hostAliases[1].ip: duplicate ip \"::1\"",
        "spec.imagePullSecrets[2].name: duplicate name \"a\"",
        "spec.imagePullSecrets[1].name: invalid empty name \"\"",
        "spec.overhead[memory]: fractional byte value \"1500m\" is invalid, must be an integer",
        "metadata.annotations[seccomp.security.alpha.kubernetes.io/pod]: non-functional in \
         v1.27+; use the \"seccompProfile\" field instead",
        "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped \
         when using apply",
    ];
    assert_eq!(warned(metadata.clone(), spec.clone()), want);
    let template = template(
        &json!({"metadata": metadata, "spec": spec}),
        &At::of("spec.template"),
    );
    assert_eq!(template.len(), want.len() + 1, "{template:?}");
}
