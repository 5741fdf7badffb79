//! Volumes and what provides them.

use super::cells::{
    AGE, NAME, NONE, UNSET, age_of, boolean, cells, count, flag, integer, is_deleted, joined, or,
    quantity, text, wide,
};
use crate::kinds::core::claim_spec::storage_class;
use crate::resource::Column;
use crate::{Value, meta};

pub(super) const VOLUME: &[Column] = &[
    NAME,
    text("Capacity", "How much it holds."),
    text("Access Modes", "How it can be mounted."),
    text("Reclaim Policy", "What becomes of it when it is released."),
    text("Status", "Whether it is bound."),
    text("Claim", "The claim that it is bound to."),
    text("StorageClass", "StorageClass of the pv"),
    text("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
    text("Reason", "Why it is in this status."),
    AGE,
    wide(
        "VolumeMode",
        "Whether it is a file system or a block device.",
    ),
];

pub(super) fn volume(object: &Value, now: i64) -> Vec<Value> {
    let claim = meta::at(object, &["spec", "claimRef"]).map_or(String::new(), |claim| {
        let part = |key| meta::text(claim, &[key]);
        format!("{}/{}", part("namespace"), part("name"))
    });
    cells![
        meta::name(object),
        quantity(object, &["spec", "capacity", "storage"]),
        modes(object, &["spec", "accessModes"]),
        meta::text(object, &["spec", "persistentVolumeReclaimPolicy"]),
        phase(object),
        claim,
        class_name(object),
        attributes_class(object),
        meta::text(object, &["status", "reason"]),
        age_of(object, now),
        volume_mode(object),
    ]
}

pub(super) const CLAIM: &[Column] = &[
    NAME,
    text("Status", "Whether it is bound."),
    text("Volume", "The volume that it is bound to."),
    text("Capacity", "How much that volume holds."),
    text("Access Modes", "How that volume can be mounted."),
    text("StorageClass", "StorageClass of the pvc"),
    text("VolumeAttributesClass", "VolumeAttributesClass of the pvc"),
    AGE,
    wide(
        "VolumeMode",
        "Whether it is a file system or a block device.",
    ),
];

pub(super) fn claim(object: &Value, now: i64) -> Vec<Value> {
    let volume = meta::text(object, &["spec", "volumeName"]);
    let (capacity, modes) = if volume.is_empty() {
        Default::default()
    } else {
        (
            quantity(object, &["status", "capacity", "storage"]),
            modes(object, &["status", "accessModes"]),
        )
    };
    cells![
        meta::name(object),
        phase(object),
        volume,
        capacity,
        modes,
        class_name(object),
        attributes_class(object),
        age_of(object, now),
        volume_mode(object),
    ]
}

fn phase(object: &Value) -> &str {
    if is_deleted(object) {
        "Terminating"
    } else {
        meta::text(object, &["status", "phase"])
    }
}

fn modes(object: &Value, path: &[&str]) -> String {
    let has = |mode: &str| meta::list(object, path).iter().any(|m| m == mode);
    let short: Vec<_> = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .into_iter()
    .filter(|(mode, _)| has(mode))
    .map(|(_, short)| short)
    .collect();
    short.join(",")
}

/// The storage class, empty if it names none.
fn class_name(object: &Value) -> &str {
    storage_class(object).unwrap_or_default()
}

fn attributes_class(object: &Value) -> &str {
    meta::at(object, &["spec", "volumeAttributesClassName"])
        .and_then(Value::as_str)
        .unwrap_or(UNSET)
}

fn volume_mode(object: &Value) -> &str {
    or(meta::text(object, &["spec", "volumeMode"]), UNSET)
}

pub(super) const CLASS: &[Column] = &[
    NAME,
    text("Provisioner", "What makes volumes of this class."),
    text("ReclaimPolicy", "What becomes of released volumes."),
    text("VolumeBindingMode", "When volumes are made and bound."),
    text("AllowVolumeExpansion", "Whether volumes may grow."),
    AGE,
];

pub(super) fn class(object: &Value, now: i64) -> Vec<Value> {
    let annotations = meta::annotations(object);
    let is_default = [
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    ]
    .iter()
    .any(|key| annotations.get(key) == Some(&"true"));
    let mark = if is_default { " (default)" } else { "" };
    cells![
        format!("{}{mark}", meta::name(object)),
        meta::text(object, &["provisioner"]),
        or(meta::text(object, &["reclaimPolicy"]), "Delete"),
        or(meta::text(object, &["volumeBindingMode"]), "Immediate"),
        flag(object, &["allowVolumeExpansion"]).unwrap_or(false),
        age_of(object, now),
    ]
}

pub(super) const ATTACHMENT: &[Column] = &[
    NAME,
    Column {
        format: "name",
        ..text("Attacher", "The driver that attaches.")
    },
    text("PV", "The volume."),
    text("Node", "The node."),
    boolean("Attached", "Whether it is done."),
    AGE,
];

pub(super) fn attachment(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["spec", "attacher"]),
        meta::text(object, &["spec", "source", "persistentVolumeName"]),
        meta::text(object, &["spec", "nodeName"]),
        flag(object, &["status", "attached"]).unwrap_or(false),
        age_of(object, now),
    ]
}

pub(super) const DRIVER: &[Column] = &[
    NAME,
    boolean("AttachRequired", "Whether volumes must be attached."),
    boolean(
        "PodInfoOnMount",
        "Whether the driver wants to know the pod.",
    ),
    boolean(
        "StorageCapacity",
        "Whether the scheduler looks at capacity.",
    ),
    text(
        "TokenRequests",
        "The audiences of the tokens that it wants.",
    ),
    boolean("RequiresRepublish", "Whether mounts are renewed."),
    text("Modes", "The kinds of volumes that it offers."),
    AGE,
];

pub(super) fn driver(object: &Value, now: i64) -> Vec<Value> {
    let set = |key| flag(object, &["spec", key]);
    let audiences = match meta::at(object, &["spec", "tokenRequests"]) {
        None => UNSET.to_owned(),
        Some(requests) => {
            let requests = requests.as_array().map_or(&[][..], Vec::as_slice);
            let audiences: Vec<_> = requests
                .iter()
                .map(|r| meta::text(r, &["audience"]))
                .collect();
            audiences.join(",")
        }
    };
    cells![
        meta::name(object),
        set("attachRequired").unwrap_or(true),
        set("podInfoOnMount").unwrap_or(false),
        set("storageCapacity").unwrap_or(false),
        audiences,
        set("requiresRepublish").unwrap_or(false),
        or(
            &joined(object, &["spec", "volumeLifecycleModes"], ","),
            NONE
        ),
        age_of(object, now),
    ]
}

pub(super) const NODE: &[Column] = &[
    NAME,
    integer(
        "Drivers",
        "Drivers indicates the number of CSI drivers registered on the node",
    ),
    AGE,
];

pub(super) fn node(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        count(object, &["spec", "drivers"]),
        age_of(object, now)
    ]
}

pub(super) const CAPACITY: &[Column] = &[
    NAME,
    text("StorageClassName", "The class of the volumes."),
    text("Capacity", "How much can still be had."),
];

pub(super) fn capacity(object: &Value, _now: i64) -> Vec<Value> {
    let capacity = if meta::at(object, &["capacity"]).is_some() {
        quantity(object, &["capacity"])
    } else {
        UNSET.to_owned()
    };
    cells![
        meta::name(object),
        meta::text(object, &["storageClassName"]),
        capacity
    ]
}
