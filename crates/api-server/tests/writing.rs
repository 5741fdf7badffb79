//! create, update, patch, delete over TLS.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use common::{Cluster, config_map};
use model::Value;
use serde_json::json;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const PODS: &str = "/api/v1/namespaces/default/pods";

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    })
}

#[tokio::test]
async fn bodies_are_checked_as_upstream_words_it() {
    let cluster = Cluster::start().await;
    let map = config_map("a", json!({}), json!({}));
    for (path, body, code, want) in [
        (MAPS, "{".to_owned(), 400, "must be of type ConfigMap"),
        (MAPS, "[]".to_owned(), 400, "must be of type ConfigMap"),
        (MAPS, String::new(), 400, "must be of type ConfigMap"),
        (
            MAPS,
            pod("x").to_string(),
            400,
            "Pod in version \"v1\" cannot be handled as a ConfigMap",
        ),
        (
            MAPS,
            json!({"kind": "ConfigMap", "apiVersion": "apps/v1"}).to_string(),
            400,
            "no kind \"ConfigMap\" is registered for version \"apps/v1\"",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "a", "namespace": "other"}}).to_string(),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "a"}, "data": {"k": 1}}).to_string(),
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: json: cannot unmarshal",
        ),
        (
            MAPS,
            json!({"metadata": {"name": "A_"}}).to_string(),
            422,
            "Invalid value: \"A_\"",
        ),
        (
            MAPS,
            json!({"data": {}}).to_string(),
            422,
            "name or generateName is required",
        ),
        (
            "/api/v1/namespaces/default/configmaps?fieldValidation=Strict",
            json!({"metadata": {"name": "a"}, "foo": 1}).to_string(),
            400,
            "ConfigMap in version \"v1\" cannot be handled as a ConfigMap: strict decoding error: \
             unknown field \"foo\"",
        ),
        (
            "/api/v1/namespaces/default/configmaps?fieldValidation=Maybe",
            map.to_string(),
            422,
            "fieldValidation: Unsupported value: \"Maybe\"",
        ),
        (
            "/api/v1/namespaces/default/configmaps?dryRun=Some",
            map.to_string(),
            422,
            "dryRun: Unsupported value",
        ),
        (
            "/api/v1/configmaps",
            map.to_string(),
            405,
            "does not allow this method",
        ),
        (
            "/api/v1/nowhere",
            map.to_string(),
            404,
            "could not find the requested resource",
        ),
    ] {
        let headers = [("authorization", "Bearer root")];
        let answer = cluster.send("POST", path, &headers, body.clone()).await;
        assert_eq!(answer.code, code, "{body}: {}", answer.message());
        assert!(
            answer.message().contains(want),
            "{body}: {}",
            answer.message()
        );
    }
    let warned = cluster
        .post(MAPS, json!({"metadata": {"name": "a"}, "foo": 1}))
        .await
        .expect(201);
    assert_eq!(
        warned.headers["warning"],
        "299 - \"unknown field \\\"foo\\\"\""
    );
    let large = "x".repeat((3 << 20) + 1);
    let headers = [("authorization", "Bearer root")];
    let answer = cluster
        .send("POST", MAPS, &headers, large)
        .await
        .expect(413);
    assert_eq!(
        answer.message(),
        "Request entity too large: limit is 3145728"
    );
    let headers = [
        ("authorization", "Bearer root"),
        ("content-type", "text/csv"),
    ];
    cluster.send("POST", MAPS, &headers, "a").await.expect(415);
    let headers = [
        ("authorization", "Bearer root"),
        ("content-type", "application/yaml"),
        ("accept", "application/yaml"),
    ];
    let yaml = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: z\ndata:\n  k: v\n";
    let answer = cluster.send("POST", MAPS, &headers, yaml).await.expect(201);
    assert!(String::from_utf8_lossy(&answer.bytes).contains("  k: v\n"));
}

#[tokio::test]
async fn names_are_generated_and_dry_runs_store_nothing() {
    let cluster = Cluster::start().await;
    let body = json!({"metadata": {"generateName": "web-"}});
    let answer = cluster.post(MAPS, body.clone()).await.expect(201).json();
    let name = answer["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("web-") && name.len() == 9);
    let dry = format!("{MAPS}?dryRun=All");
    let answer = cluster.post(&dry, body).await.expect(201).json();
    assert!(answer["metadata"]["resourceVersion"].is_null());
    assert_eq!(cluster.get(MAPS).await.names().len(), 1);
    cluster
        .delete(&format!("{MAPS}/{name}?dryRun=All"))
        .await
        .expect(200);
    assert_eq!(cluster.get(MAPS).await.names().len(), 1);
}

#[tokio::test]
async fn updates_hold_to_the_version_they_name() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}/a");
    let created = cluster
        .post(MAPS, config_map("a", json!({}), json!({"k": "1"})))
        .await
        .expect(201);
    let first = created.json();
    let mut second = first.clone();
    second["data"]["k"] = "2".into();
    let updated = cluster.put(&path, second.clone()).await.expect(200);
    assert_ne!(updated.revision(), created.revision());
    assert_eq!(updated.json()["metadata"]["uid"], first["metadata"]["uid"]);
    let stale = cluster.put(&path, second.clone()).await.expect(409);
    assert_eq!(
        stale.message(),
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please \
         apply your changes to the latest version and try again"
    );
    // Nothing changes: nothing is written.
    let same = cluster.put(&path, updated.json()).await.expect(200);
    assert_eq!(same.revision(), updated.revision());
    let mut unpinned = config_map("a", json!({"x": "y"}), json!({"k": "3"}));
    cluster.put(&path, unpinned.clone()).await.expect(200);
    unpinned["metadata"]["uid"] = "other".into();
    let other = cluster.put(&path, unpinned.clone()).await.expect(409);
    assert!(
        other
            .message()
            .contains("Precondition failed: UID in precondition: other")
    );
    unpinned["metadata"]["name"] = "b".into();
    let wrong = cluster.put(&path, unpinned).await.expect(400);
    assert_eq!(
        wrong.message(),
        "the name of the object (b) does not match the name on the URL (a)"
    );
    cluster
        .put(&format!("{MAPS}/c"), config_map("c", json!({}), json!({})))
        .await
        .expect(404);
    let lease = json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "x"}});
    cluster
        .put(
            "/apis/coordination.k8s.io/v1/namespaces/default/leases/l",
            lease,
        )
        .await
        .expect(201);
}

#[tokio::test]
async fn patches_of_every_kind() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}/a");
    cluster
        .post(
            MAPS,
            config_map("a", json!({}), json!({"k": "1", "l": "1"})),
        )
        .await
        .expect(201);
    let data = |answer: common::Answer| answer.expect(200).json()["data"].clone();
    let merge = json!({"data": {"k": "2", "l": null}});
    let got = data(cluster.patch(&path, "merge-patch+json", merge).await);
    assert_eq!(got, json!({"k": "2"}));
    let strategic = json!({"data": {"m": "3"}});
    let got = data(
        cluster
            .patch(&path, "strategic-merge-patch+json", strategic)
            .await,
    );
    assert_eq!(got, json!({"k": "2", "m": "3"}));
    let ops = json!([{"op": "remove", "path": "/data/m"}]);
    let got = data(cluster.patch(&path, "json-patch+json", ops).await);
    assert_eq!(got, json!({"k": "2"}));
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"n": "4"},
    });
    cluster
        .patch(&path, "apply-patch+yaml", config.clone())
        .await
        .expect(422);
    let apply = format!("{path}?fieldManager=me");
    let got = data(cluster.patch(&apply, "apply-patch+yaml", config).await);
    assert_eq!(got, json!({"k": "2", "n": "4"}));
    let mut conflicting = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "5"},
    });
    let conflict = cluster
        .patch(&apply, "apply-patch+yaml", conflicting.clone())
        .await
        .expect(409);
    assert!(
        conflict
            .message()
            .starts_with("Apply failed with 1 conflict"),
        "{}",
        conflict.message()
    );
    conflicting["metadata"]["name"] = "fresh".into();
    let fresh = format!("{MAPS}/fresh?fieldManager=me");
    let made = cluster
        .patch(&fresh, "apply-patch+yaml", conflicting.clone())
        .await
        .expect(201)
        .json();
    assert_eq!(made["metadata"]["managedFields"][0]["operation"], "Apply");
    let again = cluster
        .patch(&fresh, "apply-patch+yaml", conflicting)
        .await
        .expect(200)
        .json();
    assert_eq!(
        again["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
    cluster
        .patch(&path, "unknown+json", json!({}))
        .await
        .expect(415);
    let pinned = json!({"metadata": {"resourceVersion": "1"}});
    cluster
        .patch(&path, "merge-patch+json", pinned)
        .await
        .expect(409);
}

#[tokio::test]
async fn deletion_waits_for_finalizers_and_grace() {
    let cluster = Cluster::start().await;
    let path = format!("{MAPS}/a");
    let mut map = config_map("a", json!({}), json!({}));
    map["metadata"]["finalizers"] = json!(["example.com/wait"]);
    let uid = cluster.post(MAPS, map).await.expect(201).json()["metadata"]["uid"].clone();
    let wrong = json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "x"}});
    let refused = cluster.call("DELETE", &path, wrong).await.expect(409);
    assert!(
        refused
            .message()
            .contains("does not match the UID in record")
    );
    let going = cluster.delete(&path).await.expect(200).json();
    assert_eq!(going["metadata"]["uid"], uid);
    assert!(going["metadata"]["deletionTimestamp"].is_string());
    cluster.get(&path).await.expect(200);
    let release = json!({"metadata": {"finalizers": null}});
    cluster
        .patch(&path, "merge-patch+json", release)
        .await
        .expect(200);
    cluster.get(&path).await.expect(404);
    // Without anything to wait for a Status is the answer.
    cluster
        .post(MAPS, config_map("b", json!({}), json!({})))
        .await
        .expect(201);
    let gone = cluster
        .delete(&format!("{MAPS}/b"))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&gone["kind"], &gone["status"]),
        (&json!("Status"), &json!("Success"))
    );
    assert_eq!(gone["details"]["kind"], "configmaps");

    // A pod that runs somewhere gets its time; one that runs nowhere does not.
    cluster.post(PODS, pod("idle")).await.expect(201);
    cluster.delete(&format!("{PODS}/idle")).await.expect(200);
    cluster.get(&format!("{PODS}/idle")).await.expect(404);
    cluster.post(PODS, pod("bound")).await.expect(201);
    let binding = json!({"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "n"}});
    cluster
        .post(&format!("{PODS}/bound/binding"), binding.clone())
        .await
        .expect(201);
    let twice = cluster
        .post(&format!("{PODS}/bound/binding"), binding)
        .await
        .expect(409);
    assert_eq!(
        twice.message(),
        "Operation cannot be fulfilled on pods/binding \"bound\": pod bound is already assigned \
         to node \"n\""
    );
    let going = cluster
        .delete(&format!("{PODS}/bound"))
        .await
        .expect(200)
        .json();
    assert_eq!(going["metadata"]["deletionGracePeriodSeconds"], 30);
    cluster
        .delete(&format!("{PODS}/bound?gracePeriodSeconds=0"))
        .await
        .expect(200);
    cluster.get(&format!("{PODS}/bound")).await.expect(404);
}

#[tokio::test]
async fn propagation_becomes_finalizers() {
    let cluster = Cluster::start().await;
    for (query, want) in [
        ("propagationPolicy=Orphan", Some("orphan")),
        ("propagationPolicy=Foreground", Some("foregroundDeletion")),
        ("orphanDependents=true", Some("orphan")),
        ("propagationPolicy=Background", None),
        ("", None),
    ] {
        cluster
            .post(MAPS, config_map("a", json!({}), json!({})))
            .await
            .expect(201);
        cluster
            .delete(&format!("{MAPS}/a?{query}"))
            .await
            .expect(200);
        let left = cluster.get(&format!("{MAPS}/a")).await;
        match want {
            None => assert_eq!(left.code, 404, "{query}"),
            Some(finalizer) => {
                assert_eq!(left.json()["metadata"]["finalizers"], json!([finalizer]));
                let release = json!({"metadata": {"finalizers": []}});
                cluster
                    .patch(&format!("{MAPS}/a"), "merge-patch+json", release)
                    .await
                    .expect(200);
            }
        }
    }
    let bad = cluster
        .delete(&format!("{MAPS}/a?propagationPolicy=Never"))
        .await
        .expect(422);
    assert!(
        bad.message()
            .contains("propagationPolicy: Unsupported value: \"Never\"")
    );
}

#[tokio::test]
async fn collections_are_deleted_by_selector() {
    let cluster = Cluster::start().await;
    for (name, x) in [("a", "1"), ("b", "2"), ("c", "1")] {
        cluster
            .post(MAPS, config_map(name, json!({"x": x}), json!({})))
            .await
            .expect(201);
    }
    let answer = cluster
        .delete(&format!("{MAPS}?labelSelector=x%3D1"))
        .await
        .expect(200);
    assert_eq!(answer.names(), ["a", "c"]);
    assert_eq!(cluster.get(MAPS).await.names(), ["b"]);
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let cluster = Cluster::start().await;
    let mut new = pod("a");
    new["status"] = json!({"phase": "Running"});
    let created = cluster.post(PODS, new).await.expect(201).json();
    assert_ne!(created["status"]["phase"], "Running");
    let path = format!("{PODS}/a");
    let status = json!({"status": {"phase": "Running"}, "spec": {"nodeName": "n"}});
    let answer = cluster
        .patch(&format!("{path}/status"), "merge-patch+json", status)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["status"]["phase"], "Running");
    assert!(answer["spec"]["nodeName"].is_null());
    let both = json!({"status": {"phase": "Failed"}, "metadata": {"labels": {"x": "y"}}});
    let answer = cluster
        .patch(&path, "merge-patch+json", both)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["status"]["phase"], "Running");
    assert_eq!(answer["metadata"]["labels"]["x"], "y");
    cluster.get(&format!("{path}/status")).await.expect(200);
    cluster.get(&format!("{path}/nothing")).await.expect(404);
    cluster.get(&format!("{path}/log")).await.expect(501);
}

#[tokio::test]
async fn deployments_are_scaled() {
    let cluster = Cluster::start().await;
    let all = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({
        "metadata": {"name": "d"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    cluster.post(all, deployment).await.expect(201);
    let path = format!("{all}/d/scale");
    let mut scale = cluster.get(&path).await.expect(200).json();
    assert_eq!(scale["spec"]["replicas"], 1);
    assert_eq!(scale["status"]["selector"], "app=d");
    scale["spec"]["replicas"] = 3.into();
    cluster.put(&path, scale.clone()).await.expect(200);
    cluster.put(&path, scale).await.expect(409);
    let patch = json!({"spec": {"replicas": 5}});
    let patched = cluster
        .patch(&path, "merge-patch+json", patch)
        .await
        .expect(200)
        .json();
    assert_eq!(patched["spec"]["replicas"], 5);
    let live = cluster.get(&format!("{all}/d")).await.json();
    assert_eq!(live["spec"]["replicas"], 5);
    assert_eq!(live["metadata"]["generation"], 3);
}

#[tokio::test]
async fn namespaces_stay_until_they_are_finalized() {
    let cluster = Cluster::start().await;
    let path = "/api/v1/namespaces/a";
    let created = cluster
        .post("/api/v1/namespaces", json!({"metadata": {"name": "a"}}))
        .await
        .expect(201)
        .json();
    assert_eq!(created["spec"]["finalizers"], json!(["kubernetes"]));
    let going = cluster.delete(path).await.expect(200).json();
    assert_eq!(going["status"]["phase"], "Terminating");
    let mut last = cluster.get(path).await.expect(200).json();
    last["spec"]["finalizers"] = json!([]);
    cluster
        .put(&format!("{path}/finalize"), last)
        .await
        .expect(200);
    cluster.get(path).await.expect(404);
}

#[tokio::test]
async fn tables_and_metadata_are_views() {
    let cluster = Cluster::start().await;
    cluster
        .post(MAPS, config_map("a", json!({}), json!({"k": "v"})))
        .await
        .expect(201);
    let get = |accept: &'static str| {
        let cluster = &cluster;
        async move {
            let headers = [("authorization", "Bearer root"), ("accept", accept)];
            cluster.send("GET", MAPS, &headers, "").await
        }
    };
    let table = get("application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
        .await
        .json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let partial = get("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").await;
    assert!(partial.json()["items"][0]["data"].is_null());
    assert_eq!(partial.names(), ["a"]);
    get("application/vnd.kubernetes.protobuf").await.expect(406);
    get("application/vnd.kubernetes.protobuf,application/json")
        .await
        .expect(200);
    let yaml = get("application/yaml").await.expect(200);
    assert!(String::from_utf8_lossy(&yaml.bytes).contains("kind: ConfigMapList"));
}
