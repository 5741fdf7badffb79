//! Custom kinds whose pod templates are where somebody says.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::Output;
use support::analyst::rampart_with_input;

const JOB: &str = "
apiVersion: kubeflow.org/v1
kind: TFJob
metadata: {name: train, namespace: ml}
spec:
  tfReplicaSpecs:
    PS:
      template:
        spec:
          containers:
          - name: tensorflow
            image: registry.example/tf:1
            resources: {requests: {cpu: 1}}
    Worker:
      template:
        metadata: {labels: {role: worker}}
        spec:
          hostPID: true
          containers:
          - name: tensorflow
            image: registry.example/tf:1
            env: [{name: A, valueFrom: {secretKeyRef: {name: key, key: k}}}]
---
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: ml}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: trainer, namespace: ml}
rules:
- {apiGroups: [kubeflow.org], resources: [tfjobs], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: trainer, namespace: ml}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: trainer}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: ada}]
";

const PATH: &str = "--pod-template=TFJob.kubeflow.org=spec.tfReplicaSpecs.*.template";

fn rampart(arguments: &[&str], input: &str) -> Output {
    rampart_with_input(Path::new(env!("CARGO_MANIFEST_DIR")), arguments, input)
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = rampart(&[arguments, &["-o", "json", "-"]].concat(), JOB);
    let document = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        document.unwrap_or_else(|e| panic!("{e}: {output:?}")),
    )
}

/// The fields that a check found something at.
fn fields(document: &Value, id: &str) -> Vec<String> {
    let findings = document["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["id"] == id)
        .map(|finding| finding["field"].as_str().expect("a field").to_owned())
        .collect()
}

#[test]
fn without_a_word_the_kind_is_unknown() {
    let (status, document) = json(&["audit"]);
    assert_eq!(status, Some(3));
    let problems = document["problems"].as_array().expect("problems");
    assert!(problems.iter().any(|p| p["kind"] == "unknownKind"));
    assert_eq!(fields(&document, "RMP-HOST-001"), [""; 0]);
}

#[test]
fn every_command_knows_its_pods() {
    let (status, document) = json(&["audit", PATH]);
    assert_eq!(status, Some(1), "{document}");
    assert_eq!(document["problems"], Value::from(Vec::<Value>::new()));
    let at = "spec.tfReplicaSpecs.Worker.template.spec.hostPID";
    assert_eq!(fields(&document, "RMP-HOST-001"), [at]);
    let found = document["findings"].as_array().expect("findings").iter();
    let line = found
        .filter(|f| f["id"] == "RMP-HOST-001")
        .map(|f| f["location"]["line"].as_u64().expect("a line"))
        .next();
    assert_eq!(line, Some(18));
    // Whoever may create such jobs may create pods, and so read secrets.
    assert_eq!(fields(&document, "RMP-RBAC-016"), ["roleRef.name"]);

    let (_, document) = json(&["pss", PATH]);
    let pods = document["pods"].as_array().expect("pods").iter();
    let levels: Vec<_> = pods
        .map(|pod| (&pod["part"], &pod["name"], &pod["level"]))
        .collect();
    let value = |text: &str| Value::from(text);
    assert_eq!(
        levels,
        [
            (&value("PS"), &value("train"), &value("baseline")),
            (&value("Worker"), &value("train"), &value("privileged")),
        ]
    );

    let (_, document) = json(&["qos", PATH]);
    let pods = document["pods"].as_array().expect("pods").iter();
    let classes: Vec<_> = pods.map(|pod| pod["class"].as_str()).collect();
    assert_eq!(classes, [Some("Burstable"), Some("BestEffort")]);

    let (status, document) = json(&["paths", PATH, "--from", "user/ada", "--to", "secret/ml/key"]);
    assert_eq!(status, Some(1), "{document}");
    let step = &document["paths"][0]["steps"][0];
    assert_eq!(step["technique"], "create-pod");

    let (status, document) = json(&["score", PATH]);
    assert_eq!(status, Some(1));
    let scores = document["scores"].as_array().expect("scores");
    assert!(
        scores
            .iter()
            .any(|s| s["object"]["kind"] == "TFJob" && s["hasPods"] == true)
    );

    let (status, _) = json(&[
        "netpol",
        "allowed",
        PATH,
        "--from",
        "192.0.2.1",
        "--to",
        "ml/train",
        "--port",
        "80",
    ]);
    assert_eq!(status, Some(0));
}

#[test]
fn the_configuration_file_says_it_too() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("config.yaml");
    let write = |path: &str| {
        let text = format!("podTemplates:\n- {{group: kubeflow.org, kind: TFJob, path: {path}}}\n");
        std::fs::write(&file, text).expect("written");
    };
    let config = file.to_str().expect("UTF-8").to_owned();
    write("spec.tfReplicaSpecs.*.template");
    let (status, document) = json(&["audit", "--config", &config]);
    assert_eq!(status, Some(1), "{document}");
    assert_eq!(fields(&document, "RMP-HOST-001").len(), 1);
    write("'spec..template'");
    let output = rampart(&["audit", "--config", &config, "-"], JOB);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_snapshot_answers_alike() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("snapshot.json");
    let name = file.to_str().expect("UTF-8");
    let output = rampart(&["snapshot", "-o", name, "-"], JOB);
    assert!(file.exists(), "{output:?}");
    let arguments = ["audit", "--snapshot", name, PATH, "-o", "json"];
    let output = rampart(&arguments, "");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (_, from_manifest) = json(&["audit", PATH]);
    let all = |document: &Value| -> Vec<String> {
        let findings = document["findings"].as_array().expect("findings").iter();
        findings
            .map(|finding| finding["fingerprint"].as_str().expect("one").to_owned())
            .collect()
    };
    assert_eq!(all(&document), all(&from_manifest));
    assert_eq!(document["problems"], Value::from(Vec::<Value>::new()));
}

#[test]
fn wrong_paths_are_refused() {
    for wrong in [
        "TFJob",
        "TFJob=spec",
        "TFJob.kubeflow.org=",
        "TFJob.kubeflow.org=a[0]",
    ] {
        let output = rampart(&["audit", "--pod-template", wrong, "-"], JOB);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {output:?}");
    }
}
