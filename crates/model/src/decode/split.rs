//! Cutting a file into YAML documents, so that a broken one does not hide those after it.

/// A piece of a file that holds one document.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) text: &'a str,
    /// How many lines of the file come before it.
    pub(super) lines_before: usize,
}

/// The documents of `text`: cut before each `---` and after each `...` that begins a line, which
/// is where YAML ends documents whatever they hold.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = Some(Chunk {
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
        lines_before: 0,
    });
    std::iter::from_fn(move || {
        let here = rest.take()?;
        let (length, lines) = document_end(here.text);
        let (text, after) = here.text.split_at_checked(length)?;
        if !after.is_empty() {
            rest = Some(Chunk {
                text: after,
                lines_before: here.lines_before + lines,
            });
        }
        Some(Chunk { text, ..here })
    })
}

/// Length in bytes and lines of the first document.
fn document_end(text: &str) -> (usize, usize) {
    let (mut length, mut lines) = (0, 0);
    let mut started = false;
    for line in text.split_inclusive('\n') {
        let is_marker = |marker| {
            line.strip_prefix(marker).is_some_and(|after: &str| {
                after.is_empty() || after.starts_with([' ', '\t', '\r', '\n'])
            })
        };
        if is_marker("---") && started {
            return (length, lines);
        }
        length += line.len();
        lines += 1;
        if is_marker("...") {
            return (length, lines);
        }
        // Directives and comments belong to the document that they stand before.
        let trimmed = line.trim();
        started |= !(trimmed.is_empty() || trimmed.starts_with('#') || line.starts_with('%'));
    }
    (length, lines)
}
