//! How every command that audits comes by its settings, and runs the checks.

use crate::commands::now;
use analysis::audit::{Baseline, Config, Date, Options, Report, Settings};
use analysis::checks;
use anyhow::{Context, Result};
use snapshot::{ProblemKind, Severity, Snapshot};
use std::num::NonZero;
use std::path::Path;

/// The configuration file, if there is one, with what the command line changes: the only checks
/// that are to run, and those that are not.
pub(crate) fn settings(
    config: Option<&Path>,
    only: &[String],
    skip: &[String],
) -> Result<Settings> {
    let named = |path: &Path| path.display().to_string();
    let mut parsed = match config {
        Some(path) => Config::parse(&read(path)?).with_context(|| named(path))?,
        None => Config::default(),
    };
    parsed.only.extend(only.iter().cloned());
    for id in skip {
        // However it is written in the file, it is one check.
        let id = checks::find(id).map_or(id.as_str(), |check| check.id);
        parsed.checks.entry(id.to_owned()).or_default().enabled = Some(false);
    }
    let settings = parsed.settings();
    match config {
        Some(path) => settings.with_context(|| named(path)),
        None => Ok(settings?),
    }
}

/// What was known before, if that is said.
pub(crate) fn baseline(path: Option<&Path>) -> Result<Option<Baseline>> {
    let parse =
        |path: &Path| Baseline::parse(&read(path)?).with_context(|| path.display().to_string());
    path.map(parse).transpose()
}

/// How an audit runs here and now.
pub(crate) fn options<'s>(settings: &'s Settings, baseline: Option<&'s Baseline>) -> Options<'s> {
    Options {
        settings,
        baseline,
        today: Date::of_epoch_seconds(now()),
        workers: std::thread::available_parallelism().map_or(1, NonZero::get),
    }
}

/// Runs the checks; of a `namespace`, if one is named, what is found in it is kept.
pub(crate) fn audit<'a>(
    snapshot: &'a Snapshot,
    settings: &Settings,
    baseline: Option<&Baseline>,
    namespace: Option<&str>,
) -> Report<'a> {
    let mut report = analysis::audit::run(snapshot, options(settings, baseline));
    if let Some(namespace) = namespace {
        report.keep_namespace(namespace);
    }
    report
}

/// How far the worst problem reaches. Of a kind that is not known nothing but the metadata was
/// audited: that is no complete answer.
pub(crate) fn worst(snapshot: &Snapshot) -> Option<Severity> {
    let is_unknown = |p: &snapshot::Problem| p.kind == ProblemKind::UnknownKind;
    let unknown = snapshot
        .problems()
        .iter()
        .any(is_unknown)
        .then_some(Severity::Incomplete);
    snapshot.worst_problem().max(unknown)
}

/// Reads a file that an argument names.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| path.display().to_string())
}
