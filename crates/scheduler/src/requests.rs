//! What the scheduler asks of the API: bindings, conditions, evictions.

use crate::events::{Events, Happening, reference};
use cluster_api::{Cluster, DeleteOptions, PatchType, ResourceRef};
use futures::future::try_join_all;
use model::status::Status;
use model::{Value, meta};
use scheduling::{PodInfo, PodKey};
use serde_json::json;
use std::sync::Arc;

/// The cluster, as the scheduler changes it.
pub(crate) struct Requests {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) events: Events,
}

/// Why a pod has no node, as its condition says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// It fits nowhere.
    Unschedulable,
    /// It could not be placed, for no reason of its own.
    SchedulerError,
}

impl Reason {
    fn word(self) -> &'static str {
        match self {
            Self::Unschedulable => "Unschedulable",
            Self::SchedulerError => "SchedulerError",
        }
    }
}

/// Who has to go, and on which node, so that a pod can have its place.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) node: String,
    pub(crate) victims: Vec<Arc<PodInfo>>,
    /// Pods of lower priority that wait for the node and must be told not to any more.
    pub(crate) displaced: Vec<PodKey>,
}

impl Requests {
    /// Gives the pod a node.
    pub(crate) async fn bind(&self, pod: &Value, node: &str) -> Result<(), Status> {
        let (namespace, name) = (meta::namespace(pod), meta::name(pod));
        let binding = json!({
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": { "name": name, "namespace": namespace, "uid": meta::uid(pod) },
            "target": { "apiVersion": "v1", "kind": "Node", "name": node },
        });
        let resource = ResourceRef::core("pods/binding");
        self.cluster
            .create(&resource, Some(namespace), Some(name), binding)
            .await?;
        self.events.tell(Happening {
            regarding: reference(pod),
            related: None,
            severity: "Normal",
            reason: "Scheduled",
            action: "Binding",
            note: format!("Successfully assigned {namespace}/{name} to {node}"),
        });
        Ok(())
    }

    /// Tells why the pod has no node, as an event.
    pub(crate) fn complain(&self, pod: &Value, why: &str) {
        self.events.tell(Happening {
            regarding: reference(pod),
            related: None,
            severity: "Warning",
            reason: "FailedScheduling",
            action: "Scheduling",
            note: why.to_owned(),
        });
    }

    /// Makes room for a pod. The last victim goes when all others are going, so that whoever sees
    /// it going can count on the room.
    pub(crate) async fn make_room(&self, preemptor: &Value, making: &Making) -> Result<(), Status> {
        for pod in &making.displaced {
            let status = json!({ "nominatedNodeName": null });
            self.patch_status(pod, status).await?;
        }
        let Some((last, others)) = making.victims.split_last() else {
            return Ok(());
        };
        let node = &making.node;
        let all = others
            .iter()
            .map(|victim| self.evict(preemptor, &victim.key, node));
        try_join_all(all).await?;
        self.evict(preemptor, &last.key, node).await
    }

    /// Makes a pod go so that `preemptor` can have its place: gracefully, and with the reason in
    /// its conditions first, so that whoever sees it going knows why.
    async fn evict(&self, preemptor: &Value, key: &PodKey, node: &str) -> Result<(), Status> {
        let pods = ResourceRef::core("pods");
        let namespace = Some(key.namespace.as_str());
        let victim = match self.cluster.get(&pods, namespace, &key.name).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(Status::internal)?,
            Err(status) if status.is_not_found() => return Ok(()),
            Err(status) => return Err(status),
        };
        if PodKey::of(&victim) != *key {
            return Ok(());
        }
        let scheduler = meta::text(preemptor, &["spec", "schedulerName"]);
        let condition = json!({
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": format!("{scheduler}: preempting to accommodate a higher priority pod"),
        });
        if let Some(status) = changed_condition(&victim, condition) {
            self.patch_status(key, status).await?;
        }
        let options = DeleteOptions {
            uid: Some(key.uid.clone()),
            ..DeleteOptions::default()
        };
        let deleted = self.cluster.delete(&pods, namespace, &key.name, options);
        match deleted.await {
            // Gone already, or another pod of its name by now.
            Err(status) if status.is_not_found() || status.is_conflict() => return Ok(()),
            Err(status) => return Err(status),
            Ok(()) => {}
        }
        self.events.tell(Happening {
            regarding: reference(&victim),
            related: Some(reference(preemptor)),
            severity: "Normal",
            reason: "Preempted",
            action: "Preempting",
            note: format!("Preempted by pod {} on node {node}", meta::uid(preemptor)),
        });
        Ok(())
    }

    /// Patches a pod's status; a pod that is gone or another one by now needs none.
    pub(crate) async fn patch_status(&self, pod: &PodKey, status: Value) -> Result<(), Status> {
        let patch = json!({ "metadata": { "uid": pod.uid }, "status": status });
        let resource = ResourceRef::core("pods/status");
        let namespace = Some(pod.namespace.as_str());
        let patched = self
            .cluster
            .patch(&resource, namespace, &pod.name, patch, PatchType::Strategic)
            .await;
        match patched {
            Err(status) if !status.is_not_found() && !status.is_conflict() => Err(status),
            _ => Ok(()),
        }
    }
}

/// The patch of a pod's status that tells why it has no node, and which node it waits for (`""`:
/// none any more); none if that stands there already.
pub(crate) fn unplaced(
    pod: &Value,
    reason: Reason,
    why: &str,
    nominated: Option<&str>,
) -> Option<Value> {
    let condition = json!({
        "type": "PodScheduled",
        "status": "False",
        "reason": reason.word(),
        "message": why,
    });
    let mut status = changed_condition(pod, condition);
    let before = meta::text(pod, &["status", "nominatedNodeName"]);
    if let Some(node) = nominated.filter(|node| *node != before) {
        let status = status.get_or_insert_with(|| json!({}));
        meta::set(status, &["nominatedNodeName"], nomination(node));
    }
    status
}

/// The patch of a pod's status that sets a condition, unless it says the same already. Its time
/// changes only with its status; a new one stands last.
fn changed_condition(pod: &Value, mut condition: Value) -> Option<Value> {
    let kind = meta::text(&condition, &["type"]).to_owned();
    let conditions = meta::list(pod, &["status", "conditions"]);
    let before = conditions
        .iter()
        .find(|before| meta::text(before, &["type"]) == kind);
    let same = |field: &str| {
        before
            .is_some_and(|before| meta::text(before, &[field]) == meta::text(&condition, &[field]))
    };
    let is_same_status = same("status");
    if is_same_status && same("reason") && same("message") {
        return None;
    }
    if !is_same_status {
        meta::set(&mut condition, &["lastTransitionTime"], now());
    }
    let mut order: Vec<Value> = conditions
        .iter()
        .map(|condition| json!({ "type": meta::text(condition, &["type"]) }))
        .collect();
    if before.is_none() {
        order.push(json!({ "type": kind }));
    }
    Some(json!({ "$setElementOrder/conditions": order, "conditions": [condition] }))
}

fn nomination(node: &str) -> Value {
    if node.is_empty() {
        Value::Null
    } else {
        node.into()
    }
}

/// The time as the API writes it.
fn now() -> String {
    let now = jiff::Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
