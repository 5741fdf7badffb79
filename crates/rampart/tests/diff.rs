//! `rampart diff` as users run it: manifests, snapshots and earlier audits against each other.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]
#![allow(dead_code, reason = "not every test uses all of the support")]

#[path = "support/analyst.rs"]
mod analyst;

use analyst::{rampart, workshop};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

const POD: &str = "apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
spec:
  containers:
  - name: app
    image: registry.example.com/app:1.0
";

/// The pod, and a role of Jane with these verbs on secrets.
fn manifests(privileged: bool, verbs: &str) -> String {
    let security = if privileged {
        "    securityContext:\n      privileged: true\n"
    } else {
        ""
    };
    format!(
        "{POD}{security}---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: reader, namespace: shop}}
rules:
- {{apiGroups: [''], resources: [secrets], verbs: {verbs}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: reader, namespace: shop}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}}
subjects:
- {{apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}}
"
    )
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }

    /// What the audit of `path` is as a document.
    fn audit(&self, name: &str, path: &Path, form: &str) -> PathBuf {
        let output = rampart(&["audit", "-o", form, text(path)]);
        self.write(name, &String::from_utf8(output.stdout).expect("UTF-8"))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn diff(old: &Path, new: &Path, more: &[&str]) -> Output {
    let mut arguments = vec!["diff", text(old), text(new)];
    arguments.extend(more);
    rampart(&arguments)
}

fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

fn ids(findings: &Value) -> Vec<&str> {
    let findings = findings.as_array().expect("a list");
    findings.iter().filter_map(|f| f["id"].as_str()).collect()
}

fn is_nothing(document: &Value) {
    for list in ["new", "gone", "changed", "excused"] {
        assert_eq!(document[list], json!([]), "{list}");
    }
}

#[test]
fn the_same_is_no_difference_whatever_it_was_read_from() {
    let files = Files::new();
    let workshop = workshop();
    let audit = files.audit("audit.json", &workshop, "json");
    let yaml = files.audit("audit.yaml", &workshop, "yaml");
    let count = document(&rampart(&["audit", "-o", "json", text(&workshop)]))["findings"]
        .as_array()
        .map(Vec::len)
        .expect("findings");
    for (old, new) in [
        (&workshop, &workshop),
        (&audit, &workshop),
        (&workshop, &audit),
        (&yaml, &audit),
    ] {
        let output = diff(old, new, &["-o", "json"]);
        let document = document(&output);
        is_nothing(&document);
        assert_eq!(document["same"], json!(count), "{old:?} {new:?}");
        assert_eq!(document["schemaVersion"], "rampart.diff/v1");
        // Bad as it is, none of it is new.
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn what_is_new_is_told_with_its_place() {
    let files = Files::new();
    let old = files.write("old.yaml", &manifests(false, "[list]"));
    // Lines move, which is no difference.
    let moved = format!("# a comment\n\n{}", manifests(true, "[list, delete]"));
    let new = files.write("new.yaml", &moved);
    let output = diff(&old, &new, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let there = document(&output);
    assert!(ids(&there["new"]).contains(&"RMP-POD-001"), "{there}");
    assert_eq!(there["changed"], json!([]));
    let found = there["new"].as_array().expect("findings");
    let privileged = found.iter().find(|f| f["id"] == "RMP-POD-001");
    assert_eq!(privileged.expect("found")["location"]["line"], 13);
    assert_eq!(
        there["access"],
        json!([{
            "subject": {"kind": "User", "name": "jane"},
            "namespace": "shop",
            "gained": [{"group": "", "resource": "secrets", "verb": "delete"}],
            "lost": [],
        }])
    );
    // The other way round it is gone, which is good.
    let output = diff(&new, &old, &["-o", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let back = document(&output);
    assert_eq!(ids(&back["gone"]), ids(&there["new"]));
    assert_eq!(back["access"][0]["lost"], there["access"][0]["gained"]);
    // Against the document of an audit, which has no roles.
    let audit = files.audit("old.json", &old, "json");
    let against = document(&diff(&audit, &new, &["-o", "json"]));
    assert_eq!(against["new"], there["new"]);
    assert_eq!(against["access"], Value::Null);

    let human = diff(&old, &new, &[]);
    let human = String::from_utf8(human.stdout).expect("UTF-8");
    assert!(human.contains("RMP-POD-001"), "{human}");
    assert!(human.contains("      privileged: true"), "{human}");
    assert!(human.contains("^^^"), "{human}");
    assert!(
        human.contains("+ User jane, in shop: delete secrets"),
        "{human}"
    );
    let markdown = diff(&old, &new, &["-o", "markdown"]);
    let markdown = String::from_utf8(markdown.stdout).expect("UTF-8");
    assert!(markdown.contains("## New\n"), "{markdown}");
    assert!(
        markdown.contains("| User jane, in shop | delete secrets |  |"),
        "{markdown}"
    );
    // A lesser finding does not fail what asks for worse.
    let lenient = diff(&old, &new, &["--fail-on", "critical"]);
    let worst = found.iter().any(|f| f["severity"] == "critical");
    assert_eq!(lenient.status.code(), Some(i32::from(worst)));
}

#[test]
fn a_worse_severity_counts_and_a_better_one_does_not() {
    let files = Files::new();
    let path = files.write("a.yaml", &manifests(true, "[list]"));
    let now = files.audit("now.json", &path, "json");
    let mut then = document(&rampart(&["audit", "-o", "json", text(&path)]));
    let found = then["findings"].as_array_mut().expect("findings");
    let privileged = found.iter_mut().find(|f| f["id"] == "RMP-POD-001");
    privileged.expect("found")["severity"] = json!("info");
    let then = files.write("then.json", &then.to_string());
    let output = diff(&then, &now, &["-o", "json"]);
    let worse = document(&output);
    assert_eq!(worse["changed"][0]["before"], "info");
    assert_eq!(worse["changed"][0]["finding"]["id"], "RMP-POD-001");
    assert_eq!(worse["new"], json!([]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(diff(&now, &then, &[]).status.code(), Some(0));
}

#[test]
fn what_is_excused_now_is_not_gone() {
    let files = Files::new();
    let old = files.write("old.yaml", &manifests(true, "[list]"));
    let excused = manifests(true, "[list]").replacen(
        "  namespace: shop\n",
        "  namespace: shop\n  annotations:\n    rampart.dev/ignore-RMP-POD-001: drives the host\n",
        1,
    );
    let new = files.write("new.yaml", &excused);
    let there = document(&diff(&old, &new, &["-o", "json"]));
    assert_eq!(ids(&there["excused"]), ["RMP-POD-001"]);
    assert_eq!(there["gone"], json!([]));
    // And without the excuse it is new.
    let output = diff(&new, &old, &["-o", "json"]);
    assert_eq!(ids(&document(&output)["new"]), ["RMP-POD-001"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn code_scanning_sees_what_is_new() {
    let files = Files::new();
    let old = files.write("old.yaml", &manifests(false, "[list]"));
    let new = files.write("new.yaml", &manifests(true, "[list]"));
    let sarif = document(&diff(&old, &new, &["-o", "sarif"]));
    let there = document(&diff(&old, &new, &["-o", "json"]));
    let results = sarif["runs"][0]["results"].as_array().expect("results");
    let rules: Vec<&str> = results
        .iter()
        .filter_map(|r| r["ruleId"].as_str())
        .collect();
    assert_eq!(rules, ids(&there["new"]));
    assert!(results.iter().all(|r| r["baselineState"] == "new"));
    // Of a document there are no places to show.
    let audit = files.audit("new.json", &new, "json");
    assert_eq!(diff(&old, &audit, &["-o", "sarif"]).status.code(), Some(2));
}

#[test]
fn snapshots_are_compared_too() {
    let files = Files::new();
    let snapshot = |name: &str, privileged: bool| {
        let document = json!({
            "schemaVersion": "rampart.snapshot/v1",
            "origin": "cluster",
            "withGiven": false,
            "objects": [{"object": {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"containers": [{
                    "name": "app",
                    "image": "registry.example.com/app:1.0",
                    "securityContext": {"privileged": privileged},
                }]},
            }}],
        });
        files.write(name, &document.to_string())
    };
    let (old, new) = (snapshot("old.json", false), snapshot("new.json", true));
    let there = document(&diff(&old, &new, &["-o", "json"]));
    assert!(ids(&there["new"]).contains(&"RMP-POD-001"), "{there}");
    let output = rampart(&["diff", text(&old), "--snapshot", text(&new), "-o", "json"]);
    assert_eq!(document(&output), there);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn wrong_usage_is_told() {
    let files = Files::new();
    let manifest = files.write("a.yaml", POD);
    let other = files.write("score.json", "{\"schemaVersion\": \"rampart.score/v1\"}");
    let broken = files.write("broken.json", "{\"schemaVersion\": \"rampart.audit/v1\"}");
    let missing = files.0.path().join("missing");
    for wrong in [&other, &broken, &missing] {
        let output = diff(wrong, &manifest, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
        let output = diff(&manifest, wrong, &[]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert_eq!(rampart(&["diff", text(&manifest)]).status.code(), Some(2));
    // What cannot be read may hide a difference.
    let half = files.write("half.yaml", &format!("{POD}---\na: [\n"));
    assert_eq!(diff(&manifest, &half, &[]).status.code(), Some(3));
    let audit = files.audit("half.json", &half, "json");
    assert_eq!(diff(&audit, &manifest, &[]).status.code(), Some(3));
}
