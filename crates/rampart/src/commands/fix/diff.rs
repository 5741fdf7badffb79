//! Unified diffs, and the lines that they change.

use similar::{DiffOp, TextDiff};
use std::ops::RangeInclusive;

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// What changes in a file.
#[derive(Debug, Default)]
pub(crate) struct Diff {
    /// The unified diff; empty if nothing changes.
    pub(crate) text: String,
    /// The lines of the new file that the old one had not, counted from 1.
    pub(crate) lines: Vec<RangeInclusive<usize>>,
}

impl Diff {
    /// Compares two states of the file `name`.
    pub(crate) fn new(name: &str, old: &[u8], new: &[u8]) -> Self {
        if old == new {
            return Self::default();
        }
        // Files with documents that are no text come through as text with replacement characters;
        // such a diff is for reading only.
        let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
        let diff = TextDiff::from_lines(&*old, &*new);
        let path = relative(name);
        let text = diff
            .unified_diff()
            .context_radius(CONTEXT)
            .header(&header("a", &path), &header("b", &path))
            .to_string();
        let lines = diff
            .ops()
            .iter()
            .filter(|op| !matches!(op, DiffOp::Equal { .. }))
            .map(DiffOp::new_range)
            .filter(|range| !range.is_empty())
            .map(|range| range.start + 1..=range.end)
            .collect();
        Self { text, lines }
    }
}

/// The path as it stands in a diff: below the directory in which the diff is applied.
fn relative(name: &str) -> String {
    let mut path = name;
    loop {
        let shorter = path.strip_prefix("./").or_else(|| path.strip_prefix('/'));
        match shorter {
            Some(shorter) => path = shorter,
            None => break,
        }
    }
    path.to_owned()
}

/// One side of the header. Names with characters that have a meaning there are quoted as git does,
/// and those with spaces end with a tab.
fn header(side: &str, path: &str) -> String {
    let is_special = |c: char| c.is_control() || c == '"' || c == '\\';
    if path.chars().any(is_special) {
        let quoted: String = path
            .chars()
            .flat_map(|c| match c {
                '"' | '\\' => vec!['\\', c],
                '\n' => vec!['\\', 'n'],
                '\t' => vec!['\\', 't'],
                c if c.is_ascii_control() => format!("\\{:03o}", u32::from(c)).chars().collect(),
                c => vec![c],
            })
            .collect();
        return format!("\"{side}/{quoted}\"");
    }
    let tab = if path.contains(' ') { "\t" } else { "" };
    format!("{side}/{path}{tab}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diffs_are_as_patch_reads_them() {
        let diff = Diff::new("./m/a b.yaml", b"a: 1\r\nb: 2", b"a: 1\r\nc: 3\r\nb: 2");
        assert_eq!(
            diff.text,
            "--- a/m/a b.yaml\t\n+++ b/m/a b.yaml\t\n@@ -1,2 +1,3 @@\n a: 1\r\n+c: 3\r\n b: 2\n\
             \\ No newline at end of file\n"
        );
        assert_eq!(diff.lines, [2..=2]);
        assert_eq!(Diff::new("a", b"x", b"x").text, "");
        assert_eq!(header("a", "x\"\u{1}\n"), "\"a/x\\\"\\001\\n\"");
        assert_eq!(relative("/tmp/./x"), "tmp/./x");
    }
}
