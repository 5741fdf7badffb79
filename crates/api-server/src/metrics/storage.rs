//! Counting what is asked of the store. The names are those under which upstream counts its
//! requests to etcd, which is the same thing to whoever watches the server.

use crate::key;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use metrics::Text;
use metrics::{Family, Histogram};
use model::registry::Registry;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use storage_api::{Entry, Events, Expected, Range, Result, Revision, Scan, Store, StoreError};

/// Upstream's buckets, in seconds.
const SECONDS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];

#[derive(Default)]
struct Request {
    total: AtomicU64,
    failed: AtomicU64,
    seconds: Histogram<24>,
}

/// Requests by operation and type.
pub(super) struct Storage {
    /// Upstream's names of the types, by the prefix of their objects.
    types: HashMap<String, String>,
    requests: Family<Request>,
}

impl Storage {
    pub(super) fn new(registry: &Registry) -> Self {
        let name = |resource: &model::resource::Resource| {
            let group = resource.group.split('.').next().unwrap_or_default();
            let package = if group.is_empty() { "core" } else { group };
            format!("*{package}.{}", resource.kind)
        };
        let stored = registry.all().iter().filter(|r| {
            let own = (&r.group, &r.plural);
            own == (&r.storage.0, &r.storage.1)
        });
        Self {
            types: stored.map(|r| (key::of_resource(r), name(r))).collect(),
            requests: Family::default(),
        }
    }

    fn count<T>(&self, operation: &str, key: &str, began: Instant, answer: &Result<T>) {
        self.observe(operation, key, began.elapsed(), failed(answer));
    }

    fn observe(&self, operation: &str, key: &str, elapsed: Duration, failed: bool) {
        let kind = key::resource_prefix(key).and_then(|prefix| self.types.get(prefix));
        let labels = [operation, kind.map_or("", String::as_str)];
        self.requests.with(&labels, |request| {
            request.total.fetch_add(1, Ordering::Relaxed);
            request.failed.fetch_add(failed.into(), Ordering::Relaxed);
            request.seconds.observe(elapsed, &SECONDS);
        });
    }

    pub(super) fn write(&self, text: &mut Text) {
        text.family(
            "etcd_request_duration_seconds",
            "histogram",
            "Etcd request latency in seconds for each operation and object type.",
        );
        self.requests.each(|labels, request| {
            let (operation, kind) = named(labels);
            let (counts, sum) = request.seconds.read();
            let labels = [("operation", operation), ("type", kind)];
            text.histogram(&labels, &SECONDS, &counts, sum);
        });
        self.write_counter(
            text,
            "etcd_requests_total",
            "Etcd request counts for each operation and object type.",
            |request| &request.total,
        );
        self.write_counter(
            text,
            "etcd_request_errors_total",
            "Etcd failed request counts for each operation and object type.",
            |request| &request.failed,
        );
    }

    fn write_counter(
        &self,
        text: &mut Text,
        name: &'static str,
        help: &str,
        counter: impl Fn(&Request) -> &AtomicU64,
    ) {
        text.family(name, "counter", help);
        self.requests.each(|labels, request| {
            let (operation, kind) = named(labels);
            text.value(
                &[("operation", operation), ("type", kind)],
                counter(request).load(Ordering::Relaxed),
            );
        });
    }
}

/// The operation and the type.
fn named<'a>(labels: &[&'a str]) -> (&'a str, &'a str) {
    let at = |i: usize| labels.get(i).copied().unwrap_or_default();
    (at(0), at(1))
}

/// Whether the store failed. That somebody was faster is an answer, as etcd's failed comparison.
fn failed<T>(answer: &Result<T>) -> bool {
    !matches!(answer, Ok(_) | Err(StoreError::Conflict { .. }))
}

/// A store whose requests are counted.
pub struct CountedStore {
    inner: Arc<dyn Store>,
    counters: Arc<Storage>,
}

impl CountedStore {
    pub(super) fn new(inner: Arc<dyn Store>, counters: Arc<Storage>) -> Self {
        Self { inner, counters }
    }

    fn counted<'a, T: Send + 'a>(
        &'a self,
        operation: &'static str,
        key: &'a str,
        request: BoxFuture<'a, Result<T>>,
    ) -> BoxFuture<'a, Result<T>> {
        let began = Instant::now();
        Box::pin(request.map(move |answer| {
            self.counters.count(operation, key, began, &answer);
            answer
        }))
    }
}

impl Store for CountedStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<(Option<Entry>, Revision)>> {
        self.counted("get", key, self.inner.get(key, at))
    }

    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<Range>> {
        self.counted("list", prefix, self.inner.range(prefix, start, limit, at))
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Scan<'a>>> {
        self.counted("list", prefix, self.inner.scan(prefix))
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<Entry>> {
        let operation = match expected {
            Expected::Absent => "create",
            _ => "update",
        };
        self.counted(operation, key, self.inner.put(key, value, expected, ttl))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, Result<Entry>> {
        self.counted("update", key, self.inner.replace(key, value, expected))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<(Revision, Entry)>> {
        self.counted("delete", key, self.inner.delete(key, expected))
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Events>>>> {
        self.inner.watch(prefix, after)
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        self.inner.revision()
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<()>> {
        self.inner.compact(revision)
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        self.inner.size()
    }
}
