//! Types as JSON schemas.

use super::Dialect;
use crate::schema::{Docs, Field, ListKind, ObjectType, RawKind, Schema, Type, TypeDocs};
use crate::{Map, Value};
use serde_json::json;
use std::collections::BTreeSet;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const APIEXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/// Writes types in a dialect.
pub(super) struct Schemas<'a> {
    schema: &'a Schema,
    docs: &'a Docs,
    dialect: Dialect,
}

impl<'a> Schemas<'a> {
    pub(super) fn new(schema: &'a Schema, docs: &'a Docs, dialect: Dialect) -> Self {
        Self {
            schema,
            docs,
            dialect,
        }
    }

    /// The types named by `roots` and all that they refer to, sorted by name.
    pub(super) fn reachable(
        self,
        roots: BTreeSet<String>,
    ) -> impl Iterator<Item = (String, Value)> + 'a {
        let mut names = BTreeSet::new();
        let mut open: Vec<String> = roots.into_iter().collect();
        while let Some(name) = open.pop() {
            if let Some(ty) = self.schema.get(&name) {
                for field in ty.fields() {
                    open.extend(
                        self.refers_to(&field.ty)
                            .filter(|n| !names.contains(n.as_str())),
                    );
                }
            }
            names.insert(name);
        }
        names.into_iter().filter_map(move |name| {
            let value = match self.schema.get(&name) {
                Some(ty) => self.object(ty),
                None => self.scalar(&name)?,
            };
            Some((name, value))
        })
    }

    /// The name of the type that a list, a map or a field of `ty` refers to.
    fn refers_to(&self, ty: &Type) -> Option<String> {
        match ty {
            Type::List(list) => self.refers_to(&list.element),
            Type::Map(map) => self.refers_to(&map.value),
            Type::Object(id) => Some(self.schema.object(*id)?.name.clone().into_owned()),
            other => scalar_name(other),
        }
    }

    fn object(&self, ty: &ObjectType) -> Value {
        let none = TypeDocs::default();
        let docs = self.docs.get(&ty.name).unwrap_or(&none);
        let mut out = Map::new();
        describe(&mut out, &docs.text);
        out.insert("type".to_owned(), "object".into());
        let properties: Map = ty
            .fields()
            .iter()
            .map(|field| {
                let text = docs.fields.get(&*field.name).map_or("", String::as_str);
                (field.name.clone().into_owned(), self.field(field, text))
            })
            .collect();
        if !properties.is_empty() {
            out.insert("properties".to_owned(), Value::Object(properties));
        }
        let required: Vec<Value> = ty
            .fields()
            .iter()
            .filter(|f| f.required)
            .map(|f| f.name.as_ref().into())
            .collect();
        if !required.is_empty() {
            out.insert("required".to_owned(), required.into());
        }
        if ty.atomic {
            out.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        if !ty.kinds.is_empty() {
            let kinds: Vec<Value> = ty
                .kinds
                .iter()
                .map(|k| json!({"group": k.group, "version": k.version, "kind": k.kind}))
                .collect();
            out.insert("x-kubernetes-group-version-kind".to_owned(), kinds.into());
        }
        if ty.preserve_unknown {
            out.insert(
                "x-kubernetes-preserve-unknown-fields".to_owned(),
                true.into(),
            );
        }
        Value::Object(out)
    }

    fn field(&self, field: &Field, text: &str) -> Value {
        let mut out = self.ty(&field.ty);
        if let Some(default) = self.default(field) {
            out.insert("default".to_owned(), default);
        }
        describe(&mut out, text);
        if !field.allowed.is_empty() {
            let allowed: Vec<Value> = field.allowed.iter().map(|v| v.as_ref().into()).collect();
            match (&field.ty, out.get_mut("items")) {
                (Type::List(_), Some(Value::Object(items))) => {
                    items.insert("enum".to_owned(), allowed.into());
                }
                _ => {
                    out.insert("enum".to_owned(), allowed.into());
                }
            }
        }
        let mut extension = |name: &str, value: Value| {
            out.insert(format!("x-kubernetes-{name}"), value);
        };
        let strategy = field.patch.text();
        if !strategy.is_empty() {
            extension("patch-strategy", strategy.into());
        }
        if let Some(key) = &field.merge_key {
            extension("patch-merge-key", key.as_ref().into());
        }
        match &field.ty {
            Type::List(list) if list.stated => match &list.kind {
                ListKind::Atomic => extension("list-type", "atomic".into()),
                ListKind::Set => extension("list-type", "set".into()),
                ListKind::Map(keys) => {
                    extension("list-type", "map".into());
                    let keys: Vec<Value> = keys.iter().map(|k| k.as_ref().into()).collect();
                    extension("list-map-keys", keys.into());
                }
            },
            Type::Map(map) if map.atomic => extension("map-type", "atomic".into()),
            Type::Object(_) if field.atomic => extension("map-type", "atomic".into()),
            Type::Object(_) if field.granular => extension("map-type", "granular".into()),
            _ => {}
        }
        self.alone(out)
    }

    /// Nothing may stand beside a v3 reference: one that has company is wrapped.
    fn alone(&self, mut out: Map) -> Value {
        if self.dialect == Dialect::V3
            && out.len() > 1
            && let Some(reference) = out.remove("$ref")
        {
            out.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
        }
        Value::Object(out)
    }

    /// What upstream's documents state as a field's default: the stated one, else the zero value
    /// of what is always written.
    fn default(&self, field: &Field) -> Option<Value> {
        if self.dialect == Dialect::V2 {
            return None;
        }
        if field.default.is_some() {
            return field.default.clone();
        }
        match field.ty {
            _ if field.pointer => None,
            Type::Object(_) => Some(json!({})),
            _ if field.omit_empty => None,
            _ => zero(&field.ty),
        }
    }

    /// The type of a list's entries or a map's values.
    fn element(&self, ty: &Type) -> Value {
        let default = match (self.dialect, ty) {
            (Dialect::V2, _) => None,
            (_, Type::Object(_)) => Some(json!({})),
            _ => zero(ty),
        };
        let mut out = self.ty(ty);
        if let Some(default) = default {
            out.insert("default".to_owned(), default);
        }
        self.alone(out)
    }

    fn ty(&self, ty: &Type) -> Map {
        let plain = |ty: &str, format: &str| {
            let mut out = Map::new();
            out.insert("type".to_owned(), ty.into());
            if !format.is_empty() {
                out.insert("format".to_owned(), format.into());
            }
            out
        };
        match ty {
            Type::String => plain("string", ""),
            Type::Bool => plain("boolean", ""),
            Type::Int32 => plain("integer", "int32"),
            Type::Int64 => plain("integer", "int64"),
            Type::Double => plain("number", "double"),
            Type::Bytes => plain("string", "byte"),
            Type::List(list) => {
                let mut out = plain("array", "");
                out.insert("items".to_owned(), self.element(&list.element));
                out
            }
            Type::Map(map) => {
                let mut out = plain("object", "");
                out.insert("additionalProperties".to_owned(), self.element(&map.value));
                out
            }
            reference => {
                let name = self.refers_to(reference).unwrap_or_default();
                let mut out = Map::new();
                out.insert("$ref".to_owned(), self.dialect.pointer(&name).into());
                out
            }
        }
    }

    /// A type with a JSON form of its own.
    fn scalar(&self, name: &str) -> Option<Value> {
        let v3 = self.dialect == Dialect::V3;
        let (_, short) = name.rsplit_once('.')?;
        let mut out = match short {
            "Quantity" if v3 => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
            "Quantity" | "Duration" => json!({"type": "string"}),
            "IntOrString" if v3 => json!({
                "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}],
            }),
            "IntOrString" => json!({"type": "string", "format": "int-or-string"}),
            "Time" | "MicroTime" => json!({"type": "string", "format": "date-time"}),
            "FieldsV1" | "RawExtension" => json!({"type": "object"}),
            _ if name.starts_with(APIEXTENSIONS) => json!({}),
            _ => return None,
        };
        if let (Some(map), Some(docs)) = (out.as_object_mut(), self.docs.get(name)) {
            describe(map, &docs.text);
        }
        Some(out)
    }
}

fn describe(out: &mut Map, text: &str) {
    if !text.is_empty() {
        out.insert("description".to_owned(), text.into());
    }
}

fn zero(ty: &Type) -> Option<Value> {
    match ty {
        Type::String => Some("".into()),
        Type::Int32 | Type::Int64 | Type::Double => Some(0.into()),
        Type::Bool => Some(false.into()),
        _ => None,
    }
}

/// The OpenAPI name of a type with a JSON form of its own.
fn scalar_name(ty: &Type) -> Option<String> {
    Some(match ty {
        Type::Quantity => "io.k8s.apimachinery.pkg.api.resource.Quantity".to_owned(),
        Type::IntOrString => "io.k8s.apimachinery.pkg.util.intstr.IntOrString".to_owned(),
        Type::Time => format!("{META}.Time"),
        Type::MicroTime => format!("{META}.MicroTime"),
        Type::Duration => format!("{META}.Duration"),
        Type::Raw(RawKind::Fields) => format!("{META}.FieldsV1"),
        Type::Raw(RawKind::Extension) => "io.k8s.apimachinery.pkg.runtime.RawExtension".to_owned(),
        Type::Raw(RawKind::Json) => format!("{APIEXTENSIONS}.JSON"),
        Type::Raw(RawKind::SchemaOrBool) => format!("{APIEXTENSIONS}.JSONSchemaPropsOrBool"),
        Type::Raw(RawKind::SchemaOrArray) => format!("{APIEXTENSIONS}.JSONSchemaPropsOrArray"),
        Type::Raw(RawKind::SchemaOrStrings) => {
            format!("{APIEXTENSIONS}.JSONSchemaPropsOrStringArray")
        }
        _ => return None,
    })
}
