//! DaemonSets.

use crate::field::ErrorList;
use crate::kinds::core::{fill, pod_template};
use crate::kinds::int_or_percent;
use crate::kinds::workload::{self, collisions_grow, counts, field};
use crate::resource::Behavior;
use crate::selector::LabelSelector;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, same, text};
use crate::validation::{names, selector};
use crate::{Value, meta};

/// Where `apps/v1` keeps the generation of the template, a field of older versions.
const TEMPLATE_GENERATION: &[&str] = &[
    "metadata",
    "annotations",
    "deprecated.daemonset.template.generation",
];

/// The rules of daemon sets.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create: |set| {
            let given = template_generation(set).max(1);
            meta::set(set, TEMPLATE_GENERATION, given.to_string());
        },
        prepare_update,
        validate_create: validate,
        validate_update,
        warnings: |set, old| {
            let path = &["spec", "template"];
            crate::kinds::core::replication_controller::template_warnings(set, old, path)
        },
        validate_name: names::object_subdomain,
    }
}

fn default(_version: &str, set: &mut Value) {
    let Some(spec) = workload::spec_mut(set) else {
        return;
    };
    fill::empty_map(spec, "updateStrategy");
    if let Some(strategy) = fill::map(spec, "updateStrategy") {
        fill::text(strategy, "type", "RollingUpdate");
        if fill::get(strategy, "type") == "RollingUpdate" {
            fill::empty_map(strategy, "rollingUpdate");
            if let Some(rolling) = fill::map(strategy, "rollingUpdate") {
                fill::absent(rolling, "maxUnavailable", 1);
                fill::absent(rolling, "maxSurge", 0);
            }
        }
    }
    fill::absent(spec, "revisionHistoryLimit", 10);
    workload::default_template(spec);
}

fn template_generation(set: &Value) -> i64 {
    meta::text(set, TEMPLATE_GENERATION).parse().unwrap_or(0)
}

/// Counts the changes of the template; clients cannot.
fn prepare_update(set: &mut Value, old: &Value, subresource: &str) {
    if !subresource.is_empty() {
        return;
    }
    let path = &["spec", "template"];
    let changed = !same(meta::at(set, path), meta::at(old, path));
    let generation = template_generation(old).saturating_add(changed.into());
    meta::set(set, TEMPLATE_GENERATION, generation.to_string());
}

fn validate(set: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(set, "spec");
    let at = At::of("spec");
    let (selected, template) = (field(spec, "selector"), field(spec, "template"));
    let (selector_at, template_at) = (at.child("selector"), at.child("template"));
    selector::validate(selected, &selector_at, &mut errors);
    if let Ok(read) = LabelSelector::from_value(selected) {
        workload::validate_match(&read, template, &template_at, &mut errors);
    }
    if !selected.is_null() && selector::is_empty(selected) {
        errors.invalid(
            &selector_at,
            selected.clone(),
            "empty selector is invalid for daemonset",
        );
    }
    pod_template::validate(template, &template_at, &mut errors);
    pod_template::validate_long_running(template, "DaemonSet", &template_at, &mut errors);
    counts(spec, &["minReadySeconds"], &at, &mut errors);
    let strategy_at = at.child("updateStrategy");
    update_strategy(field(spec, "updateStrategy"), &strategy_at, &mut errors);
    counts(spec, &["revisionHistoryLimit"], &at, &mut errors);
    errors
}

fn update_strategy(strategy: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let rolling_at = at.child("rollingUpdate");
    match (text(strategy, "type"), get(strategy, "rollingUpdate")) {
        ("OnDelete", _) => {}
        ("RollingUpdate", None) => errors.required(&rolling_at, ""),
        ("RollingUpdate", Some(rolling)) => rolling_update(rolling, &rolling_at, errors),
        _ => errors.not_supported_in_order(at, strategy.clone(), &["RollingUpdate", "OnDelete"]),
    }
}

fn rolling_update(rolling: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let (unavailable, surge) = (field(rolling, "maxUnavailable"), field(rolling, "maxSurge"));
    let (unavailable_at, surge_at) = (at.child("maxUnavailable"), at.child("maxSurge"));
    for rule in [int_or_percent::validate, int_or_percent::at_most_all] {
        rule(unavailable, &unavailable_at, errors);
        rule(surge, &surge_at, errors);
    }
    let stops = int_or_percent::number(unavailable) != 0;
    match (stops, int_or_percent::number(surge) != 0) {
        (true, true) => errors.invalid(
            &surge_at,
            surge.clone(),
            "may not be set when maxUnavailable is non-zero",
        ),
        (false, false) => errors.required(&unavailable_at, "cannot be 0 when maxSurge is 0"),
        _ => {}
    }
}

fn validate_update(set: &Value, old: &Value, subresource: &str) -> ErrorList {
    if subresource == "status" {
        return validate_status(set, old);
    }
    let mut errors = validate(set);
    workload::selector_stays(set, old, &mut errors);
    errors
}

fn validate_status(set: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let keys = [
        "currentNumberScheduled",
        "numberMisscheduled",
        "desiredNumberScheduled",
        "numberReady",
        "observedGeneration",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberUnavailable",
        "collisionCount",
    ];
    counts(field(set, "status"), &keys, &At::of("status"), &mut errors);
    collisions_grow(set, old, &mut errors);
    errors
}
