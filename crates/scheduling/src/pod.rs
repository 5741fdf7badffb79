//! A pod as the engine looks at it: read once, then compared many times.

use crate::amounts::Amounts;
use crate::node::NodeInfo;
use crate::node_selector::{self, Required};
use crate::scope::{Scope, Term};
use crate::spread::Constraint;
use crate::taint::{self, Toleration};
use crate::volumes::PodVolumes;
use model::kinds::core::pod_amounts::{Resources, of_pod_level};
use model::{Value, meta};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A pod; another pod of the same name has another UID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodKey {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The UID; may be empty where objects come from files.
    pub uid: String,
}

impl PodKey {
    /// The key of a pod object.
    pub fn of(pod: &Value) -> Self {
        Self {
            namespace: meta::namespace(pod).to_owned(),
            name: meta::name(pod).to_owned(),
            uid: meta::uid(pod).to_owned(),
        }
    }
}

/// A port of the node that a pod takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The address; `0.0.0.0` is every one.
    pub address: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Whether both cannot be had at once.
    pub fn conflicts(&self, other: &Self) -> bool {
        const ANY: &str = "0.0.0.0";
        self.port == other.port
            && self.protocol == other.protocol
            && (self.address == other.address || self.address == ANY || other.address == ANY)
    }
}

/// What a pod wants of other pods near it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PodAffinity {
    pub(crate) required: Vec<Term>,
    pub(crate) required_anti: Vec<Term>,
    /// With weights; those of anti-affinity are negative.
    pub(crate) preferred: Vec<(i64, Term)>,
}

/// Everything that placement asks of a pod.
#[derive(Debug, Clone)]
pub struct PodInfo {
    /// Which pod it is.
    pub key: PodKey,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.priority`; 0 if unset.
    pub priority: i64,
    /// Whether `preemptionPolicy` is `Never`.
    pub never_preempts: bool,
    /// The scheduler it asks for.
    pub scheduler_name: String,
    /// The node it is bound to or asks for; empty if none.
    pub node_name: String,
    /// `status.nominatedNodeName`.
    pub nominated_node: String,
    /// `status.startTime` as written (RFC 3339 in UTC, so that texts compare as times); empty if it
    /// has not started.
    pub start_time: String,
    /// Whether deletion was asked for.
    pub is_terminating: bool,
    /// Whether it is being deleted because of preemption.
    pub is_preempted: bool,
    /// Whether scheduling gates keep it.
    pub is_gated: bool,
    /// What it takes of a node.
    pub requests: Amounts,
    /// CPU and memory with upstream's defaults for containers that request none, which scores
    /// look at.
    pub scored: (i64, i64),
    /// The ports of the node it takes.
    pub ports: Vec<HostPort>,
    pub(crate) required_nodes: Required,
    pub(crate) preferred_nodes: Vec<(i64, node_selector::Term)>,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) affinity: PodAffinity,
    pub(crate) spread: Vec<Constraint>,
    /// Image names with a tag.
    pub(crate) images: Vec<String>,
    pub(crate) volumes: PodVolumes,
    /// The controlling owner as `(kind, name)`.
    pub(crate) owner: Option<(String, String)>,
}

/// What containers without a request count as in scores.
const DEFAULT_CPU: &str = "100m";
const DEFAULT_MEMORY: &str = "200Mi";

impl PodInfo {
    /// Reads a pod that the API server has defaulted.
    pub fn new(pod: &Value) -> Self {
        let key = PodKey::of(pod);
        let labels: BTreeMap<String, String> = meta::labels(pod)
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let requests = pod_resources::reserved(pod, &Resources::new());
        let is_terminating = meta::at(pod, &["metadata", "deletionTimestamp"]).is_some();
        let tolerations = meta::list(pod, &["spec", "tolerations"]);
        Self {
            priority: meta::at(pod, &["spec", "priority"])
                .and_then(Value::as_i64)
                .unwrap_or(0),
            never_preempts: meta::text(pod, &["spec", "preemptionPolicy"]) == "Never",
            scheduler_name: meta::text(pod, &["spec", "schedulerName"]).to_owned(),
            node_name: meta::text(pod, &["spec", "nodeName"]).to_owned(),
            nominated_node: meta::text(pod, &["status", "nominatedNodeName"]).to_owned(),
            start_time: meta::text(pod, &["status", "startTime"]).to_owned(),
            is_terminating,
            is_preempted: is_terminating && disrupted(pod),
            is_gated: !meta::list(pod, &["spec", "schedulingGates"]).is_empty(),
            scored: scored(pod, &requests),
            requests: Amounts::of(&requests),
            ports: ports(pod),
            required_nodes: Required::of(pod),
            preferred_nodes: node_selector::preferred(pod),
            tolerations: tolerations.iter().map(Toleration::of).collect(),
            affinity: affinity(pod, &key.namespace, &labels),
            spread: Constraint::all(pod, &labels),
            images: images(pod),
            volumes: PodVolumes::of(pod),
            owner: owner(pod),
            key,
            labels,
        }
    }

    /// Whether it gives way to `other` last, as upstream's `MoreImportantPod`: the higher priority,
    /// then the earlier start; one that has not started is the latest.
    pub fn is_more_important(&self, other: &Self) -> bool {
        if self.priority != other.priority {
            return self.priority > other.priority;
        }
        started_before(&self.start_time, &other.start_time)
    }

    /// Whether the node is meant for the pod, however full it is: by name, node affinity and taints.
    /// A DaemonSet has a pod on just these nodes.
    pub fn suits(&self, node: &NodeInfo) -> bool {
        (self.node_name.is_empty() || self.node_name == node.name)
            && self.required_nodes.matches(&node.name, &node.labels)
            && taint::barring(&self.tolerations, &node.taints).is_none()
    }

    /// The scope of all required affinity terms at once.
    pub(crate) fn affinity_scopes(&self) -> Vec<Arc<Scope>> {
        let terms = self.affinity.required.iter();
        terms.map(|term| Arc::clone(&term.scope)).collect()
    }
}

/// Whether a start time is earlier than another; none is the latest.
pub(crate) fn started_before(one: &str, other: &str) -> bool {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => false,
        (false, true) => true,
        (false, false) => one < other,
    }
}

fn disrupted(pod: &Value) -> bool {
    meta::list(pod, &["status", "conditions"])
        .iter()
        .any(|condition| {
            meta::text(condition, &["type"]) == "DisruptionTarget"
                && meta::text(condition, &["status"]) == "True"
                && meta::text(condition, &["reason"]) == "PreemptionByScheduler"
        })
}

/// Milli-CPUs and bytes of memory, with something for containers that do not say. Where the pod
/// itself says what it needs, only for what nobody does.
fn scored(pod: &Value, requests: &Resources) -> (i64, i64) {
    let own = pod.get("spec").map(|spec| of_pod_level(spec, "requests"));
    let is_said =
        |name: &str| own.as_ref().is_some_and(|own| !own.is_empty()) && requests.contains_key(name);
    let missing: Resources = [("cpu", DEFAULT_CPU), ("memory", DEFAULT_MEMORY)]
        .into_iter()
        .filter(|(name, _)| !is_said(name))
        .filter_map(|(name, amount)| Some((name.to_owned(), amount.parse().ok()?)))
        .collect();
    let filled = Amounts::of(&pod_resources::reserved(pod, &missing));
    (filled.milli_cpu, filled.memory)
}

/// The host ports of the containers. Upstream counts those of init containers for nothing, not
/// even of sidecars.
fn ports(pod: &Value) -> Vec<HostPort> {
    let or = |text: &str, default: &str| {
        if text.is_empty() {
            default.to_owned()
        } else {
            text.to_owned()
        }
    };
    meta::list(pod, &["spec", "containers"])
        .iter()
        .flat_map(|container| meta::list(container, &["ports"]))
        .filter_map(|port| {
            let number = meta::at(port, &["hostPort"])?.as_u64().filter(|n| *n > 0)?;
            Some(HostPort {
                protocol: or(meta::text(port, &["protocol"]), "TCP"),
                address: or(meta::text(port, &["hostIP"]), "0.0.0.0"),
                port: u16::try_from(number).ok()?,
            })
        })
        .collect()
}

fn affinity(pod: &Value, namespace: &str, labels: &BTreeMap<String, String>) -> PodAffinity {
    let Some(affinity) = meta::at(pod, &["spec", "affinity"]) else {
        return PodAffinity::default();
    };
    let required = |kind: &str| {
        let path = [kind, "requiredDuringSchedulingIgnoredDuringExecution"];
        let terms = meta::list(affinity, &path).iter();
        terms
            .map(|term| Term::of(term, namespace, labels))
            .collect::<Vec<_>>()
    };
    let preferred = |kind: &'static str, sign: i64| {
        let path = [kind, "preferredDuringSchedulingIgnoredDuringExecution"];
        let terms = meta::list(affinity, &path).iter();
        terms.filter_map(move |term| {
            let weight = meta::at(term, &["weight"])?.as_i64()?;
            let term = Term::of(meta::at(term, &["podAffinityTerm"])?, namespace, labels);
            Some((weight.saturating_mul(sign), term))
        })
    };
    PodAffinity {
        required: required("podAffinity"),
        required_anti: required("podAntiAffinity"),
        preferred: preferred("podAffinity", 1)
            .chain(preferred("podAntiAffinity", -1))
            .collect(),
    }
}

/// The names of images, with `latest` where no tag or digest is given, as container runtimes
/// report them.
fn images(pod: &Value) -> Vec<String> {
    ["initContainers", "containers"]
        .iter()
        .flat_map(|list| meta::list(pod, &["spec", list]))
        .map(|container| tagged(meta::text(container, &["image"])))
        .collect()
}

fn tagged(image: &str) -> String {
    if image.rfind(':') <= image.rfind('/') {
        format!("{image}:latest")
    } else {
        image.to_owned()
    }
}

fn owner(pod: &Value) -> Option<(String, String)> {
    let owners = meta::list(pod, &["metadata", "ownerReferences"]);
    let owner = owners
        .iter()
        .find(|owner| meta::at(owner, &["controller"]).and_then(Value::as_bool) == Some(true))?;
    let text = |field: &str| meta::text(owner, &[field]).to_owned();
    Some((text("kind"), text("name")))
}
