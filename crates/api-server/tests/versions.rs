//! What `resourceVersion`, `resourceVersionMatch`, `limit` and `continue` mean, and what watches
//! say from where.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Cluster, config_map};
use serde_json::json;
use storage_api::Store;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn with_maps(names: &[&str]) -> Cluster {
    let cluster = Cluster::start().await;
    for name in names {
        cluster
            .post(MAPS, config_map(name, json!({}), json!({})))
            .await
            .expect(201);
    }
    cluster
}

#[tokio::test]
async fn every_meaning_of_a_resource_version() {
    let cluster = with_maps(&["a", "b"]).await;
    let then = cluster.get(MAPS).await.revision();
    cluster.delete(&format!("{MAPS}/a")).await.expect(200);
    cluster
        .post(MAPS, config_map("c", json!({}), json!({})))
        .await
        .expect(201);
    let now: u64 = cluster.get(MAPS).await.revision().parse().unwrap();
    let future = now + 100;
    for (query, code, want) in [
        (String::new(), 200, vec!["b", "c"]),
        ("resourceVersion=0".to_owned(), 200, vec!["b", "c"]),
        (format!("resourceVersion={then}"), 200, vec!["b", "c"]),
        (
            format!("resourceVersion={then}&resourceVersionMatch=NotOlderThan"),
            200,
            vec!["b", "c"],
        ),
        (
            format!("resourceVersion={then}&resourceVersionMatch=Exact"),
            200,
            vec!["a", "b"],
        ),
        // With a limit and nothing else, a version always meant exactly that one.
        (
            format!("resourceVersion={then}&limit=9"),
            200,
            vec!["a", "b"],
        ),
        (
            format!("resourceVersion={then}&resourceVersionMatch=Exact&limit=1"),
            200,
            vec!["a"],
        ),
        (
            format!(
                "resourceVersion={then}&resourceVersionMatch=Exact&fieldSelector=metadata.name!%3Da"
            ),
            200,
            vec!["b"],
        ),
        ("resourceVersion=0&limit=1".to_owned(), 200, vec!["b", "c"]),
        ("limit=1".to_owned(), 200, vec!["b"]),
        (format!("resourceVersion={future}"), 504, vec![]),
        (
            format!("resourceVersion={future}&resourceVersionMatch=Exact"),
            504,
            vec![],
        ),
        ("resourceVersion=abc".to_owned(), 400, vec![]),
        ("resourceVersionMatch=Exact".to_owned(), 422, vec![]),
    ] {
        let answer = cluster.get(&format!("{MAPS}?{query}")).await;
        assert_eq!(answer.code, code, "{query}");
        if code == 200 {
            assert_eq!(answer.names(), want, "{query}");
        }
    }
    let exact = format!("{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact");
    assert_eq!(cluster.get(&exact).await.revision(), then);
    let early = cluster
        .get(&format!("{MAPS}/b?resourceVersion={future}"))
        .await
        .expect(504);
    assert_eq!(
        early.message(),
        format!("Timeout: Too large resource version: {future}, current: {now}")
    );
    let details = early.json()["details"].clone();
    assert_eq!(details["retryAfterSeconds"], 1);
    assert_eq!(details["causes"][0]["reason"], "ResourceVersionTooLarge");
    assert_eq!(early.headers["retry-after"], "1");
    for version in ["", "0", &then] {
        let path = format!("{MAPS}/b?resourceVersion={version}");
        cluster.get(&path).await.expect(200);
    }
    // What was compacted is gone.
    cluster.store.compact(now).await.unwrap();
    let gone = cluster.get(&exact).await.expect(410);
    assert_eq!(gone.json()["reason"], "Expired");
}

#[tokio::test]
async fn pages_show_one_state() {
    let cluster = with_maps(&["a", "b", "c", "d", "e"]).await;
    let first = cluster.get(&format!("{MAPS}?limit=2")).await;
    assert_eq!(first.names(), ["a", "b"]);
    let meta = first.json()["metadata"].clone();
    assert_eq!(meta["remainingItemCount"], 3);
    let token = meta["continue"].as_str().unwrap().to_owned();
    // Changes between pages do not show.
    cluster.delete(&format!("{MAPS}/c")).await.expect(200);
    cluster
        .post(MAPS, config_map("ca", json!({}), json!({})))
        .await
        .expect(201);
    let second = cluster
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await;
    assert_eq!(second.names(), ["c", "d"]);
    assert_eq!(second.revision(), first.revision());
    assert_eq!(second.json()["metadata"]["remainingItemCount"], 1);
    let next = second.json()["metadata"]["continue"]
        .as_str()
        .unwrap()
        .to_owned();
    let third = cluster
        .get(&format!("{MAPS}?limit=2&continue={next}"))
        .await;
    assert_eq!(third.names(), ["e"]);
    assert!(third.json()["metadata"]["continue"].is_null());
    for (query, code) in [
        (format!("continue={token}&resourceVersion=5"), 400),
        ("continue=nonsense".to_owned(), 400),
        (
            format!("continue={token}&resourceVersion=1&resourceVersionMatch=Exact"),
            422,
        ),
    ] {
        let answer = cluster.get(&format!("{MAPS}?{query}")).await;
        assert_eq!(answer.code, code, "{query}");
    }
    // Once the state is compacted, the client is offered to go on with the present one.
    let now = cluster.get(MAPS).await.revision();
    cluster.store.compact(now.parse().unwrap()).await.unwrap();
    let gone = cluster
        .get(&format!("{MAPS}?limit=2&continue={token}"))
        .await
        .expect(410);
    assert!(
        gone.message()
            .starts_with("The provided continue parameter is too old")
    );
    let rest = gone.json()["metadata"]["continue"]
        .as_str()
        .unwrap()
        .to_owned();
    let inconsistent = cluster
        .get(&format!("{MAPS}?limit=9&continue={rest}"))
        .await;
    assert_eq!(inconsistent.names(), ["ca", "d", "e"]);
}

#[tokio::test]
async fn watches_start_where_they_are_told_to() {
    let cluster = with_maps(&["a", "b"]).await;
    let then = cluster.get(MAPS).await.revision();
    cluster.delete(&format!("{MAPS}/a")).await.expect(200);
    let now = cluster.get(MAPS).await.revision();
    let not_older = "resourceVersionMatch=NotOlderThan";
    for (query, want) in [
        (String::new(), vec!["ADDED b", "ADDED z"]),
        ("resourceVersion=0".to_owned(), vec!["ADDED b", "ADDED z"]),
        (
            format!("resourceVersion={then}"),
            vec!["DELETED a", "ADDED z"],
        ),
        (format!("resourceVersion={now}"), vec!["ADDED z"]),
        (
            format!("sendInitialEvents=true&{not_older}&allowWatchBookmarks=true"),
            vec!["ADDED b", "BOOKMARK ", "ADDED z"],
        ),
        (
            format!(
                "sendInitialEvents=true&{not_older}&allowWatchBookmarks=true&resourceVersion={then}"
            ),
            vec!["ADDED b", "BOOKMARK ", "ADDED z"],
        ),
        (
            format!("sendInitialEvents=false&{not_older}"),
            vec!["ADDED z"],
        ),
    ] {
        let mut watch = cluster.watch(&format!("{MAPS}?watch=true&{query}")).await;
        let map = config_map("z", json!({}), json!({}));
        cluster.post(MAPS, map).await.expect(201);
        for event in want {
            assert_eq!(watch.brief().await, event, "{query}");
        }
        cluster.delete(&format!("{MAPS}/z")).await.expect(200);
        assert_eq!(watch.brief().await, "DELETED z", "{query}");
    }
    let mut bookmarked = cluster
        .watch(&format!(
            "{MAPS}?watch=true&sendInitialEvents=true&{not_older}&allowWatchBookmarks=true"
        ))
        .await;
    bookmarked.next().await.unwrap();
    let (kind, object) = bookmarked.next().await.unwrap();
    assert_eq!(kind, "BOOKMARK");
    assert_eq!(
        object["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    assert!(object["metadata"]["resourceVersion"].is_string());
}

#[tokio::test]
async fn watches_from_before_the_history_are_told_so() {
    let cluster = Cluster::with(|config| {
        config.history.events = 1;
    })
    .await;
    for name in ["a", "b", "c"] {
        cluster
            .post(MAPS, config_map(name, json!({}), json!({})))
            .await
            .expect(201);
    }
    // Beyond the server's own history the store's is asked.
    let first = cluster.get(&format!("{MAPS}/a")).await.revision();
    let path = format!("{MAPS}?watch=true&resourceVersion={first}");
    let mut watch = cluster.watch(&path).await;
    assert_eq!(watch.brief().await, "ADDED b");
    assert_eq!(watch.brief().await, "ADDED c");
    let map = config_map("d", json!({}), json!({}));
    cluster.post(MAPS, map).await.expect(201);
    assert_eq!(watch.brief().await, "ADDED d");
    let now = cluster.get(MAPS).await.revision();
    cluster.store.compact(now.parse().unwrap()).await.unwrap();
    let mut late = cluster.watch(&path).await;
    let (kind, status) = late.next().await.unwrap();
    assert_eq!((kind.as_str(), &status["code"]), ("ERROR", &json!(410)));
    assert_eq!(status["reason"], "Expired");
    assert_eq!(late.brief().await, "END");
}

#[tokio::test]
async fn objects_enter_and_leave_a_selection() {
    let cluster = Cluster::start().await;
    let query = "watch=true&labelSelector=x%3D1";
    let mut watch = cluster.watch(&format!("{MAPS}?{query}")).await;
    let path = format!("{MAPS}/a");
    let label = |value: &str| json!({"metadata": {"labels": {"x": value}}});
    cluster
        .post(MAPS, config_map("a", json!({"x": "2"}), json!({})))
        .await
        .expect(201);
    let entered = cluster
        .patch(&path, "merge-patch+json", label("1"))
        .await
        .expect(200);
    let (kind, object) = watch.next().await.unwrap();
    assert_eq!(kind, "ADDED");
    assert_eq!(object, entered.json());
    let more = json!({"data": {"k": "v"}});
    cluster
        .patch(&path, "merge-patch+json", more)
        .await
        .expect(200);
    assert_eq!(watch.brief().await, "MODIFIED a");
    let left = cluster
        .patch(&path, "merge-patch+json", label("3"))
        .await
        .expect(200);
    let (kind, object) = watch.next().await.unwrap();
    assert_eq!(kind, "DELETED");
    // The object as it was when it was last selected, at the version of the change.
    assert_eq!(object["metadata"]["labels"]["x"], "1");
    assert_eq!(object["metadata"]["resourceVersion"], left.revision());
    cluster.delete(&path).await.expect(200);
    cluster
        .post(MAPS, config_map("b", json!({"x": "1"}), json!({})))
        .await
        .expect(201);
    assert_eq!(watch.brief().await, "ADDED b");
}

#[tokio::test]
async fn watches_end_after_their_time() {
    let cluster = with_maps(&[]).await;
    let mut watch = cluster
        .watch(&format!("{MAPS}?watch=true&timeoutSeconds=1"))
        .await;
    assert_eq!(watch.brief().await, "END");
    let mut bookmarked = cluster
        .watch(&format!(
            "{MAPS}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true"
        ))
        .await;
    assert_eq!(bookmarked.brief().await, "BOOKMARK ");
    assert_eq!(bookmarked.brief().await, "END");
}
