//! `rampart pss` and `rampart psp` on manifests: the answers, and the statuses by contract.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;
use support::analyst::rampart_with_input;

const MANIFESTS: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      securityContext: {sysctls: [{name: net.ipv4.tcp_rmem, value: '1'}]}
      containers:
      - name: a
        image: x
        securityContext:
          privileged: true
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: strict}
spec:
  privileged: false
  volumes: [secret]
  allowedUnsafeSysctls: ['*']
  runAsUser: {rule: MustRunAsNonRoot}
  seLinux: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata: {name: wide}
spec:
  privileged: true
  volumes: ['*']
  allowedUnsafeSysctls: ['*']
  runAsUser: {rule: MustRunAs, ranges: [{min: 5, max: 9}]}
  seLinux: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: strict}
rules:
- {apiGroups: [policy], resources: [podsecuritypolicies], resourceNames: [strict], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: strict}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: strict}
subjects:
- {kind: ServiceAccount, name: default}
";

fn rampart(arguments: &[&str]) -> Output {
    rampart_with_input(Path::new(env!("CARGO_MANIFEST_DIR")), arguments, MANIFESTS)
}

fn answer(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = rampart(&[arguments, &["-o", "json", "-"]].concat());
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        panic!("{arguments:?}: {error}: {stderr}")
    });
    (output.status.code(), document)
}

#[test]
fn levels_with_the_fields_that_decide() {
    let (status, document) = answer(&["pss"]);
    assert_eq!(status, Some(0));
    assert_eq!(document["schemaVersion"], "rampart.pss/v1");
    let pod = &document["pods"][0];
    assert_eq!(pod["level"], "privileged");
    assert_eq!(
        pod["levels"],
        json!([{"level": "privileged", "from": "v1.0", "to": "latest"}])
    );
    assert_eq!(pod["because"][0]["check"], "privileged");
    let field = "spec.template.spec.containers[0].securityContext.privileged";
    assert_eq!(pod["because"][0]["field"], field);
    assert_eq!(pod["because"][0]["line"], 14);
}

#[test]
fn a_level_is_a_question() {
    let (status, document) = answer(&["pss", "--level", "baseline", "--version", "v1.31"]);
    assert_eq!((status, &document["allowed"]), (Some(1), &json!(false)));
    let checks: Vec<&Value> = document["pods"][0]["because"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|because| &because["check"])
        .collect();
    assert_eq!(checks, ["privileged", "sysctls"]);
    assert_eq!(
        document["pods"][0]["reason"],
        "violates PodSecurity \"baseline:v1.31\": privileged (container \"a\" must not set \
         securityContext.privileged=true), forbidden sysctls (net.ipv4.tcp_rmem)"
    );
    let (status, _) = answer(&["pss", "--level", "privileged"]);
    assert_eq!(status, Some(0));
    for wrong in [["--level", "x"], ["--version", "1.2"]] {
        let output = rampart(&["pss", wrong[0], wrong[1], "-"]);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn policies_that_may_be_used() {
    let (status, document) = answer(&["psp"]);
    assert_eq!((status, &document["allowed"]), (Some(1), &json!(false)));
    let pod = &document["pods"][0];
    assert_eq!(
        pod["reason"],
        "PodSecurityPolicy: unable to admit pod: [spec.containers[0].securityContext.privileged: \
         Invalid value: true: Privileged containers are not allowed]"
    );
    let places: Vec<(&Value, &Value)> = pod["because"]
        .as_array()
        .expect("reasons")
        .iter()
        .map(|because| (&because["kind"], &because["field"]))
        .collect();
    let own = json!("spec.template.spec.containers[0].securityContext.privileged");
    assert_eq!(
        places,
        [
            (&json!("Deployment"), &own),
            (&json!("PodSecurityPolicy"), &json!("spec.privileged")),
        ]
    );
    let wide = &pod["policies"][1];
    assert_eq!(
        (&wide["usable"], &wide["admits"]),
        (&json!(false), &json!(true))
    );
    let namespace = &document["namespaces"][0];
    assert_eq!(
        (&namespace["namespace"], &namespace["enforce"]),
        (&json!("default"), &json!("privileged"))
    );
}

/// The differences of a direction: controls with their values.
fn differences(namespace: &Value, direction: &str) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = namespace[direction].as_array().expect("differences").iter();
    all.map(|difference| {
        let values = difference["values"].as_array().expect("values");
        (
            text(&difference["control"]),
            values.iter().map(text).collect(),
        )
    })
    .collect()
}

#[test]
fn what_labels_change() {
    let (_, document) = answer(&["psp"]);
    let namespace = &document["namespaces"][0];
    assert_eq!(namespace["policies"], json!(["strict"]));
    assert_eq!(
        namespace["labels"],
        json!({
            "pod-security.kubernetes.io/enforce": "privileged",
            "pod-security.kubernetes.io/enforce-version": "v1.33",
            "pod-security.kubernetes.io/warn": "restricted",
        })
    );
    let field = "spec.template.spec.containers[0].securityContext.privileged";
    assert_eq!(namespace["heldBackBy"][0]["field"], field);
    let looser = differences(namespace, "looser");
    for (control, value) in [
        ("privileged containers", "true"),
        ("user", "0"),
        ("types of volumes", "hostPath"),
    ] {
        let found = looser.iter().find(|(own, _)| own == control);
        let (_, values) = found.unwrap_or_else(|| panic!("{control}: {looser:?}"));
        assert!(
            values.iter().any(|own| own == value),
            "{control}: {values:?}"
        );
    }
    assert_eq!(namespace["tighter"], json!([]));
    // Whoever may use the other one too loses less.
    let (_, document) = answer(&["psp", "--as", "admin", "--as-group", "system:masters"]);
    let namespace = &document["namespaces"][0];
    assert_eq!(namespace["policies"], json!(["strict", "wide"]));
    let looser = differences(namespace, "looser");
    assert!(looser.iter().all(|(own, _)| own != "privileged containers"));
}

const FILLING: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      containers: [{name: a, image: x}]
---
apiVersion: v1
kind: Pod
metadata: {name: lone, namespace: other}
spec: {hostNetwork: true, containers: [{name: a, image: x}]}
---
apiVersion: policy/v1beta1
kind: PodSecurityPolicy
metadata:
  name: filling
  annotations:
    seccomp.security.alpha.kubernetes.io/allowedProfileNames: runtime/default
    seccomp.security.alpha.kubernetes.io/defaultProfileName: runtime/default
spec:
  allowPrivilegeEscalation: false
  requiredDropCapabilities: [ALL]
  volumes: ['*']
  runAsUser: {rule: MustRunAsNonRoot}
  seLinux: {rule: RunAsAny}
  supplementalGroups: {rule: RunAsAny}
  fsGroup: {rule: RunAsAny}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: filling}
rules:
- {apiGroups: [policy], resources: [podsecuritypolicies], resourceNames: [filling], verbs: [use]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: filling}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: filling}
subjects:
- {kind: ServiceAccount, name: default}
";

#[test]
fn templates_are_not_filled_in() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("all.yaml");
    std::fs::write(&file, FILLING).expect("written");
    let name = file.to_str().expect("UTF-8");
    let output = rampart(&["psp", name, "-o", "json"]);
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (own, other) = (&document["namespaces"][0], &document["namespaces"][1]);
    // The template as it is written is what counts, whatever its pods become.
    assert_eq!(own["enforce"], "baseline");
    let after = &own["afterFilling"];
    assert_eq!(after["enforce"], "restricted");
    let writes = after["write"].as_array().expect("what to write");
    let fields: Vec<&str> = writes.iter().filter_map(|w| w["field"].as_str()).collect();
    let escalation = "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation";
    assert!(fields.contains(&escalation), "{fields:?}");
    assert_eq!(other["enforce"], "privileged");
    assert_eq!(other["policies"], json!([]));
    assert!(
        document["note"]
            .as_str()
            .is_some_and(|n| n.contains("template"))
    );
    // What is proposed admits all there is.
    for (namespace, level) in [("default", "baseline"), ("other", "privileged")] {
        let output = rampart(&["pss", "--level", level, "-n", namespace, name]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let text = rampart(&["psp", name]).stdout;
    let text = String::from_utf8(text).expect("UTF-8");
    for part in [
        "restricted, once templates say what policies fill in",
        "compared with filling",
        "looser: ",
        "no policy may be used for its pods",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_user_may_use_more() {
    let (status, document) = answer(&["psp", "--as", "admin", "--as-group", "system:masters"]);
    assert_eq!((status, &document["allowed"]), (Some(0), &json!(true)));
    let pod = &document["pods"][0];
    assert_eq!(pod["policy"], "wide");
    assert_eq!(
        pod["changes"],
        json!([{"field": "spec.containers[0].securityContext.runAsUser", "value": 5}])
    );
}
