//! What kinds do that others do not, asked over HTTP: evictions under budgets, addresses of
//! services, the stricter events, generations, decisions on certificates.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use bytes::Bytes;
use common::Cluster;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::Value;
use reference_models::store::MemoryStore;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use storage_api::{Entry, Events, Expected, Range, Scan, Store};
use tokio::sync::Semaphore;

const PODS: &str = "/api/v1/namespaces/default/pods";
const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

/// Makes a running, ready pod with the label `app: web`.
async fn running(cluster: &Cluster, name: &str) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {
            "nodeName": "n", "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "c", "image": "i"}],
        },
    });
    let mut pod = cluster.post(PODS, pod).await.expect(201).json();
    pod["status"] = json!({
        "phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
    });
    let path = format!("{PODS}/{name}/status");
    cluster.put(&path, pod).await.expect(200);
}

/// Makes a budget for `app: web` that allows so many disruptions.
async fn budget(cluster: &Cluster, name: &str, allowed: i64) -> Value {
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    });
    let mut budget = cluster.post(BUDGETS, budget).await.expect(201).json();
    budget["status"] = json!({
        "observedGeneration": 1, "disruptionsAllowed": allowed,
        "desiredHealthy": 1, "currentHealthy": 1 + allowed, "expectedPods": 2,
    });
    let path = format!("{BUDGETS}/{name}/status");
    cluster.put(&path, budget).await.expect(200).json()
}

async fn evict(cluster: &Cluster, pod: &str, dry_run: bool) -> common::Answer {
    let mut eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod},
    });
    if dry_run {
        eviction["deleteOptions"] = json!({"dryRun": ["All"]});
    }
    cluster
        .post(&format!("{PODS}/{pod}/eviction"), eviction)
        .await
}

#[tokio::test]
async fn evictions_use_budgets_up() {
    let cluster = Cluster::start().await;
    for name in ["a", "b"] {
        running(&cluster, name).await;
    }
    budget(&cluster, "pdb", 1).await;
    evict(&cluster, "a", true).await.expect(201);
    let of = |budget: &Value| budget["status"]["disruptionsAllowed"].clone();
    let path = format!("{BUDGETS}/pdb");
    assert_eq!(
        of(&cluster.get(&path).await.json()),
        1,
        "a dry run counts nothing"
    );
    cluster.get(&format!("{PODS}/a")).await.expect(200);
    evict(&cluster, "a", false).await.expect(201);
    cluster.get(&format!("{PODS}/a")).await.expect(404);
    let after = cluster.get(&path).await.json();
    assert_eq!(of(&after), 0);
    assert!(after["status"]["disruptedPods"]["a"].is_string(), "{after}");
    assert_eq!(
        after["status"]["conditions"][0]["reason"],
        "InsufficientPods"
    );
    let refused = evict(&cluster, "b", false).await.expect(429);
    let status = refused.json();
    assert_eq!(status["reason"], "TooManyRequests");
    assert_eq!(
        status["message"],
        "Cannot evict pod as it would violate the pod's disruption budget."
    );
    assert_eq!(status["details"]["causes"][0]["reason"], "DisruptionBudget");
    assert_eq!(
        status["details"]["causes"][0]["message"],
        "The disruption budget pdb needs 1 healthy pods and has 2 currently"
    );
    cluster.get(&format!("{PODS}/b")).await.expect(200);
    // A changed budget waits for its controller.
    let patch = json!({"spec": {"minAvailable": 0}});
    cluster
        .patch(&path, "merge-patch+json", patch)
        .await
        .expect(200);
    let stale = evict(&cluster, "b", false).await.expect(429);
    assert_eq!(stale.headers.get("retry-after").unwrap(), "10");
    // A second budget for the same pods is a mistake that nobody can resolve here.
    budget(&cluster, "other", 5).await;
    let twice = evict(&cluster, "b", false).await.expect(500);
    assert_eq!(
        twice.message(),
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
         support."
    );
}

#[tokio::test]
async fn pods_that_do_not_count_need_no_budget() {
    let cluster = Cluster::start().await;
    budget(&cluster, "pdb", 0).await;
    let pod = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        })
    };
    cluster.post(PODS, pod("waits")).await.expect(201);
    evict(&cluster, "waits", false).await.expect(201);
    cluster.get(&format!("{PODS}/waits")).await.expect(404);
    // Running but not ready: the budget has as many healthy pods as it wants, so it may go.
    running(&cluster, "ill").await;
    let path = format!("{PODS}/ill");
    let status = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    let sub = format!("{path}/status");
    cluster
        .patch(&sub, "strategic-merge-patch+json", status)
        .await
        .expect(200);
    evict(&cluster, "ill", false).await.expect(201);
    cluster.get(&path).await.expect(404);
    // A version that the client asked for is held against the pod as it is.
    running(&cluster, "other").await;
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "gone"},
        "deleteOptions": {"preconditions": {"resourceVersion": "1"}},
    });
    cluster.post(PODS, pod("gone")).await.expect(201);
    cluster
        .post(&format!("{PODS}/gone/eviction"), eviction)
        .await
        .expect(409);
    evict(&cluster, "other", false).await.expect(429);
}

#[tokio::test]
async fn of_evictions_at_once_no_more_succeed_than_the_budget_allows() {
    let cluster = Cluster::start().await;
    let names: Vec<String> = (0..8).map(|i| format!("p{i}")).collect();
    for name in &names {
        running(&cluster, name).await;
    }
    budget(&cluster, "pdb", 3).await;
    let answers = futures::future::join_all(names.iter().map(|n| evict(&cluster, n, false))).await;
    let codes: Vec<u16> = answers.iter().map(|a| a.code).collect();
    let granted = codes.iter().filter(|c| **c == 201).count();
    assert!((1..=3).contains(&granted), "{codes:?}");
    let after = cluster.get(&format!("{BUDGETS}/pdb")).await.json();
    let left = after["status"]["disruptionsAllowed"].as_u64().unwrap();
    assert_eq!(granted as u64 + left, 3, "{codes:?}");
    assert_eq!(
        after["status"]["disruptedPods"].as_object().unwrap().len(),
        granted
    );
    let list = cluster.get(PODS).await.json();
    assert_eq!(
        list["items"].as_array().unwrap().len(),
        names.len() - granted
    );
}

#[tokio::test]
async fn services_made_at_once_do_not_share() {
    let network = std::net::Ipv4Addr::new(10, 0, 0, 0);
    let cluster = Cluster::with(|config| {
        let plugin = admission::ServiceAddresses::new(network, 24);
        config.admission = admission::Chain::new(vec![Box::new(plugin)]);
    })
    .await;
    let services = "/api/v1/namespaces/default/services";
    let service = |name: &str, spec: Value| {
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"type": "NodePort", "ports": [{"port": 80}]},
        });
        for (key, value) in spec.as_object().unwrap() {
            service["spec"][key] = value.clone();
        }
        cluster.post(services, service)
    };
    // One address and one port that all want.
    let wanted = [
        json!({"clusterIP": "10.0.0.9"}),
        json!({"ports": [{"port": 1, "nodePort": 30007}]}),
    ];
    for (i, spec) in wanted.iter().enumerate() {
        let names: Vec<String> = (0..6).map(|n| format!("w{i}-{n}")).collect();
        let all = names.iter().map(|name| service(name, spec.clone()));
        let mut codes: Vec<u16> = futures::future::join_all(all)
            .await
            .iter()
            .map(|a| a.code)
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, [201, 422, 422, 422, 422, 422], "{spec}");
    }
    let names: Vec<String> = (0..24).map(|n| format!("s{n}")).collect();
    let all = names.iter().map(|name| service(name, json!({})));
    let (mut ips, mut ports) = (BTreeSet::new(), BTreeSet::new());
    for answer in futures::future::join_all(all).await {
        let made = answer.expect(201).json();
        let ip = made["spec"]["clusterIP"].as_str().unwrap().to_owned();
        assert!(ips.insert(ip), "{made}");
        assert!(
            ports.insert(made["spec"]["ports"][0]["nodePort"].to_string()),
            "{made}"
        );
    }
}

/// A store that carries every write out, also if nobody waits for it any more, and lets writes of
/// one key wait until they are let go.
struct Slow {
    inner: Arc<MemoryStore>,
    key: &'static str,
    begun: Arc<Semaphore>,
    go: Arc<Semaphore>,
}

impl Store for Slow {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<u64>,
    ) -> BoxFuture<'a, storage_api::Result<(Option<Entry>, u64)>> {
        self.inner.get(key, at)
    }
    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<u64>,
    ) -> BoxFuture<'a, storage_api::Result<Range>> {
        self.inner.range(prefix, start, limit, at)
    }
    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, storage_api::Result<Scan<'a>>> {
        self.inner.scan(prefix)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, storage_api::Result<Entry>> {
        if !key.ends_with(self.key) {
            return self.inner.put(key, value, expected, ttl);
        }
        let (inner, key) = (self.inner.clone(), key.to_owned());
        let (begun, go) = (self.begun.clone(), self.go.clone());
        let write = tokio::spawn(async move {
            begun.add_permits(1);
            let _permit = go.acquire().await;
            inner.put(&key, value, expected, ttl).await
        });
        Box::pin(async move { write.await.unwrap() })
    }
    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: u64,
    ) -> BoxFuture<'a, storage_api::Result<Entry>> {
        self.inner.replace(key, value, expected)
    }
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, storage_api::Result<(u64, Entry)>> {
        self.inner.delete(key, expected)
    }
    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: u64,
    ) -> BoxFuture<'a, storage_api::Result<BoxStream<'static, storage_api::Result<Events>>>> {
        self.inner.watch(prefix, after)
    }
    fn revision(&self) -> BoxFuture<'_, storage_api::Result<u64>> {
        self.inner.revision()
    }
    fn compact(&self, revision: u64) -> BoxFuture<'_, storage_api::Result<()>> {
        self.inner.compact(revision)
    }
    fn size(&self) -> BoxFuture<'_, storage_api::Result<u64>> {
        self.inner.size()
    }
}

#[tokio::test]
async fn a_request_that_went_away_keeps_what_it_took() {
    let (begun, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let store = Arc::new(MemoryStore::new());
    let slow = Slow {
        inner: store.clone(),
        key: "/gone",
        begun: begun.clone(),
        go: go.clone(),
    };
    let cluster = Cluster::on(store, |config| {
        config.store = Arc::new(slow);
        let plugin = admission::ServiceAddresses::new([10, 0, 0, 0].into(), 24);
        config.admission = admission::Chain::new(vec![Box::new(plugin)]);
    })
    .await;
    let cluster = Arc::new(cluster);
    let make = |name: &'static str| {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": "10.0.0.9", "ports": [{"port": 80}]},
        });
        let cluster = cluster.clone();
        async move {
            cluster
                .post("/api/v1/namespaces/default/services", service)
                .await
        }
    };
    let gone = tokio::spawn(make("gone"));
    let _begun = begun.acquire().await.unwrap();
    gone.abort();
    assert!(gone.await.is_err_and(|e| e.is_cancelled()));
    let late = tokio::spawn(make("late"));
    // The server sees that the first client has gone while the second one waits.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    go.add_permits(1);
    let refused = late.await.unwrap().expect(422);
    assert!(
        refused
            .message()
            .contains("provided IP is already allocated")
    );
    cluster
        .get("/api/v1/namespaces/default/services/gone")
        .await
        .expect(200);
}

#[tokio::test]
async fn events_of_the_newer_group_are_stricter() {
    let cluster = Cluster::start().await;
    let newer = "/apis/events.k8s.io/v1/namespaces/default/events";
    let older = "/api/v1/namespaces/default/events";
    let bare = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "old"},
        "involvedObject": {"namespace": "default"}, "count": 2,
    });
    cluster.post(older, bare).await.expect(201);
    let event = |name: &str| {
        json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name},
            "eventTime": "2024-01-01T00:00:00.000000Z", "type": "Normal", "reason": "R",
            "action": "A", "reportingController": "example.com/c", "reportingInstance": "i",
            "regarding": {"namespace": "default"}, "note": "text",
        })
    };
    let mut wrong = event("wrong");
    wrong["type"] = "Odd".into();
    wrong["deprecatedCount"] = 1.into();
    wrong["eventTime"] = Value::Null;
    let refused = cluster.post(newer, wrong).await.expect(422).json();
    let fields: Vec<_> = refused["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["field"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(fields, ["eventTime", "type", "count"], "{refused}");
    let mut made = cluster.post(newer, event("e")).await.expect(201).json();
    made["series"] = json!({"count": 2, "lastObservedTime": "2024-01-01T00:00:01.000000Z"});
    let mut made = cluster
        .put(&format!("{newer}/e"), made)
        .await
        .expect(200)
        .json();
    made["note"] = "other".into();
    let refused = cluster.put(&format!("{newer}/e"), made).await.expect(422);
    assert!(
        refused
            .message()
            .contains("message: Invalid value: \"other\": field is immutable")
    );
    // Who speaks the older group's language is not asked.
    let patch = json!({"message": "other"});
    let path = format!("{older}/e");
    cluster
        .patch(&path, "merge-patch+json", patch)
        .await
        .expect(200);
}

#[tokio::test]
async fn generations_count_what_is_wanted() {
    let cluster = Cluster::start().await;
    let all = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    });
    cluster.post(all, deployment).await.expect(201);
    let path = format!("{all}/d");
    for (change, want) in [
        (json!({"metadata": {"labels": {"x": "y"}}}), 1),
        (json!({"metadata": {"annotations": {"x": "y"}}}), 2),
        (json!({"spec": {"replicas": 2}}), 3),
        (json!({"spec": {"replicas": 2}}), 3),
    ] {
        let now = cluster
            .patch(&path, "merge-patch+json", change.clone())
            .await
            .expect(200);
        assert_eq!(now.json()["metadata"]["generation"], want, "{change}");
    }
}

#[tokio::test]
async fn decisions_on_certificates_are_stamped() {
    let cluster = Cluster::start().await;
    let all = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let pem = request.pem().unwrap();
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem);
    let request = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
        "metadata": {"name": "r"},
        "spec": {
            "request": encoded, "signerName": "example.com/s", "usages": ["client auth"],
            "username": "somebody-else",
        },
    });
    let made = cluster.post(all, request).await.expect(201).json();
    assert_eq!(made["spec"]["username"], "root");
    let mut decided = made.clone();
    decided["status"] =
        json!({"conditions": [{"type": "Approved", "status": "True", "reason": "R"}]});
    let path = format!("{all}/r/approval");
    let approved = cluster.put(&path, decided).await.expect(200).json();
    let condition = &approved["status"]["conditions"][0];
    assert!(condition["lastTransitionTime"].is_string(), "{approved}");
    assert!(condition["lastUpdateTime"].is_string(), "{approved}");
}
