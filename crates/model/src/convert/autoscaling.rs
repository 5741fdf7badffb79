//! HorizontalPodAutoscalers: `autoscaling/v2`, as which they are stored, and `autoscaling/v1`,
//! which has a field for one metric only and carries the rest in annotations.

use crate::{Map, Value, meta};
use serde_json::json;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

const TARGET_CPU: &[&str] = &["spec", "targetCPUUtilizationPercentage"];
const CURRENT_CPU: &[&str] = &["status", "currentCPUUtilizationPercentage"];

pub(super) fn convert(object: &mut Value, from: &str, to: &str) {
    match (from, to) {
        ("v1", "v2") => to_v2(object),
        ("v2", "v1") => to_v1(object),
        _ => {}
    }
}

fn to_v2(object: &mut Value) {
    let mut metrics: Vec<Value> = list_in(object, METRICS)
        .iter()
        .map(|metric| rewrite(metric, Part::Spec, Direction::ToV2))
        .collect();
    if let Some(percent) = meta::remove(object, TARGET_CPU).filter(Value::is_number) {
        metrics.push(json!({
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }));
    }
    if !metrics.is_empty() {
        meta::set(object, &["spec", "metrics"], metrics);
    }
    if let Some(behavior) = annotation(object, BEHAVIOR).filter(Value::is_object) {
        meta::set(
            object,
            &["spec", "behavior"],
            recase(&behavior, lower_first),
        );
    }
    let percent = meta::remove(object, CURRENT_CPU).filter(Value::is_number);
    let mut current: Vec<Value> = list_in(object, CURRENT_METRICS)
        .iter()
        .map(|metric| rewrite(metric, Part::Status, Direction::ToV2))
        .collect();
    // What the annotation says of the metric says more than the percentage does.
    if let Some(percent) = percent.filter(|_| current.is_empty()) {
        current.push(json!({
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": percent}},
        }));
    }
    if !current.is_empty() {
        meta::set(object, &["status", "currentMetrics"], current);
    }
    let conditions = list_in(object, CONDITIONS);
    if !conditions.is_empty() {
        meta::set(object, &["status", "conditions"], conditions);
    }
    for key in [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR] {
        meta::remove(object, &["metadata", "annotations", key]);
    }
    let empty = meta::at(object, &["metadata", "annotations"])
        .and_then(Value::as_object)
        .is_some_and(Map::is_empty);
    if empty {
        meta::remove(object, &["metadata", "annotations"]);
    }
}

fn to_v1(object: &mut Value) {
    let metrics = take_list(object, &["spec", "metrics"]);
    if let Some(percent) = metrics.iter().find_map(|m| cpu_percent(m, "target")) {
        meta::set(object, TARGET_CPU, percent);
    }
    let others: Vec<Value> = metrics
        .iter()
        .filter(|metric| cpu_percent(metric, "target").is_none())
        .map(|metric| rewrite(metric, Part::Spec, Direction::ToV1))
        .collect();
    let current = take_list(object, &["status", "currentMetrics"]);
    if let Some(percent) = current.iter().find_map(|m| cpu_percent(m, "current")) {
        meta::set(object, CURRENT_CPU, percent);
    }
    let current: Vec<Value> = current
        .iter()
        .map(|metric| rewrite(metric, Part::Status, Direction::ToV1))
        .collect();
    let conditions = take_list(object, &["status", "conditions"]);
    for (key, list) in [
        (METRICS, others),
        (CURRENT_METRICS, current),
        (CONDITIONS, conditions),
    ] {
        if !list.is_empty() {
            annotate(object, key, &Value::Array(list));
        }
    }
    if let Some(behavior) = meta::remove(object, &["spec", "behavior"]).filter(Value::is_object) {
        annotate(object, BEHAVIOR, &recase(&behavior, upper_first));
    }
}

/// The percentage of CPU in a metric of that kind.
fn cpu_percent(metric: &Value, key: &str) -> Option<Value> {
    let is_cpu = meta::text(metric, &["type"]) == "Resource"
        && meta::text(metric, &["resource", "name"]) == "cpu";
    meta::at(metric, &["resource", key, "averageUtilization"])
        .filter(|_| is_cpu)
        .cloned()
}

fn take_list(object: &mut Value, path: &[&str]) -> Vec<Value> {
    match meta::remove(object, path) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The decoded value of an annotation; what cannot be decoded is dropped, as upstream does.
fn annotation(object: &Value, key: &str) -> Option<Value> {
    let text = meta::text(object, &["metadata", "annotations", key]);
    serde_json::from_str(text).ok()
}

fn list_in(object: &Value, key: &str) -> Vec<Value> {
    match annotation(object, key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn annotate(object: &mut Value, key: &str, value: &Value) {
    meta::set(object, &["metadata", "annotations", key], value.to_string());
}

#[derive(Clone, Copy)]
enum Direction {
    ToV1,
    ToV2,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Spec,
    Status,
}

/// Where a field of a metric stands in v1 and in v2.
type Move = (&'static [&'static str], &'static [&'static str]);

/// The sources of metrics, each with the fields of the specification and of the status.
const SOURCES: [(&str, &[Move], &[Move]); 5] = [
    (
        "object",
        &[
            (&["target"], &["describedObject"]),
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["averageValue"], &["target", "averageValue"]),
            (&["targetValue"], &["target", "value"]),
        ],
        &[
            (&["target"], &["describedObject"]),
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["averageValue"], &["current", "averageValue"]),
            (&["currentValue"], &["current", "value"]),
        ],
    ),
    (
        "pods",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
        ],
        &[
            (&["metricName"], &["metric", "name"]),
            (&["selector"], &["metric", "selector"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
        ],
    ),
    ("resource", RESOURCE, RESOURCE_STATUS),
    ("containerResource", RESOURCE, RESOURCE_STATUS),
    (
        "external",
        &[
            (&["metricName"], &["metric", "name"]),
            (&["metricSelector"], &["metric", "selector"]),
            (&["targetAverageValue"], &["target", "averageValue"]),
            (&["targetValue"], &["target", "value"]),
        ],
        &[
            (&["metricName"], &["metric", "name"]),
            (&["metricSelector"], &["metric", "selector"]),
            (&["currentAverageValue"], &["current", "averageValue"]),
            (&["currentValue"], &["current", "value"]),
        ],
    ),
];

const RESOURCE: &[Move] = &[
    (&["name"], &["name"]),
    (&["container"], &["container"]),
    (
        &["targetAverageUtilization"],
        &["target", "averageUtilization"],
    ),
    (&["targetAverageValue"], &["target", "averageValue"]),
];

const RESOURCE_STATUS: &[Move] = &[
    (&["name"], &["name"]),
    (&["container"], &["container"]),
    (
        &["currentAverageUtilization"],
        &["current", "averageUtilization"],
    ),
    (&["currentAverageValue"], &["current", "averageValue"]),
];

fn rewrite(metric: &Value, part: Part, direction: Direction) -> Value {
    let mut out = json!({"type": meta::text(metric, &["type"])});
    for (source, spec, status) in SOURCES {
        let Some(body) = meta::at(metric, &[source]) else {
            continue;
        };
        let moves = if part == Part::Spec { spec } else { status };
        let mut new = json!({});
        for (v1, v2) in moves {
            let (from, to) = match direction {
                Direction::ToV1 => (v2, v1),
                Direction::ToV2 => (v1, v2),
            };
            if let Some(value) = meta::at(body, from) {
                meta::set(&mut new, to, value.clone());
            }
        }
        match (direction, part) {
            (Direction::ToV2, Part::Spec) => complete_target(&mut new),
            // Upstream's v1 always writes the plain value of these two.
            (Direction::ToV1, _) if source == "object" => {
                let key = if part == Part::Spec {
                    "targetValue"
                } else {
                    "currentValue"
                };
                if meta::at(&new, &[key]).is_none() {
                    meta::set(&mut new, &[key], "0");
                }
            }
            _ => {}
        }
        meta::set(&mut out, &[source], new);
    }
    out
}

/// Tells which of its values a v2 target goes by.
fn complete_target(source: &mut Value) {
    let has = |key| meta::at(source, &["target", key]).is_some();
    let r#type = if has("averageUtilization") {
        "Utilization"
    } else if has("averageValue") {
        // v1 writes a plain value beside the average.
        meta::remove(source, &["target", "value"]);
        "AverageValue"
    } else {
        "Value"
    };
    meta::set(source, &["target", "type"], r#type);
}

/// The keys of all maps, rewritten: the annotation of the behavior has them with capitals.
fn recase(value: &Value, case: fn(&str) -> String) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (case(key), recase(value, case)))
            .collect::<Map>()
            .into(),
        Value::Array(list) => list.iter().map(|value| recase(value, case)).collect(),
        other => other.clone(),
    }
}

fn lower_first(text: &str) -> String {
    first(text, |c| c.to_ascii_lowercase())
}

fn upper_first(text: &str) -> String {
    first(text, |c| c.to_ascii_uppercase())
}

fn first(text: &str, case: fn(char) -> char) -> String {
    let mut chars = text.chars();
    chars.next().map(case).into_iter().chain(chars).collect()
}
