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
use crate::validation::read::{list, text};
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

/// Image volumes are behind a gate that is off by default in 1.33.
fn drop_disabled(pod: &mut Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    drop_image_volumes(spec);
}

/// Volumes of images go, and with them what mounts them.
fn drop_image_volumes(spec: &mut Map) {
    let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) else {
        return;
    };
    let mut names: Vec<Value> = Vec::new();
    volumes.retain(|volume| {
        let is_image = volume.get("image").is_some_and(|image| !image.is_null());
        if is_image {
            names.extend(volume.get("name").cloned());
        }
        !is_image
    });
    if names.is_empty() {
        return;
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in fill::maps(spec, list) {
            let mounts = container.get_mut("volumeMounts");
            if let Some(mounts) = mounts.and_then(Value::as_array_mut) {
                let stays = |mount: &Value| mount.get("name").is_none_or(|n| !names.contains(n));
                mounts.retain(stays);
            }
        }
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
    let mut warnings = pod_warnings::annotations(metadata, &At::of("metadata"));
    // Of these the server warns before the fields follow from them (see [`app_armor`]).
    warnings.retain(|w| !w.contains(app_armor::ANNOTATION));
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    warnings.extend(pod_warnings::pod_spec(spec, &At::of("spec")));
    warnings
}

#[cfg(test)]
#[path = "pod_tests.rs"]
mod tests;
