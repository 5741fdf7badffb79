//! The three patch types: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes'
//! strategic merge patch with its directives.

use crate::Value;
use crate::schema::Schema;

/// Why a patch could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is malformed (400 upstream).
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object (422 upstream).
    #[error("{0}")]
    Unprocessable(String),
}

/// Applies a JSON patch.
pub fn json_patch(target: &Value, _patch: &Value) -> Result<Value, PatchError> {
    Ok(target.clone())
}

/// Applies a JSON merge patch.
pub fn merge_patch(target: &Value, _patch: &Value) -> Result<Value, PatchError> {
    Ok(target.clone())
}

/// Applies a strategic merge patch to an object of the schema type `name`.
pub fn strategic_merge(
    _schema: &Schema,
    _name: &str,
    target: &Value,
    _patch: &Value,
) -> Result<Value, PatchError> {
    Ok(target.clone())
}
