//! What upstream warns of in pods and pod templates: deprecated or doubtful fields.

use crate::Value;
use crate::validation::amounts::Amount;
use crate::validation::at::At;
use crate::validation::read::{get, int, list, map, text};
use std::collections::BTreeMap;

/// Warnings on a pod spec (of a pod or a template) at `at`.
pub fn pod_spec(spec: &Value, at: &At<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    let selector_at = at.child("nodeSelector");
    for key in map(spec, "nodeSelector")
        .into_iter()
        .flatten()
        .map(|(k, _)| k)
    {
        if let Some(text) = deprecated_label(key) {
            warnings.push(format!("{}: {text}", selector_at.key(key).path()));
        }
    }
    volumes(spec, &at.child("volumes"), &mut warnings);
    repeated_names(spec, &at.child("imagePullSecrets"), &mut warnings);
    host_aliases(spec, &at.child("hostAliases"), &mut warnings);
    for key in ["initContainers", "containers"] {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            self::container(container, &list_at.index(i), &mut warnings);
        }
    }
    if int(spec, "terminationGracePeriodSeconds").is_some_and(|s| s < 0) {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            at.child("terminationGracePeriodSeconds").path()
        ));
    }
    warnings
}

/// Warnings on the annotations of a pod or template; `at` is where `metadata` stands.
pub fn annotations(metadata: &Value, at: &At<'_>) -> Vec<String> {
    let at = at.child("annotations");
    map(metadata, "annotations")
        .into_iter()
        .flatten()
        .filter_map(|(key, _)| {
            let text = if key == "seccomp.security.alpha.kubernetes.io/pod"
                || key.starts_with("container.seccomp.security.alpha.kubernetes.io/")
            {
                "non-functional in v1.27+; use the \"seccompProfile\" field instead"
            } else if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
                "deprecated since v1.30; use the \"appArmorProfile\" field instead"
            } else {
                return None;
            };
            Some(format!("{}: {text}", at.key(key).path()))
        })
        .collect()
}

fn deprecated_label(key: &str) -> Option<&'static str> {
    Some(match key {
        "beta.kubernetes.io/arch" => "deprecated since v1.14; use \"kubernetes.io/arch\" instead",
        "beta.kubernetes.io/os" => "deprecated since v1.14; use \"kubernetes.io/os\" instead",
        "failure-domain.beta.kubernetes.io/region" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"
        }
        "failure-domain.beta.kubernetes.io/zone" => {
            "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"
        }
        "beta.kubernetes.io/instance-type" => {
            "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"
        }
        _ => return None,
    })
}

fn volumes(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    for (i, volume) in list(spec, "volumes").iter().enumerate() {
        for (kind, text) in [
            (
                "photonPersistentDisk",
                "deprecated in v1.11, non-functional in v1.16+",
            ),
            (
                "gitRepo",
                "deprecated in v1.11, and disabled by default in v1.33+",
            ),
            ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
            ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
            ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
            ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
            ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
            ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
            ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
        ] {
            if get(volume, kind).is_some() {
                let at = list_at.index(i);
                warnings.push(format!("{}: {text}", at.child(kind).path()));
            }
        }
    }
}

fn repeated_names(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for (i, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        let name = text(secret, "name");
        let at = list_at.index(i);
        if name.is_empty() {
            warnings.push(format!(
                "{}: invalid empty name \"\"",
                at.child("name").path()
            ));
        } else if seen.insert(name, i).is_some() {
            warnings.push(format!(
                "{}: duplicate name {name:?}",
                at.child("name").path()
            ));
        }
    }
}

fn host_aliases(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    for (i, alias) in list(spec, "hostAliases").iter().enumerate() {
        let ip = text(alias, "ip");
        if let Some(first) = seen.insert(ip, i) {
            warnings.push(format!(
                "{}: another host alias with the same IP as {}",
                list_at.index(i).child("ip").path(),
                list_at.index(first).child("ip").path()
            ));
        }
    }
}

fn container(container: &Value, at: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    let env_at = at.child("env");
    for (i, variable) in list(container, "env").iter().enumerate() {
        let name = text(variable, "name");
        if seen.insert(name, i).is_some() {
            warnings.push(format!(
                "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                env_at.index(i).path()
            ));
        }
    }
    let mut ports = BTreeMap::new();
    let ports_at = at.child("ports");
    for (i, port) in list(container, "ports").iter().enumerate() {
        let key = (
            int(port, "containerPort"),
            int(port, "hostPort"),
            text(port, "hostIP"),
            text(port, "protocol"),
        );
        if let Some(first) = ports.insert(key, i) {
            warnings.push(format!(
                "{}: duplicate port definition with {}",
                ports_at.index(i).path(),
                ports_at.index(first).path()
            ));
        }
    }
    let resources = get(container, "resources").unwrap_or(&Value::Null);
    let resources_at = at.child("resources");
    for key in ["limits", "requests"] {
        for name in ["memory", "ephemeral-storage"] {
            let Some(value) = map(resources, key).and_then(|l| l.get(name)) else {
                continue;
            };
            if Amount::of(value).is_some_and(|a| !a.is_whole()) {
                warnings.push(format!(
                    "{}: fractional byte value {:?} is invalid, must be an integer",
                    resources_at.child(key).key(name).path(),
                    super::resources::shown(value)
                ));
            }
        }
    }
}

/// Warnings on a pod template at `at`.
pub fn template(template: &Value, at: &At<'_>) -> Vec<String> {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let mut warnings = annotations(metadata, &at.child("metadata"));
    warnings.extend(pod_spec(spec, &at.child("spec")));
    warnings
}
