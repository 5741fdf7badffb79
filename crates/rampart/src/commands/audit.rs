//! `rampart audit`: looks for misconfiguration.

use crate::arguments::{self, FindingsFormat, SeverityArgument};
use crate::auditing::{self, worst};
use crate::findings::{self, Shown};
use crate::input::ALL;
use crate::output::{self, Colour, Format, Outcome, Part, Style, answer, shown, tell};
use analysis::audit::Settings;
use analysis::checks;
use analysis::finding::Severity;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.audit/v1";

impl From<SeverityArgument> for Severity {
    fn from(argument: SeverityArgument) -> Self {
        match argument {
            SeverityArgument::Info => Self::Info,
            SeverityArgument::Low => Self::Low,
            SeverityArgument::Medium => Self::Medium,
            SeverityArgument::High => Self::High,
            SeverityArgument::Critical => Self::Critical,
        }
    }
}

/// Reads, audits, and writes what was found.
pub(crate) fn run(arguments: &arguments::Audit) -> Result<ExitCode> {
    let settings = auditing::settings(
        arguments.config.as_deref(),
        &arguments.check,
        &arguments.skip,
    )?;
    if arguments.list_checks {
        return list(arguments, &settings);
    }
    let baseline = auditing::baseline(arguments.baseline.as_deref())?;
    let input = arguments.input.load_with(&settings.pod_templates, ALL)?;
    let snapshot = &input.snapshot;
    let report = auditing::audit(
        snapshot,
        &settings,
        baseline.as_ref(),
        arguments.input.source.namespace.as_deref(),
    );
    tell(snapshot.problems(), &input.texts);
    let style = Style::stderr();
    for notice in &report.notices {
        eprintln!(
            "{}: {}",
            style.paint(Colour::Attention, "note"),
            shown(notice)
        );
    }
    let fail_on = arguments.fail_on.map_or(settings.fail_on, Severity::from);
    let shown = Shown {
        report: &report,
        problems: snapshot.problems(),
        texts: &input.texts,
        fail_on,
        has_baseline: baseline.is_some(),
    };
    match arguments.output {
        FindingsFormat::Human => {
            let least = arguments.severity.into();
            let style = Style::stdout();
            output::write(&findings::human::render(
                &shown,
                least,
                arguments.all,
                style,
            ))?;
        }
        FindingsFormat::Json => output::stream_document(Format::Json, document(&shown)?)?,
        FindingsFormat::Yaml => output::stream_document(Format::Yaml, document(&shown)?)?,
        FindingsFormat::Sarif => {
            output::stream(|sink| output::stream_json(findings::sarif::document(&shown), sink))?;
        }
        FindingsFormat::Junit => output::stream(|sink| findings::junit::write(&shown, sink))?,
        FindingsFormat::Markdown => {
            output::stream(|sink| findings::markdown::write(&shown, sink))?;
        }
        FindingsFormat::Html => output::write(&findings::html::render(&shown, snapshot))?,
    }
    let is_bad = report.findings.iter().any(|f| f.severity >= fail_on);
    let outcome = if is_bad { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(worst(snapshot)))
}

/// The answer as a document, its fields sorted.
fn document<'s>(shown: &Shown<'s>) -> Result<Vec<(&'static str, Part<'s>)>> {
    let report = shown.report;
    let summary: Map<String, Value> = Severity::WORST_FIRST
        .iter()
        .map(|severity| {
            let count = report.findings.iter().filter(|f| f.severity == *severity);
            (severity.as_str().to_owned(), count.count().into())
        })
        .collect();
    Ok(vec![
        ("failOn", shown.fail_on.as_str().into()),
        ("findings", Part::list(&report.findings)),
        ("known", Part::list(&report.known)),
        ("lookedAt", serde_json::to_value(report.looked_at)?.into()),
        ("notices", serde_json::to_value(&report.notices)?.into()),
        ("problems", serde_json::to_value(shown.problems)?.into()),
        ("schemaVersion", SCHEMA.into()),
        ("summary", summary.into()),
        ("suppressed", Part::list(&report.suppressed)),
    ])
}

fn list(arguments: &arguments::Audit, settings: &Settings) -> Result<ExitCode> {
    let all: Vec<_> = checks::all().collect();
    if matches!(
        arguments.output,
        FindingsFormat::Json | FindingsFormat::Yaml
    ) {
        let list: Vec<Value> = all
            .iter()
            .map(|check| {
                let mut entry = super::explain::document(check);
                entry.insert("enabled".into(), settings.is_enabled(check).into());
                Value::Object(entry)
            })
            .collect();
        let format = match arguments.output {
            FindingsFormat::Yaml => Format::Yaml,
            _ => Format::Json,
        };
        let document = Map::from_iter([("checks".to_owned(), json!(list))]);
        answer(format, "rampart.checks/v1", document, &[], |_| {
            String::new()
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let style = Style::stdout();
    let mut text = String::new();
    for check in all {
        let severity = format!("{:<8}", check.severity.as_str());
        let off = if settings.is_enabled(check) {
            ""
        } else {
            " (disabled)"
        };
        text.push_str(&format!(
            "{:<13} {} {}{off}\n",
            check.id,
            style.paint(findings::colour(check.severity), &severity),
            check.title
        ));
    }
    output::write(&text)?;
    Ok(ExitCode::SUCCESS)
}
