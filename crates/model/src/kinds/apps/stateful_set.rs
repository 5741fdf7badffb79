//! StatefulSets.

use crate::field::ErrorList;
use crate::kinds::core::{fill, pod_defaults, pod_template};
use crate::kinds::workload::{
    self, SelectorTexts, collisions_grow, counts, field, within_replicas,
};
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, same_field, text};
use crate::validation::{names, object_meta};
use crate::{Map, Value, meta};

const TEXTS: SelectorTexts = SelectorTexts {
    empty: "empty selector is invalid for statefulset",
    broken: "",
};

/// What of a spec may change, in the order in which the message names it.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

/// The rules of stateful sets.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create: |set| drop_disabled(set),
        prepare_update: |set, _, _| drop_disabled(set),
        validate_create: validate,
        validate_update,
        warnings,
        validate_name: names::object_subdomain,
    }
}

fn default(_version: &str, set: &mut Value) {
    let Some(spec) = workload::spec_mut(set) else {
        return;
    };
    fill::text(spec, "podManagementPolicy", "OrderedReady");
    fill::empty_map(spec, "updateStrategy");
    if let Some(strategy) = fill::map(spec, "updateStrategy") {
        if fill::get(strategy, "type").is_empty() {
            fill::text(strategy, "type", "RollingUpdate");
            fill::empty_map(strategy, "rollingUpdate");
        }
        if fill::get(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = fill::map(strategy, "rollingUpdate")
        {
            fill::absent(rolling, "partition", 0);
        }
    }
    fill::empty_map(spec, "persistentVolumeClaimRetentionPolicy");
    if let Some(policy) = fill::map(spec, "persistentVolumeClaimRetentionPolicy") {
        fill::text(policy, "whenDeleted", "Retain");
        fill::text(policy, "whenScaled", "Retain");
    }
    fill::absent(spec, "replicas", 1);
    fill::absent(spec, "revisionHistoryLimit", 10);
    workload::default_template(spec);
    for claim in fill::maps(spec, "volumeClaimTemplates") {
        default_claim(claim);
    }
}

fn default_claim(claim: &mut Map) {
    // Upstream writes both, whatever stood there.
    fill::text(claim, "apiVersion", "v1");
    fill::text(claim, "kind", "PersistentVolumeClaim");
    for key in ["spec", "status"] {
        fill::empty_map(claim, key);
    }
    if let Some(spec) = fill::map(claim, "spec") {
        pod_defaults::claim_spec(spec);
    }
    if let Some(status) = fill::map(claim, "status") {
        fill::text(status, "phase", "Pending");
    }
}

/// More than one unavailable pod at a time is behind a gate that is off by default in 1.33.
fn drop_disabled(set: &mut Value) {
    let path = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
    meta::remove(set, &path);
}

fn validate(set: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(set, "spec");
    let at = At::of("spec");
    let policy = text(spec, "podManagementPolicy");
    match policy {
        "" => errors.required(&at.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        _ => errors.invalid(
            &at.child("podManagementPolicy"),
            policy,
            "must be 'OrderedReady' or 'Parallel'",
        ),
    }
    let strategy_at = at.child("updateStrategy");
    update_strategy(field(spec, "updateStrategy"), &strategy_at, &mut errors);
    if let Some(policy) = get(spec, "persistentVolumeClaimRetentionPolicy") {
        let at = at.child("persistentVolumeClaimRetentionPolicy");
        for key in ["whenDeleted", "whenScaled"] {
            let what = text(policy, key);
            if !matches!(what, "Delete" | "Retain") {
                errors.not_supported_in_order(&at.child(key), what, &["Retain", "Delete"]);
            }
        }
    }
    counts(spec, &["replicas", "minReadySeconds"], &at, &mut errors);
    if let Some(ordinals) = get(spec, "ordinals") {
        counts(ordinals, &["start"], &at.child("ordinals"), &mut errors);
    }
    let selector = workload::validate_selector(spec, TEXTS, &at, &mut errors);
    let template = field(spec, "template");
    let template_at = at.child("template");
    if let Some(selector) = selector {
        workload::validate_match(&selector, template, &template_at, &mut errors);
        // The pods' spec is checked when they are made: it may mount volumes that only the
        // templates of claims will give them.
        let metadata = field(template, "metadata");
        object_meta::labels(metadata, "labels", &template_at, &mut errors);
        object_meta::annotations(metadata, &template_at, &mut errors);
    }
    pod_template::validate_long_running(template, "StatefulSet", &template_at, &mut errors);
    errors
}

fn update_strategy(strategy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let rolling = get(strategy, "rollingUpdate");
    let rolling_at = at.child("rollingUpdate");
    match text(strategy, "type") {
        "" => errors.required(at, ""),
        "OnDelete" => {
            if let Some(rolling) = rolling {
                errors.invalid(
                    &rolling_at,
                    rolling.clone(),
                    "only allowed for updateStrategy 'RollingUpdate'",
                );
            }
        }
        "RollingUpdate" => {
            if let Some(rolling) = rolling {
                counts(rolling, &["partition"], &rolling_at, errors);
            }
        }
        _ => errors.invalid(
            at,
            strategy.clone(),
            "must be 'RollingUpdate' or 'OnDelete'",
        ),
    }
}

fn validate_update(set: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        return validate_status(set, old);
    }
    let mut errors = validate(set);
    let (spec, old) = (field(set, "spec"), field(old, "spec"));
    let keys = |value: &Value| {
        let keys = value.as_object().into_iter().flatten();
        keys.map(|(key, _)| key.clone()).collect::<Vec<_>>()
    };
    let fixed = |key: &String| !MUTABLE.contains(&key.as_str());
    let changed = keys(spec)
        .iter()
        .chain(&keys(old))
        .filter(|key| fixed(key))
        .any(|key| !same_field(spec, old, key));
    if changed {
        errors.forbidden(
            &At::of("spec"),
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
             'template', 'updateStrategy', 'revisionHistoryLimit', \
             'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
    errors
}

fn validate_status(set: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let status = field(set, "status");
    let at = At::of("status");
    let parts = [
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
    ];
    counts(status, &["replicas"], &at, &mut errors);
    counts(status, &parts, &at, &mut errors);
    let rest = ["observedGeneration", "collisionCount"];
    counts(status, &rest, &at, &mut errors);
    let count = |key: &str| int(status, key).unwrap_or(0);
    within_replicas(status, &parts, &at, &mut errors);
    let available = count("availableReplicas");
    if available > count("readyReplicas") {
        let at = at.child("availableReplicas");
        let why = "cannot be greater than status.readyReplicas";
        errors.invalid(&at, available, why);
    }
    collisions_grow(set, old, &mut errors);
    errors
}

fn warnings(set: &Value, old: Option<&Value>) -> Vec<String> {
    let mut warnings = workload::warnings(set, old, &["spec", "template"]);
    if int(field(set, "spec"), "revisionHistoryLimit").is_some_and(|limit| limit < 0) {
        warnings.push(
            "spec.revisionHistoryLimit: a negative value retains all historical revisions; a \
             value >= 0 is recommended"
                .to_owned(),
        );
    }
    warnings
}
