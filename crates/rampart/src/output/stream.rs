//! Long answers, written while they are made: what is held of them at any time does not grow with
//! them.

use super::yaml;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::io::{self, Write};
use std::marker::PhantomData;
use std::num::NonZero;
use std::sync::mpsc;

/// How many items of a list one thread renders at a time.
const PIECE: usize = 64;

/// What lines begin with, as far as it is written at once.
const MARGIN: [u8; 32] = [b' '; 32];

/// How many rendered pieces of a thread wait to be written.
const AHEAD: usize = 2;

/// Where a long answer goes.
pub(crate) struct Sink<'o> {
    out: &'o mut dyn Write,
    threads: usize,
}

impl<'o> Sink<'o> {
    /// Writes to `out` what as many threads as there are processors render.
    pub(crate) fn new(out: &'o mut dyn Write) -> Self {
        Self {
            out,
            threads: std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }

    /// Writes a text.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Writes every item of a list, in their order; `render` is given the item's index too and
    /// adds to what was rendered before.
    pub(crate) fn each<T: Sync>(
        &mut self,
        items: &[T],
        render: impl Fn(usize, &T, &mut Vec<u8>) -> io::Result<()> + Sync,
    ) -> io::Result<()> {
        let piece = |piece: usize| -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let first = piece * PIECE;
            let items = items.iter().enumerate().skip(first).take(PIECE);
            for (index, item) in items {
                render(index, item, &mut bytes)?;
            }
            Ok(bytes)
        };
        let pieces = items.len().div_ceil(PIECE);
        let threads = self.threads.min(pieces);
        if threads < 2 {
            return (0..pieces).try_for_each(|index| self.out.write_all(&piece(index)?));
        }
        let piece = &piece;
        std::thread::scope(|scope| {
            // The threads take turns, so that their pieces come in order. When writing fails the
            // receivers go, and with them the threads.
            let turns: Vec<mpsc::Receiver<io::Result<Vec<u8>>>> = (0..threads)
                .map(|thread| {
                    let (send, receive) = mpsc::sync_channel(AHEAD);
                    scope.spawn(move || {
                        for index in (thread..pieces).step_by(threads) {
                            if send.send(piece(index)).is_err() {
                                return;
                            }
                        }
                    });
                    receive
                })
                .collect();
            for (_, turn) in (0..pieces).zip(turns.iter().cycle()) {
                // A thread that ends early has panicked, which the scope passes on.
                let Ok(rendered) = turn.recv() else { break };
                self.out.write_all(&rendered?)?;
            }
            Ok(())
        })
    }
}

/// A part of a document, of which lists are rendered one item at a time.
pub(crate) enum Part<'d> {
    /// A value that is small enough to be there as a whole.
    Value(Value),
    /// An object, its fields in their order.
    Object(Vec<(&'static str, Part<'d>)>),
    /// A list of a few parts.
    Array(Vec<Part<'d>>),
    /// A long list.
    List(Box<dyn List + 'd>),
}

impl<'d> Part<'d> {
    /// A long list.
    pub(crate) fn list<T: Serialize + Sync>(items: &'d [T]) -> Self {
        Self::List(Box::new(items))
    }

    /// A long list of what `as_item` makes of each member of a vector or slice.
    pub(crate) fn mapped<I: AsRef<[T]> + 'd, T: Sync + 'd, S: Serialize + 'd>(
        items: I,
        as_item: impl Fn(&T) -> S + Sync + 'd,
    ) -> Self {
        Self::List(Box::new(Mapped {
            items,
            as_item,
            of: PhantomData,
        }))
    }
}

impl<V: Into<Value>> From<V> for Part<'_> {
    fn from(value: V) -> Self {
        Self::Value(value.into())
    }
}

/// A list whose items can be rendered.
pub(crate) trait List {
    /// Whether there are no items.
    fn is_empty(&self) -> bool;
    /// Writes the items as JSON, each `depth` deep in the document.
    fn json(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()>;
    /// Writes the items as YAML.
    fn yaml(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()>;
}

struct Mapped<I, T, F> {
    items: I,
    as_item: F,
    of: PhantomData<T>,
}

impl<I: AsRef<[T]>, T: Sync, S: Serialize, F: Fn(&T) -> S + Sync> List for Mapped<I, T, F> {
    fn is_empty(&self) -> bool {
        self.items.as_ref().is_empty()
    }

    fn json(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()> {
        let as_item = &self.as_item;
        sink.each(self.items.as_ref(), |index, item, out| {
            json_item(index, &as_item(item), depth, out)
        })
    }

    fn yaml(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()> {
        let as_item = &self.as_item;
        sink.each(self.items.as_ref(), |_, item, out| {
            yaml_item(&as_item(item), depth, out)
        })
    }
}

impl<T: Serialize + Sync> List for &[T] {
    fn is_empty(&self) -> bool {
        <[T]>::is_empty(self)
    }

    fn json(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()> {
        sink.each(self, |index, item, out| json_item(index, item, depth, out))
    }

    fn yaml(&self, depth: usize, sink: &mut Sink<'_>) -> io::Result<()> {
        sink.each(self, |_, item, out| yaml_item(item, depth, out))
    }
}

fn json_item<T: Serialize>(
    index: usize,
    item: &T,
    depth: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    out.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
    indent(depth, out)?;
    json_value(item, depth, out)
}

fn yaml_item<T: Serialize>(item: &T, depth: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let value = serde_json::to_value(item)?;
    out.extend_from_slice(yaml::item(&value, depth).as_bytes());
    Ok(())
}

/// A value as `serde_json` writes it for people, `depth` deep in a document.
fn json_value<T: Serialize + ?Sized>(value: &T, depth: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let indented = Indented {
        depth,
        is_empty: true,
    };
    value.serialize(&mut Serializer::with_formatter(out, indented))?;
    Ok(())
}

/// Writes a document as JSON, in the form of `serde_json::to_string_pretty`.
pub(super) fn json(document: &Part<'_>, depth: usize, sink: &mut Sink<'_>) -> io::Result<()> {
    let margin = "  ".repeat(depth);
    match document {
        Part::Value(value) => {
            let mut out = Vec::new();
            json_value(value, depth, &mut out)?;
            sink.out.write_all(&out)
        }
        Part::Object(fields) if fields.is_empty() => sink.text("{}"),
        Part::Object(fields) => {
            let mut before = "{";
            for (name, part) in fields {
                sink.text(&format!("{before}\n{margin}  \"{name}\": "))?;
                json(part, depth + 1, sink)?;
                before = ",";
            }
            sink.text(&format!("\n{margin}}}"))
        }
        Part::Array(parts) if parts.is_empty() => sink.text("[]"),
        Part::Array(parts) => {
            let mut before = "[";
            for part in parts {
                sink.text(&format!("{before}\n{margin}  "))?;
                json(part, depth + 1, sink)?;
                before = ",";
            }
            sink.text(&format!("\n{margin}]"))
        }
        Part::List(list) if list.is_empty() => sink.text("[]"),
        Part::List(list) => {
            sink.text("[")?;
            list.json(depth + 1, sink)?;
            sink.text(&format!("\n{margin}]"))
        }
    }
}

/// Writes the fields of a document as YAML. Lists stand only in the document itself.
pub(super) fn yaml(fields: &[(&'static str, Part<'_>)], sink: &mut Sink<'_>) -> io::Result<()> {
    for (name, part) in fields {
        match part {
            Part::List(list) if !list.is_empty() => {
                sink.text(&format!("{name}:\n"))?;
                list.yaml(0, sink)?;
            }
            Part::Value(value) => sink.text(&yaml::field(name, value))?,
            Part::Object(_) | Part::Array(_) | Part::List(_) => {
                let mut whole = Vec::new();
                json(part, 0, &mut Sink::new(&mut whole))?;
                let value: Value = serde_json::from_slice(&whole)?;
                sink.text(&yaml::field(name, &value))?;
            }
        }
    }
    Ok(())
}

fn indent<W: ?Sized + Write>(depth: usize, out: &mut W) -> io::Result<()> {
    let mut left = depth.saturating_mul(2);
    while left > 0 {
        let margin = MARGIN.get(..left).unwrap_or(&MARGIN);
        out.write_all(margin)?;
        left -= margin.len();
    }
    Ok(())
}

/// `serde_json`'s form for people, begun somewhere inside of a document.
struct Indented {
    depth: usize,
    /// Whether nothing was written yet into the array or object that was begun last.
    is_empty: bool,
}

impl Indented {
    fn begin<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.is_empty = true;
        out.write_all(bracket)
    }

    fn end<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth = self.depth.saturating_sub(1);
        if !self.is_empty {
            out.write_all(b"\n")?;
            indent(self.depth, out)?;
        }
        self.is_empty = false;
        out.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"\n" } else { b",\n" })?;
        indent(self.depth, out)
    }
}

impl Formatter for Indented {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.begin(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.end(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.is_empty = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn items(count: usize) -> Vec<Value> {
        (0..count)
            .map(|n| json!({"n": n, "deep": [{"a": []}, {}, [1, "x\n"]], "none": null}))
            .collect()
    }

    #[test]
    fn it_is_what_a_whole_value_would_be() {
        for count in [0, 1, PIECE, PIECE * 7 + 3] {
            for threads in [1, 2, 5] {
                let items = items(count);
                let part = || {
                    Part::Object(vec![
                        ("empty", Part::Object(Vec::new())),
                        ("items", Part::list(&items)),
                        (
                            "runs",
                            Part::Array(vec![Part::mapped(&items, Value::clone)]),
                        ),
                        ("version", "v1".into()),
                    ])
                };
                let value = json!({
                    "empty": {},
                    "items": items,
                    "runs": [items],
                    "version": "v1",
                });
                let mut out = Vec::new();
                let mut sink = Sink {
                    out: &mut out,
                    threads,
                };
                json(&part(), 0, &mut sink).unwrap();
                let whole = serde_json::to_string_pretty(&value).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), whole);
                let mut out = Vec::new();
                let mut sink = Sink {
                    out: &mut out,
                    threads,
                };
                let Part::Object(fields) = part() else {
                    panic!("an object");
                };
                yaml(&fields, &mut sink).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), yaml::render(&value));
            }
        }
    }

    #[test]
    fn writing_ends_when_nobody_reads() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 = self
                    .0
                    .checked_sub(1)
                    .ok_or(io::Error::from(io::ErrorKind::BrokenPipe))?;
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let items = items(PIECE * 50);
        let mut out = Closed(4);
        let mut sink = Sink {
            out: &mut out,
            threads: 3,
        };
        let result = json(&Part::list(&items), 0, &mut sink);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
