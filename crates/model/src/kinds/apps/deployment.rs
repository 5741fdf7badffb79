//! Deployments.

use super::replica_set::{TEXTS, validate_template};
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::workload::{self, collisions_grow, counts, field, within_replicas};
use crate::kinds::{int_or_percent, neutral};
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, text};

/// The rules of deployments.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        validate_create: validate,
        validate_update,
        warnings: |deployment, old| workload::warnings(deployment, old, &["spec", "template"]),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, deployment: &mut Value) {
    let Some(spec) = workload::spec_mut(deployment) else {
        return;
    };
    fill::absent(spec, "replicas", 1);
    fill::empty_map(spec, "strategy");
    if let Some(strategy) = fill::map(spec, "strategy") {
        fill::text(strategy, "type", "RollingUpdate");
        if fill::get(strategy, "type") == "RollingUpdate" {
            fill::empty_map(strategy, "rollingUpdate");
            if let Some(rolling) = fill::map(strategy, "rollingUpdate") {
                fill::absent(rolling, "maxUnavailable", "25%");
                fill::absent(rolling, "maxSurge", "25%");
            }
        }
    }
    fill::absent(spec, "revisionHistoryLimit", 10);
    fill::absent(spec, "progressDeadlineSeconds", 600);
    workload::default_template(spec);
}

fn validate(deployment: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(deployment, "spec");
    let at = At::of("spec");
    counts(spec, &["replicas"], &at, &mut errors);
    let selector = workload::validate_selector(spec, TEXTS, &at, &mut errors);
    if let Some(selector) = selector {
        validate_template(spec, &selector, &at, &mut errors);
    }
    strategy(field(spec, "strategy"), &at.child("strategy"), &mut errors);
    counts(
        spec,
        &["minReadySeconds", "revisionHistoryLimit"],
        &at,
        &mut errors,
    );
    if let Some(deadline) = int(spec, "progressDeadlineSeconds") {
        let at = at.child("progressDeadlineSeconds");
        errors.non_negative(&at, deadline);
        if deadline <= int(spec, "minReadySeconds").unwrap_or(0) {
            errors.invalid(&at, deadline, "must be greater than minReadySeconds");
        }
    }
    errors
}

fn strategy(strategy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let rolling_at = at.child("rollingUpdate");
    match (text(strategy, "type"), get(strategy, "rollingUpdate")) {
        ("Recreate", None) => {}
        ("Recreate", Some(_)) => errors.forbidden(
            &rolling_at,
            "may not be specified when strategy `type` is 'Recreate'",
        ),
        ("RollingUpdate", None) => {
            errors.required(&rolling_at, "this should be defaulted and never be nil");
        }
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling, &rolling_at, errors),
        _ => errors.not_supported(at, strategy.clone(), &["Recreate", "RollingUpdate"]),
    }
}

fn rolling_update(rolling: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let (unavailable, surge) = (field(rolling, "maxUnavailable"), field(rolling, "maxSurge"));
    let unavailable_at = at.child("maxUnavailable");
    int_or_percent::validate(unavailable, &unavailable_at, errors);
    int_or_percent::validate(surge, &at.child("maxSurge"), errors);
    if int_or_percent::number(unavailable) == 0 && int_or_percent::number(surge) == 0 {
        errors.invalid(
            &unavailable_at,
            unavailable.clone(),
            "may not be 0 when `maxSurge` is 0",
        );
    }
    int_or_percent::at_most_all(unavailable, &unavailable_at, errors);
}

fn validate_update(deployment: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        return validate_status(deployment, old);
    }
    let mut errors = validate(deployment);
    workload::selector_stays(deployment, old, &mut errors);
    errors
}

fn validate_status(deployment: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let status = field(deployment, "status");
    let at = At::of("status");
    let keys = [
        "observedGeneration",
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
        "collisionCount",
    ];
    counts(status, &keys, &at, &mut errors);
    let count = |key: &str| int(status, key).unwrap_or(0);
    let parts = ["updatedReplicas", "readyReplicas", "availableReplicas"];
    within_replicas(status, &parts, &at, &mut errors);
    let available = count("availableReplicas");
    if available > count("readyReplicas") {
        let at = at.child("availableReplicas");
        errors.invalid(&at, available, "cannot be greater than readyReplicas");
    }
    collisions_grow(deployment, old, &mut errors);
    errors
}
