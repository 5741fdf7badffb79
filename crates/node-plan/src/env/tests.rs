use super::*;
use serde_json::json;

fn objects() -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let secrets = [
        (
            "s",
            json!({"data": {"user": "YWRtaW4=", "pass": "cCRzcw==", "a.b": "eA=="}}),
        ),
        ("binary", json!({"data": {"k": "/w=="}})),
        ("zero", json!({"data": {"k": "YQBi"}})),
    ];
    let maps = [
        (
            "m",
            json!({"data": {"user": "map", "1st": "one"}, "binaryData": {"bin": "AA=="}}),
        ),
        ("none", json!({})),
    ];
    let by_name = |all: &[(&str, Value)]| {
        all.iter()
            .map(|(name, object)| ((*name).to_owned(), object.clone()))
            .collect()
    };
    (by_name(&maps), by_name(&secrets))
}

fn made(container: &Value) -> Result<Environment, EnvError> {
    let pod = json!({"metadata": {"name": "p", "namespace": "ns"},
        "spec": {"enableServiceLinks": false}});
    let (config_maps, secrets) = objects();
    let services = [
        json!({"metadata": {"namespace": "default", "name": "kubernetes"},
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 443}]}}),
    ];
    let sources = Sources {
        pod: &pod,
        config_maps: &config_maps,
        secrets: &secrets,
        services: &services,
        facts: Facts::default(),
    };
    environment(&sources, container)
}

/// The variables that are not the API's service's.
fn own(container: &Value) -> String {
    let lines: Vec<String> = made(container)
        .unwrap()
        .variables
        .iter()
        .filter(|(name, _)| !name.starts_with("KUBERNETES_"))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    lines.join(" ")
}

#[test]
fn variables_from_every_source() {
    for (container, want) in [
        (json!({}), ""),
        (
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)$(C)"},
            {"name": "C", "value": "3"}]}),
            "A=1 B=1$(C) C=3",
        ),
        (
            json!({"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}]}),
            "A=12",
        ),
        (json!({"env": [{"name": "A"}]}), "A="),
        (
            json!({"env": [{"name": "A", "value": "$(KUBERNETES_SERVICE_HOST)"}]}),
            "A=10.0.0.1",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pass"}}}]}),
            "A=p$ss",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "user"}}}]}),
            "A=map",
        ),
        (
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef":
            {"apiVersion": "v1", "fieldPath": "metadata.name"}}}]}),
            "A=p",
        ),
        (
            json!({"resources": {"limits": {"cpu": "2"}}, "env": [{"name": "A", "valueFrom":
            {"resourceFieldRef": {"resource": "limits.cpu"}}}]}),
            "A=2",
        ),
        // Later sources win, and `env` over all of them.
        (
            json!({"envFrom": [{"secretRef": {"name": "s"}}, {"configMapRef": {"name": "m"}}]}),
            "1st=one a.b=x pass=p$ss user=map",
        ),
        (
            json!({"envFrom": [{"prefix": "P_", "secretRef": {"name": "s"}}],
            "env": [{"name": "P_user", "value": "own"}]}),
            "P_a.b=x P_pass=p$ss P_user=own",
        ),
        // Optional ones leave nothing behind, not even what had the name before.
        (
            json!({"envFrom": [{"secretRef": {"name": "x", "optional": true}},
                {"configMapRef": {"name": "x", "optional": true}}],
            "env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k", "optional": true}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": true}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": true}}}
            ]}),
            "",
        ),
    ] {
        assert_eq!(own(&container), want, "{container}");
    }
}

#[test]
fn what_is_missing_is_said_as_kubelet_says_it() {
    let key = |kind: &str, name: &str| json!({"env": [{"name": "A", "valueFrom": {kind: {"name": name, "key": "k"}}}]});
    for (container, want) in [
        (
            json!({"envFrom": [{"secretRef": {"name": "x"}}]}),
            "secret \"x\" not found",
        ),
        (
            json!({"envFrom": [{"configMapRef": {"name": "x"}}]}),
            "configmap \"x\" not found",
        ),
        (key("secretKeyRef", "x"), "secret \"x\" not found"),
        (key("configMapKeyRef", "x"), "configmap \"x\" not found"),
        (
            key("secretKeyRef", "s"),
            "couldn't find key k in Secret ns/s",
        ),
        (
            key("configMapKeyRef", "m"),
            "couldn't find key k in ConfigMap ns/m",
        ),
        (
            key("secretKeyRef", "binary"),
            "key k of Secret ns/binary cannot be the value of a variable",
        ),
        (
            key("secretKeyRef", "zero"),
            "key k of Secret ns/zero cannot be the value of a variable",
        ),
        // Binary data of a config map is for volumes.
        (
            json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "bin"}}}]}),
            "couldn't find key bin in ConfigMap ns/m",
        ),
    ] {
        assert_eq!(
            made(&container).unwrap_err().to_string(),
            want,
            "{container}"
        );
    }
}

#[test]
fn names_that_no_variable_can_have_are_left_out_with_a_warning() {
    let made =
        made(&json!({"envFrom": [{"prefix": "a=", "configMapRef": {"name": "m"}}]})).unwrap();
    assert_eq!(
        made.warnings,
        [
            "Keys [a=1st, a=user] from the EnvFrom configMap ns/m were skipped since they are \
          considered invalid environment variable names."
        ]
    );
    assert!(
        made.variables
            .keys()
            .all(|name| name.starts_with("KUBERNETES_"))
    );
}

#[test]
fn commands_are_expanded_with_the_whole_environment() {
    let container =
        json!({"command": ["sh", "-c", "echo $(A) $$(A) $(B) $HOME"], "args": ["$(A)"]});
    let variables = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
    let (command, args) = command_and_args(&container, &variables);
    assert_eq!(command, ["sh", "-c", "echo 1 $(A) $(B) $HOME"]);
    assert_eq!(args, ["1"]);
    assert_eq!(command_and_args(&json!({}), &variables), (vec![], vec![]));
}

#[test]
fn the_image_is_beneath_the_pod_and_above_the_runtime() {
    let image = [
        "PATH=/bin".to_owned(),
        "A=image".to_owned(),
        "EMPTY".to_owned(),
    ];
    let variables = BTreeMap::from([("A".to_owned(), "pod".to_owned())]);
    let all = of_process("host", true, &image, &variables);
    let lines: Vec<String> = all.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        lines,
        [
            "A=pod",
            "EMPTY=",
            "HOSTNAME=host",
            "PATH=/bin",
            "TERM=xterm"
        ]
    );
    let bare = of_process("host", false, &[], &BTreeMap::new());
    assert_eq!(bare.len(), 2);
    assert_eq!(bare["PATH"], DEFAULT_PATH);
}
