//! `rampart audit`: looks for misconfiguration.

use super::now;
use crate::arguments::{self, FindingsFormat, SeverityArgument};
use crate::findings::{self, Shown};
use crate::input::ALL;
use crate::output::{self, Colour, Format, Outcome, Part, Style, answer, shown, tell};
use analysis::audit::{Baseline, Config, Date, Options, Settings};
use analysis::checks;
use analysis::finding::Severity;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use snapshot::{ProblemKind, Snapshot};
use std::num::NonZero;
use std::path::Path;
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
    let settings = settings(arguments)?;
    if arguments.list_checks {
        return list(arguments, &settings);
    }
    let baseline = match &arguments.baseline {
        Some(path) => {
            Some(Baseline::parse(&read(path)?).with_context(|| format!("{}", path.display()))?)
        }
        None => None,
    };
    let input = arguments.input.load_with(&settings.pod_templates, ALL)?;
    let snapshot = &input.snapshot;
    let mut report = analysis::audit::run(
        snapshot,
        Options {
            settings: &settings,
            baseline: baseline.as_ref(),
            today: today(),
            workers: std::thread::available_parallelism().map_or(1, NonZero::get),
        },
    );
    if let Some(namespace) = &arguments.input.source.namespace {
        report.keep_namespace(namespace);
    }
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

/// How far the worst problem reaches. Of a kind that is not known nothing but the metadata was
/// audited: that is no complete answer.
pub(super) fn worst(snapshot: &Snapshot) -> Option<snapshot::Severity> {
    let is_unknown = |p: &snapshot::Problem| p.kind == ProblemKind::UnknownKind;
    let unknown = snapshot
        .problems()
        .iter()
        .any(is_unknown)
        .then_some(snapshot::Severity::Incomplete);
    snapshot.worst_problem().max(unknown)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{}", path.display()))
}

/// The configuration file, with what the command line changes.
fn settings(arguments: &arguments::Audit) -> Result<Settings> {
    let named = |path: &Path| format!("{}", path.display());
    let mut config = match &arguments.config {
        Some(path) => Config::parse(&read(path)?).with_context(|| named(path))?,
        None => Config::default(),
    };
    config.only.extend(arguments.check.iter().cloned());
    for id in &arguments.skip {
        // However it is written in the file, it is one check.
        let id = checks::find(id).map_or(id.as_str(), |check| check.id);
        config.checks.entry(id.to_owned()).or_default().enabled = Some(false);
    }
    let settings = config.settings();
    match &arguments.config {
        Some(path) => settings.with_context(|| named(path)),
        None => Ok(settings?),
    }
}

/// The day it is, in UTC.
pub(super) fn today() -> Date {
    Date::of_epoch_seconds(now())
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
