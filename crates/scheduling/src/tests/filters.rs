use super::{World, busy, node, pod};
use model::Value;
use serde_json::json;

fn none(counts: &str) -> String {
    format!("0/{} nodes are available: {counts}.", 1)
}

#[test]
fn each_filter_says_its_reason() {
    let taint = |key: &str, value: &str, effect: &str| json!({ "spec": { "taints": [{ "key": key, "value": value, "effect": effect }] } });
    let spec = |spec: Value| pod("p", json!({ "spec": spec }));
    let tolerating = |toleration: Value| spec(json!({ "tolerations": [toleration] }));
    let requests = |requests: Value| {
        spec(json!({ "containers": [{ "resources": { "requests": requests } }] }))
    };
    let cordoned = json!({ "spec": { "unschedulable": true } });
    let gpus = json!({ "status": { "allocatable": { "example.com/gpu": "1" } } });
    let unschedulable = none("1 node(s) were unschedulable");
    let affinity = none("1 node(s) didn't match Pod's node affinity/selector");
    for (node_extra, pod, expected) in [
        (cordoned.clone(), spec(json!({})), unschedulable.as_str()),
        (
            cordoned,
            tolerating(json!({ "key": "node.kubernetes.io/unschedulable", "operator": "Exists" })),
            "n",
        ),
        (
            json!({}),
            spec(json!({ "nodeName": "other" })),
            &none("1 node(s) didn't match the requested node name"),
        ),
        (
            taint("k", "v", "NoSchedule"),
            spec(json!({})),
            &none("1 node(s) had untolerated taint {k: v}"),
        ),
        (
            taint("k", "", "NoExecute"),
            tolerating(json!({ "key": "k", "operator": "Exists", "effect": "NoSchedule" })),
            &none("1 node(s) had untolerated taint {k: }"),
        ),
        (taint("k", "v", "PreferNoSchedule"), spec(json!({})), "n"),
        (
            taint("k", "v", "NoSchedule"),
            tolerating(json!({ "key": "k", "value": "v", "effect": "NoSchedule" })),
            "n",
        ),
        (
            taint("k", "v", "NoSchedule"),
            tolerating(json!({ "operator": "Exists" })),
            "n",
        ),
        (
            json!({}),
            spec(json!({ "nodeSelector": { "disk": "ssd" } })),
            &affinity,
        ),
        (
            json!({ "metadata": { "labels": { "disk": "ssd" } } }),
            spec(json!({ "nodeSelector": { "disk": "ssd" } })),
            "n",
        ),
        (
            json!({}),
            requests(json!({ "cpu": "5", "memory": "9Gi", "ephemeral-storage": "1" })),
            &none("1 Insufficient cpu, 1 Insufficient ephemeral-storage, 1 Insufficient memory"),
        ),
        (
            json!({}),
            requests(json!({ "cpu": "4", "memory": "8Gi" })),
            "n",
        ),
        (
            gpus.clone(),
            requests(json!({ "example.com/gpu": "1" })),
            "n",
        ),
        (
            gpus,
            requests(json!({ "example.com/gpu": "2" })),
            &none("1 Insufficient example.com/gpu"),
        ),
        (
            json!({}),
            requests(json!({ "hugepages-2Mi": "2Mi" })),
            &none("1 Insufficient hugepages-2Mi"),
        ),
        (
            json!({ "status": { "allocatable": { "pods": "0" } } }),
            requests(json!({ "cpu": "5" })),
            &none("1 Insufficient cpu, 1 Too many pods"),
        ),
    ] {
        let mut world = World::of(&[node("n", node_extra.clone())]);
        assert_eq!(world.place(&pod), expected, "{node_extra} {pod}");
    }
}

#[test]
fn sidecars_init_containers_and_overhead_count() {
    let world = |pod: &Value| World::of(&[node("n", json!({}))]).place(pod);
    let container = |cpu: &str| json!({ "resources": { "requests": { "cpu": cpu } } });
    let sidecar = |cpu: &str| json!({ "restartPolicy": "Always", "resources": { "requests": { "cpu": cpu } } });
    let refused = none("1 Insufficient cpu");
    for (spec, expected) in [
        (
            json!({ "initContainers": [container("4")], "containers": [container("1")] }),
            "n",
        ),
        (
            json!({ "initContainers": [sidecar("2")], "containers": [container("2")] }),
            "n",
        ),
        (
            json!({ "initContainers": [sidecar("2")], "containers": [container("3")] }),
            refused.as_str(),
        ),
        (
            json!({ "overhead": { "cpu": "1" }, "containers": [container("4")] }),
            &refused,
        ),
    ] {
        assert_eq!(
            world(&pod("p", json!({ "spec": spec }))),
            expected,
            "{spec}"
        );
    }
}

#[test]
fn node_affinity_terms_are_alternatives() {
    let labelled =
        |name: &str, size: &str| node(name, json!({ "metadata": { "labels": { "size": size } } }));
    let nodes = [labelled("a", "1"), labelled("b", "5")];
    let affinity = |terms: Value| {
        pod(
            "p",
            json!({ "spec": { "affinity": { "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms },
            } } } }),
        )
    };
    let expression = |operator: &str, values: Value| json!({ "matchExpressions": [{ "key": "size", "operator": operator, "values": values }] });
    let field = |operator: &str, values: Value| json!({ "matchFields": [{ "key": "metadata.name", "operator": operator, "values": values }] });
    let refused = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
    for (terms, expected) in [
        (json!([]), refused),
        (json!([{}]), refused),
        (json!([{}, expression("In", json!(["5"]))]), "b"),
        (json!([expression("NotIn", json!(["1"]))]), "b"),
        (json!([expression("Gt", json!(["4"]))]), "b"),
        (json!([expression("Lt", json!(["4"]))]), "a"),
        (json!([expression("Gt", json!(["x"]))]), refused),
        (json!([expression("DoesNotExist", json!([]))]), refused),
        (json!([field("In", json!(["b"]))]), "b"),
        (json!([field("NotIn", json!(["b"]))]), "a"),
        (
            json!([field("In", json!(["c"]))]),
            "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity].",
        ),
        (
            json!([{ "matchFields": [
                { "key": "metadata.name", "operator": "In", "values": ["a"] },
                { "key": "metadata.name", "operator": "In", "values": ["b"] },
            ] }]),
            "0/2 nodes are available: pod affinity terms conflict.",
        ),
    ] {
        assert_eq!(
            World::of(&nodes).place(&affinity(terms.clone())),
            expected,
            "{terms}"
        );
    }
}

#[test]
fn host_ports_conflict_by_address_and_protocol() {
    let with = |name: &str, port: Value| {
        pod(
            name,
            json!({ "spec": { "containers": [{ "ports": [port] }] } }),
        )
    };
    let taken = none("1 node(s) didn't have free ports for the requested pod ports");
    for (there, wanted, expected) in [
        (
            json!({ "hostPort": 80 }),
            json!({ "hostPort": 80 }),
            taken.as_str(),
        ),
        (json!({ "hostPort": 80 }), json!({ "hostPort": 81 }), "n"),
        (
            json!({ "hostPort": 80 }),
            json!({ "hostPort": 80, "protocol": "UDP" }),
            "n",
        ),
        (
            json!({ "hostPort": 80, "hostIP": "10.0.0.1" }),
            json!({ "hostPort": 80 }),
            &taken,
        ),
        (
            json!({ "hostPort": 80, "hostIP": "10.0.0.1" }),
            json!({ "hostPort": 80, "hostIP": "10.0.0.2" }),
            "n",
        ),
        (
            json!({ "containerPort": 80 }),
            json!({ "hostPort": 80 }),
            "n",
        ),
    ] {
        let mut world = World::of(&[node("n", json!({}))]);
        world.run(&with("there", there.clone()), "n");
        assert_eq!(
            world.place(&with("p", wanted.clone())),
            expected,
            "{there} {wanted}"
        );
    }
    // Those of init containers and sidecars are not looked at.
    let mut world = World::of(&[node("n", json!({}))]);
    world.run(&with("there", json!({ "hostPort": 80 })), "n");
    let sidecar = json!({ "restartPolicy": "Always", "ports": [{ "hostPort": 80 }] });
    let beside = pod("p", json!({ "spec": { "initContainers": [sidecar] } }));
    assert_eq!(world.place(&beside), "n");
}

fn zoned(name: &str, zone: &str) -> Value {
    node(name, json!({ "metadata": { "labels": { "zone": zone } } }))
}

fn app(name: &str, spec: Value) -> Value {
    pod(
        name,
        json!({ "metadata": { "labels": { "app": "web" } }, "spec": spec }),
    )
}

#[test]
fn spread_constraints_hold_back() {
    let nodes = [zoned("a", "1"), zoned("b", "2"), node("c", json!({}))];
    let base = json!({
        "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": { "matchLabels": { "app": "web" } },
    });
    let constrained = |extra: Value| {
        let mut constraint = base.clone();
        super::merge(&mut constraint, extra);
        app("p", json!({ "topologySpreadConstraints": [constraint] }))
    };
    let mut world = World::of(&nodes);
    world.run(&app("one", json!({})), "a");
    assert_eq!(world.place(&constrained(json!({}))), "b");
    world.run(&app("two", json!({})), "a");
    world.engine.cluster.set_node(crate::NodeInfo::new(&node(
        "b",
        json!({ "metadata": { "labels": { "zone": "2" } }, "spec": { "unschedulable": true } }),
    )));
    let refused = "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 \
                   node(s) didn't match pod topology spread constraints (missing required label), 1 \
                   node(s) were unschedulable.";
    assert_eq!(world.place(&constrained(json!({}))), refused);
    // The cordoned node's domain is not counted if its taint is honoured …
    world.engine.cluster.set_node(crate::NodeInfo::new(&node(
        "b",
        json!({ "metadata": { "labels": { "zone": "2" } }, "spec": { "taints": [
            { "key": "k", "effect": "NoSchedule" },
        ] } }),
    )));
    let honours = constrained(json!({ "nodeTaintsPolicy": "Honor" }));
    assert_eq!(world.place(&honours), "a");
    // … but then there are fewer domains than asked for, and the least count is none.
    let domains = constrained(json!({ "nodeTaintsPolicy": "Honor", "minDomains": 2 }));
    assert!(
        world.place(&domains).contains("topology spread"),
        "{}",
        world.place(&domains)
    );
    assert_eq!(world.place(&constrained(json!({ "maxSkew": 3 }))), "a");
    // Pods of another revision are not counted.
    let mut revised = constrained(json!({ "matchLabelKeys": ["revision"] }));
    super::merge(
        &mut revised,
        json!({ "metadata": { "labels": { "revision": "2" } } }),
    );
    assert_eq!(world.place(&revised), "a");
}

#[test]
fn spread_follows_the_pods_own_node_affinity() {
    let nodes = [zoned("a", "1"), zoned("b", "2")];
    let mut world = World::of(&nodes);
    world.run(&app("one", json!({})), "a");
    let pod = |policy: &str| {
        app(
            "p",
            json!({ "nodeSelector": { "zone": "1" }, "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
                "nodeAffinityPolicy": policy,
                "labelSelector": { "matchLabels": { "app": "web" } },
            }] }),
        )
    };
    assert_eq!(world.place(&pod("Honor")), "a");
    assert_eq!(
        world.place(&pod("Ignore")),
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) \
         didn't match pod topology spread constraints."
    );
}

fn term(kind: &str, extra: Value) -> Value {
    let mut term = json!({
        "topologyKey": "zone", "labelSelector": { "matchLabels": { "app": "web" } },
    });
    super::merge(&mut term, extra);
    json!({ "affinity": { kind: { "requiredDuringSchedulingIgnoredDuringExecution": [term] } } })
}

#[test]
fn pod_affinity_and_anti_affinity() {
    let nodes = [zoned("a", "1"), zoned("b", "2"), zoned("c", "2")];
    let mut world = World::of(&nodes);
    let near = |extra: Value| pod("near", json!({ "spec": term("podAffinity", extra) }));
    let far = |extra: Value| pod("far", json!({ "spec": term("podAntiAffinity", extra) }));
    assert_eq!(
        world.place(&near(json!({}))),
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."
    );
    // The first of its kind may go anywhere.
    let first = app("first", term("podAffinity", json!({})));
    assert!(world.try_place(&first).is_ok());
    world.run(&app("web", json!({})), "a");
    assert_eq!(world.place(&near(json!({}))), "a");
    assert_ne!(world.place(&far(json!({}))), "a");
    // Another namespace is not meant, unless it is named or selected.
    assert!(
        world
            .try_place(&near(json!({ "namespaces": ["other"] })))
            .is_err()
    );
    assert_eq!(
        world.place(&near(json!({ "namespaces": ["default"] }))),
        "a"
    );
    assert_eq!(world.place(&near(json!({ "namespaceSelector": {} }))), "a");
    let by_team = json!({ "namespaceSelector": { "matchLabels": { "team": "x" } } });
    assert!(world.try_place(&near(by_team.clone())).is_err());
    world.engine.cluster.set_namespace(&json!({
        "metadata": { "name": "default", "labels": { "team": "x" } },
    }));
    assert_eq!(world.place(&near(by_team)), "a");
    // Anti-affinity of those who are there works both ways.
    world.run(&far(json!({})), "b");
    assert_eq!(
        world.place(&app("late", json!({ "nodeSelector": { "zone": "2" } }))),
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) \
         didn't satisfy existing pods anti-affinity rules."
    );
    assert_eq!(
        world.place(&pod(
            "p",
            json!({ "spec": {
            "nodeSelector": { "zone": "1" },
            "affinity": term("podAntiAffinity", json!({}))["affinity"],
        } })
        )),
        "0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 2 node(s) didn't \
         match Pod's node affinity/selector."
    );
    world.engine.cluster.remove_node("b");
    assert_eq!(
        world.place(&app("late", json!({ "nodeSelector": { "zone": "2" } }))),
        "c"
    );
}

#[test]
fn no_nodes_is_a_reason_of_its_own() {
    let mut world = World::of(&[]);
    assert_eq!(
        world.place(&pod("p", json!({}))),
        "no nodes available to schedule pods"
    );
}

#[test]
fn a_search_stops_at_enough_nodes_and_goes_on_from_there() {
    let nodes: Vec<Value> = (0..1000)
        .map(|i| node(&format!("n{i:04}"), json!({})))
        .collect();
    let mut world = World::of(&nodes);
    let first = world.try_place(&busy("a", "1", 0)).unwrap();
    // 50 - 1000 / 125 percent.
    assert_eq!((first.evaluated, first.feasible), (420, 420));
    let second = world.try_place(&busy("b", "1", 0)).unwrap();
    assert!(first.node.as_str() < "n0420" && second.node.as_str() >= "n0420");
}
