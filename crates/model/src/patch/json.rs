//! JSON patch (RFC 6902), with the departures of the library that upstream uses
//! (`evanphx/json-patch` v4): negative array indices count from the end, `replace` of a missing
//! member of an object adds it, and `test` for null holds where there is nothing.

use super::{MAX_DEPTH, MAX_JSON_PATCH_COPY_BYTES, MAX_JSON_PATCH_OPERATIONS, PatchError, go_kind};
use crate::Value;
use std::borrow::Cow;

/// Applies a JSON patch.
///
/// # Errors
/// `Malformed` if it is no list of operations, `TooLarge` if it has more than
/// [`MAX_JSON_PATCH_OPERATIONS`], `Unprocessable` if an operation does not fit the object. Nothing
/// is applied unless everything is.
pub fn json_patch(target: &Value, patch: &Value) -> Result<Value, PatchError> {
    let operations = decode(patch)?;
    let mut document = Document {
        root: target.clone(),
        copied: 0,
    };
    for operation in &operations {
        document
            .apply(operation)
            .map_err(PatchError::Unprocessable)?;
    }
    Ok(document.root)
}

/// One operation. Absent members stay `None`: which of them are needed depends on `op`.
struct Operation<'a> {
    op: &'a str,
    path: Option<&'a str>,
    from: Option<&'a str>,
    value: Option<&'a Value>,
}

fn decode(patch: &Value) -> Result<Vec<Operation<'_>>, PatchError> {
    let list = match patch {
        Value::Array(list) => list.as_slice(),
        // A nil slice in Go: no operations.
        Value::Null => &[],
        other => {
            return Err(PatchError::Malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type \
                 []handlers.jsonPatchOp",
                go_kind(other)
            )));
        }
    };
    if list.len() > MAX_JSON_PATCH_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_JSON_PATCH_OPERATIONS}, got {}",
            list.len()
        )));
    }
    list.iter().map(decode_operation).collect()
}

fn decode_operation(entry: &Value) -> Result<Operation<'_>, PatchError> {
    let map = match entry {
        Value::Object(map) => Some(map),
        // A nil map in Go: an operation without members.
        Value::Null => None,
        other => {
            return Err(PatchError::Malformed(format!(
                "error decoding patch: json: cannot unmarshal {} into Go value of type \
                 handlers.jsonPatchOp",
                go_kind(other)
            )));
        }
    };
    let text = |name: &str| match map.and_then(|map| map.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(other) => Err(PatchError::Malformed(format!(
            "error decoding patch: json: cannot unmarshal {} into Go struct field \
             jsonPatchOp.{name} of type string",
            go_kind(other)
        ))),
    };
    Ok(Operation {
        op: text("op")?.unwrap_or("unknown"),
        path: text("path")?,
        from: text("from")?,
        value: map.and_then(|map| map.get("value")),
    })
}

struct Document {
    root: Value,
    /// Bytes added by `copy` so far.
    copied: usize,
}

impl Document {
    fn apply(&mut self, operation: &Operation<'_>) -> Result<(), String> {
        let op = operation.op;
        let path = || {
            operation
                .path
                .ok_or_else(|| format!("{op} operation failed to decode path: missing value"))
        };
        let from = || {
            operation
                .from
                .ok_or_else(|| format!("{op} operation failed to decode from: missing value"))
        };
        match op {
            "add" => self.add(op, path()?, operation.value.cloned().unwrap_or_default()),
            "remove" => {
                let path = path()?;
                self.remove(op, path, "path").map(drop)
            }
            "replace" => self.replace(path()?, operation.value),
            "move" => {
                let value = self.remove(op, from()?, "from path")?;
                self.add(op, path()?, value)
            }
            "copy" => {
                let value = self.get(op, from()?)?.cloned().unwrap_or_default();
                self.copied = self.copied.saturating_add(encoded_length(&value));
                if self.copied > MAX_JSON_PATCH_COPY_BYTES {
                    return Err(format!(
                        "Unable to complete the copy, the accumulated size increase of copy is \
                         {}, exceeding the limit {MAX_JSON_PATCH_COPY_BYTES}",
                        self.copied
                    ));
                }
                self.add(op, path()?, value)
            }
            "test" => self.test(path()?, operation.value),
            other => Err(format!("Unexpected kind: {other}")),
        }
    }

    /// The container that holds the last step of `path`, and that step.
    fn parent<'p>(
        &mut self,
        op: &str,
        path: &'p str,
    ) -> Result<(&mut Value, Cow<'p, str>), String> {
        let missing = || {
            format!("{op} operation does not apply: doc is missing path: \"{path}\": missing value")
        };
        // What stands before the first slash is ignored, as upstream's library does.
        let (_, steps) = path.split_once('/').ok_or_else(missing)?;
        let (parents, last) = match steps.rsplit_once('/') {
            Some((parents, last)) => (Some(parents), last),
            None => (None, steps),
        };
        let mut here = &mut self.root;
        for step in parents.into_iter().flat_map(|p| p.split('/')) {
            here = match here {
                Value::Object(map) => map.get_mut(unescape(step).as_ref()),
                Value::Array(list) => index(step, list.len()).ok().and_then(|at| list.get_mut(at)),
                _ => None,
            }
            .ok_or_else(missing)?;
        }
        if !here.is_object() && !here.is_array() {
            return Err(missing());
        }
        Ok((here, unescape(last)))
    }

    fn get(&mut self, op: &str, path: &str) -> Result<Option<&Value>, String> {
        let (parent, key) = self.parent(op, path)?;
        match parent {
            Value::Object(map) => Ok(map.get(key.as_ref())),
            Value::Array(list) => {
                let at = index(&key, list.len())
                    .map_err(|why| format!("error in {op} for path: '{path}': {why}"))?;
                Ok(list.get(at))
            }
            _ => Ok(None),
        }
    }

    fn add(&mut self, op: &str, path: &str, value: Value) -> Result<(), String> {
        if path.matches('/').count().saturating_add(depth(&value)) > MAX_DEPTH {
            return Err(format!(
                "error in {op} for path: '{path}': exceeded max depth {MAX_DEPTH}"
            ));
        }
        let (parent, key) = self.parent(op, path)?;
        match parent {
            Value::Object(map) => {
                map.insert(key.into_owned(), value);
            }
            Value::Array(list) if key == "-" => list.push(value),
            Value::Array(list) => {
                // One past the end is a place to add at.
                let at = index(&key, list.len().saturating_add(1))
                    .map_err(|why| format!("error in {op} for path: '{path}': {why}"))?;
                list.insert(at, value);
            }
            _ => {}
        }
        Ok(())
    }

    fn remove(&mut self, op: &str, path: &str, what: &str) -> Result<Value, String> {
        let (parent, key) = self.parent(op, path)?;
        let removed = match parent {
            Value::Object(map) => map
                .remove(key.as_ref())
                .ok_or_else(|| format!("Unable to remove nonexistent key: {key}: missing value")),
            Value::Array(list) => index(&key, list.len()).map(|at| list.remove(at)),
            _ => Err("missing value".to_owned()),
        };
        removed.map_err(|why| format!("error in {op} for {what}: '{path}': {why}"))
    }

    fn replace(&mut self, path: &str, value: Option<&Value>) -> Result<(), String> {
        if path.is_empty() {
            return match value {
                Some(whole @ (Value::Object(_) | Value::Array(_))) => {
                    self.root = whole.clone();
                    Ok(())
                }
                _ => Err("replace operation value must be object or array".to_owned()),
            };
        }
        let value = value.cloned().unwrap_or_default();
        if path.matches('/').count().saturating_add(depth(&value)) > MAX_DEPTH {
            return Err(format!(
                "error in replace for path: '{path}': exceeded max depth {MAX_DEPTH}"
            ));
        }
        let (parent, key) = self.parent("replace", path)?;
        match parent {
            Value::Object(map) => {
                map.insert(key.into_owned(), value);
            }
            Value::Array(list) => {
                let slot = index(&key, list.len())
                    .ok()
                    .and_then(|at| list.get_mut(at))
                    .ok_or_else(|| {
                        format!(
                            "replace operation does not apply: doc is missing key: {path}: \
                             missing value"
                        )
                    })?;
                *slot = value;
            }
            _ => {}
        }
        Ok(())
    }

    fn test(&mut self, path: &str, value: Option<&Value>) -> Result<(), String> {
        let expected = value.unwrap_or(&Value::Null);
        let holds = if path.is_empty() {
            self.root == *expected
        } else {
            self.get("test", path)?.unwrap_or(&Value::Null) == expected
        };
        if holds {
            Ok(())
        } else {
            Err(format!("testing value {path} failed: test failed"))
        }
    }
}

/// Decodes the `~1` and `~0` of RFC 6901.
fn unescape(step: &str) -> Cow<'_, str> {
    if step.contains('~') {
        // In this order: `~01` is the text `~1`.
        Cow::Owned(step.replace("~1", "/").replace("~0", "~"))
    } else {
        Cow::Borrowed(step)
    }
}

/// The index that `step` means in a list with `length` valid places.
fn index(step: &str, length: usize) -> Result<usize, String> {
    let number: i64 = step
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing \"{step}\": invalid syntax"))?;
    let invalid = || format!("Unable to access invalid index: {number}: invalid index referenced");
    let at = if number < 0 {
        usize::try_from(number.unsigned_abs())
            .ok()
            .and_then(|back| length.checked_sub(back))
    } else {
        usize::try_from(number).ok()
    };
    at.filter(|at| *at < length).ok_or_else(invalid)
}

/// How deep lists and maps are nested in `value`.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About how many bytes `value` has as JSON; texts are counted without their escapes.
fn encoded_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 4,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len().saturating_add(2),
        Value::Array(list) => list.iter().fold(2, |sum: usize, v| {
            sum.saturating_add(encoded_length(v)).saturating_add(1)
        }),
        Value::Object(map) => map.iter().fold(2, |sum: usize, (k, v)| {
            sum.saturating_add(k.len())
                .saturating_add(4)
                .saturating_add(encoded_length(v))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_change_the_document_as_the_rfc_says() {
        let cases = [
            (
                json!({"foo": "bar"}),
                json!([{"op": "add", "path": "/baz", "value": "qux"}]),
                json!({"baz": "qux", "foo": "bar"}),
            ),
            (
                json!({"foo": ["bar", "baz"]}),
                json!([{"op": "add", "path": "/foo/1", "value": "qux"}]),
                json!({"foo": ["bar", "qux", "baz"]}),
            ),
            (
                json!({"foo": ["bar"]}),
                json!([{"op": "add", "path": "/foo/-", "value": ["abc"]}]),
                json!({"foo": ["bar", ["abc"]]}),
            ),
            (
                json!({"foo": ["bar"]}),
                json!([{"op": "add", "path": "/foo/1", "value": 2}]),
                json!({"foo": ["bar", 2]}),
            ),
            (
                json!({"baz": "qux", "foo": "bar"}),
                json!([{"op": "remove", "path": "/baz"}]),
                json!({"foo": "bar"}),
            ),
            (
                json!({"foo": ["bar", "qux", "baz"]}),
                json!([{"op": "remove", "path": "/foo/1"}]),
                json!({"foo": ["bar", "baz"]}),
            ),
            (
                json!({"foo": ["bar", "qux", "baz"]}),
                json!([{"op": "remove", "path": "/foo/-1"}]),
                json!({"foo": ["bar", "qux"]}),
            ),
            (
                json!({"baz": "qux"}),
                json!([{"op": "replace", "path": "/baz", "value": "boo"}]),
                json!({"baz": "boo"}),
            ),
            (
                json!({"baz": "qux"}),
                json!([{"op": "replace", "path": "", "value": {"a": 1}}]),
                json!({"a": 1}),
            ),
            // Upstream's library adds here, where the RFC would refuse.
            (
                json!({}),
                json!([{"op": "replace", "path": "/new", "value": 1}]),
                json!({"new": 1}),
            ),
            (
                json!({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}),
                json!([{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]),
                json!({"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
            ),
            (
                json!({"foo": ["all", "grass", "cows", "eat"]}),
                json!([{"op": "move", "from": "/foo/1", "path": "/foo/3"}]),
                json!({"foo": ["all", "cows", "eat", "grass"]}),
            ),
            (
                json!({"a": {"b": 1}}),
                json!([{"op": "copy", "from": "/a", "path": "/c"}]),
                json!({"a": {"b": 1}, "c": {"b": 1}}),
            ),
            (
                json!({"baz": "qux", "foo": ["a", 2, "c"]}),
                json!([{"op": "test", "path": "/baz", "value": "qux"},
                    {"op": "test", "path": "/foo/1", "value": 2},
                    {"op": "test", "path": "/nothing", "value": null}]),
                json!({"baz": "qux", "foo": ["a", 2, "c"]}),
            ),
            (
                json!({"a/b": 1, "m~n": 2}),
                json!([{"op": "replace", "path": "/a~1b", "value": 3},
                    {"op": "remove", "path": "/m~0n"},
                    {"op": "add", "path": "/~01", "value": 4}]),
                json!({"a/b": 3, "~1": 4}),
            ),
            (
                json!({"a": {"": 1}}),
                json!([{"op": "remove", "path": "/a/"}]),
                json!({"a": {}}),
            ),
            (json!({"a": 1}), json!([]), json!({"a": 1})),
        ];
        for (target, patch, expected) in cases {
            assert_eq!(
                json_patch(&target, &patch),
                Ok(expected),
                "{target} {patch}"
            );
        }
    }

    #[test]
    fn operations_that_do_not_fit_are_unprocessable() {
        let target = json!({"a": {"b": [1, 2]}, "s": "text", "n": null});
        let cases = [
            (
                json!([{"op": "add", "path": "/x/y", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/x/y\": missing value",
            ),
            (
                json!([{"op": "add", "path": "/s/y", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/s/y\": missing value",
            ),
            (
                json!([{"op": "add", "path": "/n/y", "value": 1}]),
                "add operation does not apply: doc is missing path: \"/n/y\": missing value",
            ),
            (
                json!([{"op": "add", "path": "", "value": {}}]),
                "add operation does not apply: doc is missing path: \"\": missing value",
            ),
            (
                json!([{"op": "add", "path": "/a/b/3", "value": 1}]),
                "error in add for path: '/a/b/3': Unable to access invalid index: 3: invalid index \
              referenced",
            ),
            (
                json!([{"op": "add", "path": "/a/b/x", "value": 1}]),
                "error in add for path: '/a/b/x': strconv.Atoi: parsing \"x\": invalid syntax",
            ),
            (
                json!([{"op": "remove", "path": "/a/c"}]),
                "error in remove for path: '/a/c': Unable to remove nonexistent key: c: missing value",
            ),
            (
                json!([{"op": "replace", "path": "/a/b/2", "value": 1}]),
                "replace operation does not apply: doc is missing key: /a/b/2: missing value",
            ),
            (
                json!([{"op": "test", "path": "/s", "value": "other"}]),
                "testing value /s failed: test failed",
            ),
            (
                json!([{"op": "test", "path": "/a/b/0", "value": 1.0}]),
                "testing value /a/b/0 failed: test failed",
            ),
            (
                json!([{"op": "move", "from": "/zzz", "path": "/q"}]),
                "error in move for from path: '/zzz': Unable to remove nonexistent key: zzz: missing \
              value",
            ),
            (
                json!([{"op": "move", "path": "/q"}]),
                "move operation failed to decode from: missing value",
            ),
            (
                json!([{"op": "add", "value": 1}]),
                "add operation failed to decode path: missing value",
            ),
            (
                json!([{"op": "jump", "path": "/s"}]),
                "Unexpected kind: jump",
            ),
            (json!([{}]), "Unexpected kind: unknown"),
            (json!([null]), "Unexpected kind: unknown"),
            (
                json!([{"op": "replace", "path": ""}]),
                "replace operation value must be object or array",
            ),
        ];
        for (patch, why) in cases {
            assert_eq!(
                json_patch(&target, &patch),
                Err(PatchError::Unprocessable(why.to_owned())),
                "{patch}"
            );
        }
    }

    #[test]
    fn malformed_patches_are_bad_requests() {
        for (patch, kind) in [
            (
                json!({}),
                "object into Go value of type []handlers.jsonPatchOp",
            ),
            (
                json!("x"),
                "string into Go value of type []handlers.jsonPatchOp",
            ),
            (
                json!([1]),
                "number into Go value of type handlers.jsonPatchOp",
            ),
            (
                json!([{"op": 1}]),
                "number into Go struct field jsonPatchOp.op of type string",
            ),
            (
                json!([{"op": "add", "path": {}}]),
                "object into Go struct field jsonPatchOp.path of type string",
            ),
        ] {
            assert_eq!(
                json_patch(&json!({}), &patch),
                Err(PatchError::Malformed(format!(
                    "error decoding patch: json: cannot unmarshal {kind}"
                )))
            );
        }
    }

    #[test]
    fn work_is_bounded() {
        let many = Value::Array(vec![
            json!({"op": "test", "path": "/a", "value": 1});
            10_001
        ]);
        assert_eq!(
            json_patch(&json!({"a": 1}), &many).map_err(|e| e.to_status().message),
            Err(
                "Request entity is too large: The allowed maximum operations in a JSON patch is \
                 10000, got 10001"
                    .to_owned()
            )
        );
        // Doubles the depth with each operation.
        let path = |depth: usize| "/a".repeat(depth);
        let deepen: Vec<Value> = (0..12)
            .map(|i| json!({"op": "copy", "from": "/a", "path": path((1 << i) + 1)}))
            .collect();
        let result = json_patch(&json!({"a": {}}), &Value::Array(deepen));
        assert!(matches!(result, Err(PatchError::Unprocessable(why)) if why.contains("max depth")));
        // Doubles the size with each operation.
        let widen: Vec<Value> = (0..40)
            .flat_map(|i| {
                [
                    json!({"op": "copy", "from": "/a", "path": "/b"}),
                    json!({"op": "move", "from": "/b", "path": format!("/a/{i}")}),
                ]
            })
            .take(60)
            .collect();
        let result = json_patch(&json!({"a": {"x": "y".repeat(1000)}}), &Value::Array(widen));
        assert!(matches!(result, Err(PatchError::Unprocessable(_))));
    }

    #[test]
    fn a_failed_patch_says_what_upstream_says() {
        let status = json_patch(&json!({}), &json!([{"op": "remove", "path": "/a"}]))
            .map_err(|e| e.to_status());
        let status = status.unwrap_err();
        assert_eq!((status.code, status.reason), (422, "Invalid"));
        assert_eq!(
            status.message,
            "the server rejected our request due to an error in our request"
        );
    }
}
