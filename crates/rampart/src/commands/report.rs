//! `rampart report`: everything that is found, as one page for people.

mod access;
mod attack;
mod exposure;
mod network;
mod pods;
mod powers;
mod summary;

use crate::arguments::SeverityArgument;
use crate::auditing::{self, worst};
use crate::findings::{self, Shown};
use crate::input::{ALL, Input, InputArguments};
use crate::output::{Outcome, tell, write};
use crate::page::Page;
use analysis::finding::Severity;
use analysis::network::SnapshotNetwork;
use analysis::score::own;
use anyhow::{Context, Result};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart report ./manifests -o report.html\n  rampart report --live \
    --title production -o report.html\n\n\
    The page needs nothing but itself and loads nothing. The values of secrets are not in it, and \
    the same input makes the same page."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// What the page is called
    #[arg(long, value_name = "TEXT", default_value = "Rampart report")]
    title: String,
    /// A line below the title, such as the date of the report or who made it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Settings of the checks, and what is excused (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What `rampart audit -o json` wrote before: only what is new is listed
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// How bad a finding must be for exit status 1 [default: high]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<SeverityArgument>,
    /// The file to write, `-` for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Reads everything, looks at it in every way, and writes the page.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let settings = auditing::settings(arguments.config.as_deref(), &[], &[])?;
    let baseline = auditing::baseline(arguments.baseline.as_deref())?;
    let input = arguments.input.load_with(&settings.pod_templates, ALL)?;
    let snapshot = &input.snapshot;
    let namespace = arguments.input.source.namespace.as_deref();
    let report = auditing::audit(snapshot, &settings, baseline.as_ref(), namespace);
    let network = SnapshotNetwork::new(snapshot);
    let problems = super::netpol::problems(&input, &network);
    tell(&problems, &input.texts);
    let fail_on = arguments.fail_on.map_or(settings.fail_on, Severity::from);
    let shown = Shown {
        report: &report,
        problems: &problems,
        texts: &input.texts,
        fail_on,
        has_baseline: baseline.is_some(),
    };
    let ways = attack::ways(snapshot);
    let scores = own::score(snapshot, &report.findings);

    let mut page = Page::new(arguments.title.as_str());
    let about = summary::About {
        note: arguments.note.as_deref(),
        source: source(arguments, &input),
        ways: ways.as_slice(),
        scores: &scores,
    };
    summary::write(&mut page, &shown, &about);
    attack::write(&mut page, &ways);
    findings::html::findings(&mut page, &shown, snapshot);
    summary::scores(&mut page, &scores);
    pods::write(&mut page, snapshot);
    network::write(&mut page, snapshot, &network);
    access::write(&mut page, snapshot);
    let text = page.render();
    if arguments.output == Path::new("-") {
        write(&text)?;
    } else {
        std::fs::write(&arguments.output, text)
            .with_context(|| arguments.output.display().to_string())?;
    }
    let is_bad = report.findings.iter().any(|f| f.severity >= fail_on);
    let outcome = if is_bad { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(worst(snapshot)))
}

/// Where the objects come from, in words.
fn source(arguments: &Arguments, input: &Input) -> String {
    let input_arguments = &arguments.input;
    if let Some(live) = &input.live {
        return format!("the cluster at {}", live.client().server());
    }
    if let Some(path) = &input_arguments.source.snapshot {
        return format!("the snapshot {}", path.display());
    }
    let names: Vec<String> = input_arguments
        .paths
        .iter()
        .map(|path| match path.as_os_str().to_str() {
            Some("-") => "standard input".to_owned(),
            _ => path.display().to_string(),
        })
        .collect();
    format!("manifests: {}", names.join(", "))
}
