//! Rules of the spec of a persistent volume claim, as it stands in claims and in templates of
//! claims (ephemeral volumes, stateful sets).

use super::resources;
use crate::field::ErrorList;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, map, text, texts};
use crate::validation::{names, selector};
use crate::{Value, meta};

/// The storage class that a claim or a volume names: by the annotation of old if it has that, else by
/// its field. Empty names none on purpose.
pub fn storage_class(object: &Value) -> Option<&str> {
    let old = "volume.beta.kubernetes.io/storage-class";
    meta::at(object, &["metadata", "annotations", old])
        .and_then(Value::as_str)
        .or_else(|| meta::at(object, &["spec", "storageClassName"])?.as_str())
}

/// The ways in which a volume may be mounted.
pub(crate) const ACCESS_MODES: &[&str] = &[
    "ReadOnlyMany",
    "ReadWriteMany",
    "ReadWriteOnce",
    "ReadWriteOncePod",
];

/// Reports what is wrong with the spec of a claim.
pub fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    access_modes(
        spec,
        "at least 1 access mode is required",
        &at.child("accessModes"),
        errors,
    );
    if let Some(selected) = get(spec, "selector") {
        selector::validate(selected, &at.child("selector"), errors);
    }
    let requests = get(spec, "resources").and_then(|r| map(r, "requests"));
    let resources_at = at.child("resources");
    let storage_at = resources_at.key("storage");
    match requests.and_then(|r| r.get("storage")) {
        None => errors.required(&storage_at, ""),
        Some(size) => {
            if Amount::of(size).is_some_and(|s| !s.is_positive()) {
                errors.invalid(
                    &storage_at,
                    resources::shown(size),
                    "must be greater than zero",
                );
            }
        }
    }
    let class = get(spec, "storageClassName").and_then(Value::as_str);
    if let Some(class) = class.filter(|c| !c.is_empty()) {
        let messages = names::dns1123_subdomain(class);
        errors.invalid_each(&at.child("storageClassName"), class, messages);
    }
    volume_mode(spec, at, errors);
    for key in ["dataSource", "dataSourceRef"] {
        if let Some(source) = get(spec, key) {
            data_source(source, &at.child(key), errors);
        }
    }
    let source_ref = get(spec, "dataSourceRef");
    let namespace = source_ref.map_or("", |r| text(r, "namespace"));
    if let (Some(source), Some(reference)) = (get(spec, "dataSource"), source_ref)
        && namespace.is_empty()
        && !["apiGroup", "kind", "name"]
            .iter()
            .all(|key| text(source, key) == text(reference, key))
    {
        errors.invalid(&at.child(""), source.clone(), "must match dataSourceRef");
    }
    if let Some(class) = get(spec, "volumeAttributesClassName").and_then(Value::as_str)
        && !class.is_empty()
    {
        let messages = names::dns1123_subdomain(class);
        errors.invalid_each(&at.child("volumeAttributesClassName"), class, messages);
    }
}

/// Reports access modes that are missing, unknown or do not go together.
pub(crate) fn access_modes(spec: &Value, missing: &str, at: &At<'_>, errors: &mut ErrorList) {
    if list(spec, "accessModes").is_empty() {
        errors.required(at, missing);
    }
    for mode in texts(spec, "accessModes") {
        if !ACCESS_MODES.contains(&mode) {
            errors.not_supported(at, mode, ACCESS_MODES);
        }
    }
    let alone = texts(spec, "accessModes").any(|m| m == "ReadWriteOncePod");
    if alone && texts(spec, "accessModes").any(|m| m != "ReadWriteOncePod") {
        errors.forbidden(at, "may not use ReadWriteOncePod with other access modes");
    }
}

/// Reports an unknown volume mode.
pub(crate) fn volume_mode(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(mode) = get(spec, "volumeMode").and_then(Value::as_str)
        && !matches!(mode, "Block" | "Filesystem")
    {
        errors.not_supported(&at.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
}

fn data_source(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["name", "kind"] {
        if text(source, key).is_empty() {
            errors.required(&at.child(key), "");
        }
    }
    let group = text(source, "apiGroup");
    if group.is_empty() && text(source, "kind") != "PersistentVolumeClaim" {
        errors.invalid(
            at,
            text(source, "kind"),
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        );
    }
    if !group.is_empty() {
        errors.invalid_each(
            &at.child("apiGroup"),
            group,
            names::dns1123_subdomain(group),
        );
    }
}
