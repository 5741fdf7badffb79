//! Events about pods, as upstream's recorder of `events.k8s.io` writes them: what happens to the
//! same object again is counted in a series, which is written when it begins, now and then while
//! it goes on, and when it has ended.

use crate::NAME;
use cluster_api::{Cluster, PatchType, ResourceRef};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use model::status::Status;
use model::{Value, meta};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// What happened longer ago begins a new event.
const FINISH: Duration = Duration::from_secs(6 * 60);
/// A series is written every so many times that finished ones are looked for, so that the event
/// does not expire while it goes on.
const REFRESH: u32 = 5;
/// What cannot be written so soon is not told.
const QUEUE: usize = 20_000;
/// Events that are being written at once.
const WRITES: usize = 32;
/// The longest name of an object.
const NAME_MAX: usize = 253;
/// The longest text of an event, in bytes.
const NOTE_MAX: usize = 1024;

/// What happened to a pod.
#[derive(Debug)]
pub(crate) struct Happening {
    /// The pod, as [`reference`] names it.
    pub(crate) regarding: Value,
    /// What else took part.
    pub(crate) related: Option<Value>,
    /// `Normal` or `Warning`.
    pub(crate) severity: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) action: &'static str,
    pub(crate) note: String,
}

/// Where events are told.
#[derive(Debug, Clone)]
pub(crate) struct Events(mpsc::Sender<Happening>);

impl Events {
    /// Tells of what happened, without waiting.
    pub(crate) fn tell(&self, happening: Happening) {
        if self.0.try_send(happening).is_err() {
            tracing::debug!("too many events; one is not told");
        }
    }
}

/// A pod, as an event names it.
pub(crate) fn reference(pod: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta::namespace(pod),
        "name": meta::name(pod),
        "uid": meta::uid(pod),
        "resourceVersion": meta::resource_version(pod),
    })
}

/// Where to tell events, and what writes them as long as it runs. `host` is the machine's name.
pub(crate) fn recorder(
    cluster: Arc<dyn Cluster>,
    host: &str,
) -> (Events, impl Future<Output = ()> + use<>) {
    let (sender, happenings) = mpsc::channel(QUEUE);
    let recorder = Recorder {
        cluster,
        instance: format!("{NAME}-{host}"),
        known: HashMap::new(),
    };
    (Events(sender), recorder.run(happenings))
}

/// An event that may become, or is, a series.
struct Known {
    event: Value,
    count: u64,
    last: Instant,
}

struct Recorder {
    cluster: Arc<dyn Cluster>,
    instance: String,
    known: HashMap<String, Known>,
}

impl Recorder {
    async fn run(mut self, mut happenings: mpsc::Receiver<Happening>) {
        let mut writes: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        let mut ticks = interval(FINISH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since_refresh = 0;
        loop {
            tokio::select! {
                happening = happenings.recv(), if writes.len() < WRITES => {
                    let Some(happening) = happening else { break };
                    writes.extend(self.take(happening));
                }
                Some(()) = writes.next(), if !writes.is_empty() => {}
                _ = ticks.tick() => {
                    since_refresh += 1;
                    let is_refresh = since_refresh >= REFRESH;
                    if is_refresh {
                        since_refresh = 0;
                    }
                    writes.extend(self.finish(is_refresh));
                }
            }
        }
        while writes.next().await.is_some() {}
    }

    /// What is to be written of it now.
    fn take(&mut self, happening: Happening) -> Option<BoxFuture<'static, ()>> {
        let Happening {
            regarding,
            related,
            severity,
            reason,
            action,
            mut note,
        } = happening;
        let now = jiff::Timestamp::now();
        let time = now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
        let key = format!("{severity} {reason} {action} {regarding} {related:?}");
        if let Some(known) = self.known.get_mut(&key) {
            known.count += 1;
            known.last = Instant::now();
            let series = json!({ "count": known.count, "lastObservedTime": time });
            meta::set(&mut known.event, &["series"], series);
            return (known.count == 2).then(|| continued(&self.cluster, known.event.clone()));
        }
        truncate(&mut note, NOTE_MAX, " ...");
        let suffix = format!(".{:x}", now.as_nanosecond());
        let mut name = meta::text(&regarding, &["name"]).to_owned();
        truncate(&mut name, NAME_MAX.saturating_sub(suffix.len()), "");
        let namespace = meta::text(&regarding, &["namespace"]);
        let mut event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "name": name + &suffix, "namespace": namespace },
            "eventTime": time,
            "reportingController": NAME,
            "reportingInstance": self.instance,
            "action": action,
            "reason": reason,
            "regarding": regarding,
            "note": note,
            "type": severity,
        });
        if let Some(related) = related {
            meta::set(&mut event, &["related"], related);
        }
        // What went well does not happen to the same version of a pod again.
        if severity == "Warning" {
            let known = Known {
                event: event.clone(),
                count: 1,
                last: Instant::now(),
            };
            self.known.insert(key, known);
        }
        Some(begun(&self.cluster, event))
    }

    /// Forgets what has ended, and writes how often it happened; also of what goes on, if asked.
    fn finish(&mut self, is_refresh: bool) -> Vec<BoxFuture<'static, ()>> {
        let mut writes = Vec::new();
        let cluster = &self.cluster;
        self.known.retain(|_, known| {
            let is_over = known.last.elapsed() > FINISH;
            if known.count > 1 && (is_over || is_refresh) {
                writes.push(continued(cluster, known.event.clone()));
            }
            !is_over
        });
        writes
    }
}

fn resource() -> ResourceRef {
    ResourceRef::new("events.k8s.io", "v1", "events")
}

/// Writes a new event. Events are for people; one that cannot be written changes nothing.
fn begun(cluster: &Arc<dyn Cluster>, event: Value) -> BoxFuture<'static, ()> {
    let cluster = Arc::clone(cluster);
    Box::pin(async move {
        if let Err(status) = create(cluster.as_ref(), event).await {
            tracing::debug!(%status, "cannot record an event");
        }
    })
}

async fn create(cluster: &dyn Cluster, event: Value) -> Result<(), Status> {
    let namespace = meta::namespace(&event).to_owned();
    cluster
        .create(&resource(), Some(&namespace), None, event)
        .await
        .map(drop)
}

/// Writes the series of an event, or all of it if it is there no more.
fn continued(cluster: &Arc<dyn Cluster>, event: Value) -> BoxFuture<'static, ()> {
    let cluster = Arc::clone(cluster);
    Box::pin(async move {
        let patch = json!({ "series": event.get("series") });
        let (namespace, name) = (
            meta::namespace(&event).to_owned(),
            meta::name(&event).to_owned(),
        );
        let kind = PatchType::Strategic;
        let patched = cluster
            .patch(&resource(), Some(&namespace), &name, patch, kind)
            .await;
        let written = match patched {
            Err(status) if status.is_not_found() => create(cluster.as_ref(), event).await,
            other => other.map(drop),
        };
        if let Err(status) = written {
            tracing::debug!(%status, "cannot record that an event happened again");
        }
    })
}

/// Cuts a text to at most `most` bytes, with `end` in place of what is cut.
fn truncate(text: &mut String, most: usize, end: &str) {
    if text.len() > most {
        let mut at = most.saturating_sub(end.len());
        while !text.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        text.truncate(at);
        text.push_str(end);
    }
}
