//! Rules of affinity: to nodes, to pods, away from pods; and of node selectors, which persistent
//! volumes share.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, map, text, texts};
use crate::validation::{names, selector};
use std::collections::BTreeSet;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

/// Reports what is wrong with `affinity` of a pod spec.
pub(crate) fn validate(affinity: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(node) = get(affinity, "nodeAffinity") {
        node_affinity(node, &at.child("nodeAffinity"), errors);
    }
    for key in ["podAffinity", "podAntiAffinity"] {
        if let Some(pod) = get(affinity, key) {
            pod_affinity(pod, &at.child(key), errors);
        }
    }
}

fn node_affinity(affinity: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(required) = get(affinity, REQUIRED) {
        node_selector(required, &at.child(REQUIRED), errors);
    }
    let list_at = at.child(PREFERRED);
    for (i, term) in list(affinity, PREFERRED).iter().enumerate() {
        let at = list_at.index(i);
        weight(term, &at, errors);
        let preference = term.get("preference").unwrap_or(&Value::Null);
        node_selector_term(preference, &at.child("preference"), errors);
    }
}

fn weight(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let weight = int(term, "weight").unwrap_or(0);
    if !(1..=100).contains(&weight) {
        errors.invalid(&at.child("weight"), weight, "must be in the range 1-100");
    }
}

/// Reports what is wrong with a node selector (`nodeSelectorTerms`).
pub(crate) fn node_selector(selector: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let list_at = at.child("nodeSelectorTerms");
    let terms = list(selector, "nodeSelectorTerms");
    if terms.is_empty() {
        errors.required(&list_at, "must have at least one node selector term");
    }
    for (i, term) in terms.iter().enumerate() {
        node_selector_term(term, &list_at.index(i), errors);
    }
}

/// Reports what is wrong with one term of a node selector.
pub(crate) fn node_selector_term(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let expressions = at.child("matchExpressions");
    for (i, requirement) in list(term, "matchExpressions").iter().enumerate() {
        label_requirement(requirement, &expressions.index(i), errors);
    }
    let fields = at.child("matchFields");
    for (i, requirement) in list(term, "matchFields").iter().enumerate() {
        field_requirement(requirement, &fields.index(i), errors);
    }
}

fn label_requirement(requirement: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let values = at.child("values");
    let given = list(requirement, "values").len();
    match text(requirement, "operator") {
        "In" | "NotIn" if given == 0 => errors.required(
            &values,
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        "Exists" | "DoesNotExist" if given > 0 => errors.forbidden(
            &values,
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        "Gt" | "Lt" if given != 1 => errors.required(
            &values,
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        ),
        "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
        other => errors.invalid(
            &at.child("operator"),
            other,
            "not a valid selector operator",
        ),
    }
    let key = text(requirement, "key");
    errors.invalid_each(&at.child("key"), key, names::qualified_name(key));
    for (i, value) in texts(requirement, "values").enumerate() {
        errors.invalid_each(&values.index(i), value, names::label_value(value));
    }
}

fn field_requirement(requirement: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let values = at.child("values");
    match text(requirement, "operator") {
        "In" | "NotIn" => {
            if list(requirement, "values").len() != 1 {
                errors.required(
                    &values,
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field \
                     selector",
                );
            }
        }
        other => errors.invalid(
            &at.child("operator"),
            other,
            "not a valid selector operator",
        ),
    }
    let key = text(requirement, "key");
    if key == "metadata.name" {
        for (i, value) in texts(requirement, "values").enumerate() {
            errors.invalid_each(&values.index(i), value, names::dns1123_subdomain(value));
        }
    } else {
        errors.invalid(&at.child("key"), key, "not a valid field selector key");
    }
}

fn pod_affinity(affinity: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let required = at.child(REQUIRED);
    for (i, term) in list(affinity, REQUIRED).iter().enumerate() {
        pod_affinity_term(term, &required.index(i), errors);
    }
    let preferred = at.child(PREFERRED);
    for (i, weighted) in list(affinity, PREFERRED).iter().enumerate() {
        let at = preferred.index(i);
        weight(weighted, &at, errors);
        let term = weighted.get("podAffinityTerm").unwrap_or(&Value::Null);
        pod_affinity_term(term, &at.child("podAffinityTerm"), errors);
    }
}

fn pod_affinity_term(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["labelSelector", "namespaceSelector"] {
        if let Some(value) = get(term, key) {
            selector::validate(value, &at.child(key), errors);
        }
    }
    for namespace in texts(term, "namespaces") {
        let messages = names::dns1123_label(namespace);
        errors.invalid_each(&at.child("namespace"), namespace, messages);
    }
    label_keys(term, at, errors);
    let key = text(term, "topologyKey");
    if key.is_empty() {
        errors.required(&at.child("topologyKey"), "can not be empty");
    }
    errors.invalid_each(&at.child("topologyKey"), key, names::qualified_name(key));
}

/// `matchLabelKeys` and `mismatchLabelKeys` extend the label selector, so they need one and may
/// not repeat it.
fn label_keys(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let selected = get(term, "labelSelector");
    let mismatch: BTreeSet<&str> = texts(term, "mismatchLabelKeys").collect();
    for key in ["matchLabelKeys", "mismatchLabelKeys"] {
        let list_at = at.child(key);
        if selected.is_none() && !list(term, key).is_empty() {
            errors.forbidden(
                &list_at,
                "must not be specified when labelSelector is not set",
            );
        }
        for (i, label) in texts(term, key).enumerate() {
            let at = list_at.index(i);
            errors.invalid_each(&at, label, names::qualified_name(label));
        }
    }
    selected_twice(term, at, errors);
    let list_at = at.child("matchLabelKeys");
    for (i, label) in texts(term, "matchLabelKeys").enumerate() {
        if mismatch.contains(label) {
            errors.invalid(
                &list_at.index(i),
                label,
                "exists in both matchLabelKeys and mismatchLabelKeys",
            );
        }
    }
}

/// The keys of `matchLabelKeys` were made expressions of the selector before; one that it already
/// had stands there twice now.
fn selected_twice(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(selected) = get(term, "labelSelector") else {
        return;
    };
    let keys: Vec<&str> = texts(term, "matchLabelKeys").collect();
    let mut seen: BTreeSet<&str> = map(selected, "matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect();
    for expression in list(selected, "matchExpressions") {
        let key = text(expression, "key");
        if let Some(i) = keys.iter().rposition(|k| *k == key)
            && seen.contains(key)
        {
            // The place is upstream's.
            let detail = "exists in both matchLabelKeys and labelSelector";
            errors.invalid(&at.index(i), key, detail);
        }
        seen.insert(key);
    }
}
