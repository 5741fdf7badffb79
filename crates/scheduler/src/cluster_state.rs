//! What the scheduler knows: nodes with what is taken of them, and the pods that wait.

use crate::NAME;
use bytes::Bytes;
use cluster_api::Update;
use model::{Value, meta};
use scheduling::{Node, Placement, Usage, place};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A pod; another pod of the same name has another UID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// Higher priority first, then longer waiting.
type Rank = (Reverse<i64>, u64);

#[derive(Default)]
pub(crate) struct State {
    nodes: BTreeMap<String, Node>,
    /// Pods that have a node, with what they take of it. The node may not be known (yet).
    bound: HashMap<Key, (String, Usage)>,
    queue: BTreeMap<Rank, Key>,
    ranks: HashMap<Key, Rank>,
    parked: BTreeSet<Key>,
    arrivals: u64,
    listed_pods: bool,
    listed_nodes: bool,
}

/// Whether the pod waits for this scheduler.
pub(crate) fn wants_node(pod: &Value) -> bool {
    meta::text(pod, &["spec", "nodeName"]).is_empty()
        && meta::text(pod, &["spec", "schedulerName"]) == NAME
        && meta::list(pod, &["spec", "schedulingGates"]).is_empty()
        && meta::at(pod, &["metadata", "deletionTimestamp"]).is_none()
}

impl State {
    pub(crate) fn ready(&self) -> bool {
        self.listed_pods && self.listed_nodes
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn pods(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                let pods: Vec<Value> = items.iter().filter_map(parse).collect();
                let there: HashSet<Key> = pods.iter().map(Key::of).collect();
                let gone: Vec<Key> = self
                    .bound
                    .keys()
                    .chain(self.ranks.keys())
                    .filter(|key| !there.contains(*key))
                    .cloned()
                    .collect();
                gone.iter().for_each(|key| self.remove(key));
                pods.iter().for_each(|pod| self.pod(pod));
                self.listed_pods = true;
            }
            Update::Applied(object) => {
                if let Some(pod) = parse(&object) {
                    self.pod(&pod);
                }
            }
            Update::Deleted(object) => {
                if let Some(pod) = parse(&object) {
                    self.remove(&Key::of(&pod));
                }
            }
            Update::Trouble(_) => (),
        }
    }

    pub(crate) fn nodes(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                let nodes: Vec<Value> = items.iter().filter_map(parse).collect();
                let names: HashSet<&str> = nodes.iter().map(meta::name).collect();
                self.nodes.retain(|name, _| names.contains(name.as_str()));
                nodes.iter().for_each(|node| self.node(node));
                self.listed_nodes = true;
            }
            Update::Applied(object) => {
                if let Some(node) = parse(&object) {
                    self.node(&node);
                }
            }
            Update::Deleted(object) => {
                if let Some(node) = parse(&object) {
                    self.nodes.remove(meta::name(&node));
                }
            }
            Update::Trouble(_) => return,
        }
        self.retry_parked();
    }

    fn node(&mut self, object: &Value) {
        let name = meta::name(object);
        if let Some(node) = self.nodes.get_mut(name) {
            node.refresh(object);
            return;
        }
        let mut node = Node::new(object);
        self.bound
            .values()
            .filter(|(on, _)| on == name)
            .for_each(|(_, usage)| node.add(usage));
        self.nodes.insert(name.to_owned(), node);
    }

    fn pod(&mut self, pod: &Value) {
        let key = Key::of(pod);
        let node = meta::text(pod, &["spec", "nodeName"]);
        if !node.is_empty() {
            self.assume(&key, pod, node);
        } else if wants_node(pod) {
            self.wait(key, pod);
        } else {
            self.forget(&key);
        }
    }

    fn wait(&mut self, key: Key, pod: &Value) {
        if self.ranks.contains_key(&key) && !self.parked.contains(&key) {
            return;
        }
        // A parked pod that changed may fit now.
        self.parked.remove(&key);
        let priority = meta::at(pod, &["spec", "priority"])
            .and_then(Value::as_i64)
            .unwrap_or(0);
        self.arrivals += 1;
        let rank = (Reverse(priority), self.arrivals);
        self.ranks.insert(key.clone(), rank);
        self.queue.insert(rank, key);
    }

    /// The pod that is next, taken from the queue until it is assumed, parked, put back or
    /// forgotten.
    pub(crate) fn next_pending(&mut self) -> Option<Key> {
        self.queue.pop_first().map(|(_, key)| key)
    }

    pub(crate) fn put_back(&mut self, key: &Key) {
        if let Some(rank) = self.ranks.get(key) {
            self.queue.insert(*rank, key.clone());
        }
    }

    /// The pod fits nowhere: it waits until something changes.
    pub(crate) fn park(&mut self, key: &Key) {
        self.parked.insert(key.clone());
    }

    fn retry_parked(&mut self) {
        for key in std::mem::take(&mut self.parked) {
            self.put_back(&key);
        }
    }

    /// The pod waits no longer.
    pub(crate) fn forget(&mut self, key: &Key) {
        if let Some(rank) = self.ranks.remove(key) {
            self.queue.remove(&rank);
        }
        self.parked.remove(key);
    }

    pub(crate) fn place(&self, pod: &Value) -> Placement {
        place(pod, &Usage::of(pod), self.nodes.values())
    }

    /// Counts the pod in on its node. Its requests do not change afterwards but by resize, which
    /// arrives here as well.
    pub(crate) fn assume(&mut self, key: &Key, pod: &Value, node: &str) {
        self.forget(key);
        let usage = Usage::of(pod);
        if let Some((on, known)) = self.bound.get(key) {
            if on == node && *known == usage {
                return;
            }
            self.remove(key);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.add(&usage);
        }
        self.bound.insert(key.clone(), (node.to_owned(), usage));
    }

    fn remove(&mut self, key: &Key) {
        self.forget(key);
        if let Some((node, usage)) = self.bound.remove(key) {
            if let Some(node) = self.nodes.get_mut(&node) {
                node.remove(&usage);
            }
            self.retry_parked();
        }
    }
}

fn parse(object: &Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}
