//! The loop that carries out what the scheduling engine decides: it binds pods, makes room by
//! preemption, and tells pods that fit nowhere why. One pod is placed at a time, in the order of
//! the engine's queue.

mod cluster_state;
mod requests;
mod sources;

use cluster_api::{Cluster, Pause, ResourceRef, Update};
use cluster_state::State;
use futures::StreamExt;
use model::Value;
use model::status::Status;
use requests::Requests;
use scheduling::{PodInfo, PodKey};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The name that pods ask for in `spec.schedulerName`.
pub const NAME: &str = "default-scheduler";

/// Runs for ever. `pause` is the wait before a failed request is tried again; `seed` decides among
/// nodes that are equally good.
pub async fn run(cluster: Arc<dyn Cluster>, pause: Pause, seed: u64) {
    let mut updates = sources::all(&cluster, &pause);
    let requests = Requests::new(cluster);
    let mut state = State::new(seed);
    let mut failures = 0;
    let start = Instant::now();
    loop {
        let now = milliseconds(start.elapsed());
        let is_ready = state.ready();
        let wait = state.queue.next_time().map(|time| {
            let wait = Duration::from_millis(time.saturating_sub(now));
            tokio::time::sleep(wait)
        });
        tokio::select! {
            biased;
            Some((source, update)) = updates.next() => match update {
                Update::Trouble(status) => tracing::warn!(%status, "cannot follow the cluster"),
                update => state.observe(source, update, now),
            },
            () = std::future::ready(()), if is_ready && state.queue.has_next(now) => {
                if let Err(status) = schedule_next(&requests, &mut state, now).await {
                    tracing::warn!(%status, "cannot schedule");
                    failures += 1;
                    pause(failures).await;
                } else {
                    failures = 0;
                }
            }
            Some(()) = optional(wait), if is_ready => {}
        }
    }
}

/// Waits for what may not be there; then at once `None`.
async fn optional<F: Future>(future: Option<F>) -> Option<F::Output> {
    match future {
        Some(future) => Some(future.await),
        None => None,
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Places the pod that waits first.
async fn schedule_next(requests: &Requests, state: &mut State, now: u64) -> Result<(), Status> {
    let Some(waiting) = state.queue.pop(now) else {
        return Ok(());
    };
    let key = &waiting.key;
    let result = match read(requests, key).await {
        Ok(None) => {
            state.forget(key);
            return Ok(());
        }
        Ok(Some(pod)) => decide(requests, state, &pod, now).await,
        Err(status) => Err(status),
    };
    if result.is_err() {
        state.queue.fail(key, now);
    }
    result
}

/// The pod as it is now, so that a deleted or changed one is not bound as it was; none if it waits
/// no longer.
async fn read(requests: &Requests, key: &PodKey) -> Result<Option<Value>, Status> {
    let pods = ResourceRef::core("pods");
    let answer = requests
        .cluster
        .get(&pods, Some(&key.namespace), &key.name)
        .await;
    match answer {
        Ok(bytes) => {
            let pod: Value = serde_json::from_slice(&bytes).map_err(Status::internal)?;
            let info = PodInfo::new(&pod);
            let waits = info.key == *key && cluster_state::wants_node(&info);
            Ok(waits.then_some(pod))
        }
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

async fn decide(
    requests: &Requests,
    state: &mut State,
    pod: &Value,
    now: u64,
) -> Result<(), Status> {
    let mut info = PodInfo::new(pod);
    let key = info.key.clone();
    let mut diagnosis = match state.engine.schedule(&info) {
        Ok(placement) => {
            return match requests.bind(pod, &placement.node).await {
                Ok(()) => {
                    info.node_name = placement.node;
                    info.nominated_node = String::new();
                    state.place(info, now);
                    Ok(())
                }
                // Gone, or bound by somebody else: its event is on the way.
                Err(status) if status.is_not_found() || status.is_conflict() => {
                    state.forget(&key);
                    Ok(())
                }
                other => other,
            };
        }
        Err(diagnosis) => diagnosis,
    };
    let refused_by = diagnosis.plugins();
    let nominated = match state.engine.preempt(&info, &diagnosis) {
        Ok(plan) => {
            for displaced in &plan.displaced {
                state.engine.cluster.denominate(&displaced.key);
                requests.nominate(&displaced.key, "").await?;
            }
            for victim in &plan.victims {
                requests.evict(pod, victim, &plan.node).await?;
            }
            let waiting = Arc::new(info);
            state.engine.cluster.nominate(&waiting, &plan.node);
            Some(plan.node)
        }
        Err(refused) => {
            diagnosis.preemption = Some(refused.message);
            let clears = refused.clears_nomination && !info.nominated_node.is_empty();
            if clears {
                state.engine.cluster.denominate(&key);
            }
            clears.then(String::new)
        }
    };
    requests
        .explain(pod, &diagnosis.message(), nominated.as_deref())
        .await?;
    state.queue.park(&key, refused_by, now);
    Ok(())
}
