//! The state that decisions are made on: nodes, the pods on them, and counts that follow both.

use crate::kinship::Kinships;
use crate::node::NodeInfo;
use crate::pod::{PodInfo, PodKey};
use crate::scope::{NamespaceLabels, Scope, Term};
use crate::spread::Constraint;
use crate::storage::{Progress, Storage, VolumePlan};
use crate::tally::{CarriedTerms, Groups, Predicate};
use crate::topology::{KeyId, NodeId, Topology, at};
use foldhash::HashMap;
use model::{Value, meta};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Upstream's `hardPodAffinityWeight`: what required affinity of running pods is worth in scores.
const HARD_AFFINITY_WEIGHT: i64 = 1;

/// What a Node object told.
#[derive(Debug)]
pub enum NodeChange {
    /// The node is new.
    Added,
    /// Nothing that placement looks at changed.
    Same,
    /// The node changed; as it was before, without its pods.
    Changed(Box<NodeInfo>),
}

/// An image that nodes have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image {
    /// What the node said that had it first.
    pub(crate) size: i64,
    /// How many nodes have it.
    pub(crate) nodes: usize,
}

/// Nodes and the pods that have one, with indexes for filters and scores. Every change costs as
/// much as what it changes, not as much as the cluster is large.
#[derive(Debug, Default)]
pub struct Cluster {
    nodes: Vec<Option<NodeInfo>>,
    by_name: HashMap<String, NodeId>,
    free: Vec<NodeId>,
    /// Nodes in the order in which they are looked at: zones take turns, as upstream.
    order: Vec<NodeId>,
    is_order_stale: bool,
    arrivals: Vec<NodeId>,
    pods: HashMap<PodKey, Arc<PodInfo>>,
    /// Pods whose node is not known (yet), by its name.
    orphans: HashMap<String, Vec<Arc<PodInfo>>>,
    pub(crate) topology: Topology,
    pub(crate) groups: Groups,
    /// Required anti-affinity of pods on nodes.
    pub(crate) repelling: CarriedTerms,
    /// What pods on nodes prefer (or are drawn to) for others.
    pub(crate) preferring: CarriedTerms,
    pub(crate) namespaces: NamespaceLabels,
    pub(crate) storage: Storage,
    images: HashMap<String, Image>,
    /// Pods that wait for room on a node that preemption makes.
    nominated: HashMap<String, Vec<Arc<PodInfo>>>,
    nominations: HashMap<PodKey, String>,
    kinships: Kinships,
}

impl Cluster {
    /// An empty cluster.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.by_name.len()
    }

    /// A node by name.
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.get(*self.by_name.get(name)?)
    }

    /// All nodes, in the order of arrival.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.arrivals.iter().filter_map(|id| self.get(*id))
    }

    /// A pod that has a node, known or not.
    pub fn pod(&self, key: &PodKey) -> Option<&Arc<PodInfo>> {
        self.pods.get(key)
    }

    /// All pods that have a node.
    pub fn pods(&self) -> impl ExactSizeIterator<Item = &Arc<PodInfo>> {
        self.pods.values()
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&NodeInfo> {
        self.nodes.get(at(id))?.as_ref()
    }

    pub(crate) fn id(&self, name: &str) -> Option<NodeId> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// An image, if a node has it.
    pub(crate) fn image(&self, name: &str) -> Option<Image> {
        self.images.get(name).copied()
    }

    /// A node appeared or changed.
    pub fn set_node(&mut self, fresh: NodeInfo) -> NodeChange {
        let Some(id) = self.id(&fresh.name) else {
            self.add_node(fresh);
            return NodeChange::Added;
        };
        let Some(known) = self.get(id) else {
            return NodeChange::Same;
        };
        if known.is_like(&fresh) {
            return NodeChange::Same;
        }
        let is_moved = known.zone() != fresh.zone();
        // Counts by domain have to follow only where the domains change.
        let moves = known.labels != fresh.labels;
        let pods = if moves {
            known.pods.clone()
        } else {
            Vec::new()
        };
        let labels = known.labels.clone();
        pods.iter().for_each(|pod| self.count(pod, id, -1));
        self.count_images(id, -1);
        if moves {
            self.topology.leave(id, &labels);
            self.topology.enter(id, &fresh.labels);
        }
        let slot = self.nodes.get_mut(at(id)).and_then(Option::as_mut);
        let before = slot.map(|node| node.refresh(fresh)).unwrap_or_default();
        self.count_images(id, 1);
        pods.iter().for_each(|pod| self.count(pod, id, 1));
        self.is_order_stale |= is_moved;
        NodeChange::Changed(Box::new(before))
    }

    fn add_node(&mut self, node: NodeInfo) {
        let id = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(None);
            u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
        });
        let name = node.name.clone();
        self.topology.enter(id, &node.labels);
        if let Some(slot) = self.nodes.get_mut(at(id)) {
            *slot = Some(node);
        }
        self.by_name.insert(name.clone(), id);
        self.arrivals.push(id);
        self.is_order_stale = true;
        self.count_images(id, 1);
        for pod in self.orphans.remove(&name).unwrap_or_default() {
            self.attach(&pod, id);
        }
    }

    /// A node is gone; returns what it was. Its pods are kept apart until they go too or it comes
    /// back.
    pub fn remove_node(&mut self, name: &str) -> Option<NodeInfo> {
        let id = self.id(name)?;
        let pods = self
            .get(id)
            .map(|node| node.pods.clone())
            .unwrap_or_default();
        pods.iter().for_each(|pod| self.detach(pod, id));
        self.count_images(id, -1);
        let node = self.nodes.get_mut(at(id)).and_then(Option::take)?;
        self.topology.leave(id, &node.labels);
        self.by_name.remove(name);
        self.arrivals.retain(|known| *known != id);
        self.free.push(id);
        self.is_order_stale = true;
        if !pods.is_empty() {
            self.orphans.insert(name.to_owned(), pods);
        }
        Some(node)
    }

    fn count_images(&mut self, id: NodeId, sign: isize) {
        let Some(node) = self.nodes.get(at(id)).and_then(Option::as_ref) else {
            return;
        };
        for (name, size) in &node.images {
            let image = self.images.entry(name.clone()).or_insert(Image {
                size: *size,
                nodes: 0,
            });
            image.nodes = image.nodes.saturating_add_signed(sign);
            if image.nodes == 0 {
                self.images.remove(name);
            }
        }
    }

    /// A pod has a node (its `node_name`), or changed there.
    pub fn set_pod(&mut self, pod: Arc<PodInfo>) {
        self.remove_pod(&pod.key);
        self.denominate(&pod.key);
        match self.id(&pod.node_name) {
            Some(id) => self.attach(&pod, id),
            None => {
                let here = self.orphans.entry(pod.node_name.clone()).or_default();
                here.push(Arc::clone(&pod));
            }
        }
        self.pods.insert(pod.key.clone(), pod);
    }

    /// A pod is gone (or takes nothing any more). Returns what it was.
    pub fn remove_pod(&mut self, key: &PodKey) -> Option<Arc<PodInfo>> {
        let pod = self.pods.remove(key)?;
        match self.id(&pod.node_name) {
            Some(id) => self.detach(&pod, id),
            None => {
                if let Some(here) = self.orphans.get_mut(&pod.node_name) {
                    here.retain(|known| known.key != *key);
                    if here.is_empty() {
                        self.orphans.remove(&pod.node_name);
                    }
                }
            }
        }
        Some(pod)
    }

    fn attach(&mut self, pod: &Arc<PodInfo>, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(at(id)).and_then(Option::as_mut) {
            node.add(pod);
        }
        self.count(pod, id, 1);
    }

    fn detach(&mut self, pod: &Arc<PodInfo>, id: NodeId) {
        if let Some(node) = self.nodes.get_mut(at(id)).and_then(Option::as_mut) {
            node.remove(pod);
        }
        self.count(pod, id, -1);
    }

    fn count(&mut self, pod: &PodInfo, id: NodeId, sign: i64) {
        self.groups
            .count(pod, id, sign, &self.topology, &self.namespaces);
        self.storage.count(pod, sign);
        for term in &pod.affinity.required_anti {
            let key = self.key(&term.topology_key);
            self.repelling.count(term, key, id, 1, sign, &self.topology);
        }
        let drawn = pod.affinity.required.iter();
        let drawn = drawn.map(|term| (HARD_AFFINITY_WEIGHT, term));
        let preferred = pod.affinity.preferred.iter().map(|(w, term)| (*w, term));
        for (weight, term) in drawn.chain(preferred) {
            let key = self.key(&term.topology_key);
            self.preferring
                .count(term, key, id, weight, sign, &self.topology);
        }
    }

    /// The number of a topology key.
    fn key(&mut self, name: &Arc<str>) -> KeyId {
        let nodes = self.nodes.iter().zip(0..);
        self.topology.ensure(
            name,
            nodes.filter_map(|(node, id)| Some((id, &node.as_ref()?.labels))),
        )
    }

    /// A namespace's labels.
    pub fn set_namespace(&mut self, namespace: &Value) {
        let labels: BTreeMap<String, String> = meta::labels(namespace)
            .into_iter()
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect();
        let name = meta::name(namespace);
        if self.namespaces.get(name) != Some(&labels) {
            self.namespaces.insert(name.to_owned(), labels);
            self.groups.forget_by_namespace();
        }
    }

    /// A namespace is gone.
    pub fn remove_namespace(&mut self, name: &str) {
        if self.namespaces.remove(name).is_some() {
            self.groups.forget_by_namespace();
        }
    }

    /// A pod waits for room that is being made for it on a node.
    pub fn nominate(&mut self, pod: &Arc<PodInfo>, node: &str) {
        self.denominate(&pod.key);
        self.nominations.insert(pod.key.clone(), node.to_owned());
        let here = self.nominated.entry(node.to_owned()).or_default();
        here.push(Arc::clone(pod));
    }

    /// A pod waits for no particular node any more.
    pub fn denominate(&mut self, key: &PodKey) {
        if let Some(node) = self.nominations.remove(key)
            && let Some(here) = self.nominated.get_mut(&node)
        {
            here.retain(|pod| pod.key != *key);
            if here.is_empty() {
                self.nominated.remove(&node);
            }
        }
    }

    /// The node that a pod waits for.
    pub fn nomination(&self, key: &PodKey) -> Option<&str> {
        self.nominations.get(key).map(String::as_str)
    }

    /// The pods that wait for a node.
    pub fn nominated(&self, node: &str) -> &[Arc<PodInfo>] {
        self.nominated.get(node).map_or(&[], Vec::as_slice)
    }

    /// A Service, whose pods are spread by default.
    pub fn set_service(&mut self, service: &Value) {
        self.kinships.set_service(service);
    }

    /// A Service is gone.
    pub fn remove_service(&mut self, namespace: &str, name: &str) {
        self.kinships.remove_service(namespace, name);
    }

    /// A ReplicationController, ReplicaSet or StatefulSet, whose pods are spread by default.
    pub fn set_owner(&mut self, kind: &str, owner: &Value) {
        self.kinships.set_owner(kind, owner);
    }

    /// Such an owner is gone.
    pub fn remove_owner(&mut self, kind: &str, namespace: &str, name: &str) {
        self.kinships.remove_owner(kind, namespace, name);
    }

    /// A PersistentVolumeClaim.
    pub fn set_claim(&mut self, claim: &Value) {
        self.storage.set_claim(claim);
    }

    /// A PersistentVolumeClaim is gone.
    pub fn remove_claim(&mut self, namespace: &str, name: &str) {
        self.storage.remove_claim(namespace, name);
    }

    /// A PersistentVolume.
    pub fn set_volume(&mut self, volume: &Value) {
        self.storage.set_volume(volume);
    }

    /// A PersistentVolume is gone.
    pub fn remove_volume(&mut self, name: &str) {
        self.storage.remove_volume(name);
    }

    /// What has to be written so that the pod's claims have their volumes on a node; nothing if
    /// they have them, or cannot have them there.
    pub fn volume_plan(&self, pod: &PodInfo, node: &str) -> VolumePlan {
        let plan = self.node(node).map(|node| self.storage.plan(pod, node));
        plan.and_then(Result::ok).unwrap_or_default()
    }

    /// From now on the plan counts as written.
    pub fn assume_volumes(&mut self, namespace: &str, plan: &VolumePlan, node: &str) {
        self.storage.assume(namespace, plan, node);
    }

    /// What of the plan was not written will not be.
    pub fn revert_volumes(&mut self, namespace: &str, plan: &VolumePlan) {
        self.storage.revert(namespace, plan);
    }

    /// How far a plan has come that was written for a pod on a node.
    pub fn volume_progress(&self, namespace: &str, plan: &VolumePlan, node: &str) -> Progress {
        match self.node(node) {
            Some(node) => self.storage.progress(namespace, plan, node),
            None => Progress::Failed(format!(
                "failed to get node {node:?}: node {node:?} not found"
            )),
        }
    }

    /// A StorageClass.
    pub fn set_storage_class(&mut self, class: &Value) {
        self.storage.set_class(class);
    }

    /// A StorageClass is gone.
    pub fn remove_storage_class(&mut self, name: &str) {
        self.storage.remove_class(name);
    }

    /// A CSINode, which says how many volumes of each driver a node can have.
    pub fn set_csi_node(&mut self, node: &Value) {
        self.storage.set_csi_node(node);
    }

    /// A CSINode is gone.
    pub fn remove_csi_node(&mut self, name: &str) {
        self.storage.remove_csi_node(name);
    }

    /// The constraints by which scores spread a pod: its own soft ones, or the defaults.
    pub(crate) fn soft_constraints(&self, pod: &PodInfo) -> Vec<Constraint> {
        if !pod.spread.is_empty() {
            return pod.spread.iter().filter(|c| !c.is_hard).cloned().collect();
        }
        let selector = self.kinships.of(pod);
        if selector.is_empty() {
            return Vec::new();
        }
        Constraint::defaults(&pod.key.namespace, selector)
    }

    /// The group that counts the pods of some scopes by a topology key.
    pub(crate) fn ensure_group(
        &mut self,
        scopes: Vec<Arc<Scope>>,
        skips_terminating: bool,
        topology_key: &Arc<str>,
    ) -> (u32, KeyId) {
        let key = self.key(topology_key);
        let predicate = Predicate {
            scopes,
            skips_terminating,
        };
        let nodes = self.nodes.iter().zip(0..);
        let pods = nodes
            .filter_map(|(node, id)| Some((id, node.as_ref()?)))
            .flat_map(|(id, node)| node.pods.iter().map(move |pod| (id, &**pod)));
        let group = self
            .groups
            .ensure(predicate, key, &self.topology, &self.namespaces, pods);
        (group, key)
    }

    /// The group of the pods that a term means.
    pub(crate) fn ensure_term(&mut self, term: &Term) -> (u32, KeyId) {
        self.ensure_group(vec![Arc::clone(&term.scope)], false, &term.topology_key)
    }

    /// Brings the order of nodes up to date: one of each zone in turn.
    pub(crate) fn refresh_order(&mut self) {
        if !self.is_order_stale {
            return;
        }
        let mut zones: Vec<Vec<NodeId>> = Vec::new();
        let mut by_zone: HashMap<String, usize> = HashMap::default();
        for id in &self.arrivals {
            let Some(node) = self.nodes.get(at(*id)).and_then(Option::as_ref) else {
                continue;
            };
            let place = *by_zone.entry(node.zone()).or_insert_with(|| {
                zones.push(Vec::new());
                zones.len() - 1
            });
            if let Some(zone) = zones.get_mut(place) {
                zone.push(*id);
            }
        }
        let longest = zones.iter().map(Vec::len).max().unwrap_or(0);
        self.order = (0..longest)
            .flat_map(|round| zones.iter().filter_map(move |zone| zone.get(round)))
            .copied()
            .collect();
        self.is_order_stale = false;
    }
}
