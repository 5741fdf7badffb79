//! Rules of what else decides where a pod goes: tolerations, topology spread, scheduling gates,
//! readiness gates, resource claims.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, map, text, texts};
use crate::validation::{names, selector};
use std::collections::BTreeSet;

/// The effects of taints.
pub(crate) const TAINT_EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Reports what is wrong with a list of tolerations.
pub fn validate_tolerations(tolerations: &[Value], list_at: &At<'_>, errors: &mut ErrorList) {
    for (i, toleration) in tolerations.iter().enumerate() {
        let at = list_at.index(i);
        let (key, operator) = (text(toleration, "key"), text(toleration, "operator"));
        let (value, effect) = (text(toleration, "value"), text(toleration, "effect"));
        if !key.is_empty() {
            errors.invalid_each(&at.child("key"), key, names::qualified_name(key));
        } else if operator != "Exists" {
            errors.invalid(
                &at.child("operator"),
                operator,
                "operator must be Exists when `key` is empty, which means \"match all values and \
                 all keys\"",
            );
        }
        if get(toleration, "tolerationSeconds").is_some() && effect != "NoExecute" {
            errors.invalid(
                &at.child("effect"),
                effect,
                "effect must be 'NoExecute' when `tolerationSeconds` is set",
            );
        }
        match operator {
            "Equal" | "" => {
                let messages = names::label_value(value);
                if !messages.is_empty() {
                    errors.invalid(&at.child("operator"), value, messages.join(";"));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    errors.invalid(
                        &at.child("operator"),
                        value,
                        "value must be empty when `operator` is 'Exists'",
                    );
                }
            }
            other => errors.not_supported(&at.child("operator"), other, &["Equal", "Exists"]),
        }
        if !effect.is_empty() && !TAINT_EFFECTS.contains(&effect) {
            errors.not_supported_in_order(&at.child("effect"), effect, TAINT_EFFECTS);
        }
    }
}

/// Reports what is wrong with `topologySpreadConstraints`.
pub(crate) fn topology_spread(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let constraints = list(spec, "topologySpreadConstraints");
    for (i, constraint) in constraints.iter().enumerate() {
        let at = list_at.index(i);
        errors.positive(
            &at.child("maxSkew"),
            int(constraint, "maxSkew").unwrap_or(0),
        );
        let key = text(constraint, "topologyKey");
        if key.is_empty() {
            errors.required(&at.child("topologyKey"), "can not be empty");
        }
        let action = text(constraint, "whenUnsatisfiable");
        let actions = &["DoNotSchedule", "ScheduleAnyway"];
        if !actions.contains(&action) {
            errors.not_supported(&at.child("whenUnsatisfiable"), action, actions);
        }
        let again = |later: &Value| {
            (text(later, "topologyKey"), text(later, "whenUnsatisfiable")) == (key, action)
        };
        // Upstream points at the first of two.
        if constraints.iter().skip(i + 1).any(again) {
            errors.duplicate(
                &at.child("{topologyKey, whenUnsatisfiable}"),
                format!("{{{key}, {action}}}"),
            );
        }
        if let Some(domains) = int(constraint, "minDomains") {
            let at = at.child("minDomains");
            errors.positive(&at, domains);
            if action != "DoNotSchedule" {
                let detail = format!(
                    "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                );
                errors.invalid(&at, domains, detail);
            }
        }
        for key in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            if let Some(policy) = get(constraint, key).and_then(Value::as_str)
                && !matches!(policy, "Honor" | "Ignore")
            {
                errors.not_supported(&at.child(key), policy, &["Honor", "Ignore"]);
            }
        }
        spread_label_keys(constraint, &at.child("matchLabelKeys"), errors);
        if let Some(selected) = get(constraint, "labelSelector") {
            selector::validate(selected, &at.child("labelSelector"), errors);
        }
    }
}

fn spread_label_keys(constraint: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    if list(constraint, "matchLabelKeys").is_empty() {
        return;
    }
    let Some(selected) = get(constraint, "labelSelector") else {
        errors.forbidden(
            list_at,
            "must not be specified when labelSelector is not set",
        );
        return;
    };
    let mut selected_keys: BTreeSet<&str> = map(selected, "matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    selected_keys.extend(
        list(selected, "matchExpressions")
            .iter()
            .map(|e| text(e, "key")),
    );
    for (i, key) in texts(constraint, "matchLabelKeys").enumerate() {
        let at = list_at.index(i);
        errors.invalid_each(&at, key, names::qualified_name(key));
        if selected_keys.contains(key) {
            errors.invalid(&at, key, "exists in both matchLabelKeys and labelSelector");
        }
    }
}

/// Reports what is wrong with `schedulingGates`.
pub(crate) fn scheduling_gates(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, gate) in list(spec, "schedulingGates").iter().enumerate() {
        let at = list_at.index(i);
        let name = text(gate, "name");
        errors.invalid_each(&at, name, names::qualified_name(name));
        if !seen.insert(name) {
            errors.duplicate(&at, name);
        }
    }
}

/// Reports what is wrong with `readinessGates`.
pub(crate) fn readiness_gates(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    for (i, gate) in list(spec, "readinessGates").iter().enumerate() {
        let condition = text(gate, "conditionType");
        let messages = names::qualified_name(condition);
        errors.invalid_each(
            &list_at.index(i).child("conditionType"),
            condition,
            messages,
        );
    }
}

/// Reports what is wrong with `resourceClaims`.
pub(crate) fn resource_claims(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, claim) in list(spec, "resourceClaims").iter().enumerate() {
        let at = list_at.index(i);
        let name = text(claim, "name");
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        } else if !seen.insert(name) {
            errors.duplicate(&at.child("name"), name);
        } else {
            errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
        }
        let keys = ["resourceClaimName", "resourceClaimTemplateName"];
        match keys.map(|key| get(claim, key).is_some()) {
            [false, false] => errors.invalid(
                &at,
                claim.clone(),
                "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
            ),
            [true, true] => errors.invalid(
                &at,
                claim.clone(),
                "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be \
                 specified",
            ),
            _ => {}
        }
        for key in keys {
            if let Some(name) = get(claim, key).and_then(Value::as_str) {
                errors.invalid_each(&at.child(key), name, names::dns1123_subdomain(name));
            }
        }
    }
}
