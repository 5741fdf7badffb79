//! The node. Here a simulated one: it takes pods and reports them as running, but runs no
//! processes, and its Node object and every pod's conditions say so. It acts under a node's
//! identity (`system:node:NAME`), with a node's rights and no more.

mod node;
mod pod;
mod references;

use bytes::Bytes;
use cluster_api::{
    Cluster, DeleteOptions, PatchType, Pause, ResourceRef, Selection, Severity, Update, event,
    follow,
};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use model::status::Status;
use model::{Value, meta};
use serde_json::json;
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

pub use node::{Capacity, SIMULATED_CONDITION, SIMULATED_LABEL};

/// How often the node renews its lease, as kubelet's default.
const LEASE_PERIOD: Duration = Duration::from_secs(10);
/// How often a pod that waits for a secret or config map is looked at again.
const WAIT_PERIOD: Duration = Duration::from_secs(1);

/// A simulated node.
pub struct SimulatedNode {
    /// The cluster, under the identity `system:node:NAME`.
    pub cluster: Arc<dyn Cluster>,
    /// The node's name.
    pub name: String,
    /// What the node offers to pods.
    pub capacity: Capacity,
    /// The wait before a failed request is tried again.
    pub pause: Pause,
}

impl SimulatedNode {
    /// Makes or refreshes the Node object and its lease; returns once the node is Ready.
    pub async fn register(&self) -> Result<(), Status> {
        let nodes = ResourceRef::core("nodes");
        let object = node::object(&self.name);
        match self.cluster.create(&nodes, None, None, object).await {
            Err(status) if !status.is_already_exists() => return Err(status),
            _ => (),
        }
        self.renew().await
    }

    /// Reports that the node is alive.
    async fn renew(&self) -> Result<(), Status> {
        let now = now();
        let status = node::status(&self.name, &self.capacity, &now.0);
        let resource = ResourceRef::core("nodes/status");
        self.cluster
            .patch(
                &resource,
                None,
                &self.name,
                json!({ "status": status }),
                PatchType::Strategic,
            )
            .await?;
        let leases = ResourceRef::new("coordination.k8s.io", "v1", "leases");
        let space = Some("kube-node-lease");
        let lease = node::lease(&self.name, &now.0);
        match self
            .cluster
            .patch(&leases, space, &self.name, lease.clone(), PatchType::Merge)
            .await
        {
            Err(status) if status.is_not_found() => self
                .cluster
                .create(&leases, space, None, lease)
                .await
                .map(drop),
            other => other.map(drop),
        }
    }

    /// Runs the node's pods for ever.
    pub async fn run(self) {
        let fields = format!("spec.nodeName={}", self.name);
        let mut pods = Box::pin(follow(
            Arc::clone(&self.cluster),
            ResourceRef::core("pods"),
            None,
            Selection {
                fields,
                ..Selection::default()
            },
            self.pause.clone(),
        ));
        let mut heartbeat = tokio::time::interval(LEASE_PERIOD);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut addresses = Addresses::default();
        let mut waiting = FuturesUnordered::new();
        loop {
            tokio::select! {
                _ = heartbeat.tick() => {
                    if let Err(status) = self.renew().await {
                        tracing::warn!(%status, "cannot renew the node");
                    }
                }
                Some(update) = pods.next() => {
                    for object in objects(update, &mut addresses) {
                        if let Some(again) = self.handle(&object, &mut addresses).await {
                            waiting.push(later(again));
                        }
                    }
                }
                Some((namespace, name)) = waiting.next(), if !waiting.is_empty() => {
                    let pods = ResourceRef::core("pods");
                    if let Ok(object) = self.cluster.get(&pods, Some(&namespace), &name).await
                        && let Some(again) = self.handle(&object, &mut addresses).await
                    {
                        waiting.push(later(again));
                    }
                }
            }
        }
    }

    /// Brings one pod a step further; returns its name if it must be looked at again.
    async fn handle(&self, object: &Bytes, addresses: &mut Addresses) -> Option<(String, String)> {
        let pod: Value = serde_json::from_slice(object).ok()?;
        let key = (
            meta::namespace(&pod).to_owned(),
            meta::name(&pod).to_owned(),
        );
        match self.sync(&pod, addresses).await {
            Ok(true) => None,
            Ok(false) => Some(key),
            // Changed or gone in between: its event is on the way.
            Err(status) if status.is_not_found() || status.is_conflict() => None,
            Err(status) => {
                tracing::warn!(%status, pod = key.1, namespace = key.0, "will try again");
                Some(key)
            }
        }
    }

    /// True once the pod is as it should be.
    async fn sync(&self, pod: &Value, addresses: &mut Addresses) -> Result<bool, Status> {
        let namespace = meta::namespace(pod);
        let name = meta::name(pod);
        if meta::text(pod, &["spec", "nodeName"]) != self.name {
            return Ok(true);
        }
        if meta::at(pod, &["metadata", "deletionTimestamp"]).is_some() {
            addresses.release(meta::uid(pod));
            let options = DeleteOptions {
                uid: Some(meta::uid(pod).to_owned()),
                grace_seconds: Some(0),
                ..DeleteOptions::default()
            };
            let pods = ResourceRef::core("pods");
            self.cluster
                .delete(&pods, Some(namespace), name, options)
                .await?;
            return Ok(true);
        }
        if matches!(
            meta::text(pod, &["status", "phase"]),
            "Succeeded" | "Failed"
        ) {
            return Ok(true);
        }
        let missing = self.missing(pod).await?;
        let (time, _) = now();
        let status = match &missing {
            Some(missing) => pod::waiting(pod, missing, &time),
            None => pod::running(pod, &addresses.of(pod).to_string(), &time),
        };
        let Some(status) = status else {
            return Ok(missing.is_none());
        };
        let patch = json!({ "metadata": { "uid": meta::uid(pod) }, "status": status });
        let resource = ResourceRef::core("pods/status");
        self.cluster
            .patch(
                &resource,
                Some(namespace),
                name,
                patch,
                PatchType::Strategic,
            )
            .await?;
        match &missing {
            Some(missing) => {
                let text = missing.to_string();
                self.record(pod, Severity::Warning, missing.reason(), &text)
                    .await;
            }
            None => {
                let text = "Reported as running; this node is simulated and runs no processes";
                self.record(pod, Severity::Normal, "Simulated", text).await;
            }
        }
        Ok(missing.is_none())
    }

    /// The first secret or config map that the pod needs and that is not there.
    async fn missing(&self, pod: &Value) -> Result<Option<references::Missing>, Status> {
        for reference in references::required(pod) {
            let namespace = Some(meta::namespace(pod));
            let resource = ResourceRef::core(reference.resource);
            let object = match self
                .cluster
                .get(&resource, namespace, &reference.name)
                .await
            {
                Ok(bytes) => serde_json::from_slice(&bytes).map_err(Status::internal)?,
                Err(status) if status.is_not_found() => Value::Null,
                Err(status) => return Err(status),
            };
            if let Some(missing) = reference.missing_in(&object) {
                return Ok(Some(missing));
            }
        }
        Ok(None)
    }

    async fn record(&self, pod: &Value, severity: Severity, reason: &str, text: &str) {
        let (time, unique) = now();
        let event = event(pod, "kubelet", severity, reason, text, &time, unique);
        let events = ResourceRef::core("events");
        let namespace = Some(meta::namespace(pod));
        if let Err(status) = self.cluster.create(&events, namespace, None, event).await {
            tracing::debug!(%status, "cannot record an event");
        }
    }
}

/// The objects to look at after an update.
fn objects(update: Update, addresses: &mut Addresses) -> Vec<Bytes> {
    match update {
        Update::Reset(items) => {
            addresses.recover(&items);
            items
        }
        Update::Applied(object) => vec![object],
        Update::Deleted(object) => {
            if let Ok(pod) = serde_json::from_slice::<Value>(&object) {
                addresses.release(meta::uid(&pod));
            }
            Vec::new()
        }
        Update::Trouble(status) => {
            tracing::warn!(%status, "cannot follow the node's pods");
            Vec::new()
        }
    }
}

async fn later(key: (String, String)) -> (String, String) {
    tokio::time::sleep(WAIT_PERIOD).await;
    key
}

/// The time as the API writes it, and in nanoseconds.
fn now() -> (String, u64) {
    let now = jiff::Timestamp::now();
    let unique = u64::try_from(now.as_nanosecond()).unwrap_or_default();
    (now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), unique)
}

/// Pod addresses, from 10.244.0.0/16. Addresses of running pods survive a restart.
#[derive(Default)]
struct Addresses {
    by_pod: HashMap<String, Ipv4Addr>,
    last: u16,
}

impl Addresses {
    fn recover(&mut self, pods: &[Bytes]) {
        self.by_pod = pods
            .iter()
            .filter_map(|object| serde_json::from_slice::<Value>(object).ok())
            .filter_map(|pod| {
                let address = meta::text(&pod, &["status", "podIP"]).parse().ok()?;
                Some((meta::uid(&pod).to_owned(), address))
            })
            .collect();
    }

    fn of(&mut self, pod: &Value) -> Ipv4Addr {
        if meta::at(pod, &["spec", "hostNetwork"]).and_then(Value::as_bool) == Some(true) {
            return node::ADDRESS;
        }
        if let Some(address) = self.by_pod.get(meta::uid(pod)) {
            return *address;
        }
        // 65,533 addresses outnumber the pods that one node takes, so one is always free.
        let address = loop {
            self.last = if self.last >= u16::MAX - 1 {
                2
            } else {
                self.last.max(1) + 1
            };
            let [high, low] = self.last.to_be_bytes();
            let address = Ipv4Addr::new(10, 244, high, low);
            if !self.by_pod.values().any(|a| *a == address) {
                break address;
            }
        };
        self.by_pod.insert(meta::uid(pod).to_owned(), address);
        address
    }

    fn release(&mut self, uid: &str) {
        self.by_pod.remove(uid);
    }
}
