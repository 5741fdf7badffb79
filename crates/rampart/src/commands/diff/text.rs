//! Differences, for people: on a terminal and as a page.

use super::{Changed, Compared, subject};
use crate::findings::colour;
use crate::findings::markdown::cell;
use crate::input::Input;
use crate::output::{Colour, Style, excerpt, shown};
use analysis::access::{Access, Change, Difference};
use analysis::audit::Recorded;
use analysis::finding::Severity;
use snapshot::Location;
use std::collections::BTreeMap;

/// How many sets of verbs, and how many resources of each, are named of one subject.
const RIGHTS: usize = 4;

/// How many subjects are named.
const SUBJECTS: usize = 50;

/// Renders for a terminal; `places` are where the new findings stand.
pub(super) fn human(
    compared: &Compared,
    places: &[Option<(&Input, Location)>],
    style: Style,
) -> String {
    let mut text = summary(compared);
    text.push('\n');
    heading(&mut text, "new", compared.new.is_empty(), style);
    for (finding, place) in compared.new.iter().zip(places) {
        let severity = finding.severity;
        text.push_str(&line(finding, severity.as_str(), severity, style));
        if let Some((input, location)) = place
            && let Some(excerpt) = excerpt(location, &input.texts, style)
        {
            for line in excerpt.lines() {
                text.push_str(&format!("    {line}\n"));
            }
        }
        let fix = shown(&finding.fix);
        text.push_str(&format!(
            "    {}: {fix}\n",
            style.paint(Colour::Good, "fix")
        ));
    }
    heading(&mut text, "changed", compared.changed.is_empty(), style);
    for Changed { before, finding } in &compared.changed {
        let words = format!("{} (was {before})", finding.severity);
        text.push_str(&line(finding, &words, finding.severity, style));
    }
    heading(&mut text, "excused now", compared.excused.is_empty(), style);
    for finding in &compared.excused {
        text.push_str(&line(
            finding,
            finding.severity.as_str(),
            Severity::Info,
            style,
        ));
    }
    heading(&mut text, "gone", compared.gone.is_empty(), style);
    for finding in &compared.gone {
        text.push_str(&line(
            finding,
            finding.severity.as_str(),
            Severity::Info,
            style,
        ));
        if !finding.is_known_check() {
            text.push_str("    this version has no such check\n");
        }
    }
    let access = compared.access.as_deref().unwrap_or_default();
    heading(&mut text, "access", access.is_empty(), style);
    for change in access.iter().take(SUBJECTS) {
        for is_gain in [true, false] {
            if let Some(rights) = rights(change, is_gain) {
                let (mark, colour) = if is_gain {
                    ("+", Colour::Attention)
                } else {
                    ("-", Colour::Faint)
                };
                let who = shown(&who(change));
                let mark = style.paint(colour, mark);
                text.push_str(&format!("  {mark} {who}: {}\n", shown(&rights)));
            }
        }
    }
    if access.len() > SUBJECTS {
        let more = access.len() - SUBJECTS;
        text.push_str(&format!("  and {more} more (-o json has them)\n"));
    }
    text
}

fn summary(compared: &Compared) -> String {
    let excused = match compared.excused.len() {
        0 => String::new(),
        count => format!("{count} excused now, "),
    };
    format!(
        "{} new, {} gone, {} changed, {excused}{} as before",
        compared.new.len(),
        compared.gone.len(),
        compared.changed.len(),
        compared.same
    )
}

fn heading(text: &mut String, words: &str, is_empty: bool, style: Style) {
    if !is_empty {
        text.push_str(&format!("\n{}\n", style.paint(Colour::Strong, words)));
    }
}

/// A finding on two lines: what, and about whom, where and why.
fn line(finding: &Recorded, words: &str, severity: Severity, style: Style) -> String {
    let place = match &finding.location {
        Some(place) => format!(" ({})", shown(&place.to_string())),
        None => String::new(),
    };
    format!(
        "  {} {} {}\n    {}: {}{place}\n",
        style.paint(colour(severity), words),
        style.paint(Colour::Faint, &shown(&finding.id)),
        shown(&finding.title),
        shown(&finding.subject()),
        shown(&finding.message),
    )
}

/// Whose access changed, and where.
fn who(change: &Change) -> String {
    let (kind, namespace, name) = subject(&change.subject);
    let separator = if namespace.is_empty() { "" } else { "/" };
    let scope = match change.namespace.as_str() {
        "" => "everywhere".to_owned(),
        namespace => format!("in {namespace}"),
    };
    format!("{kind} {namespace}{separator}{name}, {scope}")
}

/// What was gained or lost: resources with the same verbs together.
fn rights(change: &Change, is_gain: bool) -> Option<String> {
    let mut of_resource: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let wanted = |d: &&Difference| d.is_gain() == is_gain;
    for difference in change.differences.iter().filter(wanted) {
        let limit = match difference.access() {
            Access::Named => " (some names)",
            Access::Yes | Access::No => "",
        };
        let verbs = of_resource.entry(difference.resource.to_string());
        verbs
            .or_default()
            .push(format!("{}{limit}", difference.verb));
    }
    let mut together: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for (resource, verbs) in of_resource {
        together.entry(verbs).or_default().push(resource);
    }
    let sets: Vec<String> = together
        .iter()
        .map(|(verbs, resources)| format!("{} {}", verbs.join(", "), some(resources, ", ")))
        .collect();
    (!sets.is_empty()).then(|| some(&sets, "; "))
}

/// The first few, and how many more.
fn some(items: &[String], separator: &str) -> String {
    let first: Vec<&str> = items.iter().take(RIGHTS).map(String::as_str).collect();
    let mut text = first.join(separator);
    if items.len() > RIGHTS {
        text.push_str(&format!(" and {} more", items.len() - RIGHTS));
    }
    text
}

/// Renders as Markdown.
pub(super) fn markdown(compared: &Compared) -> String {
    let mut text = format!("# Difference of two audits\n\n{}\n", summary(compared));
    let sections = [
        ("New", &compared.new),
        ("Excused now", &compared.excused),
        ("Gone", &compared.gone),
    ];
    for (title, findings) in sections {
        table(
            &mut text,
            title,
            findings.iter().map(|f| (f.severity.to_string(), f)),
        );
        if title == "New" {
            let changed = compared.changed.iter();
            let rows = changed.map(|c| {
                (
                    format!("{} (was {})", c.finding.severity, c.before),
                    &c.finding,
                )
            });
            table(&mut text, "Changed", rows);
        }
    }
    let access = compared.access.as_deref().unwrap_or_default();
    if !access.is_empty() {
        text.push_str("\n## Access\n\n| who | gained | lost |\n| --- | --- | --- |\n");
        for change in access {
            let of = |is_gain| cell(&rights(change, is_gain).unwrap_or_default());
            let who = cell(&who(change));
            text.push_str(&format!("| {who} | {} | {} |\n", of(true), of(false)));
        }
    }
    if !compared.problems.is_empty() {
        text.push_str("\n## What was not understood\n\n");
        for problem in &compared.problems {
            text.push_str(&format!("- {}\n", cell(&problem.to_string())));
        }
    }
    text
}

fn table<'f>(text: &mut String, title: &str, rows: impl Iterator<Item = (String, &'f Recorded)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    text.push_str(&format!(
        "\n## {title}\n\n| severity | check | object | where | why | fix |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    ));
    for (severity, finding) in rows {
        let place = finding.location.as_ref().map(ToString::to_string);
        text.push_str(&format!(
            "| {severity} | {} {} | {} | {} | {} | {} |\n",
            cell(&finding.id),
            cell(&finding.title),
            cell(&finding.subject()),
            cell(&place.unwrap_or_else(|| finding.field.clone())),
            cell(&finding.message),
            cell(&finding.fix)
        ));
    }
}
