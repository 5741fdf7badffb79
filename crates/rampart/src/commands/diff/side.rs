//! One side of a comparison: objects that are audited now, or the document of an earlier audit.

use super::{Record, Recorded, worst};
use crate::auditing::{self, read};
use crate::input::{ALL, Input, InputArguments, SourceArguments};
use analysis::audit::{Mark, Report, Settings};
use analysis::finding::Finding;
use anyhow::{Context, Result, bail};
use model::decode::{Format, decode};
use serde::Deserialize;
use snapshot::{Location, Problem, ProblemKind, SCHEMA_VERSION, Severity};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// The version of the documents that are read.
const AUDIT: &str = "rampart.audit/v1";

/// How documents of audits begin in YAML: their fields are sorted.
const YAML: &[u8] = b"failOn:";

/// What a side was read from.
pub(super) enum Source {
    /// The document of an audit.
    Document(Box<Record>),
    /// Objects.
    Objects(Box<Input>),
}

/// What a file is.
enum Sort {
    Audit(Record),
    Snapshot,
    Manifests,
}

impl Source {
    /// Opens what a path names or, without one, what `source` does.
    pub(super) fn open(path: Option<&Path>, source: &SourceArguments) -> Result<Self> {
        let mut arguments = InputArguments {
            paths: Vec::new(),
            source: source.clone(),
        };
        if let Some(path) = path {
            match sort(path).with_context(|| path.display().to_string())? {
                Sort::Audit(record) => return Ok(Self::Document(Box::new(record))),
                Sort::Snapshot => arguments.source.snapshot = Some(path.to_owned()),
                Sort::Manifests => arguments.paths.push(path.to_owned()),
            }
        }
        Ok(Self::Objects(Box::new(arguments.load(ALL)?)))
    }
}

/// Finds out what a file is. What is no document of ours is manifests.
fn sort(path: &Path) -> Result<Sort> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: Option<String>,
    }
    if path == Path::new("-") || !std::fs::metadata(path)?.is_file() {
        return Ok(Sort::Manifests);
    }
    let mut start = Vec::new();
    std::fs::File::open(path)?
        .take(64)
        .read_to_end(&mut start)?;
    // Only snapshots are compressed.
    if start.starts_with(&[0x1f, 0x8b]) {
        return Ok(Sort::Snapshot);
    }
    if start.starts_with(YAML) {
        let value = decode(&read(path)?, Format::Yaml)?.value;
        let head = Head::deserialize(&value)?;
        return match head.schema_version.as_deref() {
            Some(AUDIT) => Ok(Sort::Audit(serde_json::from_value(value)?)),
            _ => Ok(Sort::Manifests),
        };
    }
    if !start.trim_ascii_start().starts_with(b"{") {
        return Ok(Sort::Manifests);
    }
    let text = read(path)?;
    // Several objects in a row, and whatever is no JSON, are for the reader of manifests.
    let Ok(head) = serde_json::from_slice::<Head>(&text) else {
        return Ok(Sort::Manifests);
    };
    match head.schema_version.as_deref() {
        Some(AUDIT) => Ok(Sort::Audit(serde_json::from_slice(&text)?)),
        Some(SCHEMA_VERSION) => Ok(Sort::Snapshot),
        Some(other) if other.starts_with("rampart.") => {
            bail!("a document of the form {other}: {AUDIT} and {SCHEMA_VERSION} can be compared")
        }
        _ => Ok(Sort::Manifests),
    }
}

/// One side.
pub(super) struct Side<'i> {
    /// The objects, if there are any.
    pub(super) input: Option<&'i Input>,
    pub(super) findings: Findings<'i>,
    /// The fingerprints of what is excused.
    pub(super) excused: HashSet<String>,
}

/// What was found.
pub(super) enum Findings<'i> {
    Audit(Report<'i>),
    Record(&'i Record),
}

impl<'i> Side<'i> {
    /// Audits objects; a document was audited before.
    pub(super) fn of(source: &'i Source, settings: &Settings) -> Self {
        match source {
            Source::Document(record) => {
                let excused = record.suppressed.iter();
                Self {
                    input: None,
                    findings: Findings::Record(record),
                    excused: excused.map(|s| s.finding.fingerprint.clone()).collect(),
                }
            }
            Source::Objects(input) => {
                let report = auditing::audit(&input.snapshot, settings, None, None);
                let excused = report.suppressed.iter();
                Self {
                    input: Some(input),
                    excused: excused.map(|s| s.finding.fingerprint()).collect(),
                    findings: Findings::Audit(report),
                }
            }
        }
    }

    /// What findings are compared by.
    pub(super) fn marks(&self) -> Vec<Mark> {
        match &self.findings {
            Findings::Audit(report) => report
                .findings
                .iter()
                .map(|finding| Mark {
                    fingerprint: finding.fingerprint(),
                    severity: finding.severity,
                })
                .collect(),
            Findings::Record(record) => recorded(record)
                .map(|finding| Mark {
                    fingerprint: finding.fingerprint.clone(),
                    severity: finding.severity,
                })
                .collect(),
        }
    }

    /// The finding of a mark.
    pub(super) fn finding(&self, at: usize) -> Option<Recorded> {
        match &self.findings {
            Findings::Audit(report) => report.findings.get(at).map(Recorded::of),
            // Those of its baseline follow the others.
            Findings::Record(record) => match at.checked_sub(record.findings.len()) {
                Some(at) => record.known.get(at).cloned(),
                None => record.findings.get(at).cloned(),
            },
        }
    }

    /// The source lines of findings that may be shown.
    pub(super) fn places(&self, marks: &[usize]) -> Vec<Option<(&'i Input, Location)>> {
        let place = |finding: &Finding<'_>| {
            let location = finding.location.clone().filter(|_| !finding.is_secret);
            self.input.zip(location)
        };
        marks
            .iter()
            .map(|at| match &self.findings {
                Findings::Audit(report) => report.findings.get(*at).and_then(place),
                Findings::Record(_) => None,
            })
            .collect()
    }

    /// What could not be understood.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Problem> {
        match (&self.findings, self.input) {
            (Findings::Record(record), _) => record.problems.iter(),
            (_, Some(input)) => input.snapshot.problems().iter(),
            (Findings::Audit(_), None) => [].iter(),
        }
    }

    /// How far the worst problem reaches. What an earlier audit could not read makes the
    /// comparison incomplete; this one read everything it was given.
    pub(super) fn worst(&self) -> Option<Severity> {
        match self.input {
            Some(input) => worst(&input.snapshot),
            None => self
                .problems()
                .map(|problem| match problem.kind {
                    ProblemKind::UnknownKind => Severity::Incomplete,
                    _ => problem.severity.min(Severity::Incomplete),
                })
                .max(),
        }
    }
}

fn recorded(record: &Record) -> impl Iterator<Item = &Recorded> {
    record.findings.iter().chain(&record.known)
}
