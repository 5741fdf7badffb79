//! Rules of the volumes of a pod spec.

use super::container_env::{VOLUME_FIELDS, field_selector, resource_selector};
use super::pod_defaults::VOLUME_SOURCES;
use super::{claim_spec, container_mounts::Volumes, paths, volume_sources};
use crate::Value;
use crate::field::ErrorList;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, is_blank, list, text};
use crate::validation::{names, object_meta};
use std::collections::BTreeSet;

/// Reports what is wrong with the volumes of a pod spec, and returns those without faults by
/// name. `pod_name` is empty in templates.
pub(crate) fn validate_all<'a>(
    spec: &'a Value,
    pod_name: &str,
    list_at: &At<'_>,
    errors: &mut ErrorList,
) -> Volumes<'a> {
    let mut known = Volumes::new();
    let mut seen = BTreeSet::new();
    for (i, volume) in list(spec, "volumes").iter().enumerate() {
        let at = list_at.index(i);
        let before = errors.len();
        source(volume, pod_name, &at, errors);
        let name = text(volume, "name");
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        } else {
            errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
        }
        if !seen.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        if errors.len() == before {
            known.insert(name, volume);
        }
    }
    made_claims(spec, pod_name, list_at, errors);
    known
}

/// A pod may not use a claim that is made for one of its own ephemeral volumes.
fn made_claims(spec: &Value, pod_name: &str, list_at: &At<'_>, errors: &mut ErrorList) {
    let volumes = list(spec, "volumes");
    let made: BTreeSet<String> = volumes
        .iter()
        .filter(|volume| !pod_name.is_empty() && get(volume, "ephemeral").is_some())
        .map(|volume| format!("{pod_name}-{}", text(volume, "name")))
        .collect();
    if made.is_empty() {
        return;
    }
    for (i, volume) in volumes.iter().enumerate() {
        let claim = get(volume, "persistentVolumeClaim").map_or("", |c| text(c, "claimName"));
        if made.contains(claim) {
            let at = list_at.index(i);
            errors.invalid(
                &at.child("persistentVolumeClaim").child("claimName"),
                claim,
                "must not reference a PVC that gets created for an ephemeral volume",
            );
        }
    }
}

fn source(volume: &Value, pod_name: &str, volume_at: &At<'_>, errors: &mut ErrorList) {
    let mut found = false;
    for kind in VOLUME_SOURCES {
        let Some(source) = get(volume, kind) else {
            continue;
        };
        let at = volume_at.child(kind);
        if found {
            errors.forbidden(&at, "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        match *kind {
            "emptyDir" => empty_dir(source, &at, errors),
            "gitRepo" => git_repo(source, &at, errors),
            "secret" => key_files(source, "secretName", &at, errors),
            "configMap" => key_files(source, "name", &at, errors),
            "persistentVolumeClaim" => {
                volume_sources::required(source, &["claimName"], &at, errors);
            }
            "downwardAPI" => {
                mode(source, "defaultMode", &at, errors);
                for file in list(source, "items") {
                    downward_file(file, &at, errors);
                }
            }
            "projected" => projected(source, &at, errors),
            "ephemeral" => ephemeral(source, text(volume, "name"), pod_name, &at, errors),
            "image" => image(source, &at, errors),
            // The name is upstream's.
            "gcePersistentDisk" => {
                let at = volume_at.child("persistentDisk");
                volume_sources::validate(kind, source, false, &at, errors);
            }
            other => volume_sources::validate(other, source, false, &at, errors),
        }
    }
    if !found {
        errors.required(volume_at, "must specify a volume type");
    }
}

fn empty_dir(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if get(source, "sizeLimit")
        .and_then(Amount::of)
        .is_some_and(Amount::is_negative)
    {
        errors.forbidden(
            &at.child("sizeLimit"),
            "SizeLimit field must be a valid resource quantity",
        );
    }
}

fn git_repo(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    volume_sources::required(source, &["repository"], at, errors);
    let directory = text(source, "directory");
    paths::descending(directory, &at.child("directory"), errors);
}

fn image(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    volume_sources::required(source, &["reference"], at, errors);
    let policies = &["Always", "IfNotPresent", "Never"];
    super::container::one_of(source, "pullPolicy", policies, at, errors);
}

const MODE_MESSAGE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

fn mode(holder: &Value, key: &str, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(bits) = int(holder, key)
        && !(0..=0o777).contains(&bits)
    {
        errors.invalid(&at.child(key), bits, MODE_MESSAGE);
    }
}

/// A secret or config map as a directory.
fn key_files(source: &Value, name_key: &str, at: &At<'_>, errors: &mut ErrorList) {
    volume_sources::required(source, &[name_key], at, errors);
    mode(source, "defaultMode", at, errors);
    let items_at = at.child("items");
    for (i, item) in list(source, "items").iter().enumerate() {
        key_to_path(item, &items_at.index(i), errors);
    }
}

fn key_to_path(item: &Value, at: &At<'_>, errors: &mut ErrorList) {
    volume_sources::required(item, &["key", "path"], at, errors);
    paths::unreserved(text(item, "path"), &at.child("path"), errors);
    mode(item, "mode", at, errors);
}

fn downward_file(file: &Value, at: &At<'_>, errors: &mut ErrorList) {
    volume_sources::required(file, &["path"], at, errors);
    paths::unreserved(text(file, "path"), &at.child("path"), errors);
    match (get(file, "fieldRef"), get(file, "resourceFieldRef")) {
        (Some(field), resource) => {
            field_selector(field, VOLUME_FIELDS, &at.child("fieldRef"), errors);
            if resource.is_some() {
                errors.invalid(
                    at,
                    "resource",
                    "fieldRef and resourceFieldRef can not be specified simultaneously",
                );
            }
        }
        (None, Some(resource)) => {
            resource_selector(resource, true, &at.child("resourceFieldRef"), errors);
        }
        (None, None) => {
            errors.required(at, "one of fieldRef and resourceFieldRef is required");
        }
    }
    mode(file, "mode", at, errors);
}

const PROJECTIONS: &[&str] = &[
    "secret",
    "configMap",
    "downwardAPI",
    "serviceAccountToken",
    "clusterTrustBundle",
];

fn projected(source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    mode(source, "defaultMode", at, errors);
    let list_at = at.child("sources");
    let mut paths_seen: BTreeSet<String> = BTreeSet::new();
    for (i, projection) in list(source, "sources").iter().enumerate() {
        let item_at = list_at.index(i);
        let mut found = 0;
        for kind in PROJECTIONS {
            let Some(part) = get(projection, kind) else {
                continue;
            };
            let kind_at = item_at.child(kind);
            found += 1;
            projection_source(kind, part, at, &kind_at, errors);
            let files: Vec<&str> = match *kind {
                // Upstream does not look for these among the others.
                "serviceAccountToken" => Vec::new(),
                "clusterTrustBundle" => vec![text(part, "path")],
                _ => list(part, "items")
                    .iter()
                    .map(|f| text(f, "path"))
                    .collect(),
            };
            for path in files.into_iter().filter(|p| !p.is_empty()) {
                if !paths_seen.insert(path.to_owned()) {
                    let named = match text(part, "name") {
                        "" => path,
                        name => name,
                    };
                    errors.invalid(at, named, "conflicting duplicate paths");
                }
            }
        }
        if found > 1 {
            let detail = "may not specify more than 1 volume type per source";
            errors.forbidden(&item_at, detail);
        }
    }
}

/// `at` is where the part stands, in the volume at `volume_at`.
fn projection_source(
    kind: &str,
    part: &Value,
    volume_at: &At<'_>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    match kind {
        "secret" | "configMap" => {
            volume_sources::required(part, &["name"], at, errors);
            let items_at = at.child("items");
            for (i, item) in list(part, "items").iter().enumerate() {
                key_to_path(item, &items_at.index(i), errors);
            }
        }
        "downwardAPI" => {
            for file in list(part, "items") {
                downward_file(file, at, errors);
            }
        }
        "serviceAccountToken" => {
            let seconds = int(part, "expirationSeconds").unwrap_or(0);
            let seconds_at = at.child("expirationSeconds");
            if seconds < 600 {
                let detail = "may not specify a duration less than 10 minutes";
                errors.invalid(&seconds_at, seconds, detail);
            }
            if seconds > 1 << 32 {
                let detail = "may not specify a duration larger than 2^32 seconds";
                errors.invalid(&seconds_at, seconds, detail);
            }
            // The place is upstream's.
            volume_sources::required(part, &["path"], volume_at, errors);
            paths::unreserved(text(part, "path"), &volume_at.child("path"), errors);
        }
        _ => {
            match (get(part, "name"), get(part, "signerName")) {
                (None, None) => {
                    errors.required(at, "either name or signerName must be specified");
                }
                (Some(_), Some(_)) => errors.invalid(
                    at,
                    part.clone(),
                    "only one of name and signerName may be used",
                ),
                _ => {}
            }
            volume_sources::required(part, &["path"], at, errors);
            paths::unreserved(text(part, "path"), &at.child("path"), errors);
        }
    }
}

fn ephemeral(
    source: &Value,
    volume_name: &str,
    pod_name: &str,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let template_at = at.child("volumeClaimTemplate");
    let Some(template) = get(source, "volumeClaimTemplate") else {
        errors.required(&template_at, "");
        return;
    };
    let metadata = template.get("metadata").unwrap_or(&Value::Null);
    let metadata_at = template_at.child("metadata");
    object_meta::annotations(metadata, &metadata_at, errors);
    object_meta::labels(metadata, "labels", &metadata_at, errors);
    for (key, value) in metadata.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "annotations" | "labels") && !is_blank(Some(value)) {
            errors.forbidden(&metadata_at.child(key), "cannot be set");
        }
    }
    let spec = template.get("spec").unwrap_or(&Value::Null);
    claim_spec::validate(spec, &template_at.child("spec"), errors);
    if !pod_name.is_empty() {
        // The claim will be named after the pod and the volume.
        let claim = format!("{pod_name}-{volume_name}");
        for message in names::dns1123_subdomain(&claim) {
            errors.invalid(
                &at.child("name"),
                volume_name,
                format!("PVC name {claim:?}: {message}"),
            );
        }
    }
}
