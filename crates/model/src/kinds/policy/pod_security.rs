//! PodSecurityPolicies, as upstream's `policy/v1beta1` had them last (1.24).

mod annotations;
mod sysctls;

use crate::Value;
use crate::field::{ErrorList, FieldError};
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{flag, get, int, is_true, list, text, texts};

/// The kinds of volumes that a policy can name.
const VOLUMES: &[&str] = &[
    "*",
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephFS",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
];

const ANY: &str = "RunAsAny";
const MUST: &str = "MustRunAs";
const MAY: &str = "MayRunAs";

/// Fills in the defaults.
pub(super) fn default(_version: &str, policy: &mut Value) {
    let spec = policy.as_object_mut().and_then(|p| fill::map(p, "spec"));
    if let Some(spec) = spec {
        fill::absent(spec, "allowPrivilegeEscalation", true);
    }
}

/// Reports what is wrong with a policy.
pub(super) fn validate(policy: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    annotations::validate(policy, &mut errors);
    let none = Value::Null;
    let spec = policy.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    strategy(
        spec,
        "runAsUser",
        &[MUST, "MustRunAsNonRoot", ANY],
        &at,
        &mut errors,
    );
    run_as_group(spec, &at, &mut errors);
    strategy(spec, "seLinux", &[MUST, ANY], &at, &mut errors);
    strategy(
        spec,
        "supplementalGroups",
        &[ANY, MAY, MUST],
        &at,
        &mut errors,
    );
    strategy(spec, "fsGroup", &[MUST, MAY, ANY], &at, &mut errors);
    for volume in texts(spec, "volumes").filter(|v| !VOLUMES.contains(v)) {
        errors.not_supported(&at.child("volumes"), volume, VOLUMES);
    }
    capabilities(spec, &mut errors);
    if is_true(spec, "defaultAllowPrivilegeEscalation")
        && flag(spec, "allowPrivilegeEscalation") == Some(false)
    {
        errors.invalid(
            &at.child("defaultAllowPrivilegeEscalation"),
            true,
            "Cannot set DefaultAllowPrivilegeEscalation to true without also setting \
             AllowPrivilegeEscalation to true",
        );
    }
    let mounts = ["Default", "Unmasked"];
    for (i, mount) in texts(spec, "allowedProcMountTypes").enumerate() {
        if !mounts.contains(&mount) {
            errors.not_supported(&at.child("allowedProcMountTypes").index(i), mount, &mounts);
        }
    }
    host_paths(spec, &at, &mut errors);
    for (i, volume) in list(spec, "allowedFlexVolumes").iter().enumerate() {
        if text(volume, "driver").is_empty() {
            // The doubled names of these two fields are upstream's.
            let at = at.child("allowedFlexVolumes");
            let at = at.child("allowedFlexVolumes");
            errors.required(&at.index(i).child("driver"), "must specify a driver");
        }
    }
    for (i, driver) in list(spec, "allowedCSIDrivers").iter().enumerate() {
        let at = at.child("allowedCSIDrivers");
        let at = at.child("allowedCSIDriver");
        let at = at.index(i);
        super::super::csi::driver_name(text(driver, "name"), &at.child("name"), &mut errors);
    }
    sysctls::validate(spec, &at, &mut errors);
    runtime_classes(spec, &at, &mut errors);
    errors
}

/// Reports a rule that the strategy does not know, and ranges that are none.
fn strategy(spec: &Value, key: &str, rules: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    let none = Value::Null;
    let strategy = spec.get(key).unwrap_or(&none);
    let at = at.child(key);
    let rule = text(strategy, "rule");
    if !rules.contains(&rule) {
        errors.not_supported(&at.child("rule"), rule, rules);
    }
    ranges(strategy, &at, errors);
}

fn run_as_group(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(strategy) = get(spec, "runAsGroup") else {
        return;
    };
    let at = at.child("runAsGroup");
    let given = list(strategy, "ranges");
    match text(strategy, "rule") {
        ANY => {
            if !given.is_empty() {
                errors.invalid(&at.child("ranges"), given.to_vec(), "Ranges must be empty");
            }
        }
        MUST | MAY => {
            if given.is_empty() {
                let why = "[]policy.IDRange(nil): must provide at least one range";
                errors.push(FieldError::invalid_unshown(&at.child("ranges").path(), why));
            }
            ranges(strategy, &at, errors);
        }
        rule => {
            let at = at.child("rule");
            let known = [MUST, ANY, MAY];
            errors.push(FieldError::not_supported_in_order(&at.path(), rule, &known));
        }
    }
}

fn ranges(strategy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("ranges");
    for (i, range) in list(strategy, "ranges").iter().enumerate() {
        let at = at.index(i);
        let end = |key| int(range, key).unwrap_or(0);
        if end("min") < 0 {
            errors.invalid(&at.child("min"), end("min"), "min cannot be negative");
        }
        if end("max") < 0 {
            errors.invalid(&at.child("max"), end("max"), "max cannot be negative");
        }
        if end("min") > end("max") {
            errors.invalid(
                &at.child("min"),
                end("min"),
                "min cannot be greater than max",
            );
        }
    }
}

/// Reports capabilities that are both granted and taken. The paths lack `spec`, as upstream's.
fn capabilities(spec: &Value, errors: &mut ErrorList) {
    let dropped = list(spec, "requiredDropCapabilities");
    if !dropped.is_empty() && texts(spec, "allowedCapabilities").any(|c| c == "*") {
        errors.invalid(
            &At::of("requiredDropCapabilities"),
            dropped.to_vec(),
            "must be empty when all capabilities are allowed by a wildcard",
        );
    }
    for key in ["defaultAddCapabilities", "allowedCapabilities"] {
        for capability in list(spec, key).iter().filter(|c| dropped.contains(c)) {
            errors.invalid(
                &At::of(key),
                capability.clone(),
                format!("capability is listed in {key} and requiredDropCapabilities"),
            );
        }
    }
}

fn host_paths(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("allowedHostPaths");
    for (i, path) in list(spec, "allowedHostPaths").iter().enumerate() {
        let prefix = text(path, "pathPrefix");
        if prefix.is_empty() {
            errors.required(&at.index(i), "is required");
            break;
        }
        if prefix.split('/').any(|part| part == "..") {
            errors.invalid(&at.index(i), prefix, "must not contain '..'");
        }
    }
}

fn runtime_classes(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(strategy) = get(spec, "runtimeClass") else {
        return;
    };
    let at = at.child("runtimeClass");
    let allowed_at = at.child("allowedRuntimeClassNames");
    let mut allowed = Vec::new();
    for (i, name) in texts(strategy, "allowedRuntimeClassNames").enumerate() {
        if name != "*" {
            errors.invalid_each(&allowed_at.index(i), name, names::dns1123_subdomain(name));
        }
        if allowed.contains(&name) {
            errors.duplicate(&allowed_at.index(i), name);
        }
        allowed.push(name);
    }
    if let Some(name) = get(strategy, "defaultRuntimeClassName").and_then(Value::as_str) {
        let at = at.child("defaultRuntimeClassName");
        errors.invalid_each(&at, name, names::dns1123_subdomain(name));
        if !allowed.contains(&name) && !allowed.contains(&"*") {
            errors.required(&allowed_at, format!("default {name:?} must be allowed"));
        }
    }
    if allowed.contains(&"*") && allowed.len() > 1 {
        errors.invalid(
            &allowed_at,
            list(strategy, "allowedRuntimeClassNames").to_vec(),
            "if '*' is present, must not specify other RuntimeClass names",
        );
    }
}

#[cfg(test)]
mod tests;
