//! Reachability of all pods. The floor is one second for 10,000 pods under 1,000 policies on one
//! port; each input is doubled to show how the cost grows.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use model::Value;
use network_policy::{Endpoint, Namespace, Network, Pod, PodId, Policy, Port};
use serde_json::json;
use std::hint::black_box;

const NAMESPACES: usize = 100;

/// How pods differ and what policies look at.
#[derive(Clone, Copy)]
enum Layout {
    /// Twenty applications in each of a hundred namespaces, policies by application and team.
    Applications,
    /// As many sorts of pods as pods: every policy looks at labels that no two pods share.
    AllDifferent,
    /// One namespace, where policies overlap at random: of 64 labels each pod has half.
    Overlapping,
    /// Applications, with rules by address and by port name.
    Addresses,
}

fn pods(layout: Layout, count: usize) -> Vec<Pod> {
    (0..count)
        .map(|i| {
            let mut labels = json!({
                "app": format!("app-{}", i / NAMESPACES % 20),
                "version": format!("v{}", i % 3),
                "statefulset.kubernetes.io/pod-name": format!("pod-{i}"),
            });
            let mut namespace = i % NAMESPACES;
            if let Layout::Overlapping = layout {
                namespace = 0;
                let mix = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                for bit in (0..64).filter(|bit| mix >> bit & 1 == 1) {
                    labels[format!("l{bit}")] = "x".into();
                }
            }
            Pod::from_value(&json!({
                "metadata": {"namespace": format!("ns-{namespace}"), "name": format!("pod-{i}"),
                             "labels": labels},
                "spec": {"nodeName": format!("node-{}", i % 200), "containers": [
                    {"ports": [{"name": "http", "containerPort": if i % 2 == 0 { 80 } else { 8080 }}]}]},
                "status": {"podIP": format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255)},
            }))
        })
        .collect()
}

fn policies(layout: Layout, count: usize, pods: usize) -> Vec<Policy> {
    let spec = |i: usize| -> (usize, Value) {
        let namespace = i % NAMESPACES;
        let app = |n: usize| json!({"matchLabels": {"app": format!("app-{}", n % 20)}});
        let team = json!({"matchLabels": {"team": format!("team-{}", i % 10)}});
        match layout {
            Layout::Applications if i < NAMESPACES => (
                namespace,
                json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
            ),
            Layout::Applications => (
                namespace,
                json!({
                    "podSelector": app(i / NAMESPACES),
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": [{"from": [{"podSelector": app(i / NAMESPACES + 1)},
                                          {"namespaceSelector": team, "podSelector": app(i)}],
                                 "ports": [{"port": 80, "endPort": 90}]}],
                    "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 80}]}],
                }),
            ),
            Layout::AllDifferent => {
                let one = |n: usize| {
                    let values: Vec<_> = (0..10)
                        .map(|k| format!("pod-{}", (n + k * 997) % pods))
                        .collect();
                    json!({"matchExpressions": [{"key": "statefulset.kubernetes.io/pod-name",
                        "operator": "NotIn", "values": values}]})
                };
                (
                    namespace,
                    json!({
                        "podSelector": one(i),
                        "policyTypes": ["Ingress", "Egress"],
                        "ingress": [{"from": [{"namespaceSelector": team, "podSelector": one(i + 1)}],
                                     "ports": [{"port": 80}]}],
                        "egress": [{"to": [{"namespaceSelector": {}, "podSelector": one(i + 2)}]}],
                    }),
                )
            }
            Layout::Overlapping => {
                // Few enough that the way is open to some and not to others.
                let eight = |n: usize| {
                    let mix = (n as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93);
                    let labels: Vec<_> = (0..8)
                        .map(|k| json!({"key": format!("l{}", mix >> (k * 6) & 63), "operator": "Exists"}))
                        .collect();
                    json!({"matchExpressions": labels})
                };
                let both = |n: usize| {
                    json!({"matchExpressions": [
                    {"key": format!("l{}", n % 64), "operator": "Exists"},
                    {"key": format!("l{}", n / 64 % 64), "operator": "DoesNotExist"}]})
                };
                (
                    0,
                    json!({
                        "podSelector": both(i * 7),
                        "policyTypes": ["Ingress", "Egress"],
                        "ingress": [{"from": [{"podSelector": eight(i * 11)}], "ports": [{"port": 80}]}],
                        "egress": [{"to": [{"podSelector": eight(i * 13)}]}],
                    }),
                )
            }
            Layout::Addresses => (
                namespace,
                json!({
                    "podSelector": app(i / NAMESPACES),
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": [{"from": [{"ipBlock": {"cidr": format!("10.0.{}.0/24", i % 64),
                                                       "except": [format!("10.0.{}.0/28", i % 64)]}}],
                                 "ports": [{"port": "http"}]}],
                    "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"port": "http"}]}],
                }),
            ),
        }
    };
    (0..count)
        .map(|i| {
            let (namespace, spec) = spec(i);
            let object = json!({
                "kind": "NetworkPolicy",
                "metadata": {"namespace": format!("ns-{namespace}"), "name": format!("policy-{i}")},
                "spec": spec,
            });
            match Policy::from_value(&object) {
                Ok(policy) => policy,
                Err(error) => panic!("{error}"),
            }
        })
        .collect()
}

fn network(layout: Layout, pod_count: usize, policy_count: usize) -> Network {
    let namespaces = (0..NAMESPACES)
        .map(|i| {
            Namespace::from_value(&json!({"metadata": {
                "name": format!("ns-{i}"), "labels": {"team": format!("team-{}", i % 10)}}}))
        })
        .collect();
    Network::new(
        policies(layout, policy_count, pod_count),
        pods(layout, pod_count),
        namespaces,
        Vec::new(),
    )
}

fn reachability(c: &mut Criterion) {
    let layouts = [
        ("applications", Layout::Applications),
        ("all different", Layout::AllDifferent),
        ("overlapping", Layout::Overlapping),
        ("addresses", Layout::Addresses),
    ];
    for (name, layout) in layouts {
        let mut group = c.benchmark_group(name);
        for (pods, policies, ports) in [
            (10_000, 1_000, 1),
            (20_000, 1_000, 1),
            (10_000, 2_000, 1),
            (10_000, 1_000, 2),
        ] {
            let network = network(layout, pods, policies);
            let ports: Vec<Port> = (0..ports).map(|i| Port::tcp(80 + i)).collect();
            let id = format!("{pods} pods, {policies} policies, {} ports", ports.len());
            let matrix = network.matrix(&ports, &[]);
            let (open, all) = matrix.open_pairs(0);
            assert!(0 < open && open < all, "{name}: {open} of {all}");
            eprintln!(
                "{name}: {} classes, {open} of {all} pairs open",
                matrix.classes().len()
            );
            group.bench_function(BenchmarkId::new("matrix", id), |b| {
                b.iter(|| black_box(network.matrix(black_box(&ports), &[])));
            });
        }
        let network = network(layout, 10_000, 1_000);
        group.bench_function("one question", |b| {
            let (from, to) = (Endpoint::Pod(PodId(7)), Endpoint::Pod(PodId(4242)));
            b.iter(|| black_box(network.allowed(black_box(from), to, Port::tcp(80))));
        });
        group.bench_function("lint", |b| b.iter(|| black_box(network.lint()).len()));
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(300))
        .measurement_time(std::time::Duration::from_millis(2000));
    targets = reachability
}
criterion_main!(benches);
