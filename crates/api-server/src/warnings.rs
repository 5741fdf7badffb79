//! The `Warning` headers of an answer: each text once, and not so many that clients refuse them.

use std::collections::HashSet;

/// Together warnings have no more characters than this, or else …
const TOTAL_MAX: usize = 4096;
/// … each is cut after so many, and the last ones are left out.
const CUT_MAX: usize = 256;

/// The headers' values: the warnings whole if all of them fit, else cut as upstream cuts them.
pub(crate) fn headers(warnings: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    let texts: Vec<&str> = warnings
        .iter()
        .map(String::as_str)
        .filter(|text| !text.is_empty() && seen.insert(*text))
        .collect();
    fitting(texts).into_iter().map(quoted).collect()
}

fn fitting(texts: Vec<&str>) -> Vec<&str> {
    let mut total = 0;
    let overflow = texts.iter().position(|text| {
        total += text.chars().count();
        total > TOTAL_MAX
    });
    let Some(overflow) = overflow else {
        return texts;
    };
    // Everything up to the one too many is said, cut; what comes after it needs room.
    let mut total = 0;
    let cut = texts.into_iter().map(cut).enumerate();
    cut.take_while(|(place, text)| {
        let has_room = *place <= overflow || total < TOTAL_MAX;
        total += text.chars().count();
        has_room
    })
    .map(|(_, text)| text)
    .collect()
}

fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(CUT_MAX);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// `299 - "text"`, with the text quoted as RFC 7234 wants it.
fn quoted(text: &str) -> String {
    let mut out = String::from("299 - \"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the texts, in characters.
    fn lengths(warnings: &[String]) -> Vec<usize> {
        let lengths = headers(warnings).into_iter().map(|header| {
            let text = header.trim_start_matches("299 - \"").trim_end_matches('"');
            text.chars().count()
        });
        lengths.collect()
    }

    fn of_length(number: usize, length: usize) -> Vec<String> {
        (0..number).map(|i| format!("{i:0>length$}")).collect()
    }

    #[test]
    fn warnings_are_quoted_and_said_once() {
        let text = "unknown field \"spec.foo\"".to_owned();
        assert_eq!(
            headers(&[text.clone(), String::new(), text]),
            [r#"299 - "unknown field \"spec.foo\"""#]
        );
    }

    #[test]
    fn what_fits_is_whole() {
        assert_eq!(lengths(&of_length(8, 512)), [512; 8]);
        assert_eq!(lengths(&["ä".repeat(4096)]), [4096]);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_the_rest_left_out() {
        assert_eq!(lengths(&of_length(9, 512)), [256; 9]);
        assert_eq!(lengths(&of_length(99, 512)), [256; 16]);
        // Those that made it too much are said, however many.
        assert_eq!(lengths(&of_length(41, 100)), [100; 41]);
        assert_eq!(lengths(&of_length(99, 100)), [100; 41]);
        assert_eq!(lengths(&["ä".repeat(4097)]), [256]);
    }
}
