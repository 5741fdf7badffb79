//! The texts of the files that were read.

use snapshot::{FileId, Location};
use std::collections::HashMap;
use std::sync::Arc;

/// The texts of the files that were read, for excerpts and repairs.
#[derive(Debug, Default)]
pub struct Texts {
    files: Vec<Vec<u8>>,
    by_name: HashMap<Arc<str>, usize>,
}

impl Texts {
    pub(crate) fn push(&mut self, name: &Arc<str>, text: Vec<u8>) {
        self.by_name.insert(Arc::clone(name), self.files.len());
        self.files.push(text);
    }

    /// The bytes of a file; empty if it could not be read.
    pub fn bytes(&self, file: FileId) -> &[u8] {
        self.files.get(file.index()).map_or(&[], Vec::as_slice)
    }

    /// The bytes of the file that a location names.
    pub fn of(&self, location: &Location) -> Option<&[u8]> {
        let index = *self.by_name.get(&location.file)?;
        self.files.get(index).map(Vec::as_slice)
    }

    /// The line that a location begins in, without its end.
    pub fn line(&self, location: &Location) -> Option<String> {
        let number = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let line = self.of(location)?.split(|b| *b == b'\n').nth(number)?;
        let text = String::from_utf8_lossy(line);
        Some(
            text.trim_end_matches('\r')
                .trim_start_matches('\u{feff}')
                .to_owned(),
        )
    }
}
