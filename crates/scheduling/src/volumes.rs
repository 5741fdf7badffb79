//! The volumes that a pod asks for, as far as they decide where it can run.

use model::{Value, meta};

/// A disk that is named in the pod itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    kind: &'static str,
    id: String,
    /// The monitors of a Ceph image; two that have none in common tell of two images.
    monitors: Vec<String>,
    is_read_only: bool,
}

/// The claim behind one of the pod's volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimName {
    pub(crate) name: String,
    /// The claim is made for the pod.
    pub(crate) is_ephemeral: bool,
}

/// The volumes of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PodVolumes {
    /// Claims in the pod's namespace.
    pub(crate) claims: Vec<ClaimName>,
    pub(crate) disks: Vec<Disk>,
}

impl PodVolumes {
    pub(crate) fn of(pod: &Value) -> Self {
        let mut volumes = Self::default();
        for volume in meta::list(pod, &["spec", "volumes"]) {
            let claim = meta::text(volume, &["persistentVolumeClaim", "claimName"]);
            if !claim.is_empty() {
                volumes.claims.push(ClaimName {
                    name: claim.to_owned(),
                    is_ephemeral: false,
                });
            }
            if meta::at(volume, &["ephemeral"]).is_some() {
                let name = meta::text(volume, &["name"]);
                volumes.claims.push(ClaimName {
                    name: format!("{}-{name}", meta::name(pod)),
                    is_ephemeral: true,
                });
            }
            volumes.disks.extend(Disk::of(volume));
        }
        volumes
    }

    /// The claims that the pod itself names, as often as it does.
    pub(crate) fn named(&self) -> impl Iterator<Item = &str> {
        let named = self.claims.iter().filter(|claim| !claim.is_ephemeral);
        named.map(|claim| claim.name.as_str())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.disks.is_empty()
    }
}

impl Disk {
    fn of(volume: &Value) -> Option<Self> {
        // An EBS volume cannot be had twice even to read.
        let (kind, source, id, shares) = [
            ("gce", "gcePersistentDisk", "pdName", true),
            ("aws", "awsElasticBlockStore", "volumeID", false),
            ("iscsi", "iscsi", "iqn", true),
            ("rbd", "rbd", "image", true),
        ]
        .into_iter()
        .find_map(|(kind, field, id, shares)| {
            Some((kind, meta::at(volume, &[field])?, id, shares))
        })?;
        let is_read_only = meta::at(source, &["readOnly"]).and_then(Value::as_bool);
        let mut id = meta::text(source, &[id]).to_owned();
        if kind == "rbd" {
            id = format!("{}/{id}", meta::text(source, &["pool"]));
        }
        let monitors = meta::list(source, &["monitors"]).iter();
        Some(Self {
            kind,
            id,
            monitors: monitors
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            is_read_only: shares && is_read_only == Some(true),
        })
    }

    /// Whether two pods on one node cannot both have the disk.
    pub(crate) fn conflicts(&self, other: &Self) -> bool {
        let is_same = self.kind == other.kind
            && self.id == other.id
            && (self.kind != "rbd" || self.monitors.iter().any(|m| other.monitors.contains(m)));
        is_same && !(self.is_read_only && other.is_read_only)
    }
}
