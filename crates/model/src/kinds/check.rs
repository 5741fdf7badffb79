//! Calls the rules of a kind as the API server does, for tests.

use crate::Value;

/// The errors of a new object.
pub(crate) fn create(group: &str, plural: &str, object: &Value) -> Vec<String> {
    let errors = (super::behavior(group, plural).validate_create)(object);
    errors.iter().map(ToString::to_string).collect()
}

/// The errors of a changed object.
pub(crate) fn update(
    group: &str,
    plural: &str,
    object: &Value,
    old: &Value,
    subresource: &str,
) -> Vec<String> {
    let errors = (super::behavior(group, plural).validate_update)(object, old, subresource);
    errors.iter().map(ToString::to_string).collect()
}

/// The object with its defaults, which must not change when they are filled in again.
pub(crate) fn defaulted(group: &str, plural: &str, version: &str, object: &Value) -> Value {
    let default = super::behavior(group, plural).default;
    let mut once = object.clone();
    default(version, &mut once);
    let mut twice = once.clone();
    default(version, &mut twice);
    assert_eq!(once, twice, "defaulting is not idempotent");
    once
}
