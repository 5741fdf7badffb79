//! Holding a value against its type, with the effects that decoding into upstream's Go types and
//! encoding again would have.

use super::scalar::{fits, int_or_string, json_kind, time};
use super::types::{Field, ObjectType, Type};
use super::{Schema, octets};
use crate::{Map, Value};
use std::fmt::Write;

/// Upstream stops collecting after this many unknown fields.
const MAX_UNKNOWN: usize = 100;

/// What [`Schema::conform`] found.
#[derive(Debug, Default)]
pub struct Conformance {
    /// Paths of fields that the type does not have, as upstream names them in
    /// `unknown field "spec.foo"`. They have been removed from the value.
    pub unknown: Vec<String>,
    /// Values of the wrong type, in upstream's words. Decoding upstream fails with the first of
    /// them (400, prefixed by `Pod in version "v1" cannot be handled as a Pod: `).
    pub errors: Vec<String>,
    /// Where each of `errors` is: `spec.containers[0].name`. Empty for the whole.
    pub error_paths: Vec<String>,
}

/// Where the walk is: names of fields, list indices and map keys.
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Key(&'a str),
}

struct Walk<'a> {
    schema: &'a Schema,
    found: Conformance,
}

/// The chain of steps from the value to the root.
struct Trail<'a> {
    step: Step<'a>,
    above: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    /// `spec.containers[0].foo`.
    fn path(&self, out: &mut String) {
        if let Some(above) = self.above {
            above.path(out);
        }
        match self.step {
            Step::Field(name) | Step::Key(name) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
            }
            Step::Index(index) => {
                // Writing to a String does not fail.
                let _ = write!(out, "[{index}]");
            }
        }
    }

    /// `spec.containers.foo`: Go's decoding errors name fields only.
    fn fields(&self, out: &mut String) {
        if let Some(above) = self.above {
            above.fields(out);
        }
        if let Step::Field(name) = self.step {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(name);
        }
    }
}

/// The place of a value: the innermost object around it and its field there, if any.
#[derive(Clone, Copy)]
struct Place<'a> {
    owner: &'a ObjectType,
    trail: Option<&'a Trail<'a>>,
}

impl Schema {
    /// Holds `value` against the type `name` as upstream's decoder does.
    ///
    /// Unknown fields are removed and reported. Nulls are dropped (in lists and maps they become
    /// the zero value of their type). Values of the wrong type are reported. Times and encoded
    /// bytes are brought to the form in which upstream writes them, and fields whose zero value
    /// upstream's types cannot tell from an absent one are dropped when they hold it.
    ///
    /// A type that is not in the schema is reported as an error.
    pub fn conform(&self, name: &str, value: &mut Value) -> Conformance {
        let mut walk = Walk {
            schema: self,
            found: Conformance::default(),
        };
        match self.get(name) {
            Some(owner) => {
                let place = Place { owner, trail: None };
                walk.object(owner, value, place, None);
            }
            None => walk.error(format!("no type {name:?} is registered"), None),
        }
        walk.found
    }
}

impl<'s> Walk<'s> {
    fn object(
        &mut self,
        ty: &'s ObjectType,
        value: &mut Value,
        place: Place<'_>,
        field: Option<&Field>,
    ) {
        let Value::Object(map) = value else {
            let go = format!("{}.{}", package(&ty.name), ty.short_name());
            self.mismatch(value, place, field, &go);
            return;
        };
        let mut fields = ty.fields().iter().peekable();
        map.retain(|key, value| {
            // Both sides are sorted by name.
            while fields.peek().is_some_and(|f| *f.name < **key) {
                fields.next();
            }
            let trail = Trail {
                step: Step::Field(key),
                above: place.trail,
            };
            match fields.peek() {
                Some(known) if known.name == *key => {
                    let place = Place {
                        owner: ty,
                        trail: Some(&trail),
                    };
                    self.field(known, value, place)
                }
                _ if ty.preserve_unknown => true,
                _ => {
                    self.unknown(&trail);
                    false
                }
            }
        });
    }

    /// Returns whether the field stays.
    fn field(&mut self, field: &'s Field, value: &mut Value, place: Place<'_>) -> bool {
        if value.is_null() {
            return false;
        }
        self.value(&field.ty, value, place, field, 0);
        // An empty list of managed fields is a request: to forget them. Apply takes it out.
        !(field.omit_empty
            && !field.pointer
            && is_zero(&field.ty, value)
            && field.name != "managedFields")
    }

    /// `nesting` counts the lists and maps between the field and the value.
    fn value(
        &mut self,
        ty: &'s Type,
        value: &mut Value,
        place: Place<'_>,
        field: &'s Field,
        nesting: usize,
    ) {
        match ty {
            Type::Object(id) => {
                if let Some(ty) = self.schema.object(*id) {
                    self.object(ty, value, place, Some(field));
                }
            }
            Type::List(list) => {
                let Value::Array(items) = value else {
                    return self.wrong(ty, value, place, field, nesting);
                };
                for (index, item) in items.iter_mut().enumerate() {
                    self.element(
                        &list.element,
                        item,
                        place,
                        Step::Index(index),
                        field,
                        nesting,
                    );
                }
            }
            Type::Map(map) => {
                let Value::Object(entries) = value else {
                    return self.wrong(ty, value, place, field, nesting);
                };
                for (key, entry) in entries.iter_mut() {
                    self.element(&map.value, entry, place, Step::Key(key), field, nesting);
                }
            }
            Type::Raw(_) => {}
            Type::String | Type::Duration if value.is_string() => {}
            Type::Bool if value.is_boolean() => {}
            Type::Double if value.is_number() => {}
            Type::Int32 | Type::Int64 => match value {
                Value::Number(n) if fits(n, *ty == Type::Int32) => {}
                _ => self.wrong(ty, value, place, field, nesting),
            },
            Type::IntOrString => {
                if let Err(text) = int_or_string(value) {
                    self.error(text, place.trail);
                }
            }
            Type::Quantity => {
                if let Err(text) = super::scalar::quantity(value) {
                    self.error(text, place.trail);
                }
            }
            Type::Time | Type::MicroTime => self.time(value, *ty == Type::MicroTime, place.trail),
            Type::Bytes => match value {
                Value::String(text) => match octets::check(text) {
                    Ok(true) => {}
                    Ok(false) => *text = octets::normalize(text),
                    Err(at) => {
                        let text = format!("illegal base64 data at input byte {at}");
                        self.error(text, place.trail);
                    }
                },
                _ => self.wrong(ty, value, place, field, nesting),
            },
            Type::String | Type::Duration | Type::Bool | Type::Double => {
                self.wrong(ty, value, place, field, nesting);
            }
        }
    }

    fn element(
        &mut self,
        ty: &'s Type,
        value: &mut Value,
        place: Place<'_>,
        step: Step<'_>,
        field: &'s Field,
        nesting: usize,
    ) {
        if value.is_null() {
            *value = zero(ty);
            return;
        }
        let trail = Trail {
            step,
            above: place.trail,
        };
        let place = Place {
            owner: place.owner,
            trail: Some(&trail),
        };
        self.value(ty, value, place, field, nesting + 1);
    }

    fn error(&mut self, text: String, trail: Option<&Trail<'_>>) {
        let mut path = String::new();
        if let Some(trail) = trail {
            trail.path(&mut path);
        }
        self.found.errors.push(text);
        self.found.error_paths.push(path);
    }

    fn time(&mut self, value: &mut Value, micro: bool, trail: Option<&Trail<'_>>) {
        let Value::String(text) = value else {
            let what = json_kind(value);
            let text = format!("json: cannot unmarshal {what} into Go value of type string");
            self.error(text, trail);
            return;
        };
        match time(text, micro) {
            Ok(canonical) if canonical == *text => {}
            Ok(canonical) => *text = canonical,
            Err(error) => self.error(error, trail),
        }
    }

    fn unknown(&mut self, trail: &Trail<'_>) {
        if self.found.unknown.len() < MAX_UNKNOWN {
            let mut path = String::new();
            trail.path(&mut path);
            self.found.unknown.push(path);
        }
    }

    /// A value whose JSON type its Go type cannot hold.
    fn wrong(&mut self, ty: &Type, value: &Value, place: Place<'_>, field: &Field, nesting: usize) {
        let mut go = field
            .go
            .as_deref()
            .map_or_else(|| self.go_name(&field.ty), str::to_owned);
        for _ in 0..nesting {
            let inner = go.strip_prefix("[]").map(str::to_owned).or_else(|| {
                go.strip_prefix("map[")?
                    .split_once(']')
                    .map(|(_, inner)| inner.to_owned())
            });
            // A named list or map type hides the name of its elements' type.
            go = inner.unwrap_or_else(|| self.go_name(ty));
        }
        self.mismatch(value, place, Some(field), &go);
    }

    fn mismatch(&mut self, value: &Value, place: Place<'_>, field: Option<&Field>, go: &str) {
        let what = match value {
            Value::Number(n) if matches!(go, "int32" | "int64") => format!("number {n}"),
            other => json_kind(other),
        };
        let text = match (field, place.trail) {
            (Some(_), Some(trail)) => {
                let mut path = String::new();
                trail.fields(&mut path);
                format!(
                    "json: cannot unmarshal {what} into Go struct field {}.{path} of type {go}",
                    place.owner.short_name()
                )
            }
            _ => format!("json: cannot unmarshal {what} into Go value of type {go}"),
        };
        self.error(text, place.trail);
    }

    /// The Go name of a type, as far as it follows from the schema.
    fn go_name(&self, ty: &Type) -> String {
        match ty {
            Type::Object(id) => self
                .schema
                .object(*id)
                .map(|t| format!("{}.{}", package(&t.name), t.short_name()))
                .unwrap_or_default(),
            Type::List(list) => format!("[]{}", self.go_name(&list.element)),
            Type::Map(map) => format!("map[string]{}", self.go_name(&map.value)),
            Type::String => "string".to_owned(),
            Type::Int32 => "int32".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Double => "float64".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Bytes => "[]uint8".to_owned(),
            Type::Quantity => "resource.Quantity".to_owned(),
            Type::IntOrString => "intstr.IntOrString".to_owned(),
            Type::Time => "v1.Time".to_owned(),
            Type::MicroTime => "v1.MicroTime".to_owned(),
            Type::Duration => "v1.Duration".to_owned(),
            Type::Raw(_) => "runtime.RawExtension".to_owned(),
        }
    }
}

/// The Go package of a type: `v1` of `io.k8s.api.core.v1.Pod`.
fn package(name: &str) -> &str {
    name.rsplit('.').nth(1).unwrap_or_default()
}

/// What Go has where nothing was set.
fn zero(ty: &Type) -> Value {
    match ty {
        Type::Object(_) => Value::Object(Map::new()),
        Type::String => Value::String(String::new()),
        Type::Quantity | Type::Duration => Value::String("0".to_owned()),
        Type::Int32 | Type::Int64 | Type::Double | Type::IntOrString => Value::from(0),
        Type::Bool => Value::Bool(false),
        Type::List(_)
        | Type::Map(_)
        | Type::Bytes
        | Type::Time
        | Type::MicroTime
        | Type::Raw(_) => Value::Null,
    }
}

/// Whether Go's `omitempty` leaves the value out. It never leaves out structs.
fn is_zero(ty: &Type, value: &Value) -> bool {
    match (ty, value) {
        (Type::String | Type::Bytes, Value::String(text)) => text.is_empty(),
        (Type::Bool, Value::Bool(on)) => !on,
        (Type::Int32 | Type::Int64, Value::Number(n)) => n.as_i64() == Some(0),
        (Type::Double, Value::Number(n)) => n.as_f64() == Some(0.0),
        (Type::List(_), Value::Array(items)) => items.is_empty(),
        (Type::Map(_), Value::Object(entries)) => entries.is_empty(),
        _ => false,
    }
}
