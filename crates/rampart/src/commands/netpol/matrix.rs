//! `rampart netpol matrix`: who reaches whom, for all pods.

use super::{is_address, port, problems, worst};
use crate::arguments::netpol::{self as arguments, MatrixFormat};
use crate::output::{Colour, Format, Outcome, Style, answer, shown, tell, write};
use analysis::network::{SnapshotNetwork, wanted};
use anyhow::Result;
use network_policy::{Endpoint, Matrix, PodId, Port};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.netpol-matrix/v1";
/// How many groups a table for people shows.
const SHOWN: usize = 60;
/// How many members of a group it names.
const NAMED: usize = 3;

/// Reads the policies and works the matrix out.
pub(super) fn run(arguments: &arguments::NetpolMatrix) -> Result<ExitCode> {
    let ports: Vec<Port> = arguments
        .ports
        .iter()
        .map(|text| port(text))
        .collect::<Result<_>>()?;
    let addresses: Vec<IpAddr> = arguments
        .addresses
        .iter()
        .map(|text| is_address(text))
        .collect::<Result<_>>()?;
    let input = arguments.input.load(wanted)?;
    let network = SnapshotNetwork::new(&input.snapshot);
    let problems = problems(&input, &network);
    tell(&problems, &input.texts);
    let matrix = network.network().matrix(&ports, &addresses);
    let status = Outcome::Good.status(worst(&problems));
    let format = match arguments.output {
        MatrixFormat::Csv => {
            write(&csv(&network, &matrix))?;
            return Ok(status);
        }
        MatrixFormat::Human => Format::Human,
        MatrixFormat::Json => Format::Json,
        MatrixFormat::Yaml => Format::Yaml,
    };
    answer(
        format,
        SCHEMA,
        document(&network, &matrix),
        &problems,
        |style| human(&network, &matrix, style),
    )?;
    Ok(status)
}

/// Groups, and for each port which group reaches which.
fn document(network: &SnapshotNetwork<'_>, matrix: &Matrix<'_>) -> Map<String, Value> {
    let groups: Vec<Value> = matrix
        .classes()
        .iter()
        .map(|members| {
            let titles: Vec<String> = members.iter().map(|one| network.title(*one)).collect();
            titles.into()
        })
        .collect();
    let ports: Vec<Value> = matrix
        .ports()
        .iter()
        .enumerate()
        .map(|(at, port)| {
            let (open, all) = matrix.open_pairs(at);
            let reaches: Vec<Vec<usize>> = (0..matrix.classes().len())
                .map(|from| matrix.reached(at, from).collect())
                .collect();
            json!({
                "port": port.number,
                "protocol": port.protocol.as_str(),
                "openPairs": open,
                "pairs": all,
                "reaches": reaches,
            })
        })
        .collect();
    let mut document = Map::new();
    document.insert("groups".into(), groups.into());
    document.insert("ports".into(), ports.into());
    document.insert(
        "note".into(),
        "members of a group reach the same and are reached by the same; besides, a pod reaches \
         itself, and NetworkPolicies do not come between a pod and its own node"
            .into(),
    );
    document
}

/// Every pair and port, expanded.
fn csv(network: &SnapshotNetwork<'_>, matrix: &Matrix<'_>) -> String {
    let pods = (0..).map(PodId).take(network.network().pods().len());
    let addresses = matrix.addresses().iter().copied().map(Endpoint::Address);
    let ends: Vec<Endpoint> = pods.map(Endpoint::Pod).chain(addresses).collect();
    let titles: Vec<String> = ends.iter().map(|one| cell(&network.title(*one))).collect();
    let mut text = String::from("from,to,port,protocol,allowed\n");
    for (at, port) in matrix.ports().iter().enumerate() {
        for (from, from_title) in ends.iter().zip(&titles) {
            for (to, to_title) in ends.iter().zip(&titles) {
                if from == to {
                    continue;
                }
                let allowed = matrix.allowed(at, *from, *to) == Some(true);
                let (number, protocol) = (port.number, port.protocol.as_str());
                text.push_str(&format!(
                    "{from_title},{to_title},{number},{protocol},{allowed}\n"
                ));
            }
        }
    }
    text
}

/// A text as a cell of a CSV file.
fn cell(text: &str) -> String {
    let text = shown(text);
    if text.contains(['"', ',', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn human(network: &SnapshotNetwork<'_>, matrix: &Matrix<'_>, style: Style) -> String {
    let classes = matrix.classes();
    let mut text = String::new();
    for (number, members) in classes.iter().enumerate().take(SHOWN) {
        let mut titles: Vec<String> = members
            .iter()
            .take(NAMED)
            .map(|one| shown(&network.title(*one)))
            .collect();
        if members.len() > NAMED {
            titles.push(format!("and {} more", members.len() - NAMED));
        }
        let number = style.paint(Colour::Strong, &format!("{:>3}", number + 1));
        text.push_str(&format!("{number}  {}\n", titles.join(", ")));
    }
    if classes.len() > SHOWN {
        text.push_str(&format!(
            "and {} groups more: -o json or -o csv has them all\n",
            classes.len() - SHOWN
        ));
    }
    for (at, port) in matrix.ports().iter().enumerate() {
        let (open, all) = matrix.open_pairs(at);
        text.push_str(&format!(
            "\n{} {open} of {all} pairs of pods are open (rows reach columns)\n     ",
            style.paint(Colour::Strong, &format!("{port}:")),
        ));
        let shown = classes.len().min(SHOWN);
        for to in 0..shown {
            text.push_str(&format!("{:>3}", to + 1));
        }
        text.push('\n');
        for from in 0..shown {
            text.push_str(&format!("{:>3}  ", from + 1));
            for to in 0..shown {
                let mark = if matrix.is_class_allowed(at, from, to) {
                    style.paint(Colour::Good, "  x")
                } else {
                    style.paint(Colour::Faint, "  .")
                };
                text.push_str(&mark);
            }
            text.push('\n');
        }
    }
    text
}
