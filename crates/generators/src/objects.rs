//! Objects. Names and values come from small sets, so that two objects of a kind have much in
//! common and differ all the same.

use model::{Map, Value};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::json;

/// The schema type of [`config_map`].
pub const CONFIG_MAP: &str = "io.k8s.api.core.v1.ConfigMap";
/// The schema type of [`pod`].
pub const POD: &str = "io.k8s.api.core.v1.Pod";
/// The schema type of [`deployment`].
pub const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";
/// The schema type of [`service`].
pub const SERVICE: &str = "io.k8s.api.core.v1.Service";

/// A map of labels.
pub fn labels() -> BoxedStrategy<Value> {
    btree_map("[a-c](/[ab])?", "[xy]?", 0..4)
        .prop_map(|map| {
            map.into_iter()
                .map(|(k, v)| (k, Value::from(v)))
                .collect::<Map>()
        })
        .prop_map(Value::Object)
        .boxed()
}

/// `metadata` of an object named `x`.
pub fn metadata() -> BoxedStrategy<Value> {
    let owners = btree_set("[uvw]", 1..3).prop_map(|uids| {
        uids.into_iter()
            .map(|uid| json!({"apiVersion": "v1", "kind": "K", "name": uid, "uid": uid}))
            .collect::<Value>()
    });
    (
        of(labels()),
        of(labels()),
        of(shuffled(vec!["f/1", "f/2", "f/3"])),
        of(owners),
    )
        .prop_map(|(labels, annotations, finalizers, owners)| {
            object([
                ("name", Some("x".into())),
                ("namespace", Some("default".into())),
                ("labels", labels.filter(filled)),
                ("annotations", annotations.filter(filled)),
                ("finalizers", finalizers.map(Value::from)),
                ("ownerReferences", owners),
            ])
        })
        .boxed()
}

/// A config map.
pub fn config_map() -> BoxedStrategy<Value> {
    (metadata(), of(labels()), of(any::<bool>()))
        .prop_map(|(metadata, data, immutable)| {
            object([
                ("apiVersion", Some("v1".into())),
                ("kind", Some("ConfigMap".into())),
                ("metadata", Some(metadata)),
                ("data", data.filter(filled)),
                ("immutable", immutable.map(Value::from)),
            ])
        })
        .boxed()
}

/// A pod.
pub fn pod() -> BoxedStrategy<Value> {
    (metadata(), pod_spec()).prop_map(|(metadata, spec)| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    })
        .boxed()
}

/// A deployment.
pub fn deployment() -> BoxedStrategy<Value> {
    let strategy = prop_oneof![
        Just(json!({"type": "Recreate"})),
        (1..3).prop_map(|n| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": n}})),
    ];
    (metadata(), of(1..4), of(strategy), labels(), pod_spec())
        .prop_map(|(metadata, replicas, strategy, labels, spec)| {
            json!({
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata,
                "spec": object([
                    ("replicas", replicas.map(Value::from)),
                    ("strategy", strategy),
                    ("selector", Some(json!({"matchLabels": labels}))),
                    ("template", Some(json!({"metadata": {"labels": {"a": "x"}}, "spec": spec}))),
                ]),
            })
        })
        .boxed()
}

/// A service.
pub fn service() -> BoxedStrategy<Value> {
    let port = (of("[ab]"), of(select(vec!["TCP", "UDP"])), of(1..3_i64));
    let ports = btree_map(80..83_i64, port, 1..4).prop_map(|ports| {
        ports
            .into_iter()
            .map(|(port, (name, protocol, target))| {
                object([
                    ("port", Some(port.into())),
                    ("name", name.map(Value::from)),
                    ("protocol", protocol.map(Value::from)),
                    ("targetPort", target.map(Value::from)),
                ])
            })
            .collect::<Value>()
    });
    (metadata(), of(labels()), of(ports))
        .prop_map(|(metadata, selector, ports)| {
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": object([("selector", selector.filter(filled)), ("ports", ports)]),
            })
        })
        .boxed()
}

/// The `spec` of a pod.
pub fn pod_spec() -> BoxedStrategy<Value> {
    let volume = prop_oneof![
        Just(json!({"emptyDir": {}})),
        "[mn]".prop_map(|name| json!({"configMap": {"name": name}})),
    ];
    let tolerations = vec(
        "[kl]".prop_map(|key| json!({"key": key, "operator": "Exists"})),
        0..3,
    );
    (
        named("name", &["a", "b", "c"], container(), 1),
        named("name", &["v", "w"], volume, 0),
        of(labels()),
        tolerations,
        of(1..3_i64),
    )
        .prop_map(|(containers, volumes, selector, tolerations, user)| {
            object([
                ("containers", Some(containers)),
                ("volumes", Some(volumes).filter(filled)),
                ("nodeSelector", selector.filter(filled)),
                ("tolerations", Some(Value::from(tolerations)).filter(filled)),
                (
                    "securityContext",
                    user.map(|user| json!({"runAsUser": user})),
                ),
            ])
        })
        .boxed()
}

/// A container without its name.
fn container() -> impl Strategy<Value = Value> {
    let env = named(
        "name",
        &["A", "B", "C"],
        "[12]".prop_map(|v| json!({"value": v})),
        0,
    );
    let mounts = named(
        "mountPath",
        &["/a", "/b"],
        "[vw]".prop_map(|name| json!({"name": name})),
        0,
    );
    let ports = btree_set(80..83_i64, 0..3).prop_map(|ports| {
        ports
            .into_iter()
            .map(|port| json!({"containerPort": port, "protocol": "TCP"}))
            .collect::<Value>()
    });
    let resources = (1..3_i64).prop_map(|cpu| json!({"limits": {"cpu": cpu.to_string()}}));
    (
        of("[ij]"),
        vec("[12]", 0..3),
        env,
        mounts,
        ports,
        of(resources),
    )
        .prop_map(|(image, args, env, mounts, ports, resources)| {
            object([
                ("image", image.map(Value::from)),
                ("args", Some(Value::from(args)).filter(filled)),
                ("env", Some(env).filter(filled)),
                ("volumeMounts", Some(mounts).filter(filled)),
                ("ports", Some(ports).filter(filled)),
                ("resources", resources),
            ])
        })
}

/// A list of at least `least` different entries, told apart by `key`, in any order.
fn named(
    key: &'static str,
    names: &[&'static str],
    entry: impl Strategy<Value = Value>,
    least: usize,
) -> impl Strategy<Value = Value> {
    let most = names.len();
    let names = subsequence(names.to_vec(), least..=most).prop_shuffle();
    (names, vec(entry, most)).prop_map(move |(names, entries)| {
        names
            .into_iter()
            .zip(entries)
            .map(|(name, mut entry)| {
                if let Value::Object(map) = &mut entry {
                    map.insert(key.to_owned(), name.into());
                }
                entry
            })
            .collect()
    })
}

/// Some of `all`, at least one, in any order.
fn shuffled(all: Vec<&'static str>) -> impl Strategy<Value = Vec<&'static str>> {
    let most = all.len();
    subsequence(all, 1..=most).prop_shuffle()
}

/// One of `values`, chosen by `index`; null if there are none.
pub fn pick(values: &[Value], index: Index) -> Value {
    if values.is_empty() {
        return Value::Null;
    }
    values
        .get(index.index(values.len()))
        .cloned()
        .unwrap_or_default()
}

fn filled(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    }
}

fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Object(
        members
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect(),
    )
}
