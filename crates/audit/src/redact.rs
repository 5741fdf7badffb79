//! Taking secret values out of what is written.

use model::Value;

/// What stands in place of a value.
const REDACTED: &str = "<redacted>";

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Deeper values are cut off; decoders do not let them in.
const MAX_DEPTH: usize = 256;

/// Query parameters whose values are credentials, by what their names contain.
const PARAMETERS: [&str; 4] = ["token", "password", "secret", "apikey"];

/// Takes the secret values out of an object (or list, table or patch) of a request to
/// `resource` with `subresource` in `group`. Keys stay, so that the log still says which entries
/// were touched.
pub(crate) fn object(value: &mut Value, group: &str, resource: &str, subresource: &str) {
    match (group, resource, subresource) {
        ("", "secrets", _) => {
            if let Value::Array(operations) = value {
                // A JSON patch: any operation's value may be an entry or the whole map.
                for operation in operations {
                    hide(operation, "value");
                }
            } else {
                secrets(value, MAX_DEPTH);
            }
        }
        ("authentication.k8s.io", "tokenreviews", _) | ("", "serviceaccounts", "token") => {
            tokens(value);
        }
        _ => by_kind(value, MAX_DEPTH),
    }
}

/// Secrets and tokens inside of other things, such as a `List`.
fn by_kind(value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else {
        *value = REDACTED.into();
        return;
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| by_kind(item, depth)),
        Value::Object(map) => {
            match map.get("kind").and_then(Value::as_str) {
                Some("Secret" | "SecretList") => return secrets(value, depth),
                Some("TokenReview" | "TokenRequest") => return tokens(value),
                _ => {}
            }
            if let Value::Object(map) = value {
                map.values_mut().for_each(|item| by_kind(item, depth));
            }
        }
        _ => {}
    }
}

fn secrets(value: &mut Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else {
        *value = REDACTED.into();
        return;
    };
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| secrets(item, depth)),
        Value::Object(map) => {
            for (key, entry) in map.iter_mut() {
                match key.as_str() {
                    "data" | "stringData" => all(entry),
                    LAST_APPLIED => *entry = REDACTED.into(),
                    _ => secrets(entry, depth),
                }
            }
        }
        _ => {}
    }
}

/// Every value of a map; anything else as a whole.
fn all(value: &mut Value) {
    match value {
        Value::Null => {}
        // A null deletes an entry in a patch; that is worth knowing and no secret.
        Value::Object(map) => map
            .values_mut()
            .filter(|v| !v.is_null())
            .for_each(|v| *v = REDACTED.into()),
        other => *other = REDACTED.into(),
    }
}

fn tokens(value: &mut Value) {
    for part in ["spec", "status"] {
        if let Some(part) = value.get_mut(part) {
            hide(part, "token");
        }
    }
    if let Some(annotations) = value.pointer_mut("/metadata/annotations") {
        hide(annotations, LAST_APPLIED);
    }
    if let Value::Array(operations) = value {
        for operation in operations {
            hide(operation, "value");
        }
    }
}

fn hide(value: &mut Value, key: &str) {
    if let Some(entry) = value.get_mut(key).filter(|e| !e.is_null()) {
        *entry = REDACTED.into();
    }
}

/// Takes `metadata.managedFields` out of an object, and out of the items of a list.
pub(crate) fn managed_fields(value: &mut Value) {
    let strip = |object: &mut Value| {
        if let Some(Value::Object(meta)) = object.get_mut("metadata") {
            meta.remove("managedFields");
        }
    };
    strip(value);
    if let Some(Value::Array(items)) = value.get_mut("items") {
        items.iter_mut().for_each(strip);
    }
}

/// Path and query without the values of parameters that carry credentials.
pub(crate) fn uri(uri: &str) -> String {
    let Some((path, query)) = uri.split_once('?') else {
        return uri.to_owned();
    };
    let mut out = String::with_capacity(uri.len());
    out.push_str(path);
    for (index, parameter) in query.split('&').enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            // `continue` is called a token and is none: it only says where a list goes on.
            Some((name, _)) if is_credential(name) => {
                out.push_str(name);
                out.push_str("=REDACTED");
            }
            _ => out.push_str(parameter),
        }
    }
    out
}

fn is_credential(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    PARAMETERS.iter().any(|p| name.contains(p)) || name == "bearer" || name == "authorization"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secret_values_are_taken_out() {
        let secret = json!({
            "kind": "Secret",
            "metadata": {"name": "s", "annotations": {LAST_APPLIED: "{\"data\":\"HUNTER2\"}", "a": "b"}},
            "data": {"a": "HUNTER2", "b": null},
            "stringData": {"a": "HUNTER2"},
            "type": "Opaque",
        });
        let cases = [
            ("", "secrets", "", secret.clone()),
            (
                "",
                "secrets",
                "",
                json!({"kind": "SecretList", "items": [secret, secret]}),
            ),
            (
                "",
                "secrets",
                "",
                json!({"kind": "Table", "rows": [{"object": secret}]}),
            ),
            ("", "secrets", "", json!({"data": "HUNTER2"})),
            ("", "secrets", "", json!({"data": {"a": ["HUNTER2"]}})),
            (
                "",
                "secrets",
                "",
                json!([{"op": "add", "path": "/data/a", "value": "HUNTER2"}]),
            ),
            (
                "",
                "secrets",
                "",
                json!([{"op": "add", "path": "", "value": {"data": {"a": "HUNTER2"}}}]),
            ),
            (
                "",
                "pods",
                "",
                json!({"kind": "List", "items": [{"x": secret}]}),
            ),
            (
                "",
                "serviceaccounts",
                "token",
                json!({"status": {"token": "HUNTER2"}}),
            ),
            (
                "",
                "widgets",
                "",
                json!({"kind": "TokenRequest", "status": {"token": "HUNTER2"}}),
            ),
            (
                "authentication.k8s.io",
                "tokenreviews",
                "",
                json!({"spec": {"token": "HUNTER2"}}),
            ),
            (
                "authentication.k8s.io",
                "tokenreviews",
                "",
                json!({"spec": {}, "metadata": {"annotations": {LAST_APPLIED: "HUNTER2"}}}),
            ),
        ];
        for (group, resource, subresource, mut value) in cases {
            let before = value.clone();
            object(&mut value, group, resource, subresource);
            assert!(
                !value.to_string().contains("HUNTER2"),
                "{before} -> {value}"
            );
            assert!(value.to_string().contains(REDACTED), "{before} -> {value}");
        }
        let mut kept = secret;
        object(&mut kept, "", "secrets", "");
        assert_eq!(
            kept,
            json!({
                "kind": "Secret",
                "metadata": {"name": "s", "annotations": {LAST_APPLIED: REDACTED, "a": "b"}},
                "data": {"a": REDACTED, "b": null},
                "stringData": {"a": REDACTED},
                "type": "Opaque",
            })
        );
    }

    #[test]
    fn what_is_no_secret_stays() {
        let config = json!({"kind": "ConfigMap", "data": {"a": "b"}});
        let mut value = config.clone();
        object(&mut value, "", "configmaps", "");
        assert_eq!(value, config);
    }

    #[test]
    fn depth_does_not_matter() {
        let mut value = json!("HUNTER2");
        for _ in 0..400 {
            value = json!([value]);
        }
        object(&mut value, "", "pods", "");
        let mut deep = &value;
        let mut depth = 0;
        while let Some(inner) = deep.get(0) {
            deep = inner;
            depth += 1;
        }
        assert_eq!((deep, depth), (&json!(REDACTED), MAX_DEPTH));
    }

    #[test]
    fn uris_lose_credentials_only() {
        for (given, expected) in [
            ("/api/v1/pods", "/api/v1/pods"),
            ("/api?limit=5&continue=abc", "/api?limit=5&continue=abc"),
            ("/x?token=abc&a=b", "/x?token=REDACTED&a=b"),
            ("/x?access_token=abc", "/x?access_token=REDACTED"),
            ("/x?a=b&Client-Secret=abc", "/x?a=b&Client-Secret=REDACTED"),
            ("/x?token", "/x?token"),
            ("/x?", "/x?"),
        ] {
            assert_eq!(uri(given), expected);
        }
    }

    #[test]
    fn managed_fields_are_taken_out_of_lists_too() {
        let mut value = json!({"metadata": {"managedFields": [1]}, "items": [
            {"metadata": {"managedFields": [1], "name": "a"}}, {"spec": {}}, 5]});
        managed_fields(&mut value);
        assert_eq!(
            value,
            json!({"metadata": {}, "items": [{"metadata": {"name": "a"}}, {"spec": {}}, 5]})
        );
    }
}
