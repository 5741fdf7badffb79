//! Questions about access, and what is told of what may not be read or cannot be.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::{Value, json};
use std::process::Command;
use support::Cluster;
use support::analyst::{rampart, without_locations, workshop};

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// The exit status and the JSON document, without where things stand.
fn answer(question: &[&str], source: &[&str]) -> (Option<i32>, Value) {
    let arguments: Vec<&str> = [question, source, &["-o", "json"]].concat();
    let output = rampart(&arguments);
    let mut document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{arguments:?}: {e}: {}", text(&output.stderr)));
    without_locations(&mut document);
    (output.status.code(), document)
}

const MORE: &str = "\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: poker, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}
rules:
- {apiGroups: [x.io], resources: [things], verbs: [get, poke]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jane}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:serviceaccounts:test-namespace'}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: one}
rules:
- {apiGroups: [''], resources: [secrets], resourceNames: [mysecret], verbs: [get]}
- {apiGroups: ['*'], resources: ['*/scale'], verbs: [update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: one}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: one}
subjects:
- {kind: ServiceAccount, name: rbac-example}
";

#[test]
fn clusters_are_read_as_far_as_one_may() {
    let cluster = Cluster::start();
    let directory = cluster.scratch().join("manifests");
    std::fs::create_dir(&directory).expect("a directory");
    for entry in std::fs::read_dir(workshop()).expect("the workshop") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_name().expect("a name");
            std::fs::copy(&path, directory.join(name)).expect("a copy");
        }
    }
    std::fs::write(directory.join("99-more.yaml"), MORE).expect("written");
    let directory = directory.to_string_lossy().into_owned();
    let kubeconfig = cluster.kubeconfig().to_string_lossy().into_owned();
    for kubectl in support::kubectls().iter().take(1) {
        let applied = Command::new(kubectl)
            .args(["--kubeconfig", &kubeconfig, "apply", "-f", &directory])
            .output()
            .expect("kubectl runs");
        assert!(applied.status.success(), "{}", text(&applied.stderr));
    }
    let live = ["--live", "--kubeconfig", &kubeconfig];
    // Oneself.
    let own = rampart(&[&["can-i", "*", "*"], &live[..]].concat());
    assert_eq!(own.status.code(), Some(0), "{}", text(&own.stderr));

    // The aggregated rule is followed to the role that it was written in.
    let (_, poke) = answer(
        &["can-i", "poke", "things.x.io", "--as", "jane"],
        &[&directory],
    );
    let names: Vec<&str> = poke["because"]
        .as_array()
        .expect("because")
        .iter()
        .filter_map(|c| c["name"].as_str())
        .collect();
    assert_eq!(names, ["viewers", "view", "poker"]);

    // Who may list little gets little, and is told so.
    let jane = cluster.scratch().join("jane.kubeconfig");
    let jane = jane.to_string_lossy().into_owned();
    let data = cluster.data().to_string_lossy().into_owned();
    let issued = rampart(&[
        "kubeconfig",
        "--data-dir",
        &data,
        "--user",
        "jane",
        "-o",
        &jane,
    ]);
    assert!(issued.status.success(), "{}", text(&issued.stderr));
    let part = cluster.scratch().join("part.json");
    let part = part.to_string_lossy().into_owned();
    let taken = rampart(&["snapshot", "--kubeconfig", &jane, "-o", &part]);
    let told = text(&taken.stderr);
    assert_eq!(taken.status.code(), Some(3), "{told}");
    assert!(told.contains("secrets cannot be listed"), "{told}");
    assert!(
        told.contains("pods can be listed in the namespace \"default\" only"),
        "{told}"
    );
    let whole = std::fs::read(&part).expect("a snapshot");
    assert!(text(&whole).contains("\"name\":\"secret-env-pod\""));
    let asked = rampart(&["can-i", "get", "pods", "--live", "--kubeconfig", &jane]);
    assert_eq!(asked.status.code(), Some(3), "roles are hidden from jane");

    // No secret is in any snapshot.
    let plain = cluster.scratch().join("plain.json");
    let plain = plain.to_string_lossy().into_owned();
    let taken = rampart(&["snapshot", "--kubeconfig", &kubeconfig, "-o", &plain]);
    assert!(taken.status.success());
    let plain = text(&std::fs::read(&plain).expect("a snapshot"));
    assert!(plain.contains("mysecret") && !plain.contains("MWYyZDFlMmU2N2Rm"));
}

#[test]
fn classes_scores_and_the_order_of_eviction() {
    let directory = tempfile::tempdir().expect("a directory");
    let usage = directory.path().join("usage");
    let figures = |more: &str| {
        let text = format!(
            "NAMESPACE NAME CPU(cores) MEMORY(bytes)\nqos-example qos-demo 1m 100Mi\n\
             qos-example qos-demo-2 1m 150Mi\nqos-example qos-demo-3 1m 5Mi\n{more}"
        );
        std::fs::write(&usage, text).expect("written");
    };
    figures("");
    let file = workshop().join("11-qos.yaml");
    let file = file.to_string_lossy();
    let usage = usage.to_string_lossy();
    let question = ["qos", "--usage", &usage, "--node-memory", "4Gi"];
    let (code, document) = answer(&question, &[&file]);
    assert_eq!(code, Some(0), "{document}");
    let list = |name: &str| document[name].as_array().expect("a list").clone();
    let pods: Vec<_> = list("pods")
        .iter()
        .map(|pod| {
            let score = pod["containers"][0]["oomScoreAdj"].clone();
            (pod["name"].clone(), pod["class"].clone(), score)
        })
        .collect();
    let pod = |name: &str, class: &str, score: i64| (name.into(), class.into(), score.into());
    assert_eq!(
        pods,
        [
            pod("qos-demo", "Guaranteed", -997),
            pod("qos-demo-2", "Burstable", 976),
            pod("qos-demo-3", "BestEffort", 1000),
        ]
    );
    let groups: Vec<_> = list("pods").iter().map(|p| p["cgroup"].clone()).collect();
    assert_eq!(
        groups,
        [
            json!({"parent": "kubepods", "cpuShares": 716, "cpuQuota": 70_000,
                "memoryLimit": 200 << 20}),
            json!({"parent": "kubepods/burstable", "cpuShares": 2, "memoryLimit": 200 << 20}),
            json!({"parent": "kubepods/besteffort", "cpuShares": 2}),
        ]
    );
    let order: Vec<_> = list("eviction").iter().map(|p| p["name"].clone()).collect();
    assert_eq!(order, ["qos-demo-2", "qos-demo-3", "qos-demo"]);
    figures("elsewhere other 1m 1Mi");
    let (code, _) = answer(&question, &[&file]);
    assert_eq!(code, Some(3), "figures of a pod that is not there");
    figures("what is this");
    let refused = rampart(&["qos", "--usage", &usage, &file]);
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn wrong_usage_and_bad_input() {
    let missing = rampart(&["can-i", "get", "pods", "--as", "jane"]);
    assert_eq!(missing.status.code(), Some(2), "no source");
    let nobody = rampart(&["can-i", "get", "pods", &workshop().to_string_lossy()]);
    assert_eq!(nobody.status.code(), Some(2), "nobody is asked about");
    assert!(text(&nobody.stderr).contains("--as"));
    let dead = [
        "can-i",
        "get",
        "pods",
        "--as",
        "jane",
        "--kubeconfig",
        "k",
        ".",
    ];
    assert_eq!(
        rampart(&dead).status.code(),
        Some(2),
        "--kubeconfig without --live"
    );
    let gone = rampart(&["can-i", "get", "pods", "--as", "jane", "/no/such/file"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(
        text(&gone.stderr).contains("/no/such/file"),
        "{}",
        text(&gone.stderr)
    );
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("a.yaml"), "kind: [\n").expect("written");
    std::fs::write(directory.path().join("b.yaml"), MORE).expect("written");
    let path = directory.path().to_string_lossy().into_owned();
    let bad = rampart(&[
        "can-i",
        "get",
        "secrets/mysecret",
        "--as",
        "serviceaccount/default/rbac-example",
        &path,
    ]);
    assert_eq!(bad.status.code(), Some(3), "{}", text(&bad.stderr));
    assert!(text(&bad.stdout).starts_with("yes\n"));
    assert!(
        text(&bad.stderr).contains("a.yaml:"),
        "{}",
        text(&bad.stderr)
    );
    // Without colours, as nobody looks.
    assert!(!text(&bad.stdout).contains('\u{1b}') && !text(&bad.stderr).contains('\u{1b}'));
    let unreachable = rampart(&["snapshot", "--kubeconfig", "/no/such/kubeconfig"]);
    assert_eq!(unreachable.status.code(), Some(2));
    let not_one = rampart(&[
        "who-can",
        "get",
        "pods",
        "--snapshot",
        &format!("{path}/b.yaml"),
    ]);
    assert_eq!(not_one.status.code(), Some(2));
    assert!(
        text(&not_one.stderr).contains("not a snapshot"),
        "{}",
        text(&not_one.stderr)
    );
}
