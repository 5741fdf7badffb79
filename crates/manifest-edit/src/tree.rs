//! What a document's text is made of: its nodes with their bytes and styles.

use model::decode::without_tabs;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashSet;
use std::ops::Range;

/// A node, by its place in the tree.
pub(crate) type Id = usize;

/// The nodes of a document.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// Anchors that aliases stand for.
    aliased: HashSet<usize>,
    /// Whether it is JSON: flow style with keys in double quotes.
    pub(crate) is_json: bool,
}

/// A node.
#[derive(Debug)]
pub(crate) struct Node {
    /// Its bytes in the document; of a block mapping or list, the empty place where it begins.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
    /// How many nodes are around it.
    pub(crate) depth: usize,
    /// The mapping or list around it.
    pub(crate) parent: Option<Id>,
    anchor: usize,
    pub(crate) is_tagged: bool,
}

/// The sorts of nodes.
#[derive(Debug)]
pub(crate) enum Kind {
    Scalar { style: ScalarStyle, text: String },
    Alias,
    Mapping { is_flow: bool, entries: Vec<Entry> },
    List { is_flow: bool, items: Vec<Id> },
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The key; `None` if it is no scalar.
    pub(crate) key: Option<String>,
    pub(crate) key_span: Range<usize>,
    pub(crate) is_quoted: bool,
    pub(crate) value: Id,
}

impl Node {
    /// Whether it is a null that can be given a value.
    pub(crate) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { style, text } => {
                *style == ScalarStyle::Plain
                    && !self.is_tagged
                    && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// Whether nothing is written for it.
    pub(crate) fn is_absent(&self) -> bool {
        self.span.is_empty() && matches!(self.kind, Kind::Scalar { .. })
    }
}

impl Tree {
    /// Takes a document apart; `None` if that cannot be done.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = without_tabs(text);
        let offsets = Offsets::new(text);
        let mut parser = Parser::new_from_str(&plain);
        let mut tree = Self {
            nodes: Vec::new(),
            aliased: HashSet::new(),
            is_json: false,
        };
        // The collections that are open, each with the key that waits for its value.
        let mut open: Vec<(Id, Option<Entry>)> = Vec::new();
        while let Some(event) = parser.next_event() {
            let (event, span) = event.ok()?;
            let span = offsets.bytes(span);
            let (kind, anchor, is_tagged) = match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => continue,
                // Of what follows nothing is edited here.
                Event::DocumentEnd | Event::StreamEnd => break,
                Event::MappingEnd | Event::SequenceEnd => {
                    let (id, _) = open.pop()?;
                    let from = tree.last_end(id)?;
                    let node = tree.nodes.get_mut(id)?;
                    let bracket = match node.kind {
                        Kind::Mapping { is_flow: true, .. } => '}',
                        Kind::List { is_flow: true, .. } => ']',
                        _ => continue,
                    };
                    // The parser's own span may be that of a comma or comment before the bracket.
                    let end = closing(text, from, bracket);
                    node.span.end = end.or_else(|| closing(text, span.start, bracket))?;
                    continue;
                }
                Event::Alias(anchor) => {
                    tree.aliased.insert(anchor);
                    (Kind::Alias, 0, false)
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let text = text.into_owned();
                    (Kind::Scalar { style, text }, anchor, tag.is_some())
                }
                Event::MappingStart(anchor, tag) => {
                    let is_flow = !span.is_empty();
                    let entries = Vec::new();
                    (Kind::Mapping { is_flow, entries }, anchor, tag.is_some())
                }
                Event::SequenceStart(anchor, tag) => {
                    let is_flow = !span.is_empty();
                    let items = Vec::new();
                    (Kind::List { is_flow, items }, anchor, tag.is_some())
                }
            };
            // The parser counts comments after a quote to the text before.
            let span = match &kind {
                Kind::Scalar { style, .. } => unquoted(text, span, *style),
                _ => span,
            };
            let opens = matches!(kind, Kind::Mapping { .. } | Kind::List { .. });
            let id = tree.nodes.len();
            let depth = open.len();
            let parent = open.last().map(|(id, _)| *id);
            if let Some((around, waiting)) = open.last_mut() {
                match &mut tree.nodes.get_mut(*around)?.kind {
                    Kind::List { items, .. } => items.push(id),
                    Kind::Mapping { entries, .. } => match waiting.take() {
                        Some(entry) => entries.push(Entry { value: id, ..entry }),
                        None => {
                            // Mappings and lists as keys are no manifests.
                            let Kind::Scalar { style, text } = &kind else {
                                return None;
                            };
                            *waiting = Some(Entry {
                                key: Some(text.clone()),
                                key_span: span,
                                is_quoted: *style == ScalarStyle::DoubleQuoted,
                                value: 0,
                            });
                            continue;
                        }
                    },
                    _ => return None,
                }
            }
            tree.nodes.push(Node {
                span,
                kind,
                depth,
                parent,
                anchor,
                is_tagged,
            });
            if opens {
                open.push((id, None));
            }
        }
        tree.is_json = match &tree.nodes.first()?.kind {
            Kind::Mapping { is_flow, entries } => {
                *is_flow && entries.first().is_some_and(|entry| entry.is_quoted)
            }
            _ => false,
        };
        Some(tree)
    }

    /// Where the last that is written in a flow collection ends; its own bracket is not known yet.
    fn last_end(&self, id: Id) -> Option<usize> {
        let node = self.get(id)?;
        let (key_end, last) = match &node.kind {
            Kind::Mapping { entries, .. } => match entries.last() {
                Some(last) => (last.key_span.end, Some(last.value)),
                None => (0, None),
            },
            Kind::List { items, .. } => (0, items.last().copied()),
            _ => return None,
        };
        let last_end = last.and_then(|id| self.get(id)).map_or(0, |n| n.span.end);
        // Of the parser's span only the beginning is the bracket: comments may follow in it.
        let open = node.span.start + 1;
        Some(open.max(key_end).max(last_end))
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Whether the text of a node stands for other places too.
    pub(crate) fn is_shared(&self, node: &Node) -> bool {
        matches!(node.kind, Kind::Alias) || (node.anchor > 0 && self.aliased.contains(&node.anchor))
    }

    /// The key of a node in the mapping around it.
    pub(crate) fn entry_of(&self, id: Id) -> Option<&Entry> {
        let around = self.get(self.get(id)?.parent?)?;
        match &around.kind {
            Kind::Mapping { entries, .. } => entries.iter().find(|entry| entry.value == id),
            _ => None,
        }
    }

    /// The first nested block mapping's distance from the key that it belongs to, in columns.
    pub(crate) fn indentation(&self, text: &str) -> usize {
        self.nodes
            .iter()
            .filter_map(|node| {
                let Kind::Mapping {
                    is_flow: false,
                    entries,
                } = &node.kind
                else {
                    return None;
                };
                let own = column(text, entries.first()?.key_span.start);
                entries.iter().find_map(|entry| {
                    let inner = match &self.get(entry.value)?.kind {
                        Kind::Mapping {
                            is_flow: false,
                            entries,
                        } => entries.first()?,
                        _ => return None,
                    };
                    column(text, inner.key_span.start).checked_sub(own)
                })
            })
            .find(|width| *width > 0)
            .unwrap_or(2)
    }
}

/// The bytes of a scalar: of one in quotes, up to the closing one.
fn unquoted(text: &str, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
    let Some(inside) = text.get(span.start + 1..span.end) else {
        return span;
    };
    let is_double = match style {
        ScalarStyle::DoubleQuoted => true,
        ScalarStyle::SingleQuoted => false,
        _ => return span,
    };
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let is_escape = match (c, is_double) {
            ('\\', true) => true,
            ('\'', false) => chars.peek().is_some_and(|(_, next)| *next == '\''),
            _ => false,
        };
        if is_escape {
            chars.next();
        } else if c == if is_double { '"' } else { '\'' } {
            return span.start..span.start + 1 + at + 1;
        }
    }
    span
}

/// The place after the closing bracket of a flow collection whose last entry ends at `from`.
fn closing(text: &str, from: usize, bracket: char) -> Option<usize> {
    let mut in_comment = false;
    for (at, c) in text.get(from..)?.char_indices() {
        match c {
            '\n' => in_comment = false,
            _ if in_comment => {}
            '#' => in_comment = true,
            // The colon is that of a key without a value.
            ',' | ':' | ' ' | '\t' | '\r' => {}
            _ if c == bracket => return Some(from + at + 1),
            _ => return None,
        }
    }
    None
}

/// How many bytes of its line come before a place.
pub(crate) fn column(text: &str, at: usize) -> usize {
    before(text, at).len()
}

/// What of its line comes before a place.
pub(crate) fn before(text: &str, at: usize) -> &str {
    let head = text.get(..at).unwrap_or_default();
    let start = head.rfind('\n').map_or(0, |newline| newline + 1);
    head.get(start..).unwrap_or_default()
}

/// The bytes at which the parser's characters stand.
struct Offsets {
    /// None if every character is one byte.
    bytes: Option<Vec<usize>>,
    length: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self {
            bytes,
            length: text.len(),
        }
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let of = |index: usize| match &self.bytes {
            None => index.min(self.length),
            Some(bytes) => bytes.get(index).copied().unwrap_or(self.length),
        };
        of(span.start.index())..of(span.end.index())
    }
}
