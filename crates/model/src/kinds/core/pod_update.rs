//! What may change in a pod, on the pod itself and on its subresources.

use super::diff::diff;
use super::pod_qos;
use super::pod_spec;
use crate::Value;
use crate::field::ErrorList;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{entries, get, int, list, map, same, same_field, text};
use std::collections::BTreeSet;

const UPDATABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,\
    `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
    `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

fn spec(pod: &Value) -> &Value {
    pod.get("spec").unwrap_or(&Value::Null)
}

/// Reports what may not change in a pod's spec.
pub(crate) fn validate_spec(pod: &Value, old_pod: &Value, errors: &mut ErrorList) {
    let at = At::of("spec");
    let (new, old) = (spec(pod), spec(old_pod));
    let mut munged = new.clone();
    for key in ["containers", "initContainers"] {
        let list_at = at.child(key);
        let (now, was) = (list(new, key), list(old, key));
        if now.len() != was.len() {
            errors.forbidden(&list_at, "pod updates may not add or remove containers");
            return;
        }
        let containers = munged.get_mut(key).and_then(Value::as_array_mut);
        for (container, was) in containers.into_iter().flatten().zip(was) {
            take_back(container, was, "image");
        }
    }
    if !active_deadline(new, old, &at, errors) {
        return;
    }
    take_back(&mut munged, old, "activeDeadlineSeconds");
    only_added_tolerations(new, old, &at.child("tolerations"), errors);
    take_back(&mut munged, old, "tolerations");
    only_deleted_gates(new, old, &at.child("schedulingGates"), errors);
    take_back(&mut munged, old, "schedulingGates");
    let grace = |s: &Value| int(s, "terminationGracePeriodSeconds");
    if grace(old).is_some_and(|g| g < 0) && grace(new) == Some(1) {
        take_back(&mut munged, old, "terminationGracePeriodSeconds");
    }
    if !list(old, "schedulingGates").is_empty() {
        gated(new, old, &mut munged, &at, errors);
    }
    if !same(Some(&munged), Some(old)) {
        errors.forbidden(
            &at,
            format!(
                "pod updates may not change fields other than {UPDATABLE}\n{}",
                diff("core.PodSpec", old, &munged)
            ),
        );
    }
}

/// Puts the old value of a field that may change in place of the new one.
fn take_back(munged: &mut Value, old: &Value, key: &str) {
    if let Some(map) = munged.as_object_mut() {
        match old.get(key) {
            Some(value) => map.insert(key.to_owned(), value.clone()),
            None => map.remove(key),
        };
    }
}

fn active_deadline(new: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) -> bool {
    let at = at.child("activeDeadlineSeconds");
    let max = i64::from(i32::MAX);
    match (
        int(new, "activeDeadlineSeconds"),
        int(old, "activeDeadlineSeconds"),
    ) {
        (Some(now), _) if !(0..=max).contains(&now) => {
            errors.invalid(&at, now, names::range(0, max));
        }
        (Some(now), Some(was)) if was < now => {
            errors.invalid(&at, now, "must be less than or equal to previous value");
        }
        (None, Some(_)) => errors.invalid(
            &at,
            Value::Null,
            "must not update from a positive integer to nil value",
        ),
        _ => return true,
    }
    false
}

fn only_added_tolerations(new: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let alike = |a: &Value, b: &Value| {
        ["key", "operator", "value", "effect"]
            .iter()
            .all(|key| same_field(a, b, key))
    };
    let kept = list(old, "tolerations")
        .iter()
        .all(|was| list(new, "tolerations").iter().any(|now| alike(now, was)));
    if !kept {
        errors.forbidden(
            at,
            "existing toleration can not be modified except its tolerationSeconds",
        );
        return;
    }
    super::placement::validate_tolerations(list(new, "tolerations"), at, errors);
}

fn only_deleted_gates(new: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let was: BTreeSet<&str> = list(old, "schedulingGates")
        .iter()
        .map(|gate| text(gate, "name"))
        .collect();
    for (i, gate) in list(new, "schedulingGates").iter().enumerate() {
        let name = text(gate, "name");
        if !was.contains(name) {
            errors.forbidden(
                &at.index(i).child("name"),
                format!("only deletion is allowed, but found new scheduling gate '{name}'"),
            );
        }
    }
}

/// While scheduling gates hold a pod back, its node selector and required node affinity may
/// become narrower.
fn gated(new: &Value, old: &Value, munged: &mut Value, at: &At<'_>, errors: &mut ErrorList) {
    if !same_field(new, old, "nodeSelector") {
        let kept = entries(old, "nodeSelector")
            .all(|(key, value)| entries(new, "nodeSelector").any(|e| e == (key, value)));
        if !kept {
            errors.invalid(
                &at.child("nodeSelector"),
                new.get("nodeSelector").cloned().unwrap_or_default(),
                "only additions to spec.nodeSelector are allowed (no mutations or deletions)",
            );
        }
        take_back(munged, old, "nodeSelector");
    }
    let path = ["affinity", "nodeAffinity"];
    let (now, was) = (crate::meta::at(new, &path), crate::meta::at(old, &path));
    if same(now, was) {
        return;
    }
    let affinity_at = at.child("affinity");
    if !is_narrower(now, was) {
        errors.invalid(
            &affinity_at.child("nodeAffinity"),
            now.cloned().unwrap_or_default(),
            "no additions/deletions to non-empty NodeSelectorTerms list are allowed",
        );
    }
    match was {
        Some(was) => crate::meta::set(munged, &path, was.clone()),
        None => drop(crate::meta::remove(munged, &path)),
    }
}

/// Whether every term that is required stays and at most gains expressions; preferences may change
/// freely.
fn is_narrower(now: Option<&Value>, was: Option<&Value>) -> bool {
    let key = "requiredDuringSchedulingIgnoredDuringExecution";
    let required = |a: Option<&Value>| a.and_then(|a| get(a, key)).cloned();
    let (Some(was), now) = (required(was), required(now)) else {
        return true;
    };
    let Some(now) = now else {
        return false;
    };
    let (was, now) = (
        list(&was, "nodeSelectorTerms"),
        list(&now, "nodeSelectorTerms"),
    );
    was.len() == now.len()
        && was.iter().zip(now).all(|(was, now)| {
            let empty =
                list(was, "matchExpressions").is_empty() && list(was, "matchFields").is_empty();
            !empty
                && ["matchExpressions", "matchFields"].iter().all(|key| {
                    list(was, key).len() <= list(now, key).len()
                        && list(was, key)
                            .iter()
                            .zip(list(now, key))
                            .all(|(a, b)| same(Some(a), Some(b)))
                })
        })
}

/// Reports what may not change through `pods/ephemeralcontainers`: containers may only be added.
pub(crate) fn validate_ephemeral(pod: &Value, old_pod: &Value, errors: &mut ErrorList) {
    let at = At::of("spec");
    let list_at = at.child("ephemeralContainers");
    let (new, old) = (spec(pod), spec(old_pod));
    let annotations = crate::meta::annotations(old_pod);
    if annotations.contains_key("kubernetes.io/config.mirror") {
        errors.forbidden(
            &At::root(),
            "static pods do not support ephemeral containers",
        );
    }
    let context = pod_spec::Context::pod(crate::meta::name(pod));
    pod_spec::validate(new, &context, &at, errors);
    for was in list(old, "ephemeralContainers") {
        let name = text(was, "name");
        let now = list(new, "ephemeralContainers")
            .iter()
            .find(|c| text(c, "name") == name);
        match now {
            None => errors.forbidden(
                &list_at,
                format!("existing ephemeral containers {name:?} may not be removed\n"),
            ),
            Some(now) if !same(Some(now), Some(was)) => errors.forbidden(
                &list_at,
                format!(
                    "existing ephemeral containers {name:?} may not be changed\n{}",
                    diff("core.EphemeralContainer", was, now)
                ),
            ),
            Some(_) => {}
        }
    }
}

/// Reports what may not change through `pods/resize`: only CPU and memory of containers may, and
/// not so that the pod's QoS class would.
pub(crate) fn validate_resize(pod: &Value, old_pod: &Value, errors: &mut ErrorList) {
    let at = At::of("spec");
    let (new, old) = (spec(pod), spec(old_pod));
    if [new, old].iter().any(|spec| says_for_all(spec)) {
        errors.forbidden(
            &At::root(),
            "pods with pod-level resources cannot be resized",
        );
        return;
    }
    pod_spec::validate(
        new,
        &pod_spec::Context::pod(crate::meta::name(pod)),
        &at,
        errors,
    );
    if get(old, "os").is_some_and(|os| text(os, "name") == "windows") {
        errors.forbidden(&at, "windows pods cannot be resized");
    }
    if crate::meta::annotations(old_pod).contains_key("kubernetes.io/config.mirror") {
        errors.forbidden(&At::root(), "static pods cannot be resized");
    }
    if pod_qos::class(pod) != pod_qos::class(old_pod) {
        errors.invalid(
            &at,
            crate::meta::text(pod, &["status", "qosClass"]),
            "Pod QOS Class may not change as a result of resizing",
        );
    }
    for key in ["containers", "initContainers"] {
        if list(new, key).len() != list(old, key).len() {
            let detail = "pod updates may not add or remove containers";
            errors.forbidden(&at.child(key), detail);
            return;
        }
    }
    for key in ["initContainers", "containers"] {
        let list_at = at.child(key);
        for (i, (now, was)) in list(new, key).iter().zip(list(old, key)).enumerate() {
            if key == "containers" || is_sidecar(was) {
                let container_at = list_at.index(i);
                amounts_may_change(now, was, &container_at.child("resources"), errors);
            }
        }
    }
    let mut munged = new.clone();
    for key in ["containers", "initContainers"] {
        let containers = munged.get_mut(key).and_then(Value::as_array_mut);
        for (container, was) in containers.into_iter().flatten().zip(list(old, key)) {
            let what = match (key, is_sidecar(was)) {
                ("containers", _) => "only cpu and memory resources are mutable",
                (_, true) => "only cpu and memory resources for sidecar containers are mutable",
                _ => "resources for non-sidecar init containers are immutable",
            };
            if key == "containers" || is_sidecar(was) {
                take_back_amounts(container, was);
            }
            if !same(Some(container), Some(was)) {
                errors.forbidden(&at, what);
            }
            *container = was.clone();
        }
    }
    if !same(Some(&munged), Some(old)) {
        errors.forbidden(
            &at,
            format!(
                "only cpu and memory resources are mutable\n{}",
                diff("core.PodSpec", old, &munged)
            ),
        );
    }
}

/// Whether the pod itself requests or limits anything.
fn says_for_all(spec: &Value) -> bool {
    let own = get(spec, "resources").unwrap_or(&Value::Null);
    let is_said = |what| map(own, what).is_some_and(|amounts| !amounts.is_empty());
    is_said("requests") || is_said("limits")
}

fn is_sidecar(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

/// Puts the old amounts of CPU and memory in place of the new ones.
fn take_back_amounts(container: &mut Value, was: &Value) {
    for key in ["limits", "requests"] {
        for name in ["cpu", "memory"] {
            let path = ["resources", key, name];
            match crate::meta::at(was, &path) {
                Some(amount) => crate::meta::set(container, &path, amount.clone()),
                None => drop(crate::meta::remove(container, &path)),
            }
        }
    }
}

/// Reports amounts that were taken away, and limits of memory that became less, unless the
/// container is restarted for that.
fn amounts_may_change(now: &Value, was: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let amounts = |container: &'_ Value, key: &str| {
        let found = crate::meta::at(container, &["resources", key]).and_then(Value::as_object);
        found.cloned().unwrap_or_default()
    };
    for key in ["requests", "limits"] {
        let (now, was) = (amounts(now, key), amounts(was, key));
        if was.keys().any(|name| !now.contains_key(name)) {
            let detail = format!("resource {key} cannot be removed");
            errors.forbidden(&at.child(key), detail);
        }
    }
    let restarts = list(now, "resizePolicy")
        .iter()
        .find(|policy| text(policy, "resourceName") == "memory")
        .is_some_and(|policy| text(policy, "restartPolicy") == "RestartContainer");
    if restarts {
        return;
    }
    let limit = |container: &Value| {
        amounts(container, "limits")
            .get("memory")
            .and_then(Amount::of)
    };
    let what = match (limit(now), limit(was)) {
        (Some(now), Some(was)) if now < was => "decreased",
        (Some(_), None) => "added",
        _ => return,
    };
    errors.forbidden(
        &at.child("limits").key("memory"),
        format!("memory limits cannot be {what} unless resizePolicy is RestartContainer"),
    );
}
