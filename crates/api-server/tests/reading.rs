//! get, list and watch over TLS.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Cluster, config_map};
use serde_json::json;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn created_objects_can_be_read() {
    let cluster = Cluster::start().await;
    let created = cluster
        .post(MAPS, config_map("a", json!({"x": "1"}), json!({"k": "v"})))
        .await
        .expect(201)
        .json();
    assert!(created["metadata"]["uid"].as_str().unwrap().len() == 36);
    assert_eq!(created["metadata"]["namespace"], "default");
    let read = cluster.get(&format!("{MAPS}/a")).await.expect(200).json();
    assert_eq!(read, created);
    cluster
        .post(MAPS, config_map("b", json!({"x": "2"}), json!({})))
        .await
        .expect(201);
    let list = cluster.get(MAPS).await.expect(200);
    assert_eq!(list.names(), ["a", "b"]);
    assert_eq!(list.json()["kind"], "ConfigMapList");
    assert_eq!(list.json()["items"][0], created);
    for (query, want) in [
        ("labelSelector=x%3D2", vec!["b"]),
        ("labelSelector=x", vec!["a", "b"]),
        ("fieldSelector=metadata.name%3Da", vec!["a"]),
        ("fieldSelector=metadata.name!%3Da", vec!["b"]),
        ("fieldSelector=metadata.namespace%3Ddefault", vec!["a", "b"]),
    ] {
        let got = cluster.get(&format!("{MAPS}?{query}")).await.names();
        assert_eq!(got, want, "{query}");
    }
    let answer = cluster.get(&format!("{MAPS}?fieldSelector=data%3Da")).await;
    assert_eq!(answer.code, 400);
    assert!(answer.message().contains("data"), "{}", answer.message());
    let all = cluster.get("/api/v1/configmaps").await.names();
    assert_eq!(all, ["a", "b"]);
    cluster.get(&format!("{MAPS}/a%2Fb")).await.expect(400);
    cluster
        .get("/api/v1/namespaces/..%2Fkube-system/configmaps")
        .await
        .expect(400);
    let gone = cluster.get(&format!("{MAPS}/c")).await.expect(404);
    assert_eq!(gone.message(), "configmaps \"c\" not found");
    let twice = cluster
        .post(MAPS, config_map("a", json!({}), json!({})))
        .await
        .expect(409);
    assert_eq!(twice.message(), "configmaps \"a\" already exists");
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let cluster = Cluster::start().await;
    let send = |token: &'static str, path: &'static str| {
        let header = format!("Bearer {token}");
        let cluster = &cluster;
        async move {
            let headers = [("authorization", header.as_str())];
            let headers = if token.is_empty() {
                &[][..]
            } else {
                &headers[..]
            };
            cluster.send("GET", path, headers, "").await
        }
    };
    assert_eq!(send("bad", MAPS).await.code, 401);
    let anonymous = send("", MAPS).await.expect(403);
    assert_eq!(
        anonymous.message(),
        "configmaps is forbidden: User \"system:anonymous\" cannot list resource \"configmaps\" \
         in API group \"\" in the namespace \"default\""
    );
    send("", "/version").await.expect(200);
    send("jane", "/api/v1/namespaces/default/pods")
        .await
        .expect(200);
    send("jane", "/api/v1/namespaces/other/pods")
        .await
        .expect(403);
    let path = send("jane", "/foo").await.expect(403);
    assert_eq!(
        path.message(),
        "forbidden: User \"jane\" cannot get path \"/foo\""
    );
}

#[tokio::test]
async fn watches_tell_of_changes() {
    let cluster = Cluster::start().await;
    cluster
        .post(MAPS, config_map("a", json!({"x": "1"}), json!({})))
        .await
        .expect(201);
    let list = cluster.get(MAPS).await;
    let from = list.revision();
    let mut all = cluster
        .watch(&format!("{MAPS}?watch=true&resourceVersion={from}"))
        .await;
    let mut now = cluster.watch(&format!("{MAPS}?watch=true")).await;
    let mut one = cluster
        .watch(&format!(
            "{MAPS}?watch=true&fieldSelector=metadata.name%3Db"
        ))
        .await;
    let mut old = cluster
        .watch("/api/v1/watch/namespaces/default/configmaps")
        .await;
    assert_eq!(now.brief().await, "ADDED a");
    assert_eq!(old.brief().await, "ADDED a");
    cluster
        .post(MAPS, config_map("b", json!({}), json!({})))
        .await
        .expect(201);
    for watch in [&mut all, &mut now, &mut one, &mut old] {
        assert_eq!(watch.brief().await, "ADDED b");
    }
}

#[tokio::test]
async fn watches_end_when_the_server_stops() {
    let cluster = Cluster::start().await;
    let mut watch = cluster.watch(&format!("{MAPS}?watch=true")).await;
    cluster.handle.shutdown().await;
    assert_eq!(watch.brief().await, "END");
}
