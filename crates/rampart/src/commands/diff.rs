//! `rampart diff`: what an audit finds that an earlier one did not, and the other way round.

mod side;
mod text;

use crate::arguments::SeverityArgument;
use crate::auditing::{self, worst};
use crate::findings::{Shown, sarif};
use crate::input::SourceArguments;
use crate::output::{self, Format, Outcome, Part, Style, tell};
use analysis::access::{self, Access, Change};
use analysis::audit::{Record, Recorded, Report, compare};
use analysis::finding::Severity;
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use rbac::Subject;
use serde_json::{Value, json};
use side::{Findings, Side, Source};
use snapshot::Problem;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.diff/v1";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart diff main/manifests ./manifests\n  \
    rampart diff yesterday.json --live\n  \
    rampart diff before.json.gz after.json.gz -o markdown\n\n\
    Findings are matched by their fingerprints, so that moved lines are no difference. Exit \
    status 1: a finding at or above --fail-on is new, or became as bad."
)]
pub(crate) struct Arguments {
    /// What was before: manifests, a file that `rampart snapshot` wrote, or what `rampart audit -o
    /// json` wrote
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is now, of the same sorts; --live and --snapshot stand in its place
    #[arg(value_name = "NEW", conflicts_with_all = ["live", "snapshot"])]
    new: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
    /// Settings of the checks, and what is excused (YAML); for both sides that are audited now
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How bad a new finding must be for exit status 1 [default: high]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<SeverityArgument>,
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Human)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
    /// A Markdown page, for pull requests
    Markdown,
    /// SARIF 2.1.0 of what is new
    Sarif,
}

/// What differs, in the form in which documents hold findings.
struct Compared {
    new: Vec<Recorded>,
    gone: Vec<Recorded>,
    /// Found before, and excused now.
    excused: Vec<Recorded>,
    changed: Vec<Changed>,
    same: usize,
    /// Who may do what now; `None` if a side is a document, which has no roles.
    access: Option<Vec<Change>>,
    fail_on: Severity,
    problems: Vec<Problem>,
}

/// A finding whose severity is another.
#[derive(Debug, serde::Serialize)]
struct Changed {
    before: Severity,
    finding: Recorded,
}

/// Reads both sides, compares, and writes what differs.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let settings = auditing::settings(arguments.config.as_deref(), &[], &[])?;
    let has_second = arguments.source.live || arguments.source.snapshot.is_some();
    if arguments.new.is_none() && !has_second {
        bail!("name what to compare with: a second path, --live, or --snapshot FILE");
    }
    if arguments.old == Path::new("-") && arguments.new.as_deref() == Some(Path::new("-")) {
        bail!("only one side can be standard input");
    }
    let mut source = arguments.source.clone();
    source
        .pod_templates
        .extend(settings.pod_templates.iter().cloned());
    let old = Source::open(Some(&arguments.old), &without_source(&source))?;
    let new = Source::open(arguments.new.as_deref(), &source)?;
    let (old, new) = (Side::of(&old, &settings), Side::of(&new, &settings));
    for side in [&old, &new] {
        if let Some(input) = side.input {
            tell(input.snapshot.problems(), &input.texts);
        }
    }
    let difference = compare(&old.marks(), &new.marks());
    let fail_on = arguments.fail_on.map_or(settings.fail_on, Severity::from);
    if arguments.output == Form::Sarif {
        sarif_of_new(&new, &difference.new, fail_on)?;
    }
    let (excused, gone): (Vec<Recorded>, Vec<Recorded>) = difference
        .gone
        .iter()
        .filter_map(|at| old.finding(*at))
        .partition(|finding| new.excused.contains(&finding.fingerprint));
    let changed = difference.changed.iter().filter_map(|(before, after)| {
        Some(Changed {
            before: old.finding(*before)?.severity,
            finding: new.finding(*after)?,
        })
    });
    let both = old.input.zip(new.input);
    let compared = Compared {
        new: difference
            .new
            .iter()
            .filter_map(|at| new.finding(*at))
            .collect(),
        gone,
        excused,
        changed: changed.collect(),
        same: difference.same,
        access: both.map(|(old, new)| access::changes(&old.snapshot, &new.snapshot)),
        fail_on,
        problems: old.problems().chain(new.problems()).cloned().collect(),
    };
    match arguments.output {
        Form::Sarif => {}
        Form::Human => {
            let places = new.places(&difference.new);
            output::write(&text::human(&compared, &places, Style::stdout()))?;
        }
        Form::Markdown => output::write(&text::markdown(&compared))?,
        Form::Json => output::stream_document(Format::Json, document(&compared)?)?,
        Form::Yaml => output::stream_document(Format::Yaml, document(&compared)?)?,
    }
    let raised = compared
        .changed
        .iter()
        .filter(|changed| changed.finding.severity > changed.before)
        .map(|changed| &changed.finding);
    let is_bad = compared
        .new
        .iter()
        .chain(raised)
        .any(|f| f.severity >= fail_on);
    let outcome = if is_bad { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(old.worst().max(new.worst())))
}

/// How the old side is read: as the new one, from a path.
fn without_source(source: &SourceArguments) -> SourceArguments {
    SourceArguments {
        live: false,
        snapshot: None,
        cluster: crate::input::ClusterArguments::default(),
        ..source.clone()
    }
}

/// Writes the new findings as SARIF, which has the places of what was audited now.
fn sarif_of_new(side: &Side<'_>, new: &[usize], fail_on: Severity) -> Result<()> {
    let (Findings::Audit(report), Some(input)) = (&side.findings, side.input) else {
        bail!("-o sarif is of what is audited now: NEW is a document of an earlier audit");
    };
    let found = new.iter().filter_map(|at| report.findings.get(*at));
    let report = Report {
        findings: found.cloned().collect(),
        suppressed: Vec::new(),
        known: Vec::new(),
        notices: Vec::new(),
        looked_at: report.looked_at,
    };
    let shown = Shown {
        report: &report,
        problems: input.snapshot.problems(),
        texts: &input.texts,
        fail_on,
        has_baseline: true,
    };
    output::stream(|sink| output::stream_json(sarif::document(&shown), sink))
}

/// The answer as a document, its fields sorted.
fn document(compared: &Compared) -> Result<Vec<(&'static str, Part<'_>)>> {
    let access = match &compared.access {
        Some(changes) => Value::Array(changes.iter().map(change).collect()),
        None => Value::Null,
    };
    Ok(vec![
        ("access", access.into()),
        ("changed", Part::list(&compared.changed)),
        ("excused", Part::list(&compared.excused)),
        ("failOn", compared.fail_on.as_str().into()),
        ("gone", Part::list(&compared.gone)),
        ("new", Part::list(&compared.new)),
        ("problems", serde_json::to_value(&compared.problems)?.into()),
        ("same", compared.same.into()),
        ("schemaVersion", SCHEMA.into()),
    ])
}

fn change(change: &Change) -> Value {
    let (kind, namespace, name) = subject(&change.subject);
    let mut subject = json!({"kind": kind, "name": name});
    if !namespace.is_empty() {
        model::meta::set(&mut subject, &["namespace"], namespace);
    }
    let verbs = |is_gain: bool| -> Vec<Value> {
        let wanted = change.differences.iter().filter(|d| d.is_gain() == is_gain);
        wanted
            .map(|difference| {
                let mut right = json!({
                    "group": difference.resource.group,
                    "resource": difference.resource.resource,
                    "verb": difference.verb,
                });
                let subresource = difference.resource.subresource.as_str();
                if !subresource.is_empty() {
                    model::meta::set(&mut right, &["subresource"], subresource);
                }
                if difference.access() == Access::Named {
                    model::meta::set(&mut right, &["onlyNames"], true);
                }
                right
            })
            .collect()
    };
    let mut document = json!({
        "subject": subject,
        "gained": verbs(true),
        "lost": verbs(false),
    });
    if !change.namespace.is_empty() {
        model::meta::set(&mut document, &["namespace"], change.namespace.as_str());
    }
    document
}

/// Kind, namespace and name.
fn subject(subject: &Subject) -> (&'static str, &str, &str) {
    match subject {
        Subject::User(name) => ("User", "", name),
        Subject::Group(name) => ("Group", "", name),
        Subject::ServiceAccount { namespace, name } => ("ServiceAccount", namespace, name),
    }
}
