//! Random patches, well-formed and not.

use crate::json::{scalar, text, value};
use model::{Map, Value};
use proptest::prelude::*;
use proptest::sample::select;

/// A JSON pointer, mostly to places that objects of [`crate::objects`] have.
pub fn pointer() -> BoxedStrategy<String> {
    let step = prop_oneof![
        select(vec![
            "metadata",
            "labels",
            "spec",
            "data",
            "containers",
            "env",
            "template",
            "0",
            "1",
            "-1",
            "-",
            "a",
            "~0~1",
        ])
        .prop_map(str::to_owned),
        text(),
    ];
    prop::collection::vec(step, 0..5)
        .prop_map(|steps| steps.iter().map(|step| format!("/{step}")).collect())
        .boxed()
}

/// A JSON patch; most of its operations are well-formed.
pub fn json_patch() -> BoxedStrategy<Value> {
    let op = prop_oneof![
        8 => select(vec!["add", "remove", "replace", "move", "copy", "test"]).prop_map(Value::from),
        1 => scalar(),
    ];
    let operation = (op, pointer(), pointer(), value()).prop_map(|(op, path, from, value)| {
        serde_json::json!({"op": op, "path": path, "from": from, "value": value})
    });
    let operation = prop_oneof![9 => operation, 1 => value()];
    prop_oneof![
        9 => prop::collection::vec(operation, 0..6).prop_map(Value::from),
        1 => value(),
    ]
    .boxed()
}

/// Turns an object into a strategic merge patch: by `choices`, members become directives or null.
pub fn with_directives(object: Value, choices: &[u8]) -> Value {
    fn decorate(value: Value, choices: &mut impl Iterator<Item = u8>) -> Value {
        match value {
            Value::Object(map) => {
                let mut out = Map::new();
                for (key, value) in map {
                    match choices.next().unwrap_or(255) {
                        0..8 => {
                            out.insert(format!("$setElementOrder/{key}"), value.clone());
                            out.insert(key, decorate(value, choices));
                        }
                        8..16 => {
                            out.insert(format!("$deleteFromPrimitiveList/{key}"), value);
                        }
                        16..24 => {
                            out.insert(key, Value::Null);
                        }
                        _ => {
                            out.insert(key, decorate(value, choices));
                        }
                    }
                }
                match choices.next().unwrap_or(255) {
                    0..8 => out.insert("$patch".to_owned(), "replace".into()),
                    8..16 => out.insert("$patch".to_owned(), "delete".into()),
                    16..18 => out.insert("$patch".to_owned(), "merge".into()),
                    18..26 => {
                        let keys: Value = out.keys().cloned().map(Value::from).collect();
                        out.insert("$retainKeys".to_owned(), keys)
                    }
                    _ => None,
                };
                Value::Object(out)
            }
            Value::Array(list) => list.into_iter().map(|v| decorate(v, choices)).collect(),
            other => other,
        }
    }
    decorate(object, &mut choices.iter().copied())
}
