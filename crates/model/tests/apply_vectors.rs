//! Sequences of writes by several managers, with the objects and managed fields that upstream's
//! field manager (v1.33, with its published types) produced for them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use model::apply::{ApplyError, Manager, apply, track_update};
use model::patch::merge_patch;
use model::schema::Schema;
use model::{Value, meta};
use serde_json::json;

const BEFORE: &str = "2020-01-01T00:00:00Z";
const NOW: &str = "2025-01-01T00:00:00Z";

/// Without what Go writes for values that were never set.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| (key.clone(), pruned(value)))
                .filter(|(_, value)| match value {
                    Value::Null => false,
                    Value::Object(map) => !map.is_empty(),
                    Value::Array(list) => !list.is_empty(),
                    Value::String(text) => !text.is_empty(),
                    Value::Number(n) => n.as_i64() != Some(0),
                    Value::Bool(_) => true,
                })
                .collect(),
        ),
        Value::Array(list) => list.iter().map(pruned).collect(),
        other => other.clone(),
    }
}

fn managed(object: &Value) -> Vec<Value> {
    meta::list(object, &["metadata", "managedFields"])
        .iter()
        .map(|entry| {
            let mut seen = json!({
                "manager": entry["manager"],
                "operation": entry["operation"],
                "apiVersion": entry["apiVersion"],
                "fields": entry["fieldsV1"],
            });
            for (key, there) in [
                ("subresource", entry.get("subresource").cloned()),
                (
                    "fresh",
                    (entry["time"] != BEFORE).then_some(Value::Bool(true)),
                ),
            ] {
                if let Some(value) = there {
                    seen[key] = value;
                }
            }
            seen
        })
        .collect()
}

fn run(
    step: &Value,
    ty: &str,
    api_version: &str,
    live: Option<&Value>,
) -> Result<Value, ApplyError> {
    let schema = Schema::builtin();
    let text = |key: &str| meta::text(step, &[key]);
    let manager = Manager {
        name: text("manager"),
        api_version,
        subresource: text("subresource"),
        time: NOW,
    };
    let sent = &step["object"];
    let mut object = match text("op") {
        "apply" => apply(schema, ty, live, sent, &manager, step["force"] == true)?,
        "patch" => merge_patch(live.unwrap_or(&json!({})), sent).unwrap(),
        _ => sent.clone(),
    };
    schema.conform(ty, &mut object);
    if text("op") != "apply" {
        track_update(schema, ty, live, &mut object, &manager);
    }
    Ok(object)
}

#[test]
fn writes_leave_what_upstream_leaves() {
    let scenarios: Vec<Value> = serde_json::from_str(include_str!("data/apply.json")).unwrap();
    let mut failures = Vec::new();
    let mut steps = 0;
    'scenarios: for (number, scenario) in scenarios.iter().enumerate() {
        let ty = meta::text(scenario, &["type"]);
        let (group, version) = (
            meta::text(scenario, &["group"]),
            meta::text(scenario, &["version"]),
        );
        let api_version = model::resource::api_version(group, version);
        let mut live: Option<Value> = None;
        for (at, step) in meta::list(scenario, &["steps"]).iter().enumerate() {
            steps += 1;
            let result = run(step, ty, &api_version, live.as_ref());
            let problem = match (&result, step.get("error").and_then(Value::as_str)) {
                (Err(error), Some(expected)) if error.to_string() == expected => {
                    assert_eq!(Value::from(error.to_status().code), step["code"]);
                    continue;
                }
                (Err(error), expected) => Some(format!("{error}\nexpected {expected:?}")),
                (Ok(_), Some(expected)) => Some(format!("expected {expected}")),
                (Ok(object), None) => {
                    let mut ours = object.clone();
                    meta::remove(&mut ours, &["metadata", "managedFields"]);
                    let (ours, theirs) = (pruned(&ours), pruned(&step["result"]));
                    let (mine, expected) =
                        (managed(object), meta::list(step, &["managed"]).to_vec());
                    if ours != theirs {
                        Some(format!("object\n{ours}\nexpected\n{theirs}"))
                    } else if mine != expected {
                        Some(format!(
                            "managed\n{}\nexpected\n{}",
                            Value::from(mine),
                            Value::from(expected)
                        ))
                    } else {
                        None
                    }
                }
            };
            if let Some(problem) = problem {
                failures.push(format!(
                    "scenario {number} step {at}: {}\nlive {}\n{problem}",
                    Value::from(
                        step.as_object()
                            .unwrap()
                            .iter()
                            .filter(|(k, _)| !["result", "managed", "error"].contains(&k.as_str()))
                            .map(|(k, v)| (k.clone(), v.clone()))
                            .collect::<model::Map>()
                    ),
                    live.clone().unwrap_or_default(),
                ));
                continue 'scenarios;
            }
            if let Ok(mut object) = result {
                if let Some(Value::Array(entries)) = object.pointer_mut("/metadata/managedFields") {
                    for entry in entries {
                        entry["time"] = BEFORE.into();
                    }
                }
                live = Some(object);
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} scenarios ({steps} steps) differ, the first:\n{}",
        failures.len(),
        scenarios.len(),
        failures
            .iter()
            .take(3)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n")
    );
}
