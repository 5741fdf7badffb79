//! Nodes: taints, pod address ranges and capacity.

use super::placement::TAINT_EFFECTS;
use super::{fill, resources};
use crate::Value;
use crate::field::{ErrorList, FieldError};
use crate::kinds::neutral;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{list, map, same_field, text, texts};
use crate::validation::{names, net};
use serde_json::json;
use std::collections::BTreeSet;

/// The rules of nodes.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        validate_create,
        validate_update,
        warnings,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, node: &mut Value) {
    let Some(node) = node.as_object_mut() else {
        return;
    };
    if let Some(status) = fill::map(node, "status") {
        fill::round_amounts(status, "capacity");
        fill::round_amounts(status, "allocatable");
    }
    if let Some(status) = fill::map(node, "status")
        && let Some(capacity) = status.get("capacity").filter(|c| c.is_object()).cloned()
    {
        fill::absent(status, "allocatable", capacity);
    }
    if let Some(spec) = fill::map(node, "spec") {
        // `podCIDR` is the first of `podCIDRs`.
        let first = spec
            .get("podCIDRs")
            .and_then(Value::as_array)
            .and_then(|all| all.first())
            .and_then(Value::as_str)
            .map(str::to_owned);
        let single = fill::get(spec, "podCIDR").to_owned();
        match first {
            Some(first) => drop(spec.insert("podCIDR".to_owned(), first.into())),
            None if !single.is_empty() => {
                spec.insert("podCIDRs".to_owned(), json!([single]));
            }
            None => {}
        }
    }
}

fn validate_create(node: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let null = Value::Null;
    let spec = node.get("spec").unwrap_or(&null);
    taints(spec, &At::of("spec.taints"), &mut errors);
    capacity(node, &mut errors);
    let at = At::of("spec.podCIDRs");
    let mut families = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (i, range) in texts(spec, "podCIDRs").enumerate() {
        net::valid_cidr(range, &at.index(i), &mut errors);
        if !seen.insert(range) {
            errors.duplicate(&at.index(i), range);
        }
        families.extend(net::parse_cidr(range).map(|(ip, _)| ip.is_ipv4()));
    }
    let ranges = list(spec, "podCIDRs");
    if ranges.len() > 2 || (ranges.len() == 2 && families.len() < 2) {
        errors.invalid(
            &at,
            ranges.to_vec(),
            "may specify no more than one CIDR for each IP family",
        );
    }
    errors
}

fn taints(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, taint) in list(spec, "taints").iter().enumerate() {
        let at = list_at.index(i);
        let (key, value) = (text(taint, "key"), text(taint, "value"));
        errors.invalid_each(&at.child("key"), key, names::qualified_name(key));
        let messages = names::label_value(value);
        if !messages.is_empty() {
            errors.invalid(&at.child("value"), value, messages.join(";"));
        }
        let effect = text(taint, "effect");
        super::container::one_of(taint, "effect", TAINT_EFFECTS, &at, errors);
        if !seen.insert((key, effect)) {
            let mut error = FieldError::duplicate(&at.path(), taint.clone());
            error.detail = "taints must be unique by key and effect pair".to_owned();
            errors.add(error);
        }
    }
}

fn capacity(node: &Value, errors: &mut ErrorList) {
    let null = Value::Null;
    let status = node.get("status").unwrap_or(&null);
    let at = At::of("status");
    for key in ["capacity", "allocatable"] {
        let list_at = at.child(key);
        for (name, amount) in map(status, key).into_iter().flatten() {
            resources::validate_amount(name, amount, &list_at.child(name), errors);
        }
    }
}

fn validate_update(node: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = validate_create(node);
    let null = Value::Null;
    let (spec, was) = (
        node.get("spec").unwrap_or(&null),
        old.get("spec").unwrap_or(&null),
    );
    if subresource == "status" {
        addresses(node, &mut errors);
        return errors;
    }
    if !list(was, "podCIDRs").is_empty() && !same_field(spec, was, "podCIDRs") {
        errors.forbidden(
            &At::of("spec.podCIDRs"),
            "node updates may not change podCIDR except from \"\" to valid",
        );
    }
    if !text(was, "providerID").is_empty() && !same_field(spec, was, "providerID") {
        errors.forbidden(
            &At::of("spec.providerID"),
            "node updates may not change providerID except from \"\" to valid",
        );
    }
    errors
}

fn addresses(node: &Value, errors: &mut ErrorList) {
    let null = Value::Null;
    let status = node.get("status").unwrap_or(&null);
    let at = At::of("status.addresses");
    let mut seen = BTreeSet::new();
    for (i, entry) in list(status, "addresses").iter().enumerate() {
        if !seen.insert((text(entry, "type"), text(entry, "address"))) {
            errors.duplicate(&at.index(i), entry.clone());
        }
    }
}

fn warnings(node: &Value, _old: Option<&Value>) -> Vec<String> {
    let spec = node.get("spec").unwrap_or(&Value::Null);
    let mut warnings = Vec::new();
    if !crate::validation::read::is_blank(spec.get("configSource")) {
        warnings.push(
            "spec.configSource: the feature is no longer supported, the value is ignored"
                .to_owned(),
        );
    }
    if !text(spec, "externalID").is_empty() {
        warnings.push(
            "spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults() {
        let mut node = json!({"spec": {"podCIDR": "10.0.0.0/24"},
            "status": {"capacity": {"cpu": "2"}}});
        default("v1", &mut node);
        assert_eq!(node["spec"]["podCIDRs"], json!(["10.0.0.0/24"]));
        assert_eq!(node["status"]["allocatable"], json!({"cpu": "2"}));
    }

    #[test]
    fn rules() {
        let taint = json!({"key": "a", "effect": "NoSchedule"});
        let cases: Vec<(Value, Vec<&str>)> = vec![
            (json!({"taints": [taint]}), vec![]),
            (
                json!({"taints": [taint, taint]}),
                vec![
                    "spec.taints[1]: Duplicate value: {\"effect\":\"NoSchedule\",\"key\":\"a\"}: \
                      taints must be unique by key and effect pair",
                ],
            ),
            (
                json!({"taints": [{"key": "a"}]}),
                vec!["spec.taints[0].effect: Required value"],
            ),
            (
                json!({"taints": [{"key": "a", "effect": "X"}]}),
                vec!["spec.taints[0].effect: Unsupported value: \"X\""],
            ),
            (
                json!({"podCIDRs": ["x"]}),
                vec!["spec.podCIDRs[0]: Invalid value: \"x\""],
            ),
            (
                json!({"podCIDRs": ["10.0.0.0/8", "11.0.0.0/8"]}),
                vec![
                    "spec.podCIDRs: Invalid value: []string{\"10.0.0.0/8\", \"11.0.0.0/8\"}: may specify \
                      no more than one CIDR for each IP family",
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
        let errors = validate_create(&json!({"status": {"capacity": {"cpu": "-1"}}}));
        assert_eq!(
            texts_of(&errors),
            ["status.capacity.cpu: Invalid value: \"-1\": must be greater than or equal to 0"]
        );
    }

    #[test]
    fn what_may_not_change() {
        let old = json!({"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "a"}});
        let new = json!({"spec": {"podCIDRs": ["10.0.1.0/24"], "providerID": "b"}});
        assert_eq!(
            texts_of(&validate_update(&new, &old, "")),
            [
                "spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" \
                 to valid",
                "spec.providerID: Forbidden: node updates may not change providerID except from \
                 \"\" to valid",
            ]
        );
    }
}
