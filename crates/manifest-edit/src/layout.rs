//! Operations on nodes, turned into insertions and replacements in the text.

use crate::Refusal;
use crate::plan::Operation;
use crate::render::{self, Flow, Indent};
use crate::tree::{Entry, Id, Kind, Node, Tree, before};
use model::Value;
use saphyr_parser::ScalarStyle;
use std::ops::Range;

/// A stretch of the text that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    /// What goes; empty for an insertion.
    pub(crate) at: Range<usize>,
    /// How deep the node that it belongs to is nested.
    pub(crate) depth: usize,
    /// What comes.
    pub(crate) text: String,
}

/// The splices that carry out the operations.
pub(crate) fn splices(
    text: &str,
    tree: &Tree,
    operations: &[Operation],
) -> Result<Vec<Splice>, Refusal> {
    let mut layout = Layout {
        text,
        tree,
        line_end: if text.contains("\r\n") { "\r\n" } else { "\n" },
        width: tree.indentation(text),
        splices: Vec::new(),
    };
    for operation in operations {
        match operation {
            Operation::Replace(id, value) => layout.replace(*id, value)?,
            Operation::Fill(id, value) => layout.fill(*id, value)?,
            Operation::Insert(id, entries) => layout.insert(*id, entries)?,
            Operation::Append(id, items) => layout.append(*id, items)?,
        }
    }
    Ok(layout.splices)
}

struct Layout<'t> {
    text: &'t str,
    tree: &'t Tree,
    line_end: &'static str,
    /// By how much nested block mappings are indented.
    width: usize,
    splices: Vec<Splice>,
}

impl<'t> Layout<'t> {
    fn node(&self, id: Id) -> Result<&'t Node, Refusal> {
        self.tree.get(id).ok_or(Refusal::Unreadable)
    }

    fn part(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    fn put(&mut self, at: Range<usize>, depth: usize, text: String) {
        self.splices.push(Splice { at, depth, text });
    }

    fn replace(&mut self, id: Id, value: &Value) -> Result<(), Refusal> {
        let node = self.node(id)?;
        let text = match &node.kind {
            Kind::Scalar { style, .. } => match style {
                ScalarStyle::Plain => self.style(id).value(value),
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                    render::scalar(value, *style)
                }
                ScalarStyle::Literal | ScalarStyle::Folded => return Err(Refusal::Layout),
            },
            _ => return Err(Refusal::Occupied),
        };
        // What the parser counts to a plain scalar may end with spaces.
        let end = self.trimmed(&node.span);
        self.put(node.span.start..end, node.depth, text);
        Ok(())
    }

    fn trimmed(&self, span: &Range<usize>) -> usize {
        span.start + self.part(span.clone()).trim_end().len()
    }

    /// Gives a null a value.
    fn fill(&mut self, id: Id, value: &Value) -> Result<(), Refusal> {
        let node = self.node(id)?;
        if !node.is_absent() {
            let end = self.trimmed(&node.span);
            let text = self.style(id).value(value);
            self.put(node.span.start..end, node.depth, text);
            return Ok(());
        }
        let entry = self.tree.entry_of(id).ok_or(Refusal::Layout)?;
        let after = self.after_colon(entry).ok_or(Refusal::Layout)?;
        let is_flow = match node.parent.map(|around| self.node(around)).transpose()? {
            Some(Node {
                kind: Kind::Mapping { is_flow, .. },
                ..
            }) => *is_flow,
            _ => return Err(Refusal::Layout),
        };
        match value {
            Value::Object(map) if !is_flow && !map.is_empty() => {
                let at = self.end_of_line(after)?;
                let indent = self.block_indent(entry.key_span.start)?.deeper();
                let lines = map.iter().map(|(k, v)| render::block(k, v, indent));
                self.put(at..at, node.depth, lines.collect());
            }
            value => {
                let text = format!(" {}", self.style(id).value(value));
                self.put(after..after, node.depth, text);
            }
        }
        Ok(())
    }

    /// Gives a mapping further keys.
    fn insert(&mut self, id: Id, entries: &[(String, Value)]) -> Result<(), Refusal> {
        let node = self.node(id)?;
        let Kind::Mapping {
            is_flow,
            entries: there,
        } = &node.kind
        else {
            return Err(Refusal::Mismatch);
        };
        if *is_flow {
            let style = self.style(id);
            return self.insert_flow(id, |indent| {
                let entry = |(key, value): &(String, Value)| match indent {
                    Some(indent) if style.is_json => style.lines(key, value, indent),
                    _ => style.entry(key, value),
                };
                entries.iter().map(entry).collect()
            });
        }
        let first = there.first().ok_or(Refusal::Layout)?;
        let indent = self.block_indent(first.key_span.start)?;
        let at = self.end_of_line(self.end(id)?)?;
        let lines = entries.iter().map(|(k, v)| render::block(k, v, indent));
        self.put(at..at, node.depth, lines.collect());
        Ok(())
    }

    /// Gives a list further entries.
    fn append(&mut self, id: Id, items: &[Value]) -> Result<(), Refusal> {
        let node = self.node(id)?;
        let Kind::List {
            is_flow,
            items: there,
        } = &node.kind
        else {
            return Err(Refusal::Mismatch);
        };
        let style = self.style(id);
        let last = there.last().and_then(|id| self.tree.get(*id));
        let quotes = match last.map(|last| &last.kind) {
            Some(Kind::Scalar { style, .. }) => *style,
            _ => ScalarStyle::Plain,
        };
        let rendered = items.iter().map(|item| match quotes {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => render::scalar(item, quotes),
            _ => style.value(item),
        });
        let rendered: Vec<String> = rendered.collect();
        if *is_flow {
            return self.insert_flow(id, |_| rendered);
        }
        let last = last.ok_or(Refusal::Layout)?;
        // The dash is what comes before the entry.
        let head = self.part(0..self.start(last)?).trim_end();
        let dash = head.strip_suffix('-').ok_or(Refusal::Layout)?.len();
        let indent = self.block_indent(dash)?;
        let at = self.end_of_line(self.end(id)?)?;
        let lines = rendered
            .iter()
            .map(|item| format!("{}- {item}", indent.start()));
        self.put(at..at, node.depth, lines.collect());
        Ok(())
    }

    /// Adds to a mapping or list in flow style. `render` makes the entries' texts, given the
    /// indentation if they stand on lines of their own.
    fn insert_flow(
        &mut self,
        id: Id,
        render: impl FnOnce(Option<Indent<'_>>) -> Vec<String>,
    ) -> Result<(), Refusal> {
        let node = self.node(id)?;
        let depth = node.depth;
        let (open, close) = (node.span.start, node.span.end.saturating_sub(1));
        let separator = if self.style(id).is_spaced { ", " } else { "," };
        let Some((start, end)) = self.last_child(node)? else {
            return self.insert_first(id, open + 1..close, separator, render);
        };
        let comma = self.comma(end, close);
        let is_own_line = before(self.text, start).trim().is_empty();
        if !(is_own_line && self.part(end..close).contains('\n')) {
            let text = render(None).join(separator);
            match comma {
                Some(comma) => self.put(comma + 1..comma + 1, depth, format!(" {text}")),
                None => self.put(end..end, depth, format!("{separator}{text}")),
            }
            return Ok(());
        }
        let indent = self.flow_indent(start, self.flow_width(node));
        let lines: Vec<String> = render(Some(indent))
            .iter()
            .map(|entry| indent.start() + entry)
            .collect();
        if comma.is_none() {
            self.put(end..end, depth, ",".to_owned());
        }
        let at = self.end_of_line(comma.map_or(end, |comma| comma + 1))?;
        self.put(at..at, depth, lines.join(","));
        Ok(())
    }

    /// Adds to an empty mapping or list; `inside` is what its brackets hold.
    fn insert_first(
        &mut self,
        id: Id,
        inside: Range<usize>,
        separator: &str,
        render: impl FnOnce(Option<Indent<'_>>) -> Vec<String>,
    ) -> Result<(), Refusal> {
        let node = self.node(id)?;
        if !self.part(inside.clone()).trim().is_empty() {
            return Err(Refusal::Layout);
        }
        let key = self.tree.entry_of(id).map(|entry| entry.key_span.start);
        let own_line = key.filter(|key| {
            let before = before(self.text, *key);
            before.trim().is_empty() && self.part(0..*key).contains('\n')
        });
        match (own_line, &node.kind) {
            (Some(key), Kind::Mapping { .. }) if self.tree.is_json => {
                let around = node.parent.map(|around| self.node(around)).transpose()?;
                let width = around.map_or(2, |around| self.flow_width(around));
                let outer = self.flow_indent(key, width);
                let inner = outer.deeper();
                let lines: Vec<String> = render(Some(inner))
                    .iter()
                    .map(|entry| inner.start() + entry)
                    .collect();
                let text = lines.join(",") + &outer.start();
                self.put(inside, node.depth, text);
            }
            _ => {
                let text = render(None).join(separator);
                self.put(inside.start..inside.start, node.depth, text);
            }
        }
        Ok(())
    }

    /// Where the last entry of a flow mapping or list begins and ends.
    fn last_child(&self, node: &Node) -> Result<Option<(usize, usize)>, Refusal> {
        Ok(match &node.kind {
            Kind::Mapping { entries, .. } => match entries.last() {
                Some(last) => Some((last.key_span.start, self.end(last.value)?)),
                None => None,
            },
            Kind::List { items, .. } => match items.last() {
                Some(last) => Some((self.node(*last)?.span.start, self.end(*last)?)),
                None => None,
            },
            _ => None,
        })
    }

    /// The comma between a place and the end of its mapping or list, if there is one.
    fn comma(&self, from: usize, to: usize) -> Option<usize> {
        let mut in_comment = false;
        for (at, c) in self.part(from..to).char_indices() {
            match c {
                '\n' => in_comment = false,
                _ if in_comment => {}
                '#' => in_comment = true,
                ',' => return Some(from + at),
                _ => {}
            }
        }
        None
    }

    /// Where a node begins: of a block scalar, where its header stands.
    fn start(&self, node: &Node) -> Result<usize, Refusal> {
        let is_block = matches!(
            node.kind,
            Kind::Scalar {
                style: ScalarStyle::Literal | ScalarStyle::Folded,
                ..
            }
        );
        if !is_block {
            return Ok(node.span.start);
        }
        let head = self.part(0..node.span.start).trim_end();
        let line = head.rfind('\n').map_or(0, |newline| newline + 1);
        let is_header = |at: usize| {
            let rest = self.part(at + 1..head.len());
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "+-".contains(c));
            rest.trim_start().is_empty() || rest.trim_start().starts_with('#')
        };
        self.part(line..head.len())
            .char_indices()
            .filter(|(_, c)| matches!(c, '|' | '>'))
            .map(|(at, _)| line + at)
            .find(|at| is_header(*at))
            .ok_or(Refusal::Layout)
    }

    /// Where the last character of a node stands, and of all that is in it.
    fn end(&self, id: Id) -> Result<usize, Refusal> {
        let node = self.node(id)?;
        Ok(match &node.kind {
            Kind::Mapping {
                is_flow: false,
                entries,
            } => self.end(entries.last().ok_or(Refusal::Layout)?.value)?,
            Kind::List {
                is_flow: false,
                items,
            } => self.end(*items.last().ok_or(Refusal::Layout)?)?,
            Kind::Scalar { style, text } => match style {
                ScalarStyle::Literal | ScalarStyle::Folded => self.block_scalar_end(node, text),
                _ if node.is_absent() => match self.tree.entry_of(id) {
                    Some(entry) => self.after_colon(entry).unwrap_or(entry.key_span.end),
                    None => node.span.end,
                },
                _ => self.trimmed(&node.span),
            },
            _ => node.span.end,
        })
    }

    /// The end of the last line of a block scalar: of one that keeps the empty lines after it,
    /// the last of them.
    fn block_scalar_end(&self, node: &Node, text: &str) -> usize {
        let head = self.part(0..node.span.end);
        if text.ends_with("\n\n") || text == "\n" {
            let head = head.strip_suffix('\n').unwrap_or(head);
            return head.strip_suffix('\r').unwrap_or(head).len();
        }
        head.trim_end().len()
    }

    /// The place after the colon of a key.
    fn after_colon(&self, entry: &Entry) -> Option<usize> {
        let rest = self.text.get(entry.key_span.end..)?;
        let gap = rest.len() - rest.trim_start().len();
        rest.trim_start()
            .starts_with(':')
            .then_some(entry.key_span.end + gap + 1)
    }

    /// The end of a line after whose place `from` there are only blanks and a comment.
    fn end_of_line(&self, from: usize) -> Result<usize, Refusal> {
        let rest = self.text.get(from..).ok_or(Refusal::Layout)?;
        let line = rest.split('\n').next().unwrap_or_default();
        let line = line.strip_suffix('\r').unwrap_or(line);
        let more = line.trim_start();
        if more.is_empty() || (more.starts_with('#') && more.len() < line.len()) {
            Ok(from + line.len())
        } else {
            Err(Refusal::Layout)
        }
    }

    /// The indentation of a key or dash in block style: what comes before it in its line are
    /// spaces, and the dashes of lists that begin there.
    fn block_indent(&self, at: usize) -> Result<Indent<'static>, Refusal> {
        let before = before(self.text, at);
        if !before.chars().all(|c| c == ' ' || c == '-') {
            return Err(Refusal::Layout);
        }
        Ok(Indent {
            end: self.line_end,
            columns: before.len(),
            width: self.width,
            with: ' ',
        })
    }

    fn flow_indent(&self, at: usize, width: usize) -> Indent<'static> {
        let before = before(self.text, at);
        Indent {
            end: self.line_end,
            columns: before.len(),
            width,
            with: if before.starts_with('\t') { '\t' } else { ' ' },
        }
    }

    /// By how much the entries of a flow mapping are indented.
    fn flow_width(&self, node: &Node) -> usize {
        let Kind::Mapping { entries, .. } = &node.kind else {
            return 2;
        };
        let Some(first) = entries.first() else {
            return 2;
        };
        let line = before(self.text, node.span.start);
        let outer = line.len() - line.trim_start().len();
        let inner = before(self.text, first.key_span.start).len();
        inner
            .checked_sub(outer)
            .filter(|width| *width > 0)
            .unwrap_or(2)
    }

    /// The style of the flow collection that a node is, or that it is in.
    fn style(&self, id: Id) -> Flow {
        let mut at = Some(id);
        while let Some(node) = at.and_then(|id| self.tree.get(id)) {
            if let Kind::Mapping {
                is_flow: true,
                entries,
            } = &node.kind
                && let Some(first) = entries.first()
            {
                let is_json = first.is_quoted;
                let colon = self.after_colon(first).unwrap_or(first.key_span.end);
                let after = self.text.get(colon..).unwrap_or_default();
                return Flow {
                    is_json,
                    is_spaced: !is_json || after.starts_with([' ', '\t', '\r', '\n']),
                };
            }
            at = node.parent;
        }
        Flow::YAML
    }
}
