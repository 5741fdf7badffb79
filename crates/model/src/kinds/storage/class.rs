//! StorageClasses.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{entries, get, list, same_field, text, texts};

const PARAMETERS_MAX: usize = 512;
const PARAMETERS_BYTES_MAX: usize = 256 * 1024;

/// Fills in the defaults.
pub(super) fn default(_version: &str, class: &mut Value) {
    if let Some(class) = class.as_object_mut() {
        fill::absent(class, "reclaimPolicy", "Delete");
        fill::absent(class, "volumeBindingMode", "Immediate");
    }
}

/// Reports what is wrong with a class.
pub(super) fn validate(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let provisioner = text(class, "provisioner");
    let at = At::of("provisioner");
    if provisioner.is_empty() {
        errors.required(&at, "");
    } else {
        let faults = names::qualified_name(&provisioner.to_lowercase());
        errors.invalid_each(&at, provisioner, faults);
    }
    parameters(class, &mut errors);
    let policy = text(class, "reclaimPolicy");
    let policies = ["Delete", "Retain"];
    if !policy.is_empty() && !policies.contains(&policy) {
        errors.not_supported(&At::of("reclaimPolicy"), policy, &policies);
    }
    let at = At::of("volumeBindingMode");
    let modes = ["Immediate", "WaitForFirstConsumer"];
    match get(class, "volumeBindingMode").and_then(Value::as_str) {
        None => errors.required(&at, ""),
        Some(mode) if !modes.contains(&mode) => errors.not_supported(&at, mode, &modes),
        Some(_) => {}
    }
    let terms = list(class, "allowedTopologies");
    let at = At::of("allowedTopologies");
    for (i, one) in terms.iter().enumerate() {
        let at = at.index(i);
        topology(one, &at, &mut errors);
        if terms
            .iter()
            .take(i)
            .any(|earlier| same_topology(earlier, one))
        {
            errors.duplicate(&at.child("matchLabelExpressions"), "");
        }
    }
    errors
}

fn parameters(class: &Value, errors: &mut ErrorList) {
    let at = At::of("parameters");
    if entries(class, "parameters").count() > PARAMETERS_MAX {
        errors.too_long(&at, PARAMETERS_MAX);
        return;
    }
    let mut size = 0;
    for (key, value) in entries(class, "parameters") {
        if key.is_empty() {
            errors.invalid(&at, key, "field can not be empty.");
        }
        size += key.len() + value.len();
    }
    if size > PARAMETERS_BYTES_MAX {
        errors.too_long(&at, PARAMETERS_BYTES_MAX);
    }
}

fn topology(term: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("matchLabelExpressions");
    let expressions = list(term, "matchLabelExpressions");
    if expressions.is_empty() {
        errors.required(&at, "");
    }
    for (i, expression) in expressions.iter().enumerate() {
        let at = at.index(i);
        let values_at = at.child("values");
        let values: Vec<_> = texts(expression, "values").collect();
        if values.is_empty() {
            errors.required(&values_at, "");
        }
        for (j, value) in values.iter().enumerate() {
            if values.iter().take(j).any(|v| v == value) {
                errors.duplicate(&values_at.index(j), *value);
            }
        }
        let key = text(expression, "key");
        errors.invalid_each(&at.child("key"), key, names::qualified_name(key));
        if expressions.iter().take(i).any(|e| text(e, "key") == key) {
            errors.duplicate(&at.child("key"), key);
        }
    }
}

/// Whether two terms ask for the same values of the same labels, in whatever order.
fn same_topology(a: &Value, b: &Value) -> bool {
    let sorted = |term| {
        let mut expressions: Vec<_> = list(term, "matchLabelExpressions")
            .iter()
            .map(|e| {
                let mut values: Vec<_> = texts(e, "values").collect();
                values.sort_unstable();
                (text(e, "key"), values)
            })
            .collect();
        expressions.sort();
        expressions
    };
    sorted(a) == sorted(b)
}

/// Reports what may not change of a class.
pub(super) fn validate_update(class: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for key in ["parameters", "provisioner", "reclaimPolicy"] {
        if !same_field(class, old, key) {
            errors.forbidden(&At::of(key), format!("updates to {key} are forbidden."));
        }
    }
    immutable_field(class, old, "volumeBindingMode", &At::root(), &mut errors);
    errors
}
