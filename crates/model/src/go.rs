//! Values as Go prints them: upstream's error messages contain such texts.

use crate::{Map, Value};
use std::fmt::Write as _;

/// The name of the Go type that upstream decodes a value into, as `%T` prints it.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// A value as `%v` prints it.
pub fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => n.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().map(go_text).collect();
            format!("[{}]", parts.join(" "))
        }
        Value::Object(map) => go_map(map),
    }
}

/// A map as `%v` prints it: sorted by key.
pub(crate) fn go_map(map: &Map) -> String {
    let mut text = String::from("map[");
    for (at, (key, value)) in map.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        // Writing to a text does not fail.
        let _ = write!(text, "{space}{key}:{}", go_text(value));
    }
    text.push(']');
    text
}
