//! Removing fields from an object.

use super::element;
use super::field_set::FieldSet;
use crate::shape::{Form, Shape};
use crate::{Map, Value};

/// The object without the fields of `set` and without what is in them. Containers that become
/// empty turn null.
pub(super) fn remove(shape: Shape<'_>, value: Value, set: &FieldSet) -> Value {
    match (shape.form(), value) {
        (Form::Struct | Form::Map | Form::Free, Value::Object(map)) => {
            let mut rest = Map::new();
            for (name, value) in map {
                match set.at(&element::field(&name)) {
                    Some(entry) if entry.member => {}
                    Some(entry) if !entry.below.is_empty() => {
                        let below = remove(shape.member(&name), value, &entry.below);
                        rest.insert(name, below);
                    }
                    _ => {
                        rest.insert(name, value);
                    }
                }
            }
            if rest.is_empty() {
                Value::Null
            } else {
                Value::Object(rest)
            }
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(list)) => {
            let element = shape.element().unwrap_or(shape);
            let mut rest = Vec::with_capacity(list.len());
            for value in list {
                let entry = element::item(form, element, &value)
                    .ok()
                    .and_then(|name| set.at(&name));
                match entry {
                    Some(entry) if entry.member => {}
                    Some(entry) if !entry.below.is_empty() => {
                        rest.push(remove(element, value, &entry.below));
                    }
                    _ => rest.push(value),
                }
            }
            if rest.is_empty() {
                Value::Null
            } else {
                Value::Array(rest)
            }
        }
        // Contents of a whole cannot be removed one by one.
        (_, Value::Object(_) | Value::Array(_)) => Value::Null,
        (_, scalar) => scalar,
    }
}

/// Drops the nulls that removing has left behind, and those that the configuration had.
pub(super) fn drop_nulls(shape: Shape<'_>, value: &mut Value) {
    match (shape.form(), value) {
        (Form::Struct | Form::Map, Value::Object(map)) => {
            map.retain(|_, value| !value.is_null());
            for (name, value) in map.iter_mut() {
                drop_nulls(shape.member(name), value);
            }
        }
        (Form::Keyed(_), Value::Array(list)) => {
            let element = shape.element().unwrap_or(shape);
            for value in list {
                drop_nulls(element, value);
            }
        }
        _ => {}
    }
}
