//! Where the fields of a document stand in its file.

/// A place in a file, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
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
    name: Position,
    value: Position,
    first_child: Option<u32>,
    last_child: Option<u32>,
    next: Option<u32>,
}

/// The positions of a document's fields, found by their paths. A tree beside the value, so that
/// values stay plain.
#[derive(Debug, Default)]
pub struct Positions {
    nodes: Vec<Node>,
}

impl Positions {
    /// Adds a node and returns its handle; the first is the root.
    pub(super) fn add(
        &mut self,
        parent: Option<u32>,
        step: Step,
        name: Position,
        value: Position,
    ) -> Option<u32> {
        let id = u32::try_from(self.nodes.len()).ok()?;
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
        }
        Some(id)
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
        let (id, rest) = self.walk(path)?;
        rest.is_empty().then(|| self.get(id).map(|n| n.name))?
    }

    /// Where the value of the field at `path` begins.
    pub fn value(&self, path: &str) -> Option<Position> {
        let (id, rest) = self.walk(path)?;
        rest.is_empty().then(|| self.get(id).map(|n| n.value))?
    }

    /// Where the field at `path` stands, or else the innermost field around it that is there: the
    /// place to show for a field that is missing.
    pub fn nearest(&self, path: &str) -> Option<Position> {
        let (id, _) = self.walk(path)?;
        self.get(id).map(|n| n.name)
    }

    /// Follows `path` as far as it goes; returns the last node and what is left.
    fn walk<'p>(&self, path: &'p str) -> Option<(u32, &'p str)> {
        if self.nodes.is_empty() {
            return None;
        }
        let mut here = 0;
        let mut rest = path;
        while !rest.is_empty() {
            // Keys may hold dots, so that the longest key that fits is the one that is meant.
            let mut best: Option<(u32, &str)> = None;
            let mut child = self.get(here)?.first_child;
            while let Some(id) = child {
                let node = self.get(id)?;
                if let Some(after) = follow(&node.step, rest)
                    && best.is_none_or(|(_, shortest)| after.len() <= shortest.len())
                {
                    best = Some((id, after));
                }
                child = node.next;
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
            Step::Index(index) => bracket.strip_prefix(&*index.to_string())?,
            Step::Root => return None,
        };
        return after.strip_prefix(']');
    }
    let Step::Key(key) = step else { return None };
    let after = path
        .strip_prefix('.')
        .unwrap_or(path)
        .strip_prefix(&**key)?;
    (after.is_empty() || after.starts_with(['.', '['])).then_some(after)
}
