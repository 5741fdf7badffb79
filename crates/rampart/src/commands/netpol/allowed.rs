//! `rampart netpol allowed`: whether one end reaches another.

use super::{endpoint, port, problems, worst};
use crate::arguments::netpol as arguments;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use analysis::network::{SnapshotNetwork, wanted};
use anyhow::Result;
use network_policy::Direction;
use serde_json::{Map, json};
use snapshot::{Citation, Severity};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.netpol-allowed/v1";

/// Reads the policies and answers.
pub(super) fn run(arguments: &arguments::NetpolAllowed) -> Result<ExitCode> {
    let port = port(&arguments.port)?;
    let input = arguments.input.load(wanted)?;
    let network = SnapshotNetwork::new(&input.snapshot);
    let problems = problems(&input, &network);
    tell(&problems, &input.texts);
    let from = endpoint(&network, &input.namespace, &arguments.from)?;
    let to = endpoint(&network, &input.namespace, &arguments.to)?;
    let decision = network.network().allowed(from, to, port);
    let reason = network.reason(from, to, port, &decision);
    let because = network.because(&decision);
    let mut document = Map::new();
    document.insert(
        "question".into(),
        json!({
            "from": network.title(from),
            "to": network.title(to),
            "port": port.number,
            "protocol": port.protocol.as_str(),
        }),
    );
    document.insert("allowed".into(), decision.allowed.into());
    document.insert("reason".into(), reason.as_str().into());
    document.insert("because".into(), serde_json::to_value(&because)?);
    for (direction, own, side) in [
        (Direction::Egress, from, &decision.egress),
        (Direction::Ingress, to, &decision.ingress),
    ] {
        let part = json!({
            "allowed": side.allowed,
            "isolated": side.isolated,
            "reason": network.side_reason(direction, own, port, side),
            "because": network.cite(direction, side),
        });
        document.insert(direction.as_str().into(), part);
    }
    let uncertain = decision.is_uncertain();
    if uncertain {
        document.insert("uncertain".into(), true.into());
        eprintln!(
            "{}: this hangs on addresses of pods that are not known here; they are taken to be in \
             no range but 0.0.0.0/0 and ::/0",
            Style::stderr().paint(Colour::Attention, "warning")
        );
    }
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| human(decision.allowed, &reason, &because, style),
    )?;
    let outcome = if decision.allowed {
        Outcome::Good
    } else {
        Outcome::Bad
    };
    let unknown = uncertain.then_some(Severity::Incomplete);
    Ok(outcome.status(worst(&problems).max(unknown)))
}

fn human(allowed: bool, reason: &str, because: &[Citation], style: Style) -> String {
    let word = if allowed {
        style.paint(Colour::Good, "yes")
    } else {
        style.paint(Colour::Bad, "no")
    };
    let mut text = format!("{word} - {}\n", shown(reason));
    for citation in because {
        text.push_str("  ");
        text.push_str(&shown(&citation.to_string()));
        text.push('\n');
    }
    text
}
