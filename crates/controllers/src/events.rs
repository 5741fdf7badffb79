//! Events of controllers in the core group, as client-go's older recorder writes them: what is
//! said of an object again is counted in the event that said it first, and one object is not
//! talked about without end.

use crate::runtime::now;
use cluster_api::{Cluster, PatchType, ResourceRef, Severity, event};
use model::status::Status;
use model::{Value, meta};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The name under which all controllers speak.
const COMPONENT: &str = "controllermanager";
/// Events about one object that may come at once …
const BURST: u32 = 25;
/// … and how long it takes until one more may.
const REFILL: Duration = Duration::from_secs(300);
/// What is remembered of events and objects; then it is forgotten at once.
const REMEMBERED: usize = 4096;

struct Said {
    namespace: String,
    name: String,
    count: u64,
}

/// How many events about an object were let through, and since when that is counted.
struct Budget {
    left: u32,
    since: Instant,
}

/// A controller's recorder.
pub(crate) struct Recorder {
    cluster: Arc<dyn Cluster>,
    said: HashMap<String, Said>,
    budgets: HashMap<String, Budget>,
}

impl Recorder {
    pub(crate) fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self {
            cluster,
            said: HashMap::new(),
            budgets: HashMap::new(),
        }
    }

    /// Says something of an object, of which `apiVersion`, `kind` and metadata are looked at.
    /// Events are for people; one that cannot be written changes nothing.
    pub(crate) async fn record(
        &mut self,
        object: &Value,
        severity: Severity,
        reason: &str,
        message: &str,
    ) {
        if !self.allows(object) {
            return;
        }
        if let Err(status) = self.write(object, severity, reason, message).await {
            tracing::debug!(%status, "cannot record an event");
        }
    }

    fn allows(&mut self, object: &Value) -> bool {
        if self.budgets.len() >= REMEMBERED {
            self.budgets.clear();
        }
        let now = Instant::now();
        let budget = self.budgets.entry(meta::uid(object).to_owned());
        let budget = budget.or_insert(Budget {
            left: BURST,
            since: now,
        });
        while budget.left < BURST && budget.since.elapsed() >= REFILL {
            budget.left += 1;
            budget.since += REFILL;
        }
        if budget.left == BURST {
            budget.since = now;
        }
        match budget.left.checked_sub(1) {
            Some(left) => {
                budget.left = left;
                true
            }
            None => false,
        }
    }

    async fn write(
        &mut self,
        object: &Value,
        severity: Severity,
        reason: &str,
        message: &str,
    ) -> Result<(), Status> {
        let events = ResourceRef::core("events");
        let key = format!("{} {severity:?} {reason} {message}", meta::uid(object));
        if let Some(said) = self.said.get_mut(&key) {
            said.count += 1;
            let patch = json!({ "count": said.count, "lastTimestamp": now() });
            let patched = self
                .cluster
                .patch(
                    &events,
                    Some(&said.namespace),
                    &said.name,
                    patch,
                    PatchType::Strategic,
                )
                .await;
            match patched {
                Err(status) if status.is_not_found() => {}
                other => return other.map(drop),
            }
        }
        if self.said.len() >= REMEMBERED {
            self.said.clear();
        }
        let unique = u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or_default();
        let event = event(object, COMPONENT, severity, reason, message, &now(), unique);
        let said = Said {
            namespace: meta::namespace(&event).to_owned(),
            name: meta::name(&event).to_owned(),
            count: 1,
        };
        let namespace = said.namespace.clone();
        self.said.insert(key, said);
        self.cluster
            .create(&events, Some(&namespace), None, event)
            .await
            .map(drop)
    }
}
