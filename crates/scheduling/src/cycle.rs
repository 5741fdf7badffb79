//! What one pod's cycle needs to know of the whole cluster, gathered once before nodes are looked
//! at; and what changes for one node when pods are thought away from it or onto it.

use crate::amounts::Amounts;
use crate::cluster::Cluster;
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::scope::Scope;
use crate::spread::Constraint;
use crate::taint;
use crate::tally::{Carried, Group, Tally};
use crate::topology::{KeyId, NodeId, at};
use std::sync::Arc;

/// Registers what the pod's terms count, so that the counts follow the cluster from now on.
pub(crate) fn register(cluster: &mut Cluster, pod: &PodInfo) -> Registered {
    let mut registered = Registered::default();
    let scopes = pod.affinity_scopes();
    for term in &pod.affinity.required {
        let group = cluster.ensure_group(scopes.clone(), false, &term.topology_key);
        registered.affinity.push(group);
    }
    for term in &pod.affinity.required_anti {
        registered.anti.push(cluster.ensure_term(term));
    }
    for constraint in pod.spread.iter().filter(|constraint| constraint.is_hard) {
        registered
            .spread
            .push(ensure_constraint(cluster, constraint));
    }
    registered
}

/// The group that a constraint counts.
pub(crate) fn ensure_constraint(cluster: &mut Cluster, constraint: &Constraint) -> (u32, KeyId) {
    let scopes = vec![Arc::clone(&constraint.scope)];
    cluster.ensure_group(scopes, true, &constraint.topology_key)
}

/// Numbers of groups and keys, in the order of the pod's terms and hard constraints.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    affinity: Vec<(u32, KeyId)>,
    anti: Vec<(u32, KeyId)>,
    spread: Vec<(u32, KeyId)>,
}

/// One required term with the counts it looks at.
#[derive(Debug)]
struct TermState<'a> {
    key: KeyId,
    group: &'a Group,
    tally: &'a Tally,
}

/// One hard spread constraint with its counts.
#[derive(Debug)]
struct SpreadState<'a> {
    constraint: &'a Constraint,
    group: &'a Group,
    key: KeyId,
    counts: Vec<i64>,
    /// The least count and the domain that has it.
    least: (i64, Option<u32>),
    /// The least count of the other domains.
    second: i64,
    domains: usize,
    own: i64,
}

/// The least count where there is no domain: upstream starts from the largest 32-bit number.
const NO_DOMAIN: i64 = i32::MAX as i64;

/// The cluster as one pod sees it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pod: &'a PodInfo,
    affinity: Vec<TermState<'a>>,
    /// How many pods anywhere meet the required affinity.
    anywhere: i64,
    meets_itself: bool,
    anti: Vec<TermState<'a>>,
    repelling: Vec<&'a Carried>,
    /// Whether there is anything to look at for pod affinity. If not, upstream leaves the plugin
    /// out, so that what nominated pods want goes unseen.
    has_affinity: bool,
    spread: Vec<SpreadState<'a>>,
    keys: Vec<KeyId>,
}

impl<'a> View<'a> {
    pub(crate) fn new(cluster: &'a Cluster, pod: &'a PodInfo, registered: &Registered) -> Self {
        let state = |(group, key): &(u32, KeyId)| {
            let group = cluster.groups.get(*group)?;
            let tally = group.tally(*key)?;
            Some(TermState {
                key: *key,
                group,
                tally,
            })
        };
        let affinity: Vec<_> = registered.affinity.iter().filter_map(state).collect();
        let scopes: Vec<&Arc<Scope>> = pod.affinity.required.iter().map(|t| &t.scope).collect();
        let keys: Vec<KeyId> = registered.spread.iter().map(|(_, key)| *key).collect();
        let hard = pod.spread.iter().filter(|constraint| constraint.is_hard);
        let repelling: Vec<_> = cluster.repelling.about(pod, &cluster.namespaces).collect();
        let has_affinity = !pod.affinity.required.is_empty()
            || !pod.affinity.required_anti.is_empty()
            || repelling.iter().any(|carried| carried.tally.total() > 0);
        Self {
            has_affinity,
            anywhere: affinity.iter().map(|term| term.tally.total()).sum(),
            meets_itself: scopes.iter().all(|s| s.matches(pod, &cluster.namespaces)),
            anti: registered.anti.iter().filter_map(state).collect(),
            repelling,
            spread: hard
                .zip(&registered.spread)
                .filter_map(|(constraint, (group, key))| {
                    let group = cluster.groups.get(*group)?;
                    let counts = Counts {
                        cluster,
                        pod,
                        keys: &keys,
                    };
                    Some(SpreadState::new(&counts, constraint, group, *key))
                })
                .collect(),
            affinity,
            keys,
            cluster,
            pod,
        }
    }

    /// Whether all spread constraints can be told from the node.
    fn is_counted(&self, constraint: &Constraint, id: NodeId, node: &NodeInfo) -> bool {
        let has_keys = self
            .keys
            .iter()
            .all(|key| self.cluster.topology.value(*key, id).is_some());
        has_keys && includes(constraint, self.pod, node)
    }

    /// The spread constraint that the node would break, if any: `Some(true)` if it lacks a key.
    pub(crate) fn breaks_spread(&self, id: NodeId, change: Option<&Change<'_>>) -> Option<bool> {
        for (place, state) in self.spread.iter().enumerate() {
            let Some(value) = self.cluster.topology.value(state.key, id) else {
                return Some(true);
            };
            let shift = change
                .and_then(|change| change.spread.get(place))
                .copied()
                .unwrap_or(0);
            let counted = state.counts.get(at(value)).copied().unwrap_or(0).max(0);
            let count = counted + shift;
            let least =
                if state.domains < usize::try_from(state.constraint.min_domains).unwrap_or(0) {
                    0
                } else if shift == 0 {
                    state.least.0
                } else if state.least.1 == Some(value) {
                    state.second.min(count)
                } else {
                    state.least.0.min(count)
                };
            if count + state.own - least > state.constraint.max_skew {
                return Some(false);
            }
        }
        None
    }

    /// Whether required affinity holds. A pod that would be the first to meet its own terms may go
    /// anywhere that has the keys.
    pub(crate) fn meets_affinity(&self, id: NodeId, change: Option<&Change<'_>>) -> bool {
        let shift = change.map_or(0, |change| change.affinity);
        let mut is_met = true;
        for term in &self.affinity {
            let Some(value) = self.cluster.topology.value(term.key, id) else {
                return false;
            };
            is_met &= term.tally.get(value) + shift > 0;
        }
        // A pod on this node, which has all keys, was counted once for each term.
        let terms = i64::try_from(self.affinity.len()).unwrap_or(i64::MAX);
        is_met || (self.anywhere + shift.saturating_mul(terms) <= 0 && self.meets_itself)
    }

    /// Whether required anti-affinity holds.
    pub(crate) fn meets_anti_affinity(&self, id: NodeId, change: Option<&Change<'_>>) -> bool {
        self.anti.iter().enumerate().all(|(place, term)| {
            let shift = change
                .and_then(|change| change.anti.get(place))
                .copied()
                .unwrap_or(0);
            let value = self.cluster.topology.value(term.key, id);
            value.is_none_or(|value| term.tally.get(value) + shift <= 0)
        })
    }

    /// Whether the pods that are there keep this one away.
    pub(crate) fn is_repelled(&self, id: NodeId, change: Option<&Change<'_>>) -> bool {
        if !self.has_affinity {
            return false;
        }
        let there: i64 = self
            .repelling
            .iter()
            .filter_map(|carried| {
                let value = self.cluster.topology.value(carried.key, id)?;
                Some(carried.tally.get(value))
            })
            .sum();
        there + change.map_or(0, |change| change.repelling) > 0
    }
}

/// Whether a constraint's policies count the node.
pub(crate) fn includes(constraint: &Constraint, pod: &PodInfo, node: &NodeInfo) -> bool {
    (!constraint.honours_affinity || pod.required_nodes.matches(&node.name, &node.labels))
        && (!constraint.honours_taints || taint::barring(&pod.tolerations, &node.taints).is_none())
}

/// What is needed to count by domain.
pub(crate) struct Counts<'a, 'k> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) pod: &'a PodInfo,
    /// The keys that a node must have to count.
    pub(crate) keys: &'k [KeyId],
}

impl<'a> Counts<'a, '_> {
    /// Whether every node that has `key` counts, so that the tallies are the counts.
    fn counts_all(&self, constraint: &Constraint, key: KeyId) -> bool {
        let everywhere = self.cluster.node_count();
        (!constraint.honours_affinity || self.pod.required_nodes.is_empty())
            && !constraint.honours_taints
            && self
                .keys
                .iter()
                .all(|other| *other == key || self.cluster.topology.total(*other) == everywhere)
    }

    /// The counts by domain; -1 stands for domains that do not count.
    pub(crate) fn by_domain(
        &self,
        constraint: &Constraint,
        group: &'a Group,
        key: KeyId,
    ) -> Vec<i64> {
        let topology = &self.cluster.topology;
        let sizes = topology.sizes(key);
        if self.counts_all(constraint, key) {
            let sums = group.tally(key).map_or(&[][..], Tally::sums);
            return sizes
                .iter()
                .enumerate()
                .map(|(value, size)| match size {
                    0 => -1,
                    _ if !constraint.counts() => 0,
                    _ => sums.get(value).copied().unwrap_or(0),
                })
                .collect();
        }
        let mut counts = vec![-1_i64; sizes.len()];
        for id in self.cluster.order() {
            let Some(value) = topology.value(key, *id) else {
                continue;
            };
            if !self
                .keys
                .iter()
                .all(|key| topology.value(*key, *id).is_some())
            {
                continue;
            }
            let included = self
                .cluster
                .get(*id)
                .is_some_and(|node| includes(constraint, self.pod, node));
            if let Some(count) = counts.get_mut(at(value)).filter(|_| included) {
                let here = if constraint.counts() {
                    group.on(*id)
                } else {
                    0
                };
                *count = (*count).max(0) + here;
            }
        }
        counts
    }
}

impl<'a> SpreadState<'a> {
    fn new(
        counts: &Counts<'a, '_>,
        constraint: &'a Constraint,
        group: &'a Group,
        key: KeyId,
    ) -> Self {
        let by_domain = counts.by_domain(constraint, group, key);
        let mut least = (NO_DOMAIN, None);
        let mut second = NO_DOMAIN;
        let mut domains = 0;
        for (count, value) in by_domain.iter().zip(0..).filter(|(count, _)| **count >= 0) {
            domains += 1;
            if *count < least.0 {
                second = least.0;
                least = (*count, Some(value));
            } else {
                second = second.min(*count);
            }
        }
        let own = crate::scope::selects(&constraint.scope.selector, &counts.pod.labels);
        Self {
            constraint,
            group,
            key,
            counts: by_domain,
            least,
            second,
            domains,
            own: i64::from(own),
        }
    }
}

/// Pods thought away from one node or onto it.
#[derive(Debug, Clone)]
pub(crate) struct Change<'a> {
    view: &'a View<'a>,
    id: NodeId,
    /// What its pods request more (or less).
    pub(crate) requested: Amounts,
    /// How many pods more (or less).
    pub(crate) pods: i64,
    pub(crate) added: Vec<Arc<PodInfo>>,
    pub(crate) removed: Vec<Arc<PodInfo>>,
    affinity: i64,
    anti: Vec<i64>,
    repelling: i64,
    spread: Vec<i64>,
}

impl<'a> Change<'a> {
    pub(crate) fn none(view: &'a View<'a>, id: NodeId) -> Self {
        Self {
            view,
            id,
            requested: Amounts::default(),
            pods: 0,
            added: Vec::new(),
            removed: Vec::new(),
            affinity: 0,
            anti: vec![0; view.anti.len()],
            repelling: 0,
            spread: vec![0; view.spread.len()],
        }
    }

    /// Whether the pods themselves are asked for, not only what they take together.
    fn keeps_pods(&self) -> bool {
        !self.view.pod.ports.is_empty() || !self.view.pod.volumes.is_empty()
    }

    /// Thinks a pod of elsewhere onto the node.
    pub(crate) fn add(&mut self, pod: &Arc<PodInfo>) {
        if self.keeps_pods() {
            self.added.push(Arc::clone(pod));
        }
        self.shift(pod, 1, false);
    }

    /// Thinks one of the node's pods away.
    pub(crate) fn remove(&mut self, pod: &Arc<PodInfo>) {
        if self.keeps_pods() {
            self.removed.push(Arc::clone(pod));
        }
        self.shift(pod, -1, true);
    }

    /// Thinks back a pod that was thought away.
    pub(crate) fn restore(&mut self, pod: &Arc<PodInfo>) {
        if self.keeps_pods() {
            self.removed.retain(|gone| !Arc::ptr_eq(gone, pod));
        }
        self.shift(pod, 1, true);
    }

    /// `is_there` says that the node's counts have the pod: where they have none, it is not meant.
    fn shift(&mut self, pod: &PodInfo, sign: i64, is_there: bool) {
        self.requested.shift(&pod.requests, sign);
        self.pods += sign;
        let (view, id) = (self.view, self.id);
        let (cluster, labels) = (view.cluster, &view.cluster.namespaces);
        let has = |key: KeyId| cluster.topology.value(key, id).is_some();
        let may_count = |group: &Group| !is_there || group.on(id) > 0;
        if let Some(term) = view.affinity.first()
            && may_count(term.group)
            && term.group.predicate.counts(pod, labels)
        {
            self.affinity += sign;
        }
        for (shift, term) in self.anti.iter_mut().zip(&view.anti) {
            if may_count(term.group) && term.group.predicate.counts(pod, labels) {
                *shift += sign;
            }
        }
        for term in &pod.affinity.required_anti {
            let key = cluster.topology.id(&term.topology_key);
            // A key that is not in use yet was asked for by no placed pod: the label decides.
            let is_there = match key {
                Some(key) => has(key),
                None => cluster
                    .get(self.id)
                    .is_some_and(|node| node.labels.contains_key(&*term.topology_key)),
            };
            if is_there && term.scope.matches(view.pod, labels) {
                self.repelling += sign;
            }
        }
        let Some(node) = cluster.get(self.id) else {
            return;
        };
        for (shift, state) in self.spread.iter_mut().zip(&view.spread) {
            // Upstream takes off and puts on pods that it did not count: those that are going, and
            // all of a constraint whose selector matches all.
            let was_counted = state.constraint.counts() && !pod.is_terminating;
            let is_meant = (!was_counted || may_count(state.group))
                && state.constraint.scope.matches(pod, labels);
            if is_meant && view.is_counted(state.constraint, self.id, node) {
                *shift += sign;
            }
        }
    }

    /// The pods that the node would have.
    pub(crate) fn pods<'b>(&'b self, node: &'b NodeInfo) -> impl Iterator<Item = &'b Arc<PodInfo>> {
        node.pods()
            .iter()
            .filter(|pod| !self.removed.iter().any(|gone| Arc::ptr_eq(gone, pod)))
            .chain(&self.added)
    }
}
