//! Manifests as texts, read without a file system.

use model::decode::documents;
use model::registry::Registry;
use snapshot::{Builder, Snapshot};
use std::sync::Arc;

/// A file.
#[derive(Debug, Clone, Copy)]
pub struct File<'t> {
    /// The name that locations give it.
    pub name: &'t str,
    /// What it holds.
    pub text: &'t [u8],
}

/// Reads the files again, with other texts. What cannot be parsed was told when they were read
/// first.
pub(super) fn read(
    files: &[File<'_>],
    texts: &[Arc<[u8]>],
    registry: &Arc<Registry>,
    reading: &snapshot::Options,
) -> Snapshot {
    let mut builder = Builder::new(Arc::clone(registry), reading.clone());
    for (file, text) in files.iter().zip(texts) {
        let id = builder.file(file.name);
        for document in documents(text).filter_map(Result::ok) {
            builder.document(id, document);
        }
    }
    builder.build()
}
