//! PodDisruptionBudgets.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, text};
use crate::validation::{names, selector};

/// Reports what is wrong with a budget.
pub(super) fn validate(budget: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = budget.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    let (least, most) = (get(spec, "minAvailable"), get(spec, "maxUnavailable"));
    if least.is_some() && most.is_some() {
        errors.invalid(
            &at,
            spec.clone(),
            "minAvailable and maxUnavailable cannot be both set",
        );
    }
    for (key, limit) in [("minAvailable", least), ("maxUnavailable", most)] {
        if let Some(limit) = limit {
            count_or_percent(limit, &at.child(key), &mut errors);
        }
    }
    if let Some(pods) = get(spec, "selector") {
        selector::validate(pods, &at.child("selector"), &mut errors);
    }
    if get(spec, "unhealthyPodEvictionPolicy").is_some() {
        let policy = text(spec, "unhealthyPodEvictionPolicy");
        let supported = ["IfHealthyBudget", "AlwaysAllow"];
        if !supported.contains(&policy) {
            errors.not_supported(&at.child("unhealthyPodEvictionPolicy"), policy, &supported);
        }
    }
    errors
}

/// Reports a limit that is no count of pods and no percentage up to 100.
fn count_or_percent(limit: &Value, at: &At<'_>, errors: &mut ErrorList) {
    match limit {
        Value::String(text) if !names::percent(text).is_empty() => {
            errors.invalid_each(at, text, names::percent(text));
        }
        Value::String(text) => {
            let percent: Option<u64> = text.strip_suffix('%').and_then(|n| n.parse().ok());
            if percent.is_none_or(|percent| percent > 100) {
                errors.invalid(at, text.as_str(), "must not be greater than 100%");
            }
        }
        other => errors.non_negative(at, other.as_i64().unwrap_or(0)),
    }
}

/// Reports what is wrong with a budget's status.
pub(super) fn validate_status(budget: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let status = budget.get("status").unwrap_or(&none);
    let at = At::of("status");
    super::super::conditions::validate(
        list(status, "conditions"),
        &at.child("conditions"),
        &mut errors,
    );
    for key in [
        "disruptionsAllowed",
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
    ] {
        errors.non_negative(&at.child(key), int(status, key).unwrap_or(0));
    }
    errors
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, update};
    use serde_json::json;

    const KIND: (&str, &str) = ("policy", "poddisruptionbudgets");

    #[test]
    fn limits() {
        let cases = [
            (json!({}), ""),
            (json!({"minAvailable": 1}), ""),
            (json!({"maxUnavailable": "100%"}), ""),
            (
                json!({"minAvailable": -1}),
                "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0",
            ),
            (
                json!({"minAvailable": "101%"}),
                "spec.minAvailable: Invalid value: \"101%\": must not be greater than 100%",
            ),
            (
                json!({"maxUnavailable": "1"}),
                "spec.maxUnavailable: Invalid value: \"1\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ),
            (
                json!({"maxUnavailable": 1, "minAvailable": 1}),
                "spec: Invalid value: {\"maxUnavailable\":1,\"minAvailable\":1}: minAvailable and maxUnavailable cannot be both set",
            ),
            (
                json!({"unhealthyPodEvictionPolicy": "x"}),
                "spec.unhealthyPodEvictionPolicy: Unsupported value: \"x\": supported values: \"AlwaysAllow\", \"IfHealthyBudget\"",
            ),
            (
                json!({"selector": {"matchExpressions": [{"key": "a", "operator": "x"}]}}),
                "spec.selector.matchExpressions[0].operator: Invalid value: \"x\": not a valid selector operator",
            ),
        ];
        for (spec, want) in cases {
            let budget = json!({"spec": spec});
            assert_eq!(create(KIND.0, KIND.1, &budget).join("; "), want, "{spec}");
        }
    }

    #[test]
    fn status() {
        let budget = json!({"status": {"disruptionsAllowed": -1, "conditions": [
            {"type": "DisruptionAllowed", "status": "True", "reason": "R", "lastTransitionTime": "2024-01-01T00:00:00Z"}]}});
        assert_eq!(
            update(KIND.0, KIND.1, &budget, &budget, "status"),
            ["status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0"]
        );
    }
}
