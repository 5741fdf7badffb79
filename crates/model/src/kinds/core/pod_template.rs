//! Pod templates as they stand inside other objects (deployments, jobs, …).

use super::{pod_defaults, pod_spec};
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::object_meta;
use crate::validation::read::list;

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
    pod_spec::validate(spec, &pod_spec::Context::template(), &spec_at, errors);
    if !list(spec, "ephemeralContainers").is_empty() {
        errors.forbidden(
            &spec_at.child("ephemeralContainers"),
            "ephemeral containers not allowed in pod template",
        );
    }
}
