//! What all writes share: taking turns where they must, and waiting until the cache has what was
//! written.

use super::strategy;
use crate::cache::{CachedObject, ResourceCache};
use crate::served::Served;
use crate::server::Server;
use bytes::Bytes;
use model::status::Status;
use std::sync::Arc;
use std::time::Duration;
use storage_api::{Entry, Expected, StoreError};
use tokio::sync::{OwnedMutexGuard, oneshot};

/// The right to take what only one object may have; nothing for kinds that take nothing.
pub type Turn = Option<OwnedMutexGuard<()>>;

/// Waits for the turn of a write of that kind.
pub async fn turn(server: &Server, served: &Served) -> Turn {
    if strategy::allocates(&served.stored) {
        Some(server.allocating.clone().lock_owned().await)
    } else {
        None
    }
}

/// Puts a value into the store. A turn ends only when the cache has what was written, also if
/// nobody waits for the answer any more: the store may carry a write out whose request is gone.
pub async fn put(
    server: &Server,
    turn: &mut Turn,
    key: &str,
    value: Bytes,
    expected: Expected,
    ttl: Option<Duration>,
) -> Result<Entry, StoreError> {
    let Some(guard) = turn.take() else {
        return server.store.put(key, value, expected, ttl).await;
    };
    let (store, cache) = (server.store.clone(), server.cache().clone());
    let (key, (done, answer)) = (key.to_owned(), oneshot::channel());
    tokio::spawn(async move {
        let result = store.put(&key, value, expected, ttl).await;
        if let Ok(entry) = &result {
            cache.reached(entry.mod_revision).await;
        }
        // Whoever has gone away wants neither the answer nor the turn.
        let _ = done.send((result, guard));
    });
    match answer.await {
        Ok((result, guard)) => {
            *turn = Some(guard);
            result
        }
        // The runtime is going down, or the store panicked.
        Err(_) => Err(StoreError::Unavailable("the write was given up".to_owned())),
    }
}

/// The written object, once the cache and everything that follows it (the authorizers' index
/// above all) have taken it in.
pub async fn written(
    server: &Server,
    served: &Served,
    cache: &ResourceCache,
    entry: Entry,
) -> Result<Arc<CachedObject>, Status> {
    server.cache().reached(entry.mod_revision).await;
    if let Some(object) = cache.get(&entry.key)
        && object.revision == entry.mod_revision
    {
        return Ok(object);
    }
    // Somebody else wrote or deleted it already; the answer is what this request wrote.
    CachedObject::new(
        &served.stored,
        &cache.prefix,
        entry.key,
        &entry.value,
        entry.mod_revision,
    )
    .map(Arc::new)
    .map_err(Status::internal)
}
