//! How fast an autoscaler may scale: `spec.behavior`.

use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, text};
use crate::{Map, Value};
use serde_json::json;

const WINDOW_MAX: i64 = 3600;
const PERIOD_MAX: i64 = 1800;

/// Fills in both directions.
pub(super) fn default(behavior: &mut Map) {
    for key in ["scaleUp", "scaleDown"] {
        fill::empty_map(behavior, key);
    }
    let fast = json!([
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]);
    if let Some(up) = fill::map(behavior, "scaleUp") {
        fill::absent(up, "stabilizationWindowSeconds", 0);
        fill::absent(up, "selectPolicy", "Max");
        fill::absent(up, "policies", fast);
    }
    if let Some(down) = fill::map(behavior, "scaleDown") {
        let all = json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]);
        fill::absent(down, "selectPolicy", "Max");
        fill::absent(down, "policies", all);
    }
}

/// Reports what is wrong with a behavior.
pub(super) fn validate(behavior: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["scaleUp", "scaleDown"] {
        if let Some(rules) = get(behavior, key) {
            validate_rules(rules, &at.child(key), errors);
        }
    }
}

fn validate_rules(rules: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(window) = int(rules, "stabilizationWindowSeconds") {
        let at = at.child("stabilizationWindowSeconds");
        if window < 0 {
            errors.invalid(&at, window, "must be greater than or equal to zero");
        }
        if window > WINDOW_MAX {
            let why = format!("must be less than or equal to {WINDOW_MAX}");
            errors.invalid(&at, window, why);
        }
    }
    if get(rules, "selectPolicy").is_some() {
        let policy = text(rules, "selectPolicy");
        let supported = ["Disabled", "Max", "Min"];
        if !supported.contains(&policy) {
            errors.not_supported(&at.child("selectPolicy"), policy, &supported);
        }
    }
    let policies = list(rules, "policies");
    let list_at = at.child("policies");
    if policies.is_empty() {
        errors.required(&list_at, "must specify at least one Policy");
    }
    for (i, policy) in policies.iter().enumerate() {
        validate_policy(policy, &list_at.index(i), errors);
    }
}

fn validate_policy(policy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let kind = text(policy, "type");
    if !matches!(kind, "Percent" | "Pods") {
        errors.not_supported(&at.child("type"), kind, &["Percent", "Pods"]);
    }
    for key in ["value", "periodSeconds"] {
        errors.positive(&at.child(key), int(policy, key).unwrap_or(0));
    }
    if let Some(period) = int(policy, "periodSeconds").filter(|period| *period > PERIOD_MAX) {
        let why = format!("must be less than or equal to {PERIOD_MAX}");
        errors.invalid(&at.child("periodSeconds"), period, why);
    }
}
