//! The three patch types: JSON patch (RFC 6902), JSON merge patch (RFC 7386) and Kubernetes'
//! strategic merge patch with its directives.

mod json;
mod merge;
mod order;
mod strategic;

pub use json::json_patch;
pub use merge::merge_patch;
pub use strategic::strategic_merge;

use crate::Value;
use crate::status::Status;

/// How many operations a JSON patch may hold, as upstream.
pub const MAX_JSON_PATCH_OPERATIONS: usize = 10_000;

/// How many bytes the `copy` operations of one JSON patch may add, as upstream
/// (`JSONPatchMaxCopyBytes`).
pub const MAX_JSON_PATCH_COPY_BYTES: usize = 3 * 1024 * 1024;

/// How deep a JSON patch may nest the object: no deeper than a body may be, or it could be stored
/// and never be read again.
pub const MAX_DEPTH: usize = crate::decode::MAX_DEPTH;

/// Why a patch could not be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// The patch itself is malformed (400 upstream).
    #[error("{0}")]
    Malformed(String),
    /// The patch does not fit the object (422 upstream).
    #[error("{0}")]
    Unprocessable(String),
    /// The patch asks for more work than is allowed (413 upstream).
    #[error("{0}")]
    TooLarge(String),
    /// The patch contradicts the schema in a way for which upstream has no error class (500
    /// upstream), such as a list entry without its merge key.
    #[error("{0}")]
    Unsupported(String),
}

impl PatchError {
    /// The error as upstream's PATCH handler reports it. For 422 it hides the details behind a
    /// general sentence, as upstream's generic server response does.
    pub fn to_status(&self) -> Status {
        match self {
            Self::Malformed(why) => Status::bad_request(why.clone()),
            Self::Unprocessable(_) => Status::new(
                422,
                "Invalid",
                "the server rejected our request due to an error in our request",
            ),
            Self::TooLarge(why) => Status::new(
                413,
                "RequestEntityTooLarge",
                format!("Request entity is too large: {why}"),
            ),
            Self::Unsupported(why) => Status::new(500, "", why.clone()),
        }
    }
}

/// What Go's JSON decoder calls a value in its errors.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
