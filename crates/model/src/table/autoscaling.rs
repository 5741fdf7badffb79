//! HorizontalPodAutoscalers.

use super::cells::{AGE, NAME, NONE, UNKNOWN, UNSET, age_of, cells, int, quantity, text};
use crate::resource::Column;
use crate::{Value, convert, meta};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    text("Reference", "What is scaled."),
    text("Targets", "Each metric's present and wanted value."),
    text("MinPods", "The fewest replicas."),
    text("MaxPods", "The most replicas."),
    text("Replicas", "The present number of replicas."),
    AGE,
];

pub(super) fn row(object: &Value, now: i64) -> Vec<Value> {
    if meta::text(object, &["apiVersion"]) == "autoscaling/v1" {
        let mut newer = object.clone();
        convert::between_versions("autoscaling", "horizontalpodautoscalers")(
            &mut newer, "v1", "v2",
        );
        return cells_of(&newer, now);
    }
    cells_of(object, now)
}

fn cells_of(object: &Value, now: i64) -> Vec<Value> {
    let target = |key| meta::text(object, &["spec", "scaleTargetRef", key]);
    let least = meta::at(object, &["spec", "minReplicas"]);
    cells![
        meta::name(object),
        format!("{}/{}", target("kind"), target("name")),
        metrics(object),
        least.map_or(UNSET.to_owned(), Value::to_string),
        int(object, &["spec", "maxReplicas"]),
        int(object, &["status", "currentReplicas"]),
        age_of(object, now),
    ]
}

fn metrics(object: &Value) -> String {
    let wanted = meta::list(object, &["spec", "metrics"]);
    if wanted.is_empty() {
        return NONE.to_owned();
    }
    let present = meta::list(object, &["status", "currentMetrics"]);
    let shown: Vec<_> = wanted
        .iter()
        .take(2)
        .enumerate()
        .map(|(i, metric)| one(metric, present.get(i).unwrap_or(&Value::Null)))
        .collect();
    let text = shown.join(", ");
    match wanted.len().saturating_sub(2) {
        0 => text,
        more => format!("{text} + {more} more..."),
    }
}

fn one(wanted: &Value, present: &Value) -> String {
    let (key, is_resource) = match meta::text(wanted, &["type"]) {
        "External" => ("external", false),
        "Object" => ("object", false),
        "Pods" => ("pods", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let current = |field: &str| match meta::at(present, &[key, "current", field]) {
        Some(Value::Number(percent)) if field == "averageUtilization" => format!("{percent}%"),
        Some(_) => quantity(present, &[key, "current", field]),
        None => UNKNOWN.to_owned(),
    };
    let target = |field: &str| quantity(wanted, &[key, "target", field]);
    let averaged = meta::at(wanted, &[key, "target", "averageValue"]).is_some();
    if is_resource {
        let name = meta::text(wanted, &[key, "name"]);
        if averaged {
            let (now, goal) = (current("averageValue"), target("averageValue"));
            return format!("{name}: {now}/{goal}");
        }
        let goal = meta::at(wanted, &[key, "target", "averageUtilization"]);
        let goal = goal.map_or("<auto>".to_owned(), |percent| format!("{percent}%"));
        return format!("{name}: {}/{goal}", current("averageUtilization"));
    }
    if key == "pods" {
        format!("{}/{}", current("averageValue"), target("averageValue"))
    } else if averaged {
        let (now, goal) = (current("averageValue"), target("averageValue"));
        format!("{now}/{goal} (avg)")
    } else {
        format!("{}/{}", current("value"), target("value"))
    }
}
