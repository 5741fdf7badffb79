//! A node as the scheduler sees it.

use model::{Value, meta};
use pod_resources::Resources;
use std::collections::{BTreeMap, BTreeSet};

/// What a pod takes of its node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// Its effective requests.
    pub requests: Resources,
    /// Host ports as `(protocol, address, port)`.
    pub ports: BTreeSet<(String, String, u16)>,
}

impl Usage {
    /// What `pod` takes.
    pub fn of(pod: &Value) -> Self {
        let ports = ["containers", "initContainers"]
            .iter()
            .flat_map(|field| meta::list(pod, &["spec", field]))
            .flat_map(|container| meta::list(container, &["ports"]))
            .filter_map(|port| {
                let number = meta::at(port, &["hostPort"])?.as_u64().filter(|n| *n > 0)?;
                let or = |text: &str, default: &str| {
                    if text.is_empty() {
                        default.to_owned()
                    } else {
                        text.to_owned()
                    }
                };
                Some((
                    or(meta::text(port, &["protocol"]), "TCP"),
                    or(meta::text(port, &["hostIP"]), "0.0.0.0"),
                    u16::try_from(number).ok()?,
                ))
            })
            .collect();
        Self {
            requests: pod_resources::requests(pod),
            ports,
        }
    }
}

/// A node with what its pods take of it.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The taints, as in the Node object.
    pub taints: Vec<Value>,
    /// Whether it is cordoned.
    pub unschedulable: bool,
    /// What pods can have of it; `pods` is the number of pods.
    pub allocatable: Resources,
    used: Resources,
    ports: BTreeMap<(String, String, u16), usize>,
    pods: usize,
}

impl Node {
    /// Reads a Node object; nothing runs on it yet.
    pub fn new(node: &Value) -> Self {
        let amounts = |field: &str| {
            meta::at(node, &["status", field])
                .and_then(Value::as_object)
                .map(|map| {
                    map.iter()
                        .filter_map(|(name, amount)| {
                            let amount = model::quantity::Quantity::from_value(amount).ok()?;
                            Some((name.clone(), amount))
                        })
                        .collect::<Resources>()
                })
        };
        Self {
            name: meta::name(node).to_owned(),
            labels: meta::labels(node)
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            taints: meta::list(node, &["spec", "taints"]).to_vec(),
            unschedulable: meta::at(node, &["spec", "unschedulable"])
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            allocatable: amounts("allocatable")
                .or_else(|| amounts("capacity"))
                .unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Takes the object's facts of `node` and keeps what runs on it.
    pub fn refresh(&mut self, node: &Value) {
        let fresh = Self::new(node);
        let old = std::mem::replace(self, fresh);
        (self.used, self.ports, self.pods) = (old.used, old.ports, old.pods);
    }

    /// Counts a pod in.
    pub fn add(&mut self, usage: &Usage) {
        self.pods += 1;
        for (name, amount) in &usage.requests {
            let used = self
                .used
                .entry(name.clone())
                .or_insert(model::quantity::Quantity::ZERO);
            *used = used.plus(*amount);
        }
        for port in &usage.ports {
            *self.ports.entry(port.clone()).or_default() += 1;
        }
    }

    /// Counts a pod out that was counted in before.
    pub fn remove(&mut self, usage: &Usage) {
        self.pods = self.pods.saturating_sub(1);
        for (name, amount) in &usage.requests {
            if let Some(used) = self.used.get_mut(name) {
                *used = used.minus(*amount);
            }
        }
        for port in &usage.ports {
            if let Some(count) = self.ports.get_mut(port) {
                *count -= 1;
                if *count == 0 {
                    self.ports.remove(port);
                }
            }
        }
    }

    /// How many pods run on it.
    pub fn pods(&self) -> usize {
        self.pods
    }

    /// What its pods take of a resource.
    pub fn used(&self, resource: &str) -> model::quantity::Quantity {
        self.used
            .get(resource)
            .copied()
            .unwrap_or(model::quantity::Quantity::ZERO)
    }

    /// Whether a host port is taken; `0.0.0.0` stands for every address.
    pub fn port_taken(&self, (protocol, address, port): &(String, String, u16)) -> bool {
        self.ports.keys().any(|(p, a, n)| {
            p == protocol && n == port && (a == address || a == "0.0.0.0" || address == "0.0.0.0")
        })
    }
}
