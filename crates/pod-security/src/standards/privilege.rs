//! Privileged containers, the way to more privileges, and the masks over `/proc`.

use super::Finding;
use crate::containers::Pod;
use crate::level::Version;
use crate::wording::{Sorted, containers, quoted};
use model::Value;

pub(super) fn privileged(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut bad = Vec::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        if container.setting("privileged") == Some(&Value::Bool(true)) {
            bad.push(container.name);
            fields.push(container.place("privileged"));
        }
    }
    if bad.is_empty() {
        return None;
    }
    let who = containers(&bad);
    let detail = format!("{who} must not set securityContext.privileged=true");
    Finding::new("privileged", detail, fields)
}

pub(super) fn escalation(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    if version.has(25) && pod.is_windows() {
        return None;
    }
    let mut bad = Vec::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        if container.setting("allowPrivilegeEscalation") != Some(&Value::Bool(false)) {
            bad.push(container.name);
            fields.push(container.place("allowPrivilegeEscalation"));
        }
    }
    if bad.is_empty() {
        return None;
    }
    let who = containers(&bad);
    let detail = format!("{who} must set securityContext.allowPrivilegeEscalation=false");
    Finding::new("allowPrivilegeEscalation != false", detail, fields)
}

/// Upstream lets pods in user namespaces do as they like only where the feature gate
/// `UserNamespacesPodSecurityStandards` is on, which it is not.
pub(super) fn proc_mount(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut bad = Vec::new();
    let mut types = Sorted::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        let Some(mount) = container.setting("procMount") else {
            continue;
        };
        let mount = mount.as_str().unwrap_or_default();
        if mount != "Default" {
            bad.push(container.name);
            types.insert(mount);
            fields.push(container.place("procMount"));
        }
    }
    if bad.is_empty() {
        return None;
    }
    let detail = format!(
        "{} must not set securityContext.procMount to {}",
        containers(&bad),
        quoted(&types)
    );
    Finding::new("procMount", detail, fields)
}
