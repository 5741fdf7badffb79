//! Reading and writing `metadata` on parsed objects.

use crate::{Map, Value};
use std::collections::BTreeMap;

/// The text at `path` below `value`, or `""`.
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The value at `path` below `value`, if every step is there and not null.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter()
        .try_fold(value, |v, key| v.get(key))
        .filter(|v| !v.is_null())
}

/// The list at `path`, or an empty one.
pub fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The object's name.
pub fn name(value: &Value) -> &str {
    text(value, &["metadata", "name"])
}

/// The object's namespace; `""` if it has none.
pub fn namespace(value: &Value) -> &str {
    text(value, &["metadata", "namespace"])
}

/// The object's UID.
pub fn uid(value: &Value) -> &str {
    text(value, &["metadata", "uid"])
}

/// The object's resource version; `""` if it has none.
pub fn resource_version(value: &Value) -> &str {
    text(value, &["metadata", "resourceVersion"])
}

/// The object's labels.
pub fn labels(value: &Value) -> BTreeMap<&str, &str> {
    strings(value, &["metadata", "labels"])
}

/// The object's annotations.
pub fn annotations(value: &Value) -> BTreeMap<&str, &str> {
    strings(value, &["metadata", "annotations"])
}

/// The map of texts at `path`; entries that are no text are left out.
pub fn strings<'a>(value: &'a Value, path: &[&str]) -> BTreeMap<&'a str, &'a str> {
    at(value, path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)))
        .collect()
}

/// The map at `path`, made (with all its parents) if it is not there; anything that is no map on
/// the way is replaced.
pub fn map_mut<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map {
    let mut here = as_map(value);
    for key in path {
        here = as_map(here.entry((*key).to_owned()).or_insert(Value::Null));
    }
    here
}

fn as_map(value: &mut Value) -> &mut Map {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        // Just made an object above.
        _ => unreachable!(),
    }
}

/// Sets the value at `path`, making parents as needed. `path` must not be empty.
pub fn set(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    if let Some((last, parents)) = path.split_last() {
        map_mut(value, parents).insert((*last).to_owned(), new.into());
    }
}

/// Removes the value at `path` and returns it.
pub fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    parents
        .iter()
        .try_fold(value, |v, key| v.get_mut(key))?
        .as_object_mut()?
        .remove(*last)
}
