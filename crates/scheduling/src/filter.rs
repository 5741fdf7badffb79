//! The filters, in the order of upstream's default profile. The first that fails names the reason.

use crate::cycle::{Change, View};
use crate::misfit::{Misfit, Shortage};
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::taint::{self, Taint};
use crate::topology::NodeId;
use std::sync::Arc;

/// The filters for one pod.
#[derive(Debug)]
pub(crate) struct Filters<'a> {
    pub(crate) view: &'a View<'a>,
    tolerates_cordon: bool,
}

impl<'a> Filters<'a> {
    pub(crate) fn new(view: &'a View<'a>) -> Self {
        Self {
            view,
            tolerates_cordon: taint::tolerated(&view.pod.tolerations, &Taint::cordon()),
        }
    }

    /// What keeps the pod off the node as it is (`change`: as it would be).
    pub(crate) fn check(
        &self,
        id: NodeId,
        node: &NodeInfo,
        change: Option<&Change<'_>>,
    ) -> Option<Misfit> {
        let pod = self.view.pod;
        if node.is_unschedulable && !self.tolerates_cordon {
            return Some(Misfit::Unschedulable);
        }
        if !pod.node_name.is_empty() && pod.node_name != node.name {
            return Some(Misfit::NodeName);
        }
        if let Some(taint) = taint::barring(&pod.tolerations, &node.taints) {
            return Some(Misfit::Taint(
                Arc::clone(&taint.key),
                Arc::clone(&taint.value),
            ));
        }
        if !pod.required_nodes.is_empty() && !pod.required_nodes.matches(&node.name, &node.labels) {
            return Some(Misfit::NodeAffinity);
        }
        if !pod.ports.is_empty() && ports_taken(pod, node, change) {
            return Some(Misfit::Ports);
        }
        let shortage = shortage(pod, node, change);
        if shortage.is_any() {
            return Some(Misfit::Resources(shortage));
        }
        if let Some(misfit) = self.volumes(node, change) {
            return Some(misfit);
        }
        match self.view.breaks_spread(id, change) {
            Some(true) => return Some(Misfit::SpreadKey),
            Some(false) => return Some(Misfit::Spread),
            None => {}
        }
        if !self.view.meets_affinity(id, change) {
            return Some(Misfit::Affinity);
        }
        if !self.view.meets_anti_affinity(id, change) {
            return Some(Misfit::AntiAffinity);
        }
        if self.view.is_repelled(id, change) {
            return Some(Misfit::ExistingAntiAffinity);
        }
        None
    }

    /// As `check`, with the pods that wait for the node and are at least as important thought onto
    /// it: the pod must fit both if they come and if they do not.
    pub(crate) fn check_with_nominated(
        &self,
        id: NodeId,
        node: &NodeInfo,
        change: Option<&Change<'_>>,
    ) -> Option<Misfit> {
        let pod = self.view.pod;
        let mut expected = self
            .view
            .cluster
            .nominated(&node.name)
            .iter()
            .filter(|other| other.priority >= pod.priority && other.key != pod.key)
            .peekable();
        if expected.peek().is_some() {
            let mut with = match change {
                Some(change) => change.clone(),
                None => Change::none(self.view, id),
            };
            expected.for_each(|other| with.add(other));
            if let Some(misfit) = self.check(id, node, Some(&with)) {
                return Some(misfit);
            }
        }
        self.check(id, node, change)
    }

    fn volumes(&self, node: &NodeInfo, change: Option<&Change<'_>>) -> Option<Misfit> {
        let pod = self.view.pod;
        if pod.volumes.is_empty() {
            return None;
        }
        let storage = &self.view.cluster.storage;
        let shared = |pods: &[Arc<PodInfo>]| -> i64 {
            pods.iter().map(|other| storage.shared(pod, other)).sum()
        };
        let shift = change.map_or(0, |c| shared(&c.added) - shared(&c.removed));
        let there: Vec<&Arc<PodInfo>> = match change {
            Some(change) => change.pods(node).collect(),
            None => node.pods().iter().collect(),
        };
        storage.check(pod, node, &there, shift)
    }
}

fn ports_taken(pod: &PodInfo, node: &NodeInfo, change: Option<&Change<'_>>) -> bool {
    let taken = |used: &crate::HostPort| pod.ports.iter().any(|port| port.conflicts(used));
    match change {
        Some(change) => change.pods(node).flat_map(|other| &other.ports).any(taken),
        None => node.ports.iter().any(taken),
    }
}

fn shortage(pod: &PodInfo, node: &NodeInfo, change: Option<&Change<'_>>) -> Shortage {
    let mut shortage = Shortage::default();
    let here = i64::try_from(node.pods.len()).unwrap_or(i64::MAX);
    let here = here.saturating_add(change.map_or(0, |change| change.pods));
    shortage.pods = here >= node.allowed_pods;
    let wants = &pod.requests;
    if wants.is_nothing() {
        return shortage;
    }
    let has = &node.allocatable;
    let used = &node.requested;
    let more = change.map(|change| &change.requested);
    let lacks = |wanted: i64, allocatable: i64, used: i64, more: i64| {
        wanted > 0 && wanted > allocatable.saturating_sub(used.saturating_add(more))
    };
    let cpu = lacks(
        wants.milli_cpu,
        has.milli_cpu,
        used.milli_cpu,
        more.map_or(0, |m| m.milli_cpu),
    );
    let memory = lacks(
        wants.memory,
        has.memory,
        used.memory,
        more.map_or(0, |m| m.memory),
    );
    let storage = lacks(
        wants.ephemeral_storage,
        has.ephemeral_storage,
        used.ephemeral_storage,
        more.map_or(0, |m| m.ephemeral_storage),
    );
    let mut scalars = Vec::new();
    for (name, amount) in &wants.scalars {
        let more = more.map_or(0, |m| m.scalar(name));
        if lacks(*amount, has.scalar(name), used.scalar(name), more) {
            scalars.push(Arc::clone(name));
        }
    }
    shortage.cpu = cpu;
    shortage.memory = memory;
    shortage.ephemeral_storage = storage;
    shortage.scalars = scalars;
    shortage
}
