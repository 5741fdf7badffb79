//! The paths that most requests take, without connections: get, list, create, and one change on
//! its way to a thousand watchers.
#![allow(clippy::unwrap_used, missing_docs)]

use api_server::Config;
use api_server::authorization::Masters;
use api_server::negotiation::Representation;
use api_server::query::Query;
use api_server::render;
use api_server::reply::Reply;
use cluster_api::{PatchType, ResourceRef, Selection};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures::StreamExt;
use http_body_util::BodyExt;
use identity::Chain;
use model::Value;
use model::user::{MASTERS, UserInfo};
use reference_models::store::MemoryStore;
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use tokio::runtime::Runtime;

const OBJECTS: usize = 500;
const WATCHERS: usize = 1000;

fn config_map(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "data": {"text": "x".repeat(700)},
    })
}

fn hot_paths(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let handle = runtime.block_on(async {
        let config = Config::new(
            Arc::new(MemoryStore::new()),
            Arc::new(Chain::new(Vec::new(), true)),
            Arc::new(Masters),
        );
        config.start().await.unwrap()
    });
    let cluster = handle.cluster(UserInfo::new("root", [MASTERS]), "bench");
    let maps = ResourceRef::core("configmaps");
    runtime.block_on(async {
        for i in 0..OBJECTS {
            let map = config_map(&format!("map-{i}"));
            cluster
                .create(&maps, Some("default"), None, map)
                .await
                .unwrap();
        }
    });

    c.bench_function("get", |b| {
        b.iter(|| runtime.block_on(cluster.get(&maps, Some("default"), "map-7")));
    });

    let mut group = c.benchmark_group("list");
    group.throughput(Throughput::Elements(OBJECTS as u64));
    group.bench_function("500 objects to one body", |b| {
        let server = handle.server();
        b.iter(|| {
            runtime.block_on(async {
                let mut ctx = api_server::context::Context {
                    info: api_server::request_info::RequestInfo::new(
                        &http::Method::GET,
                        "/api/v1/namespaces/default/configmaps",
                        &Query::default(),
                    ),
                    query: Query::default(),
                    user: UserInfo::default(),
                    content_type: String::new(),
                    user_agent: String::new(),
                    warnings: Vec::new(),
                    audit_annotations: Vec::new(),
                    request_body: None,
                };
                let body = api_server::context::BodySource::None;
                let reply: Reply = api_server::handlers::dispatch(server, &mut ctx, body)
                    .await
                    .unwrap();
                let response = render::respond(reply, Representation::default(), false).unwrap();
                black_box(response.into_body().collect().await)
            })
        });
    });
    group.finish();

    let mut next = 0u64;
    c.bench_function("create", |b| {
        b.iter(|| {
            next += 1;
            let map = config_map(&format!("new-{next}"));
            runtime
                .block_on(cluster.create(&maps, Some("created"), None, map))
                .unwrap()
        });
    });

    let mut group = c.benchmark_group("watch");
    group.throughput(Throughput::Elements(WATCHERS as u64));
    group.sample_size(20);
    group.bench_function("one change to 1000 watchers", |b| {
        let mut watches = runtime.block_on(async {
            let selection = Selection::default();
            let list = cluster
                .list(&maps, Some("default"), &selection)
                .await
                .unwrap();
            let mut watches = Vec::new();
            for _ in 0..WATCHERS {
                let watch = cluster
                    .watch(&maps, Some("default"), &selection, &list.resource_version)
                    .await
                    .unwrap();
                watches.push(watch);
            }
            watches
        });
        let mut turn = 0u64;
        b.iter(|| {
            turn += 1;
            runtime.block_on(async {
                let patch = json!({"data": {"turn": turn.to_string()}});
                cluster
                    .patch(&maps, Some("default"), "map-7", patch, PatchType::Merge)
                    .await
                    .unwrap();
                for watch in &mut watches {
                    black_box(watch.next().await.unwrap().unwrap());
                }
            });
        });
    });
    group.finish();
}

criterion_group!(benches, hot_paths);
criterion_main!(benches);
