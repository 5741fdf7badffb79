//! Values as Go prints them: upstream's error messages contain such texts.

mod quote;

pub use quote::{push_quoted, quoted, quoted_list};

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

/// Lists of named string types, by the field that holds them: the types as upstream's API server
/// calls them. Other lists of strings are plain.
const STRING_TYPES: [(&str, &str); 6] = [
    ("accessModes", "core.PersistentVolumeAccessMode"),
    ("operations", "admissionregistration.OperationType"),
    ("policyTypes", "networking.PolicyType"),
    ("requiredDropCapabilities", "core.Capability"),
    ("scopes", "core.ResourceQuotaScope"),
    (
        "validationActions",
        "admissionregistration.ValidationAction",
    ),
];
const STRING_MAPS: [&str; 4] = ["annotations", "labels", "matchLabels", "nodeSelector"];

/// The value of the field called `name` as `%#v` prints it, where its Go type is known from the
/// name and the value's form: lists of strings, maps of strings and label selectors.
pub(crate) fn go_syntax(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::Array(list) if !list.is_empty() => {
            let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
            let named = STRING_TYPES.iter().find(|(field, _)| *field == name);
            Some(strings(named.map_or("string", |(_, kind)| kind), &texts?))
        }
        Value::Object(map) if STRING_MAPS.contains(&name) => string_map(map),
        Value::Object(map) if name.ends_with("elector") => label_selector(map),
        _ => None,
    }
}

fn strings(kind: &str, texts: &[&str]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    format!("[]{kind}{{{}}}", quoted.join(", "))
}

fn string_map(map: &Map) -> Option<String> {
    let entries: Option<Vec<String>> = map
        .iter()
        .map(|(key, value)| Some(format!("{key:?}:{:?}", value.as_str()?)))
        .collect();
    Some(format!("map[string]string{{{}}}", entries?.join(", ")))
}

fn label_selector(map: &Map) -> Option<String> {
    if map
        .keys()
        .any(|key| key != "matchLabels" && key != "matchExpressions")
    {
        return None;
    }
    let labels = match map.get("matchLabels") {
        None | Some(Value::Null) => "map[string]string(nil)".to_owned(),
        Some(labels) => string_map(labels.as_object()?)?,
    };
    let requirement = |value: &Value| -> Option<String> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let values = match value.get("values") {
            None | Some(Value::Null) => "[]string(nil)".to_owned(),
            Some(values) => {
                let texts: Option<Vec<&str>> =
                    values.as_array()?.iter().map(Value::as_str).collect();
                strings("string", &texts?)
            }
        };
        Some(format!(
            "v1.LabelSelectorRequirement{{Key:{:?}, Operator:{:?}, Values:{values}}}",
            text("key"),
            text("operator")
        ))
    };
    let expressions = match map.get("matchExpressions") {
        None | Some(Value::Null) => "[]v1.LabelSelectorRequirement(nil)".to_owned(),
        Some(list) => {
            let all: Option<Vec<String>> = list.as_array()?.iter().map(requirement).collect();
            format!("[]v1.LabelSelectorRequirement{{{}}}", all?.join(", "))
        }
    };
    Some(format!(
        "v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:{expressions}}}"
    ))
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

#[cfg(test)]
mod tests {
    use super::go_syntax;
    use serde_json::json;

    #[test]
    fn syntax() {
        let cases = [
            ("verbs", json!(["*", "get"]), "[]string{\"*\", \"get\"}"),
            ("scopes", json!(["X"]), "[]core.ResourceQuotaScope{\"X\"}"),
            (
                "labels",
                json!({"b": "1", "a": "x\"y"}),
                "map[string]string{\"a\":\"x\\\"y\", \"b\":\"1\"}",
            ),
            (
                "selector",
                json!({"matchLabels": {"app": "web"}}),
                "v1.LabelSelector{MatchLabels:map[string]string{\"app\":\"web\"}, \
                 MatchExpressions:[]v1.LabelSelectorRequirement(nil)}",
            ),
            (
                "podSelector",
                json!({"matchExpressions": [{"key": "k", "operator": "In", "values": ["a"]},
                    {"key": "l", "operator": "Exists"}]}),
                "v1.LabelSelector{MatchLabels:map[string]string(nil), \
                 MatchExpressions:[]v1.LabelSelectorRequirement{\
                 v1.LabelSelectorRequirement{Key:\"k\", Operator:\"In\", Values:[]string{\"a\"}}, \
                 v1.LabelSelectorRequirement{Key:\"l\", Operator:\"Exists\", \
                 Values:[]string(nil)}}}",
            ),
        ];
        for (name, value, want) in cases {
            assert_eq!(go_syntax(name, &value).as_deref(), Some(want), "{value}");
        }
        for (name, value) in [
            ("selector", json!({"app": "web"})),
            ("versions", json!([])),
            ("values", json!([1])),
            ("strategy", json!({"type": "x"})),
            ("labels", json!({"a": 1})),
        ] {
            assert_eq!(go_syntax(name, &value), None, "{value}");
        }
    }
}
