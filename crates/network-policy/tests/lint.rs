//! What the lint finds, and what it leaves alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

use model::Value;
use network_policy::lint::Target;
use network_policy::{Namespace, Network, Pod, Policy};
use serde_json::json;

fn pod(namespace: &str, name: &str, host: bool) -> Pod {
    Pod::from_value(&json!({
        "metadata": {"namespace": namespace, "name": name, "labels": {"role": name}},
        "spec": {"hostNetwork": host, "nodeName": "k",
                 "containers": [{"ports": [{"name": "http", "containerPort": 80}]}]},
    }))
}

/// What is found, as `code target field`.
fn lint(policies: &[Value]) -> Vec<String> {
    let policies = policies
        .iter()
        .map(|p| Policy::from_value(p).unwrap())
        .collect();
    let namespace = |name: &str| {
        Namespace::from_value(&json!({"metadata": {"name": name, "labels": {"a": name}}}))
    };
    let network = Network::new(
        policies,
        vec![
            pod("n", "web", false),
            pod("n", "db", false),
            pod("n", "agent", true),
        ],
        vec![namespace("n"), namespace("empty")],
        Vec::new(),
    );
    let findings = network.lint();
    assert!(findings.iter().all(|f| !f.message.is_empty()));
    findings
        .iter()
        .map(|finding| {
            let target = match &finding.target {
                Target::Policy(id) => network.policy(*id).unwrap().name.clone(),
                Target::Namespace(name) => name.clone(),
                Target::Pod(id) => network.pod(*id).unwrap().name.clone(),
            };
            let text = format!("{} {target} {}", finding.code.as_str(), finding.field);
            text.trim_end().to_owned()
        })
        .collect()
}

fn policy(name: &str, spec: Value) -> Value {
    json!({"kind": "NetworkPolicy", "metadata": {"namespace": "n", "name": name}, "spec": spec})
}

fn closed() -> Value {
    policy(
        "closed",
        json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}),
    )
}

fn admin(name: &str, spec: Value) -> Value {
    json!({"kind": "AdminNetworkPolicy", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn a_closed_namespace_has_no_findings() {
    assert!(lint(&[closed()]).is_empty());
}

#[test]
fn an_open_namespace() {
    assert_eq!(
        lint(&[]),
        [
            "metadata-reachable n",
            "no-default-deny-egress n",
            "no-default-deny-ingress n",
        ]
    );
}

#[test]
fn pods_that_are_left_out() {
    let web = json!({"matchLabels": {"role": "web"}});
    assert_eq!(
        lint(&[policy(
            "p",
            json!({"podSelector": web, "policyTypes": ["Ingress", "Egress"]})
        )]),
        [
            "metadata-reachable n",
            "no-default-deny-egress n",
            "no-default-deny-ingress n",
            "pod-not-isolated db metadata.labels",
            "pod-not-isolated db metadata.labels",
        ]
    );
}

#[test]
fn policies_that_allow_everything_close_nothing() {
    for rule in [
        json!({}),
        json!({"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),
    ] {
        assert_eq!(
            lint(&[
                policy("p", json!({"podSelector": {}, "ingress": [rule]})),
                policy("q", json!({"podSelector": {}, "policyTypes": ["Egress"]})),
            ]),
            [
                "allows-everything p spec.ingress[0]",
                "no-default-deny-ingress n"
            ]
        );
    }
}

#[test]
fn rules_and_selectors() {
    let label = |role: &str| json!({"matchLabels": {"role": role}});
    for (spec, want) in [
        (
            json!({"podSelector": label("gone")}),
            vec!["selects-nothing p spec.podSelector"],
        ),
        (
            json!({"podSelector": label("agent")}),
            vec!["selects-nothing p spec.podSelector"],
        ),
        (
            json!({"podSelector": {"matchExpressions": [{"key": "role", "operator": "Exists"}]}}),
            vec!["host-network-pod p spec.podSelector"],
        ),
        (
            json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{"ports": [{"port": 1}]}]}),
            vec!["rules-ignored p spec.egress[0]"],
        ),
        (
            json!({"podSelector": {}, "ingress": [{"from": [
                {"podSelector": label("gone")},
                {"namespaceSelector": {"matchLabels": {"a": "z"}}},
                {"namespaceSelector": {"matchLabels": {"a": "empty"}}},
                {"podSelector": label("agent")},
                {"podSelector": label("web")},
            ]}]}),
            vec![
                "peer-matches-nothing p spec.ingress[0].from[0]",
                "namespace-matches-nothing p spec.ingress[0].from[1]",
                "peer-matches-nothing p spec.ingress[0].from[2]",
                "peer-matches-nothing p spec.ingress[0].from[3]",
            ],
        ),
        (
            json!({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {
                "cidr": "10.0.0.0/8",
                "except": ["10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8"],
            }}]}]}),
            vec![
                "except-outside-block p spec.ingress[0].from[0].ipBlock.except[0]",
                "except-outside-block p spec.ingress[0].from[0].ipBlock.except[2]",
            ],
        ),
        (
            json!({"podSelector": {}, "ingress": [{"ports": [
                {"port": "http"}, {"port": "ftp"}, {"port": "http", "protocol": "UDP"},
                {"port": 9, "endPort": 8},
            ]}]}),
            vec![
                "port-name-unknown p spec.ingress[0].ports[1]",
                "port-name-unknown p spec.ingress[0].ports[2]",
                "empty-port-range p spec.ingress[0].ports[3]",
            ],
        ),
        (
            json!({"podSelector": {}, "ingress": [
                {"from": [{"podSelector": label("web")}], "ports": [{"port": 5}]},
                {"from": [{"podSelector": {}}], "ports": [{"port": 1, "endPort": 9}]},
                {"from": [{"podSelector": {}}], "ports": [{"port": 1, "endPort": 9}]},
                {"from": [{"podSelector": label("web")}], "ports": [{"port": 10}]},
            ]}),
            vec!["shadowed p spec.ingress[0]", "shadowed p spec.ingress[2]"],
        ),
    ] {
        assert_eq!(lint(&[closed(), policy("p", spec.clone())]), want, "{spec}");
    }
}

#[test]
fn admin_policies() {
    let web =
        json!({"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"role": "web"}}}});
    let spec = json!({"priority": 5, "subject": {"namespaces": {}}, "ingress": [
        {"action": "Deny", "from": [web]},
        {"action": "Allow", "from": [{"namespaces": {}}]},
        {"action": "Deny", "from": [web]},
        {"action": "Allow", "from": [{"galaxies": {}}]},
    ]});
    let none = json!({"priority": 5, "subject": {"namespaces": {"matchLabels": {"a": "z"}}}});
    assert_eq!(
        lint(&[closed(), admin("a", spec), admin("b", none)]),
        [
            "allows-everything a spec.ingress[1]",
            "shadowed a spec.ingress[2]",
            "unsupported a spec.ingress[3]",
            "priority-tie b spec.priority",
            "namespace-matches-nothing b spec.subject",
        ]
    );
}
