//! All policies together with everything they speak of.

use crate::cluster::{Namespace, Node, Pod};
use crate::policy::{NamespaceMatch, PodMatch, Policy, Tier};
use foldhash::HashMap;
use model::selector::LabelSelector;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A pod of a [`Network`]: its place in [`Network::pods`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PodId(pub u32);

/// A policy of a [`Network`]: its place in [`Network::policies`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(pub u32);

/// One end of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    /// A pod.
    Pod(PodId),
    /// An address. That of a pod is the pod (see [`Network::endpoint`]), that of a node the node,
    /// any other is outside the cluster.
    Address(IpAddr),
}

/// Policies, in the order in which they are asked, and the pods, namespaces and nodes of a
/// cluster.
#[derive(Debug, Clone, Default)]
pub struct Network {
    policies: Vec<Policy>,
    pods: Vec<Pod>,
    namespaces: BTreeMap<String, Namespace>,
    nodes: BTreeMap<String, Node>,
    by_namespace: HashMap<String, Vec<PolicyId>>,
    admin: Vec<PolicyId>,
    baseline: Vec<PolicyId>,
    by_name: HashMap<(String, String), PodId>,
    by_address: HashMap<IpAddr, PodId>,
    node_of_address: HashMap<IpAddr, String>,
}

/// The labels of one thing, as selectors look them up.
pub(crate) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    selector.matches(|key| labels.get(key).map(String::as_str))
}

impl Network {
    /// Puts a cluster together. Namespaces that only pods or policies name have no labels but
    /// that of their name.
    ///
    /// AdminNetworkPolicies of one priority are asked in the order of their names; upstream leaves
    /// that order open.
    pub fn new(
        policies: Vec<Policy>,
        pods: Vec<Pod>,
        namespaces: Vec<Namespace>,
        nodes: Vec<Node>,
    ) -> Self {
        let mut policies = policies;
        policies
            .sort_by(|a, b| (a.tier, &a.namespace, &a.name).cmp(&(b.tier, &b.namespace, &b.name)));
        let mut network = Self {
            namespaces: namespaces
                .into_iter()
                .map(|n| (n.name.clone(), n))
                .collect(),
            nodes: nodes.into_iter().map(|n| (n.name.clone(), n)).collect(),
            ..Self::default()
        };
        for (policy, id) in policies.iter().zip((0..).map(PolicyId)) {
            match policy.tier {
                Tier::Admin { .. } => network.admin.push(id),
                Tier::Baseline => network.baseline.push(id),
                Tier::Network => {
                    network.imply(&policy.namespace);
                    let own = network.by_namespace.entry(policy.namespace.clone());
                    own.or_default().push(id);
                }
            }
        }
        for (pod, id) in pods.iter().zip((0..).map(PodId)) {
            network.imply(&pod.namespace);
            let name = (pod.namespace.clone(), pod.name.clone());
            network.by_name.insert(name, id);
            if !pod.node.is_empty() {
                let node = network.nodes.entry(pod.node.clone()).or_default();
                node.name.clone_from(&pod.node);
                let own = if pod.host_network {
                    &pod.addresses[..]
                } else {
                    &[]
                };
                for ip in pod.host_addresses.iter().chain(own) {
                    if !node.addresses.contains(ip) {
                        node.addresses.push(*ip);
                    }
                }
            }
            if !pod.host_network {
                network
                    .by_address
                    .extend(pod.addresses.iter().map(|ip| (*ip, id)));
            }
        }
        for node in network.nodes.values() {
            for ip in &node.addresses {
                network.node_of_address.insert(*ip, node.name.clone());
            }
        }
        network.policies = policies;
        network.pods = pods;
        network
    }

    fn imply(&mut self, namespace: &str) {
        if !self.namespaces.contains_key(namespace) {
            let implied = Namespace::new(namespace, BTreeMap::new());
            self.namespaces.insert(namespace.to_owned(), implied);
        }
    }

    /// The policies, in the order in which they are asked.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// A policy.
    pub fn policy(&self, id: PolicyId) -> Option<&Policy> {
        self.policies.get(id.0 as usize)
    }

    /// The pods, as they were given.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// A pod.
    pub fn pod(&self, id: PodId) -> Option<&Pod> {
        self.pods.get(id.0 as usize)
    }

    /// The namespaces, by name, with those that are only named.
    pub fn namespaces(&self) -> &BTreeMap<String, Namespace> {
        &self.namespaces
    }

    /// The nodes, by name, with those that only pods name.
    pub fn nodes(&self) -> &BTreeMap<String, Node> {
        &self.nodes
    }

    /// The pod of that name.
    pub fn find_pod(&self, namespace: &str, name: &str) -> Option<PodId> {
        let key = (namespace.to_owned(), name.to_owned());
        self.by_name.get(&key).copied()
    }

    /// The end of traffic with an address: the pod that has it, else the address.
    pub fn endpoint(&self, address: IpAddr) -> Endpoint {
        let address = address.to_canonical();
        match self.by_address.get(&address) {
            Some(pod) => Endpoint::Pod(*pod),
            None => Endpoint::Address(address),
        }
    }

    pub(crate) fn admin_policies(&self) -> &[PolicyId] {
        &self.admin
    }

    pub(crate) fn baseline_policies(&self) -> &[PolicyId] {
        &self.baseline
    }

    pub(crate) fn network_policies(&self, namespace: &str) -> &[PolicyId] {
        self.by_namespace.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Whether these are pods that `pod` is one of. Pods of a host's network never are.
    pub fn is_selected(&self, by: &PodMatch, pod: &Pod) -> bool {
        !pod.host_network
            && self.is_namespace_selected(&by.namespaces, &pod.namespace)
            && selects(&by.pods, &pod.labels)
    }

    /// Whether a namespace is one of these.
    pub fn is_namespace_selected(&self, by: &NamespaceMatch, namespace: &str) -> bool {
        match by {
            NamespaceMatch::Named(name) => name == namespace,
            NamespaceMatch::Selected(selector) => self
                .namespaces
                .get(namespace)
                .is_some_and(|n| selects(selector, &n.labels)),
        }
    }

    /// What policies see of an endpoint.
    pub(crate) fn view(&self, endpoint: Endpoint) -> Option<View<'_>> {
        match endpoint {
            Endpoint::Pod(id) => {
                let pod = self.pod(id)?;
                if !pod.host_network {
                    return Some(View {
                        pod: Some(pod),
                        node: None,
                        addresses: Addresses::Many(&pod.addresses),
                    });
                }
                let node = self.nodes.get(&pod.node);
                Some(View {
                    pod: None,
                    node,
                    addresses: Addresses::Many(match node {
                        Some(node) if pod.addresses.is_empty() => &node.addresses,
                        _ => &pod.addresses,
                    }),
                })
            }
            Endpoint::Address(ip) => match self.endpoint(ip) {
                pod @ Endpoint::Pod(_) => self.view(pod),
                Endpoint::Address(ip) => {
                    let node = self.node_of_address.get(&ip);
                    Some(View {
                        pod: None,
                        node: node.and_then(|name| self.nodes.get(name)),
                        addresses: Addresses::One(ip),
                    })
                }
            },
        }
    }
}

/// What policies see of an endpoint: a pod of the cluster's network, a node, or an address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    /// The pod, if it is one that policies apply to.
    pub(crate) pod: Option<&'a Pod>,
    /// The node, if it is one or in one's network.
    pub(crate) node: Option<&'a Node>,
    addresses: Addresses<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Addresses<'a> {
    One(IpAddr),
    Many(&'a [IpAddr]),
}

impl View<'_> {
    /// Its addresses; empty if they are not known.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        match &self.addresses {
            Addresses::One(ip) => std::slice::from_ref(ip),
            Addresses::Many(all) => all,
        }
    }
}
