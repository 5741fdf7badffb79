//! The loop that binds pods to the nodes that the scheduling engine picks. One pod is placed at a
//! time, in the order of priority and then of waiting; a pod that fits nowhere is told why and
//! tried again when a node changes or a pod goes.

mod cluster_state;

use cluster_api::{
    Cluster, PatchType, Pause, ResourceRef, Selection, Severity, Update, event, follow,
};
use cluster_state::{Key, State};
use futures::StreamExt;
use model::status::Status;
use model::{Value, meta};
use scheduling::Placement;
use serde_json::json;
use std::sync::Arc;

/// The name that pods ask for in `spec.schedulerName`.
pub const NAME: &str = "default-scheduler";

/// Runs for ever. `pause` is the wait before a failed request is tried again.
pub async fn run(cluster: Arc<dyn Cluster>, pause: Pause) {
    // Pods that have ended take nothing any more.
    let fields = "status.phase!=Succeeded,status.phase!=Failed".to_owned();
    let selection = Selection {
        fields,
        ..Selection::default()
    };
    let pods = ResourceRef::core("pods");
    let nodes = ResourceRef::core("nodes");
    let mut pods = Box::pin(follow(
        Arc::clone(&cluster),
        pods,
        None,
        selection,
        pause.clone(),
    ));
    let mut nodes = Box::pin(follow(
        Arc::clone(&cluster),
        nodes,
        None,
        Selection::default(),
        pause.clone(),
    ));
    let mut state = State::default();
    let mut failures = 0;
    loop {
        tokio::select! {
            biased;
            Some(update) = pods.next() => observe(&mut state, update, State::pods),
            Some(update) = nodes.next() => observe(&mut state, update, State::nodes),
            // Only with a first list of both is it known what is free.
            () = std::future::ready(()), if state.ready() && state.has_pending() => {
                if let Err(status) = schedule_next(cluster.as_ref(), &mut state).await {
                    tracing::warn!(%status, "cannot schedule");
                    failures += 1;
                    pause(failures).await;
                } else {
                    failures = 0;
                }
            }
        }
    }
}

fn observe(state: &mut State, update: Update, apply: fn(&mut State, Update)) {
    match update {
        Update::Trouble(status) => tracing::warn!(%status, "cannot follow the cluster"),
        update => apply(state, update),
    }
}

/// Places the pod that waits first.
async fn schedule_next(cluster: &dyn Cluster, state: &mut State) -> Result<(), Status> {
    let Some(key) = state.next_pending() else {
        return Ok(());
    };
    // The pod is read anew, so that a deleted or changed one is not bound as it was.
    let pod = match cluster
        .get(&ResourceRef::core("pods"), Some(&key.namespace), &key.name)
        .await
    {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes).map_err(Status::internal)?,
        Err(status) if status.is_not_found() => {
            state.forget(&key);
            return Ok(());
        }
        Err(status) => {
            state.put_back(&key);
            return Err(status);
        }
    };
    if meta::uid(&pod) != key.uid || !cluster_state::wants_node(&pod) {
        state.forget(&key);
        return Ok(());
    }
    let result = match state.place(&pod) {
        Placement::Node(node) => match bind(cluster, &pod, &node).await {
            Ok(()) => {
                state.assume(&key, &pod, &node);
                Ok(())
            }
            // Gone, or bound by somebody else: its event is on the way.
            Err(status) if status.is_not_found() || status.is_conflict() => {
                state.forget(&key);
                Ok(())
            }
            other => other,
        },
        Placement::Unschedulable(why) => {
            state.park(&key);
            explain(cluster, &pod, &why).await
        }
    };
    if result.is_err() {
        state.put_back(&key);
    }
    result
}

async fn bind(cluster: &dyn Cluster, pod: &Value, node: &str) -> Result<(), Status> {
    let (namespace, name) = (meta::namespace(pod), meta::name(pod));
    let binding = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": { "name": name, "namespace": namespace, "uid": meta::uid(pod) },
        "target": { "apiVersion": "v1", "kind": "Node", "name": node },
    });
    let resource = ResourceRef::core("pods/binding");
    cluster
        .create(&resource, Some(namespace), Some(name), binding)
        .await?;
    let message = format!("Successfully assigned {namespace}/{name} to {node}");
    record(cluster, pod, Severity::Normal, "Scheduled", &message).await;
    Ok(())
}

/// Writes the reason into the pod's conditions, unless it stands there already.
async fn explain(cluster: &dyn Cluster, pod: &Value, why: &str) -> Result<(), Status> {
    let known = meta::list(pod, &["status", "conditions"])
        .iter()
        .any(|condition| {
            meta::text(condition, &["type"]) == "PodScheduled"
                && meta::text(condition, &["message"]) == why
        });
    if known {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "uid": meta::uid(pod) },
        "status": { "conditions": [{
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": why,
            "lastProbeTime": null,
            "lastTransitionTime": now().0,
        }] },
    });
    let resource = ResourceRef::core("pods/status");
    let namespace = Some(meta::namespace(pod));
    match cluster
        .patch(
            &resource,
            namespace,
            meta::name(pod),
            patch,
            PatchType::Strategic,
        )
        .await
    {
        Err(status) if !status.is_not_found() && !status.is_conflict() => return Err(status),
        _ => (),
    }
    record(cluster, pod, Severity::Warning, "FailedScheduling", why).await;
    Ok(())
}

/// Events are for people; one that cannot be written changes nothing.
async fn record(cluster: &dyn Cluster, pod: &Value, severity: Severity, why: &str, text: &str) {
    let (time, unique) = now();
    let event = event(pod, NAME, severity, why, text, &time, unique);
    let namespace = Some(meta::namespace(pod));
    if let Err(status) = cluster
        .create(&ResourceRef::core("events"), namespace, None, event)
        .await
    {
        tracing::debug!(%status, "cannot record an event");
    }
}

/// The time as the API writes it, and in nanoseconds.
fn now() -> (String, u64) {
    let now = jiff::Timestamp::now();
    let unique = u64::try_from(now.as_nanosecond()).unwrap_or_default();
    (now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), unique)
}

impl Key {
    fn of(pod: &Value) -> Self {
        Self {
            namespace: meta::namespace(pod).to_owned(),
            name: meta::name(pod).to_owned(),
            uid: meta::uid(pod).to_owned(),
        }
    }
}
