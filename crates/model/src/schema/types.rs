//! What the schema says of a type and of its fields.

use crate::Value;
use crate::resource::{GroupVersionKind, Text};

/// A handle on an object type, valid in the schema that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeId(pub(super) u32);

impl TypeId {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// An object with named fields.
#[derive(Debug, Clone)]
pub struct ObjectType {
    /// The OpenAPI name, such as `io.k8s.api.core.v1.Pod`.
    pub name: Text,
    /// Whether server-side apply treats objects of this type as one value.
    pub atomic: bool,
    /// The kinds that are served with this type; empty for nested types.
    pub kinds: Vec<GroupVersionKind>,
    /// Whether fields that the type does not have are kept.
    pub preserve_unknown: bool,
    /// Sorted by name.
    pub(super) fields: Vec<Field>,
}

impl ObjectType {
    /// The fields, sorted by name (as the keys of a parsed object are).
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let index = self
            .fields
            .binary_search_by(|f| f.name.as_ref().cmp(name))
            .ok()?;
        self.fields.get(index)
    }

    /// The name without its package, such as `Pod`: what Go calls the type.
    pub fn short_name(&self) -> &str {
        self.name.rsplit_once('.').map_or(&self.name, |(_, n)| n)
    }
}

/// A field of an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// The JSON name.
    pub name: Text,
    /// What it holds.
    pub ty: Type,
    /// Whether OpenAPI lists it as required.
    pub required: bool,
    /// Whether upstream's Go type can tell an absent value from a zero one.
    pub pointer: bool,
    /// Whether upstream's encoder leaves out a zero value.
    pub omit_empty: bool,
    /// The default that the schema states. Defaulting itself is the business of the kinds; this
    /// one completes the keys of list entries.
    pub default: Option<Value>,
    /// The values that OpenAPI lists for a text (or for the texts in a list); empty if any may
    /// stand there.
    pub allowed: Vec<Text>,
    /// How a strategic merge patch treats the field.
    pub patch: PatchStrategy,
    /// By which field a strategic merge patch matches the entries of the list.
    pub merge_key: Option<Text>,
    /// Whether server-side apply treats the object in this field as one value, whatever its type
    /// says.
    pub atomic: bool,
    /// Whether server-side apply merges the object in this field field by field, even if its type
    /// says that it is atomic.
    pub granular: bool,
    /// Where the field stands in upstream's protobuf messages: its number, after those of the
    /// messages that JSON writes inline; empty if protobuf does not have it.
    pub protobuf: Box<[u32]>,
    /// The name of the Go type where it does not follow from `ty`, for error texts.
    pub(super) go: Option<Text>,
}

/// How a strategic merge patch treats a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PatchStrategy {
    /// Lists are merged entry by entry instead of being replaced.
    pub merge: bool,
    /// Maps are replaced instead of being merged.
    pub replace: bool,
    /// Fields that the patch's `$retainKeys` does not name are dropped.
    pub retain_keys: bool,
}

impl PatchStrategy {
    /// The text of `x-kubernetes-patch-strategy`; empty if nothing is stated.
    pub fn text(self) -> String {
        let mut parts = Vec::new();
        for (on, name) in [
            (self.merge, "merge"),
            (self.replace, "replace"),
            (self.retain_keys, "retainKeys"),
        ] {
            if on {
                parts.push(name);
            }
        }
        parts.join(",")
    }
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// An object with named fields.
    Object(TypeId),
    /// A list.
    List(Box<ListType>),
    /// An object with arbitrary keys and values of one type.
    Map(Box<MapType>),
    /// A text.
    String,
    /// A whole number in 32 bits.
    Int32,
    /// A whole number in 64 bits.
    Int64,
    /// A number.
    Double,
    /// `true` or `false`.
    Bool,
    /// A quantity, such as `100m`, written as a text or a number.
    Quantity,
    /// A 32-bit number or a text.
    IntOrString,
    /// A time in seconds (RFC 3339).
    Time,
    /// A time in microseconds.
    MicroTime,
    /// A length of time as Go writes it, such as `1h15m`.
    Duration,
    /// Bytes in base64.
    Bytes,
    /// Anything; what stands there is not looked at.
    Raw(RawKind),
}

/// Which of the types without a structure of their own a raw value has; only OpenAPI documents
/// tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// A whole object (`runtime.RawExtension`).
    Extension,
    /// A set of managed fields (`metav1.FieldsV1`).
    Fields,
    /// Any JSON value.
    Json,
    /// A JSON schema or a truth value.
    SchemaOrBool,
    /// A JSON schema or a list of them.
    SchemaOrArray,
    /// A JSON schema or a list of texts.
    SchemaOrStrings,
}

/// A list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListType {
    /// What it holds.
    pub element: Type,
    /// How server-side apply merges it.
    pub kind: ListKind,
    /// Whether the API states the kind; else it follows from the patch strategy.
    pub stated: bool,
}

/// How server-side apply merges a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListKind {
    /// Not at all: one owner for the whole list.
    Atomic,
    /// As a set of scalars.
    Set,
    /// As objects told apart by these fields.
    Map(Vec<Text>),
}

/// An object with arbitrary keys.
#[derive(Debug, Clone, PartialEq)]
pub struct MapType {
    /// The type of its values.
    pub value: Type,
    /// Whether server-side apply treats it as one value.
    pub atomic: bool,
}
