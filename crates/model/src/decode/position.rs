//! Where the fields of a document stand in its file.

use std::collections::HashMap;

/// Entries from which on a list is found by index rather than entry by entry: lists of thousands of
/// objects are looked into thousands of times.
const LONG: u32 = 32;

/// A place in a file, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    pub(super) fn new(line: usize, column: usize) -> Self {
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}

/// A stretch of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Span {
    /// Where it begins.
    pub start: Position,
    /// Where it ends: the place after its last character.
    pub end: Position,
    /// The byte of the file with which it begins.
    pub first_byte: u32,
    /// The byte of the file after its last.
    pub end_byte: u32,
}

impl Span {
    /// The bytes of the file.
    pub fn bytes(&self) -> std::ops::Range<usize> {
        self.first_byte as usize..self.end_byte as usize
    }
}

#[derive(Debug)]
pub(super) enum Step {
    Root,
    Key(Box<str>),
    Index(u32),
}

#[derive(Debug)]
struct Node {
    step: Step,
    /// Of the key, or of the value where there is no key.
    name: Span,
    value: Span,
    first_child: Option<u32>,
    last_child: Option<u32>,
    next: Option<u32>,
}

/// The positions of a document's fields, found by their paths. A tree beside the value, so that
/// values stay plain.
#[derive(Debug, Default)]
pub struct Positions {
    nodes: Vec<Node>,
    /// The entries of long lists, in order.
    long: HashMap<u32, Vec<u32>>,
}

impl Positions {
    /// Adds a node and returns its handle; the first is the root.
    pub(super) fn add(
        &mut self,
        parent: Option<u32>,
        step: Step,
        name: Span,
        value: Span,
    ) -> Option<u32> {
        let id = u32::try_from(self.nodes.len()).ok()?;
        let index = match step {
            Step::Index(index) => index,
            Step::Root | Step::Key(_) => 0,
        };
        self.nodes.push(Node {
            step,
            name,
            value,
            first_child: None,
            last_child: None,
            next: None,
        });
        if let Some(parent) = parent {
            let last = self.get_mut(parent)?.last_child.replace(id);
            match last {
                Some(last) => self.get_mut(last)?.next = Some(id),
                None => self.get_mut(parent)?.first_child = Some(id),
            }
            if index == LONG {
                let entries = self.children(parent).collect();
                self.long.insert(parent, entries);
            } else if index > LONG {
                self.long.get_mut(&parent)?.push(id);
            }
        }
        Some(id)
    }

    fn children(&self, parent: u32) -> impl Iterator<Item = u32> {
        let first = self.get(parent).and_then(|node| node.first_child);
        std::iter::successors(first, |id| self.get(*id)?.next)
    }

    /// The entry of a long list to which `path` leads first, and what is left of the path.
    fn entry<'p>(&self, list: u32, path: &'p str) -> Option<(u32, &'p str)> {
        let entries = self.long.get(&list)?;
        let (index, after) = path.strip_prefix('[')?.split_once(']')?;
        let id = *entries.get(index.parse::<usize>().ok()?)?;
        follow(&self.get(id)?.step, path)?;
        Some((id, after))
    }

    /// Says where the value of a node ends, which is known only after it was read.
    pub(super) fn end(&mut self, id: u32, end: Position, end_byte: u32) {
        let Some(node) = self.get_mut(id) else { return };
        node.value.end = end;
        node.value.end_byte = end_byte;
        // A value that is not there stands nowhere: right after its key.
        if node.value.first_byte > end_byte {
            node.value.first_byte = end_byte;
            node.value.start = end;
        }
    }

    /// Whether nothing is known: the document is JSON that only a JSON parser understands.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn get(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id as usize)
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut Node> {
        self.nodes.get_mut(id as usize)
    }

    /// Where the field at `path` stands: its key, or a list entry's value. Paths are written as
    /// in field errors: `spec.containers[0].image`, `metadata.labels[a.b/c]` or
    /// `metadata.labels.a.b/c`. The empty path is the document.
    pub fn field(&self, path: &str) -> Option<Position> {
        self.field_span(path).map(|span| span.start)
    }

    /// The key of the field at `path`; of a list entry and of the document, the value.
    pub fn field_span(&self, path: &str) -> Option<Span> {
        let (id, rest) = self.walk(path)?;
        let node = self.get(id).filter(|_| rest.is_empty())?;
        Some(match node.step {
            Step::Key(_) => node.name,
            Step::Root | Step::Index(_) => node.value,
        })
    }

    /// The value of the field at `path`. Of a block mapping or list it ends with the last value
    /// in it; the value of an empty field is the empty place after its key.
    pub fn value_span(&self, path: &str) -> Option<Span> {
        let (id, rest) = self.walk(path)?;
        self.get(id).filter(|_| rest.is_empty()).map(|n| n.value)
    }

    /// Where the value of the field at `path` begins.
    pub fn value(&self, path: &str) -> Option<Position> {
        self.value_span(path).map(|span| span.start)
    }

    /// Where the field at `path` stands, or else the innermost field around it that is there: the
    /// place to show for a field that is missing.
    pub fn nearest(&self, path: &str) -> Option<Position> {
        let (id, _) = self.walk(path)?;
        self.get(id).map(|n| n.name.start)
    }

    /// The key (or list entry) of the innermost field on the way to `path` that is there, and
    /// how many bytes of `path` lead to it: all of them if the field itself is there.
    pub fn nearest_span(&self, path: &str) -> Option<(Span, usize)> {
        let (span, _, length) = self.nearest_spans(path)?;
        Some((span, length))
    }

    /// As [`nearest_span`](Self::nearest_span), with the value too if the field itself is there.
    pub fn nearest_spans(&self, path: &str) -> Option<(Span, Option<Span>, usize)> {
        let (id, rest) = self.walk(path)?;
        let node = self.get(id)?;
        let span = match node.step {
            Step::Key(_) => node.name,
            Step::Root | Step::Index(_) => node.value,
        };
        let value = rest.is_empty().then_some(node.value);
        Some((span, value, path.len() - rest.len()))
    }

    /// Gives back the room that was kept for more fields.
    pub(super) fn close(&mut self) {
        self.nodes.shrink_to_fit();
    }

    /// Follows `path` as far as it goes; returns the last node and what is left.
    fn walk<'p>(&self, path: &'p str) -> Option<(u32, &'p str)> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut here = 0;
        let mut rest = path;
        while !rest.is_empty() {
            if self.long.contains_key(&here) {
                let Some((id, after)) = self.entry(here, rest) else {
                    break;
                };
                (here, rest) = (id, after);
                continue;
            }
            // Keys may hold dots, so that the longest key that fits is the one that is meant.
            let mut best: Option<(u32, &str)> = None;
            for id in self.children(here) {
                if let Some(after) = follow(&self.get(id)?.step, rest)
                    && best.is_none_or(|(_, shortest)| after.len() <= shortest.len())
                {
                    best = Some((id, after));
                }
            }
            let Some((id, after)) = best else { break };
            here = id;
            rest = after;
        }
        Some((here, rest))
    }
}

/// What is left of `path` after `step`, if it begins with it.
fn follow<'p>(step: &Step, path: &'p str) -> Option<&'p str> {
    if let Some(bracket) = path.strip_prefix('[') {
        let after = match step {
            Step::Key(key) => bracket.strip_prefix(&**key)?,
            Step::Index(index) => {
                return index_in(bracket)
                    .filter(|(i, _)| i == index)
                    .map(|(_, after)| after);
            }
            Step::Root => return None,
        };
        return after.strip_prefix(']');
    }
    let Step::Key(key) = step else { return None };
    let path = path.strip_prefix('.').unwrap_or(path);
    // Most keys are told apart by where they end, which is quicker than comparing them.
    matches!(path.as_bytes().get(key.len()), None | Some(b'.' | b'['))
        .then(|| path.strip_prefix(&**key))
        .flatten()
}

/// The index before the bracket that closes it, as it is written without leading zeros, and what
/// comes after the bracket.
fn index_in(bracket: &str) -> Option<(u32, &str)> {
    let (digits, after) = bracket.split_once(']')?;
    let is_canonical = digits == "0"
        || (!digits.starts_with('0') && digits.bytes().all(|digit| digit.is_ascii_digit()));
    let index = digits.parse().ok().filter(|_| is_canonical)?;
    Some((index, after))
}

#[cfg(test)]
mod tests {
    use crate::decode::documents;

    #[test]
    fn entries_of_long_lists_are_found() {
        let mut text = String::from("items:\n");
        for n in 0..100 {
            text.push_str(&format!("- {{name: a{n}, more: [x, y]}}\n"));
        }
        let documents = documents(text.as_bytes());
        let document = documents.into_iter().next().unwrap().unwrap();
        let line = |path: &str| document.positions.nearest(path).map(|at| at.line);
        for n in [0_u32, 1, 31, 32, 33, 99] {
            let here = |rest: &str| format!("items[{n}]{rest}");
            assert_eq!(
                document.positions.field(&here("")).map(|at| at.line),
                Some(n + 2)
            );
            assert_eq!(line(&here(".more[1]")), Some(n + 2));
            assert!(document.positions.value(&here(".more[2]")).is_none());
        }
        // As near as it gets.
        for path in [
            "items[100].name",
            "items[x]",
            "items[",
            "items[-1]",
            "items[033]",
        ] {
            assert_eq!(line(path), Some(1), "{path}");
            assert!(document.positions.field(path).is_none(), "{path}");
        }
    }
}
