//! YAML to values, from the parser's events.

use super::position::{Position, Positions, Step};
use super::split::Chunk;
use super::{DecodeError, Decoded, MAX_DEPTH, MAX_DUPLICATES, scalar};
use crate::{Map, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;

/// How many bytes (roughly) aliases may expand to.
const MAX_ALIASED: usize = 8 << 20;

/// Reads the first document of `chunk`; nothing at all is null.
pub(super) fn parse(
    chunk: &Chunk<'_>,
    positions: Option<&mut Positions>,
) -> Result<Decoded, DecodeError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(chunk.text),
        lines_before: chunk.lines_before,
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
                let at = reader.position(span);
                let place = reader.place(None, Step::Root, at, at);
                let value = reader.node(event, span, place, 0)?;
                return Ok(reader.finish(value));
            }
        }
    }
}

struct Anchor {
    value: Value,
    size: usize,
}

struct Reader<'a, 'p> {
    parser: Parser<'a, StrInput<'a>>,
    lines_before: usize,
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

    fn position(&self, span: Span) -> Position {
        let line = span.start.line() + self.lines_before;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(span.start.col() + 1).unwrap_or(u32::MAX),
        }
    }

    fn syntax(&self, error: &ScanError) -> DecodeError {
        let at = self.position(Span::empty(*error.marker()));
        DecodeError {
            text: format!("yaml: line {}: {}", at.line, error.info()),
            position: Some(at),
        }
    }

    fn error(&self, span: Span, text: impl Into<String>) -> DecodeError {
        DecodeError {
            text: text.into(),
            position: Some(self.position(span)),
        }
    }

    fn place(
        &mut self,
        parent: Option<u32>,
        step: Step,
        name: Position,
        value: Position,
    ) -> Option<u32> {
        self.positions.as_mut()?.add(parent, step, name, value)
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
                return Ok(Value::Array(items));
            }
            let at = self.position(span);
            let index = items.len();
            let step = Step::Index(u32::try_from(index).unwrap_or(u32::MAX));
            let here = self.place(place, step, at, at);
            self.path.push(Segment::Index(index));
            items.push(self.node(event, span, here, depth + 1)?);
            self.path.pop();
        }
    }

    fn mapping(&mut self, place: Option<u32>, depth: usize) -> Result<Value, DecodeError> {
        let mut map = Map::new();
        let mut merged: Vec<Map> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            let is_merge = match &event {
                Event::MappingEnd => break,
                Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
                _ => false,
            };
            let key_at = self.position(key_span);
            let key = self
                .node(event, key_span, None, depth + 1)
                .and_then(|key| scalar::key(key).map_err(|text| self.error(key_span, text)))?;
            let (event, span) = self.next()?;
            let at = self.position(span);
            let step = Step::Key(key.as_str().into());
            let here = self.place(place, step, key_at, at);
            self.path.push(Segment::Key(key));
            let value = self.node(event, span, here, depth + 1)?;
            let Some(Segment::Key(key)) = self.path.pop() else {
                continue;
            };
            if is_merge {
                self.merge(value, span, &mut merged)?;
                continue;
            }
            if map.contains_key(&key) {
                self.duplicate(&key, at);
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
