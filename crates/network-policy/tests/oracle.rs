//! The matcher and the matrix against the reference model.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use model::Value;
use network_policy::{Endpoint, Namespace, Network, Node, Pod, PodId, Policy, Port, Protocol};
use proptest::prelude::*;
use reference_models::network_policy::Cluster;
use serde_json::{Map, json};
use std::net::IpAddr;

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

const KEYS: &[&str] = &["a", "b"];
const VALUES: &[&str] = &["x", "y", ""];
const SPACES: &[&str] = &["n1", "n2", "n3"];
const NODES: &[&str] = &["", "k1", "k2"];
const RANGES: &[&str] = &[
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.1.0/24",
    "10.0.1.2/31",
    "::/0",
    "fd00::/8",
    "203.0.113.0/24",
    "192.0.2.0/30",
];
const ADDRESSES: &[&str] = &[
    "203.0.113.7",
    "10.0.1.2",
    "10.9.9.9",
    "2001:db8::1",
    "fd00::3",
    "192.0.2.1",
    "192.0.2.2",
];

fn labels() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(one_of(KEYS), one_of(VALUES), 0..3).prop_map(|map| {
        let entries = map.into_iter().map(|(k, v)| (k.to_owned(), v.into()));
        Value::Object(entries.collect::<Map<_, _>>())
    })
}

fn selector() -> impl Strategy<Value = Value> {
    let expression = (
        one_of(KEYS),
        one_of(&["In", "NotIn", "Exists", "DoesNotExist"]),
        prop::collection::vec(one_of(VALUES), 1..3),
    )
        .prop_map(|(key, operator, values)| match operator {
            "In" | "NotIn" => json!({"key": key, "operator": operator, "values": values}),
            _ => json!({"key": key, "operator": operator}),
        });
    prop_oneof![
        2 => Just(json!({})),
        3 => labels().prop_map(|labels| json!({"matchLabels": labels})),
        2 => expression.prop_map(|one| json!({"matchExpressions": [one]})),
    ]
}

fn protocol() -> impl Strategy<Value = &'static str> {
    one_of(&["TCP", "UDP", "SCTP"])
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![
        (1u16..6).prop_map(|port| json!({"port": port})),
        (1u16..6, 0u16..4, protocol()).prop_map(|(port, more, protocol)| {
            json!({"port": port, "endPort": port + more, "protocol": protocol})
        }),
        (one_of(&["p", "q"]), protocol())
            .prop_map(|(name, protocol)| json!({"port": name, "protocol": protocol})),
        one_of(&["p", "q"]).prop_map(|name| json!({"port": name})),
        protocol().prop_map(|protocol| json!({"protocol": protocol})),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    prop_oneof![
        selector().prop_map(|pods| json!({"podSelector": pods})),
        selector().prop_map(|spaces| json!({"namespaceSelector": spaces})),
        (selector(), selector())
            .prop_map(|(pods, spaces)| json!({"podSelector": pods, "namespaceSelector": spaces})),
        (one_of(RANGES), prop::collection::vec(one_of(RANGES), 0..2))
            .prop_map(|(cidr, except)| json!({"ipBlock": {"cidr": cidr, "except": except}})),
    ]
}

fn rules(key: &'static str) -> impl Strategy<Value = Vec<Value>> {
    let rule = (
        prop::collection::vec(peer(), 0..3),
        prop::collection::vec(port(), 0..3),
    )
        .prop_map(move |(peers, ports)| json!({key: peers, "ports": ports}));
    prop::collection::vec(rule, 0..3)
}

fn policy() -> impl Strategy<Value = Value> {
    (
        one_of(SPACES),
        selector(),
        prop::sample::subsequence(vec!["Ingress", "Egress"], 0..=2),
        rules("from"),
        rules("to"),
    )
        .prop_map(|(namespace, pods, types, ingress, egress)| {
            json!({
                "kind": "NetworkPolicy",
                "metadata": {"namespace": namespace},
                "spec": {"podSelector": pods, "policyTypes": types,
                         "ingress": ingress, "egress": egress},
            })
        })
}

fn pods() -> impl Strategy<Value = Value> {
    prop_oneof![
        selector().prop_map(|spaces| json!({"namespaces": spaces})),
        (selector(), selector()).prop_map(|(spaces, pods)| {
            json!({"pods": {"namespaceSelector": spaces, "podSelector": pods}})
        }),
    ]
}

fn admin_rules(key: &'static str, pass: bool) -> impl Strategy<Value = Vec<Value>> {
    let outside = prop_oneof![
        selector().prop_map(|nodes| json!({"nodes": nodes})),
        prop::collection::vec(one_of(RANGES), 1..3).prop_map(|all| json!({"networks": all})),
        Just(json!({"domainNames": ["a.example"]})),
    ];
    let peer = if key == "to" {
        prop_oneof![20 => pods(), 10 => outside, 1 => Just(json!({"moons": {}}))].boxed()
    } else {
        prop_oneof![20 => pods(), 1 => Just(json!({"moons": {}}))].boxed()
    };
    let port = prop_oneof![
        10 => (1u16..6, protocol())
            .prop_map(|(port, p)| json!({"portNumber": {"port": port, "protocol": p}})),
        10 => (1u16..6, 0u16..4, protocol()).prop_map(|(start, more, p)| {
            json!({"portRange": {"start": start, "end": start + more, "protocol": p}})
        }),
        10 => one_of(&["p", "q"]).prop_map(|name| json!({"namedPort": name})),
        1 => Just(json!({"tide": "low"})),
    ];
    let actions: &'static [&'static str] = if pass {
        &["Allow", "Deny", "Pass"]
    } else {
        &["Allow", "Deny"]
    };
    let rule = (
        one_of(actions),
        prop::collection::vec(peer, 1..3),
        prop::collection::vec(port, 0..3),
    )
        .prop_map(
            move |(action, peers, ports)| json!({"action": action, key: peers, "ports": ports}),
        );
    prop::collection::vec(rule, 0..3)
}

fn admin() -> impl Strategy<Value = Value> {
    let spec = |pass: bool| {
        (pods(), admin_rules("from", pass), admin_rules("to", pass)).prop_map(
            |(subject, ingress, egress)| {
                json!({"subject": subject, "ingress": ingress, "egress": egress})
            },
        )
    };
    prop_oneof![
        3 => (spec(true), 0i64..3).prop_map(|(mut spec, priority)| {
            spec["priority"] = priority.into();
            json!({"kind": "AdminNetworkPolicy", "metadata": {}, "spec": spec})
        }),
        1 => spec(false).prop_map(|spec| {
            json!({"kind": "BaselineAdminNetworkPolicy", "metadata": {}, "spec": spec})
        }),
    ]
}

fn pod() -> impl Strategy<Value = Value> {
    (
        one_of(SPACES),
        labels(),
        one_of(NODES),
        prop::bool::weighted(0.2),
        prop_oneof![1 => Just(None), 4 => (0u8..6).prop_map(Some)],
        prop::bool::ANY,
        prop::collection::vec((one_of(&["p", "q"]), 1u16..6, protocol()), 0..3),
    )
        .prop_map(|(namespace, labels, node, host, address, dual, ports)| {
            let ports: Vec<_> = ports
                .into_iter()
                .map(|(name, port, protocol)| {
                    json!({"name": name, "containerPort": port, "protocol": protocol})
                })
                .collect();
            let mut ips = Vec::new();
            if let Some(address) = address {
                ips.push(json!({"ip": format!("10.0.1.{address}")}));
                if dual {
                    ips.push(json!({"ip": format!("fd00::{address}")}));
                }
            }
            // In its node's network a pod has its node's address.
            if host {
                ips = match node {
                    "k1" => vec![json!({"ip": "192.0.2.1"})],
                    "k2" => vec![json!({"ip": "192.0.2.2"})],
                    _ => Vec::new(),
                };
            }
            json!({
                "metadata": {"namespace": namespace, "labels": labels},
                "spec": {"nodeName": node, "hostNetwork": host, "containers": [{"ports": ports}]},
                "status": {"podIPs": ips},
            })
        })
}

fn cluster() -> impl Strategy<Value = Cluster> {
    (
        prop::collection::vec(policy(), 0..6),
        prop_oneof![1 => Just(Vec::new()), 1 => prop::collection::vec(admin(), 0..5)],
        prop::collection::vec(pod(), 1..8),
        prop::collection::vec(labels(), 3),
        prop::collection::vec(labels(), 2),
    )
        .prop_map(|(network, admin, pods, spaces, nodes)| {
            let named = |(at, mut value): (usize, Value)| {
                value["metadata"]["name"] = format!("o{at}").into();
                value
            };
            let policies = network.into_iter().chain(admin).enumerate();
            Cluster {
                policies: policies.map(named).collect(),
                pods: pods
                    .into_iter()
                    .enumerate()
                    .map(named)
                    .map(|p| Pod::from_value(&p))
                    .collect(),
                namespaces: SPACES
                    .iter()
                    .zip(spaces)
                    .map(|(name, labels)| {
                        Namespace::from_value(
                            &json!({"metadata": {"name": name, "labels": labels}}),
                        )
                    })
                    .collect(),
                nodes: [("k1", "192.0.2.1"), ("k2", "192.0.2.2")]
                    .into_iter()
                    .zip(nodes)
                    .map(|((name, ip), labels)| {
                        Node::from_value(&json!({
                            "metadata": {"name": name, "labels": labels},
                            "status": {"addresses": [{"address": ip}]},
                        }))
                    })
                    .collect(),
            }
        })
}

fn network(cluster: &Cluster) -> Network {
    Network::new(
        cluster
            .policies
            .iter()
            .map(|p| Policy::from_value(p).unwrap())
            .collect(),
        cluster.pods.clone(),
        cluster.namespaces.clone(),
        cluster.nodes.clone(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_question_has_the_same_answer(
        cluster in cluster(),
        ports in prop::collection::vec((protocol(), 1u16..7), 1..4),
    ) {
        let network = network(&cluster);
        let ports: Vec<Port> = ports
            .into_iter()
            .map(|(protocol, number)| Port {
                protocol: Protocol::parse(protocol).unwrap(),
                number,
            })
            .collect();
        let addresses: Vec<IpAddr> = ADDRESSES.iter().map(|ip| ip.parse().unwrap()).collect();
        let matrix = network.matrix(&ports, &addresses);
        let pods = (0..cluster.pods.len() as u32).map(|id| Endpoint::Pod(PodId(id)));
        let ends: Vec<Endpoint> = pods.chain(addresses.iter().map(|ip| Endpoint::Address(*ip))).collect();
        for (at, port) in ports.iter().enumerate() {
            let mut open = 0;
            for from in &ends {
                for to in &ends {
                    let want = cluster.allowed(*from, *to, *port);
                    let decision = network.allowed(*from, *to, *port);
                    prop_assert_eq!(decision.allowed, want, "{:?} {:?} {}: {:?}", from, to, port, decision);
                    let shown = matrix.allowed(at, *from, *to);
                    prop_assert_eq!(shown, Some(want), "matrix {:?} {:?} {}", from, to, port);
                    if let (Endpoint::Pod(a), Endpoint::Pod(b)) = (from, to) {
                        open += u64::from(want && a != b);
                    }
                }
            }
            let count = cluster.pods.len() as u64;
            prop_assert_eq!(matrix.open_pairs(at), (open, count * (count - 1)));
        }
    }
}
