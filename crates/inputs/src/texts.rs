//! The texts of the files that were read.

use snapshot::{FileId, Location};
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// The texts of the files that were read, for excerpts and repairs.
#[derive(Debug, Default)]
pub struct Texts {
    files: Vec<Text>,
    by_name: HashMap<Arc<str>, usize>,
}

#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Where lines begin; found when the first is asked for, as of most files none is.
    lines: OnceLock<Vec<usize>>,
}

impl Text {
    /// The line of that number, counted from 0, with its end.
    fn line(&self, number: usize) -> Option<&[u8]> {
        let lines = self.lines.get_or_init(|| {
            let ends = self.bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
            std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect()
        });
        let start = *lines.get(number)?;
        let end = lines.get(number + 1).copied().unwrap_or(self.bytes.len());
        self.bytes.get(start..end)
    }
}

impl Texts {
    pub(crate) fn push(&mut self, name: &Arc<str>, text: Vec<u8>) {
        self.by_name.insert(Arc::clone(name), self.files.len());
        self.files.push(Text {
            bytes: text,
            lines: OnceLock::new(),
        });
    }

    /// The bytes of a file; empty if it could not be read.
    pub fn bytes(&self, file: FileId) -> &[u8] {
        self.files.get(file.index()).map_or(&[], |text| &text.bytes)
    }

    /// The bytes of the file that a location names.
    pub fn of(&self, location: &Location) -> Option<&[u8]> {
        self.text(location).map(|text| text.bytes.as_slice())
    }

    fn text(&self, location: &Location) -> Option<&Text> {
        self.files.get(*self.by_name.get(&location.file)?)
    }

    /// The line that a location begins in, without its end.
    pub fn line(&self, location: &Location) -> Option<String> {
        let number = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let line = self.text(location)?.line(number)?;
        let text = String::from_utf8_lossy(line);
        Some(
            text.trim_end_matches(['\r', '\n'])
                .trim_start_matches('\u{feff}')
                .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::decode::Position;

    #[test]
    fn lines_are_found() {
        let mut texts = Texts::default();
        let name: Arc<str> = "a".into();
        texts.push(&name, "\u{feff}one\r\n\nthree".into());
        texts.push(&"empty".into(), Vec::new());
        let line = |file: &str, line: u32| {
            texts.line(&Location::at(file.into(), Position { line, column: 1 }))
        };
        for (number, text) in [
            (1, Some("one")),
            (2, Some("")),
            (3, Some("three")),
            (4, None),
            (0, None),
        ] {
            assert_eq!(line("a", number).as_deref(), text, "{number}");
        }
        assert_eq!(line("empty", 1).as_deref(), Some(""));
        assert_eq!(line("other", 1), None);
    }
}
