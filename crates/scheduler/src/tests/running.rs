//! What the loop does with what happens around it.

use super::{node, pod, start};
use model::meta;
use model::status::Status;
use serde_json::json;
use std::time::Duration;

/// Lets so many milliseconds pass, and everything happen that can.
async fn after(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

const NO_ROOM: &str = "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. \
                       preemption: 0/1 nodes are available: 1 No preemption victims found for \
                       incoming pod.";

#[tokio::test(start_paused = true)]
async fn a_pod_is_bound_and_told_of() {
    let cluster = start([node("a", "4"), pod("p", "1", 0)]);
    after(10).await;
    assert_eq!(cluster.node_of("p"), "a");
    let events = cluster.events();
    let event = events.first().expect("an event");
    assert_eq!(event["reason"], "Scheduled");
    assert_eq!(event["action"], "Binding");
    assert_eq!(event["note"], "Successfully assigned n/p to a");
    assert_eq!(event["reportingController"], "default-scheduler");
    assert_eq!(event["reportingInstance"], "default-scheduler-here");
    assert_eq!(event["regarding"]["uid"], "p");
}

#[tokio::test(start_paused = true)]
async fn a_pod_whose_binding_is_on_the_way_takes_its_room() {
    let cluster = start([node("a", "4")]);
    cluster.delay("create pods/binding", Duration::from_secs(5));
    cluster.put(pod("first", "3", 1));
    cluster.put(pod("second", "3", 0));
    after(1_000).await;
    assert_eq!(cluster.node_of("first"), "");
    assert_eq!(cluster.condition("second", "PodScheduled"), NO_ROOM);
    // A change that was written before the binding does not make it wait again.
    let mut changed = pod("first", "3", 1);
    meta::set(&mut changed, &["metadata", "labels", "a"], "b");
    cluster.put(changed);
    after(20_000).await;
    assert_eq!(cluster.node_of("first"), "a");
    let requests = cluster.requests();
    let bindings = requests.iter().filter(|r| r.contains("binding"));
    assert_eq!(bindings.count(), 1, "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_fails_is_tried_again_later() {
    let cluster = start([node("a", "4")]);
    cluster.fail("create pods/binding", Status::internal("broken"));
    cluster.put(pod("p", "1", 0));
    after(500).await;
    let why = cluster.condition("p", "PodScheduled");
    assert!(
        why.starts_with("False SchedulerError: running Bind plugin \"DefaultBinder\": "),
        "{why}"
    );
    assert_eq!(
        cluster.requests(),
        ["create pods/binding p", "patch pods/status p"]
    );
    after(1_000).await;
    assert_eq!(cluster.node_of("p"), "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_somebody_else_bound_is_left_alone() {
    let cluster = start([node("a", "4"), node("b", "4")]);
    cluster.delay("create pods/binding", Duration::from_secs(1));
    cluster.put(pod("p", "3", 0));
    after(500).await;
    let mut taken = pod("p", "3", 0);
    meta::set(&mut taken, &["spec", "nodeName"], "b");
    cluster.put(taken);
    after(20_000).await;
    assert_eq!(cluster.node_of("p"), "b");
    assert_eq!(
        cluster.condition("p", "PodScheduled"),
        " : ",
        "nothing is written into it"
    );
    assert_eq!(cluster.requests(), ["create pods/binding p"]);
    // Whatever node had been chosen, only the real one is full.
    cluster.put(pod("q", "3", 0));
    after(20_000).await;
    assert_eq!(cluster.node_of("q"), "a");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_while_it_is_bound_leaves_its_room() {
    let cluster = start([node("a", "4")]);
    cluster.delay("create pods/binding", Duration::from_secs(1));
    cluster.put(pod("p", "3", 1));
    cluster.put(pod("q", "3", 0));
    after(500).await;
    cluster.remove("pods", "p");
    after(20_000).await;
    assert_eq!(cluster.node_of("q"), "a");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_goes_between_decision_and_binding_keeps_its_pods() {
    let cluster = start([node("a", "4")]);
    cluster.delay("create pods/binding", Duration::from_secs(1));
    cluster.put(pod("p", "3", 0));
    after(500).await;
    cluster.remove("nodes", "a");
    after(1_000).await;
    assert_eq!(
        cluster.node_of("p"),
        "a",
        "as upstream: the API does not ask for the node"
    );
    cluster.put(pod("q", "3", 0));
    after(500).await;
    assert_eq!(
        cluster.condition("q", "PodScheduled"),
        "False Unschedulable: no nodes available to schedule pods"
    );
    // When it comes back its pod is still there.
    cluster.put(node("a", "4"));
    after(20_000).await;
    assert_eq!(cluster.condition("q", "PodScheduled"), NO_ROOM);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_while_it_waits_is_forgotten() {
    let cluster = start([node("a", "4"), runs("busy", "2", 0), pod("p", "3", 0)]);
    after(1_000).await;
    assert_eq!(cluster.condition("p", "PodScheduled"), NO_ROOM);
    cluster.remove("pods", "p");
    cluster.requests();
    cluster.put(node("a", "8"));
    after(700_000).await;
    assert_eq!(cluster.requests(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_being_deleted_is_not_placed_any_more() {
    let cluster = start([node("a", "4"), runs("busy", "2", 0)]);
    cluster.put(pod("p", "3", 0));
    after(1_000).await;
    let mut going = cluster.pod("p").expect("a pod");
    let time = "2030-01-01T00:00:00Z";
    meta::set(&mut going, &["metadata", "deletionTimestamp"], time);
    cluster.put(going);
    cluster.requests();
    cluster.remove("pods", "busy");
    after(20_000).await;
    assert_eq!(cluster.requests(), [""; 0]);
    let events = cluster.events();
    let skipped = events
        .iter()
        .filter(|e| e["note"] == "skip schedule deleting pod: n/p");
    assert_eq!(skipped.count(), 1, "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn without_nodes_a_pod_is_tried_later_and_later() {
    let cluster = start([pod("p", "1", 0)]);
    // Tried after 0, 1, 3, 7, 15, 25 … seconds; each time an event, but the condition once.
    after(16_000).await;
    assert_eq!(cluster.requests(), ["patch pods/status p"]);
    let events = cluster.events();
    let counts: Vec<_> = events.iter().map(|e| &e["series"]["count"]).collect();
    // The first is of the pod as it was before its condition was written.
    assert_eq!(counts, [&json!(null), &json!(2)], "{events:?}");
    cluster.put(node("a", "4"));
    after(10_000).await;
    assert_eq!(cluster.node_of("p"), "a");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_is_tried_again() {
    let cluster = start([node("a", "4"), runs("busy", "2", 0)]);
    cluster.fail("patch pods/status", Status::internal("broken"));
    cluster.put(pod("p", "3", 0));
    after(500).await;
    assert_eq!(cluster.condition("p", "PodScheduled"), " : ");
    after(1_500).await;
    assert_eq!(cluster.condition("p", "PodScheduled"), NO_ROOM);
    // From then on it waits for a change.
    cluster.requests();
    after(60_000).await;
    assert_eq!(cluster.requests(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_gated_or_not_ours_is_left_alone() {
    let mut gated = pod("gated", "1", 0);
    meta::set(
        &mut gated,
        &["spec", "schedulingGates"],
        json!([{ "name": "g" }]),
    );
    let mut other = pod("other", "1", 0);
    meta::set(&mut other, &["spec", "schedulerName"], "mine");
    let cluster = start([node("a", "4"), gated, other]);
    after(700_000).await;
    assert_eq!(cluster.requests(), [""; 0]);
    assert!(cluster.events().is_empty());
    cluster.put(pod("gated", "1", 0));
    after(1_000).await;
    assert_eq!(cluster.node_of("gated"), "a");
}

/// A pod that runs on node `a`.
fn runs(name: &str, cpu: &str, priority: i64) -> model::Value {
    let mut pod = pod(name, cpu, priority);
    meta::set(&mut pod, &["spec", "nodeName"], "a");
    pod
}

#[tokio::test(start_paused = true)]
async fn the_last_victim_goes_when_the_others_are_going() {
    let victims = ["v1", "v2", "v3"].map(|name| runs(name, "1", 0));
    let cluster = start([node("a", "3")].into_iter().chain(victims));
    cluster.delay("delete pods", Duration::from_secs(1));
    cluster.put(pod("p", "3", 9));
    after(1_500).await;
    let mut requests = cluster.requests();
    assert_eq!(requests.remove(0), "patch pods/status p");
    let deleted: Vec<_> = requests
        .iter()
        .filter(|r| r.starts_with("delete"))
        .collect();
    assert_eq!(deleted, ["delete pods v1", "delete pods v2"]);
    after(1_000).await;
    let pod = cluster.pod("p").expect("a pod");
    assert_eq!(pod["status"]["nominatedNodeName"], "a");
    for name in ["v1", "v2", "v3"] {
        assert_eq!(
            cluster.condition(name, "DisruptionTarget"),
            "True PreemptionByScheduler: default-scheduler: preempting to accommodate a higher \
             priority pod"
        );
    }
    let events = cluster.events();
    let preempted: Vec<_> = events
        .iter()
        .filter(|e| e["reason"] == "Preempted")
        .collect();
    assert_eq!(preempted.len(), 3);
    for event in preempted {
        assert_eq!(event["note"], "Preempted by pod p on node a");
        assert_eq!(event["related"]["name"], "p");
        assert_eq!(event["action"], "Preempting");
    }
    for name in ["v1", "v2", "v3"] {
        cluster.remove("pods", name);
    }
    after(20_000).await;
    assert_eq!(cluster.node_of("p"), "a");
}

#[tokio::test(start_paused = true)]
async fn a_nomination_outlives_a_restart() {
    let mut victim = runs("v", "4", 0);
    meta::set(
        &mut victim,
        &["metadata", "deletionTimestamp"],
        "2030-01-01T00:00:00Z",
    );
    let condition = json!([{
        "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
    }]);
    meta::set(&mut victim, &["status", "conditions"], condition);
    let mut nominated = pod("nominated", "4", 9);
    meta::set(&mut nominated, &["status", "nominatedNodeName"], "a");
    let cluster = start([node("a", "4"), victim, nominated, pod("humble", "4", 1)]);
    after(1_000).await;
    let why = cluster.condition("nominated", "PodScheduled");
    assert!(
        why.contains("not eligible due to a terminating pod on the nominated node"),
        "{why}"
    );
    let deleted = cluster.requests();
    assert!(
        !deleted.iter().any(|r| r.starts_with("delete")),
        "{deleted:?}"
    );
    cluster.remove("pods", "v");
    after(20_000).await;
    assert_eq!(cluster.node_of("nominated"), "a");
    assert_eq!(cluster.node_of("humble"), "");
}

#[tokio::test(start_paused = true)]
async fn who_is_displaced_or_freed_of_a_nominated_pod_is_tried_again() {
    let mut victim = runs("v", "4", 0);
    meta::set(
        &mut victim,
        &["metadata", "finalizers"],
        json!(["example.com/look"]),
    );
    let cluster = start([node("a", "4"), victim]);
    cluster.put(pod("low", "4", 5));
    after(20_000).await;
    let low = cluster.pod("low").expect("a pod");
    assert_eq!(low["status"]["nominatedNodeName"], "a");
    cluster.put(pod("high", "4", 9));
    after(20_000).await;
    let high = cluster.pod("high").expect("a pod");
    assert_eq!(high["status"]["nominatedNodeName"], "a");
    let low = cluster.pod("low").expect("a pod");
    assert!(meta::text(&low, &["status", "nominatedNodeName"]).is_empty());
    assert_eq!(
        cluster.condition("low", "PodScheduled"),
        "False Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes \
         are available: 1 Insufficient cpu."
    );
    // With the nominated pod goes what kept the humble one.
    cluster.remove("pods", "high");
    after(20_000).await;
    let low = cluster.pod("low").expect("a pod");
    assert_eq!(low["status"]["nominatedNodeName"], "a");
}

#[tokio::test(start_paused = true)]
async fn many_that_fit_nowhere_do_not_keep_others_waiting() {
    let many = (0..2_000).map(|n| pod(&format!("big-{n}"), "9", 0));
    let cluster = start([node("a", "4")].into_iter().chain(many));
    cluster.delay("patch pods/status", Duration::from_millis(50));
    after(2_000).await;
    cluster.put(pod("small", "1", 0));
    after(100).await;
    assert_eq!(cluster.node_of("small"), "a");
}
