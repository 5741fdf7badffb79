//! Whatever stands where: objects are read or refused, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use model::Value;
use network_policy::{Endpoint, Namespace, Network, Node, Pod, PodId, Policy, Port};
use serde_json::json;

/// The pointers of everything in a value.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(inner, &format!("{at}/{key}"), all);
            }
        }
        Value::Array(items) => {
            for (i, inner) in items.iter().enumerate() {
                pointers(inner, &format!("{at}/{i}"), all);
            }
        }
        _ => {}
    }
}

/// The object with each of its parts replaced by junk in turn.
fn spoiled(object: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    pointers(object, "", &mut all);
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{1f4a5}/"),
        json!([]),
        json!([null]),
        json!([[]]),
        json!({}),
        json!({"": null}),
    ];
    all.iter()
        .flat_map(|at| {
            junk.iter().map(|junk| {
                let mut spoiled = object.clone();
                *spoiled.pointer_mut(at).unwrap() = junk.clone();
                spoiled
            })
        })
        .collect()
}

fn use_all(network: &Network) {
    let address = Endpoint::Address("10.0.0.1".parse().unwrap());
    let matrix = network.matrix(&[Port::tcp(80)], &["10.0.0.1".parse().unwrap()]);
    let pod = Endpoint::Pod(PodId(0));
    for (from, to) in [
        (pod, address),
        (address, pod),
        (Endpoint::Pod(PodId(9)), pod),
    ] {
        let decision = network.allowed(from, to, Port::tcp(80));
        if let Some(shown) = matrix.allowed(0, from, to) {
            assert_eq!(shown, decision.allowed);
        }
    }
    network.lint();
}

#[test]
fn policies() {
    let objects = [
        json!({"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "n"}, "spec": {
            "podSelector": {"matchLabels": {"a": "b"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [
                {"podSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                 "namespaceSelector": {}},
                {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9"]}}],
                "ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}, {"port": "http"}]}],
            "egress": [{"to": [{"podSelector": {}}]}]}}),
        json!({"kind": "AdminNetworkPolicy", "metadata": {"name": "p"}, "spec": {
            "priority": 1,
            "subject": {"pods": {"namespaceSelector": {}, "podSelector": {}}},
            "egress": [{"name": "r", "action": "Deny", "to": [
                {"networks": ["10.0.0.0/8"]}, {"nodes": {}}, {"domainNames": ["a"]},
                {"namespaces": {}}],
                "ports": [{"portNumber": {"port": 1}}, {"portRange": {"start": 1, "end": 2}},
                          {"namedPort": "http"}]}]}}),
    ];
    let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}}});
    for object in &objects {
        assert!(Policy::from_value(object).is_ok());
        let mut refused = 0;
        for spoiled in spoiled(object) {
            match Policy::from_value(&spoiled) {
                Ok(policy) => {
                    let pods = vec![Pod::from_value(&pod)];
                    use_all(&Network::new(vec![policy], pods, Vec::new(), Vec::new()));
                }
                Err(error) => {
                    assert!(!error.field.is_empty());
                    refused += 1;
                }
            }
        }
        assert!(refused > 50, "{refused}");
    }
}

#[test]
fn pods_namespaces_and_nodes() {
    let pod = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"a": "b"}},
        "spec": {"nodeName": "k", "hostNetwork": false, "initContainers": [{"restartPolicy": "Always"}],
                 "containers": [{"ports": [{"name": "h", "containerPort": 80, "protocol": "TCP"}]}]},
        "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "hostIPs": [{"ip": "::1"}]}});
    let other = json!({"metadata": {"name": "k", "labels": {"a": "b"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}});
    for pod in spoiled(&pod) {
        let pods = vec![Pod::from_value(&pod)];
        use_all(&Network::new(Vec::new(), pods, Vec::new(), Vec::new()));
    }
    for other in spoiled(&other) {
        let (namespace, node) = (Namespace::from_value(&other), Node::from_value(&other));
        let pods = vec![Pod::from_value(&pod)];
        use_all(&Network::new(Vec::new(), pods, vec![namespace], vec![node]));
    }
}
