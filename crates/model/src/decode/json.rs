//! JSON as Go's decoder reads it.

use super::{DecodeError, Decoded, MAX_DEPTH, MAX_DUPLICATES, scalar};
use crate::{Map, Value};
use serde_json::Number;
use std::fmt::Write;

/// How numbers with a fraction or an exponent are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fractions {
    /// As they stand: `1.0` is no whole number.
    Kept,
    /// As YAML reads them: `1.0` is 1.
    Dropped,
}

/// Reads one document and nothing after it but white space.
pub(super) fn parse(text: &str, fractions: Fractions) -> Result<Decoded, DecodeError> {
    let mut parser = Parser {
        fractions,
        text,
        bytes: text.as_bytes(),
        at: 0,
        duplicates: Vec::new(),
    };
    parser.space();
    let value = parser.value(0)?;
    parser.space();
    if let Some(byte) = parser.peek() {
        return Err(unexpected(byte, "after top-level value"));
    }
    let duplicates: Vec<String> = parser.duplicates.iter().map(|d| path(d)).collect();
    Ok(Decoded {
        value,
        strict_errors: duplicates
            .iter()
            .map(|path| format!("duplicate field \"{path}\""))
            .collect(),
        duplicates,
    })
}

enum Step {
    Key(String),
    Index(usize),
}

/// A path from its steps, innermost first.
fn path(steps: &[Step]) -> String {
    let mut out = String::new();
    for step in steps.iter().rev() {
        match step {
            Step::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Step::Index(index) => {
                // Writing to a String does not fail.
                let _ = write!(out, "[{index}]");
            }
        }
    }
    out
}

struct Parser<'a> {
    fractions: Fractions,
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Paths of repeated fields, innermost step first: they grow while the parser returns from
    /// them, so that documents without repetitions cost nothing.
    duplicates: Vec<Vec<Step>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        match self.peek() {
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => {
                self.at += 1;
                self.string().map(Value::String)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            other => Err(fault(other, "looking for beginning of value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::new("exceeded max depth"));
        }
        self.at += 1;
        let mut map = Map::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            match self.peek() {
                Some(b'"') => self.at += 1,
                other => return Err(fault(other, "looking for beginning of object key string")),
            }
            let key = self.string()?;
            self.space();
            match self.peek() {
                Some(b':') => self.at += 1,
                other => return Err(fault(other, "after object key")),
            }
            self.space();
            let known = self.duplicates.len();
            let value = self.value(depth)?;
            for path in self.duplicates.iter_mut().skip(known) {
                path.push(Step::Key(key.clone()));
            }
            match map.entry(key) {
                serde_json::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                serde_json::map::Entry::Occupied(mut place) => {
                    if self.duplicates.len() < MAX_DUPLICATES {
                        self.duplicates.push(vec![Step::Key(place.key().clone())]);
                    }
                    place.insert(value);
                }
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Value::Object(map));
                }
                other => return Err(fault(other, "after object key:value pair")),
            }
            self.space();
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::new("exceeded max depth"));
        }
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            let known = self.duplicates.len();
            items.push(self.value(depth)?);
            for path in self.duplicates.iter_mut().skip(known) {
                path.push(Step::Index(items.len() - 1));
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::Array(items));
                }
                other => return Err(fault(other, "after array element")),
            }
            self.space();
        }
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, DecodeError> {
        for expected in word.bytes() {
            match self.peek() {
                Some(byte) if byte == expected => self.at += 1,
                other => {
                    let context =
                        format!("in literal {word} (expecting '{}')", char::from(expected));
                    return Err(fault(other, &context));
                }
            }
        }
        Ok(value)
    }

    /// The rest of a string whose opening quote was read.
    fn string(&mut self) -> Result<String, DecodeError> {
        let mut out = String::new();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let Some(plain) = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f))
            else {
                return Err(DecodeError::new("unexpected end of JSON input"));
            };
            let end = self.at + plain;
            // Both ends are at ASCII bytes and so at character boundaries.
            let piece = self.text.get(self.at..end).unwrap_or_default();
            self.at = end + 1;
            match self.bytes.get(end) {
                Some(b'"') if out.is_empty() => return Ok(piece.to_owned()),
                Some(b'"') => {
                    out.push_str(piece);
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(piece);
                    out.push(self.escape()?);
                }
                other => return Err(fault(other.copied(), "in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, DecodeError> {
        let byte = self.peek();
        self.at += 1;
        Ok(match byte {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.hex()?;
                if (0xd800..0xdc00).contains(&first)
                    && self.bytes.get(self.at..self.at + 2) == Some(b"\\u")
                {
                    let back = self.at;
                    self.at += 2;
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = back;
                }
                // Half of a surrogate pair stands for nothing.
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => return Err(fault(other, "in string escape code")),
        })
    }

    fn hex(&mut self) -> Result<u32, DecodeError> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.peek();
            let Some(digit) = byte.and_then(|b| char::from(b).to_digit(16)) else {
                return Err(fault(byte, "in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    fn digits(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        self.at > start
    }

    fn number(&mut self) -> Result<Value, DecodeError> {
        let start = self.at;
        let mut whole = true;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => {
                self.digits();
            }
            other => return Err(fault(other, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            if !self.digits() {
                return Err(fault(self.peek(), "after decimal point in numeric literal"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            whole = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !self.digits() {
                return Err(fault(self.peek(), "in exponent of numeric literal"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if whole {
            if let Ok(number) = text.parse::<i64>() {
                return Ok(number.into());
            }
            if let Ok(number) = text.parse::<u64>() {
                return Ok(number.into());
            }
        }
        let number: Option<f64> = text.parse().ok();
        number
            .and_then(|number| match self.fractions {
                Fractions::Kept => Number::from_f64(number).map(Value::Number),
                Fractions::Dropped => scalar::whole_or_float(number),
            })
            .ok_or_else(|| {
                DecodeError::new(format!(
                    "json: cannot unmarshal number {text} into Go value of type float64"
                ))
            })
    }
}

/// What Go says of a byte that may not stand where it stands.
fn fault(byte: Option<u8>, context: &str) -> DecodeError {
    match byte {
        Some(byte) => unexpected(byte, context),
        None => DecodeError::new("unexpected end of JSON input"),
    }
}

fn unexpected(byte: u8, context: &str) -> DecodeError {
    let quoted = match byte {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0..=0x1f | 0x7f => format!("'\\x{byte:02x}'"),
        0x80..=0x9f => format!("'\\u00{byte:02x}'"),
        other => format!("'{}'", char::from(other)),
    };
    DecodeError::new(format!("invalid character {quoted} {context}"))
}
