//! Events replayed over a list equal a later list, whatever happened in between.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use cluster_api::{Change, DeleteOptions, PatchType, ResourceRef, Selection};
use common::{Cluster, config_map};
use futures::StreamExt;
use model::user::{MASTERS, UserInfo};
use model::{Value, meta};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Create(u8, u8),
    Label(u8, u8),
    Data(u8, u8),
    Delete(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..3u8).prop_map(|(n, l)| Step::Create(n, l)),
        (0..4u8, 0..3u8).prop_map(|(n, l)| Step::Label(n, l)),
        (0..4u8, 0..3u8).prop_map(|(n, d)| Step::Data(n, d)),
        (0..4u8).prop_map(Step::Delete),
    ]
}

type Objects = BTreeMap<String, Value>;

fn parse(bytes: &[u8]) -> (String, Value) {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    (meta::name(&value).to_owned(), value)
}

/// Applies a change as a client would; one that does not fit what the client knows is a fault.
fn replay(objects: &mut Objects, change: Change) {
    match change {
        Change::Added(bytes) => {
            let (name, value) = parse(&bytes);
            assert!(objects.insert(name, value).is_none());
        }
        Change::Modified(bytes) => {
            let (name, value) = parse(&bytes);
            assert!(objects.insert(name, value).is_some());
        }
        Change::Deleted(bytes) => {
            let (name, _) = parse(&bytes);
            assert!(objects.remove(&name).is_some());
        }
        Change::Bookmark(_) => {}
    }
}

async fn run(before: Vec<Step>, after: Vec<Step>, events: usize, labels: &str) {
    let server = Cluster::with(|config| config.history.events = events).await;
    let user = UserInfo::new("root", [MASTERS]);
    let cluster = server.handle.cluster(user, "test");
    let maps = ResourceRef::core("configmaps");
    let selection = Selection {
        labels: labels.to_owned(),
        fields: String::new(),
    };
    let carry_out = async |step: Step| {
        let name = |n: u8| format!("m{n}");
        let patch = async |n: u8, patch: Value| {
            let name = name(n);
            cluster
                .patch(&maps, Some("default"), &name, patch, PatchType::Merge)
                .await
        };
        // Steps that do not fit (a second create, a change of nothing) are refused; that is fine.
        let _ = match step {
            Step::Create(n, l) => {
                let map = config_map(&name(n), json!({"x": l.to_string()}), json!({}));
                cluster.create(&maps, Some("default"), None, map).await
            }
            Step::Label(n, l) => {
                patch(n, json!({"metadata": {"labels": {"x": l.to_string()}}})).await
            }
            Step::Data(n, d) => patch(n, json!({"data": {"d": d.to_string()}})).await,
            Step::Delete(n) => {
                let options = DeleteOptions::default();
                cluster
                    .delete(&maps, Some("default"), &name(n), options)
                    .await
                    .map(|()| Value::Null)
            }
        };
    };
    for step in before {
        carry_out(step).await;
    }
    let list = async || {
        let list = cluster.list(&maps, None, &selection).await.unwrap();
        let objects: Objects = list.items.iter().map(|i| parse(i)).collect();
        (objects, list.resource_version)
    };
    let (mut objects, from) = list().await;
    // One watch that is there all the time, one that comes late and reads it all up.
    let early = cluster.watch(&maps, None, &selection, &from).await.unwrap();
    for step in after {
        carry_out(step).await;
    }
    let last = config_map("zz", json!({"x": "1", "y": "1"}), json!({}));
    cluster
        .create(&maps, Some("default"), None, last)
        .await
        .unwrap();
    let late = cluster.watch(&maps, None, &selection, &from).await.unwrap();
    let (want, _) = list().await;
    let known = objects.clone();
    for (name, mut watch) in [("early", early), ("late", late)] {
        objects.clone_from(&known);
        while !objects.contains_key("zz") {
            match watch.next().await {
                Some(Ok(change)) => replay(&mut objects, change),
                // A watch that fell behind is cut off; its client lists again.
                None if events < 64 && name == "early" => return,
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(objects, want, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn events_over_a_list_are_a_later_list(
        before in prop::collection::vec(step(), 0..8),
        after in prop::collection::vec(step(), 0..24),
        events in prop_oneof![Just(3usize), Just(4096)],
        labels in prop_oneof![Just(""), Just("x=1"), Just("x!=0"), Just("x in (1,2)")],
    ) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(run(before, after, events, labels));
    }
}
