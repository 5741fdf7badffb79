//! YAML to values, from the parser's events.

use super::position::{self, Position, Positions, Step};
use super::split::Chunk;
use super::{DecodeError, Decoded, MAX_DEPTH, MAX_DUPLICATES, scalar};
use crate::{Map, Value};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

/// How many bytes (roughly) aliases may expand to.
const MAX_ALIASED: usize = 8 << 20;

/// Reads the first document of `text`, which is `chunk`'s or stands for it byte by byte; nothing
/// at all is null.
pub(super) fn parse(
    text: &str,
    chunk: &Chunk<'_>,
    positions: Option<&mut Positions>,
) -> Result<Decoded, DecodeError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        lines_before: chunk.lines_before,
        columns_before: chunk.columns_before,
        bytes: ByteCursor {
            text,
            is_ascii: text.is_ascii(),
            before: chunk.bytes_before,
            characters: 0,
            bytes: 0,
        },
        last_end: Marker::new(0, 1, 0),
        anchors: HashMap::new(),
        open_anchors: Vec::new(),
        aliased: 0,
        positions,
        path: Vec::new(),
        duplicates: Vec::new(),
        duplicate_lines: Vec::new(),
    };
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(Decoded::default()),
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (event, span) => {
                let place = reader.place(None, Step::Root, span, span);
                let value = reader.node(event, span, place, 0)?;
                reader.end(place);
                return Ok(reader.finish(value));
            }
        }
    }
}

struct Anchor {
    value: Value,
    size: usize,
}

/// Finds the bytes of characters. The parser counts characters and reads on, so that stepping
/// from the last place asked for costs no more than reading.
struct ByteCursor<'a> {
    text: &'a str,
    /// Whether characters are bytes.
    is_ascii: bool,
    before: usize,
    characters: usize,
    bytes: usize,
}

impl ByteCursor<'_> {
    /// The byte of the file at which the character stands that `characters` come before.
    fn of(&mut self, characters: usize) -> u32 {
        if self.is_ascii {
            let bytes = characters.min(self.text.len());
            return u32::try_from(self.before + bytes).unwrap_or(u32::MAX);
        }
        while self.characters < characters {
            let rest = self.text.get(self.bytes..).unwrap_or_default();
            let Some(next) = rest.chars().next() else {
                break;
            };
            self.bytes += next.len_utf8();
            self.characters += 1;
        }
        while self.characters > characters {
            let before = self.text.get(..self.bytes).unwrap_or_default();
            let Some(last) = before.chars().next_back() else {
                break;
            };
            self.bytes -= last.len_utf8();
            self.characters -= 1;
        }
        u32::try_from(self.before + self.bytes).unwrap_or(u32::MAX)
    }
}

struct Reader<'a, 'p> {
    parser: Parser<'a, StrInput<'a>>,
    lines_before: usize,
    columns_before: usize,
    bytes: ByteCursor<'a>,
    /// Where the last key or value ended.
    last_end: Marker,
    anchors: HashMap<usize, Anchor>,
    open_anchors: Vec<usize>,
    aliased: usize,
    positions: Option<&'p mut Positions>,
    path: Vec<Segment>,
    duplicates: Vec<String>,
    duplicate_lines: Vec<String>,
}

enum Segment {
    Key(String),
    Index(usize),
}

impl<'a> Reader<'a, '_> {
    fn next(&mut self) -> Result<(Event<'a>, Span), DecodeError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn finish(self, value: Value) -> Decoded {
        let mut strict_errors = Vec::new();
        if !self.duplicate_lines.is_empty() {
            strict_errors.push(format!(
                "yaml: unmarshal errors:\n  {}",
                self.duplicate_lines.join("\n  ")
            ));
        }
        Decoded {
            value,
            duplicates: self.duplicates,
            strict_errors,
        }
    }

    fn position(&self, at: Marker) -> Position {
        let before = if at.line() == 1 {
            self.columns_before
        } else {
            0
        };
        Position::new(at.line() + self.lines_before, at.col() + 1 + before)
    }

    fn span(&mut self, span: Span) -> position::Span {
        position::Span {
            start: self.position(span.start),
            end: self.position(span.end),
            first_byte: self.bytes.of(span.start.index()),
            end_byte: self.bytes.of(span.end.index()),
        }
    }

    fn syntax(&self, error: &ScanError) -> DecodeError {
        let at = self.position(*error.marker());
        DecodeError {
            text: format!("yaml: line {}: {}", at.line, error.info()),
            position: Some(at),
        }
    }

    fn error(&self, span: Span, text: impl Into<String>) -> DecodeError {
        DecodeError {
            text: text.into(),
            position: Some(self.position(span.start)),
        }
    }

    fn place(&mut self, parent: Option<u32>, step: Step, name: Span, value: Span) -> Option<u32> {
        self.positions.as_ref()?;
        let (name, value) = (self.span(name), self.span(value));
        self.positions.as_mut()?.add(parent, step, name, value)
    }

    /// Notes that the value at `place` was read.
    fn end(&mut self, place: Option<u32>) {
        let Some(place) = place else { return };
        let (end, end_byte) = (
            self.position(self.last_end),
            self.bytes.of(self.last_end.index()),
        );
        if let Some(positions) = self.positions.as_mut() {
            positions.end(place, end, end_byte);
        }
    }

    /// Notes that something that can be seen was read: the ends of block mappings and lists, and
    /// values that are not there, are empty.
    fn saw(&mut self, span: Span) {
        if span.start.index() < span.end.index() {
            self.last_end = span.end;
        }
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        place: Option<u32>,
        depth: usize,
    ) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(self.error(span, format!("yaml: exceeded max depth of {MAX_DEPTH}")));
        }
        self.saw(span);
        let (value, anchor) = match event {
            Event::Alias(id) => return self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar_value(text, style, tag.as_deref())
                    .map_err(|text| self.error(span, text))?;
                (value, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                self.open_anchors.push(anchor);
                let value = self.sequence(place, depth)?;
                self.open_anchors.pop();
                (value, anchor)
            }
            Event::MappingStart(anchor, _) => {
                self.open_anchors.push(anchor);
                let value = self.mapping(place, depth)?;
                self.open_anchors.pop();
                (value, anchor)
            }
            _ => return Err(self.error(span, "yaml: unexpected end of document")),
        };
        if anchor > 0 {
            let size = size(&value);
            self.spend(size, span)?;
            self.anchors.insert(
                anchor,
                Anchor {
                    value: value.clone(),
                    size,
                },
            );
        }
        Ok(value)
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Value, DecodeError> {
        if self.open_anchors.contains(&id) {
            return Err(self.error(span, "yaml: anchor value contains itself"));
        }
        let Some(size) = self.anchors.get(&id).map(|a| a.size) else {
            return Err(self.error(span, "yaml: unknown anchor referenced"));
        };
        self.spend(size, span)?;
        Ok(self
            .anchors
            .get(&id)
            .map(|a| a.value.clone())
            .unwrap_or_default())
    }

    fn spend(&mut self, size: usize, span: Span) -> Result<(), DecodeError> {
        self.aliased = self.aliased.saturating_add(size);
        if self.aliased > MAX_ALIASED {
            return Err(self.error(span, "yaml: document contains excessive aliasing"));
        }
        Ok(())
    }

    fn sequence(&mut self, place: Option<u32>, depth: usize) -> Result<Value, DecodeError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                self.saw(span);
                return Ok(Value::Array(items));
            }
            let index = items.len();
            let step = Step::Index(u32::try_from(index).unwrap_or(u32::MAX));
            let here = self.place(place, step, span, span);
            self.path.push(Segment::Index(index));
            items.push(self.node(event, span, here, depth + 1)?);
            self.end(here);
            self.path.pop();
        }
    }

    fn mapping(&mut self, place: Option<u32>, depth: usize) -> Result<Value, DecodeError> {
        let mut map = Map::new();
        let mut merged: Vec<Map> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            let is_merge = match &event {
                Event::MappingEnd => {
                    self.saw(key_span);
                    break;
                }
                Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
                _ => false,
            };
            let key = self
                .node(event, key_span, None, depth + 1)
                .and_then(|key| scalar::key(key).map_err(|text| self.error(key_span, text)))?;
            let (event, span) = self.next()?;
            let step = Step::Key(key.as_str().into());
            let here = self.place(place, step, key_span, span);
            self.path.push(Segment::Key(key));
            let value = self.node(event, span, here, depth + 1)?;
            self.end(here);
            let Some(Segment::Key(key)) = self.path.pop() else {
                continue;
            };
            if is_merge {
                self.merge(value, span, &mut merged)?;
                continue;
            }
            if map.contains_key(&key) {
                self.duplicate(&key, self.position(span.start));
            }
            map.insert(key, value);
        }
        // The mapping's own keys win over merged ones, and earlier ones of those over later ones.
        for source in merged {
            for (key, value) in source {
                map.entry(key).or_insert(value);
            }
        }
        Ok(Value::Object(map))
    }

    fn merge(&self, value: Value, span: Span, into: &mut Vec<Map>) -> Result<(), DecodeError> {
        let wrong = || {
            self.error(
                span,
                "yaml: map merge requires map or sequence of maps as the value",
            )
        };
        match value {
            Value::Object(map) => into.push(map),
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(map) => into.push(map),
                        _ => return Err(wrong()),
                    }
                }
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn duplicate(&mut self, key: &str, value_at: Position) {
        if self.duplicates.len() >= MAX_DUPLICATES {
            return;
        }
        let mut path = String::new();
        for segment in &self.path {
            match segment {
                Segment::Key(key) if path.is_empty() => path.push_str(key),
                // Writing to a String does not fail.
                Segment::Key(key) => {
                    let _ = write!(path, ".{key}");
                }
                Segment::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key);
        self.duplicates.push(path);
        self.duplicate_lines.push(format!(
            "line {}: key {key:?} already set in map",
            value_at.line
        ));
    }
}

fn scalar_value(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
) -> Result<Value, scalar::ScalarError> {
    let core = tag
        .filter(|t| t.is_yaml_core_schema() || t.handle == "!!")
        .map(|t| t.suffix.as_str());
    match (core, style) {
        (Some("str"), _) => Ok(Value::String(text.into_owned())),
        (Some("binary"), _) => binary(&text),
        (Some("null"), _) if text.is_empty() => Ok(Value::Null),
        (Some(kind @ ("bool" | "int" | "float" | "null")), _) => {
            let value = scalar::resolve(&text)?;
            let fits = match kind {
                "bool" => value.is_boolean(),
                "null" => value.is_null(),
                "int" => value.is_i64() || value.is_u64(),
                _ => value.is_number(),
            };
            if fits {
                Ok(value)
            } else {
                Err(format!("yaml: cannot decode !!str `{text}` as a !!{kind}"))
            }
        }
        (None, ScalarStyle::Plain) if tag.is_none() => scalar::resolve(&text),
        _ => Ok(Value::String(text.into_owned())),
    }
}

fn binary(text: &str) -> Result<Value, scalar::ScalarError> {
    use base64::Engine;
    let packed: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    base64::engine::general_purpose::STANDARD
        .decode(packed)
        .map(|bytes| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
        .map_err(|_| "yaml: !!binary value contains invalid base64 data".to_owned())
}

/// Roughly the memory that a value takes.
fn size(value: &Value) -> usize {
    const NODE: usize = 32;
    NODE + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(k, v)| k.len() + NODE + size(v)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
