//! Filling in defaults on parsed objects.

use crate::quantity::Quantity;
use crate::{Map, Value};

/// Sets `key` if it is missing, null or (for plain Go strings) empty.
pub(crate) fn text(object: &mut Map, key: &str, default: &str) {
    let blank = match object.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(_) => false,
    };
    if blank {
        object.insert(key.to_owned(), Value::String(default.to_owned()));
    }
}

/// Sets `key` if it is missing or null.
pub(crate) fn absent(object: &mut Map, key: &str, default: impl Into<Value>) {
    if object.get(key).is_none_or(Value::is_null) {
        object.insert(key.to_owned(), default.into());
    }
}

/// Sets the number `key` if it is missing, null or (for plain Go integers) zero.
pub(crate) fn number(object: &mut Map, key: &str, default: i64) {
    let blank = match object.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::Number(n)) => n.as_i64() == Some(0),
        Some(_) => false,
    };
    if blank {
        object.insert(key.to_owned(), default.into());
    }
}

/// Sets `key` to an empty map if it is missing or null.
pub(crate) fn empty_map(object: &mut Map, key: &str) {
    absent(object, key, Map::new());
}

/// The map at `key`.
pub(crate) fn map<'a>(object: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    object.get_mut(key).and_then(Value::as_object_mut)
}

/// The maps in the list at `key`.
pub(crate) fn maps<'a>(object: &'a mut Map, key: &str) -> impl Iterator<Item = &'a mut Map> {
    object
        .get_mut(key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// The text at `key`, or `""`.
pub(crate) fn get<'a>(object: &'a Map, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Rounds the quantities of the map at `key` up to whole thousandths, the finest that upstream
/// keeps (`SetDefaults_ResourceList`).
pub(crate) fn round_amounts(object: &mut Map, key: &str) {
    for amount in map(object, key).into_iter().flat_map(Map::values_mut) {
        if let Ok(quantity) = Quantity::from_value(amount) {
            let rounded = quantity.rounded_to_milli();
            if rounded != quantity {
                *amount = Value::String(rounded.to_string());
            }
        }
    }
}
