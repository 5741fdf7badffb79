//! The filters, in the order of upstream's default profile; a node's first failing filter names
//! the reason.

use crate::{Node, Usage, affinity, taint};
use model::{Value, meta};

/// Why a pod cannot run on a node; `Display` is upstream's text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Misfit {
    /// The node is cordoned and the pod does not tolerate that.
    #[error("node(s) were unschedulable")]
    Unschedulable,
    /// `spec.nodeName` names another node.
    #[error("node(s) didn't match the requested node name")]
    NodeName,
    /// A taint that the pod does not tolerate.
    #[error("node(s) had untolerated taint {{{0}: {1}}}")]
    Taint(String, String),
    /// Node selector or required affinity.
    #[error("node(s) didn't match Pod's node affinity/selector")]
    Affinity,
    /// A host port that is taken.
    #[error("node(s) didn't have free ports for the requested pod ports")]
    Ports,
    /// The node is full.
    #[error("Too many pods")]
    TooManyPods,
    /// The node has too little of a resource left.
    #[error("Insufficient {0}")]
    Insufficient(String),
}

const CORDON: &str = "node.kubernetes.io/unschedulable";

/// Whether `pod`, which takes `usage`, fits on `node`; else every reason of the first filter that
/// fails.
pub fn fits(pod: &Value, usage: &Usage, node: &Node) -> Result<(), Vec<Misfit>> {
    let cordoned = serde_json::json!({ "key": CORDON, "effect": "NoSchedule" });
    let bars_cordoned =
        taint::untolerated(pod, std::slice::from_ref(&cordoned), &["NoSchedule"]).is_some();
    if node.unschedulable && bars_cordoned {
        return Err(vec![Misfit::Unschedulable]);
    }
    let wanted = meta::text(pod, &["spec", "nodeName"]);
    if !wanted.is_empty() && wanted != node.name {
        return Err(vec![Misfit::NodeName]);
    }
    if let Some(taint) = taint::untolerated(pod, &node.taints, &["NoSchedule", "NoExecute"]) {
        return Err(vec![Misfit::Taint(
            meta::text(taint, &["key"]).to_owned(),
            meta::text(taint, &["value"]).to_owned(),
        )]);
    }
    if !affinity::required(pod, node) {
        return Err(vec![Misfit::Affinity]);
    }
    if usage.ports.iter().any(|port| node.port_taken(port)) {
        return Err(vec![Misfit::Ports]);
    }
    let missing = resources(usage, node);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(missing)
    }
}

fn resources(usage: &Usage, node: &Node) -> Vec<Misfit> {
    let mut missing = Vec::new();
    let most = node
        .allocatable
        .get("pods")
        .map_or(0, model::quantity::Quantity::value);
    if usize::try_from(most).unwrap_or(0) <= node.pods() {
        missing.push(Misfit::TooManyPods);
    }
    for (name, amount) in &usage.requests {
        if amount.is_zero() {
            continue;
        }
        let allocatable = node.allocatable.get(name).map_or(0, |a| a.nanos());
        if amount.nanos().saturating_add(node.used(name).nanos()) > allocatable {
            missing.push(Misfit::Insufficient(name.clone()));
        }
    }
    missing
}
