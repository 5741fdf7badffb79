//! Pod templates as they stand inside other objects (deployments, jobs, …).

use super::{pod_annotations, pod_defaults, pod_spec};
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::object_meta;
use crate::validation::read::{get, list, text};

/// Fills in the defaults of a pod template (`spec.template` of most workloads).
pub fn default(template: &mut Value) {
    if let Some(template) = template.as_object_mut() {
        super::fill::empty_map(template, "metadata");
        super::fill::empty_map(template, "spec");
        if let Some(spec) = super::fill::map(template, "spec") {
            pod_defaults::pod_spec(spec);
        }
    }
}

/// Reports everything that is wrong with a pod template. `at` is where the template stands, such
/// as `spec.template`. The rules of its owner (restart policy, selector) are the owner's.
pub fn validate(template: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    // Upstream leaves `metadata` out of these paths.
    object_meta::labels(metadata, "labels", at, errors);
    object_meta::annotations(metadata, at, errors);
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let spec_at = at.child("spec");
    pod_annotations::validate(metadata, spec, &at.child("annotations"), errors);
    pod_spec::validate(spec, &pod_spec::Context::template(), &spec_at, errors);
    pod_annotations::seccomp_matches(metadata, spec, &spec_at, errors);
    if !list(spec, "ephemeralContainers").is_empty() {
        errors.forbidden(
            &spec_at.child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
}

/// Reports that the owner's selector would not find the pods of its template.
pub fn selector_mismatch(template: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let labels = crate::meta::at(template, &["metadata", "labels"]).cloned();
    errors.invalid(
        &at.child("metadata").child("labels"),
        labels.unwrap_or_default(),
        "`selector` does not match template `labels`",
    );
}

/// Reports what no template of pods that are to run on and on may have: a restart policy other
/// than `Always`, or a deadline. `owner` is the kind as the message names it.
pub fn validate_long_running(template: &Value, owner: &str, at: &At<'_>, errors: &mut ErrorList) {
    let spec = template.get("spec").unwrap_or(&Value::Null);
    let at = at.child("spec");
    let policy = text(spec, "restartPolicy");
    if policy != "Always" {
        errors.not_supported(&at.child("restartPolicy"), policy, &["Always"]);
    }
    if get(spec, "activeDeadlineSeconds").is_some() {
        errors.forbidden(
            &at.child("activeDeadlineSeconds"),
            format!("activeDeadlineSeconds in {owner} is not Supported"),
        );
    }
}
