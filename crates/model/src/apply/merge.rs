//! Merging an applied configuration into the live object.

use super::element;
use crate::Value;
use crate::shape::{Form, Shape};
use std::collections::{HashMap, HashSet, VecDeque};

/// The live value with everything that the configuration says. Nothing is removed.
pub(super) fn merge(shape: Shape<'_>, live: Value, config: &Value) -> Value {
    match (shape.form(), live, config) {
        (Form::Struct | Form::Map | Form::Free, Value::Object(mut live), Value::Object(config)) => {
            for (name, value) in config {
                match live.get_mut(name) {
                    Some(slot) => *slot = merge(shape.member(name), slot.take(), value),
                    None => {
                        live.insert(name.clone(), value.clone());
                    }
                }
            }
            Value::Object(live)
        }
        (Form::Struct | Form::Map, Value::Object(live), Value::Null) if !live.is_empty() => {
            Value::Object(live)
        }
        (Form::Set | Form::Keyed(_), Value::Array(live), Value::Null) if !live.is_empty() => {
            Value::Array(live)
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(live), Value::Array(config)) => {
            Value::Array(items(form, shape, live, config))
        }
        (_, _, config) => config.clone(),
    }
}

/// Entries that both have stand in the configuration's order. Entries that only the live list has
/// come as early as their place among the shared ones allows.
fn items(form: Form<'_>, shape: Shape<'_>, live: Vec<Value>, config: &[Value]) -> Vec<Value> {
    let entry = shape.element().unwrap_or(shape);
    let name = |value: &Value| element::item(form, entry, value).ok();
    let wanted: Vec<(Option<String>, &Value)> = config.iter().map(|v| (name(v), v)).collect();
    let in_config: HashSet<&str> = wanted.iter().filter_map(|(n, _)| n.as_deref()).collect();
    let live: Vec<(Option<String>, Value)> = live.into_iter().map(|v| (name(&v), v)).collect();

    // The live list in its order: entries to keep, and gaps where shared entries stood.
    let mut rest: VecDeque<Result<Value, String>> = VecDeque::with_capacity(live.len());
    let mut shared: HashMap<String, Option<Value>> = HashMap::new();
    for (name, value) in live {
        match name.filter(|name| in_config.contains(name.as_str())) {
            None => rest.push_back(Ok(value)),
            Some(name) => {
                rest.push_back(Err(name.clone()));
                shared
                    .entry(name)
                    // Doubles are not merged but replaced.
                    .and_modify(|value| *value = None)
                    .or_insert(Some(value));
            }
        }
    }
    let mut order: VecDeque<&str> = wanted
        .iter()
        .filter_map(|(name, _)| name.as_deref())
        .filter(|name| shared.contains_key(*name))
        .collect();

    let mut result = Vec::with_capacity(rest.len().max(config.len()));
    for (name, value) in &wanted {
        while let Some(next) = rest.pop_front() {
            match (next, order.front()) {
                (Ok(value), _) => result.push(value),
                // Nothing after the next shared entry may overtake it.
                (Err(gap), Some(shared)) if *shared == gap => {
                    rest.push_front(Err(gap));
                    break;
                }
                // It stands elsewhere.
                (Err(_), Some(_)) => {}
                (Err(_), None) => break,
            }
        }
        let name = name.as_deref();
        let live = name.and_then(|name| shared.remove(name)).flatten();
        result.push(match live {
            Some(live) => merge(entry, live, value),
            None => (*value).clone(),
        });
        if name.is_some_and(|name| order.front() == Some(&name)) {
            order.pop_front();
            if matches!(rest.front(), Some(Err(gap)) if Some(gap.as_str()) == name) {
                rest.pop_front();
            }
        }
    }
    result.extend(rest.into_iter().filter_map(Result::ok));
    result
}
