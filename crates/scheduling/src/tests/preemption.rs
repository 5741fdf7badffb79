use super::{World, busy, labelled, merge, node, pod};
use crate::Preemption;
use model::Value;
use serde_json::json;

fn names(plan: &Preemption) -> Vec<&str> {
    plan.victims
        .iter()
        .map(|pod| pod.key.name.as_str())
        .collect()
}

fn two() -> Vec<Value> {
    vec![node("a", json!({})), node("b", json!({}))]
}

fn started(mut pod: Value, time: &str) -> Value {
    merge(&mut pod, json!({ "status": { "startTime": time } }));
    pod
}

#[test]
fn only_as_many_go_as_must_and_the_least_important() {
    let mut world = World::of(&two()[..1]);
    world.run(&busy("low", "1", 1), "a");
    world.run(&busy("lower", "1", 0), "a");
    world.run(&busy("middle", "1", 5), "a");
    world.run(&busy("equal", "1", 10), "a");
    assert_eq!(
        names(&world.preempt(&busy("p", "1", 10)).unwrap()),
        ["lower"]
    );
    assert_eq!(
        names(&world.preempt(&busy("p", "2", 10)).unwrap()),
        ["low", "lower"]
    );
    assert_eq!(
        world.preempt(&busy("p", "4", 10)).unwrap_err(),
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 \
         Insufficient cpu."
    );
    assert_eq!(
        world.preempt(&busy("p", "1", 0)).unwrap_err(),
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No \
         preemption victims found for incoming pod."
    );
}

#[test]
fn candidates_are_compared_in_upstreams_order() {
    // By node: what runs there. The expected node is `b`.
    let cases: [(&str, Vec<Value>, Vec<Value>); 5] = [
        (
            "the lower of the highest priorities",
            vec![busy("a1", "4", 5)],
            vec![busy("b1", "2", 4), busy("b2", "2", 4)],
        ),
        (
            "the smaller sum",
            vec![busy("a1", "2", 5), busy("a2", "2", 4)],
            vec![busy("b1", "2", 5), busy("b2", "2", 3)],
        ),
        (
            "fewer, however low their priorities are",
            vec![busy("a1", "2", -5), busy("a2", "2", -5)],
            vec![busy("b1", "4", -5)],
        ),
        (
            "who started later",
            vec![started(busy("a1", "4", 5), "2024-01-01T00:00:00Z")],
            vec![started(busy("b1", "4", 5), "2024-01-02T00:00:00Z")],
        ),
        (
            "one that has not started is the latest",
            vec![started(busy("a1", "4", 5), "2024-01-01T00:00:00Z")],
            vec![busy("b1", "4", 5)],
        ),
    ];
    for (why, on_a, on_b) in cases {
        let mut world = World::of(&two());
        on_a.iter().for_each(|pod| drop(world.run(pod, "a")));
        on_b.iter().for_each(|pod| drop(world.run(pod, "b")));
        assert_eq!(
            world.preempt(&busy("p", "4", 10)).unwrap().node,
            "b",
            "{why}"
        );
    }
}

#[test]
fn budgets_are_kept_where_possible() {
    let budget = |allowed: i64, disrupted: Value| {
        json!({
            "metadata": { "name": "b", "namespace": "default" },
            "spec": { "selector": { "matchLabels": { "app": "web" } } },
            "status": { "disruptionsAllowed": allowed, "disruptedPods": disrupted },
        })
    };
    let mut world = World::of(&two());
    world.run(&labelled(busy("web", "4", 0), "web"), "a");
    world.run(&labelled(busy("db", "4", 5), "db"), "b");
    let wants = busy("p", "4", 10);
    assert_eq!(world.preempt(&wants).unwrap().node, "a");
    world.engine.set_budget(&budget(0, json!({})));
    let plan = world.preempt(&wants).unwrap();
    assert_eq!((plan.node.as_str(), plan.violations), ("b", 0));
    world
        .engine
        .set_budget(&budget(0, json!({ "web": "2024-01-01T00:00:00Z" })));
    assert_eq!(world.preempt(&wants).unwrap().node, "a", "counted already");
    world.engine.set_budget(&budget(1, json!({})));
    assert_eq!(world.preempt(&wants).unwrap().node, "a", "one may go");
    // Where nothing else helps, the budget is broken.
    world.engine.set_budget(&budget(0, json!({})));
    world.engine.cluster.remove_node("b");
    let plan = world.preempt(&wants).unwrap();
    assert_eq!((plan.node.as_str(), plan.violations), ("a", 1));
    // A pod that a budget protects is spared before a more important one.
    let mut world = World::of(&two()[..1]);
    world.engine.set_budget(&budget(0, json!({})));
    world.run(&labelled(busy("web", "2", 0), "web"), "a");
    world.run(&busy("important", "2", 5), "a");
    assert_eq!(
        names(&world.preempt(&busy("p", "2", 10)).unwrap()),
        ["important"]
    );
}

#[test]
fn where_it_cannot_help_it_is_not_tried() {
    let taints =
        json!({ "spec": { "taints": [{ "key": "k", "value": "v", "effect": "NoSchedule" }] } });
    let mut world = World::of(&[
        node("a", json!({})),
        node("b", taints.clone()),
        node("c", taints),
    ]);
    for name in ["a", "b", "c"] {
        world.run(&busy(&format!("on-{name}"), "4", 10), name);
    }
    assert_eq!(
        world.preempt(&busy("p", "1", 10)).unwrap_err(),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. \
         preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 \
         Preemption is not helpful for scheduling."
    );
    // More than a whole node has is tried all the same.
    assert_eq!(
        world.preempt(&busy("p", "5", 20)).unwrap_err(),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. \
         preemption: 0/3 nodes are available: 1 Insufficient cpu, 2 Preemption is not helpful for \
         scheduling."
    );
    let mut never = busy("p", "1", 20);
    merge(
        &mut never,
        json!({ "spec": { "preemptionPolicy": "Never" } }),
    );
    assert_eq!(
        world.preempt(&never).unwrap_err(),
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {k: v}. \
         preemption: not eligible due to preemptionPolicy=Never."
    );
}

#[test]
fn nobody_preempts_twice_while_victims_are_ending() {
    let mut world = World::of(&two()[..1]);
    let mut ending = busy("low", "4", 0);
    merge(
        &mut ending,
        json!({ "metadata": { "deletionTimestamp": "2024-01-01T00:00:00Z" }, "status": { "conditions": [
            { "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler" },
        ] } }),
    );
    world.run(&ending, "a");
    let mut waiting = busy("p", "4", 10);
    merge(
        &mut waiting,
        json!({ "status": { "nominatedNodeName": "a" } }),
    );
    assert_eq!(
        world.preempt(&waiting).unwrap_err(),
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating \
         pod on the nominated node."
    );
}

#[test]
fn anti_affinity_and_spread_are_resolved_by_going() {
    let mut world = World::of(&two()[..1]);
    let term = json!({ "affinity": { "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [{
            "topologyKey": "kubernetes.io/hostname",
            "labelSelector": { "matchLabels": { "app": "web" } },
        }],
    } } });
    world.run(&labelled(busy("web", "1", 0), "web"), "a");
    world.run(&busy("other", "1", 0), "a");
    let wants = pod(
        "p",
        json!({ "spec": { "priority": 5, "affinity": term["affinity"] } }),
    );
    assert_eq!(names(&world.preempt(&wants).unwrap()), ["web"]);
}

#[test]
fn the_last_of_its_kind_goes_for_the_first() {
    let mut world = World::of(&two()[..1]);
    world.run(&labelled(busy("old", "4", 0), "web"), "a");
    let near = |key: &str| json!({ "topologyKey": key, "labelSelector": { "matchLabels": { "app": "web" } } });
    let mut wants = labelled(busy("p", "4", 5), "web");
    wants["spec"]["affinity"]["podAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution":
            [near("kubernetes.io/hostname"), near("kubernetes.io/hostname")],
    });
    // Both terms mean the pod that goes; without it nothing is left that they could mean.
    assert_eq!(names(&world.preempt(&wants).unwrap()), ["old"]);
}

#[test]
fn a_pod_that_is_going_counts_for_spread_when_taken_off() {
    let zoned = |name: &str| node(name, json!({ "metadata": { "labels": { "zone": name } } }));
    let mut cordoned = zoned("b");
    merge(&mut cordoned, json!({ "spec": { "unschedulable": true } }));
    let mut world = World::of(&[zoned("a"), cordoned]);
    for name in ["one", "two"] {
        world.run(&labelled(busy(name, "1", 9), "web"), "a");
    }
    let mut going = labelled(busy("going", "1", 0), "web");
    merge(
        &mut going,
        json!({ "metadata": { "deletionTimestamp": "2024-01-01T00:00:00Z" } }),
    );
    world.run(&going, "a");
    let mut wants = labelled(busy("p", "1", 5), "web");
    wants["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } },
    }]);
    // Without it upstream takes one web pod for gone, which it had not counted.
    assert_eq!(names(&world.preempt(&wants).unwrap()), ["going"]);
}

#[test]
fn of_many_candidates_a_tenth_and_no_fewer_than_a_hundred_are_compared() {
    let names: Vec<String> = (0..120).map(|number| format!("n{number}")).collect();
    let nodes: Vec<Value> = names.iter().map(|name| node(name, json!({}))).collect();
    for is_protected in [false, true] {
        let mut world = World::of(&nodes);
        for name in &names {
            world.run(&labelled(busy(&format!("on-{name}"), "4", 0), "web"), name);
        }
        if is_protected {
            world.engine.set_budget(&json!({
                "metadata": { "name": "b", "namespace": "default" },
                "spec": { "selector": { "matchLabels": { "app": "web" } } },
                "status": { "disruptionsAllowed": 0 },
            }));
        }
        let plan = world.preempt(&busy("p", "4", 5)).unwrap();
        let expected = (100, usize::from(is_protected));
        assert_eq!((plan.candidates, plan.violations), expected);
    }
}
