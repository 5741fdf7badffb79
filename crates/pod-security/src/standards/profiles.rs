//! Profiles of AppArmor and seccomp, and labels of SELinux.

use super::Finding;
use crate::containers::{Place, Pod, get};
use crate::level::Version;
use crate::wording::{Setters, Sorted, containers, plural, quoted};
use model::{Value, go, meta};
use std::collections::BTreeSet;

const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

/// The SELinux types that containers may have, at the newest version.
pub const SELINUX_TYPES: [&str; 4] = [
    "container_engine_t",
    "container_init_t",
    "container_kvm_t",
    "container_t",
];

/// The type of a profile; empty if it says none.
fn kind(profile: &Value) -> &str {
    meta::text(profile, &["type"])
}

fn is_allowed(profile: &Value) -> bool {
    matches!(kind(profile), "RuntimeDefault" | "Localhost")
}

/// Who sets a profile that is not allowed, and which.
#[derive(Default)]
struct Bad<'a> {
    setters: Setters<'a>,
    types: Sorted<'a>,
    fields: Vec<Place>,
}

impl<'a> Bad<'a> {
    fn find(pod: &Pod<'a>, key: &str) -> Self {
        let mut bad = Self::default();
        let field = format!("{key}.type");
        if let Some(profile) = pod.setting(key).filter(|p| !is_allowed(p)) {
            bad.setters.pod = true;
            bad.types.insert(kind(profile));
            bad.fields.push(Pod::place(&field));
        }
        for container in &pod.containers {
            if let Some(profile) = container.setting(key).filter(|p| !is_allowed(p)) {
                bad.setters.containers.push(container.name);
                bad.types.insert(kind(profile));
                bad.fields.push(container.place(&field));
            }
        }
        bad
    }
}

pub(super) fn app_armor(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut bad = Bad::find(pod, "appArmorProfile");
    let mut annotations = BTreeSet::new();
    for (key, value) in pod.annotations() {
        let is_allowed =
            value.is_empty() || value == "runtime/default" || value.starts_with("localhost/");
        if key.starts_with(APP_ARMOR) && !is_allowed {
            annotations.insert(format!("{key}={}", go::quoted(value)));
            bad.fields.push(Place::of_pod(Pod::annotation_path(key)));
        }
    }
    if bad.setters.is_empty() && annotations.is_empty() {
        return None;
    }
    let noun = plural(annotations.len(), "annotation", "annotations");
    let noun = (!annotations.is_empty()).then_some(noun);
    let values: Vec<&str> = bad
        .types
        .iter()
        .copied()
        .chain(annotations.iter().map(String::as_str))
        .collect();
    let detail = format!(
        "{} must not set AppArmor profile type to {}",
        bad.setters.text(noun),
        quoted(&values)
    );
    let reason = plural(
        values.len(),
        "forbidden AppArmor profile",
        "forbidden AppArmor profiles",
    );
    Finding::new(reason, detail, bad.fields)
}

pub(super) fn seccomp_baseline(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    if version.has(19) {
        return explicit_seccomp(Bad::find(pod, "seccompProfile"));
    }
    let containers = pod
        .containers
        .iter()
        .map(|container| format!("{SECCOMP_CONTAINER}{}", container.name));
    let mut forbidden = BTreeSet::new();
    let mut fields = Vec::new();
    for key in std::iter::once(SECCOMP_POD.to_owned()).chain(containers) {
        let Some(value) = pod.annotation(&key) else {
            continue;
        };
        let is_allowed = matches!(value, "runtime/default" | "docker/default")
            || value.starts_with("localhost/");
        if !is_allowed && forbidden.insert(format!("{key}={}", go::quoted(value))) {
            fields.push(Place::of_pod(Pod::annotation_path(&key)));
        }
    }
    if forbidden.is_empty() {
        return None;
    }
    let noun = plural(forbidden.len(), "annotation", "annotations");
    let all: Vec<String> = forbidden.into_iter().collect();
    let detail = format!("forbidden {noun} {}", all.join(", "));
    Finding::new("seccompProfile", detail, fields)
}

fn explicit_seccomp(bad: Bad<'_>) -> Option<Finding> {
    if bad.setters.is_empty() {
        return None;
    }
    let detail = format!(
        "{} must not set securityContext.seccompProfile.type to {}",
        bad.setters.text(None),
        quoted(&bad.types)
    );
    Finding::new("seccompProfile", detail, bad.fields)
}

pub(super) fn seccomp_restricted(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    const FIELD: &str = "seccompProfile";
    if version.has(25) && pod.is_windows() {
        return None;
    }
    let is_set = pod.setting(FIELD).is_some();
    let silent = pod
        .containers
        .iter()
        .filter(|c| !is_set && c.setting(FIELD).is_none());
    let (names, fields): (Vec<&str>, Vec<Place>) = silent
        .map(|c| (c.name, c.place("seccompProfile.type")))
        .unzip();
    if let Some(mut found) = explicit_seccomp(Bad::find(pod, FIELD)) {
        // Upstream's message is about these alone; the others are wrong all the same.
        found.fields.extend(fields);
        return Some(found);
    }
    if names.is_empty() {
        return None;
    }
    let detail = format!(
        "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \
         \"Localhost\"",
        containers(&names)
    );
    Finding::new("seccompProfile", detail, fields)
}

pub(super) fn selinux(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    const KEY: &str = "seLinuxOptions";
    let mut setters = Setters::default();
    let mut types = Sorted::new();
    let mut sets = (false, false);
    let mut fields = Vec::new();
    let holders = std::iter::once(None).chain(pod.containers.iter().map(Some));
    for container in holders {
        let options = match container {
            None => pod.setting(KEY),
            Some(container) => container.setting(KEY),
        };
        let Some(options) = options else { continue };
        let before = fields.len();
        let path = |name: &str| match container {
            None => Pod::place(&format!("{KEY}.{name}")),
            Some(container) => container.place(&format!("{KEY}.{name}")),
        };
        let text = |name| get(options, name).and_then(Value::as_str).unwrap_or("");
        let is_allowed = match text("type") {
            "" => true,
            "container_engine_t" => version.has(31),
            other => SELINUX_TYPES.contains(&other),
        };
        if !is_allowed {
            types.insert(text("type"));
            fields.push(path("type"));
        }
        if !text("user").is_empty() {
            sets.0 = true;
            fields.push(path("user"));
        }
        if !text("role").is_empty() {
            sets.1 = true;
            fields.push(path("role"));
        }
        if fields.len() > before {
            match container {
                None => setters.pod = true,
                Some(container) => setters.containers.push(container.name),
            }
        }
    }
    if setters.is_empty() {
        return None;
    }
    let mut data = Vec::new();
    if !types.is_empty() {
        let noun = plural(types.len(), "type", "types");
        data.push(format!("{noun} {}", quoted(&types)));
    }
    if sets.0 {
        data.push("user may not be set".to_owned());
    }
    if sets.1 {
        data.push("role may not be set".to_owned());
    }
    let detail = format!(
        "{} set forbidden securityContext.seLinuxOptions: {}",
        setters.text(None),
        data.join("; ")
    );
    Finding::new("seLinuxOptions", detail, fields)
}
