//! The types of the built-in API: fields, list and map semantics, patch strategies. The data are
//! exported from upstream's published API types and embedded; descriptions are kept apart,
//! compressed, and read only when OpenAPI documents are asked for.
//!
//! A [`Schema`] is a plain value: the built-in one is shared for the life of the process, others
//! (for custom resources) can be parsed from the same form.

mod complete;
mod conform;
mod docs;
mod fingerprint;
mod load;
mod octets;
mod scalar;
mod types;

pub use conform::Conformance;
pub use docs::{Docs, TypeDocs};
pub(crate) use fingerprint::Fingerprint;
pub use load::SchemaError;
pub use types::{
    Field, ListKind, ListType, MapType, ObjectType, PatchStrategy, RawKind, Type, TypeId,
};

use crate::resource::Text;
use std::collections::HashMap;
use std::sync::OnceLock;

/// All types, by name (`io.k8s.api.core.v1.Pod`).
#[derive(Debug, Default)]
pub struct Schema {
    types: Vec<ObjectType>,
    names: HashMap<Text, TypeId>,
    /// Of the data that the types were read from.
    fingerprint: String,
}

impl Schema {
    /// The types of the built-in API. Parsed on first use, which takes a few milliseconds.
    pub fn builtin() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| {
            // The embedded data are checked by a test; were they unreadable, no type would be
            // known and every object would be refused as one of an unknown type.
            load::parse(include_str!("schema/types.json")).unwrap_or_default()
        })
    }

    /// Reads types from the exporter's form.
    pub fn parse(text: &'static str) -> Result<Self, SchemaError> {
        load::parse(text)
    }

    /// All types, sorted by name.
    pub fn types(&self) -> &[ObjectType] {
        &self.types
    }

    /// A text that is another one whenever the types are others.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The handle of the type `name`, for repeated look-ups.
    pub fn id(&self, name: &str) -> Option<TypeId> {
        self.names.get(name).copied()
    }

    /// The type behind a handle. Handles of another schema give an arbitrary type or none.
    pub fn object(&self, id: TypeId) -> Option<&ObjectType> {
        self.types.get(id.index())
    }

    /// The type `name`.
    pub fn get(&self, name: &str) -> Option<&ObjectType> {
        self.object(self.id(name)?)
    }

    /// The object type that `ty` refers to, if it is a reference.
    pub fn resolve(&self, ty: &Type) -> Option<&ObjectType> {
        match ty {
            Type::Object(id) => self.object(*id),
            _ => None,
        }
    }

    /// Whether server-side apply treats the value of `field` as one: atomic lists, maps and
    /// objects, and everything that has no parts.
    pub fn is_atomic(&self, field: &Field) -> bool {
        match &field.ty {
            Type::Object(id) => {
                field.atomic || (!field.granular && self.object(*id).is_some_and(|t| t.atomic))
            }
            Type::List(list) => list.kind == ListKind::Atomic,
            Type::Map(map) => map.atomic,
            _ => true,
        }
    }

    /// The type at a path of field names below the type `name`. Lists and maps are entered by
    /// `"*"`: `["spec", "containers", "*", "image"]`.
    pub fn at(&self, name: &str, path: &[&str]) -> Option<&Type> {
        let (first, rest) = path.split_first()?;
        let mut here = &self.get(name)?.field(first)?.ty;
        for step in rest {
            here = match here {
                Type::Object(id) => &self.object(*id)?.field(step)?.ty,
                Type::List(list) => &list.element,
                Type::Map(map) => &map.value,
                _ => return None,
            };
        }
        Some(here)
    }

    /// The value that the key field `key` of an entry of `list` has when it is absent
    /// (`"TCP"` for the `protocol` of a container's port).
    pub fn key_default(&self, list: &ListType, key: &str) -> Option<&crate::Value> {
        self.resolve(&list.element)?.field(key)?.default.as_ref()
    }
}

#[cfg(test)]
mod tests;
