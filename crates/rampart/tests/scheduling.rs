//! Priority, preemption and disruption budgets in a running cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::analyst::workshop;
use support::{Cluster, Kubectl, field, ready, with_every_kubectl};

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
        kubectl.apply(
            "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: lower}, \
             value: -10}",
        );
        // Two of different priority fill the node.
        let cpu = field(kubectl, "node/simulated", ".status.allocatable.cpu");
        let cpu: u32 = cpu.parse().expect("whole processors");
        let half = format!("{}m", cpu * 500);
        for (name, class) in [("low", "\"\""), ("lowest", "lower")] {
            kubectl.apply(&pod(name, class, &half));
            ready(kubectl, name);
        }
        // Who may make nobody go waits, also who comes first.
        kubectl.apply(&pod("humble", "lower", &half));
        assert_eq!(
            unscheduled(kubectl, "humble"),
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No \
             preemption victims found for incoming pod."
        );
        kubectl.apply(&pod("patient", "high-priority-nonpreempting", &half));
        let patient = "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to \
                       preemptionPolicy=Never.";
        assert_eq!(unscheduled(kubectl, "patient"), patient);
        let failed = [
            "get",
            "events",
            "--field-selector",
            "reason=FailedScheduling",
        ];
        let text = kubectl.ok(&[&failed[..], &["-o", "jsonpath={.items[*].message}"]].concat());
        assert!(text.contains(patient), "{text}");
        kubectl.apply(&pod("urgent", "high-priority", &half));
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
            "pod/lowest",
            ".status.conditions[?(@.type=='DisruptionTarget')]['reason','message']",
        );
        assert_eq!(
            why,
            "PreemptionByScheduler default-scheduler: preempting to accommodate a higher priority pod"
        );
        assert!(!field(kubectl, "pod/lowest", ".metadata.deletionTimestamp").is_empty());
        assert!(field(kubectl, "pod/low", ".metadata.deletionTimestamp").is_empty());
        let uid = field(kubectl, "pod/urgent", ".metadata.uid");
        let events = kubectl.ok(&["get", "events", "--field-selector=reason=Preempted"]);
        let expected = format!("Preempted by pod {uid} on node simulated");
        assert!(events.contains(&expected), "{events}");
        let told = kubectl.ok(&[
            "get",
            "events.events.k8s.io",
            "--field-selector=reason=Preempted",
            "-o",
            "jsonpath={.items[0]['action','related.name','reportingController']}",
        ]);
        assert_eq!(told, "Preempting urgent default-scheduler");
        let metrics = kubectl.ok(&["get", "--raw", "/metrics"]);
        for line in [
            "scheduler_pending_pods{queue=\"gated\"} 0",
            "scheduler_preemption_victims_count 1",
            "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"}",
        ] {
            assert!(metrics.contains(line), "{line}");
        }
        release(kubectl, "lowest");
        ready(kubectl, "urgent");
        // With the room that it leaves, the patient one comes before the humble one, which has
        // waited longer.
        release(kubectl, "urgent");
        kubectl.ok(&["delete", "pod", "urgent"]);
        ready(kubectl, "patient");
        assert_eq!(field(kubectl, "pod/humble", ".spec.nodeName"), "");
        for name in ["low", "patient", "humble"] {
            release(kubectl, name);
        }
    });
}

/// Asks for a pod's eviction; whether it was granted, and what was answered if not.
fn evict(cluster: &Cluster, kubectl: &Kubectl<'_>, name: &str) -> (bool, String) {
    let path = format!("/api/v1/namespaces/default/pods/{name}/eviction");
    let eviction = format!(
        "{{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{{\"name\":\"{name}\"}}}}"
    );
    let file = cluster.scratch().join("eviction.json");
    std::fs::write(&file, eviction).expect("written");
    let file = file.to_str().expect("text");
    let (is_evicted, _, why) = kubectl.run(&["create", "--raw", &path, "-f", file]);
    (is_evicted, why)
}

fn budget(name: &str, spec: &str, app: &str) -> String {
    format!(
        "{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {{name: {name}}}, spec: \
         {{{spec}, selector: {{matchLabels: {{app: {app}}}}}}}}}"
    )
}

#[test]
fn an_eviction_is_told_in_the_pod_and_a_budget_that_covers_nothing_says_so() {
    with_every_kubectl(|cluster, kubectl| {
        kubectl.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: held, labels: {app: held}, finalizers: \
             [example.com/look]}, spec: {containers: [{name: c, image: nginx}]}}",
        );
        ready(kubectl, "held");
        for (name, app) in [("one", "held"), ("two", "held"), ("none", "nobody")] {
            kubectl.apply(&budget(name, "minAvailable: 0", app));
        }
        let wait = ["wait", "--timeout=60s", "pdb/none"];
        kubectl.ok(&[&wait[..], &["--for=condition=DisruptionAllowed=false"]].concat());
        let events = kubectl.ok(&["get", "events", "--field-selector=reason=NoPods"]);
        assert!(events.contains("No matching pods found"), "{events}");
        let (is_evicted, why) = evict(cluster, kubectl, "held");
        let two = "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                   does not support.";
        assert!(!is_evicted && why.contains(two), "{why}");
        kubectl.ok(&["delete", "pdb", "two"]);
        kubectl.ok(&[
            "wait",
            "--timeout=60s",
            "--for=condition=DisruptionAllowed",
            "pdb/one",
        ]);
        let (is_evicted, why) = evict(cluster, kubectl, "held");
        assert!(is_evicted, "{why}");
        assert_eq!(
            field(
                kubectl,
                "pod/held",
                ".status.conditions[?(@.type=='DisruptionTarget')]['reason','message']",
            ),
            "EvictionByEvictionAPI Eviction API: evicting"
        );
        release(kubectl, "held");
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
        let (is_evicted, why) = evict(cluster, kubectl, "web");
        assert!(!is_evicted && why.contains("disruption budget"), "{why}");
    });
}
