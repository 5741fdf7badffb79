//! Rules that hold for objects of every kind: names, labels, annotations, owner references,
//! finalizers, and what of metadata may change (upstream's `ValidateObjectMeta*`); and the
//! building blocks that the rules of the kinds share.

pub mod amounts;
pub mod at;
pub mod names;
pub mod net;
pub mod object_meta;
pub mod read;
pub mod selector;

use crate::Value;
use crate::field::ErrorList;
use crate::resource::Resource;
use at::At;

/// Everything that is wrong with a new object: metadata, then the kind's own rules. The object
/// must already have its name (generated if need be) and its namespace.
///
/// `resource` is the one as which the object is stored. Where the request addresses another
/// resource that shows the same objects, `asked` is that one, and adds its rules.
pub fn validate_create(resource: &Resource, asked: Option<&Resource>, object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    object_meta::validate(
        metadata,
        resource.namespaced(),
        resource.behavior.validate_name,
        &At::of("metadata"),
        &mut errors,
    );
    errors.extend((resource.behavior.validate_create)(object));
    if let Some(asked) = asked {
        errors.extend((asked.behavior.validate_create)(object));
    }
    errors
}

/// Everything that is wrong with a changed object: metadata, then the kind's own rules.
///
/// The new object must carry the old one's resource version, UID and times, which the caller
/// fills in where the client left them out. `asked` is as for [`validate_create`].
pub fn validate_update(
    resource: &Resource,
    asked: Option<&Resource>,
    object: &Value,
    old: &Value,
    subresource: &str,
) -> ErrorList {
    let mut errors = ErrorList::new();
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    let at = At::of("metadata");
    object_meta::validate_update(
        metadata,
        old.get("metadata").unwrap_or(&Value::Null),
        &at,
        &mut errors,
    );
    errors.extend((resource.behavior.validate_update)(
        object,
        old,
        subresource,
    ));
    if let Some(asked) = asked {
        errors.extend((asked.behavior.validate_update)(object, old, subresource));
    }
    errors
}
