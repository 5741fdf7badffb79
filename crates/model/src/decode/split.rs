//! Cutting a file into documents, so that a broken one does not hide those after it.

use super::DecodeError;
use super::position::Position;

/// A piece of a file that holds one document, and what of the file comes before it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) lines_before: usize,
    /// Characters before it in its first line.
    pub(super) columns_before: usize,
    pub(super) bytes_before: usize,
}

impl<'a> Chunk<'a> {
    /// The piece as text, or where it is none.
    pub(super) fn text(&self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes).map_err(|error| {
            let before = self.bytes.get(..error.valid_up_to()).unwrap_or_default();
            let in_line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
            let line = self.lines_before + newlines(before) + 1;
            let column = String::from_utf8_lossy(in_line).chars().count() + 1;
            DecodeError {
                text: format!("yaml: line {line}: invalid UTF-8"),
                position: Some(Position::new(line, column)),
            }
        })
    }

    /// The part at `range`, with what comes before it counted on.
    fn part(&self, range: std::ops::Range<usize>) -> Option<Self> {
        let before = self.bytes.get(..range.start)?;
        let lines = newlines(before);
        let in_line = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
        let columns = String::from_utf8_lossy(in_line).chars().count();
        Some(Self {
            bytes: self.bytes.get(range.clone())?,
            lines_before: self.lines_before + lines,
            columns_before: columns + if lines == 0 { self.columns_before } else { 0 },
            bytes_before: self.bytes_before + range.start,
        })
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b == b'\n').count()
}

/// The documents of `bytes`: cut before each `---` and after each `...` that begins a line, which
/// is where YAML ends documents whatever they hold.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let without_mark = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut rest = Some(Chunk {
        bytes: without_mark,
        bytes_before: bytes.len() - without_mark.len(),
        ..Chunk::default()
    });
    std::iter::from_fn(move || {
        let here = rest.take()?;
        let (length, lines) = document_end(here.bytes);
        let (bytes, after) = here.bytes.split_at_checked(length)?;
        if !after.is_empty() {
            rest = Some(Chunk {
                bytes: after,
                lines_before: here.lines_before + lines,
                bytes_before: here.bytes_before + length,
                columns_before: 0,
            });
        }
        Some(Chunk { bytes, ..here })
    })
}

/// Length in bytes and lines of the first document.
fn document_end(bytes: &[u8]) -> (usize, usize) {
    let (mut length, mut lines) = (0, 0);
    let mut started = false;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let is_marker = |marker: &[u8]| {
            line.strip_prefix(marker).is_some_and(|after| {
                matches!(after.first(), None | Some(b' ' | b'\t' | b'\r' | b'\n'))
            })
        };
        if is_marker(b"---") && started {
            return (length, lines);
        }
        length += line.len();
        lines += 1;
        if is_marker(b"...") {
            return (length, lines);
        }
        // Directives and comments belong to the document that they stand before.
        let trimmed = line.trim_ascii();
        started |= !(trimmed.is_empty() || trimmed.starts_with(b"#") || line.starts_with(b"%"));
    }
    (length, lines)
}

/// The values of a stream of JSON objects (`{…} {…}`), which is no YAML; anything else is one
/// piece.
pub(super) fn json_stream(chunk: Chunk<'_>) -> Vec<Chunk<'_>> {
    let mut ends = Vec::new();
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut start = None;
    for (at, byte) in chunk.bytes.iter().enumerate() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'{' | b'[' => {
                start.get_or_insert(at);
                depth += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0
                    && let Some(start) = start.take()
                {
                    ends.push(start..at + 1);
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if depth == 0 => return vec![chunk],
            b'"' => in_text = true,
            _ => {}
        }
    }
    if let Some(start) = start {
        ends.push(start..chunk.bytes.len());
    }
    if ends.len() < 2 {
        return vec![chunk];
    }
    let mut pieces = Vec::with_capacity(ends.len());
    // Each piece is counted on from the one before, so that a long stream is read once.
    let (mut rest, mut skipped) = (chunk, 0);
    for range in ends {
        let Some(piece) = rest.part(range.start - skipped..range.end - skipped) else {
            break;
        };
        let Some(after) = rest.part(range.start - skipped..rest.bytes.len()) else {
            break;
        };
        skipped = range.start;
        rest = after;
        pieces.push(piece);
    }
    pieces
}
