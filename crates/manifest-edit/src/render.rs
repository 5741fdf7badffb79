//! Values as text.

use model::Value;
use model::decode::{Format, decode};
use saphyr_parser::ScalarStyle;

/// How values are written in flow style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flow {
    /// Keys and texts in double quotes.
    pub(crate) is_json: bool,
    /// A space after colons and commas.
    pub(crate) is_spaced: bool,
}

impl Flow {
    /// As people write flow style in YAML.
    pub(crate) const YAML: Self = Self {
        is_json: false,
        is_spaced: true,
    };

    fn space(self) -> &'static str {
        if self.is_spaced { " " } else { "" }
    }

    /// A value on one line.
    pub(crate) fn value(self, value: &Value) -> String {
        let separator = format!(",{}", self.space());
        match value {
            Value::Object(map) => {
                let entries: Vec<String> = map.iter().map(|(k, v)| self.entry(k, v)).collect();
                format!("{{{}}}", entries.join(&separator))
            }
            Value::Array(items) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item)).collect();
                format!("[{}]", items.join(&separator))
            }
            Value::String(text) => self.text(text),
            other => other.to_string(),
        }
    }

    /// A key with its value on one line.
    pub(crate) fn entry(self, key: &str, value: &Value) -> String {
        // Without a space, only a quoted key ends at its colon.
        let space = if self.is_json { self.space() } else { " " };
        format!("{}:{space}{}", self.text(key), self.value(value))
    }

    /// A key with its value, mappings over several lines; the first line is not indented.
    pub(crate) fn lines(self, key: &str, value: &Value, at: Indent<'_>) -> String {
        format!(
            "{}:{}{}",
            self.text(key),
            self.space(),
            self.nested(value, at)
        )
    }

    fn nested(self, value: &Value, at: Indent<'_>) -> String {
        match value {
            Value::Object(map) if !map.is_empty() => {
                let inner = at.deeper();
                let entries: Vec<String> = map
                    .iter()
                    .map(|(k, v)| format!("{}{}", inner.start(), self.lines(k, v, inner)))
                    .collect();
                format!("{{{}{}}}", entries.join(","), at.start())
            }
            other => self.value(other),
        }
    }

    fn text(self, text: &str) -> String {
        if self.is_json {
            Value::from(text).to_string()
        } else {
            plain(text)
        }
    }
}

/// Where lines begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Indent<'e> {
    /// What ends a line.
    pub(crate) end: &'e str,
    pub(crate) columns: usize,
    /// What inner lines are further in.
    pub(crate) width: usize,
    /// What lines are indented with.
    pub(crate) with: char,
}

impl Indent<'_> {
    pub(crate) fn deeper(self) -> Self {
        Self {
            columns: self.columns + self.width,
            ..self
        }
    }

    /// A line's end and the next one's indentation.
    pub(crate) fn start(self) -> String {
        let mut text = self.end.to_owned();
        text.extend(std::iter::repeat_n(self.with, self.columns));
        text
    }
}

/// A text without quotes if it is then still a text.
fn plain(text: &str) -> String {
    let is_simple = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_text = || {
        decode(text.as_bytes(), Format::Yaml)
            .is_ok_and(|decoded| decoded.value.as_str() == Some(text))
    };
    if is_simple && is_text() {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// A scalar, in the quotes that one in its place has.
pub(crate) fn scalar(value: &Value, style: ScalarStyle) -> String {
    match (value, style) {
        (Value::String(text), ScalarStyle::SingleQuoted) if !text.contains(['\n', '\r']) => {
            format!("'{}'", text.replace('\'', "''"))
        }
        (Value::String(text), ScalarStyle::DoubleQuoted) => Value::from(text.as_str()).to_string(),
        (other, _) => Flow::YAML.value(other),
    }
}

/// A key with its value in block style; each line begins with the end of the one before.
pub(crate) fn block(key: &str, value: &Value, at: Indent<'_>) -> String {
    let mut text = format!("{}{}:", at.start(), plain(key));
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                text.push_str(&block(key, value, at.deeper()));
            }
        }
        other => {
            text.push(' ');
            text.push_str(&Flow::YAML.value(other));
        }
    }
    text
}
