//! Reading types from the exporter's form.

use super::types::{
    Field, ListKind, ListType, MapType, ObjectType, PatchStrategy, RawKind, Type, TypeId,
};
use super::{Fingerprint, HashMap, Schema};
use crate::Value;
use crate::resource::{GroupVersionKind, Text};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Why schema data could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// Not JSON of the expected form.
    #[error("schema data: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A field has a type that is not in the data.
    #[error("schema data: {owner}.{field} has the unknown type {ty:?}")]
    UnknownType {
        /// The type with the field.
        owner: String,
        /// The field.
        field: String,
        /// Its type's code.
        ty: String,
    },
}

#[derive(Deserialize)]
struct RawType<'a> {
    #[serde(borrow, rename = "f")]
    fields: Vec<RawField<'a>>,
    #[serde(default, rename = "a")]
    atomic: bool,
    #[serde(default, borrow, rename = "k")]
    kinds: Vec<RawGvk<'a>>,
}

#[derive(Deserialize)]
struct RawGvk<'a> {
    #[serde(rename = "g")]
    group: &'a str,
    #[serde(rename = "v")]
    version: &'a str,
    #[serde(rename = "k")]
    kind: &'a str,
}

#[derive(Deserialize)]
struct RawField<'a> {
    #[serde(rename = "n")]
    name: &'a str,
    #[serde(rename = "t")]
    code: &'a str,
    #[serde(default, rename = "r")]
    required: bool,
    #[serde(default, rename = "p")]
    pointer: bool,
    #[serde(default, rename = "o")]
    omit_empty: bool,
    #[serde(default, rename = "d")]
    default: Option<Value>,
    #[serde(default, borrow, rename = "e")]
    allowed: Vec<&'a str>,
    #[serde(default, rename = "ps")]
    strategy: &'a str,
    #[serde(default, rename = "mk")]
    merge_key: Option<&'a str>,
    #[serde(default, rename = "lt")]
    list_type: Option<&'a str>,
    #[serde(default, borrow, rename = "lk")]
    list_keys: Vec<&'a str>,
    #[serde(default, rename = "mt")]
    map_type: &'a str,
    #[serde(default, rename = "g")]
    go: Option<&'a str>,
    #[serde(default, rename = "pb")]
    protobuf: Box<[u32]>,
}

pub(super) fn parse(text: &'static str) -> Result<Schema, SchemaError> {
    let raw: BTreeMap<&'static str, RawType<'static>> = serde_json::from_str(text)?;
    let names: HashMap<Text, TypeId> = raw
        .keys()
        .zip(0..)
        .map(|(name, index)| (Text::Borrowed(*name), TypeId(index)))
        .collect();
    let mut types = Vec::with_capacity(raw.len());
    for (name, raw_type) in raw {
        let mut fields = Vec::with_capacity(raw_type.fields.len());
        for field in raw_type.fields {
            fields.push(convert(name, field, &names)?);
        }
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        types.push(ObjectType {
            name: name.into(),
            atomic: raw_type.atomic,
            kinds: raw_type
                .kinds
                .into_iter()
                .map(|k| GroupVersionKind {
                    group: k.group.into(),
                    version: k.version.into(),
                    kind: k.kind.into(),
                })
                .collect(),
            preserve_unknown: false,
            fields,
        });
    }
    let mut fingerprint = Fingerprint::new(0);
    fingerprint.add(text.as_bytes());
    Ok(Schema {
        types,
        names,
        fingerprint: fingerprint.text(),
    })
}

fn convert(
    owner: &str,
    raw: RawField<'static>,
    names: &HashMap<Text, TypeId>,
) -> Result<Field, SchemaError> {
    let unknown = || SchemaError::UnknownType {
        owner: owner.to_owned(),
        field: raw.name.to_owned(),
        ty: raw.code.to_owned(),
    };
    let mut ty = type_of(raw.code, names).ok_or_else(unknown)?;
    let patch = PatchStrategy {
        merge: raw.strategy.split(',').any(|s| s == "merge"),
        replace: raw.strategy.split(',').any(|s| s == "replace"),
        retain_keys: raw.strategy.split(',').any(|s| s == "retainKeys"),
    };
    match &mut ty {
        Type::List(list) => {
            list.stated = raw.list_type.is_some();
            list.kind = match raw.list_type {
                Some("set") => ListKind::Set,
                Some("map") => ListKind::Map(raw.list_keys.iter().map(|k| (*k).into()).collect()),
                None if patch.merge => match raw.merge_key {
                    Some(key) => ListKind::Map(vec![key.into()]),
                    None => ListKind::Set,
                },
                _ => ListKind::Atomic,
            };
        }
        Type::Map(map) => map.atomic = raw.map_type == "atomic",
        _ => {}
    }
    Ok(Field {
        name: raw.name.into(),
        required: raw.required,
        pointer: raw.pointer,
        omit_empty: raw.omit_empty,
        default: raw.default,
        allowed: raw.allowed.into_iter().map(Text::Borrowed).collect(),
        patch,
        merge_key: raw.merge_key.map(Text::Borrowed),
        atomic: raw.map_type == "atomic" && matches!(ty, Type::Object(_)),
        granular: raw.map_type == "granular" && matches!(ty, Type::Object(_)),
        go: raw.go.map(Text::Borrowed),
        protobuf: raw.protobuf,
        ty,
    })
}

fn type_of(code: &str, names: &HashMap<Text, TypeId>) -> Option<Type> {
    if let Some(inner) = code.strip_prefix("[]") {
        return Some(Type::List(Box::new(ListType {
            element: type_of(inner, names)?,
            kind: ListKind::Atomic,
            stated: false,
        })));
    }
    if let Some(inner) = code.strip_prefix("{}") {
        return Some(Type::Map(Box::new(MapType {
            value: type_of(inner, names)?,
            atomic: false,
        })));
    }
    Some(match code {
        "string" => Type::String,
        "int32" => Type::Int32,
        "int64" => Type::Int64,
        "double" => Type::Double,
        "bool" => Type::Bool,
        "quantity" => Type::Quantity,
        "intOrString" => Type::IntOrString,
        "time" => Type::Time,
        "microTime" => Type::MicroTime,
        "duration" => Type::Duration,
        "bytes" => Type::Bytes,
        "rawExtension" => Type::Raw(RawKind::Extension),
        "fieldsV1" => Type::Raw(RawKind::Fields),
        "json" => Type::Raw(RawKind::Json),
        "schemaOrBool" => Type::Raw(RawKind::SchemaOrBool),
        "schemaOrArray" => Type::Raw(RawKind::SchemaOrArray),
        "schemaOrStrings" => Type::Raw(RawKind::SchemaOrStrings),
        name => Type::Object(*names.get(name)?),
    })
}
