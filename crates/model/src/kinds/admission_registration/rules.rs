//! Which requests a webhook or a policy is about.

use crate::Map;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, text, texts};
use crate::validation::selector;
use std::collections::BTreeSet;

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];

/// Fills in the match of a webhook or a policy: how versions match, the selectors, and the scope
/// of each of the rules in the list at `rules`.
pub(super) fn default(holder: &mut Map, rules: &[&str]) {
    fill::text(holder, "matchPolicy", "Equivalent");
    fill::empty_map(holder, "namespaceSelector");
    fill::empty_map(holder, "objectSelector");
    for key in rules {
        for rule in fill::maps(holder, key) {
            fill::absent(rule, "scope", "*");
        }
    }
}

/// Reports what is wrong with the match that [`default`] filled in, but for its rules.
pub(super) fn validate_match(holder: &Value, at: &At<'_>, errors: &mut ErrorList) {
    one_of(holder, "matchPolicy", &["Equivalent", "Exact"], at, errors);
    for key in ["namespaceSelector", "objectSelector"] {
        if let Some(selected) = get(holder, key) {
            selector::validate(selected, &at.child(key), errors);
        }
    }
}

/// Reports a value at `key`, if there is one, that is not among `supported`.
pub(super) fn one_of(
    holder: &Value,
    key: &str,
    supported: &[&str],
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    if get(holder, key).is_some() {
        let value = text(holder, key);
        if !supported.contains(&value) {
            errors.not_supported(&at.child(key), value, supported);
        }
    }
}

/// Reports what is wrong with the rules in a list at `at`.
pub(super) fn validate(rules: &[Value], at: &At<'_>, errors: &mut ErrorList) {
    for (i, rule) in rules.iter().enumerate() {
        let at = at.index(i);
        named(rule, "operations", "operations", &at, errors);
        let operations_at = at.child("operations");
        for (i, operation) in texts(rule, "operations").enumerate() {
            if !OPERATIONS.contains(&operation) {
                errors.not_supported(&operations_at.index(i), operation, &OPERATIONS);
            }
        }
        named(rule, "apiGroups", "API groups", &at, errors);
        named(rule, "apiVersions", "API versions", &at, errors);
        let versions_at = at.child("apiVersions");
        for (i, version) in texts(rule, "apiVersions").enumerate() {
            if version.is_empty() {
                errors.required(&versions_at.index(i), "");
            }
        }
        resources(rule, &at.child("resources"), errors);
        one_of(rule, "scope", &SCOPES, &at, errors);
    }
}

/// Reports a list that is empty, or names things beside `*`.
fn named(rule: &Value, key: &str, things: &str, at: &At<'_>, errors: &mut ErrorList) {
    let given = list(rule, key);
    let at = at.child(key);
    if given.is_empty() {
        errors.required(&at, "");
    }
    if given.len() > 1 && texts(rule, key).any(|one| one == "*") {
        let why = format!("if '*' is present, must not specify other {things}");
        errors.invalid(&at, given.to_vec(), why);
    }
}

fn resources(rule: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let given: BTreeSet<&str> = texts(rule, "resources").collect();
    let count = list(rule, "resources").len();
    if count == 0 {
        errors.required(at, "");
    }
    for (i, resource) in texts(rule, "resources").enumerate() {
        let at = at.index(i);
        match resource.split_once('/') {
            _ if resource.is_empty() => errors.required(&at, ""),
            Some((main, sub)) => {
                for wide in [format!("{main}/*"), format!("*/{sub}")] {
                    if wide != resource && wide != "*/*" && given.contains(wide.as_str()) {
                        let why = format!("if '{wide}' is present, must not specify {resource}");
                        errors.invalid(&at, resource, why);
                    }
                }
            }
            None => {}
        }
    }
    let whole = given.iter().filter(|one| !one.contains('/')).count();
    let why = if count > 1 && given.contains("*/*") {
        "if '*/*' is present, must not specify other resources"
    } else if given.contains("*") && whole > 1 {
        "if '*' is present, must not specify other resources without subresources"
    } else {
        return;
    };
    errors.invalid(at, list(rule, "resources").to_vec(), why);
}
