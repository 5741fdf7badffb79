//! Conversions between served versions of one kind, and between kinds that share their storage.
//!
//! An object is stored in one form: the storage version of the kind that [`Resource::storage`]
//! names. [`from_storage`] and [`to_storage`] lead from there to every group and version that
//! serves it, and back.

mod autoscaling;
mod event;

use crate::resource::{Resource, api_version};
use crate::{Value, meta};

/// Rewrites an object from one served version to another.
pub type Convert = fn(object: &mut Value, from: &str, to: &str);

/// The conversion between the served versions of `plural` in `group`; for a kind with one version
/// it does nothing.
pub fn between_versions(group: &str, plural: &str) -> Convert {
    match (group, plural) {
        ("autoscaling", "horizontalpodautoscalers") => autoscaling::convert,
        _ => |_, _, _| {},
    }
}

/// Whether objects are stored as `version` of `resource` serves them, so that stored bytes can be
/// sent as they are.
pub fn is_stored_form(resource: &Resource, version: &str) -> bool {
    resource.storage.0 == resource.group && resource.storage_version == version
}

/// Turns a stored object into what `version` of `resource` serves.
pub fn from_storage(object: &mut Value, resource: &Resource, version: &str) {
    if shows_core_events(resource) {
        event::to_events(object);
    }
    (resource.convert)(object, &resource.storage_version, version);
    name(object, resource, &resource.group, version);
}

/// Turns an object as `version` of `resource` serves it into the form that is stored.
pub fn to_storage(object: &mut Value, resource: &Resource, version: &str) {
    (resource.convert)(object, version, &resource.storage_version);
    if shows_core_events(resource) {
        event::to_core(object);
    }
    name(
        object,
        resource,
        &resource.storage.0,
        &resource.storage_version,
    );
}

/// The only kind, so far, that shows the objects of another group.
fn shows_core_events(resource: &Resource) -> bool {
    resource.group == "events.k8s.io" && resource.plural == "events"
}

fn name(object: &mut Value, resource: &Resource, group: &str, version: &str) {
    let wanted = api_version(group, version);
    if meta::text(object, &["apiVersion"]) != wanted {
        meta::set(object, &["apiVersion"], wanted);
    }
    if meta::text(object, &["kind"]) != resource.kind {
        meta::set(object, &["kind"], resource.kind.as_ref());
    }
}

#[cfg(test)]
mod tests;
