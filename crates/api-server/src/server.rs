//! The server's parts, put together.

use crate::authorization::Authorizer;
use crate::cache::{Cache, ResourceCache};
use crate::handlers::budget::Ledger;
use crate::plugin::{Endpoint, Services, Telemetry, Virtual};
use crate::served::Served;
use admission::Chain;
use model::openapi::OpenApi;
use model::schema::Schema;
use model::status::Status;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use storage_api::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// What the server takes on at once, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Changing requests in flight.
    pub mutating: usize,
    /// Reading requests in flight, not counting watches.
    pub read_only: usize,
    /// Time for a request that is no watch.
    pub request: Duration,
    /// Time for a TLS handshake.
    pub handshake: Duration,
    /// Time for a request's head, and of idleness between requests.
    pub head: Duration,
    /// Time without progress in sending after which a connection is given up.
    pub stalled: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Connections.
    pub connections: usize,
    /// Time between bookmarks.
    pub bookmarks: Duration,
    /// The shortest time after which a watch without a timeout of its own ends; the longest is
    /// twice that.
    pub watch: Duration,
    /// Time for open requests to end when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 3 << 20,
            mutating: 200,
            read_only: 400,
            request: Duration::from_secs(60),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(32),
            stalled: Duration::from_secs(60),
            head_bytes: 64 << 10,
            connections: 20_000,
            bookmarks: Duration::from_secs(60),
            watch: Duration::from_secs(1800),
            drain: Duration::from_secs(10),
        }
    }
}

/// Everything that handlers work with.
pub struct Server {
    /// What plug-ins see.
    pub services: Services,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The admission chain.
    pub admission: Chain,
    /// The types of all objects.
    pub schema: &'static Schema,
    /// Virtual resources by group and plural.
    pub virtuals: HashMap<(&'static str, &'static str), Arc<dyn Virtual>>,
    /// What is served outside of the API, in order of precedence.
    pub endpoints: Vec<Arc<dyn Endpoint>>,
    /// Who counts requests.
    pub telemetry: Arc<dyn Telemetry>,
    /// The audit log, if there is one.
    pub auditor: Option<audit::Auditor>,
    /// Limits.
    pub limits: Limits,
    /// Cancelled when the server is to stop.
    pub stop: CancellationToken,
    pub(crate) openapi_hash: OnceLock<String>,
    /// Where the server listens, as discovery tells clients; empty until it does.
    pub(crate) address: Mutex<String>,
    /// Held by writes that take what only one object may have, from the choice until everybody
    /// sees what was taken.
    pub(crate) allocating: Arc<tokio::sync::Mutex<()>>,
    /// Held while what requests take is written into budgets.
    pub(crate) charging: tokio::sync::Mutex<Ledger>,
    pub(crate) mutating: Semaphore,
    pub(crate) read_only: Semaphore,
}

impl Server {
    /// The cache.
    pub fn cache(&self) -> &Arc<Cache> {
        &self.services.cache
    }

    /// The authorizer chain.
    pub fn authorizer(&self) -> &dyn Authorizer {
        self.services.authorizer.as_ref()
    }

    /// The fingerprint of the OpenAPI documents.
    pub fn openapi_hash(&self) -> &str {
        self.openapi_hash
            .get_or_init(|| OpenApi::new(&self.services.registry, self.schema).hash())
    }

    /// Where the server listens; empty until it does.
    pub fn address(&self) -> String {
        self.address.lock().clone()
    }

    /// The cache of a resource's objects.
    pub fn objects(&self, served: &Served) -> Result<&Arc<ResourceCache>, Status> {
        self.cache()
            .of(&served.stored)
            .ok_or_else(Status::no_such_path)
    }

    /// Waits until reads see every write that was acknowledged before.
    pub async fn fresh(&self) -> Result<u64, Status> {
        self.cache().fresh().await.map_err(|e| store_status(&e))
    }

    /// The virtual resource of that name.
    pub fn find_virtual(&self, group: &str, name: &str) -> Option<&Arc<dyn Virtual>> {
        self.virtuals
            .iter()
            .find(|((g, n), _)| *g == group && *n == name)
            .map(|(_, v)| v)
    }
}

/// What a client is told of a failure of the store.
pub fn store_status(error: &StoreError) -> Status {
    match error {
        StoreError::Conflict { .. } => {
            Status::new(409, "Conflict", "the object was changed by another writer")
        }
        StoreError::Compacted { .. } => {
            Status::expired("The resourceVersion for the provided list is too old.")
        }
        StoreError::Future { requested, newest } => too_large_revision(*requested, *newest),
        StoreError::TooLarge { size, limit } => Status::too_large(format!(
            "Request entity too large: the object has {size} bytes, limit is {limit}"
        )),
        StoreError::Unavailable(why) => {
            tracing::error!(%why, "the store is unavailable");
            Status::unavailable("the store is unavailable")
        }
        other @ (StoreError::Full(_) | StoreError::Damaged { .. }) => Status::internal(other),
    }
}

/// 504: a resource version that has not happened yet.
pub fn too_large_revision(requested: u64, newest: u64) -> Status {
    let mut status = Status::timeout(format!(
        "Too large resource version: {requested}, current: {newest}"
    ));
    status.details.causes = vec![model::status::Cause {
        reason: "ResourceVersionTooLarge".to_owned(),
        message: "Too large resource version".to_owned(),
        field: String::new(),
    }];
    status.details.retry_after_seconds = 1;
    status
}
