//! VolumeAttachments.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::persistent_volume;
use crate::kinds::csi;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{entries, get, same_field, text};

const METADATA_MAX: usize = 256 * 1024;
const MESSAGE_MAX: usize = 1024;

/// Reports what is wrong with a new attachment.
pub(super) fn validate_create(attachment: &Value) -> ErrorList {
    let mut errors = validate(attachment);
    let none = Value::Null;
    let spec = attachment.get("spec").unwrap_or(&none);
    let attacher = text(spec, "attacher");
    if !attacher.is_empty() {
        csi::driver_name(attacher, &At::of("spec.attacher"), &mut errors);
    }
    let volume = spec.pointer("/source/persistentVolumeName");
    if let Some(volume) = volume.and_then(Value::as_str) {
        let at = At::of("spec.source.persistentVolumeName");
        errors.invalid_each(&at, volume, names::dns1123_subdomain(volume));
    }
    errors
}

/// Reports what is wrong with a changed attachment: what is attached stays.
pub(super) fn validate_update(attachment: &Value, old: &Value, _subresource: &str) -> ErrorList {
    let mut errors = validate(attachment);
    if !same_field(attachment, old, "spec") {
        let spec = attachment.get("spec").cloned().unwrap_or_default();
        errors.invalid(&At::of("spec"), spec, "field is immutable");
    }
    errors
}

fn validate(attachment: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = attachment.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    if text(spec, "attacher").is_empty() {
        errors.required(&at.child("attacher"), "");
    }
    let source = spec.get("source").unwrap_or(&none);
    let source_at = at.child("source");
    let exactly_one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (
        get(source, "persistentVolumeName"),
        get(source, "inlineVolumeSpec"),
    ) {
        (None, None) => errors.required(&source_at, exactly_one),
        (Some(_), Some(_)) => errors.forbidden(&source_at, exactly_one),
        (Some(name), None) if name == "" => errors.required(
            &source_at.child("persistentVolumeName"),
            "must specify non empty persistentVolumeName",
        ),
        (None, Some(inline)) => {
            persistent_volume::validate_inline(
                inline,
                &source_at.child("inlineVolumeSpec"),
                &mut errors,
            );
        }
        (Some(_), None) => {}
    }
    let node = text(spec, "nodeName");
    errors.invalid_each(&at.child("nodeName"), node, names::dns1123_subdomain(node));
    status(attachment.get("status").unwrap_or(&none), &mut errors);
    errors
}

fn status(status: &Value, errors: &mut ErrorList) {
    let at = At::of("status");
    let size: usize = entries(status, "attachmentMetadata")
        .map(|(key, value)| key.len() + value.len())
        .sum();
    if size > METADATA_MAX {
        errors.too_long(&at.child("attachmentMetadata"), METADATA_MAX);
    }
    for key in ["attachError", "detachError"] {
        let message = get(status, key).map_or("", |error| text(error, "message"));
        if message.len() > MESSAGE_MAX {
            errors.too_long(&at.child(key).child("message"), MESSAGE_MAX);
        }
    }
}
