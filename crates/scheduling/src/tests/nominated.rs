//! Pods that wait for a node which preemption makes room on.

use super::{World, busy, labelled, merge, node, pod};
use crate::PodInfo;
use model::Value;
use serde_json::json;
use std::sync::Arc;

fn two() -> [Value; 2] {
    ["a", "b"].map(|name| node(name, json!({})))
}

fn nominate(world: &mut World, pod: &Value, node: &str) {
    let info = Arc::new(PodInfo::new(pod));
    world.engine.cluster.nominate(&info, node);
}

#[test]
fn nominated_pods_keep_their_room() {
    let mut world = World::of(&two()[..1]);
    let waiting = std::sync::Arc::new(crate::PodInfo::new(&busy("waiting", "3", 10)));
    world.engine.cluster.nominate(&waiting, "a");
    assert!(world.try_place(&busy("same", "2", 10)).is_err());
    assert!(world.try_place(&busy("small", "1", 0)).is_ok());
    assert_eq!(world.place(&busy("more", "2", 11)), "a");
    assert_eq!(
        world.place(&busy("waiting", "3", 10)),
        "a",
        "the pod itself"
    );
    let key = waiting.key.clone();
    world.engine.cluster.denominate(&key);
    assert!(world.try_place(&busy("same", "2", 10)).is_ok());
}

#[test]
fn nominated_pods_raise_the_least_count_of_their_domain() {
    let zoned = |name: &str| node(name, json!({ "metadata": { "labels": { "zone": name } } }));
    let mut world = World::of(&[zoned("a"), zoned("b")]);
    world.run(&labelled(pod("there", json!({})), "web"), "b");
    let coming = crate::PodInfo::new(&labelled(busy("coming", "1", 5), "web"));
    world
        .engine
        .cluster
        .nominate(&std::sync::Arc::new(coming), "a");
    let mut wants = labelled(busy("p", "1", 0), "web");
    wants["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } },
    }]);
    assert_eq!(world.place(&wants), "a");
}

#[test]
fn spread_counts_whoever_waits_even_where_it_counts_nobody() {
    let mut world = World::of(&two());
    world.run(&labelled(pod("there", json!({})), "web"), "a");
    world.run(&labelled(pod("there-too", json!({})), "web"), "a");
    let mut wants = labelled(pod("p", json!({})), "web");
    wants["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {},
    }]);
    assert!(
        world
            .try_place(&wants)
            .is_ok_and(|placed| placed.feasible == 2)
    );
    nominate(&mut world, &busy("coming", "1", 5), "a");
    let placed = world.try_place(&wants).unwrap();
    assert_eq!((placed.node.as_str(), placed.feasible), ("b", 1));
}

#[test]
fn what_waits_repels_only_those_that_look_at_affinity() {
    let repelling = |name: &str| {
        pod(
            name,
            json!({ "spec": { "priority": 5, "affinity": { "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": { "matchLabels": { "app": "web" } },
                }],
            } } } }),
        )
    };
    let mut world = World::of(&two());
    nominate(&mut world, &repelling("coming"), "a");
    let web = labelled(pod("p", json!({})), "web");
    assert_eq!(world.try_place(&web).unwrap().feasible, 2);
    // Once one that runs anywhere repels the pod, those that wait do so as well.
    world.run(&repelling("there"), "b");
    assert_eq!(
        world.place(&web),
        "0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity rules."
    );
}

#[test]
fn what_the_nominated_node_lacks_is_told_where_others_are_named() {
    let tainted = json!({ "spec": { "taints": [{ "key": "k", "effect": "NoSchedule" }] } });
    let mut world = World::of(&[
        node("a", json!({})),
        node("b", tainted),
        node("c", json!({})),
    ]);
    world.run(&busy("there", "4", 0), "a");
    let mut wants = busy("p", "1", 0);
    merge(
        &mut wants,
        json!({ "spec": { "affinity": { "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{
                "matchFields": [{ "key": "metadata.name", "operator": "In", "values": ["a"] }],
            }] },
        } } } }),
    );
    assert_eq!(
        world.place(&wants),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) \
         [NodeAffinity]."
    );
    merge(
        &mut wants,
        json!({ "status": { "nominatedNodeName": "b" } }),
    );
    assert_eq!(
        world.place(&wants),
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) \
         [NodeAffinity TaintToleration], 1 node(s) had untolerated taint {k: }."
    );
}
