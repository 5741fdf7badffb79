//! Pods: defaults, what the server decides, and which rules hold when.

use super::{
    app_armor, fill, pod_annotations, pod_defaults, pod_qos, pod_spec, pod_status, pod_update,
    pod_warnings,
};
use crate::field::ErrorList;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, list, text};
use crate::{Map, Value};
use serde_json::json;

/// The rules of pods.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create,
        prepare_update,
        validate_create,
        validate_update,
        warnings,
        validate_name: names::object_subdomain,
    }
}

fn default(_version: &str, pod: &mut Value) {
    let Some(pod) = pod.as_object_mut() else {
        return;
    };
    if let Some(spec) = fill::map(pod, "spec") {
        // Requests are taken from limits first, as upstream does, so that both see one amount.
        pod_defaults::pod_spec(spec);
        pod_defaults::pod_only(spec);
    }
}

fn prepare_create(pod: &mut Value) {
    drop_disabled(pod);
    positive_grace(pod);
    let class = pod_qos::class(pod).as_str();
    let mut status = json!({"phase": "Pending", "qosClass": class});
    if !list(pod.get("spec").unwrap_or(&Value::Null), "schedulingGates").is_empty() {
        let created = meta::at(pod, &["metadata", "creationTimestamp"]).cloned();
        meta::set(
            &mut status,
            &["conditions"],
            json!([{
                "type": "PodScheduled",
                "status": "False",
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
                "lastProbeTime": null,
                "lastTransitionTime": created,
            }]),
        );
    }
    meta::set(pod, &["status"], status);
    merge_label_keys(pod);
    app_armor::sync(pod);
}

/// Resource claims, image volumes, stop signals and trust bundles are behind
/// gates that are off by default in 1.33.
fn drop_disabled(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    spec.remove("resourceClaims");
    let is_image = |volume: &Value| get(volume, "image").is_some();
    let images: Vec<String> = spec
        .get("volumes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|volume| is_image(volume))
        .map(|volume| text(volume, "name").to_owned())
        .collect();
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        volumes.retain(|volume| !is_image(volume));
    }
    for volume in fill::maps(spec, "volumes") {
        if let Some(projected) = fill::map(volume, "projected") {
            for source in fill::maps(projected, "sources") {
                source.remove("clusterTrustBundle");
            }
        }
    }
    for key in ["initContainers", "containers", "ephemeralContainers"] {
        for container in fill::maps(spec, key) {
            if let Some(mounts) = container
                .get_mut("volumeMounts")
                .and_then(Value::as_array_mut)
            {
                mounts.retain(|mount| !images.iter().any(|name| name == text(mount, "name")));
            }
            if let Some(resources) = fill::map(container, "resources") {
                resources.remove("claims");
            }
            if let Some(lifecycle) = fill::map(container, "lifecycle")
                && lifecycle.remove("stopSignal").is_some()
                && lifecycle.is_empty()
            {
                container.remove("lifecycle");
            }
        }
    }
}

/// A grace period that is negative is one of a second.
fn positive_grace(pod: &mut Value) {
    let path = ["spec", "terminationGracePeriodSeconds"];
    if meta::at(pod, &path)
        .and_then(Value::as_i64)
        .is_some_and(|g| g < 0)
    {
        meta::set(pod, &path, 1);
    }
}

/// `matchLabelKeys` of pod affinity become expressions of its label selector, with the values of
/// the pod's own labels.
fn merge_label_keys(pod: &mut Value) {
    let labels: Map = pod
        .get("metadata")
        .and_then(|m| m.get("labels"))
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let Some(affinity) = pod
        .get_mut("spec")
        .and_then(|s| s.get_mut("affinity"))
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(kind) = fill::map(affinity, kind) else {
            continue;
        };
        for term in fill::maps(kind, "requiredDuringSchedulingIgnoredDuringExecution") {
            merge_term(term, &labels);
        }
        for weighted in fill::maps(kind, "preferredDuringSchedulingIgnoredDuringExecution") {
            if let Some(term) = fill::map(weighted, "podAffinityTerm") {
                merge_term(term, &labels);
            }
        }
    }
}

fn merge_term(term: &mut Map, labels: &Map) {
    for (list_key, operator) in [("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")] {
        let keys = term.get(list_key).cloned().unwrap_or_default();
        let Some(selector) = fill::map(term, "labelSelector") else {
            return;
        };
        for key in keys
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            let Some(value) = labels.get(key) else {
                continue;
            };
            let expression = json!({"key": key, "operator": operator, "values": [value]});
            let expressions = selector
                .entry("matchExpressions")
                .or_insert_with(|| Value::Array(Vec::new()));
            if let Some(expressions) = expressions.as_array_mut() {
                expressions.push(expression);
            }
        }
    }
}

/// Conditions always tell their times, if only that there is none.
fn fill_conditions(pod: &mut Value) {
    let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) else {
        return;
    };
    for condition in fill::maps(status, "conditions") {
        for field in ["lastProbeTime", "lastTransitionTime"] {
            condition.entry(field).or_insert(Value::Null);
        }
    }
}

/// `podIP` is the first of `podIPs`; of two that disagree, the one that changed counts, and
/// `podIP` if both did.
fn follow_pod_ip(pod: &mut Value, old: &Value) {
    let path = ["status", "podIPs"];
    let first = |pod: &Value| {
        let first = meta::list(pod, &path).first();
        first.map_or_else(String::new, |ip| text(ip, "ip").to_owned())
    };
    let ip = meta::text(pod, &["status", "podIP"]).to_owned();
    if ip.is_empty() && first(pod).is_empty() {
        return;
    }
    if ip == first(pod) {
        return;
    }
    if ip == meta::text(old, &["status", "podIP"]) && !meta::list(pod, &path).is_empty() {
        let first = first(pod);
        meta::set(pod, &["status", "podIP"], first);
    } else if ip.is_empty() {
        meta::remove(pod, &path);
    } else {
        meta::set(pod, &path, json!([{ "ip": ip }]));
    }
}

fn prepare_update(pod: &mut Value, old: &Value, subresource: &str) {
    match subresource {
        "" => {
            if let Some(status) = old.get("status") {
                meta::set(pod, &["status"], status.clone());
            }
        }
        "status" => {
            if let Some(owners) = meta::at(old, &["metadata", "ownerReferences"]) {
                meta::set(pod, &["metadata", "ownerReferences"], owners.clone());
            }
            if meta::text(pod, &["status", "qosClass"]).is_empty()
                && let Some(class) = meta::at(old, &["status", "qosClass"])
            {
                meta::set(pod, &["status", "qosClass"], class.clone());
            }
            fill_conditions(pod);
            follow_pod_ip(pod, old);
            if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
                status.remove("resourceClaimStatuses");
                status.remove("observedGeneration");
            }
        }
        "ephemeralcontainers" => {
            let containers = meta::remove(pod, &["spec", "ephemeralContainers"]);
            keep_all_but(pod, old, |kept| {
                let path = ["spec", "ephemeralContainers"];
                match containers {
                    Some(containers) => meta::set(kept, &path, containers),
                    None => drop(meta::remove(kept, &path)),
                }
            });
        }
        "resize" => {
            let spec = pod.get("spec").cloned().unwrap_or_default();
            keep_all_but(pod, old, |kept| take_resources(kept, &spec));
        }
        _ => {}
    }
}

/// Puts the old pod in place of the new one, but for its resource version and what `change`
/// brings over.
fn keep_all_but(pod: &mut Value, old: &Value, change: impl FnOnce(&mut Value)) {
    let mut kept = old.clone();
    for key in ["resourceVersion", "managedFields"] {
        if let Some(value) = meta::at(pod, &["metadata", key]) {
            meta::set(&mut kept, &["metadata", key], value.clone());
        }
    }
    change(&mut kept);
    *pod = kept;
}

fn take_resources(kept: &mut Value, spec: &Value) {
    let Some(kept) = kept.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    for key in ["containers", "initContainers"] {
        for container in fill::maps(kept, key) {
            let name = fill::get(container, "name");
            let Some(new) = list(spec, key).iter().find(|c| text(c, "name") == name) else {
                continue;
            };
            for key in ["resources", "resizePolicy"] {
                match new.get(key) {
                    Some(value) => drop(container.insert(key.to_owned(), value.clone())),
                    None => drop(container.remove(key)),
                }
            }
        }
    }
}

fn validate_create(pod: &Value) -> ErrorList {
    let mut errors = spec_errors(pod);
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec");
    if !list(spec, "ephemeralContainers").is_empty() {
        errors.forbidden(&at.child("ephemeralContainers"), "cannot be set on create");
    }
    if !text(spec, "nodeName").is_empty() && !list(spec, "schedulingGates").is_empty() {
        errors.forbidden(
            &at.child("nodeName"),
            "cannot be set until all schedulingGates have been cleared",
        );
    }
    let metadata = pod.get("metadata").unwrap_or(&Value::Null);
    pod_annotations::seccomp_matches(metadata, spec, &at, &mut errors);
    app_armor::matches(pod, &mut errors);
    errors
}

/// What is wrong with the pod as it stands, new or changed.
fn spec_errors(pod: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec");
    let metadata = pod.get("metadata").unwrap_or(&Value::Null);
    pod_annotations::validate(metadata, spec, &At::of("metadata.annotations"), &mut errors);
    let context = pod_spec::Context::pod(meta::name(pod));
    pod_spec::validate(spec, &context, &at, &mut errors);
    pod_spec::validate_only_pods(spec, &at, &mut errors);
    errors
}

fn validate_update(pod: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    match subresource {
        "status" => pod_status::validate(pod, old, &mut errors),
        "ephemeralcontainers" => pod_update::validate_ephemeral(pod, old, &mut errors),
        "resize" => pod_update::validate_resize(pod, old, &mut errors),
        _ => {
            errors = spec_errors(pod);
            pod_annotations::validate_update(pod, old, &mut errors);
            pod_update::validate_spec(pod, old, &mut errors);
        }
    }
    errors
}

fn warnings(pod: &Value, old: Option<&Value>) -> Vec<String> {
    // Only on creation and where the spec changed, so that controllers are not flooded.
    if old.is_some_and(|old| old.get("spec") == pod.get("spec")) {
        return Vec::new();
    }
    let metadata = pod.get("metadata").unwrap_or(&Value::Null);
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let mut warnings: Vec<String> = match old {
        None => pod_warnings::pod_name(meta::name(pod))
            .into_iter()
            .collect(),
        Some(_) => Vec::new(),
    };
    let (metadata_at, at) = (At::of("metadata"), At::of("spec"));
    warnings.extend(pod_warnings::pod_spec(
        metadata,
        spec,
        &metadata_at,
        &at,
        false,
    ));
    warnings
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
