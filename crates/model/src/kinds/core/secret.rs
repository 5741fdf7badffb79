//! Secrets: types and what each needs, `stringData`, size and immutability. No error shows any
//! value of a secret.

use super::config_map::{MAX_SIZE, decoded_len};
use super::fill;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, is_true, map, same_field, text};
use crate::validation::{names, object_meta};
use crate::{Map, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The rules of secrets.
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

const ACCOUNT_ANNOTATION: &str = "kubernetes.io/service-account.name";
const DOCKER_CONFIG: &str = ".dockercfg";
const DOCKER_CONFIG_JSON: &str = ".dockerconfigjson";

fn default(_version: &str, secret: &mut Value) {
    let Some(secret) = secret.as_object_mut() else {
        return;
    };
    fill::text(secret, "type", "Opaque");
    // `stringData` is write-only: its texts go over `data`, in base64.
    if let Some(texts) = secret
        .remove("stringData")
        .as_ref()
        .and_then(Value::as_object)
    {
        if texts.is_empty() {
            return;
        }
        if !secret.get("data").is_some_and(Value::is_object) {
            secret.insert("data".to_owned(), Value::Object(Map::new()));
        }
        if let Some(data) = fill::map(secret, "data") {
            for (key, text) in texts {
                let encoded = STANDARD.encode(text.as_str().unwrap_or_default());
                data.insert(key.clone(), encoded.into());
            }
        }
    }
}

fn validate_create(secret: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let data = At::of("data");
    let mut size = 0usize;
    for (key, value) in map(secret, "data").into_iter().flatten() {
        errors.invalid_each(&data.key(key), key, names::config_key(key));
        size = size.saturating_add(decoded_len(value));
    }
    if size > MAX_SIZE {
        errors.too_long(&data, MAX_SIZE);
    }
    let entry = |key: &str| map(secret, "data").and_then(|d| d.get(key));
    match text(secret, "type") {
        "kubernetes.io/service-account-token" => {
            let annotations = meta::annotations(secret);
            if annotations
                .get(ACCOUNT_ANNOTATION)
                .is_none_or(|a| a.is_empty())
            {
                let at = At::of("metadata.annotations");
                errors.required(&at.key(ACCOUNT_ANNOTATION), "");
            }
        }
        "kubernetes.io/dockercfg" => docker(entry(DOCKER_CONFIG), DOCKER_CONFIG, &mut errors),
        "kubernetes.io/dockerconfigjson" => {
            docker(entry(DOCKER_CONFIG_JSON), DOCKER_CONFIG_JSON, &mut errors);
        }
        "kubernetes.io/basic-auth"
            if entry("username").is_none() && entry("password").is_none() =>
        {
            errors.required(&data.key("username"), "");
            errors.required(&data.key("password"), "");
        }
        "kubernetes.io/ssh-auth" if entry("ssh-privatekey").is_none_or(|v| decoded_len(v) == 0) => {
            errors.required(&data.key("ssh-privatekey"), "");
        }
        "kubernetes.io/tls" => {
            for key in ["tls.crt", "tls.key"] {
                if entry(key).is_none() {
                    errors.required(&data.key(key), "");
                }
            }
        }
        _ => {}
    }
    errors
}

fn docker(entry: Option<&Value>, key: &str, errors: &mut ErrorList) {
    let data = At::of("data");
    let at = data.key(key);
    let Some(value) = entry else {
        errors.required(&at, "");
        return;
    };
    let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
    let parsed = bytes
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Map>(&bytes).ok());
    if parsed.is_none() {
        errors.invalid(
            &at,
            "<secret contents redacted>",
            "invalid character in JSON",
        );
    }
}

fn validate_update(secret: &Value, old: &Value, _subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    object_meta::immutable_field(secret, old, "type", &At::root(), &mut errors);
    if is_true(old, "immutable") {
        if !is_true(secret, "immutable") {
            errors.forbidden(
                &At::of("immutable"),
                "field is immutable when `immutable` is set",
            );
        }
        if !same_field(secret, old, "data") {
            errors.forbidden(
                &At::of("data"),
                "field is immutable when `immutable` is set",
            );
        }
    }
    errors.extend(validate_create(secret));
    errors
}

fn warnings(secret: &Value, _old: Option<&Value>) -> Vec<String> {
    let mut warnings = Vec::new();
    if text(secret, "type") == "kubernetes.io/tls" {
        let empty = |key: &str| {
            get(secret, "data")
                .and_then(|d| get(d, key))
                .is_none_or(|v| decoded_len(v) == 0)
        };
        for key in ["tls.crt", "tls.key"] {
            if empty(key) {
                warnings.push(format!("data[{key}]: no value; a TLS secret needs one"));
            }
        }
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn created(mut secret: Value) -> Vec<String> {
        default("v1", &mut secret);
        let errors = validate_create(&secret);
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn string_data_goes_over_data() {
        let mut secret = json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "hi"}});
        default("v1", &mut secret);
        assert_eq!(
            secret,
            json!({"type": "Opaque", "data": {"a": "aGk=", "b": "eQ=="}})
        );
        let mut alone = json!({"stringData": {"a": ""}});
        default("v1", &mut alone);
        assert_eq!(alone, json!({"type": "Opaque", "data": {"a": ""}}));
    }

    #[test]
    fn each_type_has_its_needs() {
        let account = "metadata.annotations[kubernetes.io/service-account.name]: Required value";
        let cases: Vec<(Value, Vec<&str>)> = vec![
            (json!({}), vec![]),
            (json!({"type": "example.com/own"}), vec![]),
            (
                json!({"type": "kubernetes.io/service-account-token"}),
                vec![account],
            ),
            (
                json!({"type": "kubernetes.io/dockercfg"}),
                vec!["data[.dockercfg]: Required value"],
            ),
            (
                json!({"type": "kubernetes.io/dockerconfigjson",
                "stringData": {".dockerconfigjson": "hunter2"}}),
                vec![
                    "data[.dockerconfigjson]: Invalid value: \"<secret contents redacted>\": \
                      invalid character in JSON",
                ],
            ),
            (
                json!({"type": "kubernetes.io/dockerconfigjson",
                "stringData": {".dockerconfigjson": "{\"auths\":{}}"}}),
                vec![],
            ),
            (
                json!({"type": "kubernetes.io/basic-auth"}),
                vec![
                    "data[username]: Required value",
                    "data[password]: Required value",
                ],
            ),
            (
                json!({"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}),
                vec![],
            ),
            (
                json!({"type": "kubernetes.io/ssh-auth"}),
                vec!["data[ssh-privatekey]: Required value"],
            ),
            (
                json!({"type": "kubernetes.io/tls", "stringData": {"tls.crt": ""}}),
                vec!["data[tls.key]: Required value"],
            ),
        ];
        for (secret, want) in cases {
            assert_eq!(created(secret.clone()), want, "{secret}");
        }
    }

    #[test]
    fn size_limit() {
        let fits = created(json!({"stringData": {"a": "x".repeat(MAX_SIZE)}}));
        assert!(fits.is_empty());
        let over = created(json!({"stringData": {"a": "x".repeat(MAX_SIZE), "b": "y"}}));
        assert_eq!(over, ["data: Too long: may not be more than 1048576 bytes"]);
    }

    #[test]
    fn what_may_not_change() {
        let old = json!({"type": "Opaque", "immutable": true, "data": {"a": "eA=="}});
        let new = json!({"type": "a/b", "immutable": true, "data": {"a": "c2VjcmV0"}});
        let errors = validate_update(&new, &old, "");
        let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "type: Invalid value: \"a/b\": field is immutable",
                "data: Forbidden: field is immutable when `immutable` is set",
            ]
        );
        assert!(!texts.concat().contains("c2VjcmV0"));
    }
}
