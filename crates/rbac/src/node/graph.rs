//! Which node has to do with which object, kept current by events:
//! `secret, configmap, claim, service account <- pod <- node`, `claim <- volume <- secret`, and
//! `volume attachment <- node`.

use super::references::{self, Referent};
use model::{Value, meta};
use std::collections::{BTreeMap, BTreeSet, HashMap};

type Name = (String, String);

/// The pods that are bound to nodes and what they refer to.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pods: HashMap<Name, BoundPod>,
    /// For each object, how many pods of each node refer to it.
    referents: HashMap<(Referent, Name), BTreeMap<String, usize>>,
    volumes: HashMap<String, Volume>,
    volumes_of_claim: HashMap<Name, BTreeSet<String>>,
    volumes_of_secret: HashMap<Name, BTreeSet<String>>,
    attachments: HashMap<String, String>,
}

#[derive(Debug, Clone, PartialEq)]
struct BoundPod {
    node: String,
    refers_to: BTreeSet<(Referent, String)>,
}

#[derive(Debug, Clone)]
struct Volume {
    claim: Option<Name>,
    secrets: BTreeSet<Name>,
}

impl Graph {
    /// A graph of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes note of a Pod, PersistentVolume or VolumeAttachment that is new or changed, told
    /// apart by `kind`; any other kind is passed over.
    pub fn upsert(&mut self, object: &Value) {
        match meta::text(object, &["kind"]) {
            "Pod" => self.upsert_pod(object),
            "PersistentVolume" => self.upsert_volume(object),
            "VolumeAttachment" => self.upsert_attachment(object),
            _ => {}
        }
    }

    /// Forgets the object that `object` names by its kind, namespace and name.
    pub fn remove(&mut self, object: &Value) {
        let (namespace, name) = (meta::namespace(object), meta::name(object));
        match meta::text(object, &["kind"]) {
            "Pod" => self.remove_pod(namespace, name),
            "PersistentVolume" => self.remove_volume(name),
            "VolumeAttachment" => self.remove_attachment(name),
            _ => {}
        }
    }

    /// Takes note of a pod. What is not bound to a node concerns none.
    pub fn upsert_pod(&mut self, pod: &Value) {
        let name = (meta::namespace(pod).to_owned(), meta::name(pod).to_owned());
        let node = meta::text(pod, &["spec", "nodeName"]);
        if node.is_empty() {
            self.remove_pod(&name.0, &name.1);
            return;
        }
        let bound = BoundPod {
            node: node.to_owned(),
            refers_to: references::of_pod(pod),
        };
        // Most changes of a pod are of its status.
        if self.pods.get(&name) == Some(&bound) {
            return;
        }
        self.remove_pod(&name.0, &name.1);
        for (kind, referent) in &bound.refers_to {
            let object = (*kind, (name.0.clone(), referent.clone()));
            let nodes = self.referents.entry(object).or_default();
            *nodes.entry(bound.node.clone()).or_default() += 1;
        }
        self.pods.insert(name, bound);
    }

    /// Forgets a pod.
    pub fn remove_pod(&mut self, namespace: &str, name: &str) {
        let Some(bound) = self.pods.remove(&(namespace.to_owned(), name.to_owned())) else {
            return;
        };
        for (kind, referent) in bound.refers_to {
            let object = (kind, (namespace.to_owned(), referent));
            let Some(nodes) = self.referents.get_mut(&object) else {
                continue;
            };
            if let Some(count) = nodes.get_mut(&bound.node) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    nodes.remove(&bound.node);
                }
            }
            if nodes.is_empty() {
                self.referents.remove(&object);
            }
        }
    }

    /// Takes note of a persistent volume.
    pub fn upsert_volume(&mut self, volume: &Value) {
        let name = meta::name(volume).to_owned();
        self.remove_volume(&name);
        let claim = meta::at(volume, &["spec", "claimRef"]).map(|claim| {
            (
                meta::text(claim, &["namespace"]).to_owned(),
                meta::text(claim, &["name"]).to_owned(),
            )
        });
        let secrets = references::of_volume(volume);
        if let Some(claim) = &claim {
            let volumes = self.volumes_of_claim.entry(claim.clone()).or_default();
            volumes.insert(name.clone());
        }
        for secret in &secrets {
            let volumes = self.volumes_of_secret.entry(secret.clone()).or_default();
            volumes.insert(name.clone());
        }
        self.volumes.insert(name, Volume { claim, secrets });
    }

    /// Forgets a persistent volume.
    pub fn remove_volume(&mut self, name: &str) {
        let Some(volume) = self.volumes.remove(name) else {
            return;
        };
        let forget = |index: &mut HashMap<Name, BTreeSet<String>>, key: &Name| {
            if let Some(volumes) = index.get_mut(key) {
                volumes.remove(name);
                if volumes.is_empty() {
                    index.remove(key);
                }
            }
        };
        if let Some(claim) = &volume.claim {
            forget(&mut self.volumes_of_claim, claim);
        }
        for secret in &volume.secrets {
            forget(&mut self.volumes_of_secret, secret);
        }
    }

    /// Takes note of a volume attachment.
    pub fn upsert_attachment(&mut self, attachment: &Value) {
        let node = meta::text(attachment, &["spec", "nodeName"]).to_owned();
        self.attachments
            .insert(meta::name(attachment).to_owned(), node);
    }

    /// Forgets a volume attachment.
    pub fn remove_attachment(&mut self, name: &str) {
        self.attachments.remove(name);
    }

    /// Whether the pod is bound to the node.
    pub fn has_pod(&self, node: &str, namespace: &str, name: &str) -> bool {
        self.pods
            .get(&(namespace.to_owned(), name.to_owned()))
            .is_some_and(|pod| pod.node == node)
    }

    /// Whether a pod of the node refers to the object; to a secret, also through the claim of a
    /// volume that needs it.
    pub fn refers_to(&self, node: &str, kind: Referent, namespace: &str, name: &str) -> bool {
        let object = (namespace.to_owned(), name.to_owned());
        if kind == Referent::Secret
            && let Some(volumes) = self.volumes_of_secret.get(&object)
            && volumes.iter().any(|volume| self.uses_volume(node, volume))
        {
            return true;
        }
        self.referents
            .get(&(kind, object))
            .is_some_and(|nodes| nodes.contains_key(node))
    }

    /// Whether a pod of the node uses the persistent volume through its claim.
    pub fn uses_volume(&self, node: &str, volume: &str) -> bool {
        self.volumes
            .get(volume)
            .and_then(|volume| volume.claim.as_ref())
            .is_some_and(|(namespace, name)| self.refers_to(node, Referent::Claim, namespace, name))
    }

    /// Whether the volume attachment is to the node.
    pub fn is_attached(&self, node: &str, attachment: &str) -> bool {
        self.attachments.get(attachment).is_some_and(|n| n == node)
    }

    /// Whether nothing is noted at all; tests use it to find leaks.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
            && self.referents.is_empty()
            && self.volumes.is_empty()
            && self.volumes_of_claim.is_empty()
            && self.volumes_of_secret.is_empty()
            && self.attachments.is_empty()
    }
}
