//! Priority, preemption and disruption budgets in a running cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::analyst::workshop;
use support::{Kubectl, with_every_kubectl};

fn field(kubectl: &Kubectl<'_>, object: &str, path: &str) -> String {
    kubectl.ok(&["get", object, "-o", &format!("jsonpath={{{path}}}")])
}

fn ready(kubectl: &Kubectl<'_>, pod: &str) {
    let pod = format!("pod/{pod}");
    kubectl.ok(&["wait", "--for=condition=Ready", &pod, "--timeout=60s"]);
}

fn unscheduled(kubectl: &Kubectl<'_>, pod: &str) -> String {
    let path = ".status.conditions[?(@.type=='PodScheduled')].message";
    let pod = format!("pod/{pod}");
    kubectl.ok(&[
        "wait",
        "--for=condition=PodScheduled=false",
        &pod,
        "--timeout=60s",
    ]);
    field(kubectl, &pod, path)
}

fn pod(name: &str, class: &str, cpu: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, finalizers: [example.com/look]}}, \
         spec: {{priorityClassName: {class}, containers: [{{name: c, image: nginx, resources: \
         {{requests: {{cpu: '{cpu}'}}}}}}]}}}}"
    )
}

fn release(kubectl: &Kubectl<'_>, name: &str) {
    let patch = "{\"metadata\":{\"finalizers\":null}}";
    kubectl.ok(&["patch", "pod", name, "--type=merge", "-p", patch]);
}

#[test]
fn the_important_go_first_and_only_who_may_makes_others_go() {
    with_every_kubectl(|_, kubectl| {
        let classes = workshop().join("12-priority.yaml");
        kubectl.ok(&["apply", "-f", classes.to_str().expect("text")]);
        ready(kubectl, "nginx");
        let cpu = field(kubectl, "node/simulated", ".status.allocatable.cpu");
        kubectl.apply(&pod("low", "\"\"", &cpu));
        ready(kubectl, "low");
        kubectl.apply(&pod("patient", "high-priority-nonpreempting", &cpu));
        assert_eq!(
            unscheduled(kubectl, "patient"),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to \
             preemptionPolicy=Never."
        );
        kubectl.apply(&pod("humble", "\"\"", &cpu));
        assert_eq!(
            unscheduled(kubectl, "humble"),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No \
             preemption victims found for incoming pod."
        );
        kubectl.apply(&pod("urgent", "high-priority", &cpu));
        assert_eq!(
            unscheduled(kubectl, "urgent"),
            "0/1 nodes are available: 1 Insufficient cpu."
        );
        assert_eq!(
            field(kubectl, "pod/urgent", ".status.nominatedNodeName"),
            "simulated"
        );
        // Whoever is made to go says why while it is going.
        let why = field(
            kubectl,
            "pod/low",
            ".status.conditions[?(@.type=='DisruptionTarget')]['reason','message']",
        );
        assert_eq!(
            why,
            "PreemptionByScheduler default-scheduler: preempting to accommodate a higher priority pod"
        );
        assert!(!field(kubectl, "pod/low", ".metadata.deletionTimestamp").is_empty());
        let uid = field(kubectl, "pod/urgent", ".metadata.uid");
        let events = kubectl.ok(&["get", "events", "--field-selector=reason=Preempted"]);
        let expected = format!("Preempted by pod {uid} on node simulated");
        assert!(events.contains(&expected), "{events}");
        release(kubectl, "low");
        ready(kubectl, "urgent");
        // With the room that it leaves, the patient one comes before the humble one.
        release(kubectl, "urgent");
        kubectl.ok(&["delete", "pod", "urgent"]);
        ready(kubectl, "patient");
        assert_eq!(field(kubectl, "pod/humble", ".spec.nodeName"), "");
        for name in ["patient", "humble"] {
            release(kubectl, name);
        }
    });
}

#[test]
fn budgets_have_a_status() {
    with_every_kubectl(|cluster, kubectl| {
        kubectl.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: \
             {containers: [{name: c, image: nginx}]}}",
        );
        kubectl.apply(
            "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: \
             {minAvailable: 0, selector: {matchLabels: {app: web}}}}",
        );
        let wait = ["wait", "pdb/web", "--timeout=60s"];
        kubectl.ok(&[&wait[..], &["--for=condition=DisruptionAllowed"]].concat());
        assert_eq!(
            field(
                kubectl,
                "pdb/web",
                ".status['expectedPods','currentHealthy','desiredHealthy','disruptionsAllowed']"
            ),
            "1 1 0 1"
        );
        let strict = "{\"spec\":{\"minAvailable\":1}}";
        kubectl.ok(&["patch", "pdb", "web", "--type=merge", "-p", strict]);
        kubectl.ok(&[&wait[..], &["--for=condition=DisruptionAllowed=false"]].concat());
        let path = "/api/v1/namespaces/default/pods/web/eviction";
        let eviction =
            "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"web\"}}";
        let file = cluster.scratch().join("eviction.json");
        std::fs::write(&file, eviction).expect("written");
        let file = file.to_str().expect("text");
        let (is_evicted, _, why) = kubectl.run(&["create", "--raw", path, "-f", file]);
        assert!(!is_evicted && why.contains("disruption budget"), "{why}");
    });
}
