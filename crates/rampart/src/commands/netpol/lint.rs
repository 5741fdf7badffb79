//! `rampart netpol lint`: what is wrong with the policies, and what they leave open.

use super::{problems, worst};
use crate::arguments::netpol as arguments;
use crate::findings::colour;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use analysis::finding::Severity;
use analysis::lint::{Linted, lint};
use analysis::network::{SnapshotNetwork, wanted};
use anyhow::Result;
use serde_json::{Map, Value};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.netpol-lint/v1";

/// Reads the policies and looks at them.
pub(super) fn run(arguments: &arguments::NetpolLint) -> Result<ExitCode> {
    let input = arguments.input.load(wanted)?;
    let network = SnapshotNetwork::new(&input.snapshot);
    let problems = problems(&input, &network);
    tell(&problems, &input.texts);
    let only = arguments.input.source.namespace.as_deref();
    let mut findings = lint(&input.snapshot, &network);
    if let Some(only) = only {
        findings.retain(|linted| namespace(linted) == only);
    }
    let listed: Vec<Value> = findings
        .iter()
        .map(|linted| {
            let mut listed = serde_json::to_value(&linted.finding)?;
            if let Some(listed) = listed.as_object_mut() {
                listed.insert("code".into(), serde_json::to_value(linted.code)?);
                let because: Vec<_> = linted.citation.iter().collect();
                listed.insert("because".into(), serde_json::to_value(because)?);
            }
            Ok(listed)
        })
        .collect::<Result<_>>()?;
    let mut document = Map::new();
    document.insert("findings".into(), listed.into());
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| human(&findings, style),
    )?;
    let least = match arguments.fail_on {
        arguments::FailOn::Info => Some(Severity::Info),
        arguments::FailOn::Low => Some(Severity::Low),
        arguments::FailOn::Medium => Some(Severity::Medium),
        arguments::FailOn::High => Some(Severity::High),
        arguments::FailOn::Critical => Some(Severity::Critical),
        arguments::FailOn::Never => None,
    };
    let fails = |linted: &Linted<'_>| least.is_some_and(|least| linted.finding.severity >= least);
    let outcome = if findings.iter().any(fails) {
        Outcome::Bad
    } else {
        Outcome::Good
    };
    Ok(outcome.status(worst(&problems)))
}

/// The namespace that a finding is about; empty for policies of the whole cluster.
fn namespace<'a>(linted: &Linted<'a>) -> &'a str {
    let object = linted.finding.object;
    if object.is("", "namespaces") {
        object.name()
    } else {
        object.namespace()
    }
}

fn human(findings: &[Linted<'_>], style: Style) -> String {
    if findings.is_empty() {
        return "Nothing found.\n".to_owned();
    }
    let mut text = String::new();
    for Linted {
        code,
        finding,
        citation,
    } in findings
    {
        let place = citation.as_ref().map(ToString::to_string);
        text.push_str(&format!(
            "{} {} ({}) {}\n  {}\n",
            style.paint(colour(finding.severity), finding.severity.as_str()),
            style.paint(Colour::Strong, code.as_str()),
            finding.check.id,
            shown(&place.unwrap_or_default()),
            shown(&finding.message)
        ));
    }
    text
}
