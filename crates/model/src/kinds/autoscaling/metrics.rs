//! What an autoscaler goes by: `spec.metrics`.

use super::reference;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::resources;
use crate::kinds::workload::field;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, list, text};

/// The types of metrics with the field that each of them uses.
const TYPES: [(&str, &str); 5] = [
    ("ContainerResource", "containerResource"),
    ("External", "external"),
    ("Object", "object"),
    ("Pods", "pods"),
    ("Resource", "resource"),
];

/// Reports what is wrong with the metrics of a spec.
pub(super) fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for (i, metric) in list(spec, "metrics").iter().enumerate() {
        validate_metric(metric, &at.index(i), errors);
    }
}

fn validate_metric(metric: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let kind = text(metric, "type");
    let known = TYPES.iter().find(|(name, _)| *name == kind);
    if kind.is_empty() {
        errors.required(&at.child("type"), "must specify a metric source type");
    } else if known.is_none() {
        let supported = TYPES.map(|(name, _)| name);
        errors.not_supported(&at.child("type"), kind, &supported);
    }
    let mut present = [
        "object",
        "external",
        "pods",
        "containerResource",
        "resource",
    ]
    .into_iter()
    .filter_map(|key| Some((key, get(metric, key)?)))
    .collect::<Vec<_>>();
    // Where there are several, one of them is looked into.
    if let Some((key, source)) = present.first() {
        validate_source(key, source, &at.child(key), errors);
    }
    let Some((_, wanted)) = known else { return };
    let before = present.len();
    present.retain(|(key, _)| key != wanted);
    if present.len() == before {
        let why = "must populate information for the given metric source";
        errors.required(&at.child(wanted), why);
    }
    if before != 1 {
        for (key, _) in present {
            let why = "must populate the given metric source only";
            errors.forbidden(&at.child(key), why);
        }
    }
}

fn validate_source(kind: &str, source: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let target = field(source, "target");
    let target_at = at.child("target");
    match kind {
        "containerResource" | "resource" => {
            if text(source, "name").is_empty() {
                errors.required(&at.child("name"), "must specify a resource name");
            }
            if kind == "containerResource" && text(source, "container").is_empty() {
                errors.required(&at.child("container"), "must specify a container");
            }
        }
        _ => {
            if kind == "object" {
                let described = field(source, "describedObject");
                reference(described, &at.child("describedObject"), errors);
            }
            identifier(field(source, "metric"), &at.child("metric"), errors);
        }
    }
    validate_target(target, &target_at, errors);
    let has = |key: &str| get(target, key).is_some();
    let average_at = target_at.child("averageValue");
    match kind {
        "pods" => {
            let average = get(target, "averageValue").and_then(Amount::of);
            if !average.is_some_and(Amount::is_positive) {
                errors.required(&average_at, "must specify a positive target averageValue");
            }
        }
        "containerResource" | "resource" => {
            match (has("averageUtilization"), has("averageValue")) {
                (false, false) => errors.required(
                    &target_at.child("averageUtilization"),
                    "must set either a target raw value or a target utilization",
                ),
                (true, true) => errors.forbidden(
                    &average_at,
                    "may not set both a target raw value and a target utilization",
                ),
                _ => {}
            }
        }
        _ => match (has("value"), has("averageValue")) {
            (false, false) => errors.required(
                &average_at,
                "must set either a target value for metric or a per-pod target",
            ),
            (true, true) if kind == "external" => errors.forbidden(
                &target_at.child("value"),
                "may not set both a target value for metric and a per-pod target",
            ),
            _ => {}
        },
    }
}

fn identifier(metric: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(metric, "name");
    let at = at.child("name");
    if name.is_empty() {
        errors.required(&at, "must specify a metric name");
    } else {
        errors.invalid_each(&at, name, names::path_segment(name));
    }
}

fn validate_target(target: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let kind = text(target, "type");
    let kind_at = at.child("type");
    match kind {
        "Utilization" | "Value" | "AverageValue" => {}
        "" => errors.required(&kind_at, "must specify a metric target type"),
        other => errors.invalid(
            &kind_at,
            other,
            "must be either Utilization, Value, or AverageValue",
        ),
    }
    for key in ["value", "averageValue"] {
        if let Some(value) = get(target, key)
            && !Amount::of(value).is_some_and(Amount::is_positive)
        {
            let at = at.child(key);
            errors.invalid(&at, resources::shown(value), "must be positive");
        }
    }
    if let Some(percent) = int(target, "averageUtilization").filter(|percent| *percent < 1) {
        let at = at.child("averageUtilization");
        errors.invalid(&at, percent, "must be greater than 0");
    }
}
