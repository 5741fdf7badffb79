//! What was repaired, what was not, and what is left.

use super::Changed;
use crate::output::{Colour, Style, shown};
use analysis::finding::Severity;
use analysis::fix::{Fixed, Refused, Repair};
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many places of findings of one sort are listed.
const PLACES: usize = 5;

/// What is reported.
pub(super) struct Report<'f> {
    pub(super) fixed: &'f Fixed,
    pub(super) changed: &'f [Changed],
    pub(super) target: &'static str,
    pub(super) fail_on: Severity,
}

impl Report<'_> {
    /// The report as a document.
    pub(super) fn document(&self) -> Result<Map<String, Value>> {
        let fixed = self.fixed;
        let summary = |counts: &BTreeMap<Severity, usize>| -> Value {
            let entries = counts.iter().map(|(s, n)| (s.to_string(), json!(n)));
            Value::Object(entries.collect())
        };
        let files: Vec<Value> = self
            .changed
            .iter()
            .filter(|file| file.is_changed())
            .map(|file| {
                let lines: Vec<_> = file
                    .diff
                    .lines
                    .iter()
                    .map(|l| [l.start(), l.end()])
                    .collect();
                json!({"file": file.name, "lines": lines, "diff": file.diff.text})
            })
            .collect();
        Ok(Map::from_iter([
            ("mode".to_owned(), self.target.into()),
            ("failOn".to_owned(), self.fail_on.as_str().into()),
            ("files".to_owned(), files.into()),
            ("repairs".to_owned(), serde_json::to_value(&fixed.repairs)?),
            (
                "unrepaired".to_owned(),
                serde_json::to_value(&fixed.refused)?,
            ),
            ("pods".to_owned(), serde_json::to_value(&fixed.pods)?),
            ("before".to_owned(), summary(&fixed.before)),
            ("left".to_owned(), summary(&fixed.left)),
            ("notices".to_owned(), serde_json::to_value(&fixed.notices)?),
        ]))
    }

    /// The report for people.
    pub(super) fn human(&self, style: Style) -> String {
        let mut text = String::new();
        self.repairs(&mut text, style);
        self.pods(&mut text, style);
        self.unrepaired(&mut text, style);
        let counts = |counts: &BTreeMap<Severity, usize>| {
            let some = counts.iter().rev().filter(|(_, n)| **n > 0);
            let words: Vec<String> = some.map(|(s, n)| format!("{n} {s}")).collect();
            if words.is_empty() {
                "none".to_owned()
            } else {
                words.join(", ")
            }
        };
        put(
            &mut text,
            format_args!("findings before: {}\n", counts(&self.fixed.before)),
        );
        put(
            &mut text,
            format_args!("findings left:   {}\n", counts(&self.fixed.left)),
        );
        text
    }

    fn repairs(&self, text: &mut String, style: Style) {
        let repairs = &self.fixed.repairs;
        if repairs.is_empty() {
            text.push_str("nothing to repair\n\n");
            return;
        }
        let files = self.changed.iter().filter(|file| file.is_changed());
        let count = files.clone().count();
        put(
            text,
            format_args!("{} repairs in {count} files\n\n", repairs.len()),
        );
        let mut groups: BTreeMap<(&str, &str, &str), Vec<&Repair>> = BTreeMap::new();
        for repair in repairs {
            let key = (repair.id, repair.change.as_str(), repair.why.as_str());
            groups.entry(key).or_default().push(repair);
        }
        for ((id, change, why), repairs) in groups {
            let change = style.paint(Colour::Good, &shown(change));
            put(
                text,
                format_args!("{id}  {change}\n  why: {}\n", shown(why)),
            );
            for repair in repairs {
                let mut whom = repair.object.to_string();
                if let Some(container) = &repair.container {
                    whom.push_str(&format!(", container {container}"));
                }
                let place = repair.location.as_ref().map(ToString::to_string);
                let place = style.paint(Colour::Faint, &shown(&place.unwrap_or_default()));
                put(text, format_args!("  {place}  {}\n", shown(&whom)));
            }
        }
        text.push_str("\nlines\n");
        for file in files {
            let lines: Vec<String> = file
                .diff
                .lines
                .iter()
                .map(|l| match l.start() == l.end() {
                    true => l.start().to_string(),
                    false => format!("{}-{}", l.start(), l.end()),
                })
                .collect();
            put(
                text,
                format_args!("  {}: {}\n", shown(&file.name), lines.join(", ")),
            );
        }
        text.push('\n');
    }

    fn pods(&self, text: &mut String, style: Style) {
        let pods = self.fixed.pods.iter();
        let pods: Vec<_> = pods
            .filter(|pod| pod.before != pod.after || pod.reaches == Some(false))
            .collect();
        if pods.is_empty() {
            return;
        }
        text.push_str("levels of the Pod Security Standards\n");
        for pod in pods {
            let levels = if pod.before == pod.after {
                format!("still {}", pod.after)
            } else {
                format!("{} -> {}", pod.before, pod.after)
            };
            let colour = match pod.after {
                "restricted" => Colour::Good,
                "baseline" => Colour::Attention,
                _ => Colour::Bad,
            };
            let levels = style.paint(colour, &levels);
            put(
                text,
                format_args!("  {levels}  {}\n", shown(&pod.object.to_string())),
            );
            if pod.reaches == Some(false) {
                put(
                    text,
                    format_args!("    not reached: {}\n", shown(&pod.because)),
                );
            }
        }
        text.push('\n');
    }

    fn unrepaired(&self, text: &mut String, style: Style) {
        let mut groups: BTreeMap<(std::cmp::Reverse<Severity>, &str, &str), Vec<&Refused>> =
            BTreeMap::new();
        for refused in &self.fixed.refused {
            let severity = std::cmp::Reverse(refused.severity);
            let key = (severity, refused.id, refused.unclear.as_str());
            groups.entry(key).or_default().push(refused);
        }
        if groups.is_empty() {
            return;
        }
        text.push_str("not repaired, as the intent is unclear\n");
        for ((severity, id, why), refused) in groups {
            let severity = severity.0;
            let name = style.paint(crate::findings::colour(severity), severity.as_str());
            let count = refused.len();
            let title = analysis::checks::find(id).map_or("", |check| check.title);
            put(
                text,
                format_args!("  {name} {id} {title} ({count}): {}\n", shown(why)),
            );
            // Further details are what the audit is for.
            if severity >= Severity::Medium {
                for one in refused.iter().take(PLACES) {
                    let place = one.location.as_ref().map(ToString::to_string);
                    let place = style.paint(Colour::Faint, &shown(&place.unwrap_or_default()));
                    let whom = shown(&one.object.to_string());
                    put(text, format_args!("    {place}  {whom}\n"));
                }
                if count > PLACES {
                    put(text, format_args!("    and {} more\n", count - PLACES));
                }
            }
        }
        text.push('\n');
    }
}

/// Writing to a text does not fail.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}
