//! Which fields an object has.

use super::element;
use super::field_set::{Entry, FieldSet};
use crate::Value;
use crate::shape::{Form, Shape};
use std::collections::BTreeMap;

/// The fields of `object`: leaves, entries of maps and lists, and empty objects. Structs and lists
/// with contents are not themselves in the set; owning what is in them is enough.
pub(super) fn field_set(shape: Shape<'_>, object: &Value) -> FieldSet {
    extract(shape, object).below
}

fn extract(shape: Shape<'_>, value: &Value) -> Entry {
    match (shape.form(), value) {
        (Form::Struct | Form::Map | Form::Free, Value::Object(map)) => {
            let mut entry = Entry::default();
            for (name, value) in map {
                let mut below = extract(shape.member(name), value);
                let empty = match value {
                    Value::Null => true,
                    Value::Object(map) => map.is_empty(),
                    _ => false,
                };
                below.member |= empty || shape.field(name).is_none();
                entry.below.attach(element::field(name), below);
            }
            entry
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(list)) => items(form, shape, list),
        (Form::Struct | Form::Map | Form::Set | Form::Keyed(_), Value::Null) => Entry::default(),
        _ => Entry::member(),
    }
}

fn items(form: Form<'_>, shape: Shape<'_>, list: &[Value]) -> Entry {
    let element = shape.element().unwrap_or(shape);
    let mut found: BTreeMap<String, Option<&Value>> = BTreeMap::new();
    for value in list {
        if let Ok(name) = element::item(form, element, value) {
            found
                .entry(name)
                // A double is owned as a whole.
                .and_modify(|value| *value = None)
                .or_insert(Some(value));
        }
    }
    let mut entry = Entry::default();
    for (name, value) in found {
        let mut below = value
            .map(|value| extract(element, value))
            .unwrap_or_default();
        below.member = true;
        entry.below.attach(name, below);
    }
    entry
}

/// Adds to the set the structs that hold fields of it: a set made of `a.b.c` will then also hold
/// `a` if that is a declared field, but not `a.b` if that is an entry of a map.
pub(super) fn with_named_fields(shape: Shape<'_>, set: &mut FieldSet) {
    for (element, entry) in set.entries_mut() {
        if entry.below.is_empty() {
            continue;
        }
        match element.split_once(':') {
            Some(("f", name)) => {
                entry.member |= shape.field(name).is_some();
                with_named_fields(shape.member(name), &mut entry.below);
            }
            _ => {
                if let Some(element) = shape.element() {
                    with_named_fields(element, &mut entry.below);
                }
            }
        }
    }
}
