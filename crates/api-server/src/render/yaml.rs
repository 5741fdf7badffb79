//! Values as YAML: block style, texts quoted wherever a reader could take them for something
//! else.

use model::Value;
use std::fmt::Write;

/// A document.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::with_capacity(1024);
    match value {
        Value::Object(map) if !map.is_empty() => block(&mut out, value, 0),
        Value::Array(list) if !list.is_empty() => block(&mut out, value, 0),
        other => {
            scalar(&mut out, other);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// Writes a map or list that is not empty, a line per entry, the first one where `out` is now.
fn block(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(map) => {
            for (i, (key, value)) in map.iter().enumerate() {
                if i > 0 {
                    indent(out, depth);
                }
                text(out, key);
                out.push(':');
                match value {
                    Value::Object(map) if !map.is_empty() => {
                        out.push('\n');
                        indent(out, depth + 1);
                        block(out, value, depth + 1);
                    }
                    Value::Array(list) if !list.is_empty() => {
                        out.push('\n');
                        indent(out, depth);
                        block(out, value, depth);
                    }
                    other => {
                        out.push(' ');
                        scalar(out, other);
                        out.push('\n');
                    }
                }
            }
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                if i > 0 {
                    indent(out, depth);
                }
                out.push_str("- ");
                match value {
                    Value::Object(map) if !map.is_empty() => block(out, value, depth + 1),
                    Value::Array(list) if !list.is_empty() => block(out, value, depth + 1),
                    other => {
                        scalar(out, other);
                        out.push('\n');
                    }
                }
            }
        }
        other => scalar(out, other),
    }
}

fn scalar(out: &mut String, value: &Value) {
    match value {
        Value::String(s) => text(out, s),
        // Writing to a String does not fail.
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn text(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
    } else {
        // JSON's quoted texts are YAML's.
        let _ = write!(out, "{}", Value::from(text));
    }
}

/// Whether a text reads as itself without quotes. Strict: letters, digits and a little more, and
/// nothing that YAML 1.1 or 1.2 reads as another type.
fn is_plain(text: &str) -> bool {
    let starts = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let inside = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | '+'));
    let word = text.to_ascii_lowercase();
    starts
        && inside
        && !matches!(
            word.as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null" | "nan" | "inf"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decode::{Format, decode};
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back() {
        let value = json!({
            "a": {"b": [1, -2.5, true, null, "x", {"c": "d", "e": []}, [1, [2]]]},
            "empty": {}, "none": [], "text": "a: b # c", "no": "no", "number": "12",
            "lines": "a\nb\n", "dash": "- x", "time": "2024-01-01T00:00:00Z", "": "",
            "tilde": "~", "hex": "0x1f", "exp": "1e3", "unicode": "\u{e9}\u{1f600}\u{7f}",
        });
        let yaml = to_yaml(&value);
        let back = decode(yaml.as_bytes(), Format::Yaml).unwrap();
        assert_eq!(back.value, value, "{yaml}");
        assert_eq!(to_yaml(&json!({})), "{}\n");
    }
}
