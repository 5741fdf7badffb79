//! What the scheduler asks of the API: bindings, conditions, evictions, events.

use crate::NAME;
use cluster_api::{Cluster, DeleteOptions, PatchType, ResourceRef, Severity, event};
use model::status::Status;
use model::{Value, meta};
use scheduling::{PodInfo, PodKey};
use serde_json::json;
use std::sync::Arc;

/// The cluster, as the scheduler changes it.
pub(crate) struct Requests {
    pub(crate) cluster: Arc<dyn Cluster>,
}

impl Requests {
    pub(crate) fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self { cluster }
    }

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
        let message = format!("Successfully assigned {namespace}/{name} to {node}");
        self.record(pod, Severity::Normal, "Scheduled", &message)
            .await;
        Ok(())
    }

    /// Writes why the pod has no node into its conditions, and which node it waits for (`""`: none
    /// any more), unless both stand there already.
    pub(crate) async fn explain(
        &self,
        pod: &Value,
        why: &str,
        nominated: Option<&str>,
    ) -> Result<(), Status> {
        let is_known = meta::list(pod, &["status", "conditions"])
            .iter()
            .any(|condition| {
                meta::text(condition, &["type"]) == "PodScheduled"
                    && meta::text(condition, &["message"]) == why
            });
        let before = meta::text(pod, &["status", "nominatedNodeName"]);
        if is_known && nominated.is_none_or(|node| node == before) {
            return Ok(());
        }
        let mut status = json!({ "conditions": [{
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": why,
            "lastProbeTime": null,
            "lastTransitionTime": now().0,
        }] });
        if let Some(node) = nominated {
            meta::set(&mut status, &["nominatedNodeName"], nomination(node));
        }
        self.patch_status(&PodKey::of(pod), status).await?;
        if !is_known {
            self.record(pod, Severity::Warning, "FailedScheduling", why)
                .await;
        }
        Ok(())
    }

    /// Writes which node a pod waits for; `""` is none.
    pub(crate) async fn nominate(&self, pod: &PodKey, node: &str) -> Result<(), Status> {
        let status = json!({ "nominatedNodeName": nomination(node) });
        self.patch_status(pod, status).await
    }

    /// Makes a pod go so that `preemptor` can have its place: gracefully, and with the reason in
    /// its conditions first, so that whoever sees it going knows why.
    pub(crate) async fn evict(
        &self,
        preemptor: &Value,
        victim: &PodInfo,
        node: &str,
    ) -> Result<(), Status> {
        let key = &victim.key;
        let scheduler = meta::text(preemptor, &["spec", "schedulerName"]);
        if !victim.is_preempted {
            let condition = json!({
                "type": "DisruptionTarget",
                "status": "True",
                "reason": "PreemptionByScheduler",
                "message": format!(
                    "{scheduler}: preempting to accommodate a higher priority pod"
                ),
                "lastProbeTime": null,
                "lastTransitionTime": now().0,
            });
            let status = json!({ "conditions": [condition] });
            self.patch_status(key, status).await?;
        }
        let options = DeleteOptions {
            uid: Some(key.uid.clone()),
            ..DeleteOptions::default()
        };
        let pods = ResourceRef::core("pods");
        let deleted = self
            .cluster
            .delete(&pods, Some(&key.namespace), &key.name, options)
            .await;
        match deleted {
            // Gone already, or another pod of its name by now.
            Err(status) if status.is_not_found() || status.is_conflict() => return Ok(()),
            Err(status) => return Err(status),
            Ok(()) => {}
        }
        let about = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "namespace": key.namespace, "name": key.name, "uid": key.uid },
        });
        let message = format!("Preempted by pod {} on node {node}", meta::uid(preemptor));
        self.record(&about, Severity::Normal, "Preempted", &message)
            .await;
        Ok(())
    }

    /// Patches a pod's status; a pod that is gone or another one by now needs none.
    async fn patch_status(&self, pod: &PodKey, status: Value) -> Result<(), Status> {
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

    /// Events are for people; one that cannot be written changes nothing.
    async fn record(&self, pod: &Value, severity: Severity, why: &str, text: &str) {
        let (time, unique) = now();
        let event = event(pod, NAME, severity, why, text, &time, unique);
        let namespace = Some(meta::namespace(pod));
        if let Err(status) = self
            .cluster
            .create(&ResourceRef::core("events"), namespace, None, event)
            .await
        {
            tracing::debug!(%status, "cannot record an event");
        }
    }
}

fn nomination(node: &str) -> Value {
    if node.is_empty() {
        Value::Null
    } else {
        node.into()
    }
}

/// The time as the API writes it, and in nanoseconds.
fn now() -> (String, u64) {
    let now = jiff::Timestamp::now();
    let unique = u64::try_from(now.as_nanosecond()).unwrap_or_default();
    (now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), unique)
}
