//! `rampart explain`: what a check looks for, why, and what to do about it.

use crate::arguments;
use crate::findings;
use crate::output::{Colour, Style, answer};
use analysis::checks::{self, Check};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// Explains one check.
pub(crate) fn run(arguments: &arguments::Explain) -> Result<ExitCode> {
    let Some(check) = checks::find(&arguments.check) else {
        bail!(
            "there is no check {:?}: `rampart audit --list-checks` lists them",
            arguments.check
        );
    };
    let format = arguments.output.output;
    answer(format, "rampart.check/v1", document(check), &[], |style| {
        human(check, style)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A check as a document.
pub(crate) fn document(check: &Check) -> Map<String, Value> {
    let parameters: Vec<Value> = check
        .parameters
        .iter()
        .map(|p| json!({"name": p.name, "what": p.what, "default": p.default}))
        .collect();
    let references: Vec<Value> = check
        .references
        .iter()
        .map(|r| json!({"framework": r.framework.as_str(), "control": r.control}))
        .collect();
    let entries = [
        ("id", json!(check.id)),
        ("title", json!(check.title)),
        ("severity", json!(check.severity.as_str())),
        ("what", json!(check.what)),
        ("why", json!(check.why)),
        ("fix", json!(check.fix)),
        ("example", json!(check.example)),
        ("parameters", json!(parameters)),
        ("references", json!(references)),
    ];
    entries
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

fn human(check: &Check, style: Style) -> String {
    let mut text = format!(
        "{}  {}  {}\n",
        style.paint(Colour::Strong, check.id),
        style.paint(findings::colour(check.severity), check.severity.as_str()),
        style.paint(Colour::Strong, check.title)
    );
    for (title, body) in [("What", check.what), ("Why", check.why), ("Fix", check.fix)] {
        text.push_str(&format!("\n{title}\n{}", wrapped(body, 76)));
    }
    if !check.example.is_empty() {
        text.push_str("\nExample\n");
        for line in check.example.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    if !check.parameters.is_empty() {
        text.push_str("\nParameters\n");
        for parameter in check.parameters {
            let default = match parameter.default {
                [] => "none".to_owned(),
                values => values.join(", "),
            };
            text.push_str(&wrapped(
                &format!(
                    "{}: {} [default: {default}]",
                    parameter.name, parameter.what
                ),
                76,
            ));
        }
    }
    if !check.references.is_empty() {
        text.push_str("\nReferences\n");
        for reference in check.references {
            text.push_str(&format!("  {reference}\n"));
        }
    }
    text.push_str(&format!(
        "\nTo excuse an object, annotate it or its pod template:\n  rampart.dev/ignore-{}: \"why (until 2027-12-31)\"\n",
        check.id
    ));
    text
}

/// Text in lines of at most `width` characters, indented by two.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(&format!("  {line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(&format!("  {line}\n"));
    lines
}
