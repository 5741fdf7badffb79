//! What the columns and cells of many kinds have in common.

use super::age;
use crate::quantity::Quantity;
use crate::resource::Column;
use crate::selector::LabelSelector;
use crate::{Value, meta};

/// A row of anything that makes a value.
macro_rules! cells {
    ($($cell:expr),* $(,)?) => { vec![$(crate::Value::from($cell)),*] };
}
pub(super) use cells;

pub(super) const NONE: &str = "<none>";
pub(super) const UNKNOWN: &str = "<unknown>";
pub(super) const UNSET: &str = "<unset>";

const NAME_TEXT: &str = "Name must be unique within a namespace. Is required when creating \
    resources, although some resources may allow a client to request the generation of an \
    appropriate name automatically. Name is primarily intended for creation idempotence and \
    configuration definition. Cannot be updated. More info: \
    https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const CREATED_TEXT: &str = "CreationTimestamp is a timestamp representing the server time when \
    this object was created. It is not guaranteed to be set in happens-before order across \
    separate operations. Clients may not set this value. It is represented in RFC3339 form and is \
    in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: \
    https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A column of texts.
pub(super) const fn text(name: &'static str, description: &'static str) -> Column {
    Column {
        name,
        r#type: "string",
        format: "",
        priority: 0,
        description,
    }
}

/// A column of numbers.
pub(super) const fn integer(name: &'static str, description: &'static str) -> Column {
    Column {
        r#type: "integer",
        ..text(name, description)
    }
}

/// A column of truth values.
pub(super) const fn boolean(name: &'static str, description: &'static str) -> Column {
    Column {
        r#type: "boolean",
        ..text(name, description)
    }
}

/// A column of texts that is shown with `-o wide` only.
pub(super) const fn wide(name: &'static str, description: &'static str) -> Column {
    Column {
        priority: 1,
        ..text(name, description)
    }
}

pub(super) const NAME: Column = Column {
    format: "name",
    ..text("Name", NAME_TEXT)
};
pub(super) const AGE: Column = text("Age", CREATED_TEXT);
pub(super) const CONTAINERS: Column =
    wide("Containers", "Names of each container in the template.");
pub(super) const IMAGES: Column = wide(
    "Images",
    "Images referenced by each container in the template.",
);
pub(super) const SELECTOR: Column =
    wide("Selector", "The label selector of the pods it looks after.");

/// The columns of kinds without columns of their own.
pub(super) const DEFAULT: &[Column] = &[
    NAME,
    Column {
        r#type: "date",
        ..text("Created At", CREATED_TEXT)
    },
];

/// The cells of kinds without columns of their own.
pub(super) fn default(object: &Value, _now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        meta::text(object, &["metadata", "creationTimestamp"])
    ]
}

/// How long ago the object was created.
pub(super) fn age_of(object: &Value, now: i64) -> String {
    age::since(meta::text(object, &["metadata", "creationTimestamp"]), now)
}

/// Whether the object is being deleted.
pub(super) fn is_deleted(object: &Value) -> bool {
    meta::at(object, &["metadata", "deletionTimestamp"]).is_some()
}

/// The whole number at `path`, or 0.
pub(super) fn int(object: &Value, path: &[&str]) -> i64 {
    meta::at(object, path)
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// The truth value at `path`, if it is set.
pub(super) fn flag(object: &Value, path: &[&str]) -> Option<bool> {
    meta::at(object, path).and_then(Value::as_bool)
}

/// The text, or `default` for an empty one.
pub(super) fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// How many entries the list or map at `path` has.
pub(super) fn count(object: &Value, path: &[&str]) -> usize {
    match meta::at(object, path) {
        Some(Value::Array(list)) => list.len(),
        Some(Value::Object(map)) => map.len(),
        _ => 0,
    }
}

/// The texts of the list at `path`, joined.
pub(super) fn joined(object: &Value, path: &[&str], separator: &str) -> String {
    let texts: Vec<_> = meta::list(object, path)
        .iter()
        .filter_map(Value::as_str)
        .collect();
    texts.join(separator)
}

/// The canonical text of the quantity at `path`; `0` if there is none.
pub(super) fn quantity(object: &Value, path: &[&str]) -> String {
    let value = meta::at(object, path).unwrap_or(&Value::Null);
    match Quantity::from_value(value) {
        Ok(quantity) => quantity.to_string(),
        Err(_) => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// The names and the images of the containers below `spec` (a path to a pod spec).
pub(super) fn containers(object: &Value, spec: &[&str]) -> (String, String) {
    let list = meta::at(object, spec).map_or(&[][..], |s| meta::list(s, &["containers"]));
    let column = |key: &str| {
        let texts: Vec<_> = list.iter().map(|c| meta::text(c, &[key])).collect();
        texts.join(",")
    };
    (column("name"), column("image"))
}

/// The labels at `path` as `a=b,c=d`.
pub(super) fn labels(object: &Value, path: &[&str]) -> String {
    let pairs: Vec<_> = meta::strings(object, path)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    or(&pairs.join(","), NONE).to_owned()
}

/// The label selector at `path` in its text form.
pub(super) fn selector(object: &Value, path: &[&str]) -> String {
    let value = meta::at(object, path).unwrap_or(&Value::Null);
    match LabelSelector::from_value(value) {
        Ok(selector) => or(&selector.to_string(), NONE).to_owned(),
        Err(_) => "<error>".to_owned(),
    }
}

/// A number or text at `path`, as it stands.
pub(super) fn int_or_string(object: &Value, path: &[&str]) -> Option<String> {
    Some(match meta::at(object, path)? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// At most `max` entries, joined, and how many more there are.
pub(super) fn with_more(entries: &[String], max: usize, empty: &str) -> String {
    let shown = entries.get(..max.min(entries.len())).unwrap_or_default();
    let text = shown.join(",");
    match entries.len().saturating_sub(max) {
        0 => or(&text, empty).to_owned(),
        more => format!("{text} + {more} more..."),
    }
}
