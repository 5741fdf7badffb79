//! Nothing acknowledged is lost, and no watch has a gap or a duplicate, however often the process
//! is killed.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::mpsc;
use support::Cluster;

const KILLS: usize = 100;
const WRITERS: usize = 6;
const NAMES: u64 = 3;
const NAMESPACE: &str = "crash";

/// What happened to one object.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Added(String),
    Modified(String),
    Deleted,
}

impl Change {
    /// The value that the object has after it.
    fn value(&self) -> Option<&String> {
        match self {
            Self::Added(value) | Self::Modified(value) => Some(value),
            Self::Deleted => None,
        }
    }
}

/// Marsaglia's xorshift; the order of the writes need not be good, only varied and the same in
/// every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// One client that writes objects of its own, one after the other.
struct Writer {
    id: usize,
    random: Random,
    written: u64,
    /// What happened for certain, by object, with the version if the answer told it.
    log: BTreeMap<String, Vec<(Change, Option<u64>)>>,
    /// The write that the kill left without an answer.
    uncertain: Option<(String, Change)>,
}

impl Writer {
    fn new(id: usize) -> Self {
        Self {
            id,
            random: Random(0x9e37_79b9_7f4a_7c15 ^ (id as u64 + 1)),
            written: 0,
            log: BTreeMap::new(),
            uncertain: None,
        }
    }

    fn value(&self, name: &str) -> Option<&String> {
        self.log.get(name)?.last()?.0.value()
    }

    fn note(&mut self, name: String, change: Change, version: Option<u64>) {
        self.log.entry(name).or_default().push((change, version));
    }

    fn choose(&mut self) -> (String, Change) {
        let name = format!("writer-{}-{}", self.id, self.random.below(NAMES));
        let value = format!("value {}", self.written);
        self.written += 1;
        let deletes = self.random.below(3) == 0;
        let change = match self.value(&name) {
            None => Change::Added(value),
            Some(_) if deletes => Change::Deleted,
            Some(_) => Change::Modified(value),
        };
        (name, change)
    }

    /// Writes until the server is gone. Every acknowledged write is told to `acknowledged`.
    async fn write(mut self, api: Api<ConfigMap>, acknowledged: mpsc::Sender<()>) -> Self {
        loop {
            let (name, change) = self.choose();
            let answer = match &change {
                Change::Added(value) => api
                    .create(&PostParams::default(), &configmap(&name, value))
                    .await
                    .map(|object| Some(version(&object))),
                // Half of the changes are patches, half replace the object.
                Change::Modified(value) if self.written.is_multiple_of(2) => {
                    let patch = Patch::Merge(json!({"data": {"value": value}}));
                    api.patch(&name, &PatchParams::default(), &patch)
                        .await
                        .map(|object| Some(version(&object)))
                }
                Change::Modified(value) => api
                    .replace(&name, &PostParams::default(), &configmap(&name, value))
                    .await
                    .map(|object| Some(version(&object))),
                Change::Deleted => api
                    .delete(&name, &DeleteParams::default())
                    .await
                    .map(|_| None),
            };
            match answer {
                Ok(version) => {
                    self.note(name, change, version);
                    let _ = acknowledged.send(());
                }
                Err(kube::Error::Api(status)) => panic!("{name} {change:?}: {status:?}"),
                Err(_) => {
                    self.uncertain = Some((name, change));
                    return self;
                }
            }
        }
    }

    /// Holds what is stored against what was acknowledged; a write without an answer may or may
    /// not have happened, and what is stored tells which.
    fn compare(&mut self, stored: &BTreeMap<String, (String, u64)>) {
        if let Some((name, change)) = self.uncertain.take() {
            let found = stored.get(&name).map(|(value, _)| value);
            let version = stored.get(&name).map(|(_, version)| *version);
            if found == change.value() {
                self.note(name, change, version);
            }
        }
        let prefix = format!("writer-{}-", self.id);
        for (name, log) in &self.log {
            let (change, version) = log.last().expect("a log has entries");
            let found = stored.get(name);
            assert_eq!(found.map(|(value, _)| value), change.value(), "{name}");
            if let (Some((_, found)), Some(version)) = (found, version) {
                assert_eq!(found, version, "version of {name}");
            }
        }
        for name in stored.keys().filter(|name| name.starts_with(&prefix)) {
            assert!(self.log.contains_key(name), "{name} was never written");
        }
    }
}

fn configmap(name: &str, value: &str) -> ConfigMap {
    let object = json!({"metadata": {"name": name}, "data": {"value": value}});
    serde_json::from_value(object).expect("a configmap")
}

fn version(object: &ConfigMap) -> u64 {
    let version = object.resource_version().expect("a version");
    version.parse().expect("a number")
}

fn value(object: &ConfigMap) -> String {
    object.data.clone().unwrap_or_default()["value"].clone()
}

/// A client that does not try again by itself, since it would hide what was acknowledged.
async fn client(cluster: &Cluster) -> Client {
    let file = Kubeconfig::read_from(cluster.kubeconfig()).expect("a kubeconfig");
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .expect("a usable kubeconfig");
    config.default_retry = false;
    Client::try_from(config).expect("a client")
}

/// The writers' objects as they are stored.
async fn stored(api: &Api<ConfigMap>) -> BTreeMap<String, (String, u64)> {
    let list = api.list(&ListParams::default()).await.expect("a list");
    list.iter()
        .filter(|object| object.name_any().starts_with("writer-"))
        .map(|object| (object.name_any(), (value(object), version(object))))
        .collect()
}

/// What one watch after the other has seen.
struct Watched {
    last: u64,
    events: Vec<(String, Change, u64)>,
}

impl Watched {
    /// Follows `watch` until it ends or `until` is created.
    async fn follow(
        mut self,
        watch: impl Stream<Item = kube::Result<WatchEvent<ConfigMap>>>,
        until: Option<&str>,
    ) -> Self {
        let mut watch = std::pin::pin!(watch);
        while let Some(Ok(event)) = watch.next().await {
            let (object, change) = match event {
                WatchEvent::Added(object) => (object, Change::Added as fn(String) -> Change),
                WatchEvent::Modified(object) => (object, Change::Modified as _),
                WatchEvent::Deleted(object) => (object, (|_| Change::Deleted) as _),
                WatchEvent::Bookmark(bookmark) => {
                    let version = bookmark.metadata.resource_version;
                    let version: u64 = version.parse().expect("a number");
                    assert!(version >= self.last, "{version} after {}", self.last);
                    self.last = version;
                    continue;
                }
                WatchEvent::Error(status) => panic!("after {}: {status:?}", self.last),
            };
            let version = version(&object);
            let name = object.name_any();
            assert!(version > self.last, "{name} {version} after {}", self.last);
            self.last = version;
            if until == Some(name.as_str()) {
                return self;
            }
            if name.starts_with("writer-") {
                self.events.push((name, change(value(&object)), version));
            }
        }
        assert!(until.is_none(), "the last watch ended at {}", self.last);
        self
    }

    /// Holds the events against the logs: the same changes, in the same order, at the same
    /// versions.
    fn compare(self, writers: &[Writer]) {
        let mut events: BTreeMap<String, Vec<(Change, u64)>> = BTreeMap::new();
        for (name, change, version) in self.events {
            events.entry(name).or_default().push((change, version));
        }
        let logs: BTreeMap<&String, &Vec<(Change, Option<u64>)>> =
            writers.iter().flat_map(|writer| &writer.log).collect();
        assert!(events.keys().eq(logs.keys().copied()), "other objects");
        for (name, log) in logs {
            let seen = &events[name];
            let changes = |(change, _): &(Change, u64)| change.clone();
            let seen_changes: Vec<Change> = seen.iter().map(changes).collect();
            let written: Vec<Change> = log.iter().map(|(change, _)| change.clone()).collect();
            assert_eq!(seen_changes, written, "{name}");
            for ((change, seen), (_, told)) in seen.iter().zip(log) {
                assert!(told.is_none_or(|told| told == *seen), "{name} {change:?}");
            }
        }
    }
}

#[test]
fn a_hundred_kills_lose_nothing_and_no_watch_has_a_gap() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut cluster = Cluster::start();
    let mut writers: Vec<Writer> = (0..WRITERS).map(Writer::new).collect();
    let mut random = Random(88_172_645_463_325_252);
    let mut watched = runtime.block_on(async {
        let client = client(&cluster).await;
        let namespace =
            serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &namespace)
            .await
            .expect("a new namespace");
        let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
        let list = api.list(&ListParams::default()).await.expect("a list");
        let version = list.metadata.resource_version.expect("a version");
        Watched {
            last: version.parse().expect("a number"),
            events: Vec::new(),
        }
    });
    let parameters = WatchParams::default();
    for kill in 0..KILLS {
        let (sender, acknowledged) = mpsc::channel();
        let (watching, writing) = runtime.block_on(async {
            let api: Api<ConfigMap> = Api::namespaced(client(&cluster).await, NAMESPACE);
            let stored = stored(&api).await;
            for writer in &mut writers {
                writer.compare(&stored);
            }
            let watch = api
                .watch(&parameters, &watched.last.to_string())
                .await
                .unwrap_or_else(|error| panic!("watch {kill} from {}: {error}", watched.last));
            let watching = tokio::spawn(watched.follow(watch, None));
            let writing: Vec<_> = writers
                .drain(..)
                .map(|writer| tokio::spawn(writer.write(api.clone(), sender.clone())))
                .collect();
            (watching, writing)
        });
        drop(sender);
        for _ in 0..=random.below(40) {
            acknowledged
                .recv()
                .expect("the writers write while the server runs");
        }
        cluster = cluster.kill_and_restart();
        watched = runtime.block_on(async {
            for writer in writing {
                writers.push(writer.await.expect("a writer ends well"));
            }
            watching.await.expect("the watch ends well")
        });
    }
    runtime.block_on(async {
        let api: Api<ConfigMap> = Api::namespaced(client(&cluster).await, NAMESPACE);
        let stored = stored(&api).await;
        for writer in &mut writers {
            writer.compare(&stored);
        }
        let watch = api
            .watch(&parameters, &watched.last.to_string())
            .await
            .expect("the last watch");
        api.create(&PostParams::default(), &configmap("the-end", ""))
            .await
            .expect("the last write");
        watched
            .follow(watch, Some("the-end"))
            .await
            .compare(&writers);
    });
    let acknowledged: usize = writers
        .iter()
        .flat_map(|w| w.log.values())
        .map(Vec::len)
        .sum();
    assert!(acknowledged >= KILLS, "only {acknowledged} writes");
}
