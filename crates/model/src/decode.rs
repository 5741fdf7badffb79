//! Request bodies and manifests to values: JSON and YAML, strictly, with duplicates and depth
//! noticed.
//!
//! JSON is read as Go's decoder reads it (its error texts, invalid UTF-8 replaced, the last of
//! several equal keys wins). YAML is read as upstream's parser reads it, which follows YAML 1.1
//! where that matters: `yes`, `no`, `on`, `off`, `y` and `n` are booleans, `0644` is octal.

mod json;
mod position;
mod scalar;
mod split;
mod yaml;

pub use position::{Position, Positions, Span};

use crate::Value;
use json::Fractions;
use std::borrow::Cow;

/// How deep lists and objects may nest. Upstream stops at 10,000; nothing that means anything
/// nests a hundredth of that, and every recursion over an object is bounded by this one number. It
/// is also the depth to which `serde_json` reads stored objects back.
pub const MAX_DEPTH: usize = 127;

/// How many repeated fields are reported, as upstream.
const MAX_DUPLICATES: usize = 100;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259.
    Json,
    /// YAML (with upstream's YAML 1.1 booleans).
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
    /// What strict decoding says of the repeated fields, in upstream's words: a text per field
    /// for JSON, one text for all of them for YAML.
    pub strict_errors: Vec<String>,
}

/// Why a body could not be decoded; upstream-like text, with line and column where known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct DecodeError {
    /// What is wrong.
    pub text: String,
    /// Where, if known.
    pub position: Option<Position>,
}

impl DecodeError {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            position: None,
        }
    }
}

/// One document of a file.
#[derive(Debug)]
pub struct Document {
    /// The decoded document.
    pub decoded: Decoded,
    /// Where each of its fields stands in the file.
    pub positions: Positions,
    /// The bytes of the file that it was read from, with the comments and the `---` before it.
    pub bytes: std::ops::Range<usize>,
}

/// Decodes one document: a request body. Of several YAML documents the first is read, as upstream.
pub fn decode(bytes: &[u8], format: Format) -> Result<Decoded, DecodeError> {
    match format {
        Format::Json => match std::str::from_utf8(bytes) {
            Ok(text) => json::parse(text, Fractions::Kept),
            Err(_) => json::parse(&String::from_utf8_lossy(bytes), Fractions::Kept),
        },
        Format::Yaml => {
            let whole = split::Chunk {
                bytes,
                ..split::Chunk::default()
            };
            whole.text()?;
            let first = split::chunks(bytes).next().unwrap_or_default();
            let text = first.text()?;
            match plain_json(text) {
                Some(decoded) => Ok(decoded),
                None => yaml::parse(text, &first, None),
            }
        }
    }
}

/// The documents of a file of manifests (YAML, of which JSON is a part, or a stream of JSON
/// objects), with positions. Empty documents are passed over. A document that cannot be read, or
/// that is not UTF-8, is an error of its own; those after it are still read.
pub fn documents(file: &[u8]) -> impl Iterator<Item = Result<Document, DecodeError>> + '_ {
    split::chunks(file)
        .flat_map(|chunk| {
            if chunk.bytes.trim_ascii_start().starts_with(b"{") {
                split::json_stream(chunk)
            } else {
                vec![chunk]
            }
        })
        .filter_map(|chunk| document(&chunk).transpose())
}

/// The document in `chunk`, if it is not empty.
fn document(chunk: &split::Chunk<'_>) -> Result<Option<Document>, DecodeError> {
    let text = chunk.text()?;
    let mut positions = Positions::default();
    let decoded = match yaml::parse(&without_tabs(text), chunk, Some(&mut positions)) {
        Ok(decoded) => decoded,
        Err(error) => {
            positions = Positions::default();
            plain_json(text).ok_or(error)?
        }
    };
    positions.close();
    let end = chunk.bytes_before + chunk.bytes.len();
    Ok((!decoded.value.is_null()).then_some(Document {
        decoded,
        positions,
        bytes: chunk.bytes_before..end,
    }))
}

/// JSON that is indented with tabs, which the YAML parser refuses, with spaces instead: they
/// take the same room. Tabs inside of texts stay. Anything else is returned as it is.
pub fn without_tabs(text: &str) -> Cow<'_, str> {
    if !text.contains('\t') || !text.trim_start().starts_with(['{', '[']) {
        return text.into();
    }
    let (mut in_text, mut escaped) = (false, false);
    text.chars()
        .map(|c| {
            match c {
                '\t' if !in_text => return ' ',
                '"' if !escaped => in_text = !in_text,
                _ => {}
            }
            escaped = c == '\\' && !escaped;
            c
        })
        .collect::<String>()
        .into()
}

/// JSON in the place of YAML, which it is a part of: what kubectl sends to apply. Reading it as
/// JSON is quicker, and knows of tabs and surrogate pairs, which the YAML parser does not.
/// Whatever is not plain JSON without repeated fields is left to the YAML parser to judge.
fn plain_json(text: &str) -> Option<Decoded> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    json::parse(text, Fractions::Dropped)
        .ok()
        .filter(|decoded| decoded.duplicates.is_empty())
}

#[cfg(test)]
mod tests;
