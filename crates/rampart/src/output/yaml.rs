//! YAML for answers: what `model::decode` reads back as the same value.

use serde_json::Value;
use std::fmt::Write;

/// The value as a YAML document.
pub(super) fn render(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => object(map, 0, &mut out),
        Value::Array(items) if !items.is_empty() => array(items, 0, &mut out),
        other => {
            scalar(other, &mut out);
            out.push('\n');
        }
    }
    out
}

/// One item of a list that stands `depth` deep in a document.
pub(super) fn item(value: &Value, depth: usize) -> String {
    let mut out = String::new();
    array(std::slice::from_ref(value), depth, &mut out);
    out
}

/// One field of a document.
pub(super) fn field(name: &str, value: &Value) -> String {
    let mut out = String::new();
    text(name, &mut out);
    out.push(':');
    nested(value, 0, &mut out);
    out
}

fn indent(depth: usize, out: &mut String) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn object(map: &serde_json::Map<String, Value>, depth: usize, out: &mut String) {
    for (index, (key, value)) in map.iter().enumerate() {
        // The first field of a list's entry stands beside the dash.
        if index > 0 || out.is_empty() || out.ends_with('\n') {
            indent(depth, out);
        }
        text(key, out);
        out.push(':');
        nested(value, depth, out);
    }
}

fn nested(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            object(map, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            array(items, depth, out);
        }
        other => {
            out.push(' ');
            scalar(other, out);
            out.push('\n');
        }
    }
}

fn array(items: &[Value], depth: usize, out: &mut String) {
    for item in items {
        indent(depth, out);
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => object(map, depth + 1, out),
            other => {
                scalar(other, out);
                out.push('\n');
            }
        }
    }
}

/// A value on one line. Lists of lists are rare enough to stand in JSON's form.
fn scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(string) => text(string, out),
        // Writing to a String does not fail.
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// A text, in quotes unless it can only be read as a text.
fn text(text: &str, out: &mut String) {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.len() > 1
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if is_plain {
        out.push_str(text);
    } else {
        let quoted = Value::from(text).to_string();
        // JSON leaves these as they are, and YAML would break lines at them.
        for c in quoted.chars() {
            match c {
                '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(c));
                }
                c => out.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decode::{Format, decode};
    use serde_json::json;

    #[test]
    fn it_is_read_back() {
        for value in [
            json!({}),
            json!([]),
            json!(null),
            json!({"a": [1, {"b": [], "c": {}, "d": null}, [1, [2, {"x": "y: z"}]], []]}),
            json!({"a": {"b": {"c": [{"d": [{"e": "f", "g": [{"h": true}]}]}]}}}),
            json!([
                "yes",
                "n",
                "0x1",
                "1e3",
                "~",
                "",
                " ",
                "- a",
                "a: b",
                "#",
                "a #b",
                "*",
                "&x",
                "system:masters",
                "/healthz",
                "\u{2028}",
                "\u{85}",
                "\n\t\"\\",
                "é",
                "\u{feff}"
            ]),
            json!({"y": 1, "no": 2, "1": 3, "a b": 4, "": 5, "*": 6}),
        ] {
            let text = render(&value);
            let back = decode(text.as_bytes(), Format::Yaml).unwrap().value;
            assert_eq!(back, value, "{text}");
        }
    }

    #[test]
    fn it_looks_as_people_write_it() {
        assert_eq!(
            render(&json!({"allowed": true, "because": [{"kind": "Role", "name": "a"}]})),
            "allowed: true\nbecause:\n- kind: Role\n  name: \"a\"\n"
        );
    }
}
