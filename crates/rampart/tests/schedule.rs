//! `rampart schedule`: placements, preemptions and reasons from files.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use serde_json::Value;
use std::path::Path;
use support::analyst::{rampart, workshop};

const NODES: &str = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a, labels: {kubernetes.io/hostname: a}}
  status: {allocatable: {cpu: '2', memory: 4Gi, pods: '10'}}
- apiVersion: v1
  kind: Node
  metadata: {name: b, labels: {kubernetes.io/hostname: b}}
  spec: {taints: [{key: dedicated, value: db, effect: NoSchedule}]}
  status: {allocatable: {cpu: '2', memory: 4Gi, pods: '10'}}
";

const PODS: &str = "\
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: patient}
value: 1000
preemptionPolicy: Never
---
apiVersion: v1
kind: Pod
metadata: {name: running}
spec:
  nodeName: a
  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: x, resources: {requests: {cpu: 500m}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: urgent}
spec:
  priorityClassName: high
  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: patient}
spec:
  priorityClassName: patient
  containers: [{name: c, image: x, resources: {requests: {cpu: '2'}}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      tolerations: [{operator: Exists}]
      containers: [{name: c, image: x}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: picky}
spec:
  selector: {matchLabels: {app: picky}}
  template:
    metadata: {labels: {app: picky}}
    spec:
      containers: [{name: c, image: x}]
";

fn ask(directory: &Path, pods: &str, more: &[&str]) -> (i32, Value) {
    let (nodes, manifests) = (directory.join("nodes.yaml"), directory.join("pods.yaml"));
    std::fs::write(&nodes, NODES).expect("written");
    std::fs::write(&manifests, pods).expect("written");
    let nodes = nodes.to_str().expect("text");
    let manifests = manifests.to_str().expect("text");
    let arguments = ["schedule", "--nodes", nodes, manifests, "-o", "json"];
    let output = rampart(&[&arguments[..], more].concat());
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|e| panic!("{e}: {output:?}"));
    (output.status.code().expect("ended"), document)
}

fn decision<'a>(document: &'a Value, name: &str) -> &'a Value {
    let decisions = document["decisions"].as_array().expect("a list");
    let found = decisions.iter().find(|decision| decision["name"] == name);
    found.unwrap_or_else(|| panic!("{name}: {document}"))
}

#[test]
fn placements_preemptions_and_reasons() {
    let directory = tempfile::tempdir().expect("a directory");
    let (status, document) = ask(directory.path(), PODS, &[]);
    assert_eq!(status, 1, "{document}");
    assert_eq!(document["schemaVersion"], "rampart.schedule/v1");
    // By priority first: it fits beside what runs.
    let urgent = decision(&document, "urgent");
    assert_eq!(
        (&urgent["node"], &urgent["priority"]),
        (&"a".into(), &1000.into())
    );
    assert_eq!(urgent["because"][0]["kind"], "Node");
    // It comes before the others and must wait all the same.
    let patient = decision(&document, "patient");
    assert_eq!(patient["allowed"], false);
    assert_eq!(
        patient["reason"],
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {dedicated: \
         db}. preemption: not eligible due to preemptionPolicy=Never."
    );
    for name in ["web-0", "web-1"] {
        assert_eq!(
            decision(&document, name)["reason"],
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint \
             {dedicated: db}. preemption: 0/2 nodes are available: 1 No preemption victims found \
             for incoming pod, 1 Preemption is not helpful for scheduling."
        );
    }
    for node in ["a", "b"] {
        assert_eq!(decision(&document, &format!("agent-{node}"))["node"], node);
    }
    // It has none on the node whose taint it does not tolerate, and that is no fault.
    assert_eq!(decision(&document, "picky-a")["node"], "a");
    let a = &document["nodes"][0];
    assert_eq!((&a["pods"], &a["cpu"]), (&4.into(), &2000.into()));
    assert!(
        document["decisions"]
            .as_array()
            .is_some_and(|all| all.len() == 7)
    );
}

#[test]
fn who_goes_is_told_and_made_anew_by_its_controller() {
    let directory = tempfile::tempdir().expect("a directory");
    let bigger = PODS.replace("{name: urgent}", "{name: urgent, namespace: other}").replace(
        "  priorityClassName: high\n  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]",
        "  priorityClassName: high\n  containers: [{name: c, image: x, resources: {requests: {cpu: '2'}}}]",
    );
    let (status, document) = ask(directory.path(), &bigger, &["--seed", "3"]);
    assert_eq!(status, 1);
    let urgent = decision(&document, "urgent");
    assert_eq!(urgent["node"], "a", "{document}");
    assert_eq!(urgent["preempts"][0]["name"], "running");
    assert_eq!(urgent["reason"], "preemption makes room on a");
    let (_, again) = ask(directory.path(), &bigger, &["--seed", "3"]);
    assert_eq!(document, again);
}

#[test]
fn a_budget_keeps_pods_where_another_choice_is_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let pods = "\
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: high}
value: 1000
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db}
spec:
  minAvailable: 1
  selector: {matchLabels: {app: db}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, labels: {app: db}}
spec:
  nodeName: a
  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: free}
spec:
  nodeName: a
  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: urgent}
spec:
  priorityClassName: high
  containers: [{name: c, image: x, resources: {requests: {cpu: '1'}}}]
";
    let (status, document) = ask(directory.path(), pods, &[]);
    assert_eq!(status, 0, "{document}");
    assert_eq!(decision(&document, "urgent")["preempts"][0]["name"], "free");
}

#[test]
fn the_workshop_fits_and_people_can_read_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let nodes = directory.path().join("nodes.yaml");
    std::fs::write(&nodes, NODES).expect("written");
    let workshop = workshop();
    let output = rampart(&[
        "schedule",
        "--nodes",
        nodes.to_str().expect("text"),
        workshop.join("12-priority.yaml").to_str().expect("text"),
    ]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text.contains("default/nginx   1000000"), "{text}");
    assert!(
        text.contains("1 placed, 0 without a node, 0 preempted"),
        "{text}"
    );
}
