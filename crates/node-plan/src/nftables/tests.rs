use super::walk::{Fate, Packet};
use super::*;
use model::Value;
use network_policy::{Endpoint, Namespace, Node, Pod, Policy, Port};
use proptest::prelude::*;
use serde_json::json;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn cidr(text: &str) -> Cidr {
    Cidr::parse(text).unwrap()
}

fn pod_ranges() -> Vec<Cidr> {
    vec![cidr("10.0.0.0/8"), cidr("fd00:1::/32")]
}

fn made(network: &Network, node: &str, services: &[nat::Service]) -> Table {
    table(&Inputs {
        network,
        node,
        metadata_allowed: &[ip("10.0.1.1")],
        services,
        pod_ranges: &pod_ranges(),
    })
}

fn packet(source: IpAddr, destination: IpAddr, port: Port) -> Packet {
    Packet {
        source,
        destination,
        protocol: Some(port.protocol),
        port: port.number,
        local: false,
        translated: false,
    }
}

const NODES: [(&str, &str); 2] = [("k1", "192.0.2.1"), ("k2", "192.0.2.2")];

/// Whether a packet gets through all the nodes on its way.
fn passes(tables: &[Table; 2], network: &Network, packet: &Packet) -> bool {
    let node_of = |ip: IpAddr| match network.endpoint(ip) {
        Endpoint::Pod(id) => network.pod(id).map(|pod| (pod.node.clone(), true)),
        Endpoint::Address(_) => NODES
            .iter()
            .find(|(_, own)| ip == self::ip(own))
            .map(|(name, _)| ((*name).to_owned(), false)),
    };
    let (source, destination) = (node_of(packet.source), node_of(packet.destination));
    NODES.iter().zip(tables).all(|((name, _), table)| {
        let here = |end: &Option<(String, bool)>| {
            end.as_ref()
                .filter(|(node, _)| node == name)
                .map(|(_, is_pod)| *is_pod)
        };
        let hook = match (here(&source), here(&destination)) {
            (None, None) => return true,
            (Some(false), Some(false)) => return true,
            (Some(false), _) => Hook::Output,
            (_, Some(false)) => Hook::Input,
            _ => Hook::Forward,
        };
        table.walk(hook, packet, 0) == Fate::Passes
    })
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(texts)
}

const RANGES: &[&str] = &[
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.0.1.2/31",
    "10.0.1.4/32",
    "::/0",
    "fd00:1::/126",
    "203.0.113.0/24",
    "192.0.2.0/30",
];

fn selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        one_of(&["x", "y"]).prop_map(|value| json!({"matchLabels": {"a": value}})),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    let protocol = || one_of(&["TCP", "UDP", "SCTP"]);
    prop_oneof![
        (1u16..5, 0u16..3, protocol()).prop_map(|(port, more, protocol)| {
            json!({"port": port, "endPort": port + more, "protocol": protocol})
        }),
        (one_of(&["p", "q"]), protocol())
            .prop_map(|(name, protocol)| json!({"port": name, "protocol": protocol})),
        protocol().prop_map(|protocol| json!({"protocol": protocol})),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    prop_oneof![
        selector().prop_map(|pods| json!({"podSelector": pods})),
        (selector(), selector())
            .prop_map(|(pods, spaces)| json!({"podSelector": pods, "namespaceSelector": spaces})),
        (one_of(RANGES), prop::collection::vec(one_of(RANGES), 0..2))
            .prop_map(|(cidr, except)| json!({"ipBlock": {"cidr": cidr, "except": except}})),
    ]
}

fn rules(key: &'static str) -> impl Strategy<Value = Vec<Value>> {
    let peers = prop::collection::vec(peer(), 0..3);
    let rule = (peers, prop::collection::vec(port(), 0..3))
        .prop_map(move |(peers, ports)| json!({key: peers, "ports": ports}));
    prop::collection::vec(rule, 0..3)
}

fn network_policy() -> impl Strategy<Value = Value> {
    let types = prop::sample::subsequence(vec!["Ingress", "Egress"], 1..=2);
    (
        one_of(&["n1", "n2"]),
        selector(),
        types,
        rules("from"),
        rules("to"),
    )
        .prop_map(|(namespace, pods, types, ingress, egress)| {
            json!({"kind": "NetworkPolicy", "metadata": {"namespace": namespace},
                "spec": {"podSelector": pods, "policyTypes": types,
                    "ingress": ingress, "egress": egress}})
        })
}

fn admin_rules(key: &'static str, pass: bool) -> impl Strategy<Value = Vec<Value>> {
    let pods = selector().prop_map(|spaces| json!({"namespaces": spaces}));
    let outside = prop_oneof![
        selector().prop_map(|nodes| json!({"nodes": nodes})),
        one_of(RANGES).prop_map(|range| json!({"networks": [range]})),
    ];
    let peer = if key == "to" {
        prop_oneof![2 => pods, 1 => outside].boxed()
    } else {
        prop_oneof![20 => pods, 1 => Just(json!({"moons": {}}))].boxed()
    };
    let port = prop_oneof![
        (1u16..5).prop_map(|port| json!({"portNumber": {"port": port, "protocol": "TCP"}})),
        one_of(&["p", "q"]).prop_map(|name| json!({"namedPort": name})),
    ];
    let actions: &'static [&'static str] = if pass {
        &["Allow", "Deny", "Pass"]
    } else {
        &["Allow", "Deny"]
    };
    let peers = prop::collection::vec(peer, 1..3);
    let rule = (one_of(actions), peers, prop::collection::vec(port, 0..2)).prop_map(
        move |(action, peers, ports)| json!({"action": action, key: peers, "ports": ports}),
    );
    prop::collection::vec(rule, 0..3)
}

fn admin() -> impl Strategy<Value = Value> {
    let spec = |pass: bool| {
        (selector(), admin_rules("from", pass), admin_rules("to", pass)).prop_map(
            |(spaces, ingress, egress)| {
                json!({"subject": {"namespaces": spaces}, "ingress": ingress, "egress": egress})
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
    let port = (one_of(&["p", "q"]), 1u16..5, one_of(&["TCP", "UDP"])).prop_map(
        |(name, port, protocol)| json!({"name": name, "containerPort": port, "protocol": protocol}),
    );
    let ports = prop::collection::vec(port, 0..3);
    (
        one_of(&["n1", "n2"]),
        one_of(&["x", "y"]),
        one_of(&["k1", "k2"]),
        0u8..6,
        any::<bool>(),
        ports,
    )
        .prop_map(|(namespace, label, node, address, dual, ports)| {
            let mut ips = vec![json!({"ip": format!("10.0.1.{address}")})];
            if dual {
                ips.push(json!({"ip": format!("fd00:1::{address}")}));
            }
            json!({"metadata": {"namespace": namespace, "labels": {"a": label}},
                "spec": {"nodeName": node, "containers": [{"ports": ports}]},
                "status": {"podIPs": ips}})
        })
}

fn network() -> impl Strategy<Value = Network> {
    (
        prop::collection::vec(network_policy(), 0..5),
        prop::collection::vec(admin(), 0..4),
        prop::collection::vec(pod(), 1..7),
        prop::collection::vec(one_of(&["x", "y"]), 4),
    )
        .prop_map(|(policies, admin, pods, labels)| {
            let named = |(at, mut object): (usize, Value)| {
                object["metadata"]["name"] = format!("o{at}").into();
                object
            };
            let policies = policies.into_iter().chain(admin).enumerate().map(named);
            let policies = policies.map(|policy| Policy::from_value(&policy).unwrap()).collect();
            let pods = pods.into_iter().enumerate().map(named);
            let labelled = |name: &str, label: &str| {
                json!({"metadata": {"name": name, "labels": {"a": label}}})
            };
            let spaces = ["n1", "n2"].iter().zip(&labels);
            let nodes = NODES.iter().zip(labels.iter().skip(2)).map(|((name, ip), label)| {
                let mut node = labelled(name, label);
                node["status"] = json!({"addresses": [{"address": ip}]});
                Node::from_value(&node)
            });
            Network::new(
                policies,
                pods.map(|pod| Pod::from_value(&pod)).collect(),
                spaces.map(|(name, l)| Namespace::from_value(&labelled(name, l))).collect(),
                nodes.collect(),
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Every packet fares in the filters of the nodes on its way as the analyst says.
    #[test]
    fn the_filter_decides_as_the_analyst(
        network in network(),
        protocol in prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]),
        number in 1u16..6,
    ) {
        let tables = NODES.map(|(node, _)| made(&network, node, &[]));
        let port = Port { protocol, number };
        let outside = ["203.0.113.7", "2001:db8::1", "192.0.2.1", "192.0.2.2", "10.9.9.9"];
        let pods = network.pods().iter().flat_map(|pod| pod.addresses.iter().copied());
        let ends: Vec<IpAddr> = pods.chain(outside.map(ip)).collect();
        for source in &ends {
            for destination in ends.iter().filter(|ip| ip.is_ipv4() == source.is_ipv4()) {
                let packet = packet(*source, *destination, port);
                let decision = network.allowed(
                    network.endpoint(*source),
                    network.endpoint(*destination),
                    port,
                );
                let passes = passes(&tables, &network, &packet);
                prop_assert_eq!(passes, decision.allowed, "{:?} {:?}", packet, decision);
            }
        }
        for table in tables {
            // Whatever is asked is there, and every chain is rendered.
            let script = render(&table);
            for (name, rules) in &table.chains {
                prop_assert!(script.contains(&format!("chain {name} {{")), "{}", name);
                for rule in rules {
                    if let Verdict::Jump(other) | Verdict::Goto(other) = &rule.verdict {
                        prop_assert!(table.chains.contains_key(other));
                    }
                }
            }
        }
    }
}

#[test]
fn metadata_is_closed_but_for_those_who_may() {
    let table = made(&Network::default(), "k1", &[]);
    for (source, destination, want) in [
        ("10.0.1.2", "169.254.169.254", false),
        ("10.0.1.1", "169.254.169.254", true),
        ("fd00:1::5", "fd00:ec2::254", false),
        ("10.0.1.2", "169.254.169.253", true),
        ("192.0.2.1", "169.254.169.254", true),
    ] {
        for hook in [Hook::Forward, Hook::Input] {
            let packet = packet(ip(source), ip(destination), Port::tcp(80));
            assert_eq!(
                table.walk(hook, &packet, 0) == Fate::Passes,
                want,
                "{source} {destination}"
            );
        }
    }
}

fn services() -> Vec<nat::Service> {
    let service = |name: &str, spec: Value| json!({"metadata": {"namespace": "n", "name": name}, "spec": spec});
    let slice = |name: &str, endpoints: Value| {
        json!({"metadata": {"namespace": "n", "name": "x",
            "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": "http", "port": 8080}], "endpoints": endpoints})
    };
    let port = json!([{"name": "http", "port": 80, "nodePort": 30080}]);
    nat::services(
        &[
            service(
                "web",
                json!({"clusterIP": "172.16.0.1", "clusterIPs": ["172.16.0.1", "fd00:2::1"],
                "externalIPs": ["198.51.100.1"], "ports": port}),
            ),
            service(
                "empty",
                json!({"clusterIP": "172.16.0.2", "ports": [{"port": 80}]}),
            ),
            service(
                "near",
                json!({"clusterIP": "172.16.0.3", "internalTrafficPolicy": "Local",
                "ports": [{"name": "http", "port": 80}]}),
            ),
            service("headless", json!({"clusterIP": "None", "ports": port})),
        ],
        &[
            slice(
                "web",
                json!([{"addresses": ["10.0.1.1"]}, {"addresses": ["10.0.1.2"]},
                {"addresses": ["10.0.1.3"], "conditions": {"ready": false}},
                {"addresses": ["fd00:1::2"]}]),
            ),
            slice(
                "near",
                json!([{"addresses": ["10.0.1.1"], "nodeName": "k1"},
                {"addresses": ["10.0.1.2"], "nodeName": "k2"}]),
            ),
        ],
        "k1",
    )
}

#[test]
fn services_lead_to_what_is_behind_them() {
    let table = made(&Network::default(), "k1", &services());
    let led = |destination: &str, number: u16, local: bool, chance: usize| {
        let packet = Packet {
            local,
            ..packet(ip("10.0.9.9"), ip(destination), Port::tcp(number))
        };
        match table.walk(Hook::Prerouting, &packet, chance) {
            Fate::Changed(Rule {
                verdict: Verdict::Dnat { address, port },
                ..
            }) => {
                format!("{address} {port}")
            }
            Fate::Passes => "passes".to_owned(),
            other => panic!("{other:?}"),
        }
    };
    for (destination, port, local, chance, want) in [
        ("172.16.0.1", 80, false, 0, "10.0.1.1 8080"),
        ("172.16.0.1", 80, false, 1, "10.0.1.2 8080"),
        ("fd00:2::1", 80, false, 0, "fd00:1::2 8080"),
        ("198.51.100.1", 80, false, 3, "10.0.1.2 8080"),
        ("192.0.2.1", 30080, true, 0, "10.0.1.1 8080"),
        ("192.0.2.9", 30080, false, 0, "passes"),
        ("172.16.0.3", 80, false, 5, "10.0.1.1 8080"),
        ("172.16.0.1", 81, false, 0, "passes"),
    ] {
        assert_eq!(
            led(destination, port, local, chance),
            want,
            "{destination}:{port}"
        );
    }
    let refused = packet(ip("10.0.9.9"), ip("172.16.0.2"), Port::tcp(80));
    let fate = table.walk(Hook::Forward, &refused, 0);
    assert!(matches!(
        fate,
        Fate::Stopped(Rule {
            verdict: Verdict::Reject,
            ..
        })
    ));
}

#[test]
fn sources_are_changed_where_answers_would_get_lost() {
    let table = made(&Network::default(), "k1", &services());
    for (source, destination, translated, want) in [
        ("10.0.9.9", "10.0.1.1", false, false),
        ("10.0.9.9", "10.0.1.1", true, false),
        ("10.0.1.1", "10.0.1.1", true, true),
        ("10.0.1.1", "203.0.113.1", false, true),
        ("203.0.113.1", "10.0.1.1", true, true),
        ("203.0.113.1", "10.0.1.1", false, false),
    ] {
        let packet = Packet {
            translated,
            ..packet(ip(source), ip(destination), Port::tcp(8080))
        };
        let changed = table.walk(Hook::Postrouting, &packet, 0) != Fate::Passes;
        assert_eq!(changed, want, "{source} {destination} {translated}");
    }
}

#[test]
fn host_ports_lead_to_their_pod() {
    let pod = json!({"metadata": {"namespace": "n", "name": "p"}, "spec": {"containers": [
        {"ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81},
            {"containerPort": 53, "hostPort": 5353, "protocol": "UDP", "hostIP": "192.0.2.1"}]}]},
        "status": {"podIPs": [{"ip": "10.0.1.1"}]}});
    let ports = nat::host_ports(&[pod]);
    let frontends: Vec<nat::Frontend> = ports.iter().flat_map(|p| p.frontends.clone()).collect();
    assert_eq!(
        frontends,
        [
            nat::Frontend::Node(8080),
            nat::Frontend::Address(ip("192.0.2.1"), 5353)
        ]
    );
    assert!(
        ports
            .iter()
            .all(|port| port.local && port.backends.len() == 1)
    );
}

#[test]
fn the_script() {
    let policy = json!({"kind": "NetworkPolicy", "metadata": {"namespace": "n", "name": "web"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{
            "from": [{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.9/32"]}}],
            "ports": [{"port": 80}, {"port": 81}, {"port": 90, "endPort": 99, "protocol": "UDP"}]}]}});
    let pod = json!({"metadata": {"namespace": "n", "name": "p"},
        "spec": {"nodeName": "k1"}, "status": {"podIPs": [{"ip": "10.0.1.1"}]}});
    let network = Network::new(
        vec![Policy::from_value(&policy).unwrap()],
        vec![Pod::from_value(&pod)],
        vec![],
        vec![],
    );
    let script = render(&made(&network, "k1", &services()));
    for line in [
        "add table inet rampart",
        "delete table inet rampart",
        "    type filter hook forward priority filter; policy accept;",
        "add rule inet rampart forward ct state established,related accept comment \"connections \
         that were let through go on\"",
        "add rule inet rampart forward ip daddr { 10.0.1.1/32 } jump ingress-0 comment \"n/p\"",
        "add rule inet rampart ingress-0 goto ingress-0-network",
        "add rule inet rampart ingress-0-network ip saddr { 203.0.113.0/24 } ip saddr != \
         { 203.0.113.9/32 } tcp dport { 80-81 } return comment \"NetworkPolicy n/web \
         spec.ingress[0]\"",
        "add rule inet rampart ingress-0-network ip saddr { 203.0.113.0/24 } ip saddr != \
         { 203.0.113.9/32 } udp dport { 90-99 } return comment \"NetworkPolicy n/web \
         spec.ingress[0]\"",
        "add rule inet rampart ingress-0-network drop comment \"NetworkPolicy n/web\"",
        "add rule inet rampart service-0-0 numgen random mod 2 vmap { 0 : goto service-0-0-0, \
         1 : goto service-0-0-1 } comment \"n/web\"",
        "add rule inet rampart service-0-0-0 meta l4proto tcp dnat ip to 10.0.1.1:8080 comment \
         \"n/web\"",
    ] {
        assert!(script.lines().any(|own| own == line), "{line}\n{script}");
    }
}
