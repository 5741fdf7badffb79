//! Edits of texts in random layouts: what they must not change stays, byte for byte, and what they
//! change is what was meant.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use manifest_edit::{Change, Edit, Group, Step, apply};
use model::decode::documents;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// A value, with how each part of it is written.
#[derive(Debug, Clone)]
enum Node {
    Scalar(Value, Scalar),
    Map(Vec<(String, Key, Note, Node)>, Style),
    List(Vec<(Note, Node)>, Style),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Block,
    /// Lists that stand as far in as their key.
    Flush,
    Flow,
    /// Flow style over several lines.
    Open,
}

#[derive(Debug, Clone, Copy)]
enum Scalar {
    Plain,
    Single,
    Double,
    Literal(&'static str),
    Absent,
}

#[derive(Debug, Clone, Copy)]
enum Key {
    Plain,
    Double,
}

/// A comment before an entry, and one after it.
#[derive(Debug, Clone, Copy)]
struct Note {
    before: bool,
    after: bool,
    blank: bool,
}

#[derive(Debug, Clone, Copy)]
struct Layout {
    width: usize,
    end: &'static str,
    last_end: bool,
}

fn note() -> impl Strategy<Value = Note> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(before, after, blank)| Note {
        before,
        after,
        blank,
    })
}

fn scalar() -> impl Strategy<Value = Node> {
    let text = select(vec!["a", "x y", "é…", "it's", "a#b", "10Mi", "*q"]);
    prop_oneof![
        (text.clone(), select(vec![Scalar::Single, Scalar::Double]))
            .prop_map(|(text, style)| Node::Scalar(text.into(), style)),
        select(vec!["a", "a/b:c", "x y"]).prop_map(|t| Node::Scalar(t.into(), Scalar::Plain)),
        select(vec![json!(1), json!(true), json!(null), json!(-2.5)])
            .prop_map(|value| Node::Scalar(value, Scalar::Plain)),
        (
            select(vec!["a\n", "a\nb c\n", "# no comment\n"]),
            select(vec!["|", ">-", "|+", "|-"])
        )
            .prop_map(|(text, head)| {
                // What the header makes of the text is asked of the parser.
                Node::Scalar(text.into(), Scalar::Literal(head))
            }),
        Just(Node::Scalar(Value::Null, Scalar::Absent)),
    ]
}

fn node() -> impl Strategy<Value = Node> {
    let style = || {
        select(vec![
            Style::Block,
            Style::Block,
            Style::Flush,
            Style::Flow,
            Style::Open,
        ])
    };
    scalar().prop_recursive(4, 40, 4, move |inner| {
        let key = (
            select(vec!["a", "b", "spec", "x.y/z", "drop"]),
            select(vec![Key::Plain, Key::Plain, Key::Double]),
        );
        let entry = (key, note(), inner.clone())
            .prop_map(|((name, key), note, node)| (name.to_owned(), key, note, node));
        prop_oneof![
            (proptest::collection::vec(entry, 0..4), style()).prop_map(|(mut entries, style)| {
                let mut seen = std::collections::BTreeSet::new();
                entries.retain(|(name, ..)| seen.insert(name.clone()));
                Node::Map(entries, style)
            }),
            (proptest::collection::vec((note(), inner), 0..4), style())
                .prop_map(|(items, style)| Node::List(items, style)),
        ]
    })
}

fn key(name: &str, key: Key) -> String {
    match key {
        Key::Plain => name.to_owned(),
        Key::Double => Value::from(name).to_string(),
    }
}

impl Node {
    fn is_block(&self) -> bool {
        match self {
            Self::Map(entries, style) => {
                matches!(style, Style::Block | Style::Flush) && !entries.is_empty()
            }
            Self::List(items, style) => {
                matches!(style, Style::Block | Style::Flush) && !items.is_empty()
            }
            Self::Scalar(_, Scalar::Literal(_)) => true,
            Self::Scalar(..) => false,
        }
    }

    fn inline(&self, at: usize, layout: Layout, text: &mut String) {
        let open = |style: &Style, is_empty: bool| *style == Style::Open && !is_empty;
        match self {
            Self::Scalar(value, style) => match (value, style) {
                (Value::String(text_), Scalar::Single) => {
                    text.push_str(&format!("'{}'", text_.replace('\'', "''")));
                }
                (Value::String(plain), Scalar::Plain) => text.push_str(plain),
                (Value::String(_), _) => text.push_str(&value.to_string()),
                (Value::Null, Scalar::Absent) => text.push_str("null"),
                _ => text.push_str(&value.to_string()),
            },
            Self::Map(entries, style) => {
                let is_open = open(style, entries.is_empty());
                text.push('{');
                for (n, (name, how, note, node)) in entries.iter().enumerate() {
                    gap(n, is_open, at + layout.width, layout, text);
                    text.push_str(&format!("{}: ", key(name, *how)));
                    node.inline(at + layout.width, layout, text);
                    if n + 1 < entries.len() {
                        text.push(',');
                    }
                    if is_open && note.after {
                        text.push_str(" # after");
                    }
                }
                close(is_open, at, layout, text);
                text.push('}');
            }
            Self::List(items, style) => {
                let is_open = open(style, items.is_empty());
                text.push('[');
                for (n, (note, node)) in items.iter().enumerate() {
                    gap(n, is_open, at + layout.width, layout, text);
                    node.inline(at + layout.width, layout, text);
                    if n + 1 < items.len() {
                        text.push(',');
                    }
                    if is_open && note.after {
                        text.push_str(" # after");
                    }
                }
                close(is_open, at, layout, text);
                text.push(']');
            }
        }
    }

    /// In block style, from the beginning of a line at `at`; `started` if the line holds the dash
    /// of a list before it.
    fn block(&self, at: usize, mut started: bool, layout: Layout, text: &mut String) {
        let pad = " ".repeat(at);
        match self {
            Self::Map(entries, _) => {
                for (name, how, note, node) in entries {
                    if !std::mem::take(&mut started) {
                        lead(*note, at, layout, text);
                        text.push_str(&pad);
                    }
                    text.push_str(&format!("{}:", key(name, *how)));
                    node.after_key(at, *note, layout, text);
                }
            }
            Self::List(items, _) => {
                for (note, node) in items {
                    if !std::mem::take(&mut started) {
                        lead(*note, at, layout, text);
                        text.push_str(&pad);
                    }
                    text.push('-');
                    match node {
                        Self::Map(..) | Self::List(..) if node.is_block() => {
                            text.push(' ');
                            node.block(at + 2, true, layout, text);
                        }
                        other => other.after_key(at, *note, layout, text),
                    }
                }
            }
            Self::Scalar(..) => {}
        }
    }

    fn after_key(&self, at: usize, note: Note, layout: Layout, text: &mut String) {
        match self {
            Self::Scalar(Value::String(content), Scalar::Literal(head)) => {
                text.push_str(&format!(" {head}{}", layout.end));
                for line in content.lines() {
                    let pad = " ".repeat(at + layout.width);
                    text.push_str(&format!("{pad}{line}{}", layout.end));
                }
                if note.blank {
                    text.push_str(layout.end);
                }
            }
            Self::Map(..) | Self::List(..) if self.is_block() => {
                trail(note, layout, text);
                let inner = match self {
                    Self::List(_, Style::Flush) => at,
                    _ => at + layout.width,
                };
                self.block(inner, false, layout, text);
            }
            Self::Scalar(_, Scalar::Absent) => trail(note, layout, text),
            other => {
                text.push(' ');
                other.inline(at, layout, text);
                trail(note, layout, text);
            }
        }
    }
}

fn gap(n: usize, is_open: bool, at: usize, layout: Layout, text: &mut String) {
    if is_open {
        text.push_str(&format!("{}{}", layout.end, " ".repeat(at)));
    } else if n > 0 {
        text.push(' ');
    }
}

fn close(is_open: bool, at: usize, layout: Layout, text: &mut String) {
    if is_open {
        // Of a document in flow style too, lines are indented: it is no matter which.
        text.push_str(&format!("{}{}", layout.end, " ".repeat(at.max(1))));
    }
}

fn lead(note: Note, at: usize, layout: Layout, text: &mut String) {
    if note.blank {
        text.push_str(layout.end);
    }
    if note.before {
        text.push_str(&format!("{}# before{}", " ".repeat(at), layout.end));
    }
}

fn trail(note: Note, layout: Layout, text: &mut String) {
    if note.after {
        text.push_str("  # after");
    }
    text.push_str(layout.end);
}

fn written(node: &Node, layout: Layout) -> String {
    let mut text = String::new();
    if node.is_block() {
        node.block(0, false, layout, &mut text);
    } else {
        node.inline(0, layout, &mut text);
        text.push_str(layout.end);
    }
    if !layout.last_end {
        while text.ends_with(['\n', '\r']) {
            text.pop();
        }
    }
    text
}

/// Every path of a value.
fn paths(value: &Value, here: &mut Vec<Step>, all: &mut Vec<Vec<Step>>) {
    all.push(here.clone());
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                here.push(key.as_str().into());
                paths(value, here, all);
                here.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                here.push(index.into());
                paths(value, here, all);
                here.pop();
            }
        }
        _ => {}
    }
}

fn at<'v>(value: &'v mut Value, path: &[Step]) -> &'v mut Value {
    path.iter().fold(value, |here, step| match step {
        Step::Key(key) => here.get_mut(key.as_str()).expect("there"),
        Step::Index(index) => here.get_mut(*index).expect("there"),
    })
}

/// Whether the characters of `old` stand in `new` in their order: nothing was taken away.
fn is_kept(old: &str, new: &str) -> bool {
    let mut rest = new.chars();
    old.chars().all(|c| rest.any(|other| other == c))
}

fn read(text: &str) -> Option<Value> {
    let mut all = documents(text.as_bytes());
    let first = all.next()?.ok()?;
    all.next().is_none().then_some(first.decoded.value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn edits_change_what_they_say_and_nothing_else(
        node in node(),
        width in select(vec![2_usize, 4]),
        end in select(vec!["\n", "\r\n"]),
        last_end in any::<bool>(),
        choice in any::<proptest::sample::Index>(),
        new in select(vec![json!(false), json!("v/1"), json!({"type": "R"}), json!(["A"])]),
    ) {
        let text = written(&node, Layout { width, end, last_end });
        let Some(value) = read(&text) else {
            return Ok(());
        };
        let mut all = Vec::new();
        paths(&value, &mut Vec::new(), &mut all);
        let path = choice.get(&all).clone();
        let mut expected = value.clone();
        let target = at(&mut expected, &path);
        let is_null = target.is_null();
        let ends_in_null = target.as_array().and_then(|t| t.last()).is_some_and(Value::is_null);
        let (path, change) = match target {
            Value::Object(map) => {
                map.insert("new".to_owned(), json!({"deep": new}));
                let path = [path, vec!["new".into(), "deep".into()]].concat();
                (path, Change::Set(new))
            }
            Value::Array(items) => {
                items.push(new.clone());
                (path, Change::Append(new))
            }
            Value::Null if !path.is_empty() => {
                let map = Map::from_iter([("new".to_owned(), new.clone())]);
                *target = Value::Object(map);
                ([path, vec!["new".into()]].concat(), Change::Set(new))
            }
            _ => return Ok(()),
        };
        let group = Group { document: 0, edits: vec![Edit { path, change }] };
        // Two documents, so that one that is edited has neighbours.
        let head = "# head\n---\nother: [1] # stays\n---\n".replace('\n', end);
        let file = format!("{head}{text}");
        let group = Group { document: 1, ..group };
        let outcome = apply(file.as_bytes(), std::slice::from_ref(&group));
        let edited = String::from_utf8(outcome.text).expect("UTF-8");
        if !outcome.refused.is_empty() {
            prop_assert_eq!(&edited, &file);
            // Only around nulls there are layouts that are refused.
            prop_assert!(is_null || ends_in_null, "{:?} of\n{}", outcome.refused, text);
            return Ok(());
        }
        let tail = edited.strip_prefix(&*head);
        let tail = tail.expect("what stands before stays");
        prop_assert_eq!(read(tail), Some(expected), "{}", edited);
        let replaces_null = is_null && text.contains("null");
        prop_assert!(replaces_null || is_kept(&file, &edited), "{}\nbecame\n{}", file, edited);
        prop_assert_eq!(
            file.matches('#').count(),
            edited.matches('#').count()
        );
        // Line ends are those that there were.
        if end == "\r\n" {
            let lone = tail.matches('\n').count() - tail.matches("\r\n").count();
            prop_assert_eq!(lone, 0);
        }
        // Setting what is there changes nothing.
        if matches!(group.edits[0].change, Change::Set(_)) {
            let again = apply(edited.as_bytes(), &[group]);
            prop_assert_eq!(again.text, edited.as_bytes());
            prop_assert!(again.refused.is_empty());
        }
    }

    #[test]
    fn no_text_makes_it_panic(
        text in "[ \\-a-c:{}\\[\\],#&*!|>'\"\n\t\r?<~%é]{0,60}",
        choice in any::<proptest::sample::Index>(),
    ) {
        let Some(value) = read(&text) else {
            return Ok(());
        };
        let mut all = Vec::new();
        paths(&value, &mut Vec::new(), &mut all);
        let path = choice.get(&all).clone();
        for change in [Change::Set(json!({"x": 1})), Change::Append(json!("A"))] {
            for more in [vec![], vec!["k".into()]] {
                let path = [path.clone(), more].concat();
                let edits = vec![Edit { path, change: change.clone() }];
                let outcome = apply(text.as_bytes(), &[Group { document: 0, edits }]);
                if !outcome.refused.is_empty() {
                    prop_assert_eq!(&outcome.text, text.as_bytes());
                }
            }
        }
    }
}
