//! The recipes of upstream's documentation, and its words on what fields mean, as tables.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use model::Value;
use network_policy::{
    Because, Direction, Endpoint, Namespace, Network, Node, Pod, Policy, Port, Protocol,
};
use serde_json::json;
use std::net::IpAddr;

fn pod(namespace: &str, name: &str, labels: Value, ip: &str, node: &str) -> Pod {
    Pod::from_value(&json!({
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"nodeName": node, "containers": [{"ports": [
            {"name": "http", "containerPort": if name == "db" { 8080 } else { 80 }},
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
        ]}]},
        "status": {"podIP": ip},
    }))
}

/// `app/db`, `app/web`, `app/batch`, `ops/monitor`, `ops/web`, and `ops/agent` in the network of
/// node `n1`, where `app/db` runs; `n2` runs the others.
fn network(policies: &[Value]) -> Network {
    let policies = policies
        .iter()
        .map(|p| Policy::from_value(p).unwrap_or_else(|e| panic!("{e}")))
        .collect();
    let mut agent = pod("ops", "agent", json!({"role": "agent"}), "192.0.2.1", "n1");
    agent.host_network = true;
    let namespace = |name: &str, labels: Value| {
        Namespace::from_value(&json!({"metadata": {"name": name, "labels": labels}}))
    };
    let node = |name: &str, ip: &str, zone: &str| {
        Node::from_value(&json!({
            "metadata": {"name": name, "labels": {"zone": zone}},
            "status": {"addresses": [{"type": "InternalIP", "address": ip}]},
        }))
    };
    Network::new(
        policies,
        vec![
            pod("app", "db", json!({"role": "db"}), "10.0.1.1", "n1"),
            pod("app", "web", json!({"role": "web"}), "10.0.1.2", "n2"),
            pod("app", "batch", json!({"role": "batch"}), "10.0.1.3", "n2"),
            pod(
                "ops",
                "monitor",
                json!({"role": "monitor"}),
                "10.0.2.1",
                "n2",
            ),
            pod("ops", "web", json!({"role": "web"}), "10.0.2.2", "n2"),
            agent,
        ],
        vec![
            namespace("app", json!({"team": "app"})),
            namespace("ops", json!({"team": "ops"})),
        ],
        vec![
            node("n1", "192.0.2.1", "east"),
            node("n2", "192.0.2.2", "west"),
        ],
    )
}

fn end(network: &Network, text: &str) -> Endpoint {
    match text.split_once('/') {
        Some((namespace, name)) => Endpoint::Pod(network.find_pod(namespace, name).expect(text)),
        None => network.endpoint(text.parse::<IpAddr>().expect(text)),
    }
}

fn port(text: &str) -> Port {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "TCP"));
    Port {
        protocol: Protocol::parse(protocol).unwrap(),
        number: number.parse().unwrap(),
    }
}

/// Checks questions written as `from to port`, those in `yes` and those in `no`.
fn check(policies: &[Value], yes: &[&str], no: &[&str]) {
    let network = network(policies);
    for (questions, want) in [(yes, true), (no, false)] {
        for question in questions {
            let [from, to, number] = question.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{question}");
            };
            let decision = network.allowed(end(&network, from), end(&network, to), port(number));
            assert_eq!(decision.allowed, want, "{question}: {decision:?}");
            assert!(!decision.is_uncertain(), "{question}");
        }
    }
}

fn policy(spec: Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": "app", "name": "p"},
        "spec": spec,
    })
}

fn admin(name: &str, priority: i64, spec: Value) -> Value {
    let mut spec = spec;
    spec["priority"] = priority.into();
    json!({
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "AdminNetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    })
}

fn baseline(spec: Value) -> Value {
    json!({
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "BaselineAdminNetworkPolicy",
        "metadata": {"name": "default"},
        "spec": spec,
    })
}

#[test]
fn without_policies_everything_is_allowed() {
    check(
        &[],
        &[
            "app/web app/db 5432",
            "203.0.113.1 app/db 1/SCTP",
            "app/db 2001:db8::1 443/UDP",
        ],
        &[],
    );
}

#[test]
fn default_deny_ingress() {
    check(
        &[policy(
            json!({"podSelector": {}, "policyTypes": ["Ingress"]}),
        )],
        &[
            "app/web ops/web 80",
            "app/web 203.0.113.1 443",
            "ops/monitor ops/web 80",
        ],
        &[
            "app/web app/db 5432",
            "ops/web app/db 80",
            "203.0.113.1 app/web 80",
        ],
    );
}

#[test]
fn default_deny_egress() {
    check(
        &[policy(
            json!({"podSelector": {}, "policyTypes": ["Egress"]}),
        )],
        &["ops/web app/db 80", "203.0.113.1 app/db 80"],
        &[
            "app/web app/db 5432",
            "app/web ops/web 80",
            "app/web 2001:db8::1 443",
        ],
    );
}

#[test]
fn an_empty_rule_allows_all_and_no_rule_none() {
    for (types, all) in [
        (json!(["Ingress"]), "ingress"),
        (json!(["Egress"]), "egress"),
    ] {
        check(
            &[policy(
                json!({"podSelector": {}, "policyTypes": types, all: [{}]}),
            )],
            &[
                "app/web app/db 1",
                "203.0.113.1 app/db 9/SCTP",
                "app/db 203.0.113.1 9/UDP",
            ],
            &[],
        );
    }
    // Empty lists of peers or ports are as good as none.
    check(
        &[policy(
            json!({"podSelector": {}, "ingress": [{"from": [], "ports": []}]}),
        )],
        &["203.0.113.1 app/db 1"],
        &[],
    );
    check(
        &[policy(json!({"podSelector": {}, "ingress": []}))],
        &["app/db 203.0.113.1 1"],
        &["203.0.113.1 app/db 1"],
    );
}

#[test]
fn policy_types_follow_from_the_rules() {
    let deny_in = ["ops/web app/db 80"];
    let deny_out = ["app/web ops/web 80"];
    for (spec, closed_in, closed_out) in [
        (json!({"podSelector": {}}), true, false),
        (json!({"podSelector": {}, "egress": []}), true, false),
        (
            json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]}),
            true,
            true,
        ),
        (json!({"podSelector": {}, "policyTypes": []}), true, false),
        (
            json!({"podSelector": {}, "policyTypes": ["Egress"], "ingress": [{}]}),
            false,
            true,
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}),
            true,
            false,
        ),
    ] {
        let network = network(&[policy(spec.clone())]);
        for (questions, closed) in [(deny_in, closed_in), (deny_out, closed_out)] {
            let [from, to, number] = questions[0].split(' ').collect::<Vec<_>>()[..] else {
                panic!();
            };
            let decision = network.allowed(end(&network, from), end(&network, to), port(number));
            assert_eq!(decision.allowed, !closed, "{spec} {questions:?}");
        }
    }
}

#[test]
fn peers() {
    for (from, yes, no) in [
        // Pods of the policy's own namespace.
        (
            json!([{"podSelector": {"matchLabels": {"role": "web"}}}]),
            &["app/web app/db 1"][..],
            &[
                "ops/web app/db 1",
                "app/batch app/db 1",
                "203.0.113.1 app/db 1",
            ][..],
        ),
        (
            json!([{"podSelector": {}}]),
            &["app/web app/db 1", "app/batch app/db 1"],
            &["ops/web app/db 1", "192.0.2.2 app/db 1"],
        ),
        // All pods of namespaces.
        (
            json!([{"namespaceSelector": {"matchLabels": {"team": "ops"}}}]),
            &["ops/web app/db 1", "ops/monitor app/db 1"],
            &["app/web app/db 1", "203.0.113.1 app/db 1"],
        ),
        (
            json!([{"namespaceSelector": {}}]),
            &["ops/web app/db 1", "app/web app/db 1"],
            &["203.0.113.1 app/db 1", "192.0.2.2 app/db 1"],
        ),
        (
            json!([{"namespaceSelector": {"matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ops"]}
            ]}}]),
            &["ops/web app/db 1"],
            &["app/web app/db 1"],
        ),
        // Both in one peer: pods of that label in those namespaces.
        (
            json!([{
                "namespaceSelector": {"matchLabels": {"team": "ops"}},
                "podSelector": {"matchLabels": {"role": "web"}},
            }]),
            &["ops/web app/db 1"],
            &["app/web app/db 1", "ops/monitor app/db 1"],
        ),
        // Both in two peers: either.
        (
            json!([
                {"namespaceSelector": {"matchLabels": {"team": "ops"}}},
                {"podSelector": {"matchLabels": {"role": "web"}}},
            ]),
            &[
                "ops/web app/db 1",
                "app/web app/db 1",
                "ops/monitor app/db 1",
            ],
            &["app/batch app/db 1"],
        ),
        // Addresses, with exceptions; pods by theirs.
        (
            json!([{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.128/25"]}}]),
            &["203.0.113.1 app/db 1"],
            &[
                "203.0.113.200 app/db 1",
                "app/web app/db 1",
                "2001:db8::1 app/db 1",
            ],
        ),
        (
            json!([{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.2.0/24"]}}]),
            &["app/web app/db 1"],
            &["ops/web app/db 1", "203.0.113.1 app/db 1"],
        ),
        (
            json!([{"ipBlock": {"cidr": "2001:db8::/32"}}]),
            &["2001:db8::1 app/db 1"],
            &["2001:db9::1 app/db 1", "203.0.113.1 app/db 1"],
        ),
    ] {
        let spec = json!({
            "podSelector": {"matchLabels": {"role": "db"}},
            "ingress": [{"from": from}],
        });
        check(&[policy(spec)], yes, no);
        // The same peers on the way out, with the questions turned round.
        let spec = json!({
            "podSelector": {"matchLabels": {"role": "db"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": from}],
        });
        let turned = |questions: &[&str]| -> Vec<String> {
            questions
                .iter()
                .map(|q| {
                    let parts: Vec<_> = q.split(' ').collect();
                    format!("{} {} {}", parts[1], parts[0], parts[2])
                })
                .collect()
        };
        let (yes, no) = (turned(yes), turned(no));
        check(
            &[policy(spec)],
            &yes.iter().map(String::as_str).collect::<Vec<_>>(),
            &no.iter().map(String::as_str).collect::<Vec<_>>(),
        );
    }
}

#[test]
fn ports() {
    for (ports, yes, no) in [
        (
            json!([{"port": 80}]),
            &["ops/web app/db 80"][..],
            &["ops/web app/db 81", "ops/web app/db 80/UDP"][..],
        ),
        (
            json!([{"port": 80, "protocol": "SCTP"}]),
            &["ops/web app/db 80/SCTP"],
            &["ops/web app/db 80"],
        ),
        (
            json!([{"protocol": "UDP"}]),
            &["ops/web app/db 1/UDP", "ops/web app/db 65535/UDP"],
            &["ops/web app/db 1"],
        ),
        (
            json!([{}]),
            &["ops/web app/db 1"],
            &["ops/web app/db 1/UDP"],
        ),
        (
            json!([{"port": 32000, "endPort": 32768}]),
            &["ops/web app/db 32000", "ops/web app/db 32768"],
            &["ops/web app/db 31999", "ops/web app/db 32769"],
        ),
        (
            json!([{"port": 80, "endPort": 79}]),
            &[],
            &["ops/web app/db 80", "ops/web app/db 79"],
        ),
        // Names are the destination's: 8080 of `db`, 80 of the others.
        (
            json!([{"port": "http"}]),
            &["ops/web app/db 8080", "ops/web app/web 80"],
            &["ops/web app/db 80", "ops/web app/web 8080"],
        ),
        (
            json!([{"port": "dns"}]),
            &[],
            &["ops/web app/db 53/UDP", "ops/web app/db 53"],
        ),
        (
            json!([{"port": "dns", "protocol": "UDP"}]),
            &["ops/web app/db 53/UDP"],
            &["ops/web app/db 53"],
        ),
        (
            json!([{"port": 1}, {"port": 2}]),
            &["ops/web app/db 1", "ops/web app/db 2"],
            &["ops/web app/db 3"],
        ),
    ] {
        let spec = json!({"podSelector": {}, "ingress": [{"ports": ports}]});
        check(&[policy(spec)], yes, no);
    }
}

#[test]
fn port_names_on_the_way_out_are_the_destinations() {
    let spec = json!({
        "podSelector": {"matchLabels": {"role": "web"}},
        "policyTypes": ["Egress"],
        "egress": [{"ports": [{"port": "http"}]}],
    });
    check(
        &[policy(spec)],
        &["app/web app/db 8080", "app/web ops/web 80"],
        &[
            "app/web app/db 80",
            "app/web 203.0.113.1 80",
            "app/web ops/agent 80",
        ],
    );
}

#[test]
fn policies_add_up() {
    let one = policy(json!({"podSelector": {}, "policyTypes": ["Ingress"]}));
    let mut two = policy(json!({
        "podSelector": {"matchLabels": {"role": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "web"}}}],
                     "ports": [{"port": 5432}]}],
    }));
    two["metadata"]["name"] = "q".into();
    check(
        &[one, two],
        &["app/web app/db 5432"],
        &[
            "app/web app/db 80",
            "app/batch app/db 5432",
            "app/db app/web 5432",
        ],
    );
}

#[test]
fn both_ends_have_a_say() {
    let spec = json!({
        "podSelector": {"matchLabels": {"role": "web"}},
        "policyTypes": ["Egress"],
        "egress": [{"to": [{"podSelector": {"matchLabels": {"role": "db"}}}]}],
    });
    let mut closed = policy(json!({"podSelector": {"matchLabels": {"role": "db"}}}));
    closed["metadata"]["name"] = "closed".into();
    check(&[policy(spec.clone())], &["app/web app/db 1"], &[]);
    check(&[policy(spec), closed], &[], &["app/web app/db 1"]);
}

#[test]
fn itself_and_its_own_node() {
    let closed = policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    check(
        &[closed],
        &[
            "app/db app/db 1",
            "app/db 10.0.1.1 1",
            // `db` runs on n1: the node, its address and the pods in its network are let through.
            "192.0.2.1 app/db 10250",
            "app/db 192.0.2.1 10250",
            "ops/agent app/db 1",
            "app/db ops/agent 1",
        ],
        &[
            "192.0.2.2 app/db 1",
            "ops/agent app/web 1",
            "app/web ops/agent 1",
        ],
    );
}

#[test]
fn pods_in_their_nodes_network_are_their_node() {
    let by_label = policy(json!({
        "podSelector": {},
        "ingress": [{"from": [{"namespaceSelector": {}}]}],
    }));
    check(
        &[by_label],
        &["ops/web app/web 1"],
        &["ops/agent app/web 1"],
    );
    let by_address = policy(json!({
        "podSelector": {},
        "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}],
    }));
    check(
        &[by_address],
        &["ops/agent app/web 1"],
        &["ops/web app/web 1"],
    );
    // Nor do policies apply to them.
    let mut on_agent = policy(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    on_agent["metadata"]["namespace"] = "ops".into();
    check(
        &[on_agent],
        &["203.0.113.1 ops/agent 1", "ops/agent 203.0.113.1 1"],
        &["203.0.113.1 ops/web 1"],
    );
}

#[test]
fn admin_rules_come_first_and_in_order() {
    let all = json!({"namespaces": {}});
    let web =
        json!({"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "web"}}}});
    let open = policy(json!({"podSelector": {}, "ingress": [{}]}));
    let closed = policy(json!({"podSelector": {}}));
    let rule = |action: &str, peer: &Value| json!({"action": action, "from": [peer]});
    let of = |priority: i64, name: &str, rules: Value| {
        admin(
            name,
            priority,
            json!({"subject": {"namespaces": {}}, "ingress": rules}),
        )
    };
    // Deny beats what a NetworkPolicy allows.
    check(
        &[open.clone(), of(5, "a", json!([rule("Deny", &web)]))],
        &["app/batch app/db 1", "203.0.113.1 app/db 1"],
        &["app/web app/db 1"],
    );
    // Allow beats isolation.
    check(
        &[closed.clone(), of(5, "a", json!([rule("Allow", &web)]))],
        &["app/web app/db 1"],
        &["app/batch app/db 1"],
    );
    // Pass leaves it to the NetworkPolicies, past later rules and policies.
    check(
        &[
            open,
            of(5, "a", json!([rule("Pass", &web), rule("Deny", &all)])),
        ],
        &["app/web app/db 1"],
        &["app/batch app/db 1"],
    );
    check(
        &[
            closed,
            of(1, "b", json!([rule("Pass", &web)])),
            of(5, "a", json!([rule("Allow", &all)])),
        ],
        &["app/batch app/db 1"],
        &["app/web app/db 1"],
    );
    // The lower priority is asked first, whatever the names say.
    check(
        &[
            of(10, "a", json!([rule("Deny", &all)])),
            of(9, "b", json!([rule("Allow", &web)])),
        ],
        &["app/web app/db 1"],
        &["app/batch app/db 1"],
    );
}

#[test]
fn the_baseline_comes_last() {
    let deny = baseline(json!({
        "subject": {"namespaces": {}},
        "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
    }));
    let open = policy(json!({"podSelector": {"matchLabels": {"role": "db"}}, "ingress": [{}]}));
    check(
        &[deny, open],
        &["app/web app/db 1", "203.0.113.1 app/web 1"],
        &["app/db app/web 1", "ops/web ops/monitor 1"],
    );
}

#[test]
fn peers_and_ports_of_admin_egress() {
    let deny = |to: Value, ports: Value| {
        admin(
            "a",
            1,
            json!({"subject": {"namespaces": {"matchLabels": {"team": "app"}}},
                   "egress": [{"action": "Deny", "to": [to], "ports": ports}]}),
        )
    };
    check(
        &[deny(
            json!({"networks": ["203.0.113.0/24", "10.0.2.0/24"]}),
            json!(null),
        )],
        &[
            "app/web 198.51.100.1 1",
            "app/web app/db 1",
            "ops/web 203.0.113.1 1",
        ],
        &["app/web 203.0.113.1 1", "app/web ops/web 1"],
    );
    check(
        &[deny(
            json!({"nodes": {"matchLabels": {"zone": "east"}}}),
            json!(null),
        )],
        &["app/web 192.0.2.2 1", "app/web ops/web 1"],
        &[
            "app/web 192.0.2.1 1",
            "app/web ops/agent 1",
            "app/db ops/agent 1",
        ],
    );
    check(
        &[deny(
            json!({"namespaces": {}}),
            json!([{"portNumber": {"protocol": "TCP", "port": 1}},
                   {"portRange": {"protocol": "UDP", "start": 5, "end": 7}},
                   {"namedPort": "dns"}]),
        )],
        &[
            "app/web ops/web 2",
            "app/web ops/web 1/UDP",
            "app/web ops/web 8/UDP",
        ],
        &[
            "app/web ops/web 1",
            "app/web ops/web 5/UDP",
            "app/web ops/web 7/UDP",
            "app/web ops/web 53/UDP",
        ],
    );
}

#[test]
fn unknown_peers_fail_closed() {
    for (action, allowed) in [("Allow", false), ("Deny", false), ("Pass", false)] {
        let policies = [
            policy(json!({"podSelector": {}})),
            admin(
                "a",
                1,
                json!({"subject": {"namespaces": {}}, "ingress": [
                    {"action": action, "from": [{"namespaces": {}}, {"planets": {}}]}]}),
            ),
        ];
        let network = network(&policies);
        let ask = |to: &str| {
            let (from, to) = (end(&network, "ops/web"), end(&network, to));
            network.allowed(from, to, Port::tcp(1))
        };
        assert_eq!(ask("app/db").allowed, allowed, "{action}");
        // Where nothing isolates, an Allow that matches nothing changes nothing.
        assert_eq!(ask("ops/monitor").allowed, action == "Allow", "{action}");
    }
}

#[test]
fn reasons() {
    let network = network(&[policy(json!({
        "podSelector": {"matchLabels": {"role": "db"}},
        "ingress": [
            {"ports": [{"port": 1}]},
            {"from": [{"podSelector": {"matchLabels": {"role": "batch"}}},
                      {"podSelector": {"matchLabels": {"role": "web"}}}],
             "ports": [{"port": 4}, {"port": 5}]},
        ],
    }))]);
    let (web, db) = (end(&network, "app/web"), end(&network, "app/db"));
    let yes = network.allowed(web, db, Port::tcp(5));
    assert_eq!(yes.egress.because, Because::NotIsolated);
    assert!(!yes.egress.isolated && yes.ingress.isolated);
    let Because::Rule(rule) = yes.ingress.because else {
        panic!("{yes:?}");
    };
    assert_eq!((rule.rule, rule.peer, rule.port), (1, Some(1), Some(1)));
    let no = network.allowed(web, db, Port::tcp(6));
    let Because::Isolated(by) = &no.ingress.because else {
        panic!("{no:?}");
    };
    assert_eq!(network.policy(by[0]).unwrap().name, "p");
    let Endpoint::Pod(db) = db else { panic!() };
    assert_eq!(network.isolated_by(db, Direction::Ingress).len(), 1);
    assert!(network.isolated_by(db, Direction::Egress).is_empty());
}

#[test]
fn what_hangs_on_an_unknown_address_is_uncertain() {
    let open = |cidr: &str, except: Value| {
        policy(json!({"podSelector": {}, "ingress": [
            {"from": [{"ipBlock": {"cidr": cidr, "except": except}}]}]}))
    };
    for (policy, allowed, uncertain) in [
        (open("0.0.0.0/0", json!([])), true, false),
        (open("0.0.0.0/0", json!(["10.0.0.0/8"])), false, true),
        (open("10.0.0.0/8", json!([])), false, true),
        (open("169.254.169.254/32", json!([])), false, false),
    ] {
        let policy = Policy::from_value(&policy).unwrap();
        let nowhere = |name: &str| pod("app", name, json!({}), "", "");
        let network = Network::new(
            vec![policy],
            vec![nowhere("a"), nowhere("b")],
            Vec::new(),
            Vec::new(),
        );
        let (a, b) = (end(&network, "app/a"), end(&network, "app/b"));
        let decision = network.allowed(a, b, Port::tcp(1));
        assert_eq!(decision.allowed, allowed);
        assert_eq!(decision.is_uncertain(), uncertain);
    }
}

#[test]
fn what_an_api_server_refuses_is_refused_with_its_place() {
    for (spec, field) in [
        (json!({"policyTypes": ["Outgress"]}), "spec.policyTypes[0]"),
        (json!({"ingress": {}}), "spec.ingress"),
        (json!({"ingress": ["x"]}), "spec.ingress[0]"),
        (json!({"podSelector": []}), "spec.podSelector"),
        (
            json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}}),
            "spec.podSelector",
        ),
        (
            json!({"ingress": [{"from": [{}]}]}),
            "spec.ingress[0].from[0]",
        ),
        (
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0"}}]}]}),
            "spec.egress[0].to[0].ipBlock.cidr",
        ),
        (
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "::/0", "except": ["x"]}}]}]}),
            "spec.egress[0].to[0].ipBlock.except[0]",
        ),
        (
            json!({"egress": [{"to": [{"ipBlock": {"cidr": "::/0"}, "podSelector": {}}]}]}),
            "spec.egress[0].to[0]",
        ),
        (
            json!({"ingress": [{"ports": [{"port": 0}]}]}),
            "spec.ingress[0].ports[0].port",
        ),
        (
            json!({"ingress": [{"ports": [{"port": 70000}]}]}),
            "spec.ingress[0].ports[0].port",
        ),
        (
            json!({"ingress": [{"ports": [{"protocol": "ICMP"}]}]}),
            "spec.ingress[0].ports[0].protocol",
        ),
        (
            json!({"ingress": [{"ports": [{"port": "http", "endPort": 2}]}]}),
            "spec.ingress[0].ports[0].endPort",
        ),
    ] {
        let refused = Policy::from_value(&policy(spec.clone())).expect_err(&spec.to_string());
        assert_eq!(refused.field, field, "{spec}");
    }
    for (spec, field) in [
        (json!({"subject": {}}), "spec.subject"),
        (
            json!({"subject": {"namespaces": {}}, "ingress": [{"action": "Log"}]}),
            "spec.ingress[0].action",
        ),
        (
            json!({"subject": {"namespaces": {}}, "ingress": [{"action": "Deny"}]}),
            "spec.ingress[0].from",
        ),
    ] {
        let refused = Policy::from_value(&admin("a", 1, spec.clone())).expect_err("refused");
        assert_eq!(refused.field, field, "{spec}");
    }
    assert!(Policy::from_value(&json!(null)).is_err());
}
