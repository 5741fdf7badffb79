//! What operators rely on: the audit log, health, metrics, and that nobody gets further without
//! credentials than they should.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use admission::{Lookup, Operation, Plugin, Request};
use api_server::health::Health;
use api_server::metrics::{Metrics, MetricsPage};
use api_server::token_request::TokenRequests;
use audit::{Auditor, Log, LogOptions, Policy};
use common::Cluster;
use identity::{ServiceAccountKeys, TokenIssuer};
use model::Value;
use model::status::Status;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

fn auditor(dir: &Path, policy: Policy) -> Auditor {
    let clock: audit::Clock = Arc::new(api_server::auditing::now);
    let log = Log::open(LogOptions::new(dir.join("audit.log")), clock.clone()).unwrap();
    Auditor::new(policy, Arc::new(log), clock)
}

fn policy(level: &str) -> Policy {
    let file = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
        "omitStages": ["RequestReceived"], "rules": [{"level": level}]});
    Policy::parse(file.to_string().as_bytes()).unwrap()
}

fn events(auditor: &Auditor, dir: &Path) -> Vec<Value> {
    auditor.log().close();
    std::fs::read_to_string(dir.join("audit.log"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn secrets_stay_out_of_the_audit_log_at_every_level() {
    let dir = tempfile::tempdir().unwrap();
    let auditor = auditor(dir.path(), policy("RequestResponse"));
    let log = auditor.clone();
    let cluster = Cluster::with(|c| c.auditor = Some(auditor)).await;
    let secrets = "/api/v1/namespaces/default/secrets";
    let secret = json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"generateName": "s-"}, "stringData": {"k": "HUNTER2"}});
    let created = cluster.post(secrets, secret).await.expect(201).json();
    let one = format!(
        "{secrets}/{}",
        created["metadata"]["name"].as_str().unwrap()
    );
    cluster.get(&one).await.expect(200);
    cluster.get(secrets).await.expect(200);
    cluster
        .patch(
            &one,
            "merge-patch+json",
            json!({"stringData": {"k": "HUNTER2"}}),
        )
        .await
        .expect(200);
    let operations = json!([{"op": "add", "path": "/data/x", "value": "SFVOVEVSMg=="}]);
    cluster
        .patch(&one, "json-patch+json", operations)
        .await
        .expect(200);
    // The encoding is not understood, so what is in it cannot be redacted, and is left out.
    cluster
        .patch(&one, "nonsense", json!({"stringData": {"k": "HUNTER2"}}))
        .await
        .expect(415);
    cluster.delete(&one).await.expect(200);
    let events = events(&log, dir.path());
    let verbs: Vec<&str> = events.iter().map(|e| e["verb"].as_str().unwrap()).collect();
    assert_eq!(
        verbs,
        ["create", "get", "list", "patch", "patch", "patch", "delete"]
    );
    for event in &events {
        let text = event.to_string();
        assert!(
            !text.contains("HUNTER2") && !text.contains("SFVOVEVSMg"),
            "{text}"
        );
    }
    let create = &events[0];
    assert_eq!(create["objectRef"]["name"], created["metadata"]["name"]);
    assert_eq!(
        create["requestObject"]["stringData"],
        json!({"k": "<redacted>"})
    );
    assert_eq!(create["responseObject"]["data"], json!({"k": "<redacted>"}));
    assert_eq!(create["responseStatus"]["code"], 201);
    assert_eq!(
        create["annotations"]["authorization.k8s.io/decision"],
        "allow"
    );
}

#[tokio::test]
async fn refusals_name_who_really_asked() {
    let dir = tempfile::tempdir().unwrap();
    let auditor = auditor(dir.path(), Policy::secure_default());
    let log = auditor.clone();
    let cluster = Cluster::with(|c| c.auditor = Some(auditor)).await;
    let pods = "/api/v1/namespaces/kube-system/pods";
    let send = async |headers: &[(&str, &str)]| cluster.send("GET", pods, headers, "").await.code;
    let root = ("authorization", "Bearer root");
    assert_eq!(send(&[root]).await, 200);
    assert_eq!(send(&[root, ("impersonate-user", "joe")]).await, 403);
    let jane = ("authorization", "Bearer jane");
    assert_eq!(send(&[jane, ("impersonate-user", "root")]).await, 403);
    assert_eq!(send(&[("authorization", "Bearer bad")]).await, 401);
    let told: Vec<_> = events(&log, dir.path())
        .iter()
        .map(|e| {
            (
                e["user"]["username"].clone(),
                e["impersonatedUser"]["username"].clone(),
                e["responseStatus"]["code"].clone(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (json!("root"), json!("joe"), json!(403)),
            (json!("jane"), Value::Null, json!(403)),
            (Value::Null, Value::Null, json!(401)),
        ]
    );
}

#[tokio::test]
async fn a_watch_is_told_at_its_beginning_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let auditor = auditor(dir.path(), policy("Metadata"));
    let log = auditor.clone();
    let cluster = Cluster::with(|c| c.auditor = Some(auditor)).await;
    let watch = "/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=1";
    cluster.get(watch).await.expect(200);
    // The record goes with the connection's task, which ends with the server.
    cluster.handle.shutdown().await;
    let stages: Vec<Value> = events(&log, dir.path())
        .iter()
        .map(|e| e["stage"].clone())
        .collect();
    assert_eq!(stages, ["ResponseStarted", "ResponseComplete"]);
}

/// Lets tokens be asked for in the namespace `default` only.
struct OnlyDefault;

impl Plugin for OnlyDefault {
    fn name(&self) -> &'static str {
        "OnlyDefault"
    }

    fn validate(&self, request: &mut Request<'_>, _: &dyn Lookup) -> Result<(), Status> {
        let token = (request.operation, request.subresource) == (Operation::Create, "token");
        if token && request.namespace != "default" {
            return Err(Status::forbidden("", "serviceaccounts", request.name, "no"));
        }
        Ok(())
    }
}

#[tokio::test]
async fn admission_has_a_say_in_tokens() {
    let dir = tempfile::tempdir().unwrap();
    let keys = Arc::new(ServiceAccountKeys::open(dir.path()).unwrap());
    let requests = TokenRequests::new(TokenIssuer::new("https://issuer", vec![], keys));
    let cluster = Cluster::with(|c| {
        c.virtuals = vec![Arc::new(requests)];
        c.admission = admission::Chain::new(vec![Box::new(OnlyDefault)]);
    })
    .await;
    let request = json!({"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1"});
    for (namespace, code) in [("default", 201), ("other", 403)] {
        let accounts = format!("/api/v1/namespaces/{namespace}/serviceaccounts");
        let account = json!({"kind": "ServiceAccount", "apiVersion": "v1",
            "metadata": {"name": "robot"}});
        cluster.post(&accounts, account).await.expect(201);
        let token = format!("{accounts}/robot/token");
        cluster.post(&token, request.clone()).await.expect(code);
    }
}

#[tokio::test]
async fn health_and_metrics_are_served_to_whom_they_should() {
    let cluster = Cluster::with(|c| {
        let metrics = Arc::new(Metrics::new(c.registry.clone(), "0"));
        c.authenticator = Arc::new(metrics.counted(c.authenticator.clone()));
        c.telemetry = metrics.clone();
        c.endpoints = vec![Arc::new(MetricsPage(metrics)), Arc::new(Health::new())];
    })
    .await;
    let anonymous = async |path: &str| cluster.send("GET", path, &[], "").await;
    let live = anonymous("/livez?verbose").await.expect(200);
    assert_eq!(live.bytes, "[+]ping ok\n[+]etcd ok\nlivez check passed\n");
    anonymous("/readyz/etcd").await.expect(200);
    anonymous("/metrics").await.expect(403);
    cluster.get("/readyz/none").await.expect(404);
    cluster.get("/api/v1/nodes").await.expect(200);
    let page = cluster.get("/metrics").await.expect(200);
    let page = String::from_utf8(page.bytes.to_vec()).unwrap();
    for line in [
        "apiserver_request_total{code=\"200\",component=\"apiserver\",dry_run=\"\",group=\"\",\
         resource=\"nodes\",scope=\"cluster\",subresource=\"\",verb=\"LIST\",version=\"v1\"} 1",
        "apiserver_current_inflight_requests{request_kind=\"readOnly\"} 1",
        "authentication_attempts{result=\"success\"} 6",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\nis not in\n{page}");
    }
}
