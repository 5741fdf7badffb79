//! What differs between two values, for the messages of refused updates.

use crate::Value;
use crate::validation::read::same;
use std::fmt::Write;

/// The most lines that a message shows.
const LINES: usize = 60;
/// The deepest level that is compared part by part.
const DEPTH: usize = 32;

/// One line per side and differing field, in the manner of the diffs upstream prints: `-` the old
/// value, `+` the new one.
pub(crate) fn diff(kind: &str, old: &Value, new: &Value) -> String {
    let mut lines = Vec::new();
    walk("", Some(old), Some(new), 0, &mut lines);
    let mut text = format!("  {kind}{{\n");
    for line in lines.iter().take(LINES) {
        text.push_str(line);
        text.push('\n');
    }
    if lines.len() > LINES {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "  \t... // {} more lines", lines.len() - LINES);
    }
    text.push_str("  }\n");
    text
}

fn walk(
    path: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    depth: usize,
    lines: &mut Vec<String>,
) {
    if same(old, new) {
        return;
    }
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) if depth < DEPTH => {
            let added = b.keys().filter(|k| !a.contains_key(k.as_str()));
            for key in a.keys().chain(added) {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                walk(&path, a.get(key), b.get(key), depth + 1, lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if depth < DEPTH => {
            for i in 0..a.len().max(b.len()) {
                let path = format!("{path}[{i}]");
                walk(&path, a.get(i), b.get(i), depth + 1, lines);
            }
        }
        _ => {
            if let Some(old) = old.filter(|v| !v.is_null()) {
                lines.push(format!("- \t{path}: {old},"));
            }
            if let Some(new) = new.filter(|v| !v.is_null()) {
                lines.push(format!("+ \t{path}: {new},"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shows_what_changed() {
        let old = json!({"a": [{"b": 1}], "c": "x", "same": {}});
        let new = json!({"a": [{"b": 2}, {"d": 1}], "e": true});
        assert_eq!(
            diff("core.PodSpec", &old, &new),
            "  core.PodSpec{\n- \ta[0].b: 1,\n+ \ta[0].b: 2,\n+ \ta[1]: {\"d\":1},\n- \tc: \
             \"x\",\n+ \te: true,\n  }\n"
        );
    }
}
