//! The Node authorizer's graph against a look at all pods and volumes, after any changes.

use model::Value;
use proptest::prelude::*;
use rbac::node::{Graph, Referent, references};
use serde_json::json;
use std::collections::BTreeMap;

const NAMES: &[&str] = &["a", "b", "c"];
const SPACES: &[&str] = &["n", "m"];
const NODES: &[&str] = &["", "x", "y"];

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

fn pod() -> impl Strategy<Value = Value> {
    (
        one_of(SPACES),
        one_of(NAMES),
        one_of(NODES),
        one_of(NAMES),
        one_of(NAMES),
        any::<bool>(),
    )
        .prop_map(|(namespace, name, node, secret, claim, mirror)| {
            let mut pod = json!({
                "kind": "Pod",
                "metadata": {"namespace": namespace, "name": name},
                "spec": {
                    "nodeName": node,
                    "volumes": [
                        {"name": "s", "secret": {"secretName": secret}},
                        {"name": "c", "persistentVolumeClaim": {"claimName": claim}},
                    ],
                },
            });
            if mirror {
                let path = ["metadata", "annotations", "kubernetes.io/config.mirror"];
                model::meta::set(&mut pod, &path, "x");
            }
            pod
        })
}

fn volume() -> impl Strategy<Value = Value> {
    (one_of(NAMES), one_of(SPACES), one_of(NAMES), one_of(NAMES)).prop_map(
        |(name, namespace, claim, secret)| {
            json!({
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": {
                    "claimRef": {"namespace": namespace, "name": claim},
                    "csi": {"nodeStageSecretRef": {"namespace": "m", "name": secret}},
                },
            })
        },
    )
}

type World = BTreeMap<(String, String, String), Value>;

fn key(object: &Value) -> (String, String, String) {
    (
        model::meta::text(object, &["kind"]).to_owned(),
        model::meta::namespace(object).to_owned(),
        model::meta::name(object).to_owned(),
    )
}

fn refers(world: &World, node: &str, kind: Referent, namespace: &str, name: &str) -> bool {
    world.values().any(|pod| {
        model::meta::text(pod, &["kind"]) == "Pod"
            && model::meta::text(pod, &["spec", "nodeName"]) == node
            && model::meta::namespace(pod) == namespace
            && references::of_pod(pod).contains(&(kind, name.to_owned()))
    })
}

fn uses(world: &World, node: &str, volume: &Value) -> bool {
    let claim = |field| model::meta::text(volume, &["spec", "claimRef", field]);
    refers(
        world,
        node,
        Referent::Claim,
        claim("namespace"),
        claim("name"),
    )
}

proptest! {
    #[test]
    fn graph_agrees_with_a_look_at_everything(
        changes in prop::collection::vec(
            (prop_oneof![3 => pod().boxed(), 1 => volume().boxed()], prop::bool::weighted(0.7)),
            0..60,
        ),
    ) {
        let mut graph = Graph::new();
        let mut world = World::new();
        for (object, there) in &changes {
            if *there {
                graph.upsert(object);
                world.insert(key(object), object.clone());
            } else {
                graph.remove(object);
                world.remove(&key(object));
            }
        }
        let volumes: Vec<&Value> = world
            .values()
            .filter(|o| model::meta::text(o, &["kind"]) == "PersistentVolume")
            .collect();
        for node in ["x", "y"] {
            for name in NAMES {
                for namespace in SPACES {
                    let through_volume = volumes.iter().any(|volume| {
                        uses(&world, node, volume)
                            && references::of_volume(volume)
                                .contains(&((*namespace).to_owned(), (*name).to_owned()))
                    });
                    let secret = refers(&world, node, Referent::Secret, namespace, name);
                    prop_assert_eq!(
                        graph.refers_to(node, Referent::Secret, namespace, name),
                        secret || through_volume
                    );
                    prop_assert_eq!(
                        graph.refers_to(node, Referent::Claim, namespace, name),
                        refers(&world, node, Referent::Claim, namespace, name)
                    );
                }
                let volume = volumes.iter().find(|v| model::meta::name(v) == *name);
                prop_assert_eq!(
                    graph.uses_volume(node, name),
                    volume.is_some_and(|v| uses(&world, node, v))
                );
            }
        }
        for object in world.values() {
            graph.remove(object);
        }
        prop_assert!(graph.is_empty());
    }

    #[test]
    fn nonsense_is_no_reason_to_stop(
        kind in one_of(&["Pod", "PersistentVolume", "VolumeAttachment", "Role", "RoleBinding"]),
        spec in nonsense(),
        metadata in nonsense(),
    ) {
        let object = json!({
            "kind": kind, "metadata": metadata, "spec": spec, "rules": spec, "subjects": spec,
            "roleRef": metadata, "aggregationRule": spec,
        });
        Graph::new().upsert(&object);
        let _ = rbac::Index::new().upsert(&object);
        let _ = rbac::aggregate::aggregate(&object, [&object]);
    }
}

fn nonsense() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        one_of(&["", "name", "Role", "*", "gr\u{fc}n*"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                one_of(&[
                    "name",
                    "namespace",
                    "kind",
                    "volumes",
                    "secret",
                    "verbs",
                    "resources"
                ])
                .prop_map(str::to_owned),
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
