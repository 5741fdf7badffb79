//! Descriptions of types and fields, kept compressed and read only to build OpenAPI documents.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;

/// The descriptions of one type.
#[derive(Debug, Default, Deserialize)]
pub struct TypeDocs {
    /// What the type is.
    #[serde(default, rename = "t")]
    pub text: String,
    /// What each field says, by its name.
    #[serde(default, rename = "f")]
    pub fields: BTreeMap<String, String>,
}

/// The descriptions of the built-in types, by type name. A megabyte when read, so it is made for
/// one use and dropped.
#[derive(Debug, Default)]
pub struct Docs {
    types: BTreeMap<String, TypeDocs>,
}

impl Docs {
    /// Unpacks the embedded descriptions.
    pub fn builtin() -> Self {
        let packed: &[u8] = include_bytes!("docs.json.zlib");
        let mut text = Vec::new();
        // A test holds the embedded data readable; without them documents lack descriptions only.
        let types = flate2::read::ZlibDecoder::new(packed)
            .read_to_end(&mut text)
            .ok()
            .and_then(|_| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self { types }
    }

    /// The descriptions of the type `name`.
    pub fn get(&self, name: &str) -> Option<&TypeDocs> {
        self.types.get(name)
    }
}
