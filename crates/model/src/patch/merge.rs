//! JSON merge patch (RFC 7386), as upstream's library applies it.

use super::{PatchError, go_kind};
use crate::{Map, Value};

/// Applies a JSON merge patch: maps are merged member by member, null removes, anything else
/// replaces. Nulls in maps that are new to the object are left out, also (beyond the RFC, as
/// upstream's library does) below lists.
///
/// # Errors
/// `Malformed` if the patch is no JSON object.
pub fn merge_patch(target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let changes = match patch {
        Value::Object(map) => map,
        Value::Null => return Err(PatchError::Malformed("Invalid JSON Patch".to_owned())),
        other => {
            return Err(PatchError::Malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type \
                 map[string]interface {{}}",
                go_kind(other)
            )));
        }
    };
    let mut result = match target {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    merge(&mut result, changes);
    Ok(Value::Object(result))
}

fn merge(target: &mut Map, changes: &Map) {
    for (key, change) in changes {
        match (target.get_mut(key), change) {
            (_, Value::Null) => {
                target.remove(key);
            }
            (Some(Value::Object(below)), Value::Object(changes)) => merge(below, changes),
            (Some(slot), _) => *slot = without_nulls(change),
            (None, _) => {
                target.insert(key.clone(), without_nulls(change));
            }
        }
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(k, v)| (k.clone(), without_nulls(v)))
                .collect(),
        ),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn examples_of_the_rfc_hold() {
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (
                json!({"a": "b"}),
                json!({"b": "c"}),
                json!({"a": "b", "b": "c"}),
            ),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (
                json!({"a": "b", "b": "c"}),
                json!({"a": null}),
                json!({"b": "c"}),
            ),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (
                json!({"a": {"b": "c"}}),
                json!({"a": {"b": "d", "c": null}}),
                json!({"a": {"b": "d"}}),
            ),
            (
                json!({"a": [{"b": "c"}]}),
                json!({"a": [1]}),
                json!({"a": [1]}),
            ),
            (
                json!({"e": null}),
                json!({"a": 1}),
                json!({"e": null, "a": 1}),
            ),
            (
                json!({}),
                json!({"a": {"bb": {"ccc": null}}}),
                json!({"a": {"bb": {}}}),
            ),
            (
                json!([1, 2]),
                json!({"a": "b", "c": null}),
                json!({"a": "b"}),
            ),
            (json!({"a": {"x": 1}}), json!({}), json!({"a": {"x": 1}})),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(
                merge_patch(&target, &patch),
                Ok(expected),
                "{target} {patch}"
            );
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for (patch, why) in [
            (json!(null), "Invalid JSON Patch"),
            (
                json!(["a"]),
                "error decoding patch: json: cannot unmarshal array into Go value of type \
              map[string]interface {}",
            ),
            (
                json!(1),
                "error decoding patch: json: cannot unmarshal number into Go value of type \
              map[string]interface {}",
            ),
        ] {
            assert_eq!(
                merge_patch(&json!({}), &patch),
                Err(PatchError::Malformed(why.to_owned()))
            );
        }
    }
}
