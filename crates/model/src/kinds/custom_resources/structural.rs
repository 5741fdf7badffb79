//! The basics of structural schemas: every field says what type it has.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::workload::field;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, is_true, map, text};

/// The deepest nesting of a schema that is looked into.
const DEPTH: usize = 100;
const TYPES: [&str; 6] = ["array", "boolean", "integer", "number", "object", "string"];

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Root,
    Field,
    Item,
}

/// Reports what is wrong with the schema of a version.
pub(super) fn validate(schema: &Value, at: &At<'_>, errors: &mut ErrorList) {
    walk(schema, Place::Root, 0, at, errors);
}

fn walk(schema: &Value, place: Place, depth: usize, at: &At<'_>, errors: &mut ErrorList) {
    if depth > DEPTH {
        errors.forbidden(at, "the schema is nested too deep");
        return;
    }
    let kind = text(schema, "type");
    let type_at = at.child("type");
    let untyped = is_true(schema, "x-kubernetes-int-or-string")
        || is_true(schema, "x-kubernetes-preserve-unknown-fields");
    match (kind, place) {
        ("", Place::Root) => errors.required(&type_at, "must not be empty at the root"),
        ("", Place::Field) if !untyped => {
            errors.required(&type_at, "must not be empty for specified object fields");
        }
        ("", Place::Item) if !untyped => {
            errors.required(&type_at, "must not be empty for specified array items");
        }
        ("" | "object", _) => {}
        (_, Place::Root) => errors.invalid(&type_at, kind, "must be object at the root"),
        _ if !TYPES.contains(&kind) => errors.not_supported(&type_at, kind, &TYPES),
        _ => {}
    }
    let items = field(schema, "items");
    if kind == "array" && items.is_null() {
        errors.required(&at.child("items"), "must be specified");
    }
    let properties = map(schema, "properties");
    let properties_at = at.child("properties");
    for (name, schema) in properties.into_iter().flatten() {
        walk(
            schema,
            Place::Field,
            depth + 1,
            &properties_at.key(name),
            errors,
        );
    }
    if let Some(values) = get(schema, "additionalProperties") {
        let at = at.child("additionalProperties");
        if properties.is_some_and(|properties| !properties.is_empty()) && *values != false {
            errors.forbidden(
                &at,
                "additionalProperties and properties are mutual exclusive",
            );
        }
        if values.is_object() {
            walk(values, Place::Field, depth + 1, &at, errors);
        }
    }
    if items.is_object() {
        walk(items, Place::Item, depth + 1, &at.child("items"), errors);
    } else if items.is_array() {
        let why = "items must be a schema object and not an array";
        errors.forbidden(&at.child("items"), why);
    }
}
