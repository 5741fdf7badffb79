//! The controllers of claims and volumes: the binder, the two that protect what is in use, and the
//! one that makes the claims of ephemeral volumes. They look at the same objects, so one loop
//! follows these; each writes under its own identity.

use crate::queue::Queue;
use crate::recorder::Recorder;
use crate::runtime::{follow_core, follow_resource, get, perform};
use bytes::Bytes;
use cluster_api::{Cluster, Head, ResourceRef, Selection, Update};
use futures::StreamExt;
use model::status::Status;
use model::{Value, meta};
use reconcile::Action;
use reconcile::volumes::{Key, Next, Outcome, PodUse, Storage};
use std::collections::BTreeSet;
use std::sync::Arc;

/// No object needs more writes in a row than this; one that asks for more waits its turn.
const MOST_WRITES: usize = 16;

/// The cluster as each of the controllers sees it.
pub(crate) struct Identities {
    pub(crate) binder: Arc<dyn Cluster>,
    pub(crate) claim_protection: Arc<dyn Cluster>,
    pub(crate) volume_protection: Arc<dyn Cluster>,
    pub(crate) ephemeral: Arc<dyn Cluster>,
}

/// What waits to be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Work {
    /// The binding of a claim.
    Claim(Key),
    /// The binding of a volume.
    Volume(String),
    /// The bindings of all claims that have no volume, as there may be one now.
    Unbound,
    /// What keeps a claim.
    ProtectClaim(Key),
    /// What keeps a volume.
    ProtectVolume(String),
    /// The ephemeral volumes of a pod.
    Ephemeral(Key),
}

/// The sources, of which everything must have been seen once before anything is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Claims,
    Volumes,
    Classes,
    Pods,
}

struct Loop {
    identities: Identities,
    storage: Storage,
    queue: Queue<Work>,
    listed: BTreeSet<Source>,
    binder: Recorder,
    ephemeral: Recorder,
}

/// Runs for ever. `reader` is what is followed through.
pub(crate) async fn run(reader: Arc<dyn Cluster>, identities: Identities) {
    let mut claims = Box::pin(follow_core(&reader, "persistentvolumeclaims", ""));
    let mut volumes = Box::pin(follow_core(&reader, "persistentvolumes", ""));
    let classes = ResourceRef::new("storage.k8s.io", "v1", "storageclasses");
    let mut classes = Box::pin(follow_resource(&reader, classes, ""));
    let mut pods = Box::pin(follow_core(&reader, "pods", ""));
    let mut this = Loop {
        binder: Recorder::new(
            Arc::clone(&identities.binder),
            "persistentvolume-controller",
        ),
        ephemeral: Recorder::new(Arc::clone(&identities.ephemeral), "ephemeral_volume"),
        identities,
        storage: Storage::default(),
        queue: Queue::default(),
        listed: BTreeSet::new(),
    };
    let queue = this.queue.clone();
    loop {
        let is_ready = this.listed.len() == 4;
        tokio::select! {
            biased;
            // Claims last but for pods: what they could have is known by then.
            Some(update) = classes.next() => this.observe(Source::Classes, update),
            Some(update) = volumes.next() => this.observe(Source::Volumes, update),
            Some(update) = claims.next() => this.observe(Source::Claims, update),
            Some(update) = pods.next() => this.observe(Source::Pods, update),
            work = queue.next(), if is_ready => match this.work(&work).await {
                Ok(()) => queue.forget(&work),
                Err(status) => {
                    tracing::debug!(%status, ?work, "will try again");
                    queue.retry(work);
                }
            },
        }
    }
}

fn key(object: &Value) -> Key {
    let namespace = meta::namespace(object).to_owned();
    (namespace, meta::name(object).to_owned())
}

fn parse(object: &Bytes) -> Option<Value> {
    serde_json::from_slice(object).ok()
}

/// Whether a pod may have claims, so that the many that have none are not read.
fn may_have_claims(pod: &Bytes) -> bool {
    let text = std::str::from_utf8(pod);
    text.is_ok_and(|text| {
        text.contains("\"persistentVolumeClaim\"") || text.contains("\"ephemeral\"")
    })
}

impl Loop {
    fn observe(&mut self, source: Source, update: Update) {
        match update {
            Update::Reset(items) => {
                let mut there = BTreeSet::new();
                for item in items {
                    there.extend(self.apply(source, &item));
                }
                for gone in self.known(source) {
                    if !there.contains(&gone) {
                        self.remove(source, &gone);
                    }
                }
                self.listed.insert(source);
            }
            Update::Applied(object) => drop(self.apply(source, &object)),
            Update::Deleted(object) => {
                if source == Source::Pods && !may_have_claims(&object) {
                    return;
                }
                if let Ok(head) = Head::parse(&object) {
                    self.remove(source, &(head.metadata.namespace, head.metadata.name));
                }
            }
            Update::Trouble(status) => tracing::warn!(%status, ?source, "cannot follow"),
        }
    }

    fn known(&self, source: Source) -> Vec<Key> {
        let global = |name: &String| (String::new(), name.clone());
        match source {
            Source::Claims => self.storage.claims().cloned().collect(),
            Source::Volumes => self.storage.volumes().map(global).collect(),
            Source::Classes => self.storage.classes().map(global).collect(),
            Source::Pods => self.storage.pods().cloned().collect(),
        }
    }

    fn apply(&mut self, source: Source, object: &Bytes) -> Option<Key> {
        if source == Source::Pods && !may_have_claims(object) {
            return None;
        }
        let object = parse(object)?;
        let key = key(&object);
        match source {
            Source::Claims => {
                let volume = meta::text(&object, &["spec", "volumeName"]);
                if !volume.is_empty() {
                    self.queue.add(Work::Volume(volume.to_owned()));
                }
                self.storage.set_claim(object);
                self.queue.add(Work::Claim(key.clone()));
                self.queue.add(Work::ProtectClaim(key.clone()));
            }
            Source::Volumes => {
                self.storage.set_volume(object);
                self.queue.add(Work::Volume(key.1.clone()));
                self.queue.add(Work::ProtectVolume(key.1.clone()));
                self.queue.add(Work::Unbound);
            }
            Source::Classes => {
                self.storage.set_class(&object);
                self.queue.add(Work::Unbound);
            }
            Source::Pods => self.pod(PodUse::of(&object)?),
        }
        Some(key)
    }

    fn pod(&mut self, pod: PodUse) {
        let before = self.storage.pod(&pod.key);
        // Another pod of the same name: the one that was is gone.
        let is_other = before.is_some_and(|before| before.uid != pod.uid);
        if is_other && let Some(before) = self.storage.remove_pod(&pod.key) {
            self.protect_claims_of(&before);
        }
        if pod.lets_go() {
            self.protect_claims_of(&pod);
        }
        for (claim, _) in &pod.claims {
            let claim = (pod.key.0.clone(), claim.clone());
            self.queue.add(Work::Claim(claim));
        }
        self.queue.add(Work::Ephemeral(pod.key.clone()));
        self.storage.set_pod(pod);
    }

    fn protect_claims_of(&self, pod: &PodUse) {
        for (claim, _) in &pod.claims {
            let claim = (pod.key.0.clone(), claim.clone());
            self.queue.add(Work::ProtectClaim(claim));
        }
    }

    fn remove(&mut self, source: Source, key: &Key) {
        match source {
            Source::Claims => {
                let volume = self.storage.remove_claim(key);
                if !volume.is_empty() {
                    self.queue.add(Work::Volume(volume));
                }
                // A claim that was made for a pod is made again.
                for pod in self.storage.makers(key) {
                    self.queue.add(Work::Ephemeral(pod));
                }
            }
            Source::Volumes => {
                if let Some(claim) = self.storage.remove_volume(&key.1) {
                    self.queue.add(Work::Claim(claim));
                }
            }
            Source::Classes => {
                self.storage.remove_class(&key.1);
                self.queue.add(Work::Unbound);
            }
            Source::Pods => {
                if let Some(pod) = self.storage.remove_pod(key) {
                    self.protect_claims_of(&pod);
                }
            }
        }
    }

    async fn work(&mut self, work: &Work) -> Result<(), Status> {
        if *work == Work::Unbound {
            for claim in self.storage.unbound() {
                self.queue.add(Work::Claim(claim.clone()));
            }
            return Ok(());
        }
        let mut is_gone = false;
        for _ in 0..MOST_WRITES {
            let outcome = self.decide(work, is_gone).await?;
            let is_written = match outcome.next {
                Next::Done => false,
                Next::Claim(claim) => {
                    self.queue.add(Work::Claim(claim));
                    false
                }
                Next::Confirm(claim) => {
                    self.look_up(&claim).await?;
                    is_gone = true;
                    continue;
                }
                Next::Write(action) => self.write(work, action).await?,
            };
            let recorder = match work {
                Work::Ephemeral(_) => &mut self.ephemeral,
                _ => &mut self.binder,
            };
            for note in outcome.notes {
                recorder.tell(note).await;
            }
            if !is_written {
                return Ok(());
            }
        }
        self.queue.add(work.clone());
        Ok(())
    }

    async fn decide(&self, work: &Work, is_gone: bool) -> Result<Outcome, Status> {
        Ok(match work {
            Work::Claim(key) => self.storage.claim(key),
            Work::Volume(name) => self.storage.volume(name, is_gone),
            Work::ProtectClaim(key) => {
                let pods = if self.storage.is_claim_to_go(key) {
                    self.pods_right_now(&key.0).await?
                } else {
                    Vec::new()
                };
                self.storage.protect_claim(key, &pods)
            }
            Work::ProtectVolume(name) => self.storage.protect_volume(name),
            Work::Ephemeral(key) => self.storage.ephemeral(key),
            Work::Unbound => Outcome {
                next: Next::Done,
                notes: Vec::new(),
            },
        })
    }

    /// Makes sure of what is known of a claim.
    async fn look_up(&mut self, key: &Key) -> Result<(), Status> {
        let (namespace, name) = key;
        let resource = "persistentvolumeclaims";
        let binder = self.identities.binder.as_ref();
        let found = get(binder, resource, Some(namespace), name).await?;
        if let Some(claim) = found {
            self.storage.set_claim(claim);
        }
        Ok(())
    }

    async fn pods_right_now(&self, namespace: &str) -> Result<Vec<PodUse>, Status> {
        let cluster = &self.identities.claim_protection;
        let pods = ResourceRef::core("pods");
        let all = Selection::default();
        let list = cluster.list(&pods, Some(namespace), &all).await?;
        let pods = list.items.iter().filter(|pod| may_have_claims(pod));
        Ok(pods.filter_map(|pod| PodUse::of(&parse(pod)?)).collect())
    }

    /// Carries a write out. Says whether what it made of the object is known now.
    async fn write(&mut self, work: &Work, action: Action) -> Result<bool, Status> {
        let cluster = match work {
            Work::Claim(_) | Work::Volume(_) | Work::Unbound => &self.identities.binder,
            Work::ProtectClaim(_) => &self.identities.claim_protection,
            Work::ProtectVolume(_) => &self.identities.volume_protection,
            Work::Ephemeral(_) => &self.identities.ephemeral,
        };
        let written = match perform(cluster.as_ref(), action).await {
            Ok(written) => written,
            // Changed or gone meanwhile: its event is on the way.
            Err(status) if status.is_conflict() || status.is_not_found() => None,
            Err(status) => return Err(status),
        };
        let Some(object) = written else {
            return Ok(false);
        };
        match meta::text(&object, &["kind"]) {
            "PersistentVolumeClaim" => self.storage.set_claim(object),
            "PersistentVolume" => self.storage.set_volume(object),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
