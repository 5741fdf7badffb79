//! `rampart schedule`: where the scheduler would put pods, whom it would make go, and why.

mod budgets;
mod simulate;
mod told;
mod wanted;

use super::can_i::columns;
use crate::input::{Input, InputArguments, SourceArguments};
use crate::output::{Because, Colour, Outcome, OutputArguments, Style, answer, shown, tell};
use crate::pods::{makes_pods, shapes_pods};
use crate::refused;
use anyhow::{Result, bail};
use clap::Args;
use model::registry::Registry;
use serde::Serialize;
use serde_json::{Map, json};
use simulate::Simulation;
use snapshot::{Origin, Problem, Severity};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.schedule/v1";

/// What is said once of all decisions.
const NOTE: &str = "Time stands still: pods that are to go (preempted here, or going already) end \
    when every pod that waits was tried, and what takes their place is tried then; pods that get a \
    node here are not ready yet, and count for no disruption budget.";

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
    /// Files and directories of manifests (YAML or JSON), `-` for standard input; with --live or
    /// --snapshot, what is to be applied to that cluster
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    source: SourceArguments,
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
    /// Whether that is another scheduler's to say.
    #[serde(skip)]
    is_open: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// The node on which it made others go.
    #[serde(skip_serializing_if = "Option::is_none")]
    nominated: Option<String>,
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
    let read = arguments.load()?;
    let mut problems: Vec<Problem> = Vec::new();
    for input in [
        Some(&read.input),
        read.applied.as_ref(),
        read.nodes.as_ref(),
    ] {
        let Some(input) = input else { continue };
        let own = refused::with_refused(&input.snapshot);
        tell(&own, &input.texts);
        problems.extend(own);
    }
    let registry = Arc::new(Registry::builtin());
    let applied = read.applied.as_ref().map(|applied| {
        let templates = &arguments.source.pod_templates;
        let (cluster, manifests) = (&read.input.snapshot, &applied.snapshot);
        cluster.with_applied(manifests, Arc::clone(&registry), templates)
    });
    let input = applied.as_ref().unwrap_or(&read.input.snapshot);
    let nodes = read.nodes.as_ref().map_or(input, |nodes| &nodes.snapshot);
    if nodes.of("", "nodes").is_empty() && nodes.origin() == Origin::Manifests {
        match &arguments.nodes {
            Some(file) => bail!("{}: there are no nodes in it", file.display()),
            None => bail!("there are no nodes among the manifests: say --nodes FILE"),
        }
    }
    let mut simulation = Simulation::new(input, nodes, arguments.seed);
    let decisions = simulation.play(&registry, arguments.source.namespace.as_deref());
    let fillings = simulation.fillings();
    let mut document = Map::new();
    document.insert("question".into(), json!({ "seed": arguments.seed }));
    document.insert("decisions".into(), serde_json::to_value(&decisions)?);
    document.insert("nodes".into(), serde_json::to_value(&fillings)?);
    document.insert("note".into(), NOTE.into());
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
    let is_open = decisions.iter().any(|decision| decision.is_open);
    let worst = problems.iter().map(|problem| problem.severity).max();
    Ok(outcome.status(worst.max(is_open.then_some(Severity::Incomplete))))
}

fn is_needed(group: &str, plural: &str) -> bool {
    makes_pods(group, plural)
        || shapes_pods(group, plural)
        || matches!(
            (group, plural),
            (
                "",
                "nodes"
                    | "namespaces"
                    | "services"
                    | "persistentvolumeclaims"
                    | "persistentvolumes"
            ) | ("policy", "poddisruptionbudgets")
                | ("storage.k8s.io", "storageclasses" | "csinodes")
        )
}

/// What was read.
struct Read {
    /// The pods and all that goes with them.
    input: Input,
    /// What is applied to them.
    applied: Option<Input>,
    /// The nodes, if a file of them was named.
    nodes: Option<Input>,
}

impl Arguments {
    fn load(&self) -> Result<Read> {
        let is_cluster = self.source.live || self.source.snapshot.is_some();
        // One file may hold everything.
        let nodes_hold_all = self.paths.is_empty() && !is_cluster;
        let of_paths = |paths: &[PathBuf]| {
            let source = SourceArguments {
                live: false,
                snapshot: None,
                cluster: Default::default(),
                ..self.source.clone()
            };
            let input = InputArguments {
                paths: paths.to_vec(),
                source,
            };
            input.load(is_needed)
        };
        let mut nodes = None;
        if let Some(path) = &self.nodes {
            let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
            if is_stdin(path) && self.paths.iter().any(is_stdin) {
                bail!("standard input can be read once: as --nodes or as manifests");
            }
            let read = of_paths(std::slice::from_ref(path))?;
            if nodes_hold_all {
                return Ok(Read {
                    input: read,
                    applied: None,
                    nodes: None,
                });
            }
            nodes = Some(read);
        }
        let is_applied = is_cluster && !self.paths.is_empty();
        let applied = is_applied.then(|| of_paths(&self.paths)).transpose()?;
        let input = InputArguments {
            paths: if is_cluster {
                Vec::new()
            } else {
                self.paths.clone()
            },
            source: self.source.clone(),
        };
        let input = input.load(is_needed)?;
        Ok(Read {
            input,
            applied,
            nodes,
        })
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
    if gone > 0 {
        text.push_str(&format!("{}\n", style.paint(Colour::Faint, NOTE)));
    }
    text
}

fn mebibytes(bytes: i64) -> String {
    format!("{}Mi", bytes / (1024 * 1024))
}
