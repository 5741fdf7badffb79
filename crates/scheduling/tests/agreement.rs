//! The engine against the slow model, against itself built anew, and what no preemption may do.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use model::{Value, meta};
use proptest::prelude::*;
use reference_models::scheduling::Cluster;
use scheduling::{Engine, NodeInfo, PodInfo, PodKey};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What happens to a cluster.
#[derive(Debug, Clone)]
enum Step {
    Node(u8, [u8; 4]),
    NodeGone(u8),
    Pod(u8, u8, [u8; 9]),
    PodGone(u8),
    /// A question, after which the engine keeps counts.
    Ask([u8; 9]),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..5_u8, any::<[u8; 4]>()).prop_map(|(n, shape)| Step::Node(n, shape)),
        1 => (0..5_u8).prop_map(Step::NodeGone),
        6 => (0..12_u8, 0..5_u8, any::<[u8; 9]>()).prop_map(|(p, n, shape)| Step::Pod(p, n, shape)),
        2 => (0..12_u8).prop_map(Step::PodGone),
        2 => any::<[u8; 9]>().prop_map(Step::Ask),
    ]
}

fn node(number: u8, [zone, taint, cpu, cordon]: [u8; 4]) -> Value {
    let name = format!("n{number}");
    let mut labels = json!({ "host": name });
    if zone % 4 != 0 {
        labels["zone"] = format!("z{}", zone % 4).into();
    }
    let taints = match taint % 4 {
        0 => json!([{ "key": "k", "value": "v", "effect": "NoSchedule" }]),
        1 => json!([{ "key": "k", "value": "v", "effect": "PreferNoSchedule" }]),
        _ => json!([]),
    };
    json!({
        "metadata": { "name": name, "labels": labels },
        "spec": { "taints": taints, "unschedulable": cordon.is_multiple_of(8) },
        "status": { "allocatable": {
            "cpu": (cpu % 4 + 1).to_string(), "memory": "4Gi", "pods": "5", "example.com/gpu": "1",
        } },
    })
}

fn app(number: u8) -> Json {
    json!({ "matchLabels": { "app": format!("a{}", number % 3) } })
}

fn term(shape: u8) -> Json {
    let mut term = json!({
        "topologyKey": if shape.is_multiple_of(2) { "zone" } else { "host" },
        "labelSelector": app(shape / 2),
    });
    match shape / 8 % 4 {
        0 => term["namespaces"] = json!(["x", "y"]),
        1 => term["namespaceSelector"] = json!({ "matchLabels": { "team": "t" } }),
        _ => {}
    }
    term
}

fn pod(name: &str, [a, b, c, d, e, f, g, h, i]: [u8; 9]) -> Value {
    let requests = match a % 4 {
        0 => json!({}),
        1 => json!({ "cpu": "500m" }),
        2 => json!({ "cpu": "1", "memory": "1Gi" }),
        _ => json!({ "cpu": "2", "example.com/gpu": "1" }),
    };
    let ports = if b.is_multiple_of(8) {
        json!([{ "hostPort": 80 }])
    } else {
        json!([])
    };
    let mut pod = json!({
        "metadata": {
            "name": name, "uid": name,
            "namespace": if c.is_multiple_of(3) { "y" } else { "x" },
            "labels": { "app": format!("a{}", c % 3) },
        },
        "spec": {
            "priority": d % 4,
            "containers": [{ "resources": { "requests": requests }, "ports": ports }],
        },
        "status": { "startTime": format!("2024-01-01T00:00:{:02}Z", d % 60) },
    });
    if e.is_multiple_of(3) {
        pod["spec"]["tolerations"] = json!([{ "key": "k", "operator": "Exists" }]);
    }
    if e % 5 == 1 {
        pod["spec"]["nodeSelector"] = json!({ "zone": "z1" });
    }
    if f % 3 == 0 {
        pod["spec"]["topologySpreadConstraints"] = json!([{
            "topologyKey": if f.is_multiple_of(2) { "zone" } else { "host" },
            "maxSkew": f / 8 % 2 + 1,
            "minDomains": f / 16 % 3 + 1,
            "whenUnsatisfiable": if f % 5 == 0 { "ScheduleAnyway" } else { "DoNotSchedule" },
            "nodeAffinityPolicy": if f % 7 == 0 { "Ignore" } else { "Honor" },
            "nodeTaintsPolicy": if f % 4 == 0 { "Honor" } else { "Ignore" },
            "labelSelector": if f % 11 == 0 { json!({}) } else { app(c) },
        }, {
            "topologyKey": "host", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": app(f),
        }]);
    }
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    if g % 4 == 0 {
        pod["spec"]["affinity"]["podAffinity"][required] = json!([term(g / 4)]);
    }
    if h % 4 == 0 {
        pod["spec"]["affinity"]["podAntiAffinity"][required] = json!([term(h / 4)]);
    }
    if i % 3 == 0 {
        pod["spec"]["affinity"]["podAntiAffinity"][preferred] =
            json!([{ "weight": i % 100 + 1, "podAffinityTerm": term(i / 3) }]);
    }
    pod
}

fn namespaces() -> Vec<Value> {
    vec![
        json!({ "metadata": { "name": "x", "labels": { "team": "t" } } }),
        json!({ "metadata": { "name": "y" } }),
    ]
}

fn empty() -> Engine {
    let mut engine = Engine::new(1);
    for namespace in namespaces() {
        engine.cluster.set_namespace(&namespace);
    }
    engine
}

/// The engine after all steps, and the objects that are there then.
fn after(steps: &[Step]) -> (Engine, Cluster) {
    let mut engine = empty();
    let mut nodes: BTreeMap<u8, Value> = BTreeMap::new();
    let mut pods: BTreeMap<u8, Value> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Node(number, shape) => {
                let object = node(*number, *shape);
                engine.cluster.set_node(NodeInfo::new(&object));
                nodes.insert(*number, object);
            }
            Step::NodeGone(number) => {
                engine.cluster.remove_node(&format!("n{number}"));
                nodes.remove(number);
            }
            Step::Pod(number, node, shape) => {
                let mut object = pod(&format!("p{number}"), *shape);
                object["spec"]["nodeName"] = format!("n{node}").into();
                if let Some(before) = pods.insert(*number, object.clone()) {
                    // Another namespace makes it another pod.
                    engine.cluster.remove_pod(&PodKey::of(&before));
                }
                engine.cluster.set_pod(Arc::new(PodInfo::new(&object)));
            }
            Step::PodGone(number) => {
                if let Some(pod) = pods.remove(number) {
                    engine.cluster.remove_pod(&PodKey::of(&pod));
                }
            }
            Step::Ask(shape) => drop(engine.evaluate(&PodInfo::new(&pod("q", *shape)))),
        }
    }
    let cluster = Cluster {
        nodes: nodes.into_values().collect(),
        pods: pods.into_values().collect(),
        namespaces: namespaces(),
    };
    (engine, cluster)
}

fn rebuilt(cluster: &Cluster) -> Engine {
    let mut engine = empty();
    for pod in &cluster.pods {
        engine.cluster.set_pod(Arc::new(PodInfo::new(pod)));
    }
    for node in &cluster.nodes {
        engine.cluster.set_node(NodeInfo::new(node));
    }
    engine
}

/// What the engine says of every node, by name.
fn told(engine: &mut Engine, pod: &Value) -> BTreeMap<String, String> {
    let verdicts = engine.evaluate(&PodInfo::new(pod)).into_iter();
    verdicts
        .map(|verdict| {
            let text = match verdict.result {
                Ok(scores) => format!("{scores:?}"),
                Err(misfit) => misfit.to_string(),
            };
            (verdict.node, text)
        })
        .collect()
}

/// Reasons of one node in the order of their names.
fn sorted(reasons: &str) -> String {
    let mut parts: Vec<&str> = reasons.split(", ").collect();
    parts.sort_unstable();
    parts.join(", ")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn filters_agree_with_the_model(
        steps in proptest::collection::vec(step(), 0..40),
        asked in any::<[u8; 9]>(),
    ) {
        let (mut engine, cluster) = after(&steps);
        let pod = pod("q", asked);
        for verdict in engine.evaluate(&PodInfo::new(&pod)) {
            let node = cluster.nodes.iter().find(|node| meta::name(node) == verdict.node);
            let expected = cluster.verdict(&pod, node.expect("the node is there"));
            let said = verdict.result.err().map(|misfit| sorted(&misfit.to_string()));
            prop_assert_eq!(said, expected.as_deref().map(sorted), "{} on {}", pod, verdict.node);
        }
    }

    #[test]
    fn what_followed_every_change_equals_what_is_built_anew(
        steps in proptest::collection::vec(step(), 0..40),
        asked in any::<[u8; 9]>(),
    ) {
        let (mut engine, cluster) = after(&steps);
        let pod = pod("q", asked);
        let mut fresh = rebuilt(&cluster);
        prop_assert_eq!(told(&mut engine, &pod), told(&mut fresh, &pod));
    }

    #[test]
    fn a_plan_makes_room_and_harms_no_equal(
        steps in proptest::collection::vec(step(), 10..60),
        asked in any::<[u8; 9]>(),
        allowed in 0..3_i64,
    ) {
        let (mut engine, cluster) = after(&steps);
        engine.set_budget(&json!({
            "metadata": { "name": "b", "namespace": "x" },
            "spec": { "selector": app(0) },
            "status": { "disruptionsAllowed": allowed },
        }));
        let mut pod = pod("q", asked);
        // Above most of those that run and more than most nodes have left, so that plans are made.
        pod["spec"]["priority"] = json!(3);
        pod["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "2" } });
        let info = PodInfo::new(&pod);
        let Err(diagnosis) = engine.schedule(&info) else {
            return Ok(());
        };
        let Ok(plan) = engine.preempt(&info, &diagnosis) else {
            return Ok(());
        };
        prop_assert!(!plan.victims.is_empty());
        for victim in &plan.victims {
            prop_assert!(victim.priority < info.priority);
            prop_assert_eq!(&victim.node_name, &plan.node);
        }
        let names: Vec<&str> = plan.victims.iter().map(|v| v.key.name.as_str()).collect();
        let node = cluster.nodes.iter().find(|node| meta::name(node) == plan.node);
        let node = node.expect("the node is there");
        prop_assert_eq!(cluster.without(&names).verdict(&pod, node), None);
        // Nobody goes for nothing. (Required affinity may want just who would stay.)
        if pod["spec"]["affinity"]["podAffinity"].is_null()
            && pod["spec"]["topologySpreadConstraints"].is_null()
        {
            for spared in &names {
                let others: Vec<&str> = names.iter().copied().filter(|n| n != spared).collect();
                prop_assert!(cluster.without(&others).verdict(&pod, node).is_some(), "{}", spared);
            }
        }
        for victim in &plan.victims {
            engine.cluster.remove_pod(&victim.key);
        }
        engine.cluster.nominate(&Arc::new(info.clone()), &plan.node);
        let placed = engine.schedule(&info);
        prop_assert_eq!(placed.map(|placement| placement.node), Ok(plan.node));
    }

    #[test]
    fn the_seed_alone_decides(
        steps in proptest::collection::vec(step(), 0..40),
        asked in proptest::collection::vec(any::<[u8; 9]>(), 1..8),
    ) {
        let play = || -> Vec<String> {
            let (mut engine, _) = after(&steps);
            asked
                .iter()
                .enumerate()
                .map(|(number, shape)| {
                    let mut pod = PodInfo::new(&pod(&format!("q{number}"), *shape));
                    match engine.schedule(&pod) {
                        Ok(placement) => {
                            pod.node_name.clone_from(&placement.node);
                            engine.cluster.set_pod(Arc::new(pod));
                            format!("{placement:?}")
                        }
                        Err(diagnosis) => diagnosis.message(),
                    }
                })
                .collect()
        };
        prop_assert_eq!(play(), play());
    }
}
