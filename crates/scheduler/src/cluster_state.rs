//! What the scheduler knows of the cluster: the engine's state and the queue, fed by what is
//! followed.

use crate::NAME;
use crate::sources::Source;
use bytes::Bytes;
use cluster_api::Update;
use model::{Value, meta};
use scheduling::{Engine, Event, NodeChange, NodeInfo, PodInfo, PodKey, Queue};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Namespace and name.
type Name = (String, String);

/// A pod that waits, or whose binding is on the way.
#[derive(Debug)]
struct Waiting {
    /// As it was seen last.
    object: Bytes,
    /// When it was tried first.
    first: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) queue: Queue,
    /// Every pod without a node that is this scheduler's.
    waiting: HashMap<PodKey, Waiting>,
    /// Pods that count as placed though they were not seen so yet.
    assumed: HashSet<PodKey>,
    /// What was seen of everything but pods.
    known: HashMap<Source, HashSet<Name>>,
    listed: HashSet<Source>,
}

/// Whether the pod waits for this scheduler, were it not for its gates.
fn wants_node(pod: &PodInfo) -> bool {
    pod.node_name.is_empty() && pod.scheduler_name == NAME
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            engine: Engine::new(seed),
            queue: Queue::new(),
            waiting: HashMap::new(),
            assumed: HashSet::new(),
            known: HashMap::new(),
            listed: HashSet::new(),
        }
    }

    /// Only with a first list of everything is it known what is free.
    pub(crate) fn ready(&self) -> bool {
        self.listed.len() == Source::ALL.len()
    }

    /// Takes in what happened to the objects of a source.
    pub(crate) fn observe(&mut self, source: Source, update: Update, now: u64) {
        match update {
            Update::Reset(items) => {
                let objects: Vec<(Value, Bytes)> = items.into_iter().filter_map(parse).collect();
                if source == Source::Pods {
                    self.keep_pods(&objects, now);
                } else {
                    let there: HashSet<Name> = objects.iter().map(|(o, _)| name(o)).collect();
                    let known = self.known.entry(source).or_default();
                    let gone: Vec<Name> = known.difference(&there).cloned().collect();
                    for name in &gone {
                        self.remove(source, name, now);
                    }
                }
                for (object, bytes) in &objects {
                    self.apply(source, object, bytes, now);
                }
                self.listed.insert(source);
            }
            Update::Applied(object) => {
                if let Some((object, bytes)) = parse(object) {
                    self.apply(source, &object, &bytes, now);
                }
            }
            Update::Deleted(object) => {
                if let Some((object, _)) = parse(object) {
                    if source == Source::Pods {
                        self.remove_pod(&PodKey::of(&object), now);
                    } else {
                        self.remove(source, &name(&object), now);
                    }
                }
            }
            Update::Trouble(_) => {}
        }
    }

    /// Takes in an object of storage as this scheduler wrote it.
    pub(crate) fn written(&mut self, source: Source, object: &Value, now: u64) {
        self.apply(source, object, &Bytes::new(), now);
    }

    fn keep_pods(&mut self, pods: &[(Value, Bytes)], now: u64) {
        let there: HashSet<PodKey> = pods.iter().map(|(pod, _)| PodKey::of(pod)).collect();
        let placed = self.engine.cluster.pods().map(|pod| &pod.key);
        let gone: HashSet<PodKey> = placed
            .chain(self.waiting.keys())
            .filter(|key| !there.contains(*key))
            .cloned()
            .collect();
        for key in &gone {
            self.remove_pod(key, now);
        }
    }

    fn apply(&mut self, source: Source, object: &Value, bytes: &Bytes, now: u64) {
        if source != Source::Pods {
            let known = self.known.entry(source).or_default();
            known.insert(name(object));
        }
        let cluster = &mut self.engine.cluster;
        match source {
            Source::Pods => self.pod(object, bytes, now),
            Source::Nodes => self.node(object, now),
            Source::Budgets => self.engine.set_budget(object),
            Source::Namespaces => {
                cluster.set_namespace(object);
                self.queue.notice(&Event::Namespace, now);
            }
            Source::Services => cluster.set_service(object),
            Source::ReplicationControllers | Source::ReplicaSets | Source::StatefulSets => {
                cluster.set_owner(source.kind(), object);
            }
            Source::Claims => cluster.set_claim(object),
            Source::Volumes => cluster.set_volume(object),
            Source::StorageClasses => cluster.set_storage_class(object),
            Source::CsiNodes => cluster.set_csi_node(object),
        }
        if source.is_storage() {
            self.queue.notice(&Event::Volumes, now);
        }
    }

    fn remove(&mut self, source: Source, name: &Name, now: u64) {
        if let Some(known) = self.known.get_mut(&source) {
            known.remove(name);
        }
        let (namespace, name) = name;
        let cluster = &mut self.engine.cluster;
        match source {
            Source::Pods => {}
            Source::Nodes => {
                if let Some(node) = cluster.remove_node(name) {
                    self.queue.notice(&Event::NodeGone(&node), now);
                }
            }
            Source::Budgets => self.engine.remove_budget(namespace, name),
            Source::Namespaces => {
                cluster.remove_namespace(name);
                self.queue.notice(&Event::Namespace, now);
            }
            Source::Services => cluster.remove_service(namespace, name),
            Source::ReplicationControllers | Source::ReplicaSets | Source::StatefulSets => {
                cluster.remove_owner(source.kind(), namespace, name);
            }
            Source::Claims => cluster.remove_claim(namespace, name),
            Source::Volumes => cluster.remove_volume(name),
            Source::StorageClasses => cluster.remove_storage_class(name),
            Source::CsiNodes => cluster.remove_csi_node(name),
        }
    }

    fn node(&mut self, object: &Value, now: u64) {
        let node = NodeInfo::new(object);
        let name = node.name.clone();
        let change = self.engine.cluster.set_node(node);
        let Some(after) = self.engine.cluster.node(&name) else {
            return;
        };
        match change {
            NodeChange::Same => {}
            NodeChange::Added => self.queue.notice(&Event::NodeAdded(after), now),
            NodeChange::Changed(before) => {
                let before = &before;
                self.queue
                    .notice(&Event::NodeChanged { before, after }, now);
            }
        }
    }

    fn pod(&mut self, object: &Value, bytes: &Bytes, now: u64) {
        let pod = PodInfo::new(object);
        if !pod.node_name.is_empty() {
            self.place(pod, now);
        } else if wants_node(&pod) {
            let waiting = Waiting {
                object: bytes.clone(),
                first: None,
            };
            match self.waiting.entry(pod.key.clone()) {
                Entry::Occupied(mut known) => known.get_mut().object = waiting.object,
                Entry::Vacant(place) => drop(place.insert(waiting)),
            }
            if !self.assumed.contains(&pod.key) {
                self.wait(pod, now);
            }
        } else {
            self.forget(&pod.key, now);
        }
    }

    /// The pod waits, or waits as another than it was.
    fn wait(&mut self, pod: PodInfo, now: u64) {
        let pod = Arc::new(pod);
        let before = self.queue.get(&pod.key).cloned();
        let before = before.filter(|before| !before.nominated_node.is_empty());
        // A nomination that was just made is not undone by what was written before it.
        if !pod.nominated_node.is_empty() {
            self.engine.cluster.nominate(&pod, &pod.nominated_node);
        } else if before.is_some() {
            self.engine.cluster.denominate(&pod.key);
        }
        let nominated_node = pod.nominated_node.clone();
        self.queue.set(pod, now);
        if let Some(before) = before.filter(|before| before.nominated_node != nominated_node) {
            self.leave_nomination(&before, now);
        }
    }

    /// A pod does not wait for a certain node any more. To those of no higher priority it was as
    /// if it ran there.
    fn leave_nomination(&mut self, pod: &PodInfo, now: u64) {
        self.queue
            .notice_up_to(pod.priority, &Event::PodGone(pod), now);
    }

    /// The pod that is next, and its object.
    pub(crate) fn next(&mut self, now: u64) -> Option<(PodInfo, Value)> {
        let pod = self.queue.pop(now)?;
        let object = self.waiting.get_mut(&pod.key).and_then(|waiting| {
            waiting.first.get_or_insert(now);
            serde_json::from_slice(&waiting.object).ok()
        });
        let Some(object) = object else {
            self.queue.remove(&pod.key);
            return None;
        };
        Some((PodInfo::new(&object), object))
    }

    /// The pod is being deleted: it is not placed any more.
    pub(crate) fn skip(&mut self, key: &PodKey) {
        self.queue.remove(key);
    }

    /// Whether the pod still waits, or its binding is on the way.
    pub(crate) fn is_waiting(&self, key: &PodKey) -> bool {
        self.waiting.contains_key(key)
    }

    /// When the pod was tried first, if it was.
    pub(crate) fn first_tried(&self, key: &PodKey) -> Option<u64> {
        self.waiting.get(key)?.first
    }

    /// How many pods count as placed though they were not seen so yet.
    pub(crate) fn assumed(&self) -> usize {
        self.assumed.len()
    }

    /// From now on the pod counts as placed; its binding is on the way.
    pub(crate) fn assume(&mut self, mut pod: PodInfo, node: &str) {
        self.engine.cluster.denominate(&pod.key);
        node.clone_into(&mut pod.node_name);
        pod.nominated_node.clear();
        self.assumed.insert(pod.key.clone());
        self.engine.cluster.set_pod(Arc::new(pod));
    }

    /// The pod could not be bound: what it would have taken is free. It stays in flight until the
    /// queue is told what becomes of it.
    pub(crate) fn unassume(&mut self, key: &PodKey, now: u64) {
        if !self.assumed.remove(key) {
            return;
        }
        if let Some(pod) = self.engine.cluster.remove_pod(key) {
            self.queue.notice(&Event::PodGone(&pod), now);
        }
        // What was seen of it meanwhile.
        let object = self.waiting.get(key);
        let object = object.and_then(|waiting| serde_json::from_slice(&waiting.object).ok());
        if let Some(object) = object {
            self.queue.set(Arc::new(PodInfo::new(&object)), now);
        }
    }

    /// The pod has a node.
    fn place(&mut self, pod: PodInfo, now: u64) {
        self.queue.remove(&pod.key);
        self.waiting.remove(&pod.key);
        self.engine.cluster.denominate(&pod.key);
        let was_assumed = self.assumed.remove(&pod.key);
        let pod = Arc::new(pod);
        let before = self.engine.cluster.pod(&pod.key).cloned();
        self.engine.cluster.set_pod(Arc::clone(&pod));
        let event = match &before {
            Some(before) if !was_assumed => Event::PodChanged {
                before,
                after: &pod,
            },
            _ => Event::PodPlaced(&pod),
        };
        self.queue.notice(&event, now);
    }

    /// The pod waits no longer.
    fn forget(&mut self, key: &PodKey, now: u64) {
        self.waiting.remove(key);
        self.engine.cluster.denominate(key);
        let pod = self.queue.remove(key);
        if let Some(pod) = pod.filter(|pod| !pod.nominated_node.is_empty()) {
            self.leave_nomination(&pod, now);
        }
    }

    fn remove_pod(&mut self, key: &PodKey, now: u64) {
        self.forget(key, now);
        self.assumed.remove(key);
        if let Some(pod) = self.engine.cluster.remove_pod(key) {
            self.queue.notice(&Event::PodGone(&pod), now);
        }
    }
}

fn name(object: &Value) -> Name {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

fn parse(object: Bytes) -> Option<(Value, Bytes)> {
    Some((serde_json::from_slice(&object).ok()?, object))
}
