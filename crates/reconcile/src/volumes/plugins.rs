//! What upstream's controller manager knows of kinds of storage by itself: which are served by CSI
//! drivers under another name, which it could make or delete volumes of, and what it says of the
//! rest.

use model::{Value, meta};

/// The prefix of kinds that are not external.
pub(super) const IN_TREE: &str = "kubernetes.io/";
const HOST_PATH: &str = "kubernetes.io/host-path";

/// The CSI driver that stands in for a kind that used to be built in.
pub(super) fn migrated(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "kubernetes.io/aws-ebs" => "ebs.csi.aws.com",
        "kubernetes.io/azure-disk" => "disk.csi.azure.com",
        "kubernetes.io/azure-file" => "file.csi.azure.com",
        "kubernetes.io/cinder" => "cinder.csi.openstack.org",
        "kubernetes.io/gce-pd" => "pd.csi.storage.gke.io",
        "kubernetes.io/portworx-volume" => "pxd.portworx.com",
        "kubernetes.io/vsphere-volume" => "csi.vsphere.vmware.com",
        _ => return None,
    })
}

/// Who makes volumes for a class, or why nobody does.
pub(super) fn provisioner(name: &str) -> Result<&str, String> {
    if let Some(driver) = migrated(name) {
        return Ok(driver);
    }
    match name {
        HOST_PATH => Ok(name),
        "kubernetes.io/nfs" => Err("no provisionable volume plugin matched".to_owned()),
        _ if name.starts_with(IN_TREE) => Err(format!("no volume plugin matched name: {name}")),
        _ => Ok(name),
    }
}

/// Why somebody who was asked for a volume makes none, if that is known here.
pub(super) fn refusal(provisioner: &str) -> Option<String> {
    (provisioner == HOST_PATH).then(|| {
        format!(
            "Failed to create provisioner: provisioning in volume plugin {HOST_PATH:?} is disabled"
        )
    })
}

/// What becomes of a released volume that is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deletion {
    /// Somebody outside deletes what is behind it, and then the volume.
    External,
    /// There is nothing behind it that would have to go first.
    Now,
    /// It cannot be deleted.
    Refused(String),
}

/// Who deletes a volume. `provisioned_by` is who made it, if that is known.
pub(super) fn deletion(volume: &Value, provisioned_by: Option<&str>) -> Deletion {
    let spec = |field: &str| meta::at(volume, &["spec", field]);
    let kind = provisioned_by.filter(|kind| !kind.is_empty());
    match kind {
        Some(HOST_PATH) => return host_path(volume),
        Some("kubernetes.io/nfs") => {
            return Deletion::Refused("no deletable volume plugin matched".to_owned());
        }
        Some(kind) if kind.starts_with(IN_TREE) => {
            return Deletion::Refused(format!("no volume plugin matched name: {kind}"));
        }
        Some(_) => return Deletion::External,
        None => {}
    }
    if spec("csi").is_some() {
        return Deletion::External;
    }
    if spec("hostPath").is_some() {
        return host_path(volume);
    }
    let why = if spec("nfs").is_some() {
        "no deletable volume plugin matched"
    } else {
        "no volume plugin matched"
    };
    Deletion::Refused(format!(
        "error getting deleter volume plugin for volume {:?}: {why}",
        meta::name(volume)
    ))
}

/// Upstream deletes such directories on its own machine. Here only the volume goes: what a node
/// has is the node's.
fn host_path(volume: &Value) -> Deletion {
    let path = meta::text(volume, &["spec", "hostPath", "path"]);
    if path
        .strip_prefix("/tmp/")
        .is_some_and(|rest| !rest.is_empty())
    {
        return Deletion::Now;
    }
    Deletion::Refused(format!(
        "host_path deleter only supports /tmp/.+ but received provided {path}"
    ))
}
