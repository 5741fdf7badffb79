//! `/metrics` in the Prometheus text format, with upstream's names for the same things.
//!
//! Counting takes no lock: a request looks up its series in a shared table and adds to atomics.
//! Everything that can be known when it is asked for (stored objects, the process, the audit
//! log) is read then.

mod admission;
mod authentication;
mod authorization;
mod process;
mod requests;
mod storage;

pub use admission::PodSecurityCounts;
pub use authentication::CountedAuthenticator;
pub use authorization::CountedAuthorizer;
pub use storage::CountedStore;

use crate::cache::Cache;
use crate::plugin::{Endpoint, EndpointRequest, EndpointResponse, Outcome, Telemetry};
use crate::request_info::RequestInfo;
use authentication::Authentication;
use authorization::Authorization;
use futures::future::BoxFuture;
use metrics::Text;
use model::registry::Registry;
use model::resource::Resource;
use model::status::Status;
use rbac::Verdict;
use requests::Requests;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use storage::Storage;
use storage_api::Store;

/// Writes what others than the server count.
pub type Section = Arc<dyn Fn(&mut Text) + Send + Sync>;

/// All that the server counts.
pub struct Metrics {
    requests: Requests,
    authentication: Arc<Authentication>,
    authorization: Authorization,
    authorizers: Vec<Arc<CountedAuthorizer>>,
    pod_security: Option<Arc<PodSecurityCounts>>,
    others: Vec<Section>,
    storage: Arc<Storage>,
    connections: AtomicI64,
    panics: AtomicU64,
    dropped_reads: AtomicU64,
    dropped_writes: AtomicU64,
    audit: Option<Arc<audit::Log>>,
    store: Option<Arc<dyn Store>>,
    version: &'static str,
}

impl Metrics {
    /// Counts the requests for the resources of `registry`; others go under no resource, so that
    /// clients cannot make series up. `version` is the product's.
    pub fn new(registry: Arc<Registry>, version: &'static str) -> Self {
        Self {
            storage: Arc::new(Storage::new(&registry)),
            requests: Requests::new(registry),
            authentication: Arc::default(),
            authorization: Authorization::default(),
            authorizers: Vec::new(),
            pod_security: None,
            others: Vec::new(),
            connections: AtomicI64::new(0),
            panics: AtomicU64::new(0),
            dropped_reads: AtomicU64::new(0),
            dropped_writes: AtomicU64::new(0),
            audit: None,
            store: None,
            version,
        }
    }

    /// Shows the audit log's counters too.
    #[must_use]
    pub fn with_audit(mut self, log: Arc<audit::Log>) -> Self {
        self.audit = Some(log);
        self
    }

    /// Shows the store's size too.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Shows the decisions of these authorizers too.
    #[must_use]
    pub fn with_authorizers(mut self, authorizers: Vec<Arc<CountedAuthorizer>>) -> Self {
        self.authorizers = authorizers;
        self
    }

    /// Shows what pod security decided too.
    #[must_use]
    pub fn with_pod_security(mut self, counts: Arc<PodSecurityCounts>) -> Self {
        self.pod_security = Some(counts);
        self
    }

    /// Shows what others count too.
    #[must_use]
    pub fn with_section(mut self, section: Section) -> Self {
        self.others.push(section);
        self
    }

    /// Wraps a store so that what is asked of it is counted here.
    pub fn counted_store(&self, inner: Arc<dyn Store>) -> CountedStore {
        CountedStore::new(inner, self.storage.clone())
    }

    /// Wraps an authenticator so that its answers are counted here.
    pub fn counted(&self, inner: Arc<dyn identity::Authenticator>) -> CountedAuthenticator {
        CountedAuthenticator::new(inner, self.authentication.clone())
    }

    async fn page(&self, cache: &Cache) -> String {
        let mut text = Text::default();
        self.requests.write(&mut text);
        let reads = self.dropped_reads.load(Ordering::Relaxed);
        let writes = self.dropped_writes.load(Ordering::Relaxed);
        text.family(
            "apiserver_dropped_requests_total",
            "counter",
            "Number of requests rejected because too many were in flight, by kind of request.",
        );
        text.value(&[("request_kind", "mutating")], writes);
        text.value(&[("request_kind", "readOnly")], reads);
        self.authentication.write(&mut text);
        self.authorization.write(&mut text);
        authorization::write_decisions(&self.authorizers, &mut text);
        if let Some(counts) = &self.pod_security {
            counts.write(&mut text);
        }
        for section in &self.others {
            section(&mut text);
        }
        self.storage.write(&mut text);
        self.write_audit(&mut text);
        write_objects(cache, &mut text);
        if let Some(store) = &self.store
            && let Ok(size) = store.size().await
        {
            text.family(
                "apiserver_storage_size_bytes",
                "gauge",
                "Size of the storage database file physically allocated in bytes.",
            );
            text.value(&[("storage_cluster_id", "embedded")], size);
        }
        text.family(
            "rampart_request_panics_total",
            "counter",
            "Requests whose handler panicked.",
        );
        text.value(&[], self.panics.load(Ordering::Relaxed));
        text.family("rampart_connections", "gauge", "Open client connections.");
        text.value(&[], self.connections.load(Ordering::Relaxed));
        self.write_build(&mut text);
        process::write(&mut text);
        text.finish()
    }

    fn write_audit(&self, text: &mut Text) {
        let Some(log) = &self.audit else {
            return;
        };
        let counters = log.counters();
        text.family(
            "apiserver_audit_event_total",
            "counter",
            "Counter of audit events generated and sent to the audit backend.",
        );
        text.value(&[], counters.written());
        text.family(
            "apiserver_audit_error_total",
            "counter",
            "Counter of audit events that failed to be audited properly, by plugin.",
        );
        let lost = counters.failed().saturating_add(counters.dropped());
        text.value(&[("plugin", "log")], lost);
        text.family(
            "apiserver_audit_level_total",
            "counter",
            "Counter of policy levels for audit events (1 per request).",
        );
        for (name, level) in [
            ("None", audit::Level::None),
            ("Metadata", audit::Level::Metadata),
            ("Request", audit::Level::Request),
            ("RequestResponse", audit::Level::RequestResponse),
        ] {
            text.value(&[("level", name)], counters.level(level));
        }
    }

    fn write_build(&self, text: &mut Text) {
        text.family(
            "kubernetes_build_info",
            "gauge",
            "The Kubernetes version whose behaviour is served.",
        );
        let version = crate::nonresource::GIT_VERSION;
        let labels = [
            ("git_version", version),
            ("major", "1"),
            ("minor", "33"),
            ("platform", std::env::consts::ARCH),
        ];
        text.value(&labels, 1);
        text.family("rampart_build_info", "gauge", "The version of Rampart.");
        text.value(&[("version", self.version)], 1);
    }
}

fn write_objects(cache: &Cache, text: &mut Text) {
    let mut objects: Vec<(String, usize)> = cache
        .all()
        // Reviews are answered, not stored.
        .filter(|c| c.resource.verbs.iter().any(|v| v == "list"))
        .map(|c| (c.resource.qualified(), c.size().0))
        .collect();
    objects.sort_unstable();
    text.family(
        "apiserver_storage_objects",
        "gauge",
        "Number of stored objects at the time of last check split by kind.",
    );
    for (resource, count) in objects {
        text.value(&[("resource", &resource)], count);
    }
}

impl Telemetry for Metrics {
    fn started(&self, info: &RequestInfo) {
        self.requests.started(info);
    }

    fn finished(&self, outcome: &Outcome<'_>) {
        self.requests.finished(outcome);
    }

    fn authorized(&self, verdict: &Verdict, elapsed: Duration) {
        self.authorization.count(verdict, elapsed);
    }

    fn dropped(&self, mutating: bool) {
        let counter = if mutating {
            &self.dropped_writes
        } else {
            &self.dropped_reads
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    fn watch(&self, resource: &Resource, open: bool) {
        self.requests.watch(resource, open);
    }

    fn watch_events(&self, resource: &Resource, events: usize) {
        self.requests.watch_events(resource, events);
    }

    fn connection(&self, open: bool) {
        let change = if open { 1 } else { -1 };
        self.connections.fetch_add(change, Ordering::Relaxed);
    }
}

/// Serves [`Metrics`] at `/metrics`.
pub struct MetricsPage(pub Arc<Metrics>);

impl Endpoint for MetricsPage {
    fn serves(&self, path: &str) -> bool {
        path == "/metrics"
    }

    fn paths(&self) -> Vec<String> {
        vec!["/metrics".to_owned()]
    }

    fn get<'a>(
        &'a self,
        request: EndpointRequest<'a>,
    ) -> BoxFuture<'a, Result<EndpointResponse, Status>> {
        Box::pin(async move {
            Ok(EndpointResponse {
                code: 200,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: self.0.page(&request.services.cache).await.into(),
                headers: Vec::new(),
            })
        })
    }
}

#[cfg(test)]
mod tests;
