//! A node with what its pods take of it.

use crate::amounts::Amounts;
use crate::pod::{HostPort, PodInfo};
use crate::taint::Taint;
use model::quantity::Quantity;
use model::{Value, meta};
use pod_resources::Resources;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node as the scheduler sees it.
#[derive(Debug, Clone, Default)]
pub struct NodeInfo {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The taints.
    pub taints: Vec<Taint>,
    /// Whether it is cordoned.
    pub is_unschedulable: bool,
    /// What pods can have of it.
    pub allocatable: Amounts,
    /// How many pods can run on it.
    pub allowed_pods: i64,
    /// Sizes of the images it has, in bytes by name.
    pub images: BTreeMap<String, i64>,
    /// What its pods request.
    pub requested: Amounts,
    /// CPU and memory of its pods with defaults for containers that request none.
    pub scored: (i64, i64),
    /// The name once more, to be shared by what tells of many nodes.
    pub(crate) shared_name: Arc<str>,
    pub(crate) pods: Vec<Arc<PodInfo>>,
    /// Used host ports, one entry for each pod's port.
    pub(crate) ports: Vec<HostPort>,
}

impl NodeInfo {
    /// Reads a Node object; nothing runs on it yet.
    pub fn new(node: &Value) -> Self {
        let status = &["status", "allocatable"];
        let resources: Resources = meta::at(node, status)
            .or_else(|| meta::at(node, &["status", "capacity"]))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?)))
            .collect();
        let mut images = BTreeMap::new();
        for image in meta::list(node, &["status", "images"]) {
            let size = meta::at(image, &["sizeBytes"]).and_then(Value::as_i64);
            for name in meta::list(image, &["names"])
                .iter()
                .filter_map(Value::as_str)
            {
                images.entry(name.to_owned()).or_insert(size.unwrap_or(0));
            }
        }
        Self {
            name: meta::name(node).to_owned(),
            shared_name: Arc::from(meta::name(node)),
            labels: meta::labels(node)
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            taints: meta::list(node, &["spec", "taints"])
                .iter()
                .map(Taint::of)
                .collect(),
            is_unschedulable: meta::at(node, &["spec", "unschedulable"])
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            allocatable: Amounts::of(&resources),
            allowed_pods: resources.get("pods").map_or(0, Quantity::value),
            images,
            ..Self::default()
        }
    }

    /// The pods on it, in no particular order.
    pub fn pods(&self) -> &[Arc<PodInfo>] {
        &self.pods
    }

    /// Whether two readings of a Node object say the same to the scheduler.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.labels == other.labels
            && self.taints == other.taints
            && self.is_unschedulable == other.is_unschedulable
            && self.allocatable == other.allocatable
            && self.allowed_pods == other.allowed_pods
            && self.images == other.images
    }

    /// Takes over the object's facts and keeps what runs on it. Returns the facts before.
    pub(crate) fn refresh(&mut self, fresh: Self) -> Self {
        let mut old = std::mem::replace(self, fresh);
        self.requested = std::mem::take(&mut old.requested);
        self.scored = std::mem::take(&mut old.scored);
        self.pods = std::mem::take(&mut old.pods);
        self.ports = std::mem::take(&mut old.ports);
        old
    }

    pub(crate) fn add(&mut self, pod: &Arc<PodInfo>) {
        self.count(pod, 1);
        self.ports.extend(pod.ports.iter().cloned());
        self.pods.push(Arc::clone(pod));
    }

    pub(crate) fn remove(&mut self, pod: &PodInfo) {
        let Some(place) = self.pods.iter().position(|known| known.key == pod.key) else {
            return;
        };
        let pod = self.pods.swap_remove(place);
        self.count(&pod, -1);
        for port in &pod.ports {
            if let Some(place) = self.ports.iter().position(|known| known == port) {
                self.ports.swap_remove(place);
            }
        }
    }

    fn count(&mut self, pod: &PodInfo, sign: i64) {
        self.requested.shift(&pod.requests, sign);
        let (cpu, memory) = pod.scored;
        self.scored.0 = self.scored.0.saturating_add(cpu.saturating_mul(sign));
        self.scored.1 = self.scored.1.saturating_add(memory.saturating_mul(sign));
    }

    /// The zone that upstream groups nodes by: region and zone.
    pub(crate) fn zone(&self) -> String {
        let label = |names: [&str; 2]| {
            let [new, old] = names;
            self.labels
                .get(new)
                .or_else(|| self.labels.get(old))
                .map_or("", String::as_str)
        };
        let region = label([
            "topology.kubernetes.io/region",
            "failure-domain.beta.kubernetes.io/region",
        ]);
        let zone = label([
            "topology.kubernetes.io/zone",
            "failure-domain.beta.kubernetes.io/zone",
        ]);
        format!("{region}:{zone}")
    }
}
