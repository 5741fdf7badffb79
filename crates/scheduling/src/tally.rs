//! Counts by domain that follow every pod that comes or goes, so that no decision has to look at
//! all pods.

use crate::PodInfo;
use crate::scope::{NamespaceLabels, Scope, ScopeIndex, Term};
use crate::topology::{KeyId, NodeId, Topology, at};
use foldhash::HashMap;
use std::sync::Arc;

/// A sum for each domain of a topology key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    sums: Vec<i64>,
    total: i64,
}

impl Tally {
    pub(crate) fn get(&self, value: u32) -> i64 {
        self.sums.get(at(value)).copied().unwrap_or(0)
    }

    /// The sum over all nodes that have the key.
    pub(crate) fn total(&self) -> i64 {
        self.total
    }

    /// The sums, by value; missing ones are 0.
    pub(crate) fn sums(&self) -> &[i64] {
        &self.sums
    }

    fn add(&mut self, value: u32, amount: i64) {
        if self.sums.len() <= at(value) {
            self.sums.resize(at(value) + 1, 0);
        }
        if let Some(sum) = self.sums.get_mut(at(value)) {
            *sum += amount;
        }
        self.total += amount;
    }
}

/// Which pods are counted: those that are in all scopes.
#[derive(Debug, Clone)]
pub(crate) struct Predicate {
    pub(crate) scopes: Vec<Arc<Scope>>,
    /// Spreading does not count pods that are going.
    pub(crate) skips_terminating: bool,
}

impl Predicate {
    pub(crate) fn signature(&self) -> String {
        let mut text = String::from(if self.skips_terminating {
            "live"
        } else {
            "all"
        });
        for scope in &self.scopes {
            text.push('&');
            text.push_str(&scope.signature);
        }
        text
    }

    pub(crate) fn counts(&self, pod: &PodInfo, labels: &NamespaceLabels) -> bool {
        !(self.skips_terminating && pod.is_terminating)
            && self.scopes.iter().all(|scope| scope.matches(pod, labels))
    }
}

#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) predicate: Predicate,
    signature: String,
    pub(crate) per_node: HashMap<NodeId, u32>,
    tallies: Vec<(KeyId, Tally)>,
    last_use: u64,
}

impl Group {
    pub(crate) fn on(&self, node: NodeId) -> i64 {
        self.per_node.get(&node).copied().map_or(0, i64::from)
    }

    pub(crate) fn tally(&self, key: KeyId) -> Option<&Tally> {
        let found = self.tallies.iter().find(|(known, _)| *known == key);
        found.map(|(_, tally)| tally)
    }

    fn count(&mut self, node: NodeId, amount: i64, topology: &Topology) {
        let here = self.per_node.entry(node).or_default();
        let now = i64::from(*here) + amount;
        *here = u32::try_from(now).unwrap_or(0);
        if *here == 0 {
            self.per_node.remove(&node);
        }
        for (key, tally) in &mut self.tallies {
            if let Some(value) = topology.value(*key, node) {
                tally.add(value, amount);
            }
        }
    }
}

/// More groups than this are in use only if old ones are left over; those are forgotten.
const MOST_GROUPS: usize = 4096;

/// Counts of the pods that some waiting pod's terms or constraints mean. A group is counted once
/// when it is first asked for and then follows the cluster.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    slots: Vec<Option<Group>>,
    by_signature: HashMap<String, u32>,
    index: ScopeIndex,
    uses: u64,
}

impl Groups {
    pub(crate) fn get(&self, id: u32) -> Option<&Group> {
        self.slots.get(at(id))?.as_ref()
    }

    /// The group of a predicate with counts by the given key.
    pub(crate) fn ensure<'a>(
        &mut self,
        predicate: Predicate,
        key: KeyId,
        topology: &Topology,
        labels: &NamespaceLabels,
        pods: impl Iterator<Item = (NodeId, &'a PodInfo)>,
    ) -> u32 {
        self.uses += 1;
        let signature = predicate.signature();
        let known = self.by_signature.get(&signature).copied();
        let id = known.unwrap_or_else(|| self.insert(predicate, signature));
        let uses = self.uses;
        let Some(group) = self.slots.get_mut(at(id)).and_then(Option::as_mut) else {
            return id;
        };
        group.last_use = uses;
        if known.is_none() {
            for (node, pod) in pods {
                if group.predicate.counts(pod, labels) {
                    *group.per_node.entry(node).or_default() += 1;
                }
            }
        }
        if group.tally(key).is_none() {
            let mut tally = Tally::default();
            for (node, count) in &group.per_node {
                if let Some(value) = topology.value(key, *node) {
                    tally.add(value, i64::from(*count));
                }
            }
            group.tallies.push((key, tally));
        }
        id
    }

    fn insert(&mut self, predicate: Predicate, signature: String) -> u32 {
        if self.by_signature.len() >= MOST_GROUPS {
            self.forget_old();
        }
        let free = self.slots.iter().position(Option::is_none);
        let place = free.unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let id = u32::try_from(place).unwrap_or(u32::MAX);
        if let Some(scope) = predicate.scopes.first() {
            self.index.insert(id, scope);
        }
        self.by_signature.insert(signature.clone(), id);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(Group {
                predicate,
                signature,
                per_node: HashMap::default(),
                tallies: Vec::new(),
                last_use: self.uses,
            });
        }
        id
    }

    /// Forgets the half that was not asked for longest.
    fn forget_old(&mut self) {
        let mut uses: Vec<u64> = self.slots.iter().flatten().map(|g| g.last_use).collect();
        uses.sort_unstable();
        let bound = uses.get(uses.len() / 2).copied().unwrap_or(0);
        self.forget(|group| group.last_use < bound);
    }

    /// Forgets what depends on the labels of namespaces.
    pub(crate) fn forget_by_namespace(&mut self) {
        self.forget(|group| {
            group
                .predicate
                .scopes
                .iter()
                .any(|s| s.looks_at_namespaces())
        });
    }

    fn forget(&mut self, goes: impl Fn(&Group) -> bool) {
        for (slot, id) in self.slots.iter_mut().zip(0..) {
            if let Some(group) = slot.take_if(|group| goes(group)) {
                self.by_signature.remove(&group.signature);
                if let Some(scope) = group.predicate.scopes.first() {
                    self.index.remove(id, scope);
                }
            }
        }
    }

    /// A pod came to a node (`amount` 1) or left it (-1).
    pub(crate) fn count(
        &mut self,
        pod: &PodInfo,
        node: NodeId,
        amount: i64,
        topology: &Topology,
        labels: &NamespaceLabels,
    ) {
        for id in self.index.candidates(&pod.labels) {
            if let Some(group) = self.slots.get_mut(at(id)).and_then(Option::as_mut)
                && group.predicate.counts(pod, labels)
            {
                group.count(node, amount, topology);
            }
        }
    }
}

#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) scope: Arc<Scope>,
    pub(crate) key: KeyId,
    pub(crate) tally: Tally,
    name: (Arc<str>, KeyId),
    carriers: i64,
}

/// Terms that placed pods carry against (or for) pods that come later, with their weight in each
/// domain. Equal terms are one.
#[derive(Debug, Default)]
pub(crate) struct CarriedTerms {
    slots: Vec<Option<Carried>>,
    by_name: HashMap<(Arc<str>, KeyId), u32>,
    index: ScopeIndex,
    free: Vec<u32>,
}

impl CarriedTerms {
    /// A pod that carries the term came (`sign` 1) or went (-1).
    pub(crate) fn count(
        &mut self,
        term: &Term,
        key: KeyId,
        node: NodeId,
        weight: i64,
        sign: i64,
        topology: &Topology,
    ) {
        let name = (Arc::clone(&term.scope.signature), key);
        let id = match self.by_name.get(&name) {
            Some(id) => *id,
            None => {
                let id = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
                });
                self.index.insert(id, &term.scope);
                self.by_name.insert(name.clone(), id);
                if let Some(slot) = self.slots.get_mut(at(id)) {
                    *slot = Some(Carried {
                        scope: Arc::clone(&term.scope),
                        key,
                        tally: Tally::default(),
                        name,
                        carriers: 0,
                    });
                }
                id
            }
        };
        let Some(slot) = self.slots.get_mut(at(id)) else {
            return;
        };
        let Some(carried) = slot.as_mut() else {
            return;
        };
        carried.carriers += sign;
        if let Some(value) = topology.value(key, node) {
            carried.tally.add(value, weight.saturating_mul(sign));
        }
        if carried.carriers <= 0 {
            if let Some(carried) = slot.take() {
                self.by_name.remove(&carried.name);
                self.index.remove(id, &carried.scope);
            }
            self.free.push(id);
        }
    }

    /// The carried terms that mean a pod.
    pub(crate) fn about<'a>(
        &'a self,
        pod: &'a PodInfo,
        labels: &'a NamespaceLabels,
    ) -> impl Iterator<Item = &'a Carried> {
        self.index
            .candidates(&pod.labels)
            .filter_map(|id| self.slots.get(at(id))?.as_ref())
            .filter(|carried| carried.scope.matches(pod, labels))
    }
}
