//! The rules of `metadata`, for new and for changed objects (upstream's `ValidateObjectMeta` and
//! `ValidateObjectMetaUpdate`).

use super::at::{At, Report};
use super::names;
use super::read::{entries, get, int, is_true, list, text, texts};
use crate::Value;
use crate::field::ErrorList;

/// The most bytes that all annotations of an object may have together.
pub const ANNOTATIONS_MAX: usize = 256 << 10;

/// Checks a name, or with `true` a prefix for generated names; returns upstream's messages.
pub type NameRule = fn(name: &str, prefix: bool) -> Vec<String>;

/// Reports everything that is wrong with the metadata of a new object. `at` is where `metadata`
/// stands.
pub fn validate(
    metadata: &Value,
    namespaced: bool,
    name_rule: NameRule,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let generate = text(metadata, "generateName");
    if !generate.is_empty() {
        errors.invalid_each(
            &at.child("generateName"),
            generate,
            name_rule(generate, true),
        );
    }
    let name = text(metadata, "name");
    if name.is_empty() {
        errors.required(&at.child("name"), "name or generateName is required");
    } else {
        errors.invalid_each(&at.child("name"), name, name_rule(name, false));
    }
    let namespace = text(metadata, "namespace");
    if namespaced {
        if namespace.is_empty() {
            errors.required(&at.child("namespace"), "");
        } else {
            let messages = names::dns1123_label(namespace);
            errors.invalid_each(&at.child("namespace"), namespace, messages);
        }
    } else if !namespace.is_empty() {
        errors.forbidden(&at.child("namespace"), "not allowed on this type");
    }
    if let Some(generation) = int(metadata, "generation") {
        errors.non_negative(&at.child("generation"), generation);
    }
    validate_lists(metadata, at, errors);
}

/// The rules that hold for any metadata, new or changed: labels, annotations, owners, finalizers,
/// managed fields.
fn validate_lists(metadata: &Value, at: &At<'_>, errors: &mut ErrorList) {
    labels(metadata, "labels", at, errors);
    annotations(metadata, at, errors);
    owner_references(metadata, &at.child("ownerReferences"), errors);
    finalizers(metadata, &at.child("finalizers"), errors);
    managed_fields(metadata, &at.child("managedFields"), errors);
    let finalizers = at.child("finalizers");
    for (i, finalizer) in texts(metadata, "finalizers").enumerate() {
        if !finalizer.contains('/') && !is_standard_finalizer(finalizer) {
            errors.invalid(
                &finalizers.index(i),
                finalizer,
                "name is neither a standard finalizer name nor is it fully qualified",
            );
        }
    }
}

/// Reports wrong keys and values of the label map at `key` of `holder`.
pub fn labels(holder: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child(key);
    for (key, value) in entries(holder, key) {
        errors.invalid_each(&at, key, names::qualified_name(key));
        errors.invalid_each(&at, value, names::label_value(value));
    }
}

/// Reports wrong keys of annotations, and too many bytes of them.
pub fn annotations(metadata: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("annotations");
    let mut size = 0usize;
    for (key, value) in entries(metadata, "annotations") {
        // Unlike labels, annotations may have upper case in their prefix.
        errors.invalid_each(&at, key, names::qualified_name(&key.to_lowercase()));
        size = size.saturating_add(key.len()).saturating_add(value.len());
    }
    if size > ANNOTATIONS_MAX {
        errors.too_long(&at, ANNOTATIONS_MAX);
    }
}

fn owner_references(metadata: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let owners = list(metadata, "ownerReferences");
    let mut controller: Option<String> = None;
    for owner in owners {
        let api_version = text(owner, "apiVersion");
        let (group, version) = crate::resource::split_api_version(api_version);
        if version.is_empty() {
            errors.invalid(
                &at.child("apiVersion"),
                api_version,
                "version must not be empty",
            );
        }
        for (key, message) in [
            ("kind", "kind must not be empty"),
            ("name", "name must not be empty"),
            ("uid", "uid must not be empty"),
        ] {
            if text(owner, key).is_empty() {
                errors.invalid(&at.child(key), "", message);
            }
        }
        if group.is_empty() && version == "v1" && text(owner, "kind") == "Event" {
            errors.invalid(
                at,
                owner.clone(),
                "/v1, Kind=Event is disallowed from being an owner",
            );
        }
        if is_true(owner, "controller") {
            let named = format!("{}/{}", text(owner, "kind"), text(owner, "name"));
            match &controller {
                None => controller = Some(named),
                Some(first) => errors.invalid(
                    at,
                    Value::Array(owners.to_vec()),
                    format!(
                        "Only one reference can have Controller set to true. Found \"true\" in \
                         references for {first} and {named}"
                    ),
                ),
            }
        }
    }
}

fn is_standard_finalizer(name: &str) -> bool {
    matches!(name, "kubernetes" | "orphan" | "foregroundDeletion")
}

fn finalizers(metadata: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let mut orphan = false;
    let mut foreground = false;
    for finalizer in texts(metadata, "finalizers") {
        errors.invalid_each(at, finalizer, names::qualified_name(finalizer));
        orphan |= finalizer == "orphan";
        foreground |= finalizer == "foregroundDeletion";
    }
    if orphan && foreground {
        errors.invalid(
            at,
            get(metadata, "finalizers").cloned().unwrap_or_default(),
            "finalizer orphan and foregroundDeletion cannot be both set",
        );
    }
}

fn managed_fields(metadata: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for (i, entry) in list(metadata, "managedFields").iter().enumerate() {
        let at = at.index(i);
        let operation = text(entry, "operation");
        if !matches!(operation, "Apply" | "Update") {
            errors.invalid(
                &at.child("operation"),
                operation,
                "must be `Apply` or `Update`",
            );
        }
        let kind = text(entry, "fieldsType");
        if !kind.is_empty() && kind != "FieldsV1" {
            errors.invalid(&at.child("fieldsType"), kind, "must be `FieldsV1`");
        }
        field_manager(text(entry, "manager"), &at.child("manager"), errors);
        if text(entry, "subresource").len() > 256 {
            errors.too_long(&at.child("subresource"), 256);
        }
    }
}

/// Reports a field manager's name that is too long or not printable.
pub fn field_manager(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    if name.len() > 128 {
        errors.too_long(at, 128);
    }
    for (i, c) in name.char_indices() {
        if c.is_control() || (c.is_whitespace() && c != ' ') {
            let code = u32::from(c);
            errors.invalid(
                at,
                name,
                format!("invalid character U+{code:04X} (at position {i})"),
            );
        }
    }
}

/// Reports everything that is wrong with the metadata of a changed object: what may not change,
/// and the rules of its lists. The new object must carry the resource version of the old one.
pub fn validate_update(metadata: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if get(old, "deletionTimestamp").is_some() {
        let extra: Vec<String> = texts(metadata, "finalizers")
            .filter(|f| !texts(old, "finalizers").any(|o| o == *f))
            .map(|f| format!("{f:?}"))
            .collect();
        if !extra.is_empty() {
            errors.forbidden(
                &at.child("finalizers"),
                format!(
                    "no new finalizers can be added if the object is being deleted, found new \
                     finalizers []string{{{}}}",
                    extra.join(", ")
                ),
            );
        }
    }
    if text(metadata, "resourceVersion").is_empty() {
        errors.invalid(
            &at.child("resourceVersion"),
            "",
            "must be specified for an update",
        );
    }
    let generation = int(metadata, "generation").unwrap_or(0);
    if generation < int(old, "generation").unwrap_or(0) {
        errors.invalid(
            &at.child("generation"),
            generation,
            "must not be decremented",
        );
    }
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        immutable_field(metadata, old, key, at, errors);
    }
    validate_lists(metadata, at, errors);
}

/// Reports a change of the field `key`, in upstream's words.
pub fn immutable_field(value: &Value, old: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    let new = value.get(key);
    if new != old.get(key) && !super::read::same_field(value, old, key) {
        errors.invalid(
            &at.child(key),
            new.cloned().unwrap_or_default(),
            "field is immutable",
        );
    }
}

#[cfg(test)]
#[path = "object_meta_tests.rs"]
mod tests;
