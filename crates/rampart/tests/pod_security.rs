//! `rampart pss` and `rampart psp` on manifests: the answers, and the statuses by contract.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Output, Stdio};

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
    let mut child = Command::new(env!("CARGO_BIN_EXE_rampart"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rampart runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that refuses its arguments reads nothing.
    let _ = stdin.write_all(MANIFESTS.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("an answer")
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
    assert_eq!(
        document["namespaces"],
        json!([{"namespace": "default", "enforce": "privileged"}])
    );
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
