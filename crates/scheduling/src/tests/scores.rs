use super::{World, busy, labelled, node, pod};
use crate::Placement;
use model::Value;
use serde_json::json;

fn score(placement: &Placement, plugin: &str) -> Option<i64> {
    let found = placement.scores.iter().find(|score| score.plugin == plugin);
    found.map(|score| score.score)
}

#[test]
fn the_emptier_and_more_even_node_wins() {
    let mut world = World::of(&[node("a", json!({})), node("b", json!({}))]);
    world.run(&busy("there", "2", 0), "a");
    let placed = world.try_place(&busy("p", "1", 0)).unwrap();
    assert_eq!(placed.node, "b");
    // CPU: (4000 - 1000) / 4000; memory: 200Mi of 8Gi are taken as its request.
    assert_eq!(score(&placed, "NodeResourcesFit"), Some((75 + 97) / 2));
    // CPU a quarter, memory nothing: the deviation is an eighth.
    assert_eq!(score(&placed, "NodeResourcesBalancedAllocation"), Some(87));
    let nothing = world.try_place(&pod("q", json!({}))).unwrap();
    assert_eq!(score(&nothing, "NodeResourcesBalancedAllocation"), None);
}

#[test]
fn preferences_count_with_their_weights() {
    let tainted = json!({ "spec": { "taints": [
        { "key": "k", "value": "", "effect": "PreferNoSchedule" },
    ] } });
    let mut world = World::of(&[node("a", tainted), node("b", json!({}))]);
    let placed = world.try_place(&pod("p", json!({}))).unwrap();
    assert_eq!(
        (placed.node.as_str(), score(&placed, "TaintToleration")),
        ("b", Some(100))
    );
    let weighs: i64 = placed.scores.iter().map(|s| s.weight).sum();
    assert_eq!(weighs, 3 + 1, "plugins without a say are left out");
    let prefers = |weight: i64, name: &str| {
        json!({ "weight": weight, "preference": { "matchExpressions": [
            { "key": "kubernetes.io/hostname", "operator": "In", "values": [name] },
        ] } })
    };
    let pod = pod(
        "p",
        json!({ "spec": { "tolerations": [{ "operator": "Exists" }], "affinity": { "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [prefers(10, "a"), prefers(9, "b")],
        } } } }),
    );
    let placed = world.try_place(&pod).unwrap();
    assert_eq!(
        (placed.node.as_str(), score(&placed, "NodeAffinity")),
        ("a", Some(100))
    );
}

#[test]
fn soft_spread_prefers_the_domain_with_fewer() {
    let zoned = |name: &str, zone: &str| {
        node(
            name,
            json!({ "metadata": { "labels": { "topology.kubernetes.io/zone": zone } } }),
        )
    };
    let mut world = World::of(&[zoned("a", "1"), zoned("b", "1"), zoned("c", "2")]);
    let web = |name: &str, extra: Value| {
        let mut pod = pod(name, json!({ "metadata": { "labels": { "app": "web" } } }));
        super::merge(&mut pod, extra);
        pod
    };
    world.run(&web("one", json!({})), "a");
    world.run(&pod("other", json!({})), "c");
    let soft = json!({ "spec": { "topologySpreadConstraints": [{
        "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": { "matchLabels": { "app": "web" } },
    }] } });
    let placed = world.try_place(&web("p", soft)).unwrap();
    assert_eq!(
        (placed.node.as_str(), score(&placed, "PodTopologySpread")),
        ("c", Some(100))
    );
    // Without constraints of its own a pod of a Service is spread over zones and nodes.
    let plain = world.try_place(&web("q", json!({}))).unwrap();
    assert_eq!(score(&plain, "PodTopologySpread"), None);
    world.engine.cluster.set_service(&json!({
        "metadata": { "name": "s", "namespace": "default" },
        "spec": { "selector": { "app": "web" } },
    }));
    let placed = world.try_place(&web("q", json!({}))).unwrap();
    assert_eq!(
        (placed.node.as_str(), score(&placed, "PodTopologySpread")),
        ("c", Some(100))
    );
}

#[test]
fn nodes_without_a_zone_are_a_domain_of_their_own_by_default() {
    let zoned = |name: &str, labels: Value| node(name, json!({ "metadata": { "labels": labels } }));
    let mut world = World::of(&[
        zoned("a", json!({ "topology.kubernetes.io/zone": "1" })),
        zoned("b", json!({ "topology.kubernetes.io/zone": "2" })),
        zoned("c", json!({})),
    ]);
    world.engine.cluster.set_service(&json!({
        "metadata": { "name": "s", "namespace": "default" },
        "spec": { "selector": { "app": "web" } },
    }));
    for number in 0..4 {
        world.run(
            &labelled(pod(&format!("web{number}"), json!({})), "web"),
            "a",
        );
    }
    let info = crate::PodInfo::new(&labelled(pod("p", json!({})), "web"));
    // Before normalisation `a` has 4 ln 5 + 2 for its name and 4 ln 5 + 4 for one zone of three,
    // which is 19, `b` has 6 and `c` 2.
    let expected = [("a", 10), ("b", 78), ("c", 100)];
    for verdict in world.engine.evaluate(&info) {
        let scores = verdict.result.unwrap();
        let spread = scores.iter().find(|s| s.plugin == "PodTopologySpread");
        let found = (verdict.node.as_str(), spread.map_or(0, |s| s.score));
        assert!(expected.contains(&found), "{found:?}");
    }
}

#[test]
fn pods_draw_and_repel_each_other() {
    let mut world = World::of(&[node("a", json!({})), node("b", json!({}))]);
    let term = json!({ "topologyKey": "kubernetes.io/hostname",
        "labelSelector": { "matchLabels": { "app": "web" } } });
    let prefers = |kind: &str| {
        pod(
            "p",
            json!({ "spec": { "affinity": { kind: {
            "preferredDuringSchedulingIgnoredDuringExecution":
                [{ "weight": 100, "podAffinityTerm": term }],
        } } } }),
        )
    };
    let web = pod("web", json!({ "metadata": { "labels": { "app": "web" } } }));
    world.run(&web, "a");
    world.run(&pod("other", json!({})), "b");
    assert_eq!(world.place(&prefers("podAffinity")), "a");
    assert_eq!(world.place(&prefers("podAntiAffinity")), "b");
    // What runs has preferences as well, and required affinity draws others like it.
    let mut lonely = prefers("podAntiAffinity");
    super::merge(
        &mut lonely,
        json!({ "metadata": { "name": "lonely", "uid": "lonely" } }),
    );
    world.engine.cluster.remove_pod(&crate::PodKey::of(&web));
    world.run(&lonely, "a");
    assert_eq!(world.place(&web), "b");
}

#[test]
fn images_that_are_there_save_time() {
    let with = |name: &str, size: i64| {
        node(
            name,
            json!({ "status": { "images": [
            { "names": ["big:latest"], "sizeBytes": size },
        ] } }),
        )
    };
    let mut world = World::of(&[node("a", json!({})), with("b", 1_048_576_000)]);
    let pod = pod(
        "p",
        json!({ "spec": { "containers": [{ "image": "big" }] } }),
    );
    let placed = world.try_place(&pod).unwrap();
    // Half of the nodes have it, so that half of its size counts.
    assert_eq!(
        (placed.node.as_str(), score(&placed, "ImageLocality")),
        ("b", Some(100 * (500 - 23) / (1000 - 23)))
    );
    // An image is as large everywhere as the first node said that had it.
    let mut world = World::of(&[with("a", 524_288_000), with("b", 1_048_576_000)]);
    let placed = world.try_place(&pod).unwrap();
    let expected = Some(100 * (500 - 23) / (1000 - 23));
    assert_eq!(score(&placed, "ImageLocality"), expected, "{}", placed.node);
}

#[test]
fn equals_are_chosen_by_the_seed_alone() {
    let nodes: Vec<Value> = (0..8).map(|i| node(&format!("n{i}"), json!({}))).collect();
    let run = |seed: u64| -> Vec<String> {
        let mut world = World::of(&nodes);
        world.engine.random = crate::random::Random::new(seed);
        (0..20)
            .map(|i| {
                let pod = busy(&format!("p{i}"), "100m", 0);
                let node = world.place(&pod);
                world.run(&pod, &node);
                node
            })
            .collect()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
