//! The volumes of a pod as far as they decide where it can run.

use model::{Value, meta};

/// A disk that is named in the pod itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) is_read_only: bool,
}

/// The volumes of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PodVolumes {
    /// Names of claims in the pod's namespace.
    pub(crate) claims: Vec<String>,
    pub(crate) disks: Vec<Disk>,
}

impl PodVolumes {
    pub(crate) fn of(pod: &Value) -> Self {
        let mut volumes = Self::default();
        for volume in meta::list(pod, &["spec", "volumes"]) {
            let claim = meta::text(volume, &["persistentVolumeClaim", "claimName"]);
            if !claim.is_empty() {
                volumes.claims.push(claim.to_owned());
            }
            if meta::at(volume, &["ephemeral"]).is_some() {
                let name = meta::text(volume, &["name"]);
                volumes.claims.push(format!("{}-{name}", meta::name(pod)));
            }
            volumes.disks.extend(disk(volume));
        }
        volumes
    }
}

fn disk(volume: &Value) -> Option<Disk> {
    let read_only = |source: &Value| {
        meta::at(source, &["readOnly"])
            .and_then(Value::as_bool)
            .unwrap_or(false)
    };
    let named = |source: &Value, field: &str| meta::text(source, &[field]).to_owned();
    if let Some(source) = meta::at(volume, &["gcePersistentDisk"]) {
        return Some(Disk {
            kind: "gce",
            id: named(source, "pdName"),
            is_read_only: read_only(source),
        });
    }
    if let Some(source) = meta::at(volume, &["awsElasticBlockStore"]) {
        return Some(Disk {
            kind: "aws",
            id: named(source, "volumeID"),
            is_read_only: false,
        });
    }
    if let Some(source) = meta::at(volume, &["iscsi"]) {
        return Some(Disk {
            kind: "iscsi",
            id: named(source, "iqn"),
            is_read_only: read_only(source),
        });
    }
    None
}

impl Disk {
    /// Whether two pods on one node cannot both have the disk.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        self.kind == other.kind && self.id == other.id && !(self.is_read_only && other.is_read_only)
    }
}
