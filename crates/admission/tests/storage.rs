//! Claims and volumes at admission.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use admission::{PersistentVolumeClaimResize, StorageObjectInUseProtection};
use common::{Ask, Cluster, resource};
use serde_json::{Value, json};

#[test]
fn claims_and_volumes_are_kept_while_in_use() {
    let cluster = Cluster::default();
    for (group, plural, finalizer) in [
        ("", "persistentvolumes", Some("kubernetes.io/pv-protection")),
        (
            "",
            "persistentvolumeclaims",
            Some("kubernetes.io/pvc-protection"),
        ),
        ("", "configmaps", None),
        ("storage.k8s.io", "storageclasses", None),
    ] {
        let of = resource(group, "v1", plural);
        let made = Ask::create(
            of,
            json!({ "metadata": { "name": "x", "finalizers": ["a/b"] } }),
        )
        .of(&StorageObjectInUseProtection, &cluster);
        let mut expected = vec!["a/b"];
        expected.extend(finalizer);
        assert_eq!(
            made.object["metadata"]["finalizers"],
            json!(expected),
            "{plural}"
        );
        let again =
            Ask::create(of, made.object.clone()).of(&StorageObjectInUseProtection, &cluster);
        assert_eq!(again.object, made.object, "{plural}: once is enough");
        let changed = Ask::update(of, json!({}), json!({ "metadata": { "name": "x" } }))
            .of(&StorageObjectInUseProtection, &cluster);
        assert_eq!(
            changed.object,
            json!({ "metadata": { "name": "x" } }),
            "{plural}"
        );
    }
}

fn claim(size: &str, phase: &str, class: Value) -> Value {
    json!({
        "metadata": { "name": "data", "namespace": "n" },
        "spec": {
            "storageClassName": class,
            "resources": { "requests": { "storage": size } },
        },
        "status": { "phase": phase },
    })
}

#[test]
fn only_bound_claims_of_classes_that_can_grow_may_ask_for_more() {
    let class = |name: &str, grows: Value| json!({ "metadata": { "name": name }, "allowVolumeExpansion": grows });
    let cluster = Cluster::default()
        .and("storageclasses", class("grows", true.into()))
        .and("storageclasses", class("fixed", false.into()))
        .and("storageclasses", class("silent", Value::Null));
    let unbound = "persistentvolumeclaims \"data\" is forbidden: Only bound persistent volume \
                   claims can be expanded";
    let fixed = "persistentvolumeclaims \"data\" is forbidden: only dynamically provisioned pvc \
                 can be resized and the storageclass that provisions the pvc must support resize";
    for (phase, class, from, to, expected) in [
        ("Bound", json!("grows"), "1Gi", "2Gi", ""),
        ("Bound", json!("fixed"), "1Gi", "2Gi", fixed),
        ("Bound", json!("silent"), "1Gi", "2Gi", fixed),
        ("Bound", json!("gone"), "1Gi", "2Gi", fixed),
        ("Bound", json!(""), "1Gi", "2Gi", fixed),
        ("Bound", Value::Null, "1Gi", "2Gi", fixed),
        ("Pending", json!("grows"), "1Gi", "2Gi", unbound),
        ("Lost", json!("grows"), "1Gi", "2Gi", unbound),
        // Nothing is asked for that was not there before.
        ("Pending", json!("fixed"), "1Gi", "1024Mi", ""),
        ("Bound", json!("fixed"), "2Gi", "1Gi", ""),
    ] {
        let claims = resource("", "v1", "persistentvolumeclaims");
        let (old, new) = (
            claim(from, phase, class.clone()),
            claim(to, phase, class.clone()),
        );
        let done = Ask::update(claims, old, new).of(&PersistentVolumeClaimResize, &cluster);
        assert_eq!(done.message(), expected, "{phase} {class} {from} {to}");
    }
}
