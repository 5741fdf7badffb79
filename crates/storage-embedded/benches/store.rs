//! Single operations: what a put costs in a batch, a get, a page of a range, a watch event.

#![allow(clippy::unwrap_used, missing_docs, reason = "a bench")]

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::try_join_all;
use std::hint::black_box;
use storage_api::{Expected, Store};
use storage_embedded::{EmbeddedStore, Options};

const OBJECTS: usize = 10_000;

fn key(number: usize) -> String {
    format!(
        "/registry/core/configmaps/namespace-{}/object-{number:06}",
        number % 100
    )
}

fn fill(store: &EmbeddedStore) {
    for first in (0..OBJECTS).step_by(200) {
        let puts = (first..first + 200).map(|number| async move {
            let value = Bytes::from(vec![7; 1024]);
            store.put(&key(number), value, Expected::Any, None).await
        });
        block_on(try_join_all(puts)).unwrap();
    }
}

fn operations(criterion: &mut Criterion) {
    let directory = tempfile::tempdir_in(".").unwrap();
    let store = &EmbeddedStore::open(directory.path(), Options::default()).unwrap();
    fill(store);
    let mut number = 0;
    let mut next = || {
        number = (number + 7919) % OBJECTS;
        number
    };

    let mut group = criterion.benchmark_group("put");
    for batch in [1_usize, 16, 256] {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("{batch} at once, 1 KiB"), |bencher| {
            bencher.iter(|| {
                let keys: Vec<String> = (0..batch).map(|_| key(next())).collect();
                let puts = keys
                    .iter()
                    .map(|key| store.put(key, Bytes::from(vec![8; 1024]), Expected::Any, None));
                block_on(try_join_all(puts)).unwrap();
            });
        });
    }
    group.finish();

    let newest = block_on(store.revision()).unwrap();
    block_on(store.compact(newest)).unwrap();
    block_on(store.vacuum()).unwrap();
    criterion.bench_function("get", |bencher| {
        bencher.iter(|| block_on(store.get(black_box(&key(next())), None)).unwrap());
    });
    criterion.bench_function("get a missing key", |bencher| {
        bencher.iter(|| block_on(store.get(black_box("/registry/none"), None)).unwrap());
    });
    let mut group = criterion.benchmark_group("range");
    group.throughput(Throughput::Elements(100));
    group.bench_function("a namespace of 100", |bencher| {
        let prefix = "/registry/core/configmaps/namespace-42/";
        bencher.iter(|| block_on(store.range(black_box(prefix), None, 200, None)).unwrap());
    });
    group.finish();

    let mut group = criterion.benchmark_group("watch");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("catch up 1000 events", |bencher| {
        let newest = block_on(store.revision()).unwrap();
        for _ in 0..4 {
            let puts = (0..250).map(|_| async {
                let value = Bytes::from(vec![9; 1024]);
                store
                    .put("/registry/core/busy/a", value, Expected::Any, None)
                    .await
            });
            block_on(try_join_all(puts)).unwrap();
        }
        bencher.iter(|| {
            block_on(async {
                let mut watch = store.watch("/registry/core/busy/", newest).await.unwrap();
                let mut seen = 0;
                while seen < 1000 {
                    seen += watch.next().await.unwrap().unwrap().events.len();
                }
            });
        });
    });
    group.finish();
}

criterion_group!(benches, operations);
criterion_main!(benches);
