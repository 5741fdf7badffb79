//! The disruption controller: keeps the status of PodDisruptionBudgets, and takes back the word
//! of pods that they are about to go when they do not.

mod known;
mod later;
mod scale;

use crate::events::Recorder;
use crate::runtime::{Resolve, follow_core, follow_resource, now};
use cluster_api::{Cluster, ResourceRef, Severity, Update};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll, select_all};
use known::{Key, Known};
use later::Later;
use model::status::Status;
use model::{Value, meta};
use reconcile::disruption::{self, CoveredPod, STALE_CONDITION, Scales};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a budget that could not be written waits.
const PAUSE: Duration = Duration::from_secs(1);

/// What is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Budgets,
    Pods,
    /// Of this kind are owners of pods, or of those.
    Owners(&'static str),
}

fn sources(reader: &Arc<dyn Cluster>) -> SelectAll<BoxStream<'static, (Source, Update)>> {
    let budgets = ResourceRef::new("policy", "v1", "poddisruptionbudgets");
    let mut all = vec![
        (
            Source::Budgets,
            follow_resource(reader, budgets, "").boxed(),
        ),
        (Source::Pods, follow_core(reader, "pods", "").boxed()),
    ];
    for (kind, group, plural) in known::OWNERS {
        let resource = ResourceRef::new(group, "v1", plural);
        let updates = follow_resource(reader, resource, "").boxed();
        all.push((Source::Owners(kind), updates));
    }
    let all = all.into_iter();
    select_all(all.map(|(source, updates)| updates.map(move |u| (source, u)).boxed()))
}

/// Runs for ever. `reader` is what is followed through; `cluster` is what is asked and written
/// through; `resolve` finds the resource of a kind.
pub(crate) async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>, resolve: Resolve) {
    let mut updates = sources(&reader);
    let mut controller = Controller {
        recorder: Recorder::new(Arc::clone(&cluster)),
        cluster,
        resolve,
        known: Known::default(),
        again: Later::default(),
        stale: Later::default(),
    };
    loop {
        let times = [controller.again.next(), controller.stale.next()];
        let wake = times.into_iter().flatten().min();
        let is_due = controller.known.is_due();
        tokio::select! {
            biased;
            Some((source, update)) = updates.next() => controller.observe(source, update).await,
            () = std::future::ready(()), if is_due => controller.sync_next().await,
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                let now = Instant::now();
                while let Some(key) = controller.again.pop(now) {
                    controller.known.touch(key);
                }
                while let Some(key) = controller.stale.pop(now) {
                    controller.settle(&key).await;
                }
            }
        }
    }
}

struct Controller {
    cluster: Arc<dyn Cluster>,
    resolve: Resolve,
    recorder: Recorder,
    known: Known,
    /// Budgets to be looked at again although nothing changes.
    again: Later<Key>,
    /// Pods that said that they are about to go.
    stale: Later<Key>,
}

impl Controller {
    async fn observe(&mut self, source: Source, update: Update) {
        if let Update::Trouble(status) = &update {
            tracing::warn!(%status, "cannot follow what budgets depend on");
            return;
        }
        let pods = match source {
            Source::Budgets => {
                self.known.budget(update);
                return;
            }
            Source::Owners(kind) => {
                self.known.owner(kind, update);
                return;
            }
            Source::Pods => self.known.pod(update),
        };
        for key in pods {
            let Some(pod) = self.known.pods.get(&key) else {
                continue;
            };
            if let Some(since) = &pod.doomed_since {
                let end = seconds(since).map(|since| since.saturating_add(STALE_CONDITION));
                let wait = end.unwrap_or_default().saturating_sub(now_seconds());
                let wait = Duration::from_secs(u64::try_from(wait).unwrap_or_default());
                self.stale.add(key.clone(), Instant::now() + wait);
            }
            if let Some(chosen) = self.known.contended(&key, pod) {
                let (namespace, name) = &key;
                let message = format!(
                    "Pod \"{namespace}\"/\"{name}\" matches multiple PodDisruptionBudgets.  Chose \
                     \"{chosen}\" arbitrarily."
                );
                let about = about(namespace, pod);
                let reason = "MultiplePodDisruptionBudgets";
                self.recorder
                    .record(&about, Severity::Warning, reason, &message)
                    .await;
            }
        }
    }

    async fn sync_next(&mut self) {
        let Some((key, budget)) = self.known.next_due() else {
            return;
        };
        match self.sync(&key, budget).await {
            Ok(None) => {}
            Ok(Some(wait)) => self.again.add(key, Instant::now() + wait),
            Err(status) => {
                tracing::debug!(%status, budget = key.1, namespace = key.0, "will try again");
                self.again.add(key, Instant::now() + PAUSE);
            }
        }
    }

    /// Works a budget's status out and writes it if it is another one. Says when to look again.
    async fn sync(&mut self, key: &Key, budget: Value) -> Result<Option<Duration>, Status> {
        let namespace = key.0.as_str();
        let pods: Vec<CoveredPod> = self.known.covered(namespace, &budget);
        let pods: Vec<&CoveredPod> = pods.iter().collect();
        let mut scales = Scales::new();
        if disruption::is_relative(&budget) {
            for owner in pods.iter().filter_map(|pod| pod.owner.as_ref()) {
                if !scales.contains_key(owner) {
                    let scale = match self.known.scale(namespace, owner) {
                        Some(scale) => Ok(Some(scale)),
                        None => scale::ask(&*self.cluster, &self.resolve, namespace, owner).await,
                    };
                    scales.insert(owner.clone(), scale);
                }
            }
        }
        let (at, written) = (now_seconds(), now());
        let report = disruption::report(&budget, &pods, &scales, at, &written, seconds);
        if pods.is_empty() {
            let message = "No matching pods found";
            self.tell(&budget, Severity::Normal, "NoPods", message)
                .await;
        }
        let (status, again) = match report {
            Ok(report) => {
                if report.has_unmanaged {
                    let message = disruption::unmanaged(&budget);
                    let reason = "UnmanagedPods";
                    self.tell(&budget, Severity::Warning, reason, &message)
                        .await;
                }
                for pod in pods
                    .iter()
                    .filter(|pod| report.not_deleted.contains(&pod.name))
                {
                    // As upstream: the namespace stands where the budget's name was meant.
                    let message = format!(
                        "Pod was expected by PDB {namespace}/{namespace} to be deleted but it \
                         wasn't"
                    );
                    let about = about(namespace, pod);
                    self.tell(&about, Severity::Warning, "NotDeleted", &message)
                        .await;
                }
                (report.status, report.again)
            }
            Err(error) => {
                let reason = "CalculateExpectedPodCountFailed";
                let message = format!("Failed to calculate the number of expected pods: {error}");
                self.tell(&budget, Severity::Warning, reason, &message)
                    .await;
                (disruption::failed(&budget, &error, &written), None)
            }
        };
        let again = again.and_then(|time| u64::try_from(time.saturating_sub(at)).ok());
        let again = again.map(|wait| Duration::from_secs(wait.max(1)));
        if meta::at(&budget, &["status"]) == Some(&status) {
            return Ok(again);
        }
        let mut changed = budget;
        meta::set(&mut changed, &["status"], status);
        let resource = ResourceRef::new("policy", "v1", "poddisruptionbudgets/status");
        match self
            .cluster
            .update(&resource, Some(namespace), changed)
            .await
        {
            // Changed or gone meanwhile: its event is on the way.
            Err(status) if status.is_conflict() || status.is_not_found() => Ok(again),
            Err(status) => Err(status),
            Ok(_) => Ok(again),
        }
    }

    async fn tell(&mut self, about: &Value, severity: Severity, reason: &str, message: &str) {
        self.recorder.record(about, severity, reason, message).await;
    }

    /// Takes back a pod's word that it is about to go, if it still stands.
    async fn settle(&mut self, key: &Key) {
        let Some(pod) = self.known.pods.get(key) else {
            return;
        };
        let Some(since) = pod.doomed_since.as_deref() else {
            return;
        };
        let end = seconds(since).map(|since| since.saturating_add(STALE_CONDITION));
        let left = end.unwrap_or_default().saturating_sub(now_seconds());
        if let Ok(left @ 1..) = u64::try_from(left) {
            let later = Instant::now() + Duration::from_secs(left);
            self.stale.add(key.clone(), later);
            return;
        }
        let uid = pod.uid.clone();
        if let Err(status) = self.write_settled(key, &uid).await {
            tracing::debug!(%status, pod = key.1, namespace = key.0, "will try again");
            self.stale.add(key.clone(), Instant::now() + PAUSE);
        }
    }

    async fn write_settled(&self, (namespace, name): &Key, uid: &str) -> Result<(), Status> {
        let pods = ResourceRef::core("pods/status");
        let patch = serde_json::json!({
            "metadata": { "uid": uid },
            "status": { "conditions": [disruption::settled(&now())] },
        });
        let kind = cluster_api::PatchType::Strategic;
        match self
            .cluster
            .patch(&pods, Some(namespace), name, patch, kind)
            .await
        {
            Err(status) if status.is_conflict() || status.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }
}

/// As much of a pod as an event about it needs.
fn about(namespace: &str, pod: &CoveredPod) -> Value {
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": namespace, "name": pod.name, "uid": pod.uid },
    })
}

/// A time as the API writes it, in seconds since the epoch.
fn seconds(text: &str) -> Option<i64> {
    let time: Option<jiff::Timestamp> = text.parse().ok();
    time.map(jiff::Timestamp::as_second)
}

fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}
