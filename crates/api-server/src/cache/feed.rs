//! Filling the cache: once from a range read, then from the store's watch.

use super::{Cache, CachedObject, ResourceCache};
use crate::key;
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use storage_api::{Entry, Event, Events, Revision, Scan, StoreError};

const RETRY: Duration = Duration::from_millis(200);

impl Cache {
    /// Reads everything the store holds. Returns the revision from which to follow.
    pub async fn load(&self) -> Result<Revision, StoreError> {
        let Scan {
            revision,
            mut entries,
        } = self.store.scan(key::ROOT).await?;
        while let Some(piece) = entries.next().await {
            self.take_loaded(piece?);
        }
        for cache in self.resources.values() {
            cache.loaded(revision);
        }
        self.observers.iter().for_each(|o| o.batch_end());
        self.at.store(revision, Ordering::Release);
        self.applied.send_replace(revision);
        Ok(revision)
    }

    fn take_loaded(&self, entries: Vec<Entry>) {
        let mut batches: HashMap<String, Vec<Arc<CachedObject>>> = HashMap::new();
        for entry in entries {
            let Some(cache) = self.at_key(&entry.key) else {
                continue;
            };
            if let Some(object) = read(cache, entry) {
                for observer in &self.observers {
                    observer.put(&cache.resource, &object);
                }
                match batches.get_mut(&cache.prefix) {
                    Some(batch) => batch.push(object),
                    None => {
                        batches.insert(cache.prefix.clone(), vec![object]);
                    }
                }
            }
        }
        for (prefix, objects) in batches {
            if let Some(cache) = self.resources.get(&prefix) {
                cache.load(objects);
            }
        }
    }

    fn at_key(&self, key: &str) -> Option<&Arc<ResourceCache>> {
        self.resources.get(key::resource_prefix(key)?)
    }

    /// Follows the store from `after` until it is dropped. If the watch breaks it is resumed; if
    /// the history it needs is gone, everything is read anew and all watches of clients end.
    pub async fn follow(self: Arc<Self>, mut after: Revision) {
        loop {
            match self.store.watch(key::ROOT, after).await {
                Ok(mut stream) => {
                    while let Some(batch) = stream.next().await {
                        match batch {
                            Ok(events) => after = self.apply(events),
                            Err(error) => {
                                tracing::warn!(%error, "the store's watch broke; resuming");
                                break;
                            }
                        }
                    }
                }
                Err(StoreError::Compacted { .. }) => match self.reload().await {
                    Ok(revision) => {
                        after = revision;
                        continue;
                    }
                    Err(error) => tracing::error!(%error, "the store cannot be read"),
                },
                Err(error) => tracing::error!(%error, "the store cannot be watched"),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn reload(&self) -> Result<Revision, StoreError> {
        tracing::warn!("changes of the store were missed; reading everything anew");
        self.observers.iter().for_each(|o| o.reset());
        self.resources.values().for_each(|c| c.reset());
        self.load().await
    }

    /// Applies a batch and then lets those go on who wait for it.
    fn apply(&self, batch: Events) -> Revision {
        let mut touched: Vec<&Arc<ResourceCache>> = Vec::new();
        for event in batch.events {
            let Some(cache) = self.at_key(event.key()) else {
                continue;
            };
            self.apply_one(cache, event);
            if !touched.iter().any(|t| Arc::ptr_eq(t, cache)) {
                touched.push(cache);
            }
        }
        self.observers.iter().for_each(|o| o.batch_end());
        self.at.fetch_max(batch.revision, Ordering::AcqRel);
        self.applied.send_if_modified(|at| {
            let moved = *at < batch.revision;
            *at = batch.revision.max(*at);
            moved
        });
        touched.iter().for_each(|cache| cache.announce());
        batch.revision
    }

    fn apply_one(&self, cache: &ResourceCache, event: Event) {
        match event {
            Event::Put { entry, .. } => {
                if let Some(object) = read(cache, entry) {
                    for observer in &self.observers {
                        observer.put(&cache.resource, &object);
                    }
                    cache.put(object);
                }
            }
            Event::Delete { key, revision, .. } => {
                if let Some(event) = cache.delete(&key, revision) {
                    for observer in &self.observers {
                        observer.deleted(&cache.resource, &event.object);
                    }
                }
            }
        }
    }
}

fn read(cache: &ResourceCache, entry: Entry) -> Option<Arc<CachedObject>> {
    let Entry {
        key,
        value,
        mod_revision,
        ..
    } = entry;
    match CachedObject::new(
        &cache.resource,
        &cache.prefix,
        key.clone(),
        &value,
        mod_revision,
    ) {
        Ok(object) => Some(Arc::new(object)),
        Err(error) => {
            tracing::error!(%key, %error, "an object is left out");
            None
        }
    }
}
