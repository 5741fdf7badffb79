//! `apiextensions.k8s.io`: definitions of custom resources.

mod structural;

use super::core::fill;
use super::workload::{self, field};
use super::{neutral, webhook_client};
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, is_true, list, text, texts};
use crate::{Value, meta};
use serde_json::json;
use std::collections::BTreeSet;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "customresourcedefinitions").then(|| Behavior {
        default,
        prepare_create: note_storage_version,
        prepare_update: |definition, _, subresource| {
            if subresource.is_empty() {
                note_storage_version(definition);
            }
        },
        validate_create: validate,
        validate_update,
        ..neutral()
    })
}

fn default(_version: &str, definition: &mut Value) {
    let Some(spec) = workload::spec_mut(definition) else {
        return;
    };
    if let Some(names) = fill::map(spec, "names") {
        let kind = fill::get(names, "kind").to_owned();
        if !kind.is_empty() {
            fill::text(names, "singular", &kind.to_lowercase());
            fill::text(names, "listKind", &format!("{kind}List"));
        }
    }
    fill::absent(spec, "conversion", json!({"strategy": "None"}));
    let conversion = fill::map(spec, "conversion");
    if let Some(webhook) = conversion.and_then(|conversion| fill::map(conversion, "webhook")) {
        webhook_client::default(webhook);
    }
}

/// Remembers in which versions objects may be stored.
fn note_storage_version(definition: &mut Value) {
    let versions = list(field(definition, "spec"), "versions");
    let Some(storage) = versions.iter().find(|version| is_true(version, "storage")) else {
        return;
    };
    let name = text(storage, "name").to_owned();
    let path = ["status", "storedVersions"];
    let mut stored = meta::list(definition, &path).to_vec();
    if !stored.iter().any(|version| *version == name) {
        stored.push(name.into());
        meta::set(definition, &path, stored);
    }
}

fn validate(definition: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(definition, "spec");
    let (group, name) = (text(spec, "group"), meta::name(definition));
    let plural = text(field(spec, "names"), "plural");
    if name != format!("{plural}.{group}") {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.invalid(&At::of("metadata.name"), name, why);
    }
    let at = At::of("spec");
    validate_group(group, &at.child("group"), &mut errors);
    let scope = text(spec, "scope");
    match scope {
        "Cluster" | "Namespaced" => {}
        "" => errors.required(&at.child("scope"), ""),
        _ => errors.not_supported(&at.child("scope"), scope, &["Cluster", "Namespaced"]),
    }
    if is_true(spec, "preserveUnknownFields") {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
                   spec.versions[*].schema instead";
        errors.invalid(&at.child("preserveUnknownFields"), true, why);
    }
    versions(spec, &at.child("versions"), &mut errors);
    validate_names(field(spec, "names"), &at.child("names"), &mut errors);
    if let Some(conversion) = get(spec, "conversion") {
        validate_conversion(conversion, &at.child("conversion"), &mut errors);
    }
    errors
}

fn validate_group(group: &str, at: &At<'_>, errors: &mut ErrorList) {
    if group.is_empty() {
        errors.required(at, "");
        return;
    }
    let faults = names::dns1123_subdomain(group);
    if !faults.is_empty() {
        errors.invalid(at, group, faults.join(","));
    } else if !group.contains('.') {
        errors.invalid(at, group, "should be a domain with at least one dot");
    }
}

fn versions(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let versions = list(spec, "versions");
    let mut seen = BTreeSet::new();
    for (i, version) in versions.iter().enumerate() {
        let at = at.index(i);
        let name = text(version, "name");
        seen.insert(name);
        let faults = names::dns1035_label(name);
        if !faults.is_empty() {
            errors.invalid(&at.child("name"), name, faults.join(","));
        }
        let schema_at = at.child("schema");
        let schema_at = schema_at.child("openAPIV3Schema");
        match get(field(version, "schema"), "openAPIV3Schema") {
            None => errors.required(&schema_at, "schemas are required"),
            Some(schema) => structural::validate(schema, &schema_at, errors),
        }
        if let Some(scale) = get(field(version, "subresources"), "scale") {
            let at = at.child("subresources");
            validate_scale(scale, &at.child("scale"), errors);
        }
    }
    if seen.len() != versions.len() {
        errors.invalid(at, versions.to_vec(), "must contain unique version names");
    }
    let stored = versions
        .iter()
        .filter(|version| is_true(version, "storage"));
    if stored.count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.invalid(at, versions.to_vec(), why);
    }
}

fn validate_scale(scale: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for (key, root, required) in [
        ("specReplicasPath", ".spec.", true),
        ("statusReplicasPath", ".status.", true),
        ("labelSelectorPath", ".", false),
    ] {
        let path = text(scale, key);
        let at = at.child(key);
        if path.is_empty() {
            if required {
                errors.required(&at, "");
            }
        } else if required && !path.starts_with(root) {
            let why = format!("should be a json path under {}", root.trim_end_matches('.'));
            errors.invalid(&at, path, why);
        } else if !path.starts_with(".spec.") && !path.starts_with(".status.") {
            let why = "should be a json path under either .spec or .status";
            errors.invalid(&at, path, why);
        }
    }
}

fn validate_names(names: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let label = |name: &str, at: &At<'_>, errors: &mut ErrorList| {
        let faults = names::dns1035_label(name);
        if !faults.is_empty() {
            errors.invalid(at, name, faults.join(","));
        }
    };
    for key in ["plural", "singular", "kind", "listKind"] {
        let name = text(names, key);
        let at = at.child(key);
        if name.is_empty() {
            errors.required(&at, "");
        } else if key.ends_with("ind") {
            let faults = names::dns1035_label(&name.to_lowercase());
            if !faults.is_empty() {
                let why = format!(
                    "may have mixed case, but should otherwise match: {}",
                    faults.join(",")
                );
                errors.invalid(&at, name, why);
            }
        } else {
            label(name, &at, errors);
        }
    }
    let kind = text(names, "kind");
    if !kind.is_empty() && kind == text(names, "listKind") {
        let why = "kind and listKind may not be the same";
        errors.invalid(&at.child("listKind"), kind, why);
    }
    for key in ["shortNames", "categories"] {
        let list_at = at.child(key);
        for (i, name) in texts(names, key).enumerate() {
            label(name, &list_at.index(i), errors);
        }
    }
}

fn validate_conversion(conversion: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let webhook = get(conversion, "webhook");
    let webhook_at = at.child("webhook");
    match text(conversion, "strategy") {
        "None" => {
            if webhook.is_some() {
                let why = "should not be set when strategy is not set to Webhook";
                errors.forbidden(&webhook_at, why);
            }
        }
        "Webhook" => {
            let config = webhook.and_then(|webhook| get(webhook, "clientConfig"));
            let config_at = webhook_at.child("clientConfig");
            match config {
                None => errors.required(&config_at, "required when strategy is set to Webhook"),
                Some(config) => webhook_client::validate(config, &config_at, errors),
            }
            let versions = webhook.map_or(&[][..], |w| list(w, "conversionReviewVersions"));
            let known = |version: &Value| matches!(version.as_str(), Some("v1" | "v1beta1"));
            let at = webhook_at.child("conversionReviewVersions");
            if versions.is_empty() {
                errors.required(&at, "");
            } else if !versions.iter().any(known) {
                let why = "must include at least one of v1, v1beta1";
                errors.invalid(&at, versions.to_vec(), why);
            }
        }
        "" => errors.required(&at.child("strategy"), ""),
        other => errors.not_supported(&at.child("strategy"), other, &["None", "Webhook"]),
    }
}

fn validate_update(definition: &Value, old: &Value, subresource: &str) -> ErrorList {
    let (spec, old_spec) = (field(definition, "spec"), field(old, "spec"));
    let mut errors = if subresource == "status" {
        ErrorList::new()
    } else {
        validate(definition)
    };
    stored_versions(definition, &mut errors);
    if subresource == "status" {
        return errors;
    }
    let at = At::of("spec");
    let established = list(field(old, "status"), "conditions")
        .iter()
        .any(|c| text(c, "type") == "Established" && text(c, "status") == "True");
    let (names, old_names) = (field(spec, "names"), field(old_spec, "names"));
    let names_at = at.child("names");
    if established {
        immutable_field(spec, old_spec, "scope", &at, &mut errors);
        immutable_field(names, old_names, "kind", &names_at, &mut errors);
    }
    immutable_field(spec, old_spec, "group", &at, &mut errors);
    immutable_field(names, old_names, "plural", &names_at, &mut errors);
    errors
}

/// A version in which objects are stored may not vanish.
fn stored_versions(definition: &Value, errors: &mut ErrorList) {
    let versions = list(field(definition, "spec"), "versions");
    let known: BTreeSet<&str> = versions.iter().map(|v| text(v, "name")).collect();
    let at = At::of("status.storedVersions");
    for (i, stored) in texts(field(definition, "status"), "storedVersions").enumerate() {
        if !known.contains(stored) {
            errors.invalid(&at.index(i), stored, "must appear in spec.versions");
        }
    }
}

#[cfg(test)]
mod tests;
