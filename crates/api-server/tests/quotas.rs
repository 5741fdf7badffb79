//! Quotas under concurrency: what is taken is written before the object is, so that no more is ever
//! let in than there is room for.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use admission::{Chain, ResourceQuota};
use common::{Cluster, config_map};
use futures::future::join_all;
use model::Value;
use serde_json::json;

const QUOTAS: &str = "/api/v1/namespaces/default/resourcequotas";
const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SERVICES: &str = "/api/v1/namespaces/default/services";

/// A cluster with a quota of which nothing is used.
async fn cluster(hard: Value) -> Cluster {
    let cluster = Cluster::with(|config| {
        config.admission = Chain::new(vec![Box::new(ResourceQuota::default())]);
    })
    .await;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": "q"}, "spec": {"hard": hard}});
    let mut quota = cluster.post(QUOTAS, quota).await.expect(201).json();
    let names = hard.as_object().unwrap().keys();
    let none: serde_json::Map<String, Value> = names.map(|n| (n.clone(), "0".into())).collect();
    quota["status"] = json!({"hard": hard, "used": none});
    let status = format!("{QUOTAS}/q/status");
    cluster.put(&status, quota).await.expect(200);
    cluster
}

async fn used(cluster: &Cluster) -> Value {
    let quota = cluster.get(&format!("{QUOTAS}/q")).await.expect(200);
    quota.json()["status"]["used"].clone()
}

#[tokio::test]
async fn concurrent_requests_share_what_there_is() {
    let cluster = cluster(json!({"configmaps": "5", "count/configmaps": "7"})).await;
    let creates = (0..20).map(|n| {
        let map = config_map(&format!("m{n}"), json!({}), json!({}));
        cluster.post(MAPS, map)
    });
    // Others change the quota meanwhile, so that its version is seldom the one that was looked at.
    let labels = async {
        for n in 0..20 {
            let patch = json!({"metadata": {"labels": {"n": n.to_string()}}});
            let path = format!("{QUOTAS}/q");
            let code = cluster.patch(&path, "merge-patch+json", patch).await.code;
            assert!([200, 409].contains(&code), "{code}");
        }
    };
    let (answers, ()) = futures::join!(join_all(creates), labels);
    let made = answers.iter().filter(|answer| answer.code == 201).count();
    assert_eq!(made, 5);
    for refused in answers.iter().filter(|answer| answer.code != 201) {
        assert_eq!(refused.code, 403);
        let message = refused.message();
        let want = "exceeded quota: q, requested: configmaps=1, used: configmaps=5, limited: \
                    configmaps=5";
        assert!(message.ends_with(want), "{message}");
    }
    assert_eq!(cluster.get(MAPS).await.names().len(), 5);
    let all = json!({"configmaps": "5", "count/configmaps": "5"});
    assert_eq!(used(&cluster).await, all);
}

#[tokio::test]
async fn what_is_not_stored_takes_nothing() {
    let cluster = cluster(json!({"configmaps": "2"})).await;
    let map = || config_map("m", json!({}), json!({}));
    let dry = format!("{MAPS}?dryRun=All");
    cluster.post(&dry, map()).await.expect(201);
    assert_eq!(used(&cluster).await["configmaps"], "0");
    cluster.post(MAPS, map()).await.expect(201);
    cluster.post(MAPS, map()).await.expect(409);
    assert_eq!(used(&cluster).await["configmaps"], "1");
    // There is no room for a dry run either, if there is none.
    let more = |name: &str| config_map(name, json!({}), json!({}));
    cluster.post(MAPS, more("n")).await.expect(201);
    cluster.post(&dry, more("o")).await.expect(403);
}

#[tokio::test]
async fn changes_take_what_they_add() {
    let cluster = cluster(json!({"services": "1", "services.nodeports": "2"})).await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"type": "NodePort", "ports": [{"name": "a", "port": 1}]}});
    cluster.post(SERVICES, service).await.expect(201);
    let ports = |count: usize| {
        let all: Vec<Value> = (1..=count)
            .map(|n| json!({"name": format!("p{n}"), "port": n}))
            .collect();
        json!([{"op": "replace", "path": "/spec/ports", "value": all}])
    };
    let one = format!("{SERVICES}/s");
    cluster
        .patch(&one, "json-patch+json", ports(2))
        .await
        .expect(200);
    assert_eq!(used(&cluster).await["services.nodeports"], "2");
    let refused = cluster
        .patch(&one, "json-patch+json", ports(3))
        .await
        .expect(403);
    assert!(
        refused
            .message()
            .contains("requested: services.nodeports=1")
    );
    cluster
        .patch(&one, "json-patch+json", ports(1))
        .await
        .expect(200);
    // That there is room again is for the controller to find out, as on upstream.
    assert_eq!(used(&cluster).await["services.nodeports"], "2");
}

#[tokio::test]
async fn what_comes_to_nothing_is_given_back() {
    let cluster = cluster(json!({"configmaps": "50"})).await;
    for round in 0..5 {
        let name = format!("m{round}");
        let creates = (0..8).map(|_| cluster.post(MAPS, config_map(&name, json!({}), json!({}))));
        let answers = join_all(creates).await;
        let codes: Vec<u16> = answers.iter().map(|answer| answer.code).collect();
        let count = |code: u16| codes.iter().filter(|c| **c == code).count();
        assert_eq!((count(201), count(409)), (1, 7), "{codes:?}");
        assert_eq!(used(&cluster).await["configmaps"], (round + 1).to_string());
    }
}

#[tokio::test]
async fn a_name_that_is_taken_needs_room_all_the_same() {
    let cluster = cluster(json!({"configmaps": "1"})).await;
    let map = || config_map("m", json!({}), json!({}));
    cluster.post(MAPS, map()).await.expect(201);
    let refused = cluster.post(MAPS, map()).await.expect(403);
    assert!(refused.message().contains("exceeded quota: q"));
}
