//! The watch cache: every object the store holds, encoded once, fed by one watch of the store.
//! Reads and watches are answered from here; the store itself is read only for old revisions.

mod event;
mod feed;
mod object;
mod resource;

pub use event::{CacheEvent, EventKind, line};
pub use object::{CachedObject, Filter};
pub use resource::{HistoryLimits, Page, ResourceCache, Since};

use crate::key;
use model::registry::Registry;
use model::resource::Resource;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use storage_api::{Revision, Store, StoreError};
use tokio::sync::watch;

/// Told of every object when the cache is loaded and of every change after it, before the write
/// that made the change is acknowledged. Must be quick: all writes wait for it.
pub trait CacheObserver: Send + Sync {
    /// An object is there, new or changed.
    fn put(&self, resource: &Resource, object: &CachedObject);
    /// An object is gone; its last state.
    fn deleted(&self, resource: &Resource, object: &CachedObject);
    /// Everything that was put so far no longer counts: the cache starts over.
    fn reset(&self);
    /// All changes of a batch have been passed on.
    fn batch_end(&self) {}
}

/// The cache of all resources.
pub struct Cache {
    resources: HashMap<String, Arc<ResourceCache>>,
    /// The same by the address of the registry's entry, because every request asks for one.
    places: HashMap<usize, Arc<ResourceCache>>,
    store: Arc<dyn Store>,
    observers: Vec<Arc<dyn CacheObserver>>,
    /// Everything up to this revision has been applied.
    at: AtomicU64,
    /// The same, for those who wait for it.
    applied: watch::Sender<Revision>,
}

fn address(resource: &Arc<Resource>) -> usize {
    Arc::as_ptr(resource) as usize
}

impl Cache {
    /// An empty cache with a place for every stored resource of the registry.
    pub fn new(
        registry: &Registry,
        store: Arc<dyn Store>,
        observers: Vec<Arc<dyn CacheObserver>>,
        limits: HistoryLimits,
    ) -> Self {
        let mut resources = HashMap::new();
        for resource in registry.all() {
            // Of resources that share objects, the one that the objects are named after owns
            // them.
            let own = (&resource.group, &resource.plural);
            let prefix = key::of_resource(resource);
            if own == (&resource.storage.0, &resource.storage.1) || !resources.contains_key(&prefix)
            {
                let cache = ResourceCache::new(resource.clone(), prefix.clone(), limits);
                resources.insert(prefix, Arc::new(cache));
            }
        }
        let places = registry
            .all()
            .iter()
            .filter_map(|r| Some((address(r), resources.get(&key::of_resource(r))?.clone())))
            .collect();
        Self {
            resources,
            places,
            store,
            observers,
            at: AtomicU64::new(0),
            applied: watch::Sender::new(0),
        }
    }

    /// The cache of the resource's objects.
    pub fn of(&self, resource: &Arc<Resource>) -> Option<&Arc<ResourceCache>> {
        self.places
            .get(&address(resource))
            .or_else(|| self.resources.get(&key::of_resource(resource)))
    }

    /// The cache of the resource of that group and plural name.
    pub fn named(&self, group: &str, plural: &str) -> Option<&Arc<ResourceCache>> {
        let group = if group.is_empty() { "core" } else { group };
        self.resources
            .get(&format!("{}{group}/{plural}/", key::ROOT))
    }

    /// All caches.
    pub fn all(&self) -> impl Iterator<Item = &Arc<ResourceCache>> {
        self.resources.values()
    }

    /// The revision up to which everything has been applied.
    pub fn revision(&self) -> Revision {
        self.at.load(Ordering::Acquire)
    }

    /// Tells whenever changes have been applied.
    pub fn changes(&self) -> watch::Receiver<Revision> {
        self.applied.subscribe()
    }

    /// Waits until everything up to `revision` has been applied.
    pub async fn reached(&self, revision: Revision) {
        if self.revision() >= revision {
            return;
        }
        let mut applied = self.applied.subscribe();
        // The sender lives as long as `self`.
        let _ = applied.wait_for(|at| *at >= revision).await;
    }

    /// Waits until every write that was acknowledged before this call has been applied, and
    /// returns a revision at which that holds.
    pub async fn fresh(&self) -> Result<Revision, StoreError> {
        let newest = self.store.revision().await?;
        self.reached(newest).await;
        Ok(self.revision().max(newest))
    }
}
