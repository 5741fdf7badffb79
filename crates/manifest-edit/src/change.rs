//! Edits of values: what the edited text must mean.

use crate::{Change, Edit, Refusal, Step};
use model::{Map, Value};

/// Makes an edit of a value.
pub(crate) fn make(value: &mut Value, edit: &Edit) -> Result<(), Refusal> {
    let mut here = value;
    for step in &edit.path {
        here = match step {
            Step::Key(key) => {
                if here.is_null() {
                    *here = Value::Object(Map::new());
                }
                let map = here.as_object_mut().ok_or(Refusal::Mismatch)?;
                map.entry(key.as_str()).or_insert(Value::Null)
            }
            Step::Index(index) => here.get_mut(*index).ok_or(Refusal::Mismatch)?,
        };
    }
    match &edit.change {
        Change::Set(value) => *here = value.clone(),
        Change::Append(value) => match here {
            Value::Null => *here = Value::Array(vec![value.clone()]),
            Value::Array(items) => items.push(value.clone()),
            _ => return Err(Refusal::Mismatch),
        },
    }
    Ok(())
}

/// The value that a change gives to a field around `path`, where nothing was.
pub(crate) fn wrapped(path: &[Step], change: &Change) -> Result<Value, Refusal> {
    let innermost = match change {
        Change::Set(value) => value.clone(),
        Change::Append(value) => Value::Array(vec![value.clone()]),
    };
    path.iter().rev().try_fold(innermost, |inner, step| {
        let Step::Key(key) = step else {
            return Err(Refusal::Mismatch);
        };
        Ok(Value::Object(Map::from_iter([(key.clone(), inner)])))
    })
}

/// Puts together what several edits give to one field.
pub(crate) fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (key, value) in more {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(more)) => into.extend(more),
        (into, more) => *into = more,
    }
}
