//! `autoscaling`: horizontal pod autoscalers, whose defaults both versions share and whose rules
//! are those of `autoscaling/v2`, as which they are stored.

mod metrics;
mod scaling;

use super::core::fill;
use super::neutral;
use super::workload::{self, field};
use crate::Value;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, is_blank, text};
use serde_json::json;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "horizontalpodautoscalers").then(|| Behavior {
        default,
        validate_create: validate,
        validate_update: |scaler, _, subresource| match subresource {
            "status" => validate_status(scaler),
            _ => validate(scaler),
        },
        validate_name: names::object_subdomain,
        ..neutral()
    })
}

fn default(version: &str, scaler: &mut Value) {
    let Some(spec) = workload::spec_mut(scaler) else {
        return;
    };
    fill::absent(spec, "minReplicas", 1);
    // v1 keeps metrics in annotations, so that only v2 can tell whether there are any.
    if version == "v1" {
        return;
    }
    if is_blank(spec.get("metrics")) {
        let cpu = json!({"name": "cpu", "target": {
            "type": "Utilization", "averageUtilization": 80}});
        let metrics = json!([{"type": "Resource", "resource": cpu}]);
        spec.insert("metrics".to_owned(), metrics);
    }
    if let Some(behavior) = fill::map(spec, "behavior") {
        scaling::default(behavior);
    }
}

fn validate(scaler: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(scaler, "spec");
    let at = At::of("spec");
    let least = int(spec, "minReplicas");
    let most = int(spec, "maxReplicas").unwrap_or(0);
    if let Some(least) = least.filter(|least| *least < 1) {
        let at = at.child("minReplicas");
        errors.invalid(&at, least, "must be greater than or equal to 1");
    }
    let most_at = at.child("maxReplicas");
    if most < 1 {
        errors.invalid(&most_at, most, "must be greater than 0");
    }
    if least.is_some_and(|least| most < least) {
        let why = "must be greater than or equal to `minReplicas`";
        errors.invalid(&most_at, most, why);
    }
    let target_at = at.child("scaleTargetRef");
    reference(field(spec, "scaleTargetRef"), &target_at, &mut errors);
    metrics::validate(spec, &at.child("metrics"), &mut errors);
    if let Some(behavior) = get(spec, "behavior") {
        scaling::validate(behavior, &at.child("behavior"), &mut errors);
    }
    errors
}

/// Reports what is wrong with the name of another object.
fn reference(reference: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["kind", "name"] {
        let value = text(reference, key);
        if value.is_empty() {
            errors.required(&at.child(key), "");
        } else {
            errors.invalid_each(&at.child(key), value, names::path_segment(value));
        }
    }
}

fn validate_status(scaler: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let keys = ["currentReplicas", "desiredReplicas"];
    let at = At::of("status");
    workload::counts(field(scaler, "status"), &keys, &at, &mut errors);
    errors
}

#[cfg(test)]
mod tests;
