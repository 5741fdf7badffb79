//! Pods whose claims get their volumes with their node.

use super::{FakeCluster, node, pod, start};
use model::status::Status;
use model::{Value, meta};
use serde_json::json;
use std::time::Duration;

async fn after(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn class(provisioner: &str) -> Value {
    json!({
        "kind": "StorageClass", "metadata": { "name": "late" },
        "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn claim(name: &str, annotations: Value, volume: &str) -> Value {
    json!({
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name, "namespace": "n", "uid": name, "annotations": annotations,
        },
        "spec": {
            "storageClassName": "late", "accessModes": ["ReadWriteOnce"], "volumeName": volume,
            "resources": { "requests": { "storage": "1Gi" } },
        },
        "status": { "phase": "Pending" },
    })
}

fn bound(name: &str, volume: &str, mut annotations: Value) -> Value {
    annotations["pv.kubernetes.io/bind-completed"] = "yes".into();
    claim(name, annotations, volume)
}

fn volume(name: &str, on: &str) -> Value {
    json!({
        "kind": "PersistentVolume",
        "metadata": { "name": name, "uid": name },
        "spec": {
            "storageClassName": "late", "accessModes": ["ReadWriteOnce"],
            "capacity": { "storage": "1Gi" },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{ "matchExpressions": [
                { "key": "kubernetes.io/hostname", "operator": "In", "values": [on] },
            ] }] } },
        },
        "status": { "phase": "Available" },
    })
}

fn user(name: &str, claim: &str) -> Value {
    let mut pod = pod(name, "1", 0);
    let volumes = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": claim } }]);
    meta::set(&mut pod, &["spec", "volumes"], volumes);
    pod
}

fn none() -> Value {
    json!({})
}

const BY_HAND: &str = "kubernetes.io/no-provisioner";

fn volumes_are_there(cluster: &FakeCluster) {
    cluster.put(volume("here", "b"));
    cluster.put(claim("data", none(), ""));
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_promised_and_awaited_before_the_pod_is_bound() {
    let cluster = start([node("a", "4"), node("b", "4"), class(BY_HAND)]);
    volumes_are_there(&cluster);
    cluster.put(user("p", "data"));
    after(60_000).await;
    assert_eq!(cluster.node_of("p"), "");
    assert_eq!(cluster.requests(), ["patch persistentvolumes here"]);
    let volume = cluster.object("persistentvolumes", "", "here");
    assert_eq!(volume["spec"]["claimRef"]["name"], "data");
    assert_eq!(volume["spec"]["claimRef"]["uid"], "data");
    let yes = json!({ "pv.kubernetes.io/bound-by-controller": "yes" });
    assert_eq!(volume["metadata"]["annotations"], yes);
    // The binder of claims does the rest.
    cluster.put(bound("data", "here", none()));
    after(10).await;
    assert_eq!(cluster.node_of("p"), "b");
}

#[tokio::test(start_paused = true)]
async fn a_volume_whose_promise_is_on_the_way_is_no_other_pods() {
    let cluster = start([node("a", "4"), node("b", "4"), class(BY_HAND)]);
    cluster.delay("patch persistentvolumes", Duration::from_secs(5));
    volumes_are_there(&cluster);
    cluster.put(claim("more", none(), ""));
    cluster.put(user("p", "data"));
    after(10).await;
    cluster.put(user("q", "more"));
    after(1_000).await;
    assert_eq!(
        cluster.condition("q", "PodScheduled"),
        "False Unschedulable: 0/2 nodes are available: 2 node(s) didn't find available persistent \
         volumes to bind. preemption: 0/2 nodes are available: 2 Preemption is not helpful for \
         scheduling."
    );
    after(10_000).await;
    let requests = cluster.requests();
    let promises = requests.iter().filter(|r| r.contains("persistentvolumes"));
    assert_eq!(promises.count(), 1, "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_promise_that_fails_is_made_again() {
    let cluster = start([node("b", "4"), class(BY_HAND)]);
    let conflict = Status::conflict("", "persistentvolumes", "here", "changed");
    let message = conflict.message.clone();
    cluster.fail("patch persistentvolumes", conflict);
    volumes_are_there(&cluster);
    cluster.put(user("p", "data"));
    after(500).await;
    assert_eq!(
        cluster.condition("p", "PodScheduled"),
        format!("False SchedulerError: running PreBind plugin \"VolumeBinding\": {message}")
    );
    after(20_000).await;
    cluster.put(bound("data", "here", none()));
    after(10).await;
    assert_eq!(cluster.node_of("p"), "b");
}

#[tokio::test(start_paused = true)]
async fn a_volume_is_asked_for_on_the_chosen_node() {
    let cluster = start([node("a", "4"), class("disk.example.com")]);
    cluster.put(claim("data", none(), ""));
    cluster.put(user("p", "data"));
    after(60_000).await;
    assert_eq!(cluster.node_of("p"), "");
    assert_eq!(cluster.requests(), ["patch persistentvolumeclaims data"]);
    let here = json!({ "volume.kubernetes.io/selected-node": "a" });
    let asked = cluster.object("persistentvolumeclaims", "n", "data");
    assert_eq!(asked["metadata"]["annotations"], here);
    // Whoever makes volumes cannot make one there, and takes the node back.
    cluster.put(claim("data", none(), ""));
    after(500).await;
    assert_eq!(
        cluster.condition("p", "PodScheduled"),
        "False SchedulerError: running PreBind plugin \"VolumeBinding\": binding volumes: \
         provisioning failed for PVC \"data\""
    );
    // It is tried again, and this time there comes one.
    after(20_000).await;
    cluster.put(volume("made", "a"));
    cluster.put(bound("data", "made", here));
    after(10).await;
    assert_eq!(cluster.node_of("p"), "a");
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let cluster = start([node("b", "4"), class(BY_HAND)]);
    volumes_are_there(&cluster);
    cluster.put(user("p", "data"));
    after(599_000).await;
    assert_eq!(cluster.condition("p", "PodScheduled"), " : ");
    after(1_500).await;
    assert_eq!(
        cluster.condition("p", "PodScheduled"),
        "False SchedulerError: running PreBind plugin \"VolumeBinding\": binding volumes: context \
         deadline exceeded"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_goes_while_it_waits_for_volumes_leaves_its_room() {
    let cluster = start([node("b", "1"), class(BY_HAND)]);
    volumes_are_there(&cluster);
    cluster.put(user("p", "data"));
    after(1_000).await;
    cluster.put(pod("q", "1", 0));
    after(1_000).await;
    assert_eq!(cluster.node_of("q"), "");
    cluster.remove("pods", "p");
    after(20_000).await;
    assert_eq!(cluster.node_of("q"), "b");
}
