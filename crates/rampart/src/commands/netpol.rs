//! `rampart netpol`: who reaches whom through the network, and why.

mod allowed;
mod lint;
mod matrix;

use crate::arguments::netpol as arguments;
use crate::input::Input;
use analysis::network::SnapshotNetwork;
use anyhow::{Context, Result, bail};
use network_policy::{ADMIN_GROUP, Endpoint, GROUP, Port, Protocol};
use snapshot::{Problem, ProblemKind, Severity};
use std::net::IpAddr;
use std::process::ExitCode;

/// Runs the part that was asked for.
pub(crate) fn run(arguments: &arguments::Netpol) -> Result<ExitCode> {
    match arguments {
        arguments::Netpol::Allowed(arguments) => allowed::run(arguments),
        arguments::Netpol::Matrix(arguments) => matrix::run(arguments),
        arguments::Netpol::Lint(arguments) => lint::run(arguments),
    }
}

/// Reads `80`, `80/UDP`.
fn port(text: &str) -> Result<Port> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "TCP"));
    let number = number
        .parse()
        .ok()
        .filter(|number| *number > 0)
        .with_context(|| format!("{text:?}: the port must be between 1 and 65535"))?;
    let protocol = Protocol::parse(&protocol.to_uppercase())
        .with_context(|| format!("{text:?}: the protocol must be TCP, UDP or SCTP"))?;
    Ok(Port { protocol, number })
}

/// Reads `NS/POD`, `NS/KIND/NAME`, `POD` or an address.
fn endpoint(network: &SnapshotNetwork<'_>, namespace: &str, text: &str) -> Result<Endpoint> {
    if let Some(ip) = network_policy::address(text) {
        return Ok(network.network().endpoint(ip));
    }
    let (namespace, kind, name) = match text.split('/').collect::<Vec<_>>()[..] {
        [name] => (namespace, None, name),
        [namespace, name] => (namespace, None, name),
        [namespace, kind, name] => (namespace, Some(kind), name),
        _ => bail!("{text:?}: write NAMESPACE/POD or an IP address"),
    };
    Ok(Endpoint::Pod(network.find(namespace, kind, name)?))
}

fn is_address(ip: &str) -> Result<IpAddr> {
    network_policy::address(ip).with_context(|| format!("{ip:?} is no IP address"))
}

/// The problems of the input, with the policies that are not taken into account because they
/// cannot be read.
pub(super) fn problems(input: &Input, network: &SnapshotNetwork<'_>) -> Vec<Problem> {
    // The policies of the admin tiers are no built-in kinds, but these commands know them.
    let is_known = |problem: &Problem| {
        problem.kind == ProblemKind::UnknownKind
            && problem.resource.as_deref().is_some_and(|resource| {
                resource.split_once('.').is_some_and(|(kind, group)| {
                    let admin = ["AdminNetworkPolicy", "BaselineAdminNetworkPolicy"];
                    group == ADMIN_GROUP && admin.contains(&kind)
                })
            })
    };
    let all = input.snapshot.problems().iter();
    let mut problems: Vec<Problem> = all.filter(|p| !is_known(p)).cloned().collect();
    for (object, error) in network.malformed() {
        let location = input.snapshot.locate(object, &error.field);
        let message = format!(
            "{}: {}: {}; the policy is not taken into account",
            object.title(),
            error.field,
            error.problem
        );
        let is_known = |p: &Problem| {
            p.severity >= Severity::Incomplete
                && p.location.is_some()
                && p.location == location
                && p.message.contains(&error.field)
        };
        if !problems.iter().any(is_known) {
            let problem = Problem::new(ProblemKind::InvalidField, message, location);
            problems.push(problem.about(object.group(), object.resource()));
        }
    }
    problems
}

/// How far the worst of the problems reaches that may change an answer about the network.
fn worst(problems: &[Problem]) -> Option<Severity> {
    let matters = |problem: &&Problem| {
        problem.resource.as_deref().is_none_or(|resource| {
            let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
            group != "apiextensions.k8s.io" && analysis::network::wanted(group, plural)
                || group == GROUP && plural == "networkpolicies"
        })
    };
    problems
        .iter()
        .filter(matters)
        .map(|problem| problem.severity)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read() {
        for (text, want) in [
            ("80", Some("80/TCP")),
            ("53/udp", Some("53/UDP")),
            ("9/SCTP", Some("9/SCTP")),
            ("0", None),
            ("65536", None),
            ("80/ICMP", None),
            ("http", None),
        ] {
            let read = port(text).ok().map(|port| port.to_string());
            assert_eq!(read.as_deref(), want, "{text}");
        }
    }
}
