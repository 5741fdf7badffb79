//! The resource quota controller: counts what namespaces use whenever something has gone, and now
//! and then all the same. Admission adds what comes.

use crate::queue::Queue;
use crate::runtime::{execute, follow_core, follow_resource};
use cluster_api::{Cluster, Head, ResourceRef, Selection, Update};
use futures::stream::{BoxStream, SelectAll, StreamExt};
use model::status::{Status, qualified};
use model::{Value, meta};
use pod_resources::quota::{self, Kind};
use reconcile::resource_quota::{is_outdated, reconcile};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// How often everything is counted anew, whatever was heard of. Requests that took room and came to
/// nothing give it back then.
const RESYNC: Duration = Duration::from_secs(60);

/// Namespace and name.
type Key = (String, String);

/// One change of an object that a quota may count, and of which kind it is.
type Counted = (ResourceRef, Update);

struct Quotas {
    known: BTreeMap<Key, Value>,
    queue: Queue<Key>,
    /// Kinds that are followed, because a quota counts them.
    followed: HashSet<String>,
}

impl Quotas {
    fn learn(&mut self, update: Update) {
        match update {
            Update::Reset(items) => {
                self.known.clear();
                for item in items {
                    self.put(&item, true);
                }
            }
            Update::Applied(item) => self.put(&item, false),
            Update::Deleted(item) => {
                if let Ok(head) = Head::parse(&item) {
                    let key = (head.metadata.namespace, head.metadata.name);
                    self.known.remove(&key);
                }
            }
            Update::Trouble(status) => tracing::warn!(%status, "cannot follow resource quotas"),
        }
    }

    fn put(&mut self, item: &[u8], counts: bool) {
        let Ok(quota) = serde_json::from_slice::<Value>(item) else {
            return;
        };
        let key = (
            meta::namespace(&quota).to_owned(),
            meta::name(&quota).to_owned(),
        );
        if counts || is_outdated(&quota) {
            self.queue.add(key.clone());
        }
        self.known.insert(key, quota);
    }

    /// An object has changed: quotas that counted it have room again if it is gone.
    fn changed(&self, (resource, update): &Counted) {
        if self.known.is_empty() {
            return;
        }
        let kind = kind(resource);
        let object = match update {
            Update::Deleted(object) => object,
            // Pods that have ended use nothing any more.
            Update::Applied(object) if kind.group.is_empty() && kind.plural == "pods" => {
                let over = serde_json::from_slice::<Value>(object);
                if !over.is_ok_and(|pod| quota::is_over(&pod)) {
                    return;
                }
                object
            }
            Update::Applied(_) => return,
            // Something may have gone unheard of.
            Update::Reset(_) => return self.all(),
            Update::Trouble(status) => {
                tracing::warn!(%status, resource = resource.resource, "cannot follow");
                return;
            }
        };
        let Ok(head) = Head::parse(object) else {
            return;
        };
        let here = (head.metadata.namespace.clone(), String::new());
        for (key, quota) in self.known.range(here..) {
            if key.0 != head.metadata.namespace {
                break;
            }
            if quota::limits(quota, kind) {
                self.queue.add(key.clone());
            }
        }
    }

    fn all(&self) {
        self.known
            .keys()
            .for_each(|key| self.queue.add(key.clone()));
    }
}

fn kind(resource: &ResourceRef) -> Kind<'_> {
    Kind {
        group: &resource.group,
        plural: &resource.resource,
    }
}

/// Runs for ever.
pub(crate) async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>) {
    let mut quotas = Quotas {
        known: BTreeMap::new(),
        queue: Queue::default(),
        followed: HashSet::new(),
    };
    let mut updates = Box::pin(follow_core(&reader, "resourcequotas", ""));
    let mut counted: SelectAll<BoxStream<'static, Counted>> = SelectAll::new();
    let mut ticks = tokio::time::interval(RESYNC);
    loop {
        let queue = quotas.queue.clone();
        tokio::select! {
            Some(update) = updates.next() => quotas.learn(update),
            Some(change) = counted.next() => quotas.changed(&change),
            _ = ticks.tick() => quotas.all(),
            key = queue.next() => {
                let Some(quota) = quotas.known.get(&key).cloned() else {
                    continue;
                };
                match count(cluster.as_ref(), &quota).await {
                    Ok(kinds) => {
                        quotas.queue.forget(&key);
                        for resource in kinds {
                            let name = qualified(&resource.group, &resource.resource);
                            if quotas.followed.insert(name) {
                                let stream = follow_resource(&reader, resource.clone(), "");
                                let of = move |update| (resource.clone(), update);
                                counted.push(stream.map(of).boxed());
                            }
                        }
                    }
                    Err(status) => {
                        tracing::debug!(%status, namespace = key.0, quota = key.1, "will try again");
                        quotas.queue.retry(key);
                    }
                }
            }
        }
    }
}

/// Counts what a quota limits, and writes it into its status; which kinds that are.
async fn count(cluster: &dyn Cluster, quota: &Value) -> Result<Vec<ResourceRef>, Status> {
    let namespace = meta::namespace(quota);
    let mut seen = HashSet::new();
    let mut kinds = cluster.resources().await?;
    // Of a kind with several versions one is enough.
    kinds.retain(|(resource, namespaced)| {
        *namespaced
            && quota::limits(quota, kind(resource))
            && seen.insert(qualified(&resource.group, &resource.resource))
    });
    let kinds: Vec<ResourceRef> = kinds.into_iter().map(|(resource, _)| resource).collect();
    let mut objects = Vec::new();
    for (place, resource) in kinds.iter().enumerate() {
        let list = cluster
            .list(resource, Some(namespace), &Selection::default())
            .await?;
        for item in &list.items {
            let object: Value = serde_json::from_slice(item).map_err(Status::internal)?;
            objects.push((place, object));
        }
    }
    let all = objects
        .iter()
        .filter_map(|(place, object)| Some((kind(kinds.get(*place)?), object)));
    let actions = reconcile(quota, all);
    execute(cluster, actions).await?;
    Ok(kinds)
}
