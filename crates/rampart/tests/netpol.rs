//! `rampart netpol` on manifests and on a snapshot of them.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::analyst::{rampart, without_locations};

const MANIFESTS: &str = "\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: x}]
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec:
  containers: [{name: c, image: x, ports: [{name: sql, containerPort: 5432}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: wbe}}
    - podSelector: {matchLabels: {app: web}}
    ports:
    - port: sql
---
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: deny-out}
spec:
  priority: 5
  subject: {namespaces: {}}
  egress:
  - action: Deny
    to: [{networks: [169.254.169.254/32]}]
";

/// The exit status and the JSON document, of manifests and (without places) the same of a snapshot.
fn ask(directory: &Path, question: &str) -> (i32, Value) {
    let (file, snapshot) = (directory.join("a.yaml"), directory.join("s.json"));
    let (file, snapshot) = (
        file.to_str().expect("text"),
        snapshot.to_str().expect("text"),
    );
    let made = rampart(&["snapshot", file, "-o", snapshot]);
    assert!(made.status.success(), "{made:?}");
    let answer = |source: &[&str]| {
        let words: Vec<&str> = question.split(' ').collect();
        let output = rampart(&[&["netpol"][..], &words, source, &["-o", "json"]].concat());
        let document = serde_json::from_slice(&output.stdout);
        let document: Value = document.unwrap_or_else(|e| panic!("{question}: {e}: {output:?}"));
        (output.status.code().expect("ended"), document)
    };
    let (status, document) = answer(&[file]);
    let (again, mut other) = answer(&["--snapshot", snapshot]);
    let mut bare = document.clone();
    without_locations(&mut bare);
    without_locations(&mut other);
    assert_eq!((status, bare), (again, other), "{question}");
    (status, document)
}

fn manifests(text: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.yaml"), text).expect("written");
    directory
}

#[test]
fn questions_are_answered_with_the_rule_and_its_place() {
    let directory = manifests(MANIFESTS);
    let ask = |question: &str| ask(directory.path(), question);
    let (status, yes) = ask("allowed --from shop/web --to shop/db --port 5432");
    assert_eq!((status, &yes["allowed"]), (0, &json!(true)));
    assert_eq!(yes["schemaVersion"], "rampart.netpol-allowed/v1");
    assert_eq!(yes["problems"], json!([]));
    let because = &yes["because"][0];
    assert_eq!(because["field"], "spec.ingress[0].from[1]");
    assert_eq!(because["line"], 29);
    let (status, no) = ask("allowed --from shop/deployment/web --to shop/db --port 80");
    assert_eq!((status, &no["allowed"]), (1, &json!(false)));
    assert_eq!(no["because"][0]["name"], "db");
    let (status, no) = ask("allowed --from shop/web --to 169.254.169.254 --port 80");
    assert_eq!(status, 1);
    assert_eq!(no["because"][0]["kind"], "AdminNetworkPolicy");
    assert_eq!(no["egress"]["allowed"], false);
    let (status, _) = ask("allowed --from 2001:db8::1 --to shop/web --port 80/UDP -n shop");
    assert_eq!(status, 0);
}

#[test]
fn the_matrix_and_the_lint() {
    let directory = manifests(MANIFESTS);
    let (status, matrix) = ask(
        directory.path(),
        "matrix --port 5432 --port 80 --with 1.2.3.4",
    );
    assert_eq!(status, 0);
    assert_eq!(matrix["groups"].as_array().map(Vec::len), Some(3));
    assert_eq!(matrix["ports"][0]["openPairs"], 2);
    assert_eq!(matrix["ports"][1]["openPairs"], 1);
    let file = directory.path().join("a.yaml");
    let file = file.to_str().expect("text");
    let csv = rampart(&["netpol", "matrix", "--port", "80", "-o", "csv", file]);
    assert_eq!(
        String::from_utf8_lossy(&csv.stdout),
        "from,to,port,protocol,allowed\n\
         Pod shop/db,Deployment shop/web,80,TCP,true\n\
         Deployment shop/web,Pod shop/db,80,TCP,false\n"
    );
    let (status, lint) = ask(directory.path(), "lint");
    assert_eq!(status, 1);
    let codes: Vec<_> = lint["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["code"].as_str().expect("a code"))
        .collect();
    assert_eq!(
        codes,
        [
            "peer-matches-nothing",
            "metadata-reachable",
            "no-default-deny-egress",
            "no-default-deny-ingress",
            "pod-not-isolated",
        ]
    );
    let first = &lint["findings"][0];
    assert_eq!(first["because"][0]["line"], 28);
    // It is the audit's finding, with its check and its place.
    assert_eq!(first["id"], "RMP-NET-006");
    assert_eq!(first["location"]["line"], 28);
    let audit = rampart(&["audit", "-o", "json", file]);
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    let audited: Vec<&Value> = audit["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| &finding["fingerprint"])
        .collect();
    for finding in lint["findings"].as_array().expect("findings") {
        assert!(audited.contains(&&finding["fingerprint"]), "{finding}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_said() {
    let directory = manifests(&MANIFESTS.replace("169.254.169.254/32", "10.0.0.0/8"));
    let (status, open) = ask(
        directory.path(),
        "allowed --from shop/web --to shop/db --port 5432",
    );
    assert_eq!((status, &open["uncertain"]), (3, &json!(true)));
    let directory = manifests(&MANIFESTS.replace("169.254.169.254/32", "nowhere"));
    let (status, broken) = ask(
        directory.path(),
        "allowed --from shop/web --to shop/db --port 5432",
    );
    assert_eq!(status, 3);
    let problems = broken["problems"].to_string();
    assert!(
        problems.contains("spec.egress[0].to[0].networks[0]"),
        "{problems}"
    );
    for wrong in [
        &["--from", "shop/gone", "--to", "shop/db", "--port", "80"][..],
        &["--from", "shop/web", "--to", "shop/db", "--port", "0"],
        &["--from", "a/b/c/d", "--to", "shop/db", "--port", "1"],
    ] {
        let file = directory.path().join("a.yaml");
        let file = file.to_str().expect("text");
        let output = rampart(&[&["netpol", "allowed", file][..], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
