//! Every question of the analyst has one answer, whether it is asked of manifests, of a live cluster
//! to which they were applied, or of a snapshot of either.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use support::Cluster;
use support::analyst::{rampart, without_locations, workshop};

/// All commands of the analyst, with the exit status for the workshop alone and for the workshop
/// with `same_answers/more.yaml`.
const QUESTIONS: &[(&str, i32, i32)] = &[
    ("audit", 1, 1),
    ("audit -n qos-example", 0, 0),
    ("audit --fail-on critical", 0, 1),
    ("score", 1, 1),
    ("score -n qos-example --fail-below 90", 1, 1),
    ("score --profile kubesec", 1, 1),
    ("can-i list pods --as ACCOUNT", 0, 0),
    ("can-i create pods --as ACCOUNT", 1, 1),
    ("can-i list pods -n kube-system --as ACCOUNT", 1, 1),
    ("can-i list pods -n test-namespace --as ACCOUNT", 1, 1),
    ("can-i get secrets/mysecret --as ACCOUNT", 1, 0),
    ("can-i get secrets --as ACCOUNT", 1, 1),
    ("can-i update deploy --subresource scale --as ACCOUNT", 1, 0),
    ("can-i update deploy --as ACCOUNT", 1, 1),
    ("can-i get configmaps --as ROBOT", 1, 0),
    ("can-i get configmaps -n test-namespace --as ROBOT", 1, 1),
    ("can-i get /version --as system:anonymous", 0, 0),
    ("can-i get /probe/x --as jane", 1, 1),
    ("can-i delete nodes --as x --as-group system:masters", 0, 0),
    ("can-i delete nodes -A --as x", 1, 1),
    ("can-i --list --as ACCOUNT", 0, 0),
    ("can-i --list --as ROBOT -n test-namespace", 0, 0),
    ("can-i --list --as jane --as-group devs -n web", 0, 0),
    ("can-i --list --as x --as-group system:masters", 0, 0),
    ("who-can get secrets/mysecret", 0, 0),
    ("who-can list pods -A", 0, 0),
    ("who-can get /healthz", 0, 0),
    ("who-can create pods --subresource exec -A", 0, 0),
    ("who-can use psp/privileged", 0, 0),
    ("who-can * *", 0, 0),
    ("access-matrix", 0, 0),
    ("access-matrix -A", 0, 0),
    ("access-matrix --as ACCOUNT", 0, 0),
    ("access-matrix --as jane --as-group devs -n web", 0, 0),
    ("access-matrix --resource secrets", 0, 0),
    ("access-matrix --resource pods -A", 0, 0),
    ("access-matrix --as ACCOUNT --against ROBOT", 1, 1),
    ("graph", 0, 0),
    ("graph --with-rules --with-given", 0, 0),
    ("graph --subject rbac-example", 0, 0),
    ("graph -n test-namespace", 0, 0),
    ("paths --from ACCOUNT --to secret/default/mysecret", 0, 1),
    ("paths --from ROBOT --to *", 0, 0),
    ("paths --from group/devs --to *", 0, 1),
    ("paths --from * --to cluster-admin", 0, 0),
    ("paths --from pod/* --to *", 1, 1),
    ("paths --from * --to node/* --max-length 3", 0, 1),
    ("pss", 0, 0),
    ("pss -n qos-example --level baseline", 0, 0),
    ("pss --level baseline --version v1.20", 0, 1),
    ("pss --level restricted", 1, 1),
    ("psp", 1, 1),
    ("psp --as-group system:masters", 0, 0),
    ("qos", 0, 0),
    ("qos -n qos-example", 0, 0),
    ("qos --node-memory 4Gi", 0, 0),
    (
        "netpol allowed --from default/rbac-example --to default/secret-env-pod --port 80",
        1,
        1,
    ),
    (
        "netpol allowed --from qos-example/qos-demo --to 169.254.169.254 --port 80/TCP",
        0,
        0,
    ),
    ("netpol matrix", 0, 0),
    ("netpol lint", 1, 1),
];

/// Those about what only `same_answers/more.yaml` has.
const FURTHER: &[(&str, i32)] = &[
    ("can-i poke things.x.io --as jane", 0),
    (
        "can-i create serviceaccounts --subresource token --as x --as-group devs -n web",
        0,
    ),
    ("graph --subject jane", 0),
    ("paths --from daemonset/default/exporter --to node/*", 1),
    ("netpol allowed --from web/shop --to web/db --port 5432", 0),
    ("netpol allowed --from web/shop --to web/db --port 80", 1),
    (
        "netpol allowed --from default/exporter --to web/db --port 5432",
        1,
    ),
    ("netpol allowed --from 10.1.2.3 --to web/db --port 5432", 1),
];

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn words(question: &str) -> Vec<String> {
    let word = |word: &str| match word {
        "ACCOUNT" => "serviceaccount/default/rbac-example".to_owned(),
        "ROBOT" => "serviceaccount/test-namespace/build-robot".to_owned(),
        word => word.to_owned(),
    };
    question.split(' ').map(word).collect()
}

fn ask(question: &str, source: &[&str]) -> Output {
    let mut arguments = words(question);
    arguments.extend(source.iter().map(|s| (*s).to_owned()));
    arguments.extend(["-o".to_owned(), "json".to_owned()]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    rampart(&arguments)
}

/// The exit status, and the document without where things stand.
fn answer(question: &str, source: &[&str]) -> (Option<i32>, Value) {
    let output = ask(question, source);
    let mut document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{question} {source:?}: {e}: {}", text(&output.stderr)));
    without_locations(&mut document);
    (output.status.code(), document)
}

/// Where two documents differ first.
fn difference(path: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys());
            let of = |map: &serde_json::Map<String, Value>, key: &String| {
                map.get(key).cloned().unwrap_or(Value::Null)
            };
            keys.into_iter()
                .find_map(|key| difference(&format!("{path}.{key}"), &of(a, key), &of(b, key)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(at, (a, b))| difference(&format!("{path}[{at}]"), a, b)),
        _ => (one != other).then(|| format!("{path}: {one:.400} and {other:.400}")),
    }
}

/// Applies a directory, and waits until the controllers have done their part.
fn apply(cluster: &Cluster, directory: &str) {
    let kubectl = support::kubectls().into_iter().next().expect("a kubectl");
    let kubeconfig = cluster.kubeconfig();
    let run = |arguments: &[&str]| {
        Command::new(&kubectl)
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .args(arguments)
            .output()
            .expect("kubectl runs")
    };
    let applied = run(&["apply", "-f", directory]);
    assert!(applied.status.success(), "{}", text(&applied.stderr));
    let wait = ["wait", "--for=condition=Ready", "pods", "--all", "-A"];
    let waited = run(&[&wait[..], &["--timeout=120s"]].concat());
    assert!(waited.status.success(), "{}", text(&waited.stderr));
    if Path::new(directory).join("more.yaml").exists() {
        // Rules that are gathered from one role into the next are there once the last has them.
        let role = ["get", "clusterrole", "admin", "-o", "yaml"];
        let gathered = (0..500).any(|_| text(&run(&role).stdout).contains("- poke"));
        assert!(gathered, "the rules of aggregating roles");
    }
}

fn manifests(into: &Path, more: bool) -> String {
    std::fs::create_dir(into).expect("a directory");
    for entry in std::fs::read_dir(workshop()).expect("the workshop") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let name = path.file_name().expect("a name");
            std::fs::copy(&path, into.join(name)).expect("a copy");
        }
    }
    if more {
        let text = include_str!("same_answers/more.yaml");
        std::fs::write(into.join("more.yaml"), text).expect("written");
    }
    into.to_string_lossy().into_owned()
}

/// Asks everything of everything, and tells of all that differs.
fn compare(questions: &[(&str, i32)], more: bool) {
    let cluster = Cluster::start();
    let directory = manifests(&cluster.scratch().join("manifests"), more);
    let path = |name: &str| cluster.scratch().join(name).to_string_lossy().into_owned();
    let (kubeconfig, of_cluster, of_files) = (
        path("kubeconfig"),
        path("cluster.json.gz"),
        path("files.json"),
    );
    apply(&cluster, &directory);
    let taken = rampart(&["snapshot", "--kubeconfig", &kubeconfig, "-o", &of_cluster]);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken.stderr));
    let taken = rampart(&["snapshot", &directory, "-o", &of_files]);
    assert_eq!(taken.status.code(), Some(0), "{}", text(&taken.stderr));
    let mut wrong = Vec::new();
    for (question, status) in questions {
        let of_manifests = answer(question, &[&directory]);
        if of_manifests.0 != Some(*status) {
            wrong.push(format!("{question}: status {:?}", of_manifests.0));
        }
        let live = ["--live", "--kubeconfig", &kubeconfig];
        for source in [
            &live[..],
            &["--snapshot", &of_cluster],
            &["--snapshot", &of_files],
        ] {
            let other = answer(question, source);
            let differs = difference("", &of_manifests.1, &other.1);
            if other.0 != of_manifests.0 || differs.is_some() {
                wrong.push(format!("{question} {source:?}: {:?} {differs:?}", other.0));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_workshop_has_one_answer() {
    let questions: Vec<_> = QUESTIONS.iter().map(|(q, alone, _)| (*q, *alone)).collect();
    compare(&questions, false);
}

#[test]
fn workloads_of_all_kinds_have_one_answer() {
    let questions = QUESTIONS.iter().map(|(q, _, with_more)| (*q, *with_more));
    let questions: Vec<_> = questions.chain(FURTHER.iter().copied()).collect();
    compare(&questions, true);
}

#[test]
fn who_may_see_little_is_told_what_is_missing() {
    let cluster = Cluster::start();
    let directory = manifests(&cluster.scratch().join("manifests"), true);
    apply(&cluster, &directory);
    let path = |name: &str| cluster.scratch().join(name).to_string_lossy().into_owned();
    let (data, jane) = (path("data"), path("jane.kubeconfig"));
    let issue = [
        "kubeconfig",
        "--data-dir",
        &data,
        "--user",
        "jane",
        "-o",
        &jane,
    ];
    assert!(rampart(&issue).status.success());
    // A pod that may not be seen cannot be asked about.
    let hidden = |question: &str| question.contains("qos-example/");
    let questions = QUESTIONS.iter().map(|(question, _, _)| *question);
    for question in questions.filter(|question| !hidden(question)) {
        let (status, document) = answer(question, &["--live", "--kubeconfig", &jane]);
        assert_eq!(status, Some(3), "{question}");
        let problems = document["problems"].as_array();
        // The profile of kubesec has kubesec's JSON: what is missing is told on standard error.
        let is_foreign = question.contains("kubesec");
        assert!(
            is_foreign || problems.is_some_and(|p| !p.is_empty()),
            "{question}"
        );
    }
    let (_, document) = answer("qos", &["--live", "--kubeconfig", &jane]);
    let pods = document["pods"].as_array().expect("pods");
    assert!(pods.iter().any(|pod| pod["name"] == "nginx"), "{document}");
    assert!(pods.iter().all(|pod| pod["namespace"] == "default"));
}
