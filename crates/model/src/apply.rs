//! Server-side apply (KEP-555) and the managed fields that every write keeps.

use crate::Value;
use crate::schema::Schema;

/// Who writes, and how.
#[derive(Debug, Clone)]
pub struct Manager<'a> {
    /// The field manager's name.
    pub name: &'a str,
    /// The `apiVersion` of the request's object.
    pub api_version: &'a str,
    /// The subresource written to, or empty.
    pub subresource: &'a str,
    /// The time of the write, RFC 3339 in seconds.
    pub time: &'a str,
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The field, as upstream writes it: `.spec.replicas`.
    pub field: String,
    /// The owner as upstream describes it: `"kubectl" using apps/v1 at …`.
    pub manager: String,
}

/// Why an apply was refused.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that the configuration would change (409 upstream).
    #[error("Apply failed with {} conflict(s)", .0.len())]
    Conflicts(Vec<Conflict>),
    /// The configuration is not acceptable (400 upstream).
    #[error("{0}")]
    Malformed(String),
}

/// Brings `metadata.managedFields` of `new` up to date after a create (`old` is `None`), update
/// or patch by `manager`. `name` is the object's schema type.
pub fn track_update(
    _schema: &Schema,
    _name: &str,
    _old: Option<&Value>,
    _new: &mut Value,
    _manager: &Manager<'_>,
) {
}

/// Applies `config` to `live` (an empty object of the kind if it does not exist yet) on behalf of
/// `manager`: merges, removes what the manager applied before and does not any more, and returns
/// the object with its managed fields.
pub fn apply(
    _schema: &Schema,
    _name: &str,
    live: Option<&Value>,
    config: &Value,
    _manager: &Manager<'_>,
    _force: bool,
) -> Result<Value, ApplyError> {
    Ok(live.unwrap_or(config).clone())
}
