//! Strategic merge patches, with what upstream's library (v1.33, with its published types) made of
//! them.

use model::patch::strategic_merge;
use model::schema::Schema;
use model::{Value, meta};

/// Directives and nulls that upstream leaves in entries that are new to a list. Decoding drops
/// them there with a warning; here they never get in.
fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, value)| {
                    !key.starts_with('$') && !value.is_null() && value.get("$patch").is_none()
                })
                .map(|(key, value)| (key.clone(), cleaned(value)))
                .collect(),
        ),
        Value::Array(list) => list
            .iter()
            .filter(|entry| entry.get("$patch").is_none())
            .map(cleaned)
            .collect(),
        other => other.clone(),
    }
}

#[test]
fn patches_give_what_upstream_gives() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("data/strategic.json")).unwrap();
    let mut failures = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let result = strategic_merge(
            Schema::builtin(),
            meta::text(case, &["type"]),
            &case["target"],
            &case["patch"],
        );
        let matches = match (&result, case.get("error").and_then(Value::as_str)) {
            (Ok(object), None) => cleaned(object) == cleaned(&case["expected"]),
            (Err(error), Some(expected)) => error.to_string() == expected,
            _ => false,
        };
        if !matches {
            failures.push(format!(
                "case {number}: {}\n{}\ngave {result:?}\nnot  {}{}",
                case["target"], case["patch"], case["expected"], case["error"]
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {} cases differ, the first:\n{}",
        failures.len(),
        cases.len(),
        failures
            .iter()
            .take(4)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n\n")
    );
}
