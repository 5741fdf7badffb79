//! The audit of 10,000 manifests: the checks alone, and from text to findings.
#![allow(clippy::expect_used, missing_docs, reason = "a bench")]

use analysis::audit::{Date, Options, Settings, run};
use criterion::{Criterion, criterion_group, criterion_main};
use model::registry::Registry;
use snapshot::{Builder, Snapshot};
use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;

/// As many manifests as that: of ten, six Deployments, and a ServiceAccount, a Service, a
/// NetworkPolicy and a RoleBinding, in a namespace for every hundred.
fn manifests(count: usize) -> Vec<String> {
    (0..count)
        .map(|i| {
            let namespace = i / 100;
            let meta = format!("metadata:\n  name: o{i}\n  namespace: ns{namespace}\n");
            match i % 10 {
                6 => format!("apiVersion: v1\nkind: ServiceAccount\n{meta}"),
                7 => format!(
                    "apiVersion: v1\nkind: Service\n{meta}spec:\n  ports:\n  - port: 80\n  \
                     selector:\n    app: a{i}\n"
                ),
                8 => format!(
                    "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n{meta}spec:\n  \
                     podSelector:\n    matchLabels:\n      app: a{}\n  policyTypes: [Ingress]\n",
                    i - 8
                ),
                9 => format!(
                    "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n{meta}roleRef:\n  \
                     apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole\n  name: view\n\
                     subjects:\n- kind: ServiceAccount\n  name: o{}\n  namespace: ns{namespace}\n",
                    i - 3
                ),
                _ => format!(
                    "apiVersion: apps/v1\nkind: Deployment\n{meta}spec:\n  replicas: 2\n  \
                     selector:\n    matchLabels:\n      app: a{i}\n  template:\n    metadata:\n      \
                     labels:\n        app: a{i}\n    spec:\n      serviceAccountName: o{}\n      \
                     containers:\n      - name: app\n        image: registry.example.com/team/app:1.{i}\n        \
                     env:\n        - name: MODE\n          value: fast\n        ports:\n        \
                     - containerPort: 8080\n        resources:\n          requests:\n            \
                     cpu: 100m\n            memory: 64Mi\n        securityContext:\n          \
                     runAsNonRoot: true\n",
                    i / 10 * 10 + 6
                ),
            }
        })
        .collect()
}

fn read(texts: &[String]) -> Snapshot {
    let options = snapshot::Options::manifests("default");
    let mut builder = Builder::new(Arc::new(Registry::builtin()), options);
    for (index, text) in texts.iter().enumerate() {
        let file = builder.file(&format!("{index}.yaml"));
        for document in model::decode::documents(text.as_bytes()) {
            builder.document(file, document.expect("YAML"));
        }
    }
    builder.build()
}

fn audit(criterion: &mut Criterion) {
    let settings = Settings::default();
    let mut group = criterion.benchmark_group("audit");
    group.sample_size(10);
    for count in [5_000, 10_000, 20_000] {
        let texts = manifests(count);
        let snapshot = read(&texts);
        for workers in [
            1,
            std::thread::available_parallelism().map_or(1, NonZero::get),
        ] {
            let options = Options {
                settings: &settings,
                baseline: None,
                today: Date::of_epoch_seconds(0),
                workers,
            };
            group.bench_function(format!("{count} manifests, {workers} threads"), |b| {
                b.iter(|| black_box(run(&snapshot, options).findings.len()));
            });
        }
        if count == 10_000 {
            group.bench_function("reading 10000 manifests, 1 thread", |b| {
                b.iter(|| black_box(read(&texts).objects().len()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
