//! The tokens of the text form of label selectors.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Identifier,
    In,
    NotIn,
    Exclamation,
    Equals,
    DoubleEquals,
    NotEquals,
    GreaterThan,
    LessThan,
    Open,
    Close,
    Comma,
    End,
}

/// A token with the text that it stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

impl Token<'_> {
    /// Its kind where a value may stand: there, `in` and `notin` are ordinary words.
    pub(super) fn as_value(self) -> Kind {
        match self.kind {
            Kind::In | Kind::NotIn => Kind::Identifier,
            kind => kind,
        }
    }
}

/// Splits a selector into tokens; the last one is [`Kind::End`]. A NUL ends the text, as
/// upstream's reader has it.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text.split('\0').next().unwrap_or_default();
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            tokens.push(Token {
                kind: Kind::End,
                text: "",
            });
            return tokens;
        }
        let (token, after) = next(rest);
        tokens.push(token);
        rest = after;
    }
}

const SYMBOLS: [(&str, Kind); 9] = [
    ("==", Kind::DoubleEquals),
    ("!=", Kind::NotEquals),
    ("=", Kind::Equals),
    ("!", Kind::Exclamation),
    (">", Kind::GreaterThan),
    ("<", Kind::LessThan),
    ("(", Kind::Open),
    (")", Kind::Close),
    (",", Kind::Comma),
];

fn next(rest: &str) -> (Token<'_>, &str) {
    let symbol = SYMBOLS
        .iter()
        .find(|(symbol, _)| rest.starts_with(symbol))
        .map(|(symbol, kind)| (symbol.len(), Some(*kind)));
    let (length, kind) = symbol.unwrap_or_else(|| {
        let ends = |c: char| is_space(c) || "=!(),><".contains(c);
        (rest.find(ends).unwrap_or(rest.len()), None)
    });
    let (text, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
    let kind = kind.unwrap_or(match text {
        "in" => Kind::In,
        "notin" => Kind::NotIn,
        _ => Kind::Identifier,
    });
    (Token { kind, text }, after)
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}
