//! Topology keys in use, with their values as small numbers, so that counting by domain is
//! counting in a list.

use foldhash::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node's number.
pub(crate) type NodeId = u32;
/// A topology key's number.
pub(crate) type KeyId = u32;
/// The number of a value of a key.
pub(crate) type ValueId = u32;

/// No value: the node does not have the label.
const NONE: ValueId = ValueId::MAX;

pub(crate) fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[derive(Debug)]
struct Key {
    name: Arc<str>,
    of_node: Vec<ValueId>,
    ids: HashMap<String, ValueId>,
    /// How many nodes have each value; a number whose count is 0 is free.
    nodes: Vec<u32>,
    free: Vec<ValueId>,
    /// How many nodes have the key.
    total: usize,
}

/// The keys in use. A value's number is given to another one once no node has it.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    ids: HashMap<Arc<str>, KeyId>,
    keys: Vec<Key>,
}

impl Topology {
    pub(crate) fn id(&self, name: &str) -> Option<KeyId> {
        self.ids.get(name).copied()
    }

    /// The number of a key; the labels of the nodes that are there are looked at once.
    pub(crate) fn ensure<'a>(
        &mut self,
        name: &Arc<str>,
        nodes: impl Iterator<Item = (NodeId, &'a BTreeMap<String, String>)>,
    ) -> KeyId {
        if let Some(id) = self.id(name) {
            return id;
        }
        let id = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        let mut key = Key {
            name: Arc::clone(name),
            of_node: Vec::new(),
            ids: HashMap::default(),
            nodes: Vec::new(),
            free: Vec::new(),
            total: 0,
        };
        for (node, labels) in nodes {
            key.enter(node, labels);
        }
        self.keys.push(key);
        self.ids.insert(Arc::clone(name), id);
        id
    }

    /// A node appears.
    pub(crate) fn enter(&mut self, node: NodeId, labels: &BTreeMap<String, String>) {
        self.keys.iter_mut().for_each(|key| key.enter(node, labels));
    }

    /// A node, whose pods are counted out already, goes.
    pub(crate) fn leave(&mut self, node: NodeId, labels: &BTreeMap<String, String>) {
        self.keys.iter_mut().for_each(|key| key.leave(node, labels));
    }

    /// The domain of a node.
    pub(crate) fn value(&self, key: KeyId, node: NodeId) -> Option<ValueId> {
        let value = *self.keys.get(at(key))?.of_node.get(at(node))?;
        (value != NONE).then_some(value)
    }

    /// The number of nodes in each domain; 0 for numbers that are not in use.
    pub(crate) fn sizes(&self, key: KeyId) -> &[u32] {
        self.keys.get(at(key)).map_or(&[], |key| &key.nodes)
    }

    /// How many nodes have the key.
    pub(crate) fn total(&self, key: KeyId) -> usize {
        self.keys.get(at(key)).map_or(0, |key| key.total)
    }
}

impl Key {
    fn enter(&mut self, node: NodeId, labels: &BTreeMap<String, String>) {
        if self.of_node.len() <= at(node) {
            self.of_node.resize(at(node) + 1, NONE);
        }
        let value = labels
            .get(&*self.name)
            .map(|label| match self.ids.get(label) {
                Some(id) => *id,
                None => {
                    let id = self.free.pop().unwrap_or_else(|| {
                        self.nodes.push(0);
                        u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
                    });
                    self.ids.insert(label.clone(), id);
                    id
                }
            });
        if let Some(size) = value.and_then(|value| self.nodes.get_mut(at(value))) {
            *size += 1;
            self.total += 1;
        }
        if let Some(place) = self.of_node.get_mut(at(node)) {
            *place = value.unwrap_or(NONE);
        }
    }

    fn leave(&mut self, node: NodeId, labels: &BTreeMap<String, String>) {
        let Some(place) = self.of_node.get_mut(at(node)) else {
            return;
        };
        let value = std::mem::replace(place, NONE);
        let Some(size) = self.nodes.get_mut(at(value)).filter(|_| value != NONE) else {
            return;
        };
        *size = size.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
        if *size == 0 {
            self.free.push(value);
            if let Some(label) = labels.get(&*self.name) {
                self.ids.remove(label);
            }
        }
    }
}
