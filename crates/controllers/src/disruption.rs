//! The disruption controller: keeps the status of PodDisruptionBudgets.

use crate::runtime::{follow_core, follow_resource, now};
use cluster_api::{Cluster, ResourceRef, Update};
use futures::StreamExt;
use model::status::Status;
use model::{Value, meta};
use reconcile::disruption::{self, Owner};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Namespace and name.
type Key = (String, String);

/// How long a budget that could not be written waits.
const PAUSE: Duration = Duration::from_secs(1);
/// How often everything is looked at again, for what changes without an event: the wanted numbers
/// of controllers.
const RESYNC: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Known {
    pods: BTreeMap<Key, Value>,
    budgets: BTreeMap<Key, Value>,
    /// Budgets to be looked at.
    due: BTreeSet<Key>,
    has_pods: bool,
}

/// Runs for ever. `reader` is what is followed through; `cluster` is what is written through.
pub(crate) async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>) {
    let ended = "status.phase!=Succeeded,status.phase!=Failed";
    let mut pods = Box::pin(follow_core(&reader, "pods", ended));
    let resource = ResourceRef::new("policy", "v1", "poddisruptionbudgets");
    let mut budgets = Box::pin(follow_resource(&reader, resource, ""));
    let mut known = Known::default();
    let mut wake = Instant::now() + RESYNC;
    loop {
        let is_due = known.has_pods && !known.due.is_empty();
        tokio::select! {
            biased;
            Some(update) = budgets.next() => known.budget(update),
            Some(update) = pods.next() => known.pod(update),
            () = std::future::ready(()), if is_due => {
                let Some(key) = known.due.pop_first() else { continue };
                let Some(budget) = known.budgets.get(&key) else { continue };
                match sync(&known, budget, cluster.as_ref()).await {
                    Ok(None) => {}
                    Ok(Some(wait)) => wake = wake.min(Instant::now() + wait),
                    Err(status) => {
                        tracing::debug!(%status, budget = key.1, namespace = key.0, "will try again");
                        wake = wake.min(Instant::now() + PAUSE);
                    }
                }
            }
            () = sleep_until(wake) => {
                known.due = known.budgets.keys().cloned().collect();
                wake = Instant::now() + RESYNC;
            }
        }
    }
}

fn key(object: &Value) -> Key {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

fn parse(object: &bytes::Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}

impl Known {
    fn budget(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                let items = items.iter().filter_map(parse);
                self.budgets = items.map(|budget| (key(&budget), budget)).collect();
                self.due = self.budgets.keys().cloned().collect();
            }
            Update::Applied(object) => {
                if let Some(budget) = parse(&object) {
                    self.due.insert(key(&budget));
                    self.budgets.insert(key(&budget), budget);
                }
            }
            Update::Deleted(object) => {
                if let Some(budget) = parse(&object) {
                    self.budgets.remove(&key(&budget));
                    self.due.remove(&key(&budget));
                }
            }
            Update::Trouble(status) => tracing::warn!(%status, "cannot follow budgets"),
        }
    }

    fn pod(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                let items = items.iter().filter_map(parse);
                self.pods = items.map(|pod| (key(&pod), pod)).collect();
                self.due = self.budgets.keys().cloned().collect();
                self.has_pods = true;
            }
            Update::Applied(object) => {
                if let Some(pod) = parse(&object) {
                    let before = self.pods.insert(key(&pod), pod.clone());
                    self.touch(before.iter().chain([&pod]));
                }
            }
            Update::Deleted(object) => {
                if let Some(pod) = parse(&object) {
                    let before = self.pods.remove(&key(&pod));
                    self.touch(before.iter().chain([&pod]));
                }
            }
            Update::Trouble(status) => tracing::warn!(%status, "cannot follow pods"),
        }
    }

    /// The budgets that cover any of the pods are due.
    fn touch<'a>(&mut self, pods: impl Iterator<Item = &'a Value>) {
        for pod in pods {
            let namespace = meta::namespace(pod);
            let pod = std::slice::from_ref(pod);
            let from = (namespace.to_owned(), String::new());
            for (key, budget) in self.budgets.range(from..) {
                if key.0 != namespace {
                    break;
                }
                if !disruption::covered(budget, pod).is_empty() {
                    self.due.insert(key.clone());
                }
            }
        }
    }
}

/// Works a budget's status out and writes it if it is another one. Says when to look again.
async fn sync(
    known: &Known,
    budget: &Value,
    cluster: &dyn Cluster,
) -> Result<Option<Duration>, Status> {
    let namespace = meta::namespace(budget);
    let from = (namespace.to_owned(), String::new());
    let pods: Vec<Value> = known
        .pods
        .range(from..)
        .take_while(|((of, _), _)| of == namespace)
        .map(|(_, pod)| pod.clone())
        .collect();
    let pods = disruption::covered(budget, &pods);
    let mut scales = BTreeMap::new();
    for owner in disruption::owners(budget, &pods) {
        if let Some(scale) = scale(cluster, namespace, &owner).await? {
            scales.insert(owner, scale);
        }
    }
    let seconds = jiff::Timestamp::now().as_second();
    let when = |text: &str| {
        let time: Option<jiff::Timestamp> = text.parse().ok();
        time.map(jiff::Timestamp::as_second)
    };
    let (status, again) = match disruption::status(budget, &pods, &scales, seconds, &now(), when) {
        Ok(status) => status,
        Err(error) => (disruption::failed(budget, &error, &now()), None),
    };
    let again = again.and_then(|time| u64::try_from(time.saturating_sub(seconds)).ok());
    let again = again.map(|wait| Duration::from_secs(wait.max(1)));
    if meta::at(budget, &["status"]) == Some(&status) {
        return Ok(again);
    }
    let mut changed = budget.clone();
    meta::set(&mut changed, &["status"], status);
    let resource = ResourceRef::new("policy", "v1", "poddisruptionbudgets/status");
    match cluster.update(&resource, Some(namespace), changed).await {
        // Changed or gone meanwhile: its event is on the way.
        Err(status) if status.is_conflict() || status.is_not_found() => Ok(again),
        Err(status) => Err(status),
        Ok(_) => Ok(again),
    }
}

/// How many pods a controller wants. Of a ReplicaSet that a Deployment made, what that wants.
async fn scale(
    cluster: &dyn Cluster,
    namespace: &str,
    owner: &Owner,
) -> Result<Option<i64>, Status> {
    let (group, plural) = match (owner.kind.as_str(), owner.api_version.as_str()) {
        ("ReplicationController", "v1") => ("", "replicationcontrollers"),
        ("ReplicaSet", "apps/v1") => ("apps", "replicasets"),
        ("StatefulSet", "apps/v1") => ("apps", "statefulsets"),
        _ => return Ok(None),
    };
    let Some(object) = get(cluster, group, plural, namespace, &owner.name).await? else {
        return Ok(None);
    };
    if meta::uid(&object) != owner.uid {
        return Ok(None);
    }
    let above = meta::list(&object, &["metadata", "ownerReferences"])
        .iter()
        .find(|above| meta::text(above, &["kind"]) == "Deployment");
    if let Some(above) = above {
        let name = meta::text(above, &["name"]);
        let deployment = get(cluster, "apps", "deployments", namespace, name).await?;
        return Ok(deployment.as_ref().map(replicas));
    }
    Ok(Some(replicas(&object)))
}

fn replicas(object: &Value) -> i64 {
    meta::at(object, &["spec", "replicas"])
        .and_then(Value::as_i64)
        .unwrap_or(1)
}

async fn get(
    cluster: &dyn Cluster,
    group: &str,
    plural: &str,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, Status> {
    let resource = ResourceRef::new(group, "v1", plural);
    match cluster.get(&resource, Some(namespace), name).await {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(Status::internal),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}
