//! Markup that is safe by its making: what is not written in this program goes through
//! [`Html::text`].

use serde_json::Value;

/// A piece of a page.
#[derive(Debug, Default)]
pub(crate) struct Html {
    text: String,
}

impl Html {
    /// Markup of this program.
    pub(crate) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.text.push_str(markup);
        self
    }

    /// Text of whatever origin, also within quoted attributes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text.push_str(&escaped(&visible(text)));
        self
    }

    /// A number, or what else shows itself in letters that mean nothing in markup.
    pub(crate) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        self.text.push_str(&number.into().to_string());
        self
    }

    /// A count.
    pub(crate) fn count(&mut self, count: usize) -> &mut Self {
        self.text.push_str(&count.to_string());
        self
    }

    /// Text in an element without attributes, such as `p`.
    pub(crate) fn element(&mut self, tag: &'static str, text: &str) -> &mut Self {
        self.raw("<").raw(tag).raw(">").text(text);
        self.raw("</").raw(tag).raw(">\n")
    }

    /// A severity, or another word of this program that has a colour.
    pub(crate) fn badge(&mut self, word: &'static str) -> &mut Self {
        self.raw("<span class=\"badge ").raw(word).raw("\">");
        self.raw(word).raw("</span>")
    }

    /// A piece that was written before.
    pub(crate) fn append(&mut self, piece: Self) -> &mut Self {
        self.text.push_str(&piece.text);
        self
    }

    /// JSON within a script element: nothing in it may end the element.
    pub(super) fn data(&mut self, data: &Value) -> &mut Self {
        let json = data.to_string();
        self.text.push_str(&json.replace('<', "\\u003c"));
        self
    }

    /// The page's own script.
    pub(super) fn script(script: &str) -> Self {
        Self {
            text: script.to_owned(),
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A text as it can stand in HTML and in quoted attributes.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A text of which every character can be seen: with those that turn the direction of writing,
/// have no width or control something, a name could look like another.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{61c}'
            | '\u{feff}' => {
                out.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_told() {
        assert_eq!(
            visible("a\u{202e}b\u{1b}c\u{200b}d\ne"),
            "a\u{27e8}U+202E\u{27e9}b\u{fffd}c\u{27e8}U+200B\u{27e9}d\ne"
        );
    }
}
