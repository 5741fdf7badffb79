//! What encryption adds to a put and a get of 1 KiB, over a store in memory.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use reference_models::store::MemoryStore;
use serde_json::json;
use std::hint::black_box;
use storage_api::{Expected, Store};
use storage_encryption::{EncryptedStore, Encryption, KeyFile};

const SECRET: &str = "/registry/core/secrets/default/a";

fn configured(provider: &str, keys: &KeyFile) -> Encryption {
    let key = json!({"name": "a", "secret": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="});
    let settings = if provider == "identity" {
        json!({})
    } else {
        json!({"keys": [key]})
    };
    let configuration = json!({
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [{ provider: settings }]}],
    });
    Encryption::from_configuration(&configuration, keys).unwrap()
}

fn providers(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let keys = KeyFile::create(&directory.path().join("keys")).unwrap();
    let mut group = criterion.benchmark_group("1 KiB");
    group.throughput(Throughput::Bytes(1024));
    for provider in ["identity", "envelope", "aesgcm", "aescbc", "secretbox"] {
        let encryption = match provider {
            "envelope" => Encryption::envelope(&keys),
            provider => configured(provider, &keys),
        };
        let store = EncryptedStore::new(MemoryStore::new(), encryption);
        let value = Bytes::from(vec![7; 1024]);
        block_on(store.put(SECRET, value.clone(), Expected::Any, None)).unwrap();
        group.bench_function(format!("get, {provider}"), |bencher| {
            bencher.iter(|| block_on(store.get(black_box(SECRET), None)).unwrap());
        });
        group.bench_function(format!("refused put, {provider}"), |bencher| {
            // Refused, so that the store in memory does not grow: one value is sealed, and the
            // current one is opened for the refusal.
            bencher.iter(|| {
                block_on(store.put(SECRET, value.clone(), Expected::Absent, None)).unwrap_err()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, providers);
criterion_main!(benches);
