//! What kinds of volumes pods may have.

use super::Finding;
use crate::containers::{Place, Pod, get};
use crate::level::Version;
use crate::wording::{Sorted, plural, quoted};
use model::meta;

/// Sources that give no way to the node.
const ALLOWED: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// The others, in the order in which upstream looks for them.
const RESTRICTED: [&str; 21] = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "gitRepo",
    "nfs",
    "iscsi",
    "glusterfs",
    "rbd",
    "flexVolume",
    "cinder",
    "cephfs",
    "flocker",
    "fc",
    "azureFile",
    "vsphereVolume",
    "quobyte",
    "azureDisk",
    "photonPersistentDisk",
    "portworxVolume",
    "scaleIO",
    "storageos",
];

/// All sources of volumes.
pub(crate) fn sources() -> impl Iterator<Item = &'static str> {
    ALLOWED.into_iter().chain(RESTRICTED)
}

pub(super) fn host_path(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut bad = Vec::new();
    let mut fields = Vec::new();
    for (i, volume) in meta::list(pod.spec, &["volumes"]).iter().enumerate() {
        if get(volume, "hostPath").is_some() {
            bad.push(meta::text(volume, &["name"]));
            fields.push(Place::of_pod(format!("spec.volumes[{i}].hostPath")));
        }
    }
    if bad.is_empty() {
        return None;
    }
    let noun = plural(bad.len(), "volume", "volumes");
    Finding::new(
        "hostPath volumes",
        format!("{noun} {}", quoted(&bad)),
        fields,
    )
}

pub(super) fn restricted(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut bad = Vec::new();
    let mut types = Sorted::new();
    let mut fields = Vec::new();
    for (i, volume) in meta::list(pod.spec, &["volumes"]).iter().enumerate() {
        if ALLOWED.iter().any(|source| get(volume, source).is_some()) {
            continue;
        }
        let source = RESTRICTED
            .into_iter()
            .find(|source| get(volume, source).is_some());
        bad.push(meta::text(volume, &["name"]));
        types.insert(source.unwrap_or("unknown"));
        fields.push(Place::of_pod(match source {
            Some(source) => format!("spec.volumes[{i}].{source}"),
            None => format!("spec.volumes[{i}]"),
        }));
    }
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "{} {} {} {} {}",
        plural(bad.len(), "volume", "volumes"),
        quoted(&bad),
        plural(bad.len(), "uses", "use"),
        plural(
            types.len(),
            "restricted volume type",
            "restricted volume types"
        ),
        quoted(&types)
    );
    Finding::new("restricted volume types", detail, fields)
}
