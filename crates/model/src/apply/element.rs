//! Path elements in their encoded form: `f:spec`, `k:{"name":"a"}`, `v:"a"`, `i:0`.

use crate::Value;
use crate::resource::Text;
use crate::shape::{Form, Shape};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

/// The element of a field or of a map's entry.
pub(super) fn field(name: &str) -> String {
    let mut element = String::with_capacity(name.len().saturating_add(2));
    element.push_str("f:");
    element.push_str(name);
    element
}

/// The element of an entry of the list `list`, whose entries have the type `entry`. The error is
/// upstream's text.
pub(super) fn item(list: Form<'_>, entry: Shape<'_>, value: &Value) -> Result<String, String> {
    match list {
        Form::Keyed(keys) => keyed(keys, entry, value),
        _ => scalar(value),
    }
}

fn keyed(keys: &[Text], entry: Shape<'_>, value: &Value) -> Result<String, String> {
    let map = match value {
        Value::Object(map) => map,
        Value::Null => {
            return Err("associative list with keys may not have a null element".to_owned());
        }
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    };
    let mut element = String::with_capacity(48);
    element.push_str("k:{");
    let mut push = |name: &str, first: bool| {
        let value = match map.get(name) {
            Some(value) => value,
            None => entry
                .field(name)
                .and_then(|field| field.default())
                .ok_or_else(|| {
                    format!(
                        "associative list with keys has an element that omits key field \
                         {name:?} (and doesn't have default value)"
                    )
                })?,
        };
        if !first {
            element.push(',');
        }
        write_text(name, &mut element);
        element.push(':');
        write_json(value, &mut element);
        Ok::<(), String>(())
    };
    if let [key] = keys {
        push(key, true)?;
    } else {
        let mut sorted: Vec<&Text> = keys.iter().collect();
        sorted.sort_unstable();
        for (at, key) in sorted.into_iter().enumerate() {
            push(key, at == 0)?;
        }
    }
    element.push('}');
    Ok(element)
}

fn scalar(value: &Value) -> Result<String, String> {
    match value {
        Value::Object(_) => {
            Err("associative list without keys has an element that's a map type".to_owned())
        }
        Value::Array(_) => Err("not supported: associative list with lists as elements".to_owned()),
        Value::Null => {
            Err("associative list without keys has an element that's an explicit null".to_owned())
        }
        _ => {
            let mut element = String::from("v:");
            write_json(value, &mut element);
            Ok(element)
        }
    }
}

/// The usual spelling of an element: keys sorted, no spaces. `None` for kinds of elements that
/// are not known.
pub(super) fn canonical(element: &str) -> Result<Option<Cow<'_, str>>, String> {
    let Some((kind, rest)) = element.split_once(':') else {
        return Err(format!("missing colon: {element}"));
    };
    match kind {
        "f" => Ok(Some(Cow::Borrowed(element))),
        "i" => match rest.parse::<i64>() {
            Ok(index) => Ok(Some(Cow::Owned(format!("i:{index}")))),
            Err(why) => Err(format!("{element}: {why}")),
        },
        "k" | "v" => {
            let value: Value =
                serde_json::from_str(rest).map_err(|why| format!("{element}: {why}"))?;
            if kind == "k" && !value.is_object() {
                return Err(format!("{element}: expected an object"));
            }
            let mut text = format!("{kind}:");
            write_json(&value, &mut text);
            Ok(Some(Cow::Owned(text)))
        }
        _ => Ok(None),
    }
}

/// Appends an element as upstream's messages write it: `.name`, `[name="a"]`, `[="a"]`, `[0]`.
pub(super) fn write_path(element: &str, path: &mut String) {
    let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
    // Writing to a text does not fail.
    let _ = match (kind, serde_json::from_str::<Value>(rest)) {
        ("k", Ok(Value::Object(keys))) => {
            path.push('[');
            for (at, (name, value)) in keys.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                let _ = write!(path, "{comma}{name}={value}");
            }
            write!(path, "]")
        }
        ("v", Ok(value)) => write!(path, "[={value}]"),
        ("i", _) => write!(path, "[{rest}]"),
        _ => write!(path, ".{rest}"),
    };
}

/// Upstream's order of elements: fields, keys, values, indices, each by what they name.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let parts = |element: &str| {
        let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
        let value = if kind == "f" {
            Value::from(rest)
        } else {
            serde_json::from_str(rest).unwrap_or_default()
        };
        ("fkvi".find(kind), value)
    };
    let ((a_kind, a), (b_kind, b)) = (parts(a), parts(b));
    a_kind.cmp(&b_kind).then_with(|| compare_values(&a, &b))
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().unwrap_or(0.0), y.as_f64().unwrap_or(0.0));
            x.total_cmp(&y)
        }
        (Value::String(x), Value::String(y)) => x.cmp(y),
        (Value::Object(x), Value::Object(y)) => x
            .iter()
            .zip(y)
            .map(|((x_name, x), (y_name, y))| x_name.cmp(y_name).then_with(|| compare_values(x, y)))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| x.len().cmp(&y.len())),
        (x, y) => x.to_string().cmp(&y.to_string()),
    }
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_text(text, out),
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    if text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        let _ = write!(out, "{}", Value::from(text));
    }
}
