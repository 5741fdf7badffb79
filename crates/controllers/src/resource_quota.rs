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
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
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
    /// What objects use of which the use can change, as a number that tells it apart, by kind,
    /// namespace and name; only of namespaces that have a quota.
    used: HashMap<(String, Key), u64>,
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

    /// An object has changed: quotas that counted it have room again if it is gone, or uses less.
    fn changed(&mut self, (resource, update): &Counted) {
        let kind = kind(resource);
        let object = match update {
            Update::Deleted(object) => {
                if let Ok(head) = Head::parse(object) {
                    let key = (head.metadata.namespace, head.metadata.name);
                    self.used.remove(&(resource.resource.clone(), key));
                }
                object
            }
            Update::Applied(object) => {
                if !self.uses_otherwise(kind, object) {
                    return;
                }
                object
            }
            // Something may have gone unheard of.
            Update::Reset(objects) => {
                self.used.retain(|(of, _), _| *of != resource.resource);
                for object in objects {
                    self.uses_otherwise(kind, object);
                }
                return self.all();
            }
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

    /// Whether the namespace has a quota.
    fn is_bound(&self, namespace: &str) -> bool {
        let mut from = self.known.range((namespace.to_owned(), String::new())..);
        from.next().is_some_and(|(key, _)| key.0 == namespace)
    }

    /// Notes what an object uses now; whether that is something else than before: admission takes
    /// what is more and leaves the rest to this controller.
    fn uses_otherwise(&mut self, kind: Kind<'_>, object: &[u8]) -> bool {
        let is_bound = || {
            let head = Head::parse(object);
            head.is_ok_and(|head| self.is_bound(&head.metadata.namespace))
        };
        if !quota::varies(kind) || !is_bound() {
            return false;
        }
        let Ok(object) = serde_json::from_slice::<Value>(object) else {
            return false;
        };
        let key = (
            meta::namespace(&object).to_owned(),
            meta::name(&object).to_owned(),
        );
        let mut hasher = DefaultHasher::new();
        for (name, amount) in quota::standing(kind, &object) {
            (name, amount.nanos()).hash(&mut hasher);
        }
        let now = hasher.finish();
        let before = self.used.insert((kind.plural.to_owned(), key), now);
        // Of pods that ended before they were first seen, too.
        before.map_or_else(|| quota::is_over(&object), |before| before != now)
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
        used: HashMap::new(),
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
    let counted: Vec<Kind<'_>> = kinds.iter().map(kind).collect();
    let actions = reconcile(quota, &counted, all);
    execute(cluster, actions).await?;
    Ok(kinds)
}
