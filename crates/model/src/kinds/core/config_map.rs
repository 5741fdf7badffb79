//! Config maps: keys, size, and immutability.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{is_true, map, same_field};

/// The most bytes that the values of a config map or secret may have together.
pub(super) const MAX_SIZE: usize = 1 << 20;

/// The rules of config maps.
pub(super) fn behavior() -> Behavior {
    Behavior {
        validate_create,
        validate_update,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn validate_create(config: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut size = 0usize;
    let binary = map(config, "binaryData");
    for (key, value) in map(config, "data").into_iter().flatten() {
        let at = At::of("data");
        let at = at.key(key);
        errors.invalid_each(&at, key, names::config_key(key));
        if binary.is_some_and(|b| b.contains_key(key)) {
            let detail = format!("duplicate of key present in binaryData: {key:?}");
            errors.invalid(&at, key.as_str(), detail);
        }
        size = size.saturating_add(value.as_str().map_or(0, str::len));
    }
    for (key, value) in binary.into_iter().flatten() {
        let at = At::of("binaryData");
        errors.invalid_each(&at.key(key), key, names::config_key(key));
        size = size.saturating_add(decoded_len(value));
    }
    if size > MAX_SIZE {
        // Upstream reports this at a path of one empty name, which it writes so.
        errors.too_long(&At::of("[]"), MAX_SIZE);
    }
    errors
}

/// The bytes that a base64 text stands for.
pub(super) fn decoded_len(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default();
    let padding = text.bytes().rev().take_while(|b| *b == b'=').count();
    let symbols = text.bytes().filter(|b| !b.is_ascii_whitespace()).count();
    symbols.saturating_sub(padding).saturating_mul(3) / 4
}

fn validate_update(config: &Value, old: &Value, _subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    if is_true(old, "immutable") {
        if !is_true(config, "immutable") {
            errors.forbidden(
                &At::of("immutable"),
                "field is immutable when `immutable` is set",
            );
        }
        for key in ["data", "binaryData"] {
            if !same_field(config, old, key) {
                errors.forbidden(&At::of(key), "field is immutable when `immutable` is set");
            }
        }
    }
    errors.extend(validate_create(config));
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keys_and_size() {
        assert!(validate_create(&json!({"data": {"a.b_c-D": "x"}})).is_empty());
        let errors = validate_create(&json!({"data": {"..": "x"}}));
        assert_eq!(
            texts(&errors),
            ["data[..]: Invalid value: \"..\": must not be '..'"]
        );
        let errors = validate_create(&json!({"data": {"a": "x"}, "binaryData": {"a": "eA=="}}));
        assert_eq!(
            texts(&errors),
            ["data[a]: Invalid value: \"a\": duplicate of key present in binaryData: \"a\""]
        );
        let errors = validate_create(&json!({"data": {"a": "x".repeat(MAX_SIZE + 1)}}));
        assert_eq!(
            texts(&errors),
            ["[]: Too long: may not be more than 1048576 bytes"]
        );
        assert_eq!(decoded_len(&json!("eA==")), 1);
        assert_eq!(decoded_len(&json!("eHh4")), 3);
    }

    #[test]
    fn immutable() {
        let old = json!({"immutable": true, "data": {"a": "b"}});
        assert!(validate_update(&old, &old, "").is_empty());
        let errors = validate_update(&json!({"data": {"a": "c"}}), &old, "");
        assert_eq!(
            texts(&errors),
            [
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set",
            ]
        );
    }
}
