//! Whether an applied configuration fits its type. Unlike other bodies it is never decoded into
//! the type, so that what it does not say stays unsaid.

use super::element;
use crate::Value;
use crate::go::{go_text, go_type};
use crate::schema::Type;
use crate::shape::{Form, Kind, Shape};
use std::collections::HashSet;

/// Everything that does not fit, in upstream's words, each with its path.
pub(super) fn errors(shape: Shape<'_>, config: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(shape, config, &mut String::new(), &mut found);
    found
}

/// Upstream's text for one or more errors.
pub(super) fn message(errors: &[String]) -> String {
    match errors {
        [one] => one.clone(),
        many => many
            .iter()
            .fold("errors:".to_owned(), |text, e| format!("{text}\n  {e}")),
    }
}

fn check(shape: Shape<'_>, value: &Value, path: &mut String, found: &mut Vec<String>) {
    let mut complain = |why: String| {
        found.push(if path.is_empty() {
            why
        } else {
            format!("{path}: {why}")
        });
    };
    match (shape.kind(), value) {
        (_, Value::Null) | (Kind::Any, _) => {}
        (Kind::Object, Value::Object(map)) => {
            for (name, value) in map {
                let length = path.len();
                path.push('.');
                path.push_str(name);
                if shape.declares(name) {
                    check(shape.member(name), value, path, found);
                } else {
                    found.push(format!("{path}: field not declared in schema"));
                }
                path.truncate(length);
            }
        }
        (Kind::List, Value::Array(list)) => items(shape, list, path, found),
        (Kind::Object, other) => complain(format!("expected map, got &{{{}}}", go_text(other))),
        (Kind::List, other) => complain(format!("expected list, got &{{{}}}", go_text(other))),
        (Kind::Scalar(ty), value) => {
            if let Some(why) = misfit(ty, value) {
                complain(why);
            }
        }
    }
}

fn items(shape: Shape<'_>, list: &[Value], path: &mut String, found: &mut Vec<String>) {
    let element = shape.element().unwrap_or(shape);
    let form = shape.form();
    let mut seen = HashSet::new();
    for (at, value) in list.iter().enumerate() {
        let name = match form {
            Form::Set | Form::Keyed(_) => match element::item(form, element, value) {
                Ok(name) => name,
                Err(why) => {
                    found.push(format!("{path}: element {at}: {why}"));
                    // Without a path element there is no naming what else is wrong.
                    return;
                }
            },
            _ => format!("i:{at}"),
        };
        let length = path.len();
        element::write_path(&name, path);
        if !seen.insert(name) {
            let (list, entry) = path.split_at(length);
            found.push(format!("{list}: duplicate entries for key {entry}"));
        }
        check(element, value, path, found);
        path.truncate(length);
    }
}

fn misfit(ty: &Type, value: &Value) -> Option<String> {
    match ty {
        Type::Int32 | Type::Int64 | Type::Double if !value.is_number() => Some(format!(
            "expected numeric (int or float), got {}",
            go_type(value)
        )),
        Type::Bool if !value.is_boolean() => {
            Some(format!("expected boolean, got &{{{}}}", go_text(value)))
        }
        Type::Quantity | Type::IntOrString if value.is_object() || value.is_array() => {
            Some(format!("expected any scalar, got &{{{}}}", go_text(value)))
        }
        Type::String | Type::Time | Type::MicroTime | Type::Duration | Type::Bytes
            if !value.is_string() =>
        {
            Some(format!(
                "expected string, got &value.valueUnstructured{{Value:{}}}",
                go_text(value)
            ))
        }
        _ => None,
    }
}
