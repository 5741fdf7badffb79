//! Pods placed a second, and the time of one preemption. The floors are 5,000 pods a second onto
//! 1,000 nodes, 1,000 onto 10,000 with affinity and spread in use, and 10 ms for the preemption of
//! one pod among 100,000 that run.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "this is a bench"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use model::Value;
use scheduling::{Engine, NodeInfo, PodInfo};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const ZONES: usize = 10;
const APPS: usize = 100;

fn node(number: usize) -> Value {
    json!({
        "metadata": { "name": format!("node-{number:05}"), "labels": {
            "kubernetes.io/hostname": format!("node-{number:05}"),
            "topology.kubernetes.io/zone": format!("zone-{}", number % ZONES),
        } },
        "status": { "allocatable": { "cpu": "32", "memory": "128Gi", "pods": "110" } },
    })
}

fn engine(nodes: usize) -> Engine {
    let mut engine = Engine::new(1);
    for number in 0..nodes {
        engine.cluster.set_node(NodeInfo::new(&node(number)));
    }
    engine
}

fn pod(number: usize, priority: i64) -> Value {
    json!({
        "metadata": {
            "name": format!("pod-{number}"),
            "namespace": "default",
            "uid": format!("{number}"),
            "labels": { "app": format!("app-{}", number % APPS), "tier": "web" },
        },
        "spec": {
            "priority": priority,
            "containers": [{
                "name": "c", "image": "registry/app:1",
                "resources": { "requests": { "cpu": "250m", "memory": "512Mi" } },
            }],
        },
    })
}

/// A pod that is spread over zones, kept from its like on the same node if possible, and drawn to
/// another application's zone.
fn demanding(number: usize) -> Value {
    let mut pod = pod(number, 0);
    let own = json!({ "matchLabels": { "app": format!("app-{}", number % APPS) } });
    let other = json!({ "matchLabels": { "app": format!("app-{}", (number + 1) % APPS) } });
    pod["spec"]["topologySpreadConstraints"] = json!([{
        "maxSkew": 5, "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule", "labelSelector": own,
    }, {
        "maxSkew": 1, "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": own,
    }]);
    pod["spec"]["affinity"] = json!({
        "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
            "topologyKey": "kubernetes.io/hostname", "labelSelector": own,
        }] },
        "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 10, "podAffinityTerm": {
                "topologyKey": "topology.kubernetes.io/zone", "labelSelector": other,
            },
        }] },
    });
    pod
}

/// Reads the pods, finds a node for each and puts it there.
fn place_all(mut engine: Engine, pods: &[Value]) -> Engine {
    for pod in pods {
        let mut pod = PodInfo::new(pod);
        let placement = engine.schedule(&pod).expect("there is room");
        pod.node_name = placement.node;
        engine.cluster.set_pod(Arc::new(pod));
    }
    engine
}

fn placement(c: &mut Criterion) {
    let mut group = c.benchmark_group("placement");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(5));
    for (name, nodes, count, make) in [
        (
            "1000_nodes_plain",
            1_000,
            5_000,
            (|n| pod(n, 0)) as fn(usize) -> Value,
        ),
        ("1000_nodes_affinity_and_spread", 1_000, 5_000, demanding),
        ("10000_nodes_plain", 10_000, 2_000, |n| pod(n, 0)),
        ("10000_nodes_affinity_and_spread", 10_000, 2_000, demanding),
    ] {
        let pods: Vec<Value> = (0..count).map(make).collect();
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |b| {
            b.iter_batched(
                || engine(nodes),
                |engine| place_all(engine, &pods),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn preemption(c: &mut Criterion) {
    let mut group = c.benchmark_group("preemption");
    group.sample_size(20);
    for (name, nodes) in [
        ("1000_nodes_100000_pods", 1_000),
        ("10000_nodes_100000_pods", 10_000),
    ] {
        let mut engine = engine(0);
        for number in 0..nodes {
            let mut node = node(number);
            // Full to the last processor.
            let cpu = format!("{}m", 250 * 100_000 / nodes);
            node["status"]["allocatable"]["cpu"] = cpu.into();
            engine.cluster.set_node(NodeInfo::new(&node));
        }
        for number in 0..100_000 {
            let mut running = PodInfo::new(&pod(number, (number % 7) as i64));
            running.node_name = format!("node-{:05}", number % nodes);
            engine.cluster.set_pod(Arc::new(running));
        }
        let mut urgent = demanding(100_000);
        urgent["spec"]["priority"] = 1_000.into();
        let urgent = PodInfo::new(&urgent);
        group.bench_function(name, |b| {
            b.iter(|| {
                let diagnosis = engine.schedule(black_box(&urgent)).expect_err("it is full");
                engine.preempt(&urgent, &diagnosis).expect("somebody goes")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, placement, preemption);
criterion_main!(benches);
