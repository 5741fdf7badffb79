//! SARIF 2.1.0, as code-scanning views read it.

use super::{Shown, subject};
use crate::output::Part;
use analysis::audit::{Source, Suppressed};
use analysis::checks::{self, Check};
use analysis::finding::{Finding, Severity};
use serde_json::{Map, Value, json};
use snapshot::{Location, Problem};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Everything as a document: what is excused is marked as that.
pub(crate) fn document<'s>(s: &Shown<'s>) -> Part<'s> {
    let rules: Vec<&Check> = checks::all().collect();
    let index: Arc<HashMap<&'static str, usize>> =
        Arc::new(rules.iter().zip(0..).map(|(r, i)| (r.id, i)).collect());
    let report = s.report;
    let has_baseline = s.has_baseline;
    let findings = report.findings.iter().map(|f| (f, "new", None));
    let known = report.known.iter().map(|f| (f, "unchanged", None));
    let suppressed = report.suppressed.iter();
    let suppressed = suppressed.map(|s| (&s.finding, "new", Some(s)));
    let results: Vec<_> = findings.chain(known).chain(suppressed).collect();
    let results = Part::mapped(results, move |(finding, state, suppressed)| {
        let mut result = result(finding, &index, has_baseline.then_some(*state));
        if let Some(suppressed) = suppressed {
            set(&mut result, "suppressions", suppressions(suppressed));
        }
        result
    });
    let notifications: Vec<Value> = s.problems.iter().map(notification).collect();
    let is_whole = s
        .problems
        .iter()
        .all(|p| p.severity < snapshot::Severity::Incomplete);
    let run = vec![
        ("columnKind", "unicodeCodePoints".into()),
        (
            "invocations",
            json!([{
                "executionSuccessful": is_whole,
                "toolExecutionNotifications": notifications,
            }])
            .into(),
        ),
        ("results", results),
        (
            "tool",
            json!({"driver": {
                "name": "rampart",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|check| rule(check)).collect::<Vec<_>>(),
            }})
            .into(),
        ),
    ];
    Part::Object(vec![
        (
            "$schema",
            "https://json.schemastore.org/sarif-2.1.0.json".into(),
        ),
        ("runs", Part::Array(vec![Part::Object(run)])),
        ("version", "2.1.0".into()),
    ])
}

fn suppressions(suppressed: &Suppressed<'_>) -> Value {
    json!([{
        "kind": match suppressed.source {
            Source::Configuration => "external",
            _ => "inSource",
        },
        "justification": suppressed.reason,
    }])
}

/// Adds a member to an object.
fn set(object: &mut Value, key: &str, value: impl Into<Value>) {
    model::meta::set(object, &[key], value);
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number by which code-scanning views sort, on the scale of CVSS.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.5",
    }
}

fn rule(check: &Check) -> Value {
    let references: Vec<String> = check.references.iter().map(ToString::to_string).collect();
    let mut help = format!("{}\n\nFix: {}", check.why, check.fix);
    let mut markdown = format!("{}\n\n**Fix:** {}", check.why, check.fix);
    if !check.example.is_empty() {
        help.push_str(&format!("\n\nExample:\n{}", check.example));
        let example = check.example.trim_end();
        markdown.push_str(&format!("\n\n```yaml\n{example}\n```"));
    }
    if !references.is_empty() {
        help.push_str(&format!("\n\nReferences: {}", references.join("; ")));
        markdown.push_str(&format!("\n\n**References:** {}", references.join("; ")));
    }
    json!({
        "id": check.id,
        "name": name(check.title),
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.what},
        "help": {"text": help, "markdown": markdown},
        "defaultConfiguration": {"level": level(check.severity)},
        "properties": {
            "precision": "high",
            "security-severity": score(check.severity),
            "tags": ["security", "kubernetes"],
        },
    })
}

/// A title as a name: `PrivilegedContainer`.
fn name(title: &str) -> String {
    title
        .split(|c: char| !c.is_alphanumeric())
        .map(|word| {
            let mut chars = word.chars();
            match chars.next() {
                Some(first) => first.to_uppercase().chain(chars).collect::<String>(),
                None => String::new(),
            }
        })
        .collect()
}

fn result(finding: &Finding<'_>, index: &HashMap<&str, usize>, state: Option<&str>) -> Value {
    let text = format!(
        "{}: {}. Fix: {}",
        subject(finding),
        finding.message,
        finding.fix
    );
    let object = finding.object;
    let full = format!(
        "{}/{}/{}",
        object.resource(),
        object.namespace(),
        object.name()
    );
    let mut location = Map::new();
    location.insert(
        "logicalLocations".into(),
        json!([{
            "name": object.name(),
            "fullyQualifiedName": format!("{full}:{}", finding.field),
            "kind": "resource",
        }]),
    );
    if let Some(place) = finding.location.as_ref().map(physical) {
        location.insert("physicalLocation".into(), place);
    }
    let mut result = json!({
        "ruleId": finding.check.id,
        "ruleIndex": index.get(finding.check.id).copied().unwrap_or_default(),
        "level": level(finding.severity),
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"rampart/v1": finding.fingerprint()},
        "properties": {"severity": finding.severity.as_str()},
    });
    if let Some(state) = state {
        set(&mut result, "baselineState", state);
    }
    result
}

fn physical(location: &Location) -> Value {
    let file = beside(&location.file);
    let mut place = json!({"artifactLocation": {"uri": uri(file)}});
    if !file.starts_with('/') {
        // Views take what has this base for a path in the repository that they show.
        model::meta::set(&mut place, &["artifactLocation", "uriBaseId"], "%SRCROOT%");
    }
    if location.line == 0 {
        return place;
    }
    let mut region = json!({"startLine": location.line, "startColumn": location.column.max(1)});
    // A whole container would be marked for a field that it lacks: its first line says enough.
    if location.end_line == location.line && location.end_column > location.column {
        set(&mut region, "endColumn", location.end_column);
    }
    set(&mut place, "region", region);
    place
}

/// A file below the directory in which the audit runs is told by its path from there, also if the
/// whole path was named: views know no others.
fn beside(file: &str) -> &str {
    let Ok(here) = std::env::current_dir() else {
        return file;
    };
    let below = Path::new(file).strip_prefix(here).ok();
    below.and_then(Path::to_str).unwrap_or(file)
}

/// A file's name as a URI reference: relative where the name is.
fn uri(file: &str) -> String {
    let mut text = String::with_capacity(file.len());
    if file.starts_with('/') {
        text.push_str("file://");
    }
    let file = match file {
        "-" => "stdin",
        other => other.strip_prefix("./").unwrap_or(other),
    };
    for byte in file.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn notification(problem: &Problem) -> Value {
    let level = match problem.severity {
        snapshot::Severity::Note => "note",
        snapshot::Severity::Warning => "warning",
        snapshot::Severity::Incomplete | snapshot::Severity::Unreadable => "error",
    };
    let mut notification = json!({"level": level, "message": {"text": problem.message}});
    if let Some(location) = &problem.location {
        set(
            &mut notification,
            "locations",
            json!([{"physicalLocation": physical(location)}]),
        );
    }
    notification
}

#[cfg(test)]
mod tests {
    use super::{name, uri};

    #[test]
    fn names_of_files_become_references() {
        assert_eq!(uri("./a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("/a/b.yaml"), "file:///a/b.yaml");
        assert_eq!(uri("../a:b"), "../a%3Ab");
        assert_eq!(uri("-"), "stdin");
    }

    #[test]
    fn titles_become_names() {
        assert_eq!(name("the cloud's /proc"), "TheCloudSProc");
    }
}
