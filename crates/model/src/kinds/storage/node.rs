//! CSINodes.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::csi;
use crate::meta;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, list, same, text, texts};

const NODE_ID_MAX: usize = 256;

/// Reports what is wrong with a node's drivers.
pub(super) fn validate(node: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let drivers = meta::list(node, &["spec", "drivers"]);
    let at = At::of("spec.drivers");
    for (i, driver) in drivers.iter().enumerate() {
        let at = at.index(i);
        let name = text(driver, "name");
        csi::driver_name(name, &at.child("name"), &mut errors);
        let id = text(driver, "nodeID");
        if id.is_empty() {
            errors.required(&at.child("nodeID"), "");
        }
        if id.len() > NODE_ID_MAX {
            let detail = format!("must be {NODE_ID_MAX} characters or less");
            errors.invalid(&at.child("nodeID"), id, detail);
        }
        if let Some(count) = get(driver, "allocatable").and_then(|a| int(a, "count")) {
            errors.non_negative(&at.child("allocatable").child("count"), count);
        }
        if drivers.iter().take(i).any(|d| text(d, "name") == name) {
            errors.duplicate(&at.child("name"), name);
        }
        let mut seen = Vec::new();
        for key in texts(driver, "topologyKeys") {
            if key.is_empty() {
                errors.required(&at, key);
            }
            if seen.contains(&key) {
                errors.duplicate(&at, key);
            }
            seen.push(key);
            errors.invalid_each(&at, key, names::qualified_name(key));
        }
    }
    errors
}

/// Reports what is wrong with changed drivers: an entry may come or go, but not change.
pub(super) fn validate_update(node: &Value, old: &Value) -> ErrorList {
    let mut errors = validate(node);
    let none = Value::Null;
    let new_spec = node.get("spec").unwrap_or(&none);
    for was in meta::list(old, &["spec", "drivers"]) {
        for is in list(new_spec, "drivers") {
            if text(was, "name") == text(is, "name") && !same(Some(is), Some(was)) {
                errors.invalid(&At::of("spec.drivers"), is.clone(), "field is immutable");
            }
        }
    }
    errors
}
