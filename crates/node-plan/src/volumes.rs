//! The volumes of a pod: what each of them is and what is in it, and where containers see them.

pub mod host_path;
pub mod mounts;
pub mod ownership;
mod payload;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod writer;

pub use payload::{File, Payload};
pub use tokens::TokenRequest;

use crate::containers;
use crate::env::DownwardError;
use host_path::{Expected, HostPathError};
use model::quantity::Quantity;
use model::validation::read::{get, is_true, list, text};
use model::{Value, meta};
use pod_resources::Resources;
use std::collections::BTreeMap;
use thiserror::Error;

/// What volumes are made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The pod, as defaulted by the API.
    pub pod: &'a Value,
    /// The config maps of its namespace that exist, by name.
    pub config_maps: &'a BTreeMap<String, Value>,
    /// The secrets of its namespace that exist, by name.
    pub secrets: &'a BTreeMap<String, Value>,
    /// The tokens that [`tokens::requests`] asked for.
    pub tokens: &'a BTreeMap<TokenRequest, String>,
    /// The claims of its namespace that exist, by name.
    pub claims: &'a BTreeMap<String, Value>,
    /// The persistent volumes that those claims are bound to, by name.
    pub persistent_volumes: &'a BTreeMap<String, Value>,
    /// What the node can give to pods.
    pub allocatable: Option<&'a Resources>,
}

/// What a volume is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Volume {
    /// Files made from objects. They live on a tmpfs of their own, whatever they were made from,
    /// are written by [`writer`], and no container may write to them.
    Files(Payload),
    /// An empty directory of mode 0777, which goes with the pod.
    Empty {
        /// What it is on.
        medium: Medium,
        /// The bytes from which on the pod is evicted; `None` for no limit.
        limit: Option<i64>,
    },
    /// A path of the node.
    Host {
        /// The path.
        path: String,
        /// What must be there.
        expected: Expected,
        /// Whether no container may write to it.
        read_only: bool,
        /// Whether the pod's `fsGroup` applies to it (a `local` persistent volume).
        owned: bool,
    },
}

/// What an `emptyDir` is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Medium {
    /// The node's disk.
    Disk,
    /// A tmpfs of so many bytes; `None` where nothing bounds it.
    Memory(Option<i64>),
    /// Huge pages of so many bytes each.
    HugePages(i64),
}

/// Why a volume cannot be made. The pod waits for it as `ContainerCreating`, and an event
/// `FailedMount` says so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VolumeError {
    /// A secret that must be there is not.
    #[error("secret \"{0}\" not found")]
    Secret(String),
    /// A config map that must be there is not.
    #[error("configmap \"{0}\" not found")]
    ConfigMap(String),
    /// A key of a secret that must be there is not.
    #[error("references non-existent secret key: {0}")]
    SecretKey(String),
    /// A key of a config map that must be there is not.
    #[error("configmap references non-existent config key: {0}")]
    ConfigMapKey(String),
    /// A field or amount of the pod that cannot be told.
    #[error(transparent)]
    Downward(#[from] DownwardError),
    /// A token is not there yet.
    #[error("failed to fetch token: it has not been issued")]
    Token,
    /// A path of a file in the volume that it cannot have.
    #[error(transparent)]
    Path(#[from] writer::PathError),
    /// A path of the node that is not as expected.
    #[error(transparent)]
    HostPath(#[from] HostPathError),
    /// An `emptyDir` medium that is not known.
    #[error("unknown storage medium \"{0}\"")]
    Medium(String),
    /// Huge pages without a container that requests them, or of several sizes.
    #[error("medium {0}: {1}")]
    HugePages(String, &'static str),
    /// A claim that is not there.
    #[error("failed to fetch PVC from API server: persistentvolumeclaims \"{0}\" not found")]
    Claim(String),
    /// A claim that cannot be used (yet).
    #[error("{0}")]
    ClaimState(&'static str),
    /// A persistent volume that is not there.
    #[error("failed to fetch PV {0} from API server: persistentvolumes \"{0}\" not found")]
    PersistentVolume(String),
    /// A kind of volume that this node does not have.
    #[error("this node has no volumes of type {0}")]
    Unsupported(String),
    /// Several at once.
    #[error("[{}]", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Several(Vec<VolumeError>),
}

impl VolumeError {
    /// All of several errors, each once; `None` if there are none.
    fn together(errors: Vec<Self>) -> Option<Self> {
        let mut distinct: Vec<Self> = Vec::new();
        for error in errors {
            if !distinct.contains(&error) {
                distinct.push(error);
            }
        }
        if distinct.len() > 1 {
            return Some(Self::Several(distinct));
        }
        distinct.pop()
    }

    /// The message of the event, as kubelet words it.
    pub fn event(&self, volume: &str) -> String {
        format!("MountVolume.SetUp failed for volume \"{volume}\" : {self}")
    }
}

/// What a volume of the pod (an element of `spec.volumes`) is.
pub fn volume(inputs: &Inputs<'_>, volume: &Value) -> Result<Volume, VolumeError> {
    if let Some(source) = get(volume, "secret") {
        return checked(payload::of_secret(inputs, source)?);
    }
    if let Some(source) = get(volume, "configMap") {
        return checked(payload::of_config_map(inputs, source)?);
    }
    if let Some(source) = get(volume, "downwardAPI") {
        return checked(payload::of_downward(inputs, source)?);
    }
    if let Some(source) = get(volume, "projected") {
        return checked(payload::of_projected(inputs, source)?);
    }
    if let Some(source) = get(volume, "hostPath") {
        return host(source, false);
    }
    if let Some(source) = get(volume, "persistentVolumeClaim") {
        return claimed(
            inputs,
            text(source, "claimName"),
            is_true(source, "readOnly"),
        );
    }
    let name = text(volume, "name");
    if get(volume, "ephemeral").is_some() {
        let claim = format!("{}-{name}", meta::name(inputs.pod));
        return claimed(inputs, &claim, false);
    }
    let source = volume.as_object().and_then(|fields| {
        fields
            .iter()
            .find(|(key, value)| *key != "name" && !value.is_null())
    });
    match source {
        // A volume without a source is an emptyDir.
        None => empty(inputs, &Value::Null),
        Some((kind, source)) if kind == "emptyDir" => empty(inputs, source),
        Some((kind, _)) => Err(VolumeError::Unsupported(kind.clone())),
    }
}

fn checked(payload: Payload) -> Result<Volume, VolumeError> {
    for path in payload.keys() {
        writer::check_path(path)?;
    }
    Ok(Volume::Files(payload))
}

fn host(source: &Value, read_only: bool) -> Result<Volume, VolumeError> {
    let path = text(source, "path").to_owned();
    if host_path::has_backsteps(&path) {
        return Err(HostPathError::Backsteps(path).into());
    }
    let expected = Expected::parse(text(source, "type"))?;
    Ok(Volume::Host {
        path,
        expected,
        read_only,
        owned: false,
    })
}

fn claimed(inputs: &Inputs<'_>, name: &str, read_only: bool) -> Result<Volume, VolumeError> {
    let missing = || VolumeError::Claim(name.to_owned());
    let claim = inputs.claims.get(name).ok_or_else(missing)?;
    let protected = meta::list(claim, &["metadata", "finalizers"])
        .iter()
        .any(|finalizer| finalizer == "kubernetes.io/pvc-protection");
    if meta::at(claim, &["metadata", "deletionTimestamp"]).is_some() && !protected {
        return Err(VolumeError::ClaimState("PVC is being deleted"));
    }
    if meta::text(claim, &["status", "phase"]) != "Bound" {
        return Err(VolumeError::ClaimState("PVC is not bound"));
    }
    let bound = meta::text(claim, &["spec", "volumeName"]);
    if bound.is_empty() {
        return Err(VolumeError::ClaimState("PVC has empty pvc.Spec.VolumeName"));
    }
    let missing = || VolumeError::PersistentVolume(bound.to_owned());
    let volume = inputs.persistent_volumes.get(bound).ok_or_else(missing)?;
    if meta::text(volume, &["spec", "claimRef", "uid"]) != meta::uid(claim) {
        return Err(VolumeError::ClaimState(
            "the persistent volume is bound to another claim",
        ));
    }
    let spec = get(volume, "spec").unwrap_or(&Value::Null);
    if let Some(source) = get(spec, "hostPath") {
        return host(source, read_only);
    }
    let Some(source) = get(spec, "local") else {
        return Err(VolumeError::Unsupported("persistentVolumeClaim".to_owned()));
    };
    let path = text(source, "path").to_owned();
    if host_path::has_backsteps(&path) {
        return Err(HostPathError::Backsteps(path).into());
    }
    let expected = if text(spec, "volumeMode") == "Block" {
        return Err(VolumeError::Unsupported("block devices".to_owned()));
    } else {
        Expected::Directory
    };
    Ok(Volume::Host {
        path,
        expected,
        read_only,
        owned: !read_only,
    })
}

fn empty(inputs: &Inputs<'_>, source: &Value) -> Result<Volume, VolumeError> {
    let limit = get(source, "sizeLimit")
        .and_then(|value| Quantity::from_value(value).ok())
        .map(|limit| limit.value())
        .filter(|limit| *limit > 0);
    let medium = match text(source, "medium") {
        "" => Medium::Disk,
        "Memory" => Medium::Memory(memory_size(inputs.pod, inputs.allocatable, limit)),
        medium if medium.starts_with("HugePages") => Medium::HugePages(page(inputs.pod, medium)?),
        other => return Err(VolumeError::Medium(other.to_owned())),
    };
    Ok(Volume::Empty { medium, limit })
}

/// The size of a tmpfs: what the node can give, or what the pod may use, or what the volume says,
/// whichever is least.
pub fn memory_size(
    pod: &Value,
    allocatable: Option<&Resources>,
    limit: Option<i64>,
) -> Option<i64> {
    let memory = |amounts: &Resources| amounts.get("memory").map(|amount| amount.value());
    let of_pod = pod_resources::cgroups::of_pod(pod).memory_limit;
    [allocatable.and_then(memory), of_pod, limit]
        .into_iter()
        .flatten()
        .filter(|size| *size > 0)
        .min()
}

/// The size of the huge pages of a medium such as `HugePages-2Mi`, or `HugePages` where the pod
/// requests one size only.
fn page(pod: &Value, medium: &str) -> Result<i64, VolumeError> {
    let error = |text| VolumeError::HugePages(medium.to_owned(), text);
    let mut sizes: Vec<i64> = containers::init(pod)
        .chain(containers::regular(pod))
        .filter_map(|container| meta::at(container.spec, &["resources", "requests"]))
        .filter_map(Value::as_object)
        .flat_map(|requests| requests.keys())
        .filter_map(|name| name.strip_prefix("hugepages-"))
        .filter_map(|size| Quantity::parse(size).ok())
        .map(|size| size.value())
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    if let Some(wanted) = medium.strip_prefix("HugePages-") {
        let wanted = Quantity::parse(wanted)
            .map_err(|_| VolumeError::Medium(medium.to_owned()))?
            .value();
        return if sizes.contains(&wanted) {
            Ok(wanted)
        } else {
            Err(error("no container requests huge pages of that size"))
        };
    }
    match (medium, sizes.as_slice()) {
        ("HugePages", [size]) => Ok(*size),
        ("HugePages", []) => Err(error(
            "hugePages storage requested, but there is no resource request for huge pages",
        )),
        ("HugePages", _) => Err(error(
            "can't be used if container requests multiple huge page sizes",
        )),
        _ => Err(VolumeError::Medium(medium.to_owned())),
    }
}

/// The group that the pod's volumes belong to.
pub fn fs_group(pod: &Value) -> Option<u32> {
    meta::at(pod, &["spec", "securityContext", "fsGroup"])
        .and_then(Value::as_u64)
        .and_then(|group| u32::try_from(group).ok())
}

/// Whether ownership is left alone when the root of a volume has it right.
pub fn changes_on_mismatch_only(pod: &Value) -> bool {
    meta::text(pod, &["spec", "securityContext", "fsGroupChangePolicy"]) == "OnRootMismatch"
}

/// Where a volume is, beneath the node's data directory, in kubelet's layout:
/// `pods/UID/volumes/kubernetes.io~TYPE/NAME`. Host paths and claims are where they are.
pub fn directory(pod: &Value, volume: &Value) -> String {
    let plugin = match volume.as_object().and_then(|fields| {
        let known = ["secret", "configMap", "downwardAPI", "projected"];
        known
            .into_iter()
            .find(|kind| fields.get(*kind).is_some_and(|v| !v.is_null()))
    }) {
        Some("configMap") => "configmap",
        Some("downwardAPI") => "downward-api",
        Some(same) => same,
        None => "empty-dir",
    };
    let name = text(volume, "name");
    format!(
        "pods/{}/volumes/kubernetes.io~{plugin}/{name}",
        meta::uid(pod)
    )
}

/// The element of `spec.volumes` of that name.
pub fn named<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    list(get(pod, "spec")?, "volumes")
        .iter()
        .find(|volume| text(volume, "name") == name)
}
