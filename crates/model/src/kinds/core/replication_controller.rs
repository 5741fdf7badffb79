//! Replication controllers, and pod templates as objects of their own.

use super::{fill, pod_template, pod_warnings};
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{entries, get, int, is_blank, map};
use serde_json::json;

/// The rules of replication controllers.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create: |controller| meta::set(controller, &["status"], json!({"replicas": 0})),
        validate_create,
        validate_update,
        warnings: |controller, old| template_warnings(controller, old, &["spec", "template"]),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

/// The rules of pod templates.
pub(super) fn template_behavior() -> Behavior {
    Behavior {
        default: |_, object| {
            if let Some(template) = object.get_mut("template") {
                pod_template::default(template);
            }
        },
        validate_create: validate_template,
        validate_update: |object, _, _| validate_template(object),
        warnings: |object, old| template_warnings(object, old, &["template"]),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn validate_template(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let template = object.get("template").unwrap_or(&Value::Null);
    pod_template::validate(template, &At::of("template"), &mut errors);
    errors
}

/// What is to be warned of in the pod template at `path`, unless a change leaves it as it was.
pub(crate) fn template_warnings(object: &Value, old: Option<&Value>, path: &[&str]) -> Vec<String> {
    let template = meta::at(object, path);
    if old.is_some_and(|old| meta::at(old, path) == template) {
        return Vec::new();
    }
    let Some(template) = template else {
        return Vec::new();
    };
    pod_warnings::template(template, &At::of(&path.join(".")))
}

fn default(_version: &str, controller: &mut Value) {
    let labels = meta::at(controller, &["spec", "template", "metadata", "labels"])
        .filter(|labels| !is_blank(Some(labels)))
        .cloned();
    if let Some(labels) = labels {
        for path in [["spec", "selector"], ["metadata", "labels"]] {
            if is_blank(meta::at(controller, &path)) {
                meta::set(controller, &path, labels.clone());
            }
        }
    }
    let Some(spec) = controller.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    fill::absent(spec, "replicas", 1);
    if let Some(template) = spec.get_mut("template") {
        pod_template::default(template);
    }
}

fn validate_create(controller: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let null = Value::Null;
    let spec = controller.get("spec").unwrap_or(&null);
    let at = At::of("spec");
    let seconds = int(spec, "minReadySeconds").unwrap_or(0);
    errors.non_negative(&at.child("minReadySeconds"), seconds);
    if is_blank(spec.get("selector")) {
        errors.required(&at.child("selector"), "");
    }
    match int(spec, "replicas") {
        None => errors.required(&at.child("replicas"), ""),
        Some(replicas) => errors.non_negative(&at.child("replicas"), replicas),
    }
    let template_at = at.child("template");
    let Some(template) = get(spec, "template") else {
        errors.required(&template_at, "");
        return errors;
    };
    let metadata = template.get("metadata").unwrap_or(&null);
    let labels = map(metadata, "labels");
    let selects = entries(spec, "selector")
        .all(|(key, value)| labels.and_then(|l| l.get(key)).and_then(Value::as_str) == Some(value));
    if !is_blank(spec.get("selector")) && !selects {
        pod_template::selector_mismatch(template, &template_at, &mut errors);
    }
    pod_template::validate(template, &template_at, &mut errors);
    pod_template::validate_long_running(
        template,
        "ReplicationController",
        &template_at,
        &mut errors,
    );
    errors
}

fn validate_update(controller: &Value, _old: &Value, subresource: &str) -> ErrorList {
    if subresource != "status" {
        return validate_create(controller);
    }
    let mut errors = ErrorList::new();
    let status = controller.get("status").unwrap_or(&Value::Null);
    let at = At::of("status");
    replica_counts(status, &at, &mut errors);
    errors
}

/// Reports counts of replicas that are negative or above the total; replica sets share this.
pub fn replica_counts(status: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let count = |key: &str| int(status, key).unwrap_or(0);
    for key in [
        "replicas",
        "fullyLabeledReplicas",
        "readyReplicas",
        "availableReplicas",
        "observedGeneration",
    ] {
        errors.non_negative(&at.child(key), count(key));
    }
    for key in ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        if count(key) > count("replicas") {
            errors.invalid(
                &at.child(key),
                count(key),
                "cannot be greater than status.replicas",
            );
        }
    }
    if count("availableReplicas") > count("readyReplicas") {
        errors.invalid(
            &at.child("availableReplicas"),
            count("availableReplicas"),
            "cannot be greater than readyReplicas",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Value {
        let mut controller = json!({"metadata": {"name": "c"}, "spec": {"template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]}}}});
        default("v1", &mut controller);
        controller
    }

    fn texts(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn minimal_is_valid() {
        let controller = minimal();
        assert_eq!(texts(&validate_create(&controller)), Vec::<String>::new());
        assert_eq!(controller["spec"]["selector"], json!({"a": "b"}));
        assert_eq!(controller["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(controller["spec"]["replicas"], 1);
    }

    #[test]
    fn rules() {
        let mut controller = minimal();
        controller["spec"]["selector"] = json!({"a": "c"});
        controller["spec"]["replicas"] = json!(-1);
        controller["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
        controller["spec"]["template"]["spec"]["activeDeadlineSeconds"] = json!(1);
        assert_eq!(
            texts(&validate_create(&controller)),
            [
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: `selector` does not \
                 match template `labels`",
                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported \
                 values: \"Always\"",
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in \
                 ReplicationController is not Supported",
            ]
        );
        let status = json!({"status": {"replicas": 1, "readyReplicas": 2}});
        assert_eq!(
            texts(&validate_update(&status, &status, "status")),
            ["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"]
        );
    }
}
