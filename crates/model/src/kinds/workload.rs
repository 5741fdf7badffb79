//! What the kinds that run pods from a template have in common.

use super::core::{fill, pod_template, replication_controller};
use crate::field::ErrorList;
use crate::selector::LabelSelector;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, int};
use crate::validation::selector;
use crate::{Map, Value, meta};

/// The field `key`, or null.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

/// The object's `spec`, made if it is not there: Go's plain struct gets its defaults all the same.
pub(crate) fn spec_mut(object: &mut Value) -> Option<&mut Map> {
    let object = object.as_object_mut()?;
    fill::empty_map(object, "spec");
    fill::map(object, "spec")
}

/// Fills in the pod template at `template`.
pub(crate) fn default_template(spec: &mut Map) {
    fill::empty_map(spec, "template");
    if let Some(template) = spec.get_mut("template") {
        pod_template::default(template);
    }
}

/// What the messages say of a selector that selects everything, or that cannot be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelectorTexts {
    /// Of one without any requirement.
    pub(crate) empty: &'static str,
    /// Of one with a requirement that makes no sense.
    pub(crate) broken: &'static str,
}

/// Reports what is wrong with the `selector` of a spec at `at`, and returns it if it can be read.
/// A missing one selects nothing.
pub(crate) fn validate_selector(
    spec: &Value,
    texts: SelectorTexts,
    at: &At<'_>,
    errors: &mut ErrorList,
) -> Option<LabelSelector> {
    let at = at.child("selector");
    match get(spec, "selector") {
        None => errors.required(&at, ""),
        Some(selected) => {
            selector::validate(selected, &at, errors);
            if selector::is_empty(selected) {
                errors.invalid(&at, selected.clone(), texts.empty);
            }
        }
    }
    let selected = field(spec, "selector");
    let read = LabelSelector::from_value(selected).ok();
    if read.is_none() {
        errors.invalid(&at, selected.clone(), texts.broken);
    }
    read
}

/// Reports a template at `at` that makes pods which the selector does not find.
pub(crate) fn validate_match(
    selector: &LabelSelector,
    template: &Value,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    if !selector.is_empty() && !selector.matches_object(template) {
        pod_template::selector_mismatch(template, at, errors);
    }
}

/// Reports a change of `spec.selector`.
pub(crate) fn selector_stays(object: &Value, old: &Value, errors: &mut ErrorList) {
    let at = At::of("spec");
    immutable_field(
        field(object, "spec"),
        field(old, "spec"),
        "selector",
        &at,
        errors,
    );
}

/// Reports numbers below zero in the fields `keys` of `holder`.
pub(crate) fn counts(holder: &Value, keys: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    for key in keys {
        errors.non_negative(&at.child(key), int(holder, key).unwrap_or(0));
    }
}

/// Reports counts in the fields `keys` of a status that are greater than its `replicas`.
pub(crate) fn within_replicas(status: &Value, keys: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    let count = |key: &str| int(status, key).unwrap_or(0);
    for key in keys {
        if count(key) > count("replicas") {
            let why = "cannot be greater than status.replicas";
            errors.invalid(&at.child(key), count(key), why);
        }
    }
}

/// Reports that the count of name collisions went backwards.
pub(crate) fn collisions_grow(object: &Value, old: &Value, errors: &mut ErrorList) {
    let count = |object| int(field(object, "status"), "collisionCount");
    let (new, old) = (count(object), count(old));
    if let Some(old) = old
        && new.is_none_or(|new| new < old)
    {
        let at = At::of("status.collisionCount");
        errors.invalid(&at, new.unwrap_or(0), "cannot be decremented");
    }
}

/// Warnings on a workload whose pods are named after it: on creation of the name, and of the
/// template at `path` whenever it is new.
pub(crate) fn warnings(object: &Value, old: Option<&Value>, path: &[&str]) -> Vec<String> {
    let mut warnings = Vec::new();
    if old.is_none() {
        warnings.extend(name_warning(object));
    }
    warnings.extend(replication_controller::template_warnings(object, old, path));
    warnings
}

fn name_warning(object: &Value) -> Option<String> {
    let faults = names::dns1123_label(meta::name(object));
    (!faults.is_empty()).then(|| {
        format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in \
             surprising behavior; a DNS label is recommended: [{}]",
            faults.join(" ")
        )
    })
}
