//! `rampart netpol lint`: what is wrong with the policies, and what they leave open.

use super::{problems, worst};
use crate::arguments::netpol as arguments;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use analysis::network::{SnapshotNetwork, wanted};
use anyhow::Result;
use network_policy::lint::{Finding, Severity, Target};
use serde_json::{Map, Value, json};
use snapshot::Citation;
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
    let findings: Vec<(Finding, Option<Citation>)> = network
        .network()
        .lint()
        .into_iter()
        .filter(|finding| only.is_none_or(|only| namespace(&network, finding) == only))
        .map(|finding| {
            let citation = network.cite_finding(&finding);
            (finding, citation)
        })
        .collect();
    let listed: Vec<Value> = findings
        .iter()
        .map(|(finding, citation)| {
            Ok(json!({
                "code": finding.code,
                "severity": finding.severity(),
                "message": finding.message,
                "because": citation.iter().collect::<Vec<_>>(),
            }))
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
    let fails = |severity: Severity| match arguments.fail_on {
        arguments::FailOn::Low => true,
        arguments::FailOn::Medium => severity >= Severity::Medium,
        arguments::FailOn::High => severity >= Severity::High,
        arguments::FailOn::Never => false,
    };
    let outcome = if findings.iter().any(|(f, _)| fails(f.severity())) {
        Outcome::Bad
    } else {
        Outcome::Good
    };
    Ok(outcome.status(worst(&problems)))
}

fn namespace<'a>(network: &'a SnapshotNetwork<'_>, finding: &'a Finding) -> &'a str {
    match &finding.target {
        Target::Policy(id) => network
            .network()
            .policy(*id)
            .map_or("", |policy| policy.namespace.as_str()),
        Target::Namespace(name) => name,
        Target::Pod(id) => network
            .network()
            .pod(*id)
            .map_or("", |pod| pod.namespace.as_str()),
    }
}

fn human(findings: &[(Finding, Option<Citation>)], style: Style) -> String {
    if findings.is_empty() {
        return "Nothing found.\n".to_owned();
    }
    let mut text = String::new();
    for (finding, citation) in findings {
        let (word, colour) = match finding.severity() {
            Severity::High => ("high", Colour::Bad),
            Severity::Medium => ("medium", Colour::Attention),
            Severity::Low => ("low", Colour::Faint),
        };
        let place = citation.as_ref().map(ToString::to_string);
        text.push_str(&format!(
            "{} {} {}\n  {}\n",
            style.paint(colour, word),
            style.paint(Colour::Strong, finding.code.as_str()),
            shown(&place.unwrap_or_default()),
            shown(&finding.message)
        ));
    }
    text
}
