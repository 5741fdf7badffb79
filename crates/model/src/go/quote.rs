//! Go's `%q`, in which upstream's reasons and errors write names.

use std::fmt::Write;

/// `text` as Go's `%q` writes it: in double quotes, with quotes, backslashes and what cannot be
/// printed escaped.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// A list as Go's `%q` writes it: `["a" "b"]`.
pub fn quoted_list<S: AsRef<str>>(texts: &[S]) -> String {
    let mut out = String::from("[");
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        push_quoted(&mut out, text.as_ref());
    }
    out.push(']');
    out
}

/// Appends `text` as [`quoted`] writes it.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    if text
        .bytes()
        .all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\')
    {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            // Writing to a String cannot fail.
            c if c < ' ' || c == '\u{7f}' => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_go() {
        for (text, want) in [
            ("a", r#""a""#),
            ("", r#""""#),
            ("a\"b\\", r#""a\"b\\""#),
            ("a\nb\u{1}\u{7f}", r#""a\nb\x01\x7f""#),
            ("grün", r#""grün""#),
            ("\u{85}", r#""\u0085""#),
        ] {
            assert_eq!(quoted(text), want);
        }
        assert_eq!(quoted_list(&["a", "b"]), r#"["a" "b"]"#);
        assert_eq!(quoted_list::<&str>(&[]), "[]");
    }
}
