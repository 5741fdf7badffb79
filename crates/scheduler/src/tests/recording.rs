//! Events and their series.

use super::FakeCluster;
use crate::events::{Events, Happening, recorder, reference};
use cluster_api::Cluster;
use model::meta;
use std::sync::Arc;
use std::time::Duration;

fn begin() -> (Arc<FakeCluster>, Events) {
    let cluster = Arc::new(FakeCluster::default());
    let shared: Arc<dyn Cluster> = cluster.clone();
    let (events, run) = recorder(shared, "here");
    tokio::spawn(run);
    (cluster, events)
}

fn failed(name: &str, revision: &str, note: &str) -> Happening {
    let mut pod = super::pod(name, "1", 0);
    meta::set(&mut pod, &["metadata", "resourceVersion"], revision);
    Happening {
        regarding: reference(&pod),
        related: None,
        severity: "Warning",
        reason: "FailedScheduling",
        action: "Scheduling",
        note: note.to_owned(),
    }
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn what_happens_again_is_counted() {
    let (cluster, events) = begin();
    for note in ["first", "second", "third", "fourth"] {
        events.tell(failed("p", "7", note));
        after(1).await;
    }
    let all = cluster.events();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["note"], "first");
    assert_eq!(
        all[0]["series"]["count"], 2,
        "only the begin of a series is written at once"
    );
    // When it has ended, it is written how often it happened.
    after(13 * 60).await;
    assert_eq!(cluster.events()[0]["series"]["count"], 4);
    // Later it is another event.
    events.tell(failed("p", "7", "later"));
    after(1).await;
    assert_eq!(cluster.events().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_series_is_kept_alive() {
    let (cluster, events) = begin();
    for _ in 0..32 {
        events.tell(failed("p", "7", "why"));
        after(60).await;
    }
    let count = cluster.events()[0]["series"]["count"].as_u64().unwrap();
    assert!(count > 20, "{count}");
}

#[tokio::test(start_paused = true)]
async fn another_version_of_the_pod_is_another_event() {
    let (cluster, events) = begin();
    events.tell(failed("p", "7", "why"));
    events.tell(failed("p", "8", "why"));
    events.tell(failed("q", "7", "why"));
    after(1).await;
    assert_eq!(cluster.events().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_series_whose_event_is_gone_is_written_whole() {
    let (cluster, events) = begin();
    events.tell(failed("p", "7", "why"));
    after(1).await;
    let name = meta::name(&cluster.events()[0]).to_owned();
    cluster.remove("events", &name);
    events.tell(failed("p", "7", "why"));
    after(1).await;
    let all = cluster.events();
    assert_eq!(meta::name(&all[0]), name);
    assert_eq!(all[0]["series"]["count"], 2);
    assert_eq!(all[0]["note"], "why");
}

#[tokio::test(start_paused = true)]
async fn long_texts_and_names_are_cut() {
    let (cluster, events) = begin();
    let name = "p".repeat(253);
    events.tell(failed(&name, "7", &"ä".repeat(600)));
    after(1).await;
    let all = cluster.events();
    let note = all[0]["note"].as_str().unwrap();
    assert!(note.len() <= 1024 && note.ends_with("ä ..."), "{note}");
    assert!(meta::name(&all[0]).len() <= 253);
}
