//! What upstream warns of in pods and pod templates: deprecated or doubtful fields.

mod ports;

use crate::Value;
use crate::validation::amounts::Amount;
use crate::validation::at::At;
use crate::validation::names;
use crate::validation::read::{entries, get, int, list, map, text, texts};
use std::collections::BTreeSet;

const CONTAINER_LISTS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// Warnings on a pod spec (of a pod or a template) at `at`; `metadata` stands beside it, at
/// `metadata_at`.
pub fn pod_spec(
    metadata: &Value,
    spec: &Value,
    metadata_at: &At<'_>,
    at: &At<'_>,
    is_template: bool,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let selector_at = at.child("nodeSelector");
    for (key, _) in entries(spec, "nodeSelector") {
        if let Some(text) = deprecated_label(key) {
            warnings.push(format!("{}: {text}", selector_at.key(key).path()));
        }
    }
    node_affinity(spec, at, &mut warnings);
    topology_spread(spec, &at.child("topologySpreadConstraints"), &mut warnings);
    let annotations_at = metadata_at.child("annotations");
    let annotated = |key: &str| entries(metadata, "annotations").any(|(k, _)| k == key);
    for (key, text) in OLD_ANNOTATIONS {
        if annotated(key) {
            warnings.push(format!("{}: {text}", annotations_at.key(key).path()));
        }
    }
    volumes(spec, &at.child("volumes"), &mut warnings);
    without_sources(spec, &mut warnings);
    host_aliases(spec, &at.child("hostAliases"), &mut warnings);
    pull_secrets(spec, &at.child("imagePullSecrets"), &mut warnings);
    fractions(get(spec, "overhead"), &at.child("overhead"), &mut warnings);
    profiles(
        metadata,
        spec,
        &annotations_at,
        is_template,
        at,
        &mut warnings,
    );
    ports::of_pod(spec, at, &mut warnings);
    if int(spec, "terminationGracePeriodSeconds").is_some_and(|s| s < 0) {
        warnings.push(format!(
            "{}: must be >= 0; negative values are invalid and will be treated as 1",
            at.child("terminationGracePeriodSeconds").path()
        ));
    }
    pod_affinity(spec, at, &mut warnings);
    warnings
}

/// Annotations that have no effect any more, and what to use instead.
const OLD_ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

/// Warnings on a new pod's name, which becomes its host name.
pub fn pod_name(name: &str) -> Option<String> {
    let faults = names::dns1123_label(name);
    (!faults.is_empty()).then(|| {
        // A name of a pod is a subdomain, so that these are all that can be wrong with it.
        let mut what = Vec::new();
        if name.contains('.') {
            what.push("must not contain dots");
        }
        if name.len() > 63 {
            what.push("must be no more than 63 characters");
        }
        format!(
            "metadata.name: this is used in the Pod's hostname, which can result in surprising \
             behavior; a DNS label is recommended: [{}]",
            what.join(" ")
        )
    })
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

fn node_affinity(spec: &Value, at: &At<'_>, warnings: &mut Vec<String>) {
    let Some(affinity) = get(spec, "affinity").and_then(|a| get(a, "nodeAffinity")) else {
        return;
    };
    let affinity_at = at.child("affinity");
    let at = affinity_at.child("nodeAffinity");
    if let Some(required) = get(affinity, REQUIRED) {
        let required_at = at.child(REQUIRED);
        let list_at = required_at.child("nodeSelectorTerms");
        for (i, term) in list(required, "nodeSelectorTerms").iter().enumerate() {
            node_term(term, false, &list_at.index(i), warnings);
        }
    }
    let list_at = at.child(PREFERRED);
    for (i, weighted) in list(affinity, PREFERRED).iter().enumerate() {
        if let Some(term) = get(weighted, "preference") {
            node_term(term, true, &list_at.index(i).child("preference"), warnings);
        }
    }
}

fn node_term(term: &Value, with_values: bool, at: &At<'_>, warnings: &mut Vec<String>) {
    let list_at = at.child("matchExpressions");
    for (i, expression) in list(term, "matchExpressions").iter().enumerate() {
        let at = list_at.index(i);
        let key = text(expression, "key");
        if let Some(text) = deprecated_label(key) {
            warnings.push(format!("{}: {key} is {text}", at.child("key").path()));
        }
        let values_at = at.child("values");
        for (j, value) in texts(expression, "values").enumerate() {
            for fault in names::label_value(value)
                .into_iter()
                .filter(|_| with_values)
            {
                let path = values_at.index(j).path();
                warnings.push(format!("{path}: {value} is invalid, {fault}"));
            }
        }
    }
}

fn topology_spread(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    for (i, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        let at = list_at.index(i);
        let key = text(constraint, "topologyKey");
        if let Some(text) = deprecated_label(key) {
            let path = at.child("topologyKey").path();
            warnings.push(format!("{path}: {key} is {text}"));
        }
        if get(constraint, "labelSelector").is_none() {
            let path = at.child("labelSelector").path();
            warnings.push(format!("{path}: {NO_SELECTOR}"));
        }
    }
}

fn pod_affinity(spec: &Value, at: &At<'_>, warnings: &mut Vec<String>) {
    let at = at.child("affinity");
    for key in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = get(spec, "affinity").and_then(|a| get(a, key)) else {
            continue;
        };
        let at = at.child(key);
        let list_at = at.child(REQUIRED);
        for (i, term) in list(affinity, REQUIRED).iter().enumerate() {
            if get(term, "labelSelector").is_none() {
                let path = list_at.index(i).child("labelSelector").path();
                warnings.push(format!("{path}: {NO_SELECTOR}"));
            }
        }
        let list_at = at.child(PREFERRED);
        for (i, weighted) in list(affinity, PREFERRED).iter().enumerate() {
            let term = get(weighted, "podAffinityTerm").unwrap_or(&Value::Null);
            if get(term, "labelSelector").is_none() {
                let at = list_at.index(i);
                let path = at.child("podAffinityTerm").child("labelSelector").path();
                warnings.push(format!("{path}: {NO_SELECTOR}"));
            }
        }
    }
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
                // The spelling is upstream's.
                let kind = if kind == "storageos" {
                    "storageOS"
                } else {
                    kind
                };
                warnings.push(format!("{}: {text}", at.child(kind).path()));
            }
        }
    }
}

fn without_sources(spec: &Value, warnings: &mut Vec<String>) {
    for volume in list(spec, "volumes") {
        let projected = get(volume, "projected").unwrap_or(&Value::Null);
        for source in list(projected, "sources") {
            if source
                .as_object()
                .is_some_and(|s| s.values().all(Value::is_null))
            {
                let name = text(volume, "name");
                warnings.push(format!(
                    "volume {name:?} (Projected) has no sources provided"
                ));
            }
        }
    }
}

fn host_aliases(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (i, alias) in list(spec, "hostAliases").iter().enumerate() {
        let ip = text(alias, "ip");
        if !seen.insert(ip) {
            let path = list_at.index(i).child("ip").path();
            warnings.push(format!("{path}: duplicate ip {ip:?}"));
        }
    }
}

fn pull_secrets(spec: &Value, list_at: &At<'_>, warnings: &mut Vec<String>) {
    let secrets = || {
        list(spec, "imagePullSecrets")
            .iter()
            .map(|secret| text(secret, "name"))
            .enumerate()
    };
    let path = |i: usize| list_at.index(i).child("name").path();
    let mut seen = BTreeSet::new();
    for (i, name) in secrets() {
        if !seen.insert(name) {
            warnings.push(format!("{}: duplicate name {name:?}", path(i)));
        }
    }
    for (i, _) in secrets().filter(|(_, name)| name.is_empty()) {
        warnings.push(format!("{}: invalid empty name \"\"", path(i)));
    }
}

/// Amounts of bytes that are no whole numbers.
fn fractions(amounts: Option<&Value>, at: &At<'_>, warnings: &mut Vec<String>) {
    for name in ["memory", "ephemeral-storage"] {
        let Some(value) = amounts.and_then(|a| a.get(name)) else {
            continue;
        };
        if Amount::of(value).is_some_and(|a| !a.is_whole()) {
            warnings.push(format!(
                "{}: fractional byte value {:?} is invalid, must be an integer",
                at.key(name).path(),
                super::resources::shown(value)
            ));
        }
    }
}

/// Profiles that only an annotation names, and what is doubtful in each container.
fn profiles(
    metadata: &Value,
    spec: &Value,
    annotations_at: &At<'_>,
    is_template: bool,
    at: &At<'_>,
    warnings: &mut Vec<String>,
) {
    let annotated = |key: &str| entries(metadata, "annotations").any(|(k, _)| k == key);
    let has = |holder: &Value, key: &str| {
        get(holder, "securityContext").is_some_and(|context| get(context, key).is_some())
    };
    let seccomp = "non-functional in v1.27+; use the \"seccompProfile\" field instead";
    let key = "seccomp.security.alpha.kubernetes.io/pod";
    if !has(spec, "seccompProfile") && annotated(key) {
        warnings.push(format!("{}: {seccomp}", annotations_at.key(key).path()));
    }
    for list_key in CONTAINER_LISTS {
        let list_at = at.child(list_key);
        for (i, container) in list(spec, list_key).iter().enumerate() {
            let name = text(container, "name");
            let key = format!("container.seccomp.security.alpha.kubernetes.io/{name}");
            if !has(container, "seccompProfile") && annotated(&key) {
                warnings.push(format!("{}: {seccomp}", annotations_at.key(&key).path()));
            }
            // Of pods the server warns before the fields follow from them (see `app_armor`).
            let key = format!("{}{name}", super::app_armor::ANNOTATION);
            let confined = [spec, container]
                .iter()
                .any(|holder| has(holder, "appArmorProfile"));
            if is_template && !confined && annotated(&key) {
                warnings.push(format!(
                    "{}: deprecated since v1.30; use the \"appArmorProfile\" field instead",
                    annotations_at.key(&key).path()
                ));
            }
            self::container(container, &list_at.index(i), warnings);
        }
    }
}

fn container(container: &Value, at: &At<'_>, warnings: &mut Vec<String>) {
    let resources = get(container, "resources").unwrap_or(&Value::Null);
    let resources_at = at.child("resources");
    for name in ["memory", "ephemeral-storage"] {
        for key in ["limits", "requests"] {
            let only = map(resources, key)
                .and_then(|amounts| amounts.get(name))
                .map(|amount| serde_json::json!({ name: amount }));
            fractions(only.as_ref(), &resources_at.child(key), warnings);
        }
    }
    let mut seen = BTreeSet::new();
    let env_at = at.child("env");
    for (i, variable) in list(container, "env").iter().enumerate() {
        let name = text(variable, "name");
        if seen.insert(name) {
            continue;
        }
        // One that builds on the value before it is meant so.
        let (value, before) = (text(variable, "value"), format!("$({name})"));
        if get(variable, "valueFrom").is_some() || value == before || !value.contains(&before) {
            warnings.push(format!(
                "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                env_at.index(i).path()
            ));
        }
    }
}

/// Warnings on a pod template at `at`.
pub fn template(template: &Value, at: &At<'_>) -> Vec<String> {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    pod_spec(
        metadata,
        spec,
        &at.child("metadata"),
        &at.child("spec"),
        true,
    )
}

#[cfg(test)]
mod tests;
