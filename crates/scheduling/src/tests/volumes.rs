use super::{World, merge, node, pod};
use model::Value;
use serde_json::json;

/// A pod with volumes of these claims.
fn with(name: &str, claims: &[&str]) -> Value {
    let volumes: Vec<Value> = claims
        .iter()
        .map(|claim| json!({ "name": claim, "persistentVolumeClaim": { "claimName": claim } }))
        .collect();
    pod(name, json!({ "spec": { "volumes": volumes } }))
}

fn claim(name: &str, extra: Value) -> Value {
    let mut claim = json!({
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
            "resources": { "requests": { "storage": "1Gi" } },
        },
    });
    merge(&mut claim, extra);
    claim
}

fn bound(name: &str, volume: &str) -> Value {
    claim(
        name,
        json!({
            "metadata": { "annotations": { "pv.kubernetes.io/bind-completed": "yes" } },
            "spec": { "volumeName": volume }, "status": { "phase": "Bound" },
        }),
    )
}

fn volume(name: &str, extra: Value) -> Value {
    let mut volume = json!({
        "metadata": { "name": name },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "local",
            "capacity": { "storage": "2Gi" },
        },
    });
    merge(&mut volume, extra);
    volume
}

fn on(node: &str) -> Value {
    json!({ "spec": { "nodeAffinity": { "required": { "nodeSelectorTerms": [
        { "matchExpressions": [
            { "key": "kubernetes.io/hostname", "operator": "In", "values": [node] },
        ] },
    ] } } } })
}

fn class(name: &str, mode: &str, provisioner: &str) -> Value {
    json!({
        "metadata": { "name": name }, "volumeBindingMode": mode, "provisioner": provisioner,
    })
}

fn world() -> World {
    let mut world = World::of(&[node("a", json!({})), node("b", json!({}))]);
    let cluster = &mut world.engine.cluster;
    cluster.set_storage_class(&class(
        "local",
        "WaitForFirstConsumer",
        "kubernetes.io/no-provisioner",
    ));
    cluster.set_storage_class(&class("eager", "Immediate", "example.com/disk"));
    cluster.set_storage_class(&class("cloud", "WaitForFirstConsumer", "example.com/disk"));
    world
}

#[test]
fn claims_that_cannot_be_used_are_a_reason_before_all_nodes() {
    let mut world = world();
    let refusals = [
        (None, "persistentvolumeclaim \"data\" not found"),
        (
            Some(claim(
                "data",
                json!({ "spec": { "storageClassName": "eager" } }),
            )),
            "pod has unbound immediate PersistentVolumeClaims",
        ),
        (
            Some(claim(
                "data",
                json!({ "spec": { "volumeName": "v" }, "status": { "phase": "Lost" } }),
            )),
            "persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"v\"",
        ),
        (
            Some(claim(
                "data",
                json!({ "metadata": { "deletionTimestamp": "2024-01-01T00:00:00Z" } }),
            )),
            "persistentvolumeclaim \"data\" is being deleted",
        ),
    ];
    for (object, reason) in refusals {
        if let Some(object) = &object {
            world.engine.cluster.set_claim(object);
        }
        assert_eq!(
            world.place(&with("p", &["data"])),
            format!("0/2 nodes are available: {reason}.")
        );
        assert_eq!(
            world.preempt(&with("p", &["data"])).unwrap_err(),
            format!(
                "0/2 nodes are available: {reason}. preemption: 0/2 nodes are available: 2 \
                 Preemption is not helpful for scheduling."
            )
        );
    }
    let ephemeral = pod(
        "p",
        json!({ "spec": { "volumes": [{ "name": "scratch", "ephemeral": {} }] } }),
    );
    assert_eq!(
        world.place(&ephemeral),
        "0/2 nodes are available: waiting for ephemeral volume controller to create the \
         persistentvolumeclaim \"p-scratch\"."
    );
}

#[test]
fn bound_volumes_say_where() {
    let mut world = world();
    world.engine.cluster.set_claim(&bound("data", "v"));
    assert_eq!(
        world.place(&with("p", &["data"])),
        "0/2 nodes are available: persistentvolume \"v\" not found."
    );
    world.engine.cluster.set_volume(&volume("v", on("b")));
    assert_eq!(world.place(&with("p", &["data"])), "b");
    world.engine.cluster.set_volume(&volume("v", on("c")));
    assert_eq!(
        world.place(&with("p", &["data"])),
        "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node \
         affinity."
    );
}

#[test]
fn volumes_are_in_zones() {
    let zone = |name: &str, zone: &str| {
        node(
            name,
            json!({ "metadata": { "labels": { "topology.kubernetes.io/zone": zone } } }),
        )
    };
    let mut world = World::of(&[zone("a", "1"), zone("b", "2")]);
    let labelled = |zones: &str| {
        volume(
            "v",
            json!({ "metadata": { "labels": { "topology.kubernetes.io/zone": zones } } }),
        )
    };
    world.engine.cluster.set_claim(&bound("data", "v"));
    world.engine.cluster.set_volume(&labelled("0__2"));
    assert_eq!(world.place(&with("p", &["data"])), "b");
    world.engine.cluster.set_volume(&labelled("3"));
    assert_eq!(
        world.place(&with("p", &["data"])),
        "0/2 nodes are available: 2 node(s) had no available volume zone."
    );
    // A node's newer label will do for the older one of a volume, not the other way round.
    const OLD: &str = "failure-domain.beta.kubernetes.io/zone";
    const NEW: &str = "topology.kubernetes.io/zone";
    for (on_volume, zones, on_node, fits) in [
        (OLD, "1", NEW, true),
        (OLD, "1", OLD, true),
        (NEW, "1", OLD, false),
        (NEW, "2", OLD, false),
        (OLD, "2", NEW, false),
        (OLD, "2__", NEW, true),
    ] {
        let labels = |key: &str, value: &str| json!({ "metadata": { "labels": { key: value } } });
        let mut world = World::of(&[node("a", labels(on_node, "1"))]);
        world.engine.cluster.set_claim(&bound("data", "v"));
        let volume = volume("v", labels(on_volume, zones));
        world.engine.cluster.set_volume(&volume);
        let is_placed = world.try_place(&with("p", &["data"])).is_ok();
        assert_eq!(is_placed, fits, "{on_volume} {zones} {on_node}");
    }
}

#[test]
fn ceph_images_are_the_same_by_a_common_monitor() {
    let image = |name: &str, monitors: &[&str]| {
        let rbd = json!({ "monitors": monitors, "pool": "rbd", "image": "i" });
        pod(
            name,
            json!({ "spec": { "volumes": [{ "name": "d", "rbd": rbd }] } }),
        )
    };
    let mut world = World::of(&[node("a", json!({}))]);
    world.run(&image("there", &["m1", "m2"]), "a");
    assert!(world.try_place(&image("p", &["m2", "m3"])).is_err());
    assert!(world.try_place(&image("p", &["m3"])).is_ok());
}

#[test]
fn unbound_claims_wait_for_a_node_with_a_volume() {
    let mut world = world();
    let nothing =
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.";
    world.engine.cluster.set_claim(&claim("data", json!({})));
    assert_eq!(world.place(&with("p", &["data"])), nothing);
    // Too small, of the wrong mode, promised to another claim, and at last one that will do.
    for (extra, fits) in [
        (
            json!({ "spec": { "capacity": { "storage": "1Mi" } } }),
            false,
        ),
        (
            json!({ "spec": { "accessModes": ["ReadOnlyMany"] } }),
            false,
        ),
        (
            json!({ "spec": { "claimRef": { "namespace": "default", "name": "x" } } }),
            false,
        ),
        (
            json!({ "spec": { "claimRef": { "namespace": "default", "name": "data" } } }),
            true,
        ),
        (json!({}), true),
    ] {
        let mut one = volume("v", on("b"));
        merge(&mut one, extra.clone());
        world.engine.cluster.set_volume(&one);
        let expected = if fits { "b" } else { nothing };
        assert_eq!(world.place(&with("p", &["data"])), expected, "{extra}");
    }
    // One volume is not enough for two claims.
    world.engine.cluster.set_claim(&claim("more", json!({})));
    assert_eq!(world.place(&with("p", &["data", "more"])), nothing);
    world.engine.cluster.set_volume(&volume("w", on("b")));
    assert_eq!(world.place(&with("p", &["data", "more"])), "b");
    // Where volumes can be made, none has to be there; the class may say where that is.
    world.engine.cluster.set_claim(&claim(
        "data",
        json!({ "spec": { "storageClassName": "cloud" } }),
    ));
    assert!(world.try_place(&with("p", &["data"])).is_ok());
    let mut picky = class("cloud", "WaitForFirstConsumer", "example.com/disk");
    picky["allowedTopologies"] = json!([{ "matchLabelExpressions": [
        { "key": "kubernetes.io/hostname", "values": ["a"] },
    ] }]);
    world.engine.cluster.set_storage_class(&picky);
    assert_eq!(world.place(&with("p", &["data"])), "a");
}

#[test]
fn disks_and_exclusive_claims_are_not_shared() {
    let mut world = World::of(&[node("a", json!({}))]);
    let disk = |name: &str, read_only: bool| {
        pod(
            name,
            json!({ "spec": { "volumes": [
            { "name": "d", "gcePersistentDisk": { "pdName": "x", "readOnly": read_only } },
        ] } }),
        )
    };
    world.run(&disk("there", true), "a");
    assert_eq!(world.place(&disk("p", true)), "a");
    assert_eq!(
        world.place(&disk("p", false)),
        "0/1 nodes are available: 1 node(s) had no available disk."
    );
    let mut world = self::world();
    let mut exclusive = bound("data", "v");
    exclusive["spec"]["accessModes"] = json!(["ReadWriteOncePod"]);
    world.engine.cluster.set_claim(&exclusive);
    world.engine.cluster.set_volume(&volume("v", json!({})));
    assert!(world.try_place(&with("p", &["data"])).is_ok());
    let there = world.run(&with("there", &["data"]), "a");
    assert_eq!(
        world.place(&with("p", &["data"])),
        "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and \
         ReadWriteOncePod access mode."
    );
    let mut urgent = with("p", &["data"]);
    urgent["spec"]["priority"] = 5.into();
    let plan = world.preempt(&urgent).unwrap();
    assert_eq!((plan.node.as_str(), plan.victims.len()), ("a", 1));
    world.engine.cluster.remove_pod(&there.key);
    assert!(world.try_place(&with("p", &["data"])).is_ok());
}

#[test]
fn drivers_limit_how_many_volumes_a_node_has() {
    let mut world = World::of(&[node("a", json!({}))]);
    world.engine.cluster.set_csi_node(&json!({
        "metadata": { "name": "a" },
        "spec": { "drivers": [{ "name": "d", "allocatable": { "count": 1 } }] },
    }));
    for name in ["one", "two"] {
        let source = json!({ "spec": { "csi": { "driver": "d", "volumeHandle": name } } });
        world.engine.cluster.set_volume(&volume(name, source));
        world.engine.cluster.set_claim(&bound(name, name));
    }
    assert_eq!(
        world.place(&with("p", &["one", "two"])),
        "0/1 nodes are available: 1 node(s) exceed max volume count."
    );
    world.run(&with("there", &["one"]), "a");
    assert_eq!(
        world.place(&with("p", &["one"])),
        "a",
        "the same volume counts once"
    );
    assert!(world.try_place(&with("p", &["two"])).is_err());
}
