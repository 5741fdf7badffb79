//! `rampart schedule`: where the scheduler would put pods, whom it would make go, and why.

mod simulate;
mod wanted;

use super::can_i::columns;
use crate::input::{Input, InputArguments, SourceArguments};
use crate::output::{Because, Colour, Outcome, OutputArguments, Style, answer, shown, tell};
use crate::pods::makes_pods;
use anyhow::{Result, bail};
use clap::Args;
use model::registry::Registry;
use serde::Serialize;
use serde_json::{Map, json};
use simulate::Simulation;
use snapshot::Problem;
use std::path::PathBuf;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.schedule/v1";

/// What is asked.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart schedule --nodes nodes.yaml ./manifests\n  kubectl get nodes -o \
    json | rampart schedule --nodes - ./manifests -o json\n  rampart schedule --live new-pods.yaml"
)]
pub(crate) struct Arguments {
    /// The nodes: a file of Node objects or a list of them, `-` for standard input [default: the
    /// nodes of the input]
    #[arg(long, value_name = "FILE")]
    nodes: Option<PathBuf>,
    #[command(flatten)]
    input: InputArguments,
    /// Decides among nodes that are equally good; the same seed gives the same answer
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    output: OutputArguments,
}

/// What became of one pod.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decision {
    question: String,
    /// The kind of what makes the pod, or `Pod`.
    kind: String,
    namespace: String,
    /// The pod's name; of what makes pods, its name with a number.
    name: String,
    priority: i64,
    /// Whether there is a node for it.
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    reason: String,
    /// Who goes to make room for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preempts: Vec<Victim>,
    /// How many of them a disruption budget wanted to keep.
    #[serde(skip_serializing_if = "is_none")]
    budgets_violated: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scores: Vec<Score>,
    because: Vec<Because>,
}

/// A pod that goes.
#[derive(Debug, Serialize)]
pub(crate) struct Victim {
    namespace: String,
    name: String,
    priority: i64,
    node: String,
}

/// What a plugin gave to the node.
#[derive(Debug, Serialize)]
pub(crate) struct Score {
    plugin: &'static str,
    score: i64,
    weight: i64,
}

/// How full a node is in the end.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filling {
    name: String,
    pods: usize,
    allowed_pods: i64,
    /// Thousandths of a processor.
    cpu: i64,
    allocatable_cpu: i64,
    /// Bytes.
    memory: i64,
    allocatable_memory: i64,
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// Reads everything, plays it through and tells.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (input, nodes) = arguments.load()?;
    let mut problems: Vec<Problem> = input.snapshot.problems().to_vec();
    tell(input.snapshot.problems(), &input.texts);
    let mut worst = input.snapshot.worst_problem();
    if let Some(nodes) = &nodes {
        tell(nodes.snapshot.problems(), &nodes.texts);
        problems.extend(nodes.snapshot.problems().iter().cloned());
        worst = worst.max(nodes.snapshot.worst_problem());
    }
    let registry = Registry::builtin();
    let node_source = nodes.as_ref().unwrap_or(&input);
    let mut simulation = Simulation::new(&input.snapshot, &node_source.snapshot, arguments.seed);
    let only = arguments.input.source.namespace.as_deref();
    let decisions = simulation.play(&registry, only);
    let fillings = simulation.fillings();
    let mut document = Map::new();
    document.insert("question".into(), json!({ "seed": arguments.seed }));
    document.insert("decisions".into(), serde_json::to_value(&decisions)?);
    document.insert("nodes".into(), serde_json::to_value(&fillings)?);
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| human(&decisions, &fillings, style),
    )?;
    let outcome = if decisions.iter().all(|decision| decision.allowed) {
        Outcome::Good
    } else {
        Outcome::Bad
    };
    Ok(outcome.status(worst))
}

fn is_needed(group: &str, plural: &str) -> bool {
    makes_pods(group, plural)
        || matches!(
            (group, plural),
            (
                "",
                "nodes"
                    | "namespaces"
                    | "services"
                    | "persistentvolumeclaims"
                    | "persistentvolumes"
            ) | ("scheduling.k8s.io", "priorityclasses")
                | ("policy", "poddisruptionbudgets")
                | ("storage.k8s.io", "storageclasses" | "csinodes")
                | ("node.k8s.io", "runtimeclasses")
        )
}

impl Arguments {
    /// The pods and all that goes with them; and the nodes, if a file of them was named.
    fn load(&self) -> Result<(Input, Option<Input>)> {
        let source = &self.input.source;
        let is_named = source.live || source.snapshot.is_some() || !self.input.paths.is_empty();
        let Some(path) = &self.nodes else {
            return Ok((self.input.load(is_needed)?, None));
        };
        let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
        if is_stdin(path) && self.input.paths.iter().any(is_stdin) {
            bail!("standard input can be read once: as --nodes or as manifests");
        }
        let nodes = InputArguments {
            paths: vec![path.clone()],
            source: SourceArguments {
                namespace: source.namespace.clone(),
                without_defaults: source.without_defaults,
                ..SourceArguments::default()
            },
        };
        let nodes = nodes.load(is_needed)?;
        if !is_named {
            // One file that holds everything.
            return Ok((nodes, None));
        }
        Ok((self.input.load(is_needed)?, Some(nodes)))
    }
}

fn human(decisions: &[Decision], fillings: &[Filling], style: Style) -> String {
    if decisions.is_empty() {
        return "There are no pods that wait for a node.\n".to_owned();
    }
    let mut rows = vec![["POD", "PRIORITY", "NODE", "WHY"].map(str::to_owned)];
    for decision in decisions {
        rows.push([
            format!("{}/{}", decision.namespace, decision.name),
            decision.priority.to_string(),
            decision.node.clone().unwrap_or_else(|| "-".to_owned()),
            decision.reason.clone(),
        ]);
        for victim in &decision.preempts {
            let (namespace, name, priority) = (&victim.namespace, &victim.name, victim.priority);
            let text = format!("  preempts {namespace}/{name} (priority {priority})");
            rows.push([String::new(), String::new(), String::new(), text]);
        }
    }
    let mut text = columns(&rows);
    text.push('\n');
    let mut rows = vec![["NODE", "PODS", "CPU", "MEMORY"].map(str::to_owned)];
    for node in fillings {
        rows.push([
            node.name.clone(),
            format!("{}/{}", node.pods, node.allowed_pods),
            format!("{}m/{}m", node.cpu, node.allocatable_cpu),
            format!(
                "{}/{}",
                mebibytes(node.memory),
                mebibytes(node.allocatable_memory)
            ),
        ]);
    }
    text.push_str(&columns(&rows));
    let placed = decisions.iter().filter(|decision| decision.allowed).count();
    let gone: usize = decisions.iter().map(|d| d.preempts.len()).sum();
    let left = decisions.len() - placed;
    let colour = if left == 0 { Colour::Good } else { Colour::Bad };
    let summary = format!("{placed} placed, {left} without a node, {gone} preempted");
    text.push_str(&format!("\n{}\n", style.paint(colour, &shown(&summary))));
    text
}

fn mebibytes(bytes: i64) -> String {
    format!("{}Mi", bytes / (1024 * 1024))
}
