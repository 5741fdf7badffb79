//! The lines of files that findings are about, for pages that are passed on: never a line that may
//! hold a secret.

use analysis::audit::Report;
use inputs::Texts;
use snapshot::{Location, Snapshot};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A longer line is no line that somebody wrote, and may hold anything.
const LONGEST: usize = 160;

/// The lines of one file that are not shown.
#[derive(Default)]
struct Hidden {
    /// By the first of them, the last, of stretches that may overlap.
    stretches: BTreeMap<u32, u32>,
    /// How many lines the longest stretch has after its first.
    longest: u32,
    whole: bool,
}

impl Hidden {
    fn add(&mut self, location: &Location) {
        let (first, last) = (location.line, location.end_line.max(location.line));
        let known = self.stretches.entry(first).or_default();
        *known = last.max(*known);
        self.longest = self.longest.max(last - first);
    }

    fn holds(&self, line: u32) -> bool {
        let from = line.saturating_sub(self.longest);
        self.whole
            || self
                .stretches
                .range(from..=line)
                .any(|(_, last)| *last >= line)
    }
}

/// Finds excerpts. The lines of a file are counted once, however many findings are about it.
pub(crate) struct Excerpts<'s> {
    texts: &'s Texts,
    starts: HashMap<Arc<str>, Vec<usize>>,
    hidden: HashMap<Arc<str>, Hidden>,
}

impl<'s> Excerpts<'s> {
    /// The excerpts of what was read, without the values of its secrets and of what findings
    /// take for secrets.
    pub(crate) fn new(snapshot: &Snapshot, report: &Report<'_>, texts: &'s Texts) -> Self {
        let mut hidden: HashMap<Arc<str>, Hidden> = HashMap::new();
        for secret in snapshot.of("", "secrets") {
            let Some(source) = &secret.source else {
                continue;
            };
            let file = hidden.entry(snapshot.file_name(source.file)).or_default();
            file.whole |= source.positions.is_empty();
            // What kubectl applied last stands in an annotation.
            for path in ["data", "stringData", "metadata.annotations"] {
                if let Some(location) = snapshot.locate_value(secret, path) {
                    file.add(&location);
                }
            }
        }
        let excused = report.suppressed.iter().map(|s| &s.finding);
        let all = report.findings.iter().chain(&report.known).chain(excused);
        for finding in all.filter(|finding| finding.is_secret) {
            if let Some(location) = &finding.location {
                let file = Arc::clone(&location.file);
                hidden.entry(file).or_default().add(location);
            }
        }
        Self {
            texts,
            starts: HashMap::new(),
            hidden,
        }
    }

    /// The line with its number, and carets below what is meant; empty if it cannot or must not
    /// be shown.
    pub(crate) fn of(&mut self, location: &Location) -> String {
        let is_hidden = |file: &Hidden| file.holds(location.line);
        if self.hidden.get(&location.file).is_some_and(is_hidden) {
            return String::new();
        }
        self.line(location)
            .map(|line| pointed(&line, location))
            .unwrap_or_default()
    }

    fn line(&mut self, location: &Location) -> Option<String> {
        let bytes = self.texts.of(location)?;
        let starts = self
            .starts
            .entry(Arc::clone(&location.file))
            .or_insert_with(|| starts(bytes));
        let at = usize::try_from(location.line).ok()?.checked_sub(1)?;
        let rest = bytes.get(*starts.get(at)?..)?;
        let end = rest.iter().take(LONGEST * 4).position(|b| *b == b'\n');
        let line = match end {
            Some(end) => rest.get(..end)?,
            None if rest.len() < LONGEST * 4 => rest,
            None => return None,
        };
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        (line.chars().count() <= LONGEST).then(|| line.to_owned())
    }
}

/// Where each line begins.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}

fn pointed(line: &str, location: &Location) -> String {
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    let column = usize::try_from(location.column).unwrap_or_default();
    let before: String = line
        .chars()
        .take(column.saturating_sub(1))
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let length = if location.end_line == location.line {
        location.end_column.saturating_sub(location.column).max(1)
    } else {
        1
    };
    let length = usize::try_from(length).unwrap_or(1).min(LONGEST);
    format!(
        "{number} | {line}\n{margin} | {before}{}",
        "^".repeat(length)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_may_lie_in_each_other() {
        let mut hidden = Hidden::default();
        for (line, end_line) in [(10, 20), (12, 13), (30, 30), (10, 11)] {
            let mut location = Location::of_file("f".into());
            location.line = line;
            location.end_line = end_line;
            hidden.add(&location);
        }
        let held: Vec<u32> = (1..40).filter(|line| hidden.holds(*line)).collect();
        let want: Vec<u32> = (10..=20).chain([30]).collect();
        assert_eq!(held, want);
    }
}
