//! Rules of a container's `volumeMounts` and `volumeDevices`.

use super::paths;
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, is_true, list, text};
use std::collections::{BTreeMap, BTreeSet};

/// The pod's volumes by name.
pub(crate) type Volumes<'a> = BTreeMap<&'a str, &'a Value>;

/// Reports what is wrong with the mounts and block devices of a container.
pub(crate) fn validate(
    container: &Value,
    volumes: &Volumes<'_>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let set = |list_key: &str, key: &str| -> BTreeSet<&str> {
        list(container, list_key)
            .iter()
            .map(|v| text(v, key))
            .collect()
    };
    let device_names = set("volumeDevices", "name");
    let device_paths = set("volumeDevices", "devicePath");
    mounts(container, volumes, &device_names, &device_paths, at, errors);
    let mount_names = set("volumeMounts", "name");
    let mount_paths = set("volumeMounts", "mountPath");
    devices(container, volumes, &mount_names, &mount_paths, at, errors);
}

fn mounts(
    container: &Value,
    volumes: &Volumes<'_>,
    device_names: &BTreeSet<&str>,
    device_paths: &BTreeSet<&str>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let list_at = at.child("volumeMounts");
    let mut paths = BTreeSet::new();
    for (i, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = list_at.index(i);
        let (name, path) = (text(mount, "name"), text(mount, "mountPath"));
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        }
        if !volumes.contains_key(name) {
            errors.not_found(&at.child("name"), name);
        }
        if path.is_empty() {
            errors.required(&at.child("mountPath"), "");
        }
        if !paths.insert(path) {
            errors.invalid(&at.child("mountPath"), path, "must be unique");
        }
        if device_names.contains(name) {
            let detail = "must not already exist in volumeDevices";
            errors.invalid(&at.child("name"), name, detail);
        }
        if device_paths.contains(path) {
            let detail = "must not already exist as a path in volumeDevices";
            errors.invalid(&at.child("mountPath"), path, detail);
        }
        // Upstream leaves the index out of the next paths.
        let sub_path = text(mount, "subPath");
        if !sub_path.is_empty() {
            paths::descending(sub_path, &list_at.child("subPath"), errors);
        }
        let expression = text(mount, "subPathExpr");
        if !expression.is_empty() {
            if !sub_path.is_empty() {
                let detail = "subPathExpr and subPath are mutually exclusive";
                errors.invalid(&at.child("subPathExpr"), expression, detail);
            }
            paths::descending(expression, &list_at.child("subPathExpr"), errors);
        }
        propagation(container, mount, &list_at, errors);
        recursive_read_only(mount, &list_at, errors);
    }
}

fn propagation(container: &Value, mount: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(mode) = get(mount, "mountPropagation").and_then(Value::as_str) else {
        return;
    };
    let at = at.child("mountPropagation");
    let supported = &["Bidirectional", "HostToContainer", "None"];
    if !supported.contains(&mode) {
        errors.not_supported(&at, mode, supported);
    }
    let privileged =
        get(container, "securityContext").is_some_and(|context| is_true(context, "privileged"));
    if mode == "Bidirectional" && !privileged {
        errors.forbidden(
            &at,
            "Bidirectional mount propagation is available only to privileged containers",
        );
    }
}

fn recursive_read_only(mount: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(mode) = get(mount, "recursiveReadOnly").and_then(Value::as_str) else {
        return;
    };
    let at = at.child("recursiveReadOnly");
    match mode {
        "Disabled" => {}
        "Enabled" | "IfPossible" => {
            if !is_true(mount, "readOnly") {
                errors.forbidden(&at, "may only be specified when readOnly is true");
            }
            if !matches!(text(mount, "mountPropagation"), "" | "None") {
                errors.forbidden(
                    &at,
                    "may only be specified when mountPropagation is None or not specified",
                );
            }
        }
        other => errors.not_supported(&at, other, &["Disabled", "Enabled", "IfPossible"]),
    }
}

fn devices(
    container: &Value,
    volumes: &Volumes<'_>,
    mount_names: &BTreeSet<&str>,
    mount_paths: &BTreeSet<&str>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let list_at = at.child("volumeDevices");
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    for (i, device) in list(container, "volumeDevices").iter().enumerate() {
        let at = list_at.index(i);
        let (name, path) = (text(device, "name"), text(device, "devicePath"));
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        }
        if names.contains(name) {
            errors.invalid(&at.child("name"), name, "must be unique");
        }
        match volumes.get(name) {
            None => errors.not_found(&at.child("name"), name),
            Some(volume)
                if get(volume, "persistentVolumeClaim").is_none()
                    && get(volume, "ephemeral").is_none() =>
            {
                errors.invalid(
                    &at.child("name"),
                    name,
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for \
                     block mode",
                );
            }
            Some(_) => {}
        }
        if path.is_empty() {
            errors.required(&at.child("devicePath"), "");
        }
        if paths.contains(path) {
            errors.invalid(&at.child("devicePath"), path, "must be unique");
        }
        if paths::has_backsteps(path) {
            errors.invalid(
                &at.child("devicePath"),
                path,
                "can not contain backsteps ('..')",
            );
        } else {
            paths.insert(path);
        }
        if mount_names.contains(name) {
            let detail = "must not already exist in volumeMounts";
            errors.invalid(&at.child("name"), name, detail);
        }
        if mount_paths.contains(path) {
            let detail = "must not already exist as a path in volumeMounts";
            errors.invalid(&at.child("devicePath"), path, detail);
        }
        if !name.is_empty() {
            names.insert(name);
        }
    }
}
