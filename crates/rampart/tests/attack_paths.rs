//! `rampart paths`, `access-matrix` and `graph` over the workshop, as somebody would run them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::process::Output;
use support::analyst::{rampart, without_locations, workshop};

const QUESTION: [&str; 5] = [
    "paths",
    "--from",
    "serviceaccount/default/rbac-example",
    "--to",
    "secret/default/mysecret",
];

const MAY_CREATE_PODS: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: pod-maker
  namespace: default
rules:
- apiGroups: ['']
  resources: [pods]
  verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: pod-maker
  namespace: default
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: pod-maker
subjects:
- kind: ServiceAccount
  name: rbac-example
  namespace: default
";

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn the_workshop_warns_of_those_who_create_pods() {
    let workshop = workshop();
    let workshop = workshop.to_str().expect("a path in UTF-8");
    let question = |more: &[&str]| {
        let arguments: Vec<&str> = [&QUESTION[..], more, &["-o", "json"][..]].concat();
        rampart(&arguments)
    };
    let none = question(&[workshop]);
    assert_eq!(none.status.code(), Some(0), "{none:?}");
    assert_eq!(json(&none)["found"], false);

    let directory = tempfile::tempdir().expect("a directory");
    let grant = directory.path().join("grant.yaml");
    std::fs::write(&grant, MAY_CREATE_PODS).expect("a file");
    let grant = grant.to_str().expect("a path in UTF-8");
    let found = question(&[workshop, grant]);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let mut found = json(&found);
    let step = &found["paths"][0]["steps"][0];
    assert_eq!(step["technique"], "create-pod", "{found}");
    let binding = &step["because"][0];
    assert_eq!(binding["name"], "pod-maker");
    assert_eq!(binding["file"], grant);
    assert_eq!(binding["line"], 21);
    let cut = &found["cut"];
    assert_eq!(cut["grants"][0]["name"], "pod-maker");
    assert_eq!(cut["exact"], true);

    // A snapshot of the same answers the same.
    let snapshot = directory.path().join("cluster.json.gz");
    let snapshot = snapshot.to_str().expect("a path in UTF-8");
    let written = rampart(&["snapshot", workshop, grant, "-o", snapshot]);
    assert_eq!(written.status.code(), Some(0), "{written:?}");
    let again = question(&["--snapshot", snapshot]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let mut again = json(&again);
    without_locations(&mut found);
    without_locations(&mut again);
    assert_eq!(found, again);
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let workshop = workshop();
    let workshop = workshop.to_str().expect("a path in UTF-8");
    for arguments in [
        ["paths", "--from", "nobody", "--to", "*", workshop],
        ["paths", "--from", "user/jane", "--to", "pods", workshop],
        ["paths", "--from", "pod/default/none", "--to", "*", workshop],
    ] {
        let output = rampart(&arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn tables_and_pictures_of_the_workshop() {
    let workshop = workshop();
    let workshop = workshop.to_str().expect("a path in UTF-8");
    let account = "serviceaccount/default/rbac-example";
    let table = rampart(&["access-matrix", "--as", account, workshop, "-o", "csv"]);
    let text = String::from_utf8_lossy(&table.stdout);
    assert!(
        text.contains("\r\npods,yes,yes,-,-,-,-,-,-\r\n"),
        "{table:?}"
    );
    assert_eq!(table.status.code(), Some(0));
    let other = "serviceaccount/default/build-robot";
    let differs = rampart(&[
        "access-matrix",
        "--as",
        account,
        "--against",
        other,
        workshop,
        "-o",
        "json",
    ]);
    assert_eq!(differs.status.code(), Some(1), "{differs:?}");
    assert_eq!(json(&differs)["differences"][0]["verb"], "watch");
    for (form, want) in [
        ("dot", "ServiceAccount default/build-robot"),
        (
            "mermaid",
            "n0([\"ServiceAccount default/build-robot\"]):::missing",
        ),
        ("svg", "</svg>"),
        ("html", "</html>"),
        ("json", "\"missing\": true"),
    ] {
        let output = rampart(&["graph", workshop, "-o", form]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(want), "{form}: {text}");
    }
}
