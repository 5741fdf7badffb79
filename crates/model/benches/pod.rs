//! What a new pod costs between decoding and storing: defaults, preparation, validation.

use criterion::{Criterion, criterion_group, criterion_main};
use model::field::ErrorList;
use model::kinds;
use serde_json::json;
use std::hint::black_box;

fn pod(c: &mut Criterion) {
    let rules = kinds::behavior("", "pods");
    let small = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "nginx", "namespace": "default", "labels": {"app": "nginx"}},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]},
    });
    let large = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web", "tier": "a"}},
        "spec": {
            "serviceAccountName": "web",
            "securityContext": {"runAsNonRoot": true, "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"}},
            "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute"}],
            "volumes": [
                {"name": "token", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                    {"configMap": {"name": "ca", "items": [{"key": "ca", "path": "ca"}]}}]}},
                {"name": "data", "emptyDir": {}},
            ],
            "containers": (0..2).map(|i| json!({
                "name": format!("c{i}"),
                "image": "example.com/web:1.2.3",
                "ports": [{"name": "http", "containerPort": 8080}],
                "env": [{"name": "A", "value": "b"}, {"name": "B",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                "resources": {"limits": {"cpu": "500m", "memory": "128Mi"}},
                "livenessProbe": {"httpGet": {"path": "/health", "port": "http"}},
                "volumeMounts": [{"name": "token", "mountPath": "/token", "readOnly": true},
                    {"name": "data", "mountPath": "/data"}],
                "securityContext": {"allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]}},
            })).collect::<Vec<_>>(),
        },
    });
    for (name, pod) in [("small", small), ("large", large)] {
        let mut ready = pod.clone();
        (rules.default)("v1", &mut ready);
        (rules.prepare_create)(&mut ready);
        assert_eq!((rules.validate_create)(&ready), ErrorList::new());
        c.bench_function(&format!("pod/{name}/clone"), |b| {
            b.iter(|| black_box(&pod).clone())
        });
        c.bench_function(&format!("pod/{name}/clone, default, prepare"), |b| {
            b.iter(|| {
                let mut pod = black_box(&pod).clone();
                (rules.default)("v1", &mut pod);
                (rules.prepare_create)(&mut pod);
                pod
            });
        });
        c.bench_function(&format!("pod/{name}/validate"), |b| {
            b.iter(|| (rules.validate_create)(black_box(&ready)));
        });
    }
}

criterion_group!(benches, pod);
criterion_main!(benches);
