//! Persistent volumes.

use super::{affinity, claim_spec, diff::diff, fill, pod_defaults, resources, volume_sources};
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, map, same, text};
use crate::{Map, Value};
use serde_json::json;

/// The rules of persistent volumes.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create: |volume| meta::set(volume, &["status"], json!({"phase": "Pending"})),
        validate_create,
        validate_update,
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

/// Says in a volume's status since when it has its phase (`now`, as the API writes times): of a new
/// one, and of one whose phase changes, unless whoever changes it says so. `old` is the volume as
/// it was, if there was one.
pub fn stamp_phase(volume: &mut Value, old: Option<&Value>, now: &str) {
    let since = ["status", "lastPhaseTransitionTime"];
    let phase = ["status", "phase"];
    let said = meta::at(volume, &since);
    let (before, is_same) = match old {
        Some(old) => {
            let is_same = meta::text(old, &phase) == meta::text(volume, &phase);
            (meta::at(old, &since), is_same)
        }
        None => (None, false),
    };
    if !is_same && (said.is_none() || said == before) {
        meta::set(volume, &since, now);
    } else if let (true, None, Some(before)) = (is_same, said, before) {
        meta::set(volume, &since, before.clone());
    }
}

/// The fields of a persistent volume's spec that name its kind.
const SOURCES: &[&str] = &[
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "csi",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "glusterfs",
    "hostPath",
    "iscsi",
    "local",
    "nfs",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

fn default(_version: &str, volume: &mut Value) {
    let Some(volume) = volume.as_object_mut() else {
        return;
    };
    fill::empty_map(volume, "status");
    if let Some(status) = fill::map(volume, "status") {
        fill::text(status, "phase", "Pending");
    }
    if let Some(spec) = fill::map(volume, "spec") {
        fill::text(spec, "persistentVolumeReclaimPolicy", "Retain");
        fill::absent(spec, "volumeMode", "Filesystem");
        fill::round_amounts(spec, "capacity");
        pod_defaults::volume_source(spec);
    }
}

fn validate_create(volume: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = volume.get("spec").unwrap_or(&Value::Null);
    validate_spec(spec, &At::of("spec"), &mut errors);
    errors
}

/// Reports what is wrong with the spec of a volume that stands in a volume attachment: one that
/// was named in a pod directly, and could be attached by CSI.
pub(crate) fn validate_inline(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let not_here = "may not be specified in the context of inline volumes";
    if get(spec, "claimRef").is_some() {
        errors.forbidden(&at.child("claimRef"), not_here);
    }
    let capacity = map(spec, "capacity").filter(|c| !c.is_empty());
    if capacity.is_some() {
        errors.forbidden(&at.child("capacity"), not_here);
    }
    if get(spec, "csi").is_none() {
        errors.required(
            &at.child("csi"),
            "has to be specified in the context of inline volumes",
        );
    }
    claim_spec::access_modes(spec, "", &at.child("accessModes"), errors);
    amounts(capacity, &at.child("capacity"), errors);
    if !matches!(text(spec, "persistentVolumeReclaimPolicy"), "" | "Retain") {
        errors.forbidden(
            &at.child("persistentVolumeReclaimPolicy"),
            "may only be Retain in the context of inline volumes",
        );
    }
    if get(spec, "nodeAffinity").is_some() {
        errors.forbidden(&at.child("nodeAffinity"), not_here);
    }
    source(spec, at, errors);
    if !text(spec, "storageClassName").is_empty() {
        errors.forbidden(&at.child("storageClassName"), not_here);
    }
    if get(spec, "volumeMode").is_some_and(|mode| mode != "Filesystem") {
        errors.forbidden(
            &at.child("volumeMode"),
            "may not specify volumeMode other than Filesystem in the context of inline volumes",
        );
    }
}

fn validate_spec(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    claim_spec::access_modes(spec, "", &at.child("accessModes"), errors);
    capacity(spec, &at.child("capacity"), errors);
    let policy = text(spec, "persistentVolumeReclaimPolicy");
    let policies = &["Delete", "Recycle", "Retain"];
    if !policies.contains(&policy) {
        let at = at.child("persistentVolumeReclaimPolicy");
        errors.not_supported(&at, policy, policies);
    }
    if let Some(node_affinity) = get(spec, "nodeAffinity") {
        let at = at.child("nodeAffinity");
        match get(node_affinity, "required") {
            Some(required) => {
                affinity::node_selector(required, &at.child("required"), errors);
            }
            None => errors.required(
                &at.child("required"),
                "must specify required node constraints",
            ),
        }
    }
    source(spec, at, errors);
    let root = get(spec, "hostPath").is_some_and(|h| {
        let path = text(h, "path");
        !path.is_empty() && path.split('/').all(|part| matches!(part, "" | "."))
    });
    if root && policy == "Recycle" {
        errors.forbidden(
            &at.child("persistentVolumeReclaimPolicy"),
            "may not be 'recycle' for a hostPath mount of '/'",
        );
    }
    let class = text(spec, "storageClassName");
    if !class.is_empty() {
        let messages = names::dns1123_subdomain(class);
        errors.invalid_each(&at.child("storageClassName"), class, messages);
    }
    claim_spec::volume_mode(spec, at, errors);
}

fn capacity(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let given = map(spec, "capacity").filter(|c| !c.is_empty());
    let Some(given) = given else {
        errors.required(at, "");
        return;
    };
    if !given.contains_key("storage") || given.len() > 1 {
        errors.not_supported(at, Value::Object(given.clone()), &["storage"]);
    }
    amounts(Some(given), at, errors);
}

fn amounts(capacity: Option<&Map>, at: &At<'_>, errors: &mut ErrorList) {
    for (name, amount) in capacity.into_iter().flatten() {
        if Amount::of(amount).is_some_and(|a| !a.is_positive()) {
            errors.invalid(
                &at.key(name),
                resources::shown(amount),
                "must be greater than zero",
            );
        }
    }
}

fn source(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let mut found = false;
    for kind in SOURCES {
        let Some(source) = get(spec, kind) else {
            continue;
        };
        let kind_at = at.child(kind);
        if found {
            errors.forbidden(&kind_at, "may not specify more than 1 volume type");
            continue;
        }
        found = true;
        volume_sources::validate(kind, source, true, &kind_at, errors);
        if *kind == "local" && get(spec, "nodeAffinity").is_none() {
            errors.required(
                &At::of("metadata.annotations"),
                "Local volume requires node affinity",
            );
        }
    }
    if !found {
        errors.required(at, "must specify a volume type");
    }
}

fn validate_update(volume: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        return ErrorList::new();
    }
    let mut errors = validate_create(volume);
    let null = Value::Null;
    let (spec, was) = (
        volume.get("spec").unwrap_or(&null),
        old.get("spec").unwrap_or(&null),
    );
    let sources = |spec: &Value| {
        let mut part = Map::new();
        for kind in SOURCES {
            if let Some(source) = get(spec, kind) {
                part.insert((*kind).to_owned(), source.clone());
            }
        }
        // The secret for growing a volume may be exchanged.
        if let Some(csi) = fill::map(&mut part, "csi") {
            csi.remove("controllerExpandSecretRef");
        }
        Value::Object(part)
    };
    let (now, before) = (sources(spec), sources(was));
    if !same(Some(&now), Some(&before)) {
        errors.forbidden(
            &At::of("spec.persistentvolumesource"),
            format!(
                "spec.persistentvolumesource is immutable after creation\n{}",
                diff("core.PersistentVolumeSource", &before, &now)
            ),
        );
    }
    immutable_field(spec, was, "volumeMode", &At::root(), &mut errors);
    if get(was, "nodeAffinity").is_some() {
        immutable_field(spec, was, "nodeAffinity", &At::root(), &mut errors);
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_timed_from_when_it_began() {
        let of = |phase: &str, since: &str| match since {
            "" => json!({ "status": { "phase": phase } }),
            since => json!({ "status": { "phase": phase, "lastPhaseTransitionTime": since } }),
        };
        for (old, new, expected) in [
            (None, of("Pending", ""), "now"),
            (Some(of("Pending", "then")), of("Available", "then"), "now"),
            (Some(of("Pending", "then")), of("Available", ""), "now"),
            (Some(of("Pending", "")), of("Available", ""), "now"),
            (Some(of("Pending", "then")), of("Available", "told"), "told"),
            (Some(of("Bound", "then")), of("Bound", ""), "then"),
            (Some(of("Bound", "then")), of("Bound", "told"), "told"),
            (Some(of("Bound", "")), of("Bound", ""), ""),
        ] {
            let mut stamped = new.clone();
            stamp_phase(&mut stamped, old.as_ref(), "now");
            let since = meta::text(&stamped, &["status", "lastPhaseTransitionTime"]);
            assert_eq!(since, expected, "{old:?} {new}");
        }
    }

    fn minimal() -> Value {
        let mut volume = json!({"metadata": {"name": "v"}, "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data"}}});
        default("v1", &mut volume);
        volume
    }

    fn texts_of(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn minimal_is_valid() {
        let volume = minimal();
        assert_eq!(texts_of(&validate_create(&volume)), Vec::<String>::new());
        assert_eq!(volume["spec"]["persistentVolumeReclaimPolicy"], "Retain");
        assert_eq!(volume["spec"]["volumeMode"], "Filesystem");
    }

    #[test]
    fn rules() {
        let cases: Vec<(&str, Value, &str)> = vec![
            ("capacity", json!({}), "spec.capacity: Required value"),
            (
                "capacity",
                json!({"storage": "0"}),
                "spec.capacity[storage]: Invalid value: \"0\": must be greater than zero",
            ),
            (
                "capacity",
                json!({"cpu": "1"}),
                "spec.capacity: Unsupported value: {\"cpu\":\"1\"}: supported values: \"storage\"",
            ),
            ("accessModes", json!([]), "spec.accessModes: Required value"),
            (
                "accessModes",
                json!(["ReadWriteOnce", "ReadWriteOncePod"]),
                "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
            ),
            (
                "persistentVolumeReclaimPolicy",
                json!("X"),
                "spec.persistentVolumeReclaimPolicy: Unsupported value: \"X\"",
            ),
            (
                "nfs",
                json!({"server": "s", "path": "/"}),
                "spec.nfs: Forbidden: may not specify more than 1 volume type",
            ),
            (
                "hostPath",
                Value::Null,
                "spec: Required value: must specify a volume type",
            ),
            (
                "storageClassName",
                json!("A"),
                "spec.storageClassName: Invalid value: \"A\"",
            ),
            (
                "nodeAffinity",
                json!({}),
                "spec.nodeAffinity.required: Required value: must specify",
            ),
        ];
        for (key, value, want) in cases {
            let mut volume = minimal();
            volume["spec"][key] = value;
            let got = texts_of(&validate_create(&volume));
            assert_eq!(got.len(), 1, "{key}: {got:?}");
            assert!(got[0].starts_with(want), "{got:?}");
        }
        let mut local = minimal();
        local["spec"]["hostPath"] = Value::Null;
        local["spec"]["local"] = json!({"path": "/x"});
        assert_eq!(
            texts_of(&validate_create(&local)),
            ["metadata.annotations: Required value: Local volume requires node affinity"]
        );
    }

    #[test]
    fn the_source_stays() {
        let old = minimal();
        let mut new = old.clone();
        new["spec"]["hostPath"]["path"] = json!("/other");
        let got = texts_of(&validate_update(&new, &old, ""));
        assert!(got[0].starts_with(
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable \
             after creation\n"
        ));
        assert!(validate_update(&old, &old, "").is_empty());
    }
}
