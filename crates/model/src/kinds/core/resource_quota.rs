//! Resource quotas: names of what is limited, amounts, and scopes.

use super::{fill, resources};
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, list, map, text, texts};
use serde_json::json;
use std::collections::BTreeSet;

/// The rules of resource quotas.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default: |_, quota| {
            if let Some(spec) = quota.get_mut("spec").and_then(Value::as_object_mut) {
                fill::round_amounts(spec, "hard");
            }
        },
        prepare_create: |quota| meta::set(quota, &["status"], json!({})),
        validate_create,
        validate_update,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn validate_create(quota: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = quota.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec");
    amounts(spec, "hard", &at, &mut errors);
    scopes(spec, &at.child("scopes"), &mut errors);
    if let Some(selector) = get(spec, "scopeSelector") {
        scope_selector(spec, selector, &at.child("scopeSelector"), &mut errors);
    }
    errors
}

fn amounts(holder: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    let list_at = at.child(key);
    for (name, amount) in map(holder, key).into_iter().flatten() {
        let at = list_at.key(name);
        resources::validate_name(name, &at, errors);
        if !name.contains('/') && !is_quota_resource(name) {
            resources::invalid_name(name, "must be a standard resource for quota", &at, errors);
        }
        resources::validate_amount(name, amount, &at, errors);
    }
}

fn is_quota_resource(name: &str) -> bool {
    name != "storage" && resources::is_standard(name)
}

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
];

/// Whether a scope says something about a resource.
fn applies(scope: &str, resource: &str) -> bool {
    let compute = matches!(
        resource,
        "cpu"
            | "memory"
            | "limits.cpu"
            | "limits.memory"
            | "requests.cpu"
            | "requests.memory"
            | "ephemeral-storage"
            | "requests.ephemeral-storage"
            | "limits.ephemeral-storage"
    );
    match scope {
        "BestEffort" => resource == "pods",
        _ => resource == "pods" || compute,
    }
}

fn limited(spec: &Value) -> impl Iterator<Item = &str> {
    map(spec, "hard")
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .filter(|name| !name.contains('/') && is_quota_resource(name))
}

fn scopes(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let given = list(spec, "scopes");
    let shown = || Value::Array(given.to_vec());
    let mut seen = BTreeSet::new();
    for scope in texts(spec, "scopes") {
        if !SCOPES.contains(&scope) {
            errors.invalid(at, shown(), "unsupported scope");
        }
        for _ in limited(spec).filter(|name| !applies(scope, name)) {
            errors.invalid(at, shown(), "unsupported scope applied to resource");
        }
        seen.insert(scope);
    }
    for pair in [
        ["BestEffort", "NotBestEffort"],
        ["NotTerminating", "Terminating"],
    ] {
        if pair.iter().all(|scope| seen.contains(scope)) {
            errors.invalid(at, shown(), "conflicting scopes");
        }
    }
}

fn scope_selector(spec: &Value, selector: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("matchExpressions");
    let mut seen = BTreeSet::new();
    for term in list(selector, "matchExpressions") {
        let scope = text(term, "scopeName");
        if !SCOPES.contains(&scope) {
            errors.invalid(&at.child("scopeName"), scope, "unsupported scope");
        }
        for _ in limited(spec).filter(|name| !applies(scope, name)) {
            errors.invalid(
                &at,
                selector.clone(),
                "unsupported scope applied to resource",
            );
        }
        let operator = text(term, "operator");
        if SCOPES.contains(&scope) && scope != "PriorityClass" && operator != "Exists" {
            errors.invalid(
                &at.child("operator"),
                operator,
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                 ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, \
                 ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
            );
        }
        let values = list(term, "values");
        match operator {
            "In" | "NotIn" if values.is_empty() => errors.required(
                &at.child("values"),
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            ),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.invalid(
                &at.child("values"),
                values.to_vec(),
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.invalid(
                &at.child("operator"),
                other,
                "not a valid selector operator",
            ),
        }
        seen.insert(scope);
    }
    for pair in [
        ["BestEffort", "NotBestEffort"],
        ["NotTerminating", "Terminating"],
    ] {
        if pair.iter().all(|scope| seen.contains(scope)) {
            errors.invalid(&at, selector.clone(), "conflicting scopes");
        }
    }
}

fn validate_update(quota: &Value, old: &Value, subresource: &str) -> ErrorList {
    let null = Value::Null;
    if subresource == "status" {
        let mut errors = ErrorList::new();
        let status = quota.get("status").unwrap_or(&null);
        let at = At::of("status");
        amounts(status, "hard", &at, &mut errors);
        amounts(status, "used", &at, &mut errors);
        return errors;
    }
    let mut errors = validate_create(quota);
    let scopes = |quota: &Value| -> BTreeSet<String> {
        let spec = quota.get("spec").unwrap_or(&null);
        texts(spec, "scopes").map(str::to_owned).collect()
    };
    if scopes(quota) != scopes(old) {
        let now = meta::list(quota, &["spec", "scopes"]).to_vec();
        errors.invalid(&At::of("spec.scopes"), now, "field is immutable");
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules() {
        let cases: Vec<(Value, Vec<&str>)> = vec![
            (
                json!({"hard": {"pods": "1", "requests.cpu": "500m", "count/widgets.example.com": "2",
                "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
                "hugepages-2Mi": "4Mi", "requests.example.com/gpu": "1"}}),
                vec![],
            ),
            (
                json!({"hard": {"pods": "500m"}}),
                vec!["spec.hard[pods]: Invalid value: \"500m\": must be an integer"],
            ),
            (
                json!({"hard": {"storage": "1"}}),
                vec![
                    "spec.hard[storage]: Invalid value: storage: must be a standard resource \
                      for quota",
                ],
            ),
            (
                json!({"hard": {"x": "1"}}),
                vec![
                    "spec.hard[x]: Invalid value: x: must be a standard resource type or",
                    "spec.hard[x]: Invalid value: x: must be a standard resource for quota",
                ],
            ),
            (
                json!({"hard": {"cpu": "-1"}}),
                vec!["spec.hard[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"],
            ),
            (
                json!({"hard": {"pods": "1"}, "scopes": ["BestEffort", "NotBestEffort"]}),
                vec![
                    "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\", \"NotBestEffort\"}: conflicting \
                      scopes",
                ],
            ),
            (
                json!({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]}),
                vec![
                    "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"BestEffort\"}: unsupported scope applied to \
                      resource",
                ],
            ),
            (
                json!({"hard": {"pods": "1"}, "scopes": ["X"]}),
                vec![
                    "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"X\"}: unsupported scope",
                ],
            ),
            (
                json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions":
                [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}}),
                vec![],
            ),
            (
                json!({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions":
                [{"scopeName": "PriorityClass", "operator": "In"}]}}),
                vec![
                    "spec.scopeSelector.matchExpressions.values: Required value: must be at least",
                ],
            ),
        ];
        for (spec, want) in cases {
            let got = texts_of(&validate_create(&json!({"spec": spec})));
            assert_eq!(got.len(), want.len(), "{spec}: {got:?}");
            for (got, want) in got.iter().zip(want) {
                assert!(got.starts_with(want), "{got}");
            }
        }
    }

    #[test]
    fn scopes_stay() {
        let old = json!({"spec": {"scopes": ["BestEffort"]}});
        let new = json!({"spec": {"scopes": ["Terminating"]}});
        assert_eq!(
            texts_of(&validate_update(&new, &old, "")),
            [
                "spec.scopes: Invalid value: []core.ResourceQuotaScope{\"Terminating\"}: field is immutable"
            ]
        );
    }
}
