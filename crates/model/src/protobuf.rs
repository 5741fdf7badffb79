//! Request bodies in Kubernetes' protobuf form (`application/vnd.kubernetes.protobuf`), which
//! current clients send for built-in kinds. Messages are read by the field numbers that the schema
//! carries, so that every kind that is in the schema can be read.
//!
//! The result is what upstream's encoder would have written as JSON: a zero value in a field that
//! cannot tell zero from absent counts as absent.

mod special;
mod wire;

use crate::resource::split_api_version;
use crate::schema::{Field, ObjectType, Schema, Type};
use crate::{Map, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use wire::{Data, Fields};

/// How encoded objects begin.
const MAGIC: &[u8] = b"k8s\0";
/// Messages may nest this deep (schemas in custom resource definitions do so most).
const MAX_DEPTH: usize = 100;
const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";

/// Why a body could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// It does not begin as Kubernetes' protobuf does.
    #[error(
        "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
    )]
    Foreign,
    /// A message ends early or a number is malformed.
    #[error("proto: illegal wireType or unexpected end of the message at {0}")]
    Malformed(String),
    /// Text that is no UTF-8.
    #[error("proto: field {0} contains invalid UTF-8")]
    Text(String),
    /// Messages nest too deep.
    #[error("proto: messages are nested too deep")]
    Depth,
    /// A kind that the schema does not have.
    #[error("no kind {kind:?} is registered for version {api_version:?}")]
    UnknownKind {
        /// The object's API version.
        api_version: String,
        /// The object's kind.
        kind: String,
    },
}

/// Reads an encoded object, with its `apiVersion` and `kind`.
pub fn decode(schema: &Schema, bytes: &[u8]) -> Result<Value, ProtobufError> {
    let envelope = bytes.strip_prefix(MAGIC).ok_or(ProtobufError::Foreign)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in Fields::of(envelope, "object") {
        match field? {
            (1, Data::Bytes(meta)) => {
                for field in Fields::of(meta, "typeMeta") {
                    match field? {
                        (1, Data::Bytes(text)) => api_version = utf8(text, "apiVersion")?,
                        (2, Data::Bytes(text)) => kind = utf8(text, "kind")?,
                        _ => {}
                    }
                }
            }
            (2, Data::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let ty = type_of(schema, &api_version, &kind).ok_or_else(|| ProtobufError::UnknownKind {
        api_version: api_version.clone(),
        kind: kind.clone(),
    })?;
    let mut value = message(schema, ty, raw, MAX_DEPTH)?;
    value.insert("apiVersion".to_owned(), api_version.into());
    value.insert("kind".to_owned(), kind.into());
    Ok(Value::Object(value))
}

fn type_of<'s>(schema: &'s Schema, api_version: &str, kind: &str) -> Option<&'s ObjectType> {
    if kind == "DeleteOptions" {
        return schema.get(DELETE_OPTIONS);
    }
    let (group, version) = split_api_version(api_version);
    schema.types().iter().find(|ty| {
        ty.kinds
            .iter()
            .any(|k| k.group == group && k.version == version && k.kind == kind)
    })
}

fn message(
    schema: &Schema,
    ty: &ObjectType,
    bytes: &[u8],
    depth: usize,
) -> Result<Map, ProtobufError> {
    let mut map = Map::new();
    fill(schema, ty, &[], bytes, depth, &mut map)?;
    for field in ty.fields() {
        if map
            .get(&*field.name)
            .is_some_and(|value| counts_as_absent(field, value))
        {
            map.remove(&*field.name);
        }
    }
    Ok(map)
}

/// Reads the fields of a message whose own place is `within` the type.
fn fill(
    schema: &Schema,
    ty: &ObjectType,
    within: &[u32],
    bytes: &[u8],
    depth: usize,
    map: &mut Map,
) -> Result<(), ProtobufError> {
    let depth = depth.checked_sub(1).ok_or(ProtobufError::Depth)?;
    for entry in Fields::of(bytes, ty.short_name()) {
        let (number, data) = entry?;
        let mut inline = false;
        for field in ty.fields() {
            let Some(rest) = field.protobuf.strip_prefix(within) else {
                continue;
            };
            match rest {
                [own] if *own == number => {
                    read(schema, field, &data, depth, map)?;
                    break;
                }
                [outer, _, ..] if *outer == number => {
                    inline = true;
                    break;
                }
                _ => {}
            }
        }
        if inline {
            let place: Vec<u32> = within.iter().copied().chain([number]).collect();
            fill(schema, ty, &place, data.bytes(ty.short_name())?, depth, map)?;
        }
    }
    Ok(())
}

/// Reads one occurrence of a field; those of lists and maps add up.
fn read(
    schema: &Schema,
    field: &Field,
    data: &Data<'_>,
    depth: usize,
    map: &mut Map,
) -> Result<(), ProtobufError> {
    let name = &*field.name;
    match &field.ty {
        Type::List(list) => {
            let items = wire::repeated(&list.element, data, name)?;
            for item in items {
                let item = value(schema, &list.element, &item, name, depth)?;
                let entry = map.entry(name).or_insert_with(|| Value::Array(Vec::new()));
                if let Value::Array(items) = entry {
                    items.push(item);
                }
            }
        }
        Type::Map(ty) => {
            let (mut key, mut held) = (String::new(), None);
            for part in Fields::of(data.bytes(name)?, name) {
                match part? {
                    (1, Data::Bytes(text)) => key = utf8(text, name)?,
                    (2, data) => held = Some(value(schema, &ty.value, &data, name, depth)?),
                    _ => {}
                }
            }
            let held = match held {
                Some(held) => held,
                None => value(schema, &ty.value, &Data::empty(&ty.value), name, depth)?,
            };
            let entry = map.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(entries) = entry {
                entries.insert(key, held);
            }
        }
        ty => {
            let held = value(schema, ty, data, name, depth)?;
            map.insert(name.to_owned(), held);
        }
    }
    Ok(())
}

fn value(
    schema: &Schema,
    ty: &Type,
    data: &Data<'_>,
    name: &str,
    depth: usize,
) -> Result<Value, ProtobufError> {
    Ok(match ty {
        Type::Object(id) => match schema.object(*id) {
            Some(ty) => Value::Object(message(schema, ty, data.bytes(name)?, depth)?),
            None => Value::Null,
        },
        // Lists within lists and maps stand in a message of their own.
        Type::List(list) => {
            let mut items = Vec::new();
            for part in Fields::of(data.bytes(name)?, name) {
                let (1, part) = part? else { continue };
                for item in wire::repeated(&list.element, &part, name)? {
                    items.push(value(schema, &list.element, &item, name, depth)?);
                }
            }
            Value::Array(items)
        }
        Type::Map(_) => return Err(ProtobufError::Malformed(name.to_owned())),
        Type::String => utf8(data.bytes(name)?, name)?.into(),
        Type::Int32 | Type::Int64 => data.integer(name)?.into(),
        Type::Bool => (data.integer(name)? != 0).into(),
        Type::Double => data.double(name)?.into(),
        Type::Bytes => STANDARD.encode(data.bytes(name)?).into(),
        Type::Quantity => special::quantity(data.bytes(name)?, name)?,
        Type::IntOrString => special::int_or_string(data.bytes(name)?, name)?,
        Type::Time => special::time(data.bytes(name)?, name, false)?,
        Type::MicroTime => special::time(data.bytes(name)?, name, true)?,
        Type::Duration => special::duration(data.bytes(name)?, name)?,
        Type::Raw(kind) => special::raw(schema, *kind, data.bytes(name)?, name, depth)?,
    })
}

/// Whether upstream's encoder would leave the value out: zero where `omitempty` stands, and times
/// that were never set.
fn counts_as_absent(field: &Field, value: &Value) -> bool {
    match value {
        Value::Null => true,
        _ if field.pointer || !field.omit_empty => false,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(set) => !set,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && !matches!(field.ty, Type::Object(_)),
    }
}

fn utf8(bytes: &[u8], field: &str) -> Result<String, ProtobufError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| ProtobufError::Text(field.to_owned()))
}

#[cfg(test)]
mod tests;
