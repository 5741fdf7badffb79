//! Reading parsed objects without trusting their shape: what is missing, null or of another type
//! reads as the zero value, the way Go's decoder would have left it.

use crate::{Map, Value};

/// The field `key`, unless it is missing or null.
pub fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|v| !v.is_null())
}

/// The text at `key`, or `""`.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The list at `key`, or an empty one.
pub fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The whole number at `key`.
pub fn int(value: &Value, key: &str) -> Option<i64> {
    value.get(key).and_then(Value::as_i64)
}

/// The truth value at `key`; `None` if it is not set.
pub fn flag(value: &Value, key: &str) -> Option<bool> {
    value.get(key).and_then(Value::as_bool)
}

/// Whether the truth value at `key` is set and true.
pub fn is_true(value: &Value, key: &str) -> bool {
    flag(value, key) == Some(true)
}

/// The map at `key`.
pub fn map<'a>(value: &'a Value, key: &str) -> Option<&'a Map> {
    value.get(key).and_then(Value::as_object)
}

/// The entries of the map at `key` whose values are texts; other values read as `""`.
pub fn entries<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    map(value, key)
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str(), v.as_str().unwrap_or_default()))
}

/// The texts of the list at `key`; other values read as `""`.
pub fn texts<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    list(value, key)
        .iter()
        .map(|v| v.as_str().unwrap_or_default())
}

/// Whether a value says nothing: missing, null, `""`, an empty list or an empty map.
pub fn is_blank(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        Some(Value::Object(o)) => o.is_empty(),
        Some(_) => false,
    }
}

/// The field `key` of both, compared with [`same`].
pub fn same_field(a: &Value, b: &Value, key: &str) -> bool {
    same_at(Some(key), a.get(key), b.get(key))
}

/// Whether two values mean the same, as upstream's `apiequality.Semantic.DeepEqual` of the
/// decoded structs: a field that is missing equals one that is null or empty, and quantities
/// compare by amount.
pub fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    same_at(None, a, b)
}

fn same_at(key: Option<&str>, a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(Value::Object(x)), Some(Value::Object(y))) => {
            let amounts = matches!(key, Some("limits" | "requests" | "capacity" | "hard"));
            x.iter()
                .all(|(k, v)| same_entry(amounts, k, Some(v), y.get(k)))
                && y.iter()
                    .filter(|(k, _)| !x.contains_key(k.as_str()))
                    .all(|(k, v)| same_entry(amounts, k, None, Some(v)))
        }
        (Some(Value::Array(x)), Some(Value::Array(y))) => {
            x.len() == y.len()
                && x.iter()
                    .zip(y)
                    .all(|(v, w)| same_at(None, Some(v), Some(w)))
        }
        _ if a == b => true,
        (None | Some(Value::Null), _) => nothing(key, b),
        (_, None | Some(Value::Null)) => nothing(key, a),
        (Some(Value::Number(x)), Some(Value::Number(y))) => x.as_f64() == y.as_f64(),
        _ => false,
    }
}

fn same_entry(amounts: bool, key: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    if amounts && let (Some(x), Some(y)) = (a, b) {
        return x == y || super::amounts::equal(x, y);
    }
    same_at(Some(key), a, b)
}

/// Whether Go's decoder leaves the field as if it had not been written.
fn nothing(key: Option<&str>, value: Option<&Value>) -> bool {
    match value {
        Some(Value::Object(map)) => {
            // These are pointers whose mere presence says something.
            map.is_empty() && !key.is_some_and(|k| k.ends_with("elector") || k == "emptyDir")
        }
        // Plain (not pointer) fields, for which zero is the same as nothing.
        Some(Value::Bool(false)) => key.is_some_and(|k| PLAIN_FLAGS.contains(&k)),
        Some(Value::Number(n)) => {
            n.as_i64() == Some(0) && key.is_some_and(|k| PLAIN_NUMBERS.contains(&k))
        }
        other => is_blank(other),
    }
}

const PLAIN_FLAGS: &[&str] = &[
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
    "unschedulable",
];

const PLAIN_NUMBERS: &[&str] = &[
    "hostPort",
    "initialDelaySeconds",
    "nodePort",
    "partition",
    "healthCheckNodePort",
    "weight",
    "minReadySeconds",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn absent_and_empty_mean_the_same() {
        let cases = [
            (json!({"a": []}), json!({}), true),
            (json!({"a": null, "b": ""}), json!({}), true),
            (json!({"hostNetwork": false}), json!({}), true),
            (json!({"hostNetwork": true}), json!({}), false),
            (json!({"runAsUser": 0}), json!({}), false),
            (json!({"podSelector": {}}), json!({}), false),
            (json!({"a": [{}]}), json!({"a": []}), false),
            (
                json!({"requests": {"cpu": "1"}}),
                json!({"requests": {"cpu": "1000m"}}),
                true,
            ),
            (
                json!({"requests": {"cpu": "1"}}),
                json!({"requests": {"cpu": "2"}}),
                false,
            ),
            (json!({"name": "1"}), json!({"name": "1000m"}), false),
        ];
        for (a, b, want) in cases {
            assert_eq!(same(Some(&a), Some(&b)), want, "{a} {b}");
            assert_eq!(same(Some(&b), Some(&a)), want, "{b} {a}");
        }
    }
}
