//! Strategic merge patch: a merge patch that knows from the schema which lists are merged by key,
//! with directives for what a merge alone cannot say.
//!
//! | directive | meaning |
//! | --- | --- |
//! | `$patch: replace` | take this map (or, in a list entry, this list) as it is |
//! | `$patch: delete` | empty this map, or drop the list entry with this merge key |
//! | `$retainKeys: [..]` | drop every other member of this map |
//! | `$deleteFromPrimitiveList/F: [..]` | drop these values from the list `F` |
//! | `$setElementOrder/F: [..]` | order the list `F` like this |

use super::order::{self, Identity};
use super::{PatchError, go_kind};
use crate::go::{go_map, go_text, go_type};
use crate::schema::Schema;
use crate::shape::{Field, Shape};
use crate::{Map, Value};
use std::collections::HashSet;

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ELEMENT_ORDER: &str = "$setElementOrder";
const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";

/// Applies a strategic merge patch to an object of the schema type `name`.
///
/// # Errors
/// `Malformed` if the patch is no JSON object, a directive has the wrong form, or the type is not
/// in the schema (upstream refuses strategic patches of custom resources); `Unprocessable` for
/// lists of lists; `Unsupported` for everything that upstream reports as an internal error, such
/// as a list entry without its merge key.
pub fn strategic_merge(
    schema: &Schema,
    name: &str,
    target: &Value,
    patch: &Value,
) -> Result<Value, PatchError> {
    let Some(shape) = Shape::of(schema, name) else {
        return Err(PatchError::Malformed(
            "strategic merge patch format is not supported".to_owned(),
        ));
    };
    let changes = match patch {
        Value::Object(map) => map,
        Value::Null => return Ok(target.clone()),
        other => {
            return Err(PatchError::Malformed(format!(
                "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
                go_kind(other)
            )));
        }
    };
    let original = match target {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    merge_map(Some(shape), original, changes).map(Value::Object)
}

fn merge_map(shape: Option<Shape<'_>>, mut original: Map, patch: &Map) -> Result<Map, PatchError> {
    match patch.get(PATCH) {
        None => {}
        Some(Value::String(directive)) if directive == "replace" => {
            let mut whole = patch.clone();
            whole.remove(PATCH);
            return Ok(match without_directives(&Value::Object(whole)) {
                Some(Value::Object(whole)) => whole,
                _ => Map::new(),
            });
        }
        Some(Value::String(directive)) if directive == "delete" => return Ok(Map::new()),
        Some(other) => return Err(unknown_directive(other, patch)),
    }
    if let Some(list) = patch.get(RETAIN_KEYS) {
        retain_keys(&mut original, patch, list)?;
    }
    // Lists with an order are done together with their order, the rest below.
    let mut done = HashSet::new();
    for (key, order) in patch
        .iter()
        .filter(|(key, _)| key.starts_with(SET_ELEMENT_ORDER))
    {
        let name = directive_field(key, SET_ELEMENT_ORDER)
            .ok_or_else(|| PatchError::Malformed(BAD_ORDER.to_owned()))?;
        ordered_list(shape, &mut original, patch, name, order)?;
        done.insert(name);
    }
    for (key, change) in patch {
        if key == RETAIN_KEYS || key.starts_with(SET_ELEMENT_ORDER) || done.contains(key.as_str()) {
            continue;
        }
        if key.starts_with(DELETE_FROM_LIST) {
            let name = directive_field(key, DELETE_FROM_LIST).ok_or_else(|| {
                PatchError::Malformed("invalid patch format of primitive list".to_owned())
            })?;
            delete_from_list(&mut original, name, change)?;
            continue;
        }
        merge_member(shape, &mut original, key, change)?;
    }
    Ok(original)
}

fn merge_member(
    shape: Option<Shape<'_>>,
    original: &mut Map,
    key: &str,
    change: &Value,
) -> Result<(), PatchError> {
    if change.is_null() {
        original.remove(key);
        return Ok(());
    }
    let field = shape.and_then(|shape| shape.field(key));
    let merged = match (original.get_mut(key).map(Value::take), change) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            if field.is_some_and(|f| f.replaces()) {
                Some(change.clone())
            } else {
                Some(Value::Object(merge_map(field.map(|f| f.shape), old, new)?))
            }
        }
        (Some(Value::Array(old)), Value::Array(new)) => {
            Some(Value::Array(merge_list(field, old, new)?))
        }
        _ => without_directives(change),
    };
    match merged {
        Some(value) => original.insert(key.to_owned(), value),
        None => original.remove(key),
    };
    Ok(())
}

/// The field that a directive such as `$setElementOrder/containers` is about.
fn directive_field<'k>(key: &'k str, directive: &str) -> Option<&'k str> {
    key.strip_prefix(directive)?.strip_prefix('/')
}

fn retain_keys(original: &mut Map, patch: &Map, list: &Value) -> Result<(), PatchError> {
    let malformed = || PatchError::Malformed("invalid patch format of retainKeys".to_owned());
    let keep: HashSet<&str> = list
        .as_array()
        .ok_or_else(malformed)?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let stray = patch.iter().any(|(key, value)| {
        !(value.is_null()
            || key == RETAIN_KEYS
            || key.starts_with(DELETE_FROM_LIST)
            || key.starts_with(SET_ELEMENT_ORDER)
            || keep.contains(key.as_str()))
    });
    if stray {
        return Err(malformed());
    }
    original.retain(|key, _| keep.contains(key.as_str()));
    Ok(())
}

/// Merges the list `name` and orders it as `order` says: entries of the patch in that order,
/// entries that only the server has between them where they stood.
fn ordered_list(
    shape: Option<Shape<'_>>,
    original: &mut Map,
    patch: &Map,
    name: &str,
    order: &Value,
) -> Result<(), PatchError> {
    let order = as_list(order)?;
    let new = patch.get(name).map(as_list).transpose()?;
    let old = match original.get(name) {
        Some(list) => Some(as_list(list)?.clone()),
        None => None,
    };
    let Some(field) = shape.and_then(|shape| shape.field(name)) else {
        return Err(PatchError::Unsupported(format!(
            "unable to find api field \"{name}\""
        )));
    };
    let identity = Identity::new(field.merge_key());
    check_order(new.map_or(&[], Vec::as_slice), order, identity)?;
    let server = server_order(old.as_deref(), new.map(Vec::as_slice), identity)?;
    let merged = match (old, new) {
        (Some(old), Some(new)) => merge_list(Some(field), old, new)?,
        (Some(old), None) => old,
        (None, Some(new)) => new.iter().filter_map(without_directives).collect(),
        (None, None) => return Ok(()),
    };
    let merged = order::arrange(merged, order, &server, identity)?;
    original.insert(name.to_owned(), Value::Array(merged));
    Ok(())
}

/// The order that counts as the server's when the patch orders the list: that of the old list,
/// where new entries stand in the places that deleted ones have left. (Upstream has it so because
/// its lists share their memory; what clients see depends on it all the same.)
fn server_order(
    old: Option<&[Value]>,
    new: Option<&[Value]>,
    identity: Identity<'_>,
) -> Result<Vec<Value>, PatchError> {
    let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
    let directive = |entry: &&Value, name: &str| entry.get(PATCH).is_some_and(|d| d == name);
    let deletes: Vec<&Value> = new.iter().filter(|e| directive(e, "delete")).collect();
    if deletes.is_empty() || new.iter().any(|entry| directive(&entry, "replace")) {
        return Ok(old.to_vec());
    }
    let mut gone = HashSet::new();
    for entry in deletes {
        gone.insert(identity.of(entry)?);
    }
    let kept = old
        .iter()
        .filter(|e| identity.of(e).is_ok_and(|id| !gone.contains(id)));
    let mut order: Vec<Value> = kept.cloned().collect();
    let known: HashSet<Value> = order::index(&order, identity).into_keys().collect();
    let added = new
        .iter()
        .filter(|e| e.get(PATCH).is_none() && identity.of(e).is_ok_and(|id| !known.contains(id)));
    order.extend(added.take(old.len().saturating_sub(order.len())).cloned());
    Ok(order)
}

const BAD_ORDER: &str = "invalid patch format of setElementOrder list";

/// Every entry of the patch's list must stand in `order`, in the same sequence.
fn check_order(new: &[Value], order: &[Value], identity: Identity<'_>) -> Result<(), PatchError> {
    if order.is_empty() || new.is_empty() {
        return Ok(());
    }
    let mut rest = order.iter();
    for entry in new.iter().filter(|entry| entry.get(PATCH).is_none()) {
        let wanted = identity.of(entry)?;
        loop {
            match rest.next() {
                Some(next) if identity.of(next)? == wanted => break,
                Some(_) => {}
                None => {
                    return Err(PatchError::Unsupported(format!(
                        "The order in patch list:\n{}\n doesn't match {SET_ELEMENT_ORDER} \
                         list:\n{}\n",
                        go_text(&Value::Array(new.to_vec())),
                        go_text(&Value::Array(order.to_vec()))
                    )));
                }
            }
        }
    }
    Ok(())
}

fn delete_from_list(original: &mut Map, name: &str, values: &Value) -> Result<(), PatchError> {
    match (original.get_mut(name), values) {
        (_, Value::Null) => {
            original.remove(name);
        }
        (Some(Value::Array(list)), Value::Array(values)) => {
            check_elements(list, values)?;
            let values: HashSet<&Value> = values.iter().collect();
            list.retain(|value| !values.contains(value));
        }
        _ => {}
    }
    Ok(())
}

fn merge_list(
    field: Option<Field<'_>>,
    mut old: Vec<Value>,
    new: &[Value],
) -> Result<Vec<Value>, PatchError> {
    let Some(field) = field.filter(|f| f.merges()) else {
        return Ok(new.to_vec());
    };
    if old.is_empty() && new.is_empty() {
        return Ok(old);
    }
    if !check_elements(&old, new)? {
        let server = old.clone();
        old.extend_from_slice(new);
        let mut seen = HashSet::new();
        let merged: Vec<Value> = old.iter().filter(|v| seen.insert(*v)).cloned().collect();
        return order::arrange(merged, new, &server, Identity::new(None));
    }
    let Some(key) = field.merge_key() else {
        return Err(PatchError::Unsupported(format!(
            "cannot merge lists without merge key for {}",
            field.name
        )));
    };
    let identity = Identity::new(Some(key));
    let new = special_entries(&mut old, new, key)?;
    if new.is_empty() {
        return Ok(old);
    }
    let server = old.clone();
    let element = field.shape.element();
    let mut places = order::index(&old, identity);
    for entry in &new {
        let id = identity.of(entry)?;
        let changes = entry.as_object().ok_or_else(|| bad_argument(entry))?;
        match places.get(id).and_then(|at| old.get_mut(*at)) {
            Some(slot) => {
                let before = match slot.take() {
                    Value::Object(map) => map,
                    _ => Map::new(),
                };
                *slot = Value::Object(merge_map(element, before, changes)?);
            }
            None => {
                places.insert(id.clone(), old.len());
                // Further directives and nulls mean nothing in an entry that is new. Only a null
                // merge key has to stay, for validation to find it.
                let mut fresh = without_directives(entry).unwrap_or_default();
                if let (Value::Object(map), Value::Null) = (&mut fresh, id) {
                    map.insert(key.to_owned(), Value::Null);
                }
                old.push(fresh);
            }
        }
    }
    order::arrange(old, &new, &server, identity)
}

/// Carries out the entries that are directives, and returns the others.
fn special_entries(
    old: &mut Vec<Value>,
    new: &[Value],
    key: &str,
) -> Result<Vec<Value>, PatchError> {
    let identity = Identity::new(Some(key));
    let mut plain = Vec::with_capacity(new.len());
    let mut delete = HashSet::new();
    let mut replace = false;
    for entry in new {
        let Some(directive) = entry.get(PATCH) else {
            plain.push(entry.clone());
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                delete.insert(identity.of(entry)?);
            }
            // The rest is read all the same: its directives must not end up in the list.
            Some("replace") => replace = true,
            Some("merge") => {
                return Err(PatchError::Unsupported(
                    "merging lists cannot yet be specified in the patch".to_owned(),
                ));
            }
            _ => {
                let map = entry.as_object().cloned().unwrap_or_default();
                return Err(unknown_directive(directive, &map));
            }
        }
    }
    if replace {
        for entry in &plain {
            identity.of(entry)?;
        }
        *old = std::mem::take(&mut plain);
    } else if !delete.is_empty() {
        old.retain(|entry| entry.get(key).is_none_or(|id| !delete.contains(id)));
    }
    Ok(plain)
}

/// Whether the elements of both lists are maps; an error if they are not all of one type.
fn check_elements(old: &[Value], new: &[Value]) -> Result<bool, PatchError> {
    let mut elements = old.iter().chain(new);
    let Some(first) = elements.next() else {
        return Ok(false);
    };
    if first.is_array() {
        return Err(PatchError::Unprocessable(
            "lists of lists are not supported".to_owned(),
        ));
    }
    if first.is_null() || elements.any(|v| go_type(v) != go_type(first)) {
        return Err(PatchError::Unsupported(format!(
            "list element types are not identical: {}",
            go_text(&Value::Array(vec![
                Value::Array(old.to_vec()),
                Value::Array(new.to_vec())
            ]))
        )));
    }
    Ok(first.is_object())
}

/// What a value that is new to the object becomes: without nulls and directives, and nothing at
/// all if it is itself a directive.
fn without_directives(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(PATCH) => None,
        Value::Object(map) => Some(Value::Object(
            map.iter()
                .filter(|(key, value)| {
                    !value.is_null()
                        && *key != RETAIN_KEYS
                        && directive_field(key, SET_ELEMENT_ORDER).is_none()
                        && directive_field(key, DELETE_FROM_LIST).is_none()
                })
                .filter_map(|(key, value)| Some((key.clone(), without_directives(value)?)))
                .collect(),
        )),
        Value::Array(list) => Some(list.iter().filter_map(without_directives).collect()),
        other => Some(other.clone()),
    }
}

fn as_list(value: &Value) -> Result<&Vec<Value>, PatchError> {
    value.as_array().ok_or_else(|| {
        PatchError::Unsupported(format!(
            "expected a []interface {{}}, but received a {}",
            go_type(value)
        ))
    })
}

/// The error for an element that should be a map.
pub(super) fn bad_argument(value: &Value) -> PatchError {
    PatchError::Unsupported(format!(
        "expected a map[string]interface {{}}, but received a {}",
        go_type(value)
    ))
}

/// The error for a list entry without its merge key.
pub(super) fn no_merge_key(map: &Map, key: &str) -> PatchError {
    PatchError::Unsupported(format!(
        "map: {} does not contain declared merge key: {key}",
        go_map(map)
    ))
}

fn unknown_directive(directive: &Value, map: &Map) -> PatchError {
    PatchError::Unsupported(format!(
        "unknown patch type: {} in map: {}",
        go_text(directive),
        go_map(map)
    ))
}

#[cfg(test)]
mod tests;
