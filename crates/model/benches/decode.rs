//! What a write costs before anything is decided: decoding a body and holding it against its
//! type. `serde_json` alone is the yardstick.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::Value;
use model::decode::{Format, decode};
use model::schema::Schema;
use std::hint::black_box;

fn pod() -> Value {
    let container = |name: &str| {
        serde_json::json!({
            "name": name,
            "image": "registry.example/team/application:v1.2.3",
            "command": ["/bin/server", "--listen", "0.0.0.0:8080"],
            "env": [{"name": "A", "value": "b"}, {"name": "N", "valueFrom": {
                "fieldRef": {"fieldPath": "metadata.namespace"}}}],
            "ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}],
            "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
            "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": true}],
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 10},
        })
    };
    serde_json::json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": "application-6d4cf56db6-x2x7q", "namespace": "team",
            "labels": {"app.kubernetes.io/name": "application", "tier": "backend"},
            "annotations": {"example.com/notes": "a \"quoted\" text\nof two lines"},
            "creationTimestamp": "2024-05-01T00:00:00Z",
        },
        "spec": {
            "containers": [container("main"), container("sidecar")],
            "volumes": [{"name": "config", "configMap": {"name": "settings", "defaultMode": 420}}],
            "terminationGracePeriodSeconds": 30,
            "serviceAccountName": "default",
        },
    })
}

fn bodies(c: &mut Criterion) {
    let value = pod();
    let json = value.to_string();
    let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
    let mut group = c.benchmark_group("body");
    group.throughput(Throughput::Bytes(json.len() as u64));
    group.bench_function("serde_json", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(json.as_bytes())));
    });
    group.bench_function("decode json", |b| {
        b.iter(|| decode(black_box(json.as_bytes()), Format::Json));
    });
    group.bench_function("decode yaml", |b| {
        b.iter(|| decode(black_box(pretty.as_bytes()), Format::Yaml));
    });
    group.bench_function("clone", |b| b.iter(|| black_box(&value).clone()));
    group.bench_function("clone and conform", |b| {
        b.iter(|| {
            let mut value = black_box(&value).clone();
            let found = Schema::builtin().conform("io.k8s.api.core.v1.Pod", &mut value);
            (value, found)
        });
    });
    group.finish();
}

fn start(c: &mut Criterion) {
    c.bench_function("read the schema", |b| {
        b.iter(|| Schema::parse(include_str!("../src/schema/types.json")));
    });
    let registry = model::registry::Registry::builtin();
    let all = model::openapi::OpenApi::new(&registry, Schema::builtin());
    c.bench_function("openapi hash", |b| b.iter(|| all.hash()));
    c.bench_function("openapi v3 api/v1", |b| b.iter(|| all.v3("api/v1")));
    c.bench_function("openapi v2 protobuf", |b| b.iter(|| all.v2_protobuf()));
}

criterion_group!(benches, bodies, start);
criterion_main!(benches);
