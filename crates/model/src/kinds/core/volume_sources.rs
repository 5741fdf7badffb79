//! Rules of the volume sources that pods and persistent volumes share: disks, network file
//! systems, CSI.

use super::paths;
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{entries, get, int, is_true, list, text};

/// Reports what is wrong with the source of type `kind`; types with rules of their own for pods
/// (`emptyDir`, `secret`, `projected`, …) are not known here. `at` is where the source stands.
pub(crate) fn validate(
    kind: &str,
    source: &Value,
    persistent: bool,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    match kind {
        "hostPath" => host_path(source, at, errors),
        "gcePersistentDisk" => {
            required(source, &["pdName"], at, errors);
            partition(source, at, errors);
        }
        "awsElasticBlockStore" => {
            required(source, &["volumeID"], at, errors);
            partition(source, at, errors);
        }
        "nfs" => {
            required(source, &["server", "path"], at, errors);
            let path = text(source, "path");
            if !path.starts_with('/') {
                errors.invalid(&at.child("path"), path, "must be an absolute path");
            }
        }
        "glusterfs" => glusterfs(source, persistent, at, errors),
        "iscsi" => iscsi(source, at, errors),
        "rbd" => {
            required_list(source, "monitors", at, errors);
            required(source, &["image"], at, errors);
        }
        "cinder" => {
            required(source, &["volumeID"], at, errors);
            secret_name(source, "secretRef", at, errors);
        }
        "cephfs" => required_list(source, "monitors", at, errors),
        "quobyte" => quobyte(source, at, errors),
        "fc" => fc(source, at, errors),
        "flexVolume" => flex(source, at, errors),
        "azureFile" => {
            required(source, &["secretName", "shareName"], at, errors);
            if get(source, "secretNamespace").and_then(Value::as_str) == Some("") {
                errors.required(&at.child("secretNamespace"), "");
            }
        }
        "vsphereVolume" => required(source, &["volumePath"], at, errors),
        "photonPersistentDisk" => required(source, &["pdID"], at, errors),
        "portworxVolume" => required(source, &["volumeID"], at, errors),
        "azureDisk" => azure_disk(source, at, errors),
        "storageos" => storageos(source, at, errors),
        "scaleIO" => {
            required(source, &["gateway", "system"], at, errors);
            required(source, &["volumeName"], at, errors);
        }
        "flocker" => flocker(source, at, errors),
        "csi" => csi(source, persistent, at, errors),
        "local" => local(source, at, errors),
        _ => {}
    }
}

/// Reports each of `keys` that is missing or empty.
pub(crate) fn required(holder: &Value, keys: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    for key in keys {
        if text(holder, key).is_empty() {
            errors.required(&at.child(key), "");
        }
    }
}

fn required_list(holder: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    if list(holder, key).is_empty() {
        errors.required(&at.child(key), "");
    }
}

fn secret_name(holder: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(secret) = get(holder, key)
        && text(secret, "name").is_empty()
    {
        errors.required(&at.child(key).child("name"), "");
    }
}

fn in_range(holder: &Value, key: &str, max: i64, at: &At<'_>, errors: &mut ErrorList) {
    let number = int(holder, key).unwrap_or(0);
    if !(0..=max).contains(&number) {
        errors.invalid(&at.child(key), number, names::range(0, max));
    }
}

/// A partition is left out, which is zero, or counted from one.
fn partition(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let number = int(source, "partition").unwrap_or(0);
    if !(0..=255).contains(&number) {
        errors.invalid(&at.child("partition"), number, names::range(1, 255));
    }
}

fn flex(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    required(source, &["driver"], at, errors);
    let at = at.child("options");
    for (key, _) in entries(source, "options") {
        let domain = key.split('/').next().unwrap_or_default().to_lowercase();
        let reserved = ["kubernetes.io", "k8s.io"].iter().any(|owner| {
            domain == *owner || domain.strip_suffix(owner).is_some_and(|d| d.ends_with('.'))
        });
        if key.contains('/') && reserved {
            let detail = "kubernetes.io and k8s.io namespaces are reserved";
            errors.invalid(&at.key(key), key, detail);
        }
    }
}

fn host_path(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let path = text(source, "path");
    if path.is_empty() {
        errors.required(&at.child("path"), "");
        return;
    }
    paths::no_backsteps(path, &at.child("path"), errors);
    let kind = text(source, "type");
    let supported = &[
        "",
        "BlockDevice",
        "CharDevice",
        "Directory",
        "DirectoryOrCreate",
        "File",
        "FileOrCreate",
        "Socket",
    ];
    if !supported.contains(&kind) {
        errors.not_supported(&at.child("type"), kind, supported);
    }
}

fn glusterfs(source: &Value, persistent: bool, at: &At<'_>, errors: &mut ErrorList) {
    required(source, &["endpoints", "path"], at, errors);
    if persistent && let Some(namespace) = get(source, "endpointsNamespace").and_then(Value::as_str)
    {
        let at = at.child("endpointsNamespace");
        if namespace.is_empty() {
            errors.invalid(
                &at,
                namespace,
                "if the endpointnamespace is set, it must be a valid namespace name",
            );
        } else {
            errors.invalid_each(&at, namespace, names::dns1123_label(namespace));
        }
    }
}

fn iscsi(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    required(source, &["targetPortal"], at, errors);
    let iqn = text(source, "iqn");
    if iqn.is_empty() {
        errors.required(&at.child("iqn"), "");
    } else if !["iqn", "eui", "naa"].iter().any(|p| iqn.starts_with(p)) {
        errors.invalid(
            &at.child("iqn"),
            iqn,
            "must be valid format starting with iqn, eui, or naa",
        );
    }
    in_range(source, "lun", 255, at, errors);
    let secret = get(source, "secretRef");
    for key in ["chapAuthDiscovery", "chapAuthSession"] {
        if is_true(source, key) && secret.is_none() {
            errors.required(&at.child("secretRef"), "");
            break;
        }
    }
    secret_name(source, "secretRef", at, errors);
    if let Some(initiator) = get(source, "initiatorName").and_then(Value::as_str)
        && !["iqn", "eui", "naa"]
            .iter()
            .any(|p| initiator.starts_with(p))
    {
        errors.invalid(
            &at.child("initiatorname"),
            initiator,
            "must be valid format",
        );
    }
}

fn quobyte(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let registry = text(source, "registry");
    if registry.is_empty() {
        errors.required(
            &at.child("registry"),
            "must be a host:port pair or multiple pairs separated by commas",
        );
    } else if text(source, "tenant").len() >= 65 {
        errors.required(
            &at.child("tenant"),
            "must be a UUID and may not exceed a length of 64 characters",
        );
    } else if !registry.split(',').all(|pair| {
        pair.rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    }) {
        errors.invalid(
            &at.child("registry"),
            registry,
            "must be a host:port pair or multiple pairs separated by commas",
        );
    }
    required(source, &["volume"], at, errors);
}

fn fc(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let names_at = at.child("targetWWNs");
    match (
        list(source, "targetWWNs").len(),
        list(source, "wwids").len(),
    ) {
        (0, 0) => errors.required(
            &names_at,
            "must specify either targetWWNs or wwids, but not both",
        ),
        (0, _) => {}
        (_, 0) => match int(source, "lun") {
            None => errors.required(
                &at.child("lun"),
                "lun is required if targetWWNs is specified",
            ),
            Some(_) => in_range(source, "lun", 255, at, errors),
        },
        _ => errors.invalid(
            &names_at,
            source.get("targetWWNs").cloned().unwrap_or_default(),
            "targetWWNs and wwids can not be specified simultaneously",
        ),
    }
}

fn azure_disk(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    required(source, &["diskName", "diskURI"], at, errors);
    let kind = text(source, "kind");
    for (key, supported) in [
        ("cachingMode", &["None", "ReadOnly", "ReadWrite"]),
        ("kind", &["Dedicated", "Managed", "Shared"]),
    ] {
        if let Some(value) = get(source, key).and_then(Value::as_str)
            && !supported.contains(&value)
        {
            errors.not_supported(&at.child(key), value, supported);
        }
    }
    let uri = text(source, "diskURI");
    let managed = kind == "Managed";
    if managed && !uri.starts_with("/subscriptions/") {
        let form = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
        errors.not_supported(&at.child("diskURI"), uri, &[form]);
    }
    if !managed && !uri.starts_with("https://") {
        let form = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";
        errors.not_supported(&at.child("diskURI"), uri, &[form]);
    }
}

fn storageos(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    required(source, &["volumeName"], at, errors);
    for key in ["volumeName", "volumeNamespace"] {
        let name = text(source, key);
        if !name.is_empty() {
            errors.invalid_each(&at.child(key), name, names::dns1123_label(name));
        }
    }
    secret_name(source, "secretRef", at, errors);
}

fn flocker(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(source, "datasetName");
    match (name.is_empty(), text(source, "datasetUUID").is_empty()) {
        (true, true) => {
            errors.required(at, "one of datasetName and datasetUUID is required");
        }
        (false, false) => errors.invalid(
            at,
            "resource",
            "datasetName and datasetUUID can not be specified simultaneously",
        ),
        _ => {}
    }
    if name.contains('/') {
        errors.invalid(&at.child("datasetName"), name, "must not contain '/'");
    }
}

fn csi(source: &Value, persistent: bool, at: &At<'_>, errors: &mut ErrorList) {
    csi_driver(text(source, "driver"), &at.child("driver"), errors);
    if !persistent {
        secret_name(source, "nodePublishSecretRef", at, errors);
        return;
    }
    required(source, &["volumeHandle"], at, errors);
    for key in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
        "nodeStageSecretRef",
    ] {
        if let Some(secret) = get(source, key) {
            required(secret, &["name", "namespace"], &at.child(key), errors);
        }
    }
}

/// Reports what is wrong with the name of a CSI driver.
pub fn csi_driver(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    if name.is_empty() {
        errors.required(at, "");
    }
    if name.len() > 63 {
        errors.too_long(at, 63);
    }
    errors.invalid_each(at, name, names::dns1123_subdomain(&name.to_lowercase()));
}

fn local(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let path = text(source, "path");
    if path.is_empty() {
        errors.required(&at.child("path"), "");
        return;
    }
    paths::no_backsteps(path, &at.child("path"), errors);
}
