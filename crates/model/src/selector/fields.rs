//! Field selectors: `a=b,c==d,e!=f`, with `\` before a `,`, `=` or `\` that belongs to a value.

use super::SelectorError;
use std::fmt;

/// A field selector: `a=b,c==d,e!=f`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldSelector {
    /// `(field, value, equal)`; all must hold.
    pub terms: Vec<(String, String, bool)>,
}

impl FieldSelector {
    /// Parses the text form. Terms are put in order, as upstream does.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|p| !p.is_empty()) {
            let (field, value, equal) = split_term(part).ok_or_else(|| {
                SelectorError(format!(
                    "invalid selector: '{text}'; can't understand '{part}'"
                ))
            })?;
            terms.push((field.to_owned(), unescape(value)?, equal));
        }
        Ok(Self { terms })
    }

    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// The value that `field` must have, if the selector demands one.
    pub fn exact(&self, field: &str) -> Option<&str> {
        self.terms
            .iter()
            .find(|(name, _, equal)| *equal && name == field)
            .map(|(_, value, _)| value.as_str())
    }

    /// Whether fields, looked up through `field` (absent is empty), match.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> &'a str) -> bool {
        self.matches_with(|name, value| field(name) == value)
    }

    /// Whether fields match, where `is(field, value)` tells whether `field` has `value`.
    pub fn matches_with(&self, is: impl Fn(&str, &str) -> bool) -> bool {
        self.terms
            .iter()
            .all(|(name, value, equal)| is(name, value) == *equal)
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (field, value, equal)) in self.terms.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            let operator = if *equal { "=" } else { "!=" };
            write!(f, "{comma}{field}{operator}{}", escape(value))?;
        }
        Ok(())
    }
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut escaped = false;
    text.split(|c| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })
    .collect()
}

fn split_term(term: &str) -> Option<(&str, &str, bool)> {
    let at = term.find(['=', '!']).and_then(|first| {
        // A lone `!` is part of the name.
        let rest = term.get(first..)?;
        rest.char_indices().map(|(i, _)| first + i).find(|i| {
            term.get(*i..)
                .is_some_and(|t| t.starts_with('=') || t.starts_with("!="))
        })
    })?;
    let (field, rest) = term.split_at_checked(at)?;
    [("!=", false), ("==", true), ("=", true)]
        .into_iter()
        .find_map(|(op, equal)| Some((field, rest.strip_prefix(op)?, equal)))
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let refuse = |sequence: String| {
        SelectorError(format!(
            "invalid field selector: invalid escape sequence: {sequence}"
        ))
    };
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                Some(c) => return Err(refuse(format!("\\{c}"))),
                None => return Err(refuse("\\".to_owned())),
            },
            // Upstream prints the character's number.
            ',' | '=' => {
                return Err(SelectorError(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                )));
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
