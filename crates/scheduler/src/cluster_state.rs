//! What the scheduler knows of the cluster: the engine's state and the queue, fed by what is
//! followed.

use crate::NAME;
use crate::sources::Source;
use bytes::Bytes;
use cluster_api::Update;
use model::{Value, meta};
use scheduling::{Engine, Event, NodeChange, NodeInfo, PodInfo, PodKey, Queue};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Namespace and name.
type Name = (String, String);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) queue: Queue,
    /// What was seen of everything but pods.
    known: HashMap<Source, HashSet<Name>>,
    listed: HashSet<Source>,
}

/// Whether the pod waits for this scheduler, were it not for its gates.
pub(crate) fn wants_node(pod: &PodInfo) -> bool {
    pod.node_name.is_empty() && pod.scheduler_name == NAME && !pod.is_terminating
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            engine: Engine::new(seed),
            queue: Queue::new(),
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
                let objects: Vec<Value> = items.iter().filter_map(parse).collect();
                if source == Source::Pods {
                    self.keep_pods(&objects, now);
                } else {
                    let there: HashSet<Name> = objects.iter().map(name).collect();
                    let known = self.known.entry(source).or_default();
                    let gone: Vec<Name> = known.difference(&there).cloned().collect();
                    for name in &gone {
                        self.remove(source, name, now);
                    }
                }
                for object in &objects {
                    self.apply(source, object, now);
                }
                self.listed.insert(source);
            }
            Update::Applied(object) => {
                if let Some(object) = parse(&object) {
                    self.apply(source, &object, now);
                }
            }
            Update::Deleted(object) => {
                if let Some(object) = parse(&object) {
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

    fn keep_pods(&mut self, pods: &[Value], now: u64) {
        let there: HashSet<PodKey> = pods.iter().map(PodKey::of).collect();
        let bound = self.engine.cluster.pods().map(|pod| &pod.key);
        let gone: Vec<PodKey> = bound
            .chain(self.queue.keys())
            .filter(|key| !there.contains(*key))
            .cloned()
            .collect();
        for key in &gone {
            self.remove_pod(key, now);
        }
    }

    fn apply(&mut self, source: Source, object: &Value, now: u64) {
        if source != Source::Pods {
            let known = self.known.entry(source).or_default();
            known.insert(name(object));
        }
        let cluster = &mut self.engine.cluster;
        match source {
            Source::Pods => self.pod(object, now),
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
            Source::Nodes => cluster.remove_node(name),
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

    fn pod(&mut self, object: &Value, now: u64) {
        let pod = PodInfo::new(object);
        if !pod.node_name.is_empty() {
            self.place(pod, now);
        } else if wants_node(&pod) {
            let pod = Arc::new(pod);
            // A nomination that was just made is not undone by what was written before it.
            let before = self.queue.get(&pod.key);
            let was_nominated = before.is_some_and(|before| !before.nominated_node.is_empty());
            if !pod.nominated_node.is_empty() {
                self.engine.cluster.nominate(&pod, &pod.nominated_node);
            } else if was_nominated {
                self.engine.cluster.denominate(&pod.key);
            }
            self.queue.set(pod, now);
        } else {
            self.forget(&pod.key);
        }
    }

    /// The pod has a node.
    pub(crate) fn place(&mut self, pod: PodInfo, now: u64) {
        self.forget(&pod.key);
        let pod = Arc::new(pod);
        match self.engine.cluster.pod(&pod.key).cloned() {
            None => {
                self.engine.cluster.set_pod(Arc::clone(&pod));
                self.queue.notice(&Event::PodPlaced(&pod), now);
            }
            Some(before) => {
                self.engine.cluster.set_pod(Arc::clone(&pod));
                let changed = Event::PodChanged {
                    before: &before,
                    after: &pod,
                };
                self.queue.notice(&changed, now);
            }
        }
    }

    /// The pod waits no longer.
    pub(crate) fn forget(&mut self, key: &PodKey) {
        self.queue.remove(key);
        self.engine.cluster.denominate(key);
    }

    fn remove_pod(&mut self, key: &PodKey, now: u64) {
        self.forget(key);
        if let Some(pod) = self.engine.cluster.remove_pod(key) {
            self.queue.notice(&Event::PodGone(&pod), now);
        }
    }
}

fn name(object: &Value) -> Name {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

fn parse(object: &Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}
