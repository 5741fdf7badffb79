//! What every write costs before it is stored: patches, managed fields, server-side apply.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use model::Value;
use model::apply::{Manager, apply, track_update};
use model::patch::{json_patch, strategic_merge};
use model::schema::Schema;
use serde_json::json;
use std::hint::black_box;

const CONFIG_MAP: &str = "io.k8s.api.core.v1.ConfigMap";
const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";
const POD: &str = "io.k8s.api.core.v1.Pod";

fn manager(name: &'static str, api_version: &'static str) -> Manager<'static> {
    Manager {
        name,
        api_version,
        subresource: "",
        time: "2025-01-01T00:00:00Z",
    }
}

fn config_map() -> Value {
    let data: model::Map = (0..8)
        .map(|i| (format!("key-{i}"), "x".repeat(100).into()))
        .collect();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default", "uid": "u", "labels": {"app": "c"}},
        "data": data,
    })
}

fn pod_spec() -> Value {
    let container = |name: &str| {
        json!({
            "name": name, "image": "registry.example/app:1.2.3", "imagePullPolicy": "IfNotPresent",
            "args": ["serve", "--verbose"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "100m"}},
            "readinessProbe": {"httpGet": {"path": "/", "port": 8080, "scheme": "HTTP"},
                "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3},
            "securityContext": {"runAsNonRoot": true, "capabilities": {"drop": ["ALL"]}},
            "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
            "volumeMounts": [{"name": "data", "mountPath": "/data"},
                {"name": "config", "mountPath": "/config", "readOnly": true}],
        })
    };
    json!({
        "containers": [container("web"), container("sidecar")],
        "volumes": [{"name": "data", "emptyDir": {}},
            {"name": "config", "configMap": {"name": "c", "defaultMode": 420}}],
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler",
        "serviceAccountName": "default", "serviceAccount": "default", "securityContext": {},
        "terminationGracePeriodSeconds": 30, "enableServiceLinks": true,
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists",
            "effect": "NoExecute", "tolerationSeconds": 300}],
    })
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": "u", "labels": {"app": "p"}},
        "spec": pod_spec(),
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default", "uid": "u", "labels": {"app": "d"}},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "d"}},
            "strategy": {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": "d"}}, "spec": pod_spec()},
        },
    })
}

fn patches(c: &mut Criterion) {
    let schema = Schema::builtin();
    let target = deployment();
    let patch = json!({"spec": {"replicas": 5, "template": {"spec": {
        "$setElementOrder/containers": [{"name": "web"}, {"name": "sidecar"}],
        "containers": [{"name": "web", "image": "registry.example/app:1.2.4",
            "env": [{"name": "C", "value": "3"}]}],
    }}}});
    c.bench_function("strategic merge of a deployment", |b| {
        b.iter(|| strategic_merge(schema, DEPLOYMENT, black_box(&target), &patch));
    });
    let patch = json!([
        {"op": "test", "path": "/spec/replicas", "value": 3},
        {"op": "replace", "path": "/spec/replicas", "value": 5},
        {"op": "add", "path": "/spec/template/spec/containers/0/env/-",
            "value": {"name": "C", "value": "3"}},
    ]);
    c.bench_function("JSON patch of a deployment", |b| {
        b.iter(|| json_patch(black_box(&target), &patch));
    });
}

fn tracked(name: &str, mut object: Value, api_version: &'static str) -> Value {
    let who = manager("kubectl-create", api_version);
    track_update(Schema::builtin(), name, None, &mut object, &who);
    object
}

fn tracking(c: &mut Criterion) {
    let schema = Schema::builtin();
    for (label, name, object, change) in [
        ("configmap", CONFIG_MAP, config_map(), ["data", "key-1"]),
        ("pod", POD, pod(), ["spec", "nodeName"]),
    ] {
        let who = manager("kubectl-edit", "v1");
        c.bench_function(&format!("track create of a {label}"), |b| {
            b.iter_batched_ref(
                || object.clone(),
                |new| track_update(schema, name, None, new, &who),
                BatchSize::SmallInput,
            );
        });
        let old = tracked(name, object, "v1");
        c.bench_function(&format!("track unchanged {label}"), |b| {
            b.iter_batched_ref(
                || old.clone(),
                |new| track_update(schema, name, Some(&old), new, &who),
                BatchSize::SmallInput,
            );
        });
        let mut changed = old.clone();
        model::meta::set(&mut changed, &change, "other");
        c.bench_function(&format!("track update of a {label}"), |b| {
            b.iter_batched_ref(
                || changed.clone(),
                |new| track_update(schema, name, Some(&old), new, &who),
                BatchSize::SmallInput,
            );
        });
    }
}

fn applying(c: &mut Criterion) {
    let schema = Schema::builtin();
    let who = manager("argo", "apps/v1");
    let mut config = deployment();
    model::meta::remove(&mut config, &["metadata", "uid"]);
    c.bench_function("apply a new deployment", |b| {
        b.iter(|| apply(schema, DEPLOYMENT, None, black_box(&config), &who, false));
    });
    let Ok(live) = apply(schema, DEPLOYMENT, None, &config, &who, false) else {
        return;
    };
    c.bench_function("apply an unchanged deployment", |b| {
        b.iter(|| {
            apply(
                schema,
                DEPLOYMENT,
                Some(&live),
                black_box(&config),
                &who,
                false,
            )
        });
    });
    model::meta::remove(&mut config, &["spec", "strategy"]);
    c.bench_function("apply a deployment with fields removed", |b| {
        b.iter(|| {
            apply(
                schema,
                DEPLOYMENT,
                Some(&live),
                black_box(&config),
                &who,
                false,
            )
        });
    });
}

criterion_group!(benches, patches, tracking, applying);
criterion_main!(benches);
