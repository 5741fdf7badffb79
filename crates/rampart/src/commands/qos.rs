//! `rampart qos`: the class of every pod with its reasons, whom the kernel kills first, and in
//! which order kubelet evicts.

use super::can_i::columns;
use crate::arguments::{self, NodeMemory};
use crate::output::{Because, Colour, Outcome, Style, answer, shown, tell};
use crate::pods::{self, Pod, makes_pods, pods, shapes_pods};
use crate::refused;
use crate::usage;
use anyhow::{Context, Result};
use model::meta;
use model::quantity::Quantity;
use model::registry::Registry;
use pod_resources::cgroups::{self, Settings};
use pod_resources::{Pressure, QosClass, Rank, Usage};
use serde::Serialize;
use serde_json::{Map, json};
use snapshot::{Severity, Snapshot};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.qos/v1";

/// One pod's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The kind of what makes the pod, or `Pod`.
    kind: String,
    namespace: String,
    name: String,
    /// Which of its templates, of a custom kind with several.
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    class: &'static str,
    reason: &'static str,
    priority: i64,
    /// Why no such pod would be admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    cgroup: Cgroup,
    containers: Vec<Container>,
    because: Vec<Because>,
}

/// A control group as kubelet sets it up: in the terms of the first version of control groups.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cgroup {
    /// The group that the pod's own, called after its UID, is in; absent for containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_shares: Option<u64>,
    /// Microseconds in every 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_quota: Option<i64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_limit: Option<i64>,
}

impl Cgroup {
    fn of(parent: Option<String>, settings: &Settings) -> Self {
        Self {
            parent,
            cpu_shares: settings.cpu_shares,
            cpu_quota: settings.cpu_quota,
            memory_limit: settings.memory_limit,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    /// Absent where it depends on the memory of a node that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    oom_score_adj: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cgroup: Option<Cgroup>,
}

/// A pod's place in the order of eviction.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    namespace: String,
    name: String,
    reason: String,
    priority: i64,
    /// Bytes in use; absent if nobody measured them.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<i64>,
    /// Bytes in use beyond what was requested.
    beyond_request: i64,
}

/// Reads the pods and answers.
pub(crate) fn run(arguments: &arguments::Qos) -> Result<ExitCode> {
    let input = arguments.input.load(|group, plural| {
        makes_pods(group, plural) || shapes_pods(group, plural) || (group, plural) == ("", "nodes")
    })?;
    let problems = refused::with_refused(&input.snapshot);
    tell(&problems, &input.texts);
    let registry = Registry::builtin();
    let only = arguments.input.source.namespace.as_deref();
    let found: Vec<Pod<'_>> = pods(&input.snapshot, &registry)
        .filter(|pod| only.is_none_or(|namespace| pod.template.namespace() == namespace))
        .collect();
    let entries: Vec<Entry> = found
        .iter()
        .map(|pod| {
            let memory = match arguments.node_memory {
                Some(NodeMemory::Bytes(bytes)) => Some(bytes),
                Some(NodeMemory::Own) => node_memory(&input.snapshot, pod),
                None => None,
            };
            entry(pod, memory)
        })
        .collect();
    let mut worst = input.snapshot.worst_problem();
    let order = match &arguments.usage {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let usage = usage::parse(&text, &input.namespace)
                .with_context(|| path.display().to_string())?;
            let (order, strangers) = eviction(&found, &usage);
            for stranger in &strangers {
                eprintln!(
                    "{}: usage is given of pod {}, which is not part of the input",
                    Style::stderr().paint(Colour::Bad, "error"),
                    shown(stranger)
                );
                worst = worst.max(Some(Severity::Incomplete));
            }
            Some(order)
        }
    };
    let mut document = Map::new();
    let asked = match arguments.node_memory {
        Some(NodeMemory::Bytes(bytes)) => json!({ "nodeMemory": bytes }),
        Some(NodeMemory::Own) => json!({ "nodeMemory": "own" }),
        None => json!({}),
    };
    document.insert("question".into(), asked);
    document.insert("pods".into(), serde_json::to_value(&entries)?);
    if let Some(order) = &order {
        document.insert("eviction".into(), serde_json::to_value(order)?);
    }
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| human(&entries, order.as_deref(), style),
    )?;
    Ok(Outcome::Good.status(worst))
}

/// The memory of the node that the pod is on, if both are known.
fn node_memory(snapshot: &Snapshot, pod: &Pod<'_>) -> Option<i64> {
    let node = meta::text(&pod.value, &["spec", "nodeName"]);
    let node = snapshot.find("", "nodes", "", node)?;
    let memory = meta::at(&node.value, &["status", "capacity", "memory"])?;
    Quantity::from_value(memory)
        .ok()
        .map(|memory| memory.value())
}

fn entry(pod: &Pod<'_>, memory: Option<i64>) -> Entry {
    let owner = pod.template.owner;
    let snapshot = pod.template.snapshot();
    let verdict = pod_resources::explain(&pod.value);
    // Scores of all but burstable pods do not depend on the node.
    let is_known = memory.is_some() || verdict.class != QosClass::Burstable;
    let capacity = memory.unwrap_or(1);
    let containers = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| meta::list(&pod.value, &["spec", list]))
        .map(|container| {
            let name = meta::text(container, &["name"]);
            let settings = cgroups::of_container(&pod.value, name, capacity);
            Container {
                name: name.to_owned(),
                oom_score_adj: settings
                    .as_ref()
                    .map(|(_, score)| *score)
                    .filter(|_| is_known),
                cgroup: settings.map(|(settings, _)| Cgroup::of(None, &settings)),
            }
        });
    let parent = cgroups::class_path(verdict.class);
    let because = verdict.because.into_iter().map(|reason| {
        let path = reason.path.strip_prefix("spec.").unwrap_or(&reason.path);
        Because {
            citation: snapshot.cite(owner, &pod.template.field(path)),
            reason: reason.text,
        }
    });
    Entry {
        kind: owner.kind.kind.to_string(),
        namespace: owner.namespace().to_owned(),
        name: owner.name().to_owned(),
        part: pod.template.part.to_owned(),
        class: verdict.class.as_str(),
        reason: verdict.reason,
        priority: pod_resources::priority(&pod.value),
        refusal: pod.refusal.clone(),
        cgroup: Cgroup::of(Some(parent), &cgroups::of_pod(&pod.value)),
        containers: containers.collect(),
        because: because.collect(),
    }
}

/// The order of eviction of the pods that are there (not of what would make some), and of whom
/// usage is given although they are not.
fn eviction(found: &[Pod<'_>], usage: &usage::Usage) -> (Vec<Place>, Vec<String>) {
    let real: Vec<&Pod<'_>> = found
        .iter()
        .filter(|pod| pod.template.path.is_empty())
        .collect();
    let key = |pod: &Pod<'_>| {
        let owner = pod.template.owner;
        (owner.namespace().to_owned(), owner.name().to_owned())
    };
    let measured: Vec<Usage<'_>> = real
        .iter()
        .map(|pod| Usage {
            pod: &pod.value,
            used: usage.get(&key(pod)).copied(),
        })
        .collect();
    let known: Vec<_> = real.iter().map(|pod| key(pod)).collect();
    let strangers = usage.keys().filter(|key| !known.contains(key));
    let strangers = strangers.map(|(namespace, name)| format!("{namespace}/{name}"));
    let places = pod_resources::eviction_order(&measured, Pressure::Memory)
        .into_iter()
        .filter_map(|rank| {
            let (namespace, name) = known.get(rank.index)?.clone();
            Some(Place {
                namespace,
                name,
                reason: why(&rank),
                priority: rank.priority,
                usage: measured.get(rank.index)?.used,
                beyond_request: rank.beyond,
            })
        });
    (places.collect(), strangers.collect())
}

fn why(rank: &Rank) -> String {
    if rank.unmeasured {
        return "nobody measured what it uses".to_owned();
    }
    let amount = rank.beyond.unsigned_abs();
    if rank.exceeds {
        format!("uses {amount} bytes more than it requests")
    } else {
        format!("stays {amount} bytes within its request")
    }
}

fn human(entries: &[Entry], order: Option<&[Place]>, style: Style) -> String {
    if entries.is_empty() {
        return "There are no pods.\n".to_owned();
    }
    let mut rows = vec![["POD", "CLASS", "PRIORITY", "OOM SCORE", "WHY"].map(str::to_owned)];
    for entry in entries {
        let kind = if entry.kind == "Pod" {
            String::new()
        } else {
            format!("{} ", entry.kind)
        };
        rows.push([
            format!(
                "{kind}{}/{}",
                entry.namespace,
                pods::title(&entry.name, &entry.part)
            ),
            entry.class.to_owned(),
            entry.priority.to_string(),
            scores(&entry.containers),
            entry.reason.to_owned(),
        ]);
        let details = entry.because.iter().map(|because| {
            let place = match &because.citation.location {
                Some(location) => location.to_string(),
                None => because.citation.field.clone(),
            };
            format!("  {place}: {}", because.reason)
        });
        let refusal = entry.refusal.iter().map(|why| format!("  refused: {why}"));
        for text in details.chain(refusal) {
            rows.push(["", "", "", "", &text].map(str::to_owned));
        }
    }
    let mut text = columns(&rows);
    if entries
        .iter()
        .any(|e| e.containers.iter().any(|c| c.oom_score_adj.is_none()))
    {
        text.push_str("Scores marked ? depend on the memory of a node: say --node-memory.\n");
    }
    if let Some(order) = order {
        text.push('\n');
        text.push_str(&style.paint(
            Colour::Strong,
            "Evicted under memory pressure, in this order:",
        ));
        text.push('\n');
        let mut rows = vec![["", "POD", "PRIORITY", "WHY"].map(str::to_owned)];
        rows.extend(order.iter().zip(1..).map(|(place, number)| {
            [
                number.to_string(),
                format!("{}/{}", place.namespace, place.name),
                place.priority.to_string(),
                place.reason.clone(),
            ]
        }));
        text.push_str(&columns(&rows));
    }
    text
}

/// The score that all containers have, or each with its own.
fn scores(containers: &[Container]) -> String {
    let score = |container: &Container| {
        container
            .oom_score_adj
            .map_or_else(|| "?".to_owned(), |score| score.to_string())
    };
    let all: Vec<String> = containers.iter().map(score).collect();
    match all.first() {
        Some(first) if all.iter().all(|score| score == first) => first.clone(),
        _ => containers
            .iter()
            .map(|container| format!("{}={}", container.name, score(container)))
            .collect::<Vec<_>>()
            .join(" "),
    }
}
