//! What all commands of the analyst share in how they answer: forms, colours, exit statuses, and
//! how problems of the input are told.

mod stream;
mod yaml;

pub(crate) use stream::{Part, Sink};

use anyhow::Result;
use inputs::Texts;
use serde_json::{Map, Value};
use snapshot::{Problem, Severity};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// The forms that every command has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
}

/// `-o`, of commands that have no further forms.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct OutputArguments {
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Format::Human)]
    pub(crate) output: Format,
}

/// What came out; the exit status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, nothing found; the answer is yes: 0.
    Good,
    /// Findings; the answer is no: 1.
    Bad,
}

impl Outcome {
    /// The exit status, together with how far the worst problem of the input reaches: what could
    /// not be read (2) or evaluated (3) may have changed the answer, so that it comes first.
    pub(crate) fn status(self, worst: Option<Severity>) -> ExitCode {
        ExitCode::from(match (worst, self) {
            (Some(Severity::Unreadable), _) => 2,
            (Some(Severity::Incomplete), _) => 3,
            (_, Self::Bad) => 1,
            (_, Self::Good) => 0,
        })
    }
}

/// An object or field that decided an answer, and what about it did: a member of `because`.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Because {
    pub(crate) reason: String,
    #[serde(flatten)]
    pub(crate) citation: snapshot::Citation,
}

/// Colours for people, on terminals that want them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    colours: bool,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Good, yes.
    Good,
    /// Bad, no.
    Bad,
    /// Worth a look.
    Attention,
    /// Less important than what is around it.
    Faint,
    /// More important than what is around it.
    Strong,
}

impl Style {
    fn of(is_terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            colours: is_terminal && !refused && !dumb,
        }
    }

    /// For standard output.
    pub(crate) fn stdout() -> Self {
        Self::of(std::io::stdout().is_terminal())
    }

    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self::of(std::io::stderr().is_terminal())
    }

    /// The text in a colour, if there are colours.
    pub(crate) fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colours {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Good => "32",
            Colour::Bad => "31",
            Colour::Attention => "33",
            Colour::Faint => "2",
            Colour::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Text of others (names, messages) as it can be shown on a terminal: without control characters,
/// with which it could write something else there.
pub(crate) fn shown(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

/// Writes an answer to standard output in the form that was asked for. `schema` is the document's
/// `schemaVersion`; the problems of the input are added to it as `problems`.
pub(crate) fn answer(
    format: Format,
    schema: &str,
    document: Map<String, Value>,
    problems: &[Problem],
    human: impl FnOnce(Style) -> String,
) -> Result<()> {
    let text = match format {
        Format::Human => human(Style::stdout()),
        Format::Json => serde_json::to_string_pretty(&complete(schema, document, problems)?)?,
        Format::Yaml => yaml::render(&complete(schema, document, problems)?),
    };
    write(&text)
}

/// Writes a value that has the form of another program's answer: without a schema version and
/// without problems. JSON keeps the order of its fields.
pub(crate) fn foreign<T: serde::Serialize>(
    format: Format,
    document: &T,
    human: impl FnOnce(Style) -> String,
) -> Result<()> {
    let text = match format {
        Format::Human => human(Style::stdout()),
        Format::Json => serde_json::to_string_pretty(document)?,
        Format::Yaml => yaml::render(&serde_json::to_value(document)?),
    };
    write(&text)
}

/// Writes an answer whose lists may be long: its fields in the order in which they are given, each
/// list item by item. `schemaVersion` and `problems` are among the fields.
pub(crate) fn stream_document(format: Format, fields: Vec<(&'static str, Part<'_>)>) -> Result<()> {
    stream(|sink| match format {
        Format::Yaml => stream::yaml(&fields, sink),
        Format::Human | Format::Json => stream_json(Part::Object(fields), sink),
    })
}

/// Writes a part as a whole JSON document.
pub(crate) fn stream_json(document: Part<'_>, sink: &mut Sink<'_>) -> std::io::Result<()> {
    stream::json(&document, 0, sink)?;
    sink.text("\n")
}

/// Writes to standard output while the answer is made. That the reader has had enough is no error.
pub(crate) fn stream(write: impl FnOnce(&mut Sink<'_>) -> std::io::Result<()>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = write(&mut Sink::new(&mut out));
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn complete(schema: &str, mut document: Map<String, Value>, problems: &[Problem]) -> Result<Value> {
    document.insert("schemaVersion".to_owned(), schema.into());
    document.insert("problems".to_owned(), serde_json::to_value(problems)?);
    Ok(Value::Object(document))
}

/// Writes to standard output. That the reader has had enough (`| head`) is no error.
pub(crate) fn write(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Tells people about the problems of the input, on standard error: each with the line it is
/// about and a caret.
pub(crate) fn tell(problems: &[Problem], texts: &Texts) {
    let style = Style::stderr();
    for problem in problems {
        let (word, colour) = match problem.severity {
            Severity::Note => ("note", Colour::Faint),
            Severity::Warning => ("warning", Colour::Attention),
            Severity::Incomplete | Severity::Unreadable => ("error", Colour::Bad),
        };
        eprintln!(
            "{}: {}",
            style.paint(colour, word),
            shown(&problem.to_string())
        );
        if let Some(location) = &problem.location
            && let Some(excerpt) = excerpt(location, texts, style)
        {
            eprintln!("{excerpt}");
        }
    }
}

/// How much of a long line an excerpt shows.
const WIDTH: usize = 120;

/// The line that a location begins in, with a caret below what is meant.
pub(crate) fn excerpt(
    location: &snapshot::Location,
    texts: &Texts,
    style: Style,
) -> Option<String> {
    let line = texts.line(location)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let skipped = column.saturating_sub(WIDTH / 2);
    let seen: String = line.chars().skip(skipped).take(WIDTH).collect();
    let before: String = seen
        .chars()
        .take(column - skipped)
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let length = if location.end_line == location.line {
        location.end_column.saturating_sub(location.column).max(1)
    } else {
        1
    };
    let room = WIDTH.saturating_sub(before.chars().count()).max(1);
    let carets = "^".repeat(usize::try_from(length).unwrap_or(1).min(room));
    let number = location.line.to_string();
    let margin = " ".repeat(number.len());
    Some(format!(
        " {} {}\n {margin} {} {before}{}",
        style.paint(Colour::Faint, &number),
        style.paint(Colour::Faint, "|") + " " + &shown(&seen),
        style.paint(Colour::Faint, "|"),
        style.paint(Colour::Attention, &carets),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_read_comes_first() {
        let code = |outcome: Outcome, worst| format!("{:?}", outcome.status(worst));
        let exit = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(code(Outcome::Good, None), exit(0));
        assert_eq!(code(Outcome::Bad, Some(Severity::Warning)), exit(1));
        assert_eq!(code(Outcome::Bad, Some(Severity::Incomplete)), exit(3));
        assert_eq!(code(Outcome::Good, Some(Severity::Unreadable)), exit(2));
    }

    #[test]
    fn names_cannot_take_over_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
