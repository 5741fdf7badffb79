//! Namespaces: their phase, their finalizers and the label that carries their name.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, texts};
use crate::validation::{names, object_meta};
use serde_json::json;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The rules of namespaces.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create,
        prepare_update,
        validate_create,
        validate_update,
        validate_name: names::object_label,
        ..neutral()
    }
}

fn default(_version: &str, namespace: &mut Value) {
    // The name decides; a label of another value would let selectors be fooled.
    let name = meta::name(namespace).to_owned();
    if !name.is_empty() {
        meta::set(namespace, &["metadata", "labels", NAME_LABEL], name);
    }
    if namespace.is_object() {
        meta::map_mut(namespace, &["spec"]);
    }
}

fn prepare_create(namespace: &mut Value) {
    meta::set(namespace, &["status"], json!({"phase": "Active"}));
    let finalizers = meta::map_mut(namespace, &["spec"])
        .entry("finalizers")
        .or_insert(Value::Null);
    match finalizers {
        Value::Array(list) => {
            if !list.iter().any(|f| f == "kubernetes") {
                list.push("kubernetes".into());
            }
        }
        other => *other = json!(["kubernetes"]),
    }
}

fn prepare_update(namespace: &mut Value, old: &Value, subresource: &str) {
    let keep = |namespace: &mut Value, path: &[&str]| match meta::at(old, path) {
        Some(value) => meta::set(namespace, path, value.clone()),
        None => drop(meta::remove(namespace, path)),
    };
    match subresource {
        "" => {
            keep(namespace, &["spec", "finalizers"]);
            keep(namespace, &["status"]);
        }
        "finalize" => keep(namespace, &["status"]),
        _ => {}
    }
}

fn validate_create(namespace: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    finalizers(namespace, &mut errors);
    errors
}

fn finalizers(namespace: &Value, errors: &mut ErrorList) {
    let spec = namespace.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec.finalizers");
    for finalizer in texts(spec, "finalizers") {
        errors.invalid_each(&at, finalizer, names::qualified_name(finalizer));
        let standard = matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion");
        if !finalizer.contains('/') && !standard {
            errors.invalid(
                &at,
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            );
        }
    }
}

fn validate_update(namespace: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    match subresource {
        "status" => {
            let phase = meta::text(namespace, &["status", "phase"]);
            let (at, deleted) = (
                At::of("status.phase"),
                meta::at(namespace, &["metadata", "deletionTimestamp"]).is_some(),
            );
            if !deleted && phase != "Active" {
                let detail = "may only be 'Active' if `deletionTimestamp` is empty";
                errors.invalid(&at, phase, detail);
            }
            if deleted && phase != "Terminating" {
                let detail = "may only be 'Terminating' if `deletionTimestamp` is not empty";
                errors.invalid(&at, phase, detail);
            }
        }
        "finalize" => finalizers(namespace, &mut errors),
        _ => {
            let null = Value::Null;
            let spec = namespace.get("spec").unwrap_or(&null);
            let old_spec = old.get("spec").unwrap_or(&null);
            if list(spec, "finalizers") != list(old_spec, "finalizers")
                && get(spec, "finalizers").is_some()
            {
                object_meta::immutable_field(
                    spec,
                    old_spec,
                    "finalizers",
                    &At::of("spec"),
                    &mut errors,
                );
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_namespace() {
        let mut namespace = json!({"metadata": {"name": "n"}});
        default("v1", &mut namespace);
        prepare_create(&mut namespace);
        assert_eq!(
            namespace,
            json!({
                "metadata": {"name": "n", "labels": {NAME_LABEL: "n"}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            })
        );
        assert!(validate_create(&namespace).is_empty());
    }

    #[test]
    fn finalizers_change_through_finalize_only() {
        let old = json!({"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}});
        let mut new = json!({"spec": {"finalizers": []}, "status": {"phase": "x"}});
        prepare_update(&mut new, &old, "");
        assert_eq!(new, old);
        let mut new = json!({"spec": {"finalizers": []}, "status": {"phase": "x"}});
        prepare_update(&mut new, &old, "finalize");
        assert_eq!(
            new,
            json!({"spec": {"finalizers": []}, "status": {"phase": "Active"}})
        );
    }

    #[test]
    fn phase_follows_deletion() {
        let new = json!({"metadata": {}, "status": {"phase": "Terminating"}});
        let errors = validate_update(&new, &new, "status");
        assert_eq!(
            errors[0].to_string(),
            "status.phase: Invalid value: \"Terminating\": may only be 'Active' if \
             `deletionTimestamp` is empty"
        );
    }
}
