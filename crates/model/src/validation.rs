//! Rules that hold for objects of every kind: names, labels, annotations, owner references,
//! finalizers, and what of metadata may change (upstream's `ValidateObjectMeta*`).

use crate::Value;
use crate::field::ErrorList;
use crate::resource::Resource;

/// Everything that is wrong with a new object: metadata, then the kind's own rules.
pub fn validate_create(resource: &Resource, object: &Value) -> ErrorList {
    (resource.behavior.validate_create)(object)
}

/// Everything that is wrong with a changed object: metadata, then the kind's own rules.
pub fn validate_update(
    resource: &Resource,
    object: &Value,
    old: &Value,
    subresource: &str,
) -> ErrorList {
    (resource.behavior.validate_update)(object, old, subresource)
}
