//! The loop against a cluster in memory, in virtual time.

mod fake;
mod recording;
mod running;
mod volumes;

use fake::FakeCluster;
use model::Value;
use serde_json::json;
use std::sync::Arc;

/// A node that takes so much CPU.
fn node(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "status": { "allocatable": { "cpu": cpu, "memory": "8Gi", "pods": "110" } },
    })
}

/// A pod that wants so much CPU.
fn pod(name: &str, cpu: &str, priority: i64) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": "n", "uid": name },
        "spec": {
            "schedulerName": "default-scheduler",
            "priority": priority,
            "containers": [{ "name": "c", "resources": { "requests": { "cpu": cpu } } }],
        },
        "status": { "phase": "Pending" },
    })
}

/// Starts the scheduler on a cluster that has these objects.
fn start(objects: impl IntoIterator<Item = Value>) -> Arc<FakeCluster> {
    let cluster = Arc::new(FakeCluster::default());
    for object in objects {
        cluster.put(object);
    }
    let settings = crate::Settings {
        pause: Arc::new(|_| Box::pin(tokio::time::sleep(std::time::Duration::from_millis(10)))),
        seed: 1,
        host: "here".to_owned(),
        metrics: Arc::default(),
    };
    let followed: Arc<dyn cluster_api::Cluster> = cluster.clone();
    tokio::spawn(crate::run(followed, settings));
    cluster
}
