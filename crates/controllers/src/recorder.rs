//! Events of controllers, each told once for as long as it is news.

use crate::runtime::now;
use cluster_api::{Cluster, PatchType, ResourceRef, Severity, event};
use model::meta;
use reconcile::volumes::Note;
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was told already is told again only after this long; then it counts as once more.
const AGAIN: Duration = Duration::from_secs(5 * 60);
/// How much is remembered; beyond that what is no news any more is forgotten.
const MOST: usize = 4096;

/// The object's UID, the reason and the message.
type Told = (String, &'static str, String);

struct Last {
    name: String,
    count: u64,
    at: Instant,
}

/// Writes events in the name of one component.
pub(crate) struct Recorder {
    cluster: Arc<dyn Cluster>,
    component: &'static str,
    told: HashMap<Told, Last>,
}

impl Recorder {
    pub(crate) fn new(cluster: Arc<dyn Cluster>, component: &'static str) -> Self {
        Self {
            cluster,
            component,
            told: HashMap::new(),
        }
    }

    /// Tells people. An event that cannot be written changes nothing.
    pub(crate) async fn tell(&mut self, note: Note) {
        let key = (
            meta::uid(&note.about).to_owned(),
            note.reason,
            note.message.clone(),
        );
        if self.told.len() >= MOST {
            self.told.retain(|_, last| last.at.elapsed() < AGAIN);
        }
        let result = match self.told.get_mut(&key) {
            Some(last) if last.at.elapsed() < AGAIN => return,
            Some(last) => {
                last.at = Instant::now();
                last.count += 1;
                let patch = json!({ "count": last.count, "lastTimestamp": now() });
                let name = last.name.clone();
                self.again(&note, &name, patch).await
            }
            None => Err(model::status::Status::not_found("", "events", "")),
        };
        let result = match result {
            Err(status) if status.is_not_found() => self.create(note, key).await,
            other => other,
        };
        if let Err(status) = result {
            tracing::debug!(%status, "cannot record an event");
        }
    }

    async fn again(&self, note: &Note, name: &str, patch: model::Value) -> cluster_api::Result<()> {
        let events = ResourceRef::core("events");
        let namespace = Some(namespace(note));
        let patched = self
            .cluster
            .patch(&events, namespace, name, patch, PatchType::Merge);
        patched.await.map(drop)
    }

    async fn create(&mut self, note: Note, key: Told) -> cluster_api::Result<()> {
        let severity = if note.is_warning {
            Severity::Warning
        } else {
            Severity::Normal
        };
        let time = jiff::Timestamp::now().as_nanosecond();
        let event = event(
            &note.about,
            self.component,
            severity,
            note.reason,
            &note.message,
            &now(),
            u64::try_from(time).unwrap_or_default(),
        );
        let last = Last {
            name: meta::name(&event).to_owned(),
            count: 1,
            at: Instant::now(),
        };
        self.told.insert(key, last);
        let events = ResourceRef::core("events");
        self.cluster
            .create(&events, Some(namespace(&note)), None, event)
            .await
            .map(drop)
    }
}

/// Events about objects of the whole cluster are kept in `default`.
fn namespace(note: &Note) -> &str {
    match meta::namespace(&note.about) {
        "" => "default",
        namespace => namespace,
    }
}
