//! Persistent volume claims.

use super::{claim_spec, diff::diff, fill, pod_defaults, resources};
use crate::Value;
use crate::field::ErrorList;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, map, same, text};
use serde_json::json;

/// The rules of claims.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create,
        prepare_update,
        validate_create,
        validate_update,
        warnings,
        validate_name: names::object_subdomain,
    }
}

fn default(_version: &str, claim: &mut Value) {
    let Some(claim) = claim.as_object_mut() else {
        return;
    };
    fill::empty_map(claim, "status");
    if let Some(status) = fill::map(claim, "status") {
        fill::text(status, "phase", "Pending");
    }
    if let Some(spec) = fill::map(claim, "spec") {
        pod_defaults::claim_spec(spec);
    }
}

fn prepare_create(claim: &mut Value) {
    meta::set(claim, &["status"], json!({"phase": "Pending"}));
    match_data_sources(claim);
}

fn prepare_update(claim: &mut Value, _old: &Value, subresource: &str) {
    if subresource.is_empty() {
        match_data_sources(claim);
    }
}

/// `dataSource` and `dataSourceRef` say the same, unless the source is in another namespace.
fn match_data_sources(claim: &mut Value) {
    let Some(spec) = claim.get("spec") else {
        return;
    };
    let source = get(spec, "dataSource").cloned();
    let reference = get(spec, "dataSourceRef").cloned();
    match (source, reference) {
        (Some(source), None) => meta::set(claim, &["spec", "dataSourceRef"], source),
        (None, Some(reference)) if text(&reference, "namespace").is_empty() => {
            meta::set(claim, &["spec", "dataSource"], reference);
        }
        _ => {}
    }
}

fn validate_create(claim: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = claim.get("spec").unwrap_or(&Value::Null);
    claim_spec::validate(spec, &At::of("spec"), &mut errors);
    errors
}

fn validate_update(claim: &Value, old: &Value, subresource: &str) -> ErrorList {
    let null = Value::Null;
    let mut errors = ErrorList::new();
    if subresource == "status" {
        let status = claim.get("status").unwrap_or(&null);
        let at = At::of("status.capacity");
        for (name, amount) in map(status, "capacity").into_iter().flatten() {
            resources::validate_amount(name, amount, &at.key(name), &mut errors);
        }
        return errors;
    }
    errors.extend(validate_create(claim));
    let (spec, was) = (
        claim.get("spec").unwrap_or(&null),
        old.get("spec").unwrap_or(&null),
    );
    let mut munged = spec.clone();
    let mut take_back = |path: &[&str]| match meta::at(was, path) {
        Some(value) => meta::set(&mut munged, path, value.clone()),
        None => drop(meta::remove(&mut munged, path)),
    };
    if text(was, "volumeName").is_empty() {
        take_back(&["volumeName"]);
    }
    // A class may be given later to a claim that was made before there was a default one.
    if get(was, "storageClassName").is_none() && text(was, "volumeName").is_empty() {
        take_back(&["storageClassName"]);
    }
    let bound = meta::text(old, &["status", "phase"]) == "Bound";
    if bound {
        take_back(&["resources", "requests", "storage"]);
        take_back(&["volumeAttributesClassName"]);
    }
    if !same(Some(&munged), Some(was)) {
        errors.forbidden(
            &At::of("spec"),
            format!(
                "spec is immutable after creation except resources.requests and \
                 volumeAttributesClassName for bound claims\n{}",
                diff("core.PersistentVolumeClaimSpec", was, &munged)
            ),
        );
    }
    shrinking(spec, was, old, &mut errors);
    immutable_field(spec, was, "volumeMode", &At::root(), &mut errors);
    errors
}

/// A request may be taken back, but not below what is there.
fn shrinking(spec: &Value, was: &Value, old: &Value, errors: &mut ErrorList) {
    let size = |v: &Value, path: &[&str]| meta::at(v, path).and_then(Amount::of);
    let request = ["resources", "requests", "storage"];
    let (now, before) = (size(spec, &request), size(was, &request));
    let have = size(old, &["status", "capacity", "storage"]);
    if let (Some(now), Some(before)) = (now, before)
        && now < before
        && have.is_none_or(|have| now < have)
    {
        errors.forbidden(
            &At::of("spec.resources.requests.storage"),
            "field can not be less than status.capacity",
        );
    }
}

fn warnings(claim: &Value, _old: Option<&Value>) -> Vec<String> {
    let size = meta::at(claim, &["spec", "resources", "requests", "storage"]);
    match size {
        Some(size) if Amount::of(size).is_some_and(|a| !a.is_whole()) => vec![format!(
            "spec.resources.requests[storage]: fractional byte value {:?} is invalid, must be an \
             integer",
            resources::shown(size)
        )],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Value {
        let mut claim = json!({"metadata": {"name": "c", "namespace": "n"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
        default("v1", &mut claim);
        prepare_create(&mut claim);
        claim
    }

    fn texts_of(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rules() {
        assert!(validate_create(&claim()).is_empty());
        let cases: Vec<(&str, Value, &str)> = vec![
            (
                "accessModes",
                json!([]),
                "spec.accessModes: Required value: at least 1 access mode is required",
            ),
            (
                "accessModes",
                json!(["X"]),
                "spec.accessModes: Unsupported value: \"X\"",
            ),
            (
                "resources",
                json!({}),
                "spec.resources[storage]: Required value",
            ),
            (
                "resources",
                json!({"requests": {"storage": "0"}}),
                "spec.resources[storage]: Invalid value: \"0\": must be greater than zero",
            ),
            (
                "volumeMode",
                json!("X"),
                "spec.volumeMode: Unsupported value: \"X\"",
            ),
            (
                "selector",
                json!({"matchLabels": {"a": " "}}),
                "spec.selector.matchLabels: Invalid value: \" \"",
            ),
            (
                "dataSource",
                json!({"kind": "X", "name": "y"}),
                "spec.dataSource: Invalid value: \"X\": must be 'PersistentVolumeClaim' when",
            ),
        ];
        for (key, value, want) in cases {
            let mut claim = claim();
            claim["spec"][key] = value;
            let got = texts_of(&validate_create(&claim));
            assert_eq!(got.len(), 1, "{key}: {got:?}");
            assert!(got[0].starts_with(want), "{got:?}");
        }
    }

    #[test]
    fn what_may_change() {
        let old = claim();
        let mut bound = old.clone();
        bound["spec"]["volumeName"] = json!("v");
        bound["spec"]["storageClassName"] = json!("fast");
        assert!(validate_update(&bound, &old, "").is_empty());
        bound["status"] = json!({"phase": "Bound", "capacity": {"storage": "1Gi"}});
        let mut grown = bound.clone();
        grown["spec"]["resources"]["requests"]["storage"] = json!("2Gi");
        assert!(validate_update(&grown, &bound, "").is_empty());
        let mut shrunk = bound.clone();
        shrunk["spec"]["resources"]["requests"]["storage"] = json!("512Mi");
        assert_eq!(
            texts_of(&validate_update(&shrunk, &bound, "")),
            [
                "spec.resources.requests.storage: Forbidden: field can not be less than \
                 status.capacity"
            ]
        );
        let mut other = bound.clone();
        other["spec"]["accessModes"] = json!(["ReadOnlyMany"]);
        assert!(
            texts_of(&validate_update(&other, &bound, ""))[0].starts_with(
                "spec: Forbidden: spec is immutable after creation except resources.requests and \
             volumeAttributesClassName for bound claims\n"
            )
        );
    }
}
