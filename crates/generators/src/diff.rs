//! Patches that lead from one object to another. They are written to be evidently right, not
//! short: what applying a patch must give back.

use model::schema::{Schema, Type};
use model::{Map, Value};
use serde_json::json;

/// A JSON merge patch from `old` to `new`, neither of which may have nulls.
pub fn merge(old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut patch = Map::new();
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                patch.insert(key.clone(), Value::Null);
            }
            for (key, value) in new {
                match old.get(key) {
                    Some(before) if before == value => {}
                    Some(before) => {
                        patch.insert(key.clone(), merge(before, value));
                    }
                    None => {
                        patch.insert(key.clone(), value.clone());
                    }
                }
            }
            Value::Object(patch)
        }
        _ => new.clone(),
    }
}

/// A JSON patch from `old` to `new`, both objects.
pub fn json(old: &Value, new: &Value) -> Value {
    let mut operations = Vec::new();
    json_below(old, new, "", &mut operations);
    Value::Array(operations)
}

fn json_below(old: &Value, new: &Value, path: &str, operations: &mut Vec<Value>) {
    match (old, new) {
        (old, new) if old == new => operations.push(json!({
            "op": "test", "path": path, "value": old,
        })),
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                operations.push(json!({"op": "remove", "path": step(path, key)}));
            }
            for (key, value) in new {
                let path = step(path, key);
                match old.get(key) {
                    Some(before) => json_below(before, value, &path, operations),
                    None => operations.push(json!({"op": "add", "path": path, "value": value})),
                }
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for (at, (before, value)) in old.iter().zip(new).enumerate() {
                json_below(before, value, &format!("{path}/{at}"), operations);
            }
            for _ in new.len()..old.len() {
                operations.push(json!({"op": "remove", "path": format!("{path}/-1")}));
            }
            for value in new.iter().skip(old.len()) {
                operations.push(json!({"op": "add", "path": format!("{path}/-"), "value": value}));
            }
        }
        _ => operations.push(json!({"op": "replace", "path": path, "value": new})),
    }
}

fn step(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A strategic merge patch from `old` to `new`, objects of the schema type `name` without nulls,
/// in the form in which kubectl makes it.
pub fn strategic(schema: &Schema, name: &str, old: &Value, new: &Value) -> Value {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            Value::Object(strategic_map(schema, Some(name), old, new))
        }
        _ => new.clone(),
    }
}

fn strategic_map(schema: &Schema, name: Option<&str>, old: &Map, new: &Map) -> Map {
    let ty = name.and_then(|name| schema.get(name));
    let mut patch = Map::new();
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        let Some(before) = old.get(key) else {
            patch.insert(key.clone(), value.clone());
            continue;
        };
        if before == value {
            continue;
        }
        let field = ty.and_then(|ty| ty.field(key));
        let below = field.and_then(|field| match &field.ty {
            Type::List(list) => schema.resolve(&list.element),
            ty => schema.resolve(ty),
        });
        let below = below.map(|ty| ty.name.as_ref());
        let merge = field.is_some_and(|field| field.patch.merge);
        match (before, value) {
            (Value::Object(old), Value::Object(new)) => {
                let mut inner = strategic_map(schema, below, old, new);
                if field.is_some_and(|field| field.patch.retain_keys) {
                    let keys: Value = new.keys().cloned().map(Value::from).collect();
                    inner.insert("$retainKeys".to_owned(), keys);
                }
                patch.insert(key.clone(), Value::Object(inner));
            }
            (Value::Array(old), Value::Array(new)) if merge => {
                let merge_key = field.and_then(|field| field.merge_key.as_deref());
                let order = match merge_key {
                    Some(merge_key) => {
                        let entries = keyed(schema, below, merge_key, old, new);
                        if !entries.is_empty() {
                            patch.insert(key.clone(), Value::Array(entries));
                        }
                        new.iter()
                            .map(|v| json!({merge_key: v.get(merge_key)}))
                            .collect()
                    }
                    None => {
                        let gone: Vec<Value> =
                            old.iter().filter(|v| !new.contains(v)).cloned().collect();
                        if !gone.is_empty() {
                            let directive = format!("$deleteFromPrimitiveList/{key}");
                            patch.insert(directive, Value::Array(gone));
                        }
                        let added: Vec<Value> =
                            new.iter().filter(|v| !old.contains(v)).cloned().collect();
                        if !added.is_empty() {
                            patch.insert(key.clone(), Value::Array(added));
                        }
                        new.clone()
                    }
                };
                patch.insert(format!("$setElementOrder/{key}"), Value::Array(order));
            }
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    patch
}

/// The entries of a patch for a list that is merged by `key`: changed, new and deleted ones.
fn keyed(
    schema: &Schema,
    name: Option<&str>,
    key: &str,
    old: &[Value],
    new: &[Value],
) -> Vec<Value> {
    let find = |list: &'_ [Value], id: Option<&Value>| {
        list.iter().find(|entry| entry.get(key) == id).cloned()
    };
    let mut entries = Vec::new();
    for entry in new {
        match (find(old, entry.get(key)), entry) {
            (Some(before), entry) if before == *entry => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                let mut inner = strategic_map(schema, name, &before, after);
                if let Some(id) = after.get(key) {
                    inner.insert(key.to_owned(), id.clone());
                }
                entries.push(Value::Object(inner));
            }
            (_, entry) => entries.push(entry.clone()),
        }
    }
    for entry in old {
        if find(new, entry.get(key)).is_none() {
            entries.push(json!({"$patch": "delete", key: entry.get(key)}));
        }
    }
    entries
}
