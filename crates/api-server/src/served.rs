//! A resource in the version that a request speaks, and the way from stored bytes to that
//! version and back.

use crate::cache::CachedObject;
use bytes::Bytes;
use model::Value;
use model::convert;
use model::registry::Registry;
use model::resource::{Resource, Text, api_version};
use model::status::Status;
use std::sync::Arc;

/// A resource as a request addresses it.
#[derive(Debug, Clone)]
pub struct Served {
    /// The resource.
    pub resource: Arc<Resource>,
    /// The resource whose objects these are; mostly the same.
    pub stored: Arc<Resource>,
    /// The version of the request.
    pub version: Text,
    /// The type's name in the schema, in that version.
    pub schema: Text,
    /// The type's name in the schema, as it is stored.
    pub stored_schema: Text,
    /// Whether stored objects can be sent as they are.
    pub native: bool,
}

impl Served {
    /// The resource at that place of the API, if it is served.
    pub fn find(registry: &Registry, group: &str, version: &str, plural: &str) -> Option<Self> {
        let resource = registry.by_path(group, version, plural)?;
        let stored = registry.stored_as(resource);
        let served = resource.version(version)?;
        let stored_schema = stored
            .version(&stored.storage_version)
            .map_or_else(|| served.schema.clone(), |v| v.schema.clone());
        Some(Self {
            version: served.name.clone(),
            schema: served.schema.clone(),
            stored_schema,
            native: convert::is_stored_form(resource, version),
            stored: stored.clone(),
            resource: resource.clone(),
        })
    }

    /// The resource that the request addresses, if its objects are another's.
    pub fn shows(&self) -> Option<&Resource> {
        (!Arc::ptr_eq(&self.resource, &self.stored)).then_some(&*self.resource)
    }

    /// The `apiVersion` of the request's objects.
    pub fn api_version(&self) -> String {
        api_version(&self.resource.group, &self.version)
    }

    /// 404 for an object of the resource.
    pub fn not_found(&self, name: &str) -> Status {
        Status::not_found(&self.resource.group, &self.resource.plural, name)
    }

    /// 409 for an object that was changed meanwhile.
    pub fn stale(&self, name: &str) -> Status {
        Status::stale(&self.resource.group, &self.resource.plural, name)
    }

    /// 409 with a reason of its own.
    pub fn conflict(&self, name: &str, why: impl std::fmt::Display) -> Status {
        Status::conflict(&self.resource.group, &self.resource.plural, name, why)
    }

    /// An object in the request's version.
    pub fn read(&self, object: &CachedObject) -> Result<Value, Status> {
        let value = object.encoded.parse().map_err(Status::internal)?;
        Ok(self.from_stored(value))
    }

    /// Brings a stored object to the request's version.
    pub fn from_stored(&self, mut value: Value) -> Value {
        if !self.native {
            convert::from_storage(&mut value, &self.resource, &self.version);
        }
        value
    }

    /// Brings an object of the request's version to the one that is stored.
    pub fn to_stored(&self, mut value: Value) -> Value {
        if !self.native {
            convert::to_storage(&mut value, &self.resource, &self.version);
        }
        value
    }

    /// An object's bytes in the request's version.
    pub fn bytes(&self, object: &CachedObject) -> Result<Bytes, Status> {
        if self.native {
            return Ok(object.bytes().clone());
        }
        Ok(self.read(object)?.to_string().into())
    }
}

/// Sets `apiVersion` and `kind`.
pub fn set_kind(value: &mut Value, api_version: &str, kind: &str) {
    if let Some(map) = value.as_object_mut() {
        map.insert("apiVersion".to_owned(), api_version.into());
        map.insert("kind".to_owned(), kind.into());
    }
}
