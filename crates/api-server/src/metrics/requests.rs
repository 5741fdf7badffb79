//! Counting requests.

use crate::plugin::Outcome;
use crate::request_info::RequestInfo;
use metrics::Text;
use metrics::{Family, Histogram};
use model::registry::Registry;
use model::resource::Resource;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Upstream's buckets of request durations, in seconds.
const SECONDS: [f64; 23] = [
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0,
    10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
];

/// Upstream's buckets of response sizes, in bytes.
const BYTES: [f64; 7] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/// The names of the labels, in the order in which [`Family`] has them.
const LABELS: [&str; 8] = [
    "code",
    "dry_run",
    "group",
    "resource",
    "scope",
    "subresource",
    "verb",
    "version",
];

#[derive(Default)]
struct Request {
    total: AtomicU64,
    seconds: Histogram<24>,
    bytes: Histogram<8>,
}

pub(super) struct Requests {
    registry: Arc<Registry>,
    by_labels: Family<Request>,
    reading: AtomicI64,
    writing: AtomicI64,
    watches: Family<AtomicI64>,
    watch_events: Family<AtomicU64>,
}

impl Requests {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            by_labels: Family::default(),
            reading: AtomicI64::new(0),
            writing: AtomicI64::new(0),
            watches: Family::default(),
            watch_events: Family::default(),
        }
    }

    fn in_flight(&self, info: &RequestInfo, change: i64) {
        if info.long_running() {
            return;
        }
        let gauge = if info.read_only() {
            &self.reading
        } else {
            &self.writing
        };
        gauge.fetch_add(change, Ordering::Relaxed);
    }

    pub(super) fn started(&self, info: &RequestInfo) {
        self.in_flight(info, 1);
    }

    pub(super) fn finished(&self, outcome: &Outcome<'_>) {
        let info = outcome.info;
        self.in_flight(info, -1);
        let mut code_text = itoa::Buffer::new();
        let code = code_text.format(outcome.code);
        let dry_run = if outcome.dry_run { "All" } else { "" };
        let verb = verb(info);
        let count = |request: &Request| {
            request.total.fetch_add(1, Ordering::Relaxed);
            // How long a watch was open says nothing about the server.
            if !info.long_running() {
                request.seconds.observe(outcome.elapsed, &SECONDS);
            }
            if let Some(bytes) = outcome.bytes.filter(|_| info.read_only()) {
                request.bytes.observe_number(bytes, &BYTES);
            }
        };
        let labels = [
            code,
            dry_run,
            &info.group,
            &info.resource,
            scope(info),
            &info.subresource,
            verb,
            &info.version,
        ];
        // Labels that are there were checked when they were made.
        if self.by_labels.find(&labels, count) {
            return;
        }
        let known = self
            .registry
            .by_path(&info.group, &info.version, &info.resource);
        let labels = match known {
            Some(resource) => {
                let sub = &info.subresource;
                let sub = if resource.subresource(sub).is_some() {
                    sub
                } else {
                    ""
                };
                [
                    code,
                    dry_run,
                    &info.group,
                    &info.resource,
                    scope(info),
                    sub,
                    verb,
                    &info.version,
                ]
            }
            None => [code, dry_run, "", "", "", "", verb, ""],
        };
        self.by_labels.with(&labels, count);
    }

    pub(super) fn watch(&self, resource: &Resource, open: bool) {
        let labels = [resource.group.as_ref(), resource.plural.as_ref()];
        let change = if open { 1 } else { -1 };
        self.watches.with(&labels, |gauge| {
            gauge.fetch_add(change, Ordering::Relaxed);
        });
    }

    pub(super) fn watch_events(&self, resource: &Resource, events: usize) {
        let version = resource.storage_version.as_ref();
        let labels = [resource.group.as_ref(), resource.kind.as_ref(), version];
        self.watch_events.with(&labels, |counter| {
            counter.fetch_add(events as u64, Ordering::Relaxed);
        });
    }

    pub(super) fn write(&self, text: &mut Text) {
        text.family(
            "apiserver_request_total",
            "counter",
            "Counter of apiserver requests broken out for each verb, dry run value, group, \
             version, resource, scope, component, and HTTP response code.",
        );
        let mut durations: BTreeMap<Vec<String>, ([u64; 24], f64)> = BTreeMap::new();
        let mut sizes: BTreeMap<Vec<String>, ([u64; 8], f64)> = BTreeMap::new();
        self.by_labels.each(|values, request| {
            let mut labels = named(values);
            labels.insert(1, ("component", "apiserver"));
            text.value(&labels, request.total.load(Ordering::Relaxed));
            // The histograms are not broken out by code (nor sizes by dry run).
            let key = |from: usize| -> Vec<String> {
                let values = values.get(from..).unwrap_or_default();
                values.iter().map(|v| (*v).to_owned()).collect()
            };
            add(&mut durations, key(1), request.seconds.read());
            add(&mut sizes, key(2), request.bytes.read());
        });
        text.family(
            "apiserver_request_duration_seconds",
            "histogram",
            "Response latency distribution in seconds for each verb, dry run value, group, \
             version, resource, subresource, scope and component.",
        );
        for (values, (counts, sum)) in &durations {
            write_histogram(text, 1, values, &SECONDS, counts, *sum);
        }
        text.family(
            "apiserver_response_sizes",
            "histogram",
            "Response size distribution in bytes for each group, version, verb, resource, \
             subresource, scope and component.",
        );
        for (values, (counts, sum)) in &sizes {
            write_histogram(text, 2, values, &BYTES, counts, *sum);
        }
        text.family(
            "apiserver_current_inflight_requests",
            "gauge",
            "Maximal number of currently used inflight request limit of this apiserver per \
             request kind in last second.",
        );
        for (kind, gauge) in [("mutating", &self.writing), ("readOnly", &self.reading)] {
            let now = gauge.load(Ordering::Relaxed);
            text.value(&[("request_kind", kind)], now);
        }
        text.family(
            "apiserver_longrunning_requests",
            "gauge",
            "Gauge of all active long-running apiserver requests broken out by verb, group, \
             version, resource, scope and component.",
        );
        self.watches.each(|values, gauge| {
            if let [group, resource] = values {
                let labels = [
                    ("component", "apiserver"),
                    ("group", *group),
                    ("resource", *resource),
                    ("verb", "WATCH"),
                ];
                text.value(&labels, gauge.load(Ordering::Relaxed));
            }
        });
        text.family(
            "apiserver_watch_events_total",
            "counter",
            "Number of events sent in watch clients.",
        );
        self.watch_events.each(|values, counter| {
            if let [group, kind, version] = values {
                let labels = [("group", *group), ("kind", *kind), ("version", *version)];
                text.value(&labels, counter.load(Ordering::Relaxed));
            }
        });
    }
}

/// The last labels with their names.
fn named<'a>(values: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    let skipped = LABELS.len().saturating_sub(values.len());
    LABELS
        .into_iter()
        .skip(skipped)
        .zip(values.iter().copied())
        .collect()
}

fn add<const N: usize>(
    all: &mut BTreeMap<Vec<String>, ([u64; N], f64)>,
    key: Vec<String>,
    (counts, sum): ([u64; N], f64),
) {
    if counts.iter().all(|c| *c == 0) {
        return;
    }
    let entry = all.entry(key).or_insert(([0; N], 0.0));
    for (total, count) in entry.0.iter_mut().zip(counts) {
        *total = total.saturating_add(count);
    }
    entry.1 += sum;
}

fn write_histogram(
    text: &mut Text,
    skipped: usize,
    values: &[String],
    bounds: &[f64],
    counts: &[u64],
    sum: f64,
) {
    let mut labels = vec![("component", "apiserver")];
    let values = values.iter().map(String::as_str);
    labels.extend(LABELS.into_iter().skip(skipped).zip(values));
    text.histogram(&labels, bounds, counts, sum);
}

/// Upstream's name of the verb: the HTTP method, except where one method means several things.
fn verb(info: &RequestInfo) -> &'static str {
    match info.verb {
        "get" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" | "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        "head" => "HEAD",
        "proxy" | "connect" => "CONNECT",
        "options" => "OPTIONS",
        _ => "other",
    }
}

/// Whether one object, a namespace's or the cluster's are asked for.
fn scope(info: &RequestInfo) -> &'static str {
    if !info.is_resource {
        ""
    } else if !info.name.is_empty() || info.verb == "create" {
        "resource"
    } else if !info.namespace.is_empty() {
        "namespace"
    } else {
        "cluster"
    }
}
