//! Endpoints that no policy can tell apart, put together; and sets of them by what selects them.

use crate::bits::Bits;
use crate::cidr::Cidr;
use crate::network::{Endpoint, Network, PodId, View, selects};
use crate::policy::{
    Direction, NamespaceMatch, PeerMatch, PodMatch, Policy, Port, PortMatch, Protocol,
};
use foldhash::{HashMap, HashSet};
use model::selector::{LabelSelector, Operator, Requirement};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;

/// Everything that policies look at, gathered once.
#[derive(Default)]
struct Vocabulary<'a> {
    label_keys: HashSet<&'a str>,
    port_names: HashSet<&'a str>,
    /// Ranges with their exceptions, by their place in the list.
    blocks: Vec<(&'a Cidr, &'a [Cidr])>,
    block_ids: HashMap<(&'a Cidr, &'a [Cidr]), u32>,
    /// The blocks of each range, and every range by the length of its prefix.
    by_range: HashMap<Cidr, Vec<u32>>,
    lengths: Vec<(bool, u8)>,
    node_selectors: Vec<&'a LabelSelector>,
}

/// What makes two endpoints the same to all policies.
#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key<'a> {
    Pod {
        namespace: &'a str,
        labels: Vec<(&'a str, &'a str)>,
        ports: Vec<(&'a str, Port)>,
        blocks: Vec<u32>,
    },
    Other {
        blocks: Vec<u32>,
        nodes: Vec<u32>,
    },
}

/// The classes of endpoints of a network, with indexes by what selectors ask.
pub(crate) struct Classes<'a> {
    network: &'a Network,
    /// The class of each pod.
    pub(crate) of_pod: Vec<u32>,
    /// The class of each further address.
    pub(crate) of_address: Vec<u32>,
    /// The members of each class.
    pub(crate) members: Vec<Vec<Endpoint>>,
    keys: Vec<Key<'a>>,
    /// Those of pods come first, by namespace.
    pods: usize,
    ranges: BTreeMap<&'a str, Range<usize>>,
    labels: HashMap<&'a str, HashMap<&'a str, Vec<u32>>>,
    by_block: HashMap<u32, Vec<u32>>,
    block_ids: HashMap<(&'a Cidr, &'a [Cidr]), u32>,
    by_node_selector: HashMap<String, Vec<u32>>,
    by_requirement: RefCell<HashMap<String, Rc<Bits>>>,
}

fn block_of(matches: &PeerMatch) -> Vec<(&Cidr, &[Cidr])> {
    match matches {
        PeerMatch::Block { cidr, except } => vec![(cidr, except.as_slice())],
        PeerMatch::Networks(ranges) => ranges.iter().map(|r| (r, &[][..])).collect(),
        _ => Vec::new(),
    }
}

impl<'a> Vocabulary<'a> {
    fn new(network: &'a Network) -> Self {
        let mut all = Self::default();
        for policy in network.policies() {
            all.policy(policy);
        }
        all
    }

    fn policy(&mut self, policy: &'a Policy) {
        self.selector(&policy.subject.pods);
        let rules = [Direction::Egress, Direction::Ingress]
            .into_iter()
            .flat_map(|direction| policy.rules(direction).unwrap_or_default());
        for rule in rules {
            for port in rule.ports.iter().flatten() {
                if let PortMatch::Named { name, .. } = &port.matches {
                    self.port_names.insert(name);
                }
            }
            for peer in rule.peers.iter().flatten() {
                match &peer.matches {
                    PeerMatch::Pods(pods) => self.selector(&pods.pods),
                    PeerMatch::Nodes(selector) => {
                        if !self.node_selectors.contains(&selector) {
                            self.node_selectors.push(selector);
                        }
                    }
                    other => {
                        for block in block_of(other) {
                            self.block(block);
                        }
                    }
                }
            }
        }
    }

    fn selector(&mut self, selector: &'a LabelSelector) {
        let keys = selector.requirements().iter().map(Requirement::key);
        self.label_keys.extend(keys);
    }

    fn block(&mut self, block: (&'a Cidr, &'a [Cidr])) {
        let id = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        if self.block_ids.contains_key(&block) {
            return;
        }
        self.block_ids.insert(block, id);
        self.blocks.push(block);
        let network = block.0.canonical();
        self.by_range.entry(network).or_default().push(id);
        let length = (network.is_ipv4(), network.length());
        if !self.lengths.contains(&length) {
            self.lengths.push(length);
        }
    }

    /// The blocks that an endpoint is in, ascending.
    fn blocks_of(&self, view: &View<'_>) -> Vec<u32> {
        let mut found = Vec::new();
        if view.addresses().is_empty() {
            let ids = (0u32..).zip(&self.blocks);
            found.extend(
                ids.filter(|(_, (cidr, except))| view.is_within(cidr, except, false))
                    .map(|(id, _)| id),
            );
        }
        for ip in view.addresses() {
            for (is_ipv4, length) in &self.lengths {
                if ip.is_ipv4() != *is_ipv4 {
                    continue;
                }
                let range = Cidr::around(*ip, *length);
                for id in self.by_range.get(&range).into_iter().flatten() {
                    let except = self.blocks.get(*id as usize).map_or(&[][..], |b| b.1);
                    if !except.iter().any(|e| e.contains(*ip)) {
                        found.push(*id);
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn key(&self, view: &View<'a>) -> Key<'a> {
        let blocks = self.blocks_of(view);
        let Some(pod) = view.pod else {
            let nodes = (0u32..).zip(&self.node_selectors).filter(|(_, selector)| {
                view.node
                    .is_some_and(|node| selects(selector, &node.labels))
            });
            return Key::Other {
                blocks,
                nodes: nodes.map(|(id, _)| id).collect(),
            };
        };
        let labels = pod.labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let mut ports: Vec<_> = pod
            .ports
            .iter()
            .map(|named| (named.name.as_str(), named.port))
            .filter(|(name, _)| self.port_names.contains(name))
            .collect();
        ports.sort_unstable();
        ports.dedup();
        Key::Pod {
            namespace: &pod.namespace,
            labels: labels
                .filter(|(k, _)| self.label_keys.contains(k))
                .collect(),
            ports,
            blocks,
        }
    }
}

impl<'a> Classes<'a> {
    /// The classes of a network's pods and of further addresses.
    pub(crate) fn new(network: &'a Network, addresses: &[IpAddr]) -> Self {
        let vocabulary = Vocabulary::new(network);
        let mut found: HashMap<Key<'a>, Vec<Endpoint>> = HashMap::default();
        let pods = (0..).map(PodId).take(network.pods().len());
        let endpoints = pods
            .map(Endpoint::Pod)
            .chain(addresses.iter().map(|ip| Endpoint::Address(*ip)));
        for endpoint in endpoints {
            if let Some(view) = network.view(endpoint) {
                found
                    .entry(vocabulary.key(&view))
                    .or_default()
                    .push(endpoint);
            }
        }
        // Pods come first and by namespace, as the order of keys has it, so that a namespace is a
        // range of classes. Members keep their order: what is first tells classes apart for good.
        let mut sorted: Vec<_> = found.into_iter().collect();
        sorted.sort_unstable_by(|(a, of_a), (b, of_b)| {
            (a.namespace().is_none(), a.namespace(), of_a.first()).cmp(&(
                b.namespace().is_none(),
                b.namespace(),
                of_b.first(),
            ))
        });
        let (keys, members): (Vec<_>, Vec<_>) = sorted.into_iter().unzip();
        let mut classes = Self {
            network,
            of_pod: vec![0; network.pods().len()],
            of_address: vec![0; addresses.len()],
            members,
            pods: keys.partition_point(|key| key.namespace().is_some()),
            keys,
            ranges: BTreeMap::new(),
            labels: HashMap::default(),
            by_block: HashMap::default(),
            by_node_selector: HashMap::default(),
            by_requirement: RefCell::default(),
            block_ids: vocabulary.block_ids,
        };
        classes.index(addresses, &vocabulary.node_selectors);
        classes
    }

    fn index(&mut self, addresses: &[IpAddr], node_selectors: &[&'a LabelSelector]) {
        for ((at, key), members) in (0u32..).zip(&self.keys).zip(&self.members) {
            for member in members {
                match member {
                    Endpoint::Pod(id) => {
                        if let Some(class) = self.of_pod.get_mut(id.0 as usize) {
                            *class = at;
                        }
                    }
                    Endpoint::Address(ip) => {
                        for (class, own) in self.of_address.iter_mut().zip(addresses) {
                            if own == ip {
                                *class = at;
                            }
                        }
                    }
                }
            }
            let blocks = match key {
                Key::Pod {
                    namespace,
                    labels,
                    blocks,
                    ..
                } => {
                    let place = at as usize;
                    let range = self.ranges.entry(namespace).or_insert(place..place);
                    range.end = place + 1;
                    for (key, value) in labels {
                        let values = self.labels.entry(key).or_default();
                        values.entry(value).or_default().push(at);
                    }
                    blocks
                }
                Key::Other { blocks, nodes } => {
                    for id in nodes {
                        if let Some(selector) = node_selectors.get(*id as usize) {
                            let own = self.by_node_selector.entry(selector.to_string());
                            own.or_default().push(at);
                        }
                    }
                    blocks
                }
            };
            for block in blocks {
                self.by_block.entry(*block).or_default().push(at);
            }
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether policies apply to the members of a class.
    pub(crate) fn is_subject(&self, class: usize) -> bool {
        class < self.pods
    }

    /// The port numbers behind the names that policies use, for the members of a class.
    pub(crate) fn ports(&self, class: usize) -> &[(&'a str, Port)] {
        match self.keys.get(class) {
            Some(Key::Pod { ports, .. }) => ports,
            _ => &[],
        }
    }

    /// The classes whose pods call `port` so.
    pub(crate) fn with_port(&self, name: &str, protocol: Option<Protocol>, port: Port) -> Bits {
        let mut bits = Bits::none(self.len());
        if protocol.is_none_or(|p| p == port.protocol) {
            for class in 0..self.pods {
                if self.ports(class).contains(&(name, port)) {
                    bits.insert(class);
                }
            }
        }
        bits
    }

    fn add(&self, bits: &mut Bits, classes: Option<&Vec<u32>>) {
        for class in classes.into_iter().flatten() {
            bits.insert(*class as usize);
        }
    }

    /// The classes of pods that meet a requirement; policies repeat each other's.
    fn with_requirement(&self, requirement: &Requirement) -> Rc<Bits> {
        let text = requirement.to_string();
        if let Some(known) = self.by_requirement.borrow().get(&text) {
            return known.clone();
        }
        let bits = Rc::new(self.meeting(requirement));
        self.by_requirement.borrow_mut().insert(text, bits.clone());
        bits
    }

    fn meeting(&self, requirement: &Requirement) -> Bits {
        let mut bits = Bits::none(self.len());
        let empty = HashMap::default();
        let values = self.labels.get(requirement.key()).unwrap_or(&empty);
        let is_matched = requirement.matches(None);
        // Those with the label that are other than those without it. Of the operators that list
        // values, these are the values: there may be far more that are not listed.
        match requirement.operator() {
            Operator::In
            | Operator::Equals
            | Operator::DoubleEquals
            | Operator::NotIn
            | Operator::NotEquals => {
                for value in requirement.values() {
                    self.add(&mut bits, values.get(value.as_str()));
                }
            }
            _ => {
                for (value, classes) in values {
                    if requirement.matches(Some(value)) != is_matched {
                        self.add(&mut bits, Some(classes));
                    }
                }
            }
        }
        if is_matched {
            let mut rest = Bits::none(self.len());
            rest.insert_range(0..self.pods);
            rest.remove(&bits);
            bits = rest;
        }
        bits
    }

    /// The classes of pods in namespaces.
    fn in_namespaces(&self, namespaces: &NamespaceMatch) -> Bits {
        let mut bits = Bits::none(self.len());
        match namespaces {
            NamespaceMatch::Named(name) => {
                if let Some(range) = self.ranges.get(name.as_str()) {
                    bits.insert_range(range.clone());
                }
            }
            NamespaceMatch::Selected(selector) if selector.is_empty() => {
                bits.insert_range(0..self.pods);
            }
            NamespaceMatch::Selected(_) => {
                for (name, range) in &self.ranges {
                    if self.network.is_namespace_selected(namespaces, name) {
                        bits.insert_range(range.clone());
                    }
                }
            }
        }
        bits
    }

    /// The classes of the pods that a subject or peer speaks of.
    pub(crate) fn selected(&self, by: &PodMatch) -> Bits {
        let mut bits = self.in_namespaces(&by.namespaces);
        for requirement in by.pods.requirements() {
            if bits.is_empty() {
                break;
            }
            bits.keep(&self.with_requirement(requirement));
        }
        bits
    }

    /// The classes that a peer matches.
    pub(crate) fn peer(&self, matches: &PeerMatch) -> Bits {
        match matches {
            PeerMatch::Pods(pods) => self.selected(pods),
            PeerMatch::Block { .. } | PeerMatch::Networks(_) => {
                let mut bits = Bits::none(self.len());
                for block in block_of(matches) {
                    let id = self.block_ids.get(&block);
                    self.add(&mut bits, id.and_then(|id| self.by_block.get(id)));
                }
                bits
            }
            PeerMatch::Nodes(selector) => {
                let mut bits = Bits::none(self.len());
                self.add(&mut bits, self.by_node_selector.get(&selector.to_string()));
                bits
            }
            PeerMatch::Domains(_) | PeerMatch::Unknown => Bits::none(self.len()),
        }
    }
}

impl<'a> Key<'a> {
    fn namespace(&self) -> Option<&'a str> {
        match self {
            Key::Pod { namespace, .. } => Some(namespace),
            Key::Other { .. } => None,
        }
    }
}
