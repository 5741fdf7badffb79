//! ValidatingAdmissionPolicies and their bindings.

use super::rules;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::workload::{self, field};
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, list, text, texts};
use crate::validation::selector;
use std::collections::BTreeSet;

const RULE_LISTS: [&str; 2] = ["resourceRules", "excludeResourceRules"];

/// Fills in a policy.
pub(super) fn default(policy: &mut Value) {
    let Some(spec) = workload::spec_mut(policy) else {
        return;
    };
    fill::text(spec, "failurePolicy", "Fail");
    if let Some(constraints) = fill::map(spec, "matchConstraints") {
        rules::default(constraints, &RULE_LISTS);
    }
}

/// Fills in a binding.
pub(super) fn default_binding(binding: &mut Value) {
    let spec = workload::spec_mut(binding);
    if let Some(resources) = spec.and_then(|spec| fill::map(spec, "matchResources")) {
        rules::default(resources, &RULE_LISTS);
    }
}

/// Reports what is wrong with a policy.
pub(super) fn validate(policy: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(policy, "spec");
    let at = At::of("spec");
    rules::one_of(spec, "failurePolicy", &["Fail", "Ignore"], &at, &mut errors);
    if let Some(kind) = get(spec, "paramKind") {
        for key in ["apiVersion", "kind"] {
            if text(kind, key).is_empty() {
                errors.required(&at.child("paramKind").child(key), "");
            }
        }
    }
    let match_at = at.child("matchConstraints");
    match get(spec, "matchConstraints") {
        None => errors.required(&match_at, ""),
        Some(constraints) => {
            resources(constraints, &match_at, &mut errors);
            if list(constraints, "resourceRules").is_empty() {
                errors.required(&match_at.child("resourceRules"), "");
            }
        }
    }
    let (checks, notes) = (list(spec, "validations"), list(spec, "auditAnnotations"));
    if checks.is_empty() && notes.is_empty() {
        for key in ["validations", "auditAnnotations"] {
            let why = "validations or auditAnnotations must be non-empty";
            errors.required(&at.child(key), why);
        }
    }
    let list_at = at.child("validations");
    for (i, check) in checks.iter().enumerate() {
        if text(check, "expression").trim().is_empty() {
            let at = list_at.index(i);
            errors.required(&at.child("expression"), "expression is not specified");
        }
    }
    errors
}

fn resources(resources: &Value, at: &At<'_>, errors: &mut ErrorList) {
    rules::validate_match(resources, at, errors);
    for key in RULE_LISTS {
        rules::validate(list(resources, key), &at.child(key), errors);
    }
}

/// Reports what is wrong with a binding.
pub(super) fn validate_binding(binding: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(binding, "spec");
    let at = At::of("spec");
    let policy = text(spec, "policyName");
    if policy.is_empty() {
        errors.required(&at.child("policyName"), "");
    } else {
        let faults = names::dns1123_subdomain(policy);
        errors.invalid_each(&at.child("policyName"), policy, faults);
    }
    if let Some(reference) = get(spec, "paramRef") {
        parameter(reference, &at.child("paramRef"), &mut errors);
    }
    if let Some(given) = get(spec, "matchResources") {
        resources(given, &at.child("matchResources"), &mut errors);
    }
    actions(spec, &at.child("validationActions"), &mut errors);
    errors
}

fn parameter(reference: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(reference, "name");
    match (name.is_empty(), get(reference, "selector")) {
        (true, None) => errors.required(at, "one of name or selector must be specified"),
        (false, Some(_)) => {
            errors.forbidden(
                &at.child("name"),
                "name and selector are mutually exclusive",
            );
        }
        (true, Some(selected)) => selector::validate(selected, &at.child("selector"), errors),
        (false, None) => {
            errors.invalid_each(&at.child("name"), name, names::dns1123_subdomain(name));
        }
    }
    let key = "parameterNotFoundAction";
    if get(reference, key).is_none() {
        errors.required(&at.child(key), "");
    }
    rules::one_of(reference, key, &["Allow", "Deny"], at, errors);
}

fn actions(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let given = list(spec, "validationActions");
    if given.is_empty() {
        errors.required(at, "at least one validation action is required");
    }
    let mut seen = BTreeSet::new();
    for (i, action) in texts(spec, "validationActions").enumerate() {
        let supported = ["Audit", "Deny", "Warn"];
        if !supported.contains(&action) {
            errors.not_supported(&at.index(i), action, &supported);
        }
        if !seen.insert(action) {
            errors.duplicate(&at.index(i), action);
        }
    }
    if seen.contains("Deny") && seen.contains("Warn") {
        errors.invalid(
            at,
            given.to_vec(),
            "must not contain both Deny and Warn (repeating the same validation failure \
             information in the API response and headers serves no purpose)",
        );
    }
}
