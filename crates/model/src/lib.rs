//! The Kubernetes object model: everything that can be said about an object without asking who
//! wants it or where it is kept.
//!
//! Objects travel as parsed JSON ([`Value`]); typed views from `k8s-openapi` are taken where an
//! engine needs them. All functions here are pure: no I/O, no clock, no globals but constants.

pub mod apply;
pub mod convert;
pub mod decode;
pub mod discovery;
pub mod field;
pub mod generation;
pub mod go;
pub mod kinds;
pub mod meta;
pub mod openapi;
pub mod patch;
pub mod protobuf;
pub mod quantity;
pub mod registry;
pub mod resource;
pub mod schema;
pub mod selector;
mod shape;
pub mod status;
pub mod table;
pub mod user;
pub mod validation;

/// A parsed object or any part of one.
pub type Value = serde_json::Value;
/// A parsed JSON object.
pub type Map = serde_json::Map<String, Value>;
