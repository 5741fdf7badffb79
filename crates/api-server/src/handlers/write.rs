//! What all writes share: waiting until the cache has what was written.

use crate::cache::{CachedObject, ResourceCache};
use crate::served::Served;
use crate::server::Server;
use model::status::Status;
use std::sync::Arc;
use storage_api::Entry;

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
