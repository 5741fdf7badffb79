//! `rampart fix` as users run it: on a commented copy of the workshop, and against a real cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::analyst::rampart_with_input;
use support::{Cluster, Kubectl, with_every_kubectl, workshop};

fn fix_in(directory: &Path, arguments: &[&str], input: &str) -> Output {
    rampart_with_input(directory, &[&["fix"], arguments].concat(), input)
}

fn json(directory: &Path, arguments: &[&str]) -> Value {
    let output = fix_in(directory, &[arguments, &["--format", "json"]].concat(), "");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// A copy of the workshop with comments wherever they can stand.
fn commented(directory: &Path) -> BTreeMap<PathBuf, String> {
    let target = directory.join("workshop");
    std::fs::create_dir(&target).expect("made");
    let mut all = BTreeMap::new();
    for file in workshop() {
        let text = std::fs::read_to_string(&file).expect("read");
        let mut commented = String::from("# The file's own comment\n\n");
        for (n, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start_matches([' ', '-']).len();
            if n % 2 == 0 && indent > 0 {
                commented.push_str(&format!("{}# before line {n}\n", " ".repeat(indent)));
            }
            commented.push_str(line);
            if line != "---" {
                commented.push_str(&format!("  # line {n}"));
            }
            commented.push('\n');
            if n % 3 == 0 && line != "---" {
                commented.push('\n');
            }
        }
        commented.push_str("# the end");
        let path = target.join(file.file_name().expect("a name"));
        std::fs::write(&path, &commented).expect("written");
        all.insert(path, commented);
    }
    all
}

/// The lines of `new` without those that the report names.
fn without(new: &str, lines: &Value) -> String {
    let named: Vec<(u64, u64)> = lines
        .as_array()
        .expect("lines")
        .iter()
        .map(|pair| (pair[0].as_u64().expect("n"), pair[1].as_u64().expect("n")))
        .collect();
    new.split_inclusive('\n')
        .zip(1..)
        .filter(|(_, n)| !named.iter().any(|(a, b)| (*a..=*b).contains(n)))
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn only_the_lines_that_are_named_change_and_a_second_run_changes_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let old = commented(directory.path());
    let report = json(directory.path(), &["--in-place", "workshop"]);
    assert_eq!(report["schemaVersion"], "rampart.fix/v1");
    let files = report["files"].as_array().expect("files");
    assert_eq!(files.len(), 5, "{files:?}");
    for (path, old) in &old {
        let new = std::fs::read_to_string(path).expect("read");
        let name = path.file_name().expect("a name").to_string_lossy();
        let entry = files
            .iter()
            .find(|f| f["file"] == format!("workshop/{name}"));
        match entry {
            Some(entry) => {
                assert_ne!(new, *old);
                // Everything was added, so that without the added lines it is what it was.
                assert_eq!(without(&new, &entry["lines"]), *old, "{name}");
            }
            None => assert_eq!(new, *old, "{name}"),
        }
    }
    for repair in report["repairs"].as_array().expect("repairs") {
        let place = &repair["location"];
        let entry = files.iter().find(|f| f["file"] == place["file"]);
        let line = place["line"].as_u64().expect("a line");
        let named = entry.expect("its file")["lines"].as_array().expect("lines");
        let is_named = named
            .iter()
            .any(|l| (l[0].as_u64()..=l[1].as_u64()).contains(&Some(line)));
        assert!(is_named, "{repair}");
    }
    // What is left has a reason each, and nothing is left that was not there before.
    let left: u64 = report["left"]
        .as_object()
        .expect("counts")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    let unrepaired = report["unrepaired"].as_array().expect("findings");
    assert_eq!(u64::try_from(unrepaired.len()).expect("few"), left);
    for one in unrepaired {
        assert!(!one["unclear"].as_str().expect("a reason").is_empty());
    }
    let second = json(directory.path(), &["--in-place", "workshop"]);
    assert_eq!(second["files"], serde_json::json!([]));
    assert_eq!(second["repairs"], serde_json::json!([]));
    assert_eq!(second["left"], report["left"]);
}

#[test]
fn the_diff_is_what_patch_applies() {
    let directory = tempfile::tempdir().expect("a directory");
    commented(directory.path());
    let diff = fix_in(directory.path(), &["workshop"], "");
    let out = fix_in(directory.path(), &["-o", "fixed", "workshop"], "");
    assert_eq!(out.status.code(), Some(1), "{out:?}");
    let mut patch = Command::new("git")
        .args(["apply", "-p1"])
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("git starts");
    let mut stdin = patch.stdin.take().expect("a pipe");
    stdin.write_all(&diff.stdout).expect("written");
    drop(stdin);
    assert!(patch.wait().expect("git ends").success());
    for file in workshop() {
        let name = file.file_name().expect("a name");
        let read = |below: &str| {
            std::fs::read(directory.path().join(below).join(name)).expect("both are there")
        };
        assert_eq!(read("workshop"), read("fixed"), "{name:?}");
    }
}

/// Applies the repaired workshop, and has the API server enforce the level that each pod reached.
fn apply(cluster: &Cluster, kubectl: &Kubectl<'_>, level: &[&str], server_side: bool) {
    let directory = tempfile::tempdir().expect("a directory");
    commented(directory.path());
    let arguments = [level, &["-o", "fixed", "workshop"]].concat();
    let report = json(directory.path(), &arguments);
    let flag = if server_side {
        "--server-side=true"
    } else {
        "--server-side=false"
    };
    for namespace in ["test-namespace", "qos-example"] {
        kubectl.ok(&["create", "namespace", namespace]);
    }
    // The level that the report names is the one that the server must admit.
    let mut lowest: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pod in report["pods"].as_array().expect("pods") {
        let namespace = pod["object"]["namespace"].as_str().expect("a namespace");
        let after = pod["after"].as_str().expect("a level");
        let levels = lowest.entry(namespace.to_owned()).or_default();
        levels.push(after.to_owned());
    }
    for (namespace, levels) in &lowest {
        let is_restricted = levels.iter().all(|level| level == "restricted");
        assert_eq!(is_restricted, !level.is_empty(), "{namespace}: {levels:?}");
        let enforced = if is_restricted {
            "restricted"
        } else {
            "baseline"
        };
        let label = format!("pod-security.kubernetes.io/enforce={enforced}");
        kubectl.ok(&["label", "--overwrite", "namespace", namespace, &label]);
    }
    let fixed = directory.path().join("fixed");
    for _ in 0..2 {
        let path = fixed.display().to_string();
        kubectl.ok(&["apply", flag, "-f", &path]);
    }
    let pods = kubectl.ok(&["get", "pods", "-A", "-o", "name"]);
    assert_eq!(pods.lines().count(), 7, "{pods}");
    if !level.is_empty() {
        let refused = kubectl.fails(&["run", "plain", "--image=nginx"]);
        assert!(refused.contains("restricted"), "{refused}");
    }
    // What the cluster holds now keeps to the level that the report says.
    let reached = if level.is_empty() {
        "baseline"
    } else {
        "restricted"
    };
    let output = cluster.rampart(&[
        "pss",
        "--live",
        "--kubeconfig",
        &cluster.kubeconfig().display().to_string(),
        "--level",
        reached,
        "-o",
        "json",
    ]);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["pods"].as_array().map(Vec::len), Some(7));
    for pod in answer["pods"].as_array().expect("pods") {
        assert_eq!(pod["level"], reached, "{pod}");
    }
}

#[test]
fn what_is_fixed_applies_and_keeps_to_its_level() {
    with_every_kubectl(|cluster, kubectl| apply(cluster, kubectl, &[], false));
}

#[test]
fn what_is_to_be_restricted_is_admitted_as_restricted() {
    with_every_kubectl(|cluster, kubectl| {
        apply(cluster, kubectl, &["--level", "restricted"], true)
    });
}

#[test]
fn standard_input_comes_out_repaired() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a} # inline\nspec:\n  containers:\n  - {name: a, image: a}\n";
    let directory = tempfile::tempdir().expect("a directory");
    let output = fix_in(directory.path(), &["-o", "-", "-"], text);
    assert_eq!(
        String::from_utf8(output.stdout).expect("UTF-8"),
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a} # inline\nspec:\n  containers:\n  - {name: a, image: a, securityContext: {allowPrivilegeEscalation: false}}\n  securityContext:\n    seccompProfile:\n      type: RuntimeDefault\n  automountServiceAccountToken: false\n"
    );
    let output = fix_in(directory.path(), &["-"], text);
    let diff = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(diff.starts_with("--- a/-\n+++ b/-\n@@ "), "{diff}");
}

#[test]
fn files_keep_their_permissions_and_links() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let text = "apiVersion: v1\r\nkind: Pod\r\nmetadata:\r\n  name: a\r\nspec:\r\n  containers:\r\n  - name: a\r\n    image: a";
    std::fs::write(at("real.txt"), text).expect("written");
    std::fs::set_permissions(at("real.txt"), std::fs::Permissions::from_mode(0o640)).expect("set");
    std::os::unix::fs::symlink("real.txt", at("link.yaml")).expect("linked");
    let output = fix_in(
        directory.path(),
        &["--in-place", "--check", "RMP-POD-004", "."],
        "",
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let link = std::fs::symlink_metadata(at("link.yaml")).expect("there");
    assert!(link.is_symlink());
    let new = std::fs::read_to_string(at("real.txt")).expect("read");
    let added = "\r\n    securityContext:\r\n      allowPrivilegeEscalation: false";
    assert_eq!(new, format!("{text}{added}"));
    let mode = std::fs::metadata(at("real.txt"))
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
    let names = std::fs::read_dir(directory.path()).expect("read").count();
    assert_eq!(names, 2);
}

/// The result is audited as the manifests were: with the same custom kinds, in the same namespace.
#[test]
fn what_the_configuration_says_of_custom_kinds_holds_for_the_result() {
    let directory = tempfile::tempdir().expect("a directory");
    let job = "apiVersion: kubeflow.org/v1\nkind: TFJob\nmetadata: {name: train}\nspec:\n  \
               tfReplicaSpecs:\n    Worker:\n      template:\n        spec:\n          containers:\n          \
               - name: worker\n            image: registry.example.com/train:1\n";
    let config = "podTemplates:\n- {group: kubeflow.org, kind: TFJob, path: spec.tfReplicaSpecs.*.template}\n";
    std::fs::write(directory.path().join("job.yaml"), job).expect("written");
    std::fs::write(directory.path().join("config.yaml"), config).expect("written");
    let arguments = [
        "--config=config.yaml",
        "--manifest-namespace=team",
        "job.yaml",
    ];
    let output = fix_in(directory.path(), &arguments, "");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let diff = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        diff.contains("+              allowPrivilegeEscalation: false\n"),
        "{diff}"
    );
    let in_place = fix_in(
        directory.path(),
        &[&["--in-place"], &arguments[..]].concat(),
        "",
    );
    assert_eq!(in_place.status.code(), Some(0), "{in_place:?}");
    let again = fix_in(directory.path(), &arguments, "");
    assert_eq!(again.stdout, b"", "{again:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    for arguments in [
        &["--live"][..],
        &["--snapshot", "x.json"],
        &["--in-place", "-"],
        &["-o", "x", "-"],
        &["--in-place", "--diff", "."],
        &["--in-place", "-o", "x", "."],
        &["--level", "strict", "."],
        &["--check", "RMP-X", "."],
        &["-o", "-", "."],
        &["no-such-file"],
    ] {
        let output = fix_in(directory.path(), arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    }
}
