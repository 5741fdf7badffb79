//! Network policies by reading the objects anew for every question.

use model::{Value, meta};
use network_policy::{Endpoint, Namespace, Node, Pod, PodId, Port};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A cluster: policies of all three kinds, and what they speak of. Namespaces and nodes that pods
/// name must be there.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// The policies.
    pub policies: Vec<Value>,
    /// The pods.
    pub pods: Vec<Pod>,
    /// The namespaces.
    pub namespaces: Vec<Namespace>,
    /// The nodes.
    pub nodes: Vec<Node>,
}

type Labels = BTreeMap<String, String>;

impl Cluster {
    /// Whether `from` can connect to `to`.
    pub fn allowed(&self, from: Endpoint, to: Endpoint, port: Port) -> bool {
        self.direction("egress", from, to, to, port)
            && self.direction("ingress", to, from, to, port)
    }

    fn pod(&self, end: Endpoint) -> Option<&Pod> {
        match end {
            Endpoint::Pod(PodId(id)) => self.pods.get(id as usize),
            Endpoint::Address(ip) => self
                .pods
                .iter()
                .rfind(|pod| !pod.host_network && pod.addresses.contains(&ip)),
        }
    }

    /// The pod behind an end, if policies apply to it.
    fn subject(&self, end: Endpoint) -> Option<&Pod> {
        self.pod(end).filter(|pod| !pod.host_network)
    }

    /// The node behind an end that is one.
    fn node(&self, end: Endpoint) -> Option<&Node> {
        match (end, self.pod(end)) {
            (_, Some(pod)) if pod.host_network => self.nodes.iter().find(|n| n.name == pod.node),
            (Endpoint::Address(ip), None) => self.nodes.iter().find(|n| n.addresses.contains(&ip)),
            _ => None,
        }
    }

    fn addresses(&self, end: Endpoint) -> Vec<IpAddr> {
        match (end, self.pod(end)) {
            (Endpoint::Address(ip), None) => vec![ip],
            (_, Some(pod)) if pod.host_network && pod.addresses.is_empty() => self
                .node(end)
                .map(|node| node.addresses.clone())
                .unwrap_or_default(),
            (_, Some(pod)) => pod.addresses.clone(),
            (_, None) => Vec::new(),
        }
    }

    fn namespace_labels(&self, name: &str) -> Labels {
        let found = self.namespaces.iter().find(|n| n.name == name);
        found.map(|n| n.labels.clone()).unwrap_or_default()
    }

    fn direction(
        &self,
        direction: &str,
        own: Endpoint,
        other: Endpoint,
        destination: Endpoint,
        port: Port,
    ) -> bool {
        let Some(subject) = self.subject(own) else {
            return true;
        };
        let same = |pod: &Pod| pod.namespace == subject.namespace && pod.name == subject.name;
        if self.subject(other).is_some_and(same) {
            return true;
        }
        let of_kind = |kind: &str| {
            let mut all: Vec<&Value> = self
                .policies
                .iter()
                .filter(|p| meta::text(p, &["kind"]) == kind)
                .collect();
            all.sort_by_key(|p| {
                (
                    meta::at(p, &["spec", "priority"]).and_then(Value::as_i64),
                    meta::name(p).to_owned(),
                )
            });
            all
        };
        let ordered = |kind: &str| {
            for policy in of_kind(kind) {
                let subjects = meta::at(policy, &["spec", "subject"]).unwrap_or(&Value::Null);
                if !self.pods_match(subjects, subject) {
                    continue;
                }
                for rule in meta::list(policy, &["spec", direction]) {
                    let action = meta::text(rule, &["action"]).to_owned();
                    if unknown(rule) {
                        if action != "Allow" {
                            return "Deny".to_owned();
                        }
                    } else if self.rule(rule, subject, other, destination, port) {
                        return action;
                    }
                }
            }
            String::new()
        };
        match ordered("AdminNetworkPolicy").as_str() {
            "Allow" => return true,
            "Deny" => return false,
            _ => {}
        }
        let isolating: Vec<&Value> = of_kind("NetworkPolicy")
            .into_iter()
            .filter(|policy| {
                let spec = &policy["spec"];
                let types: Vec<&str> = meta::list(spec, &["policyTypes"])
                    .iter()
                    .filter_map(Value::as_str)
                    .collect();
                let speaks = match (types.is_empty(), direction) {
                    (true, "ingress") => true,
                    (true, _) => !meta::list(spec, &["egress"]).is_empty(),
                    (false, "ingress") => types.contains(&"Ingress"),
                    (false, _) => types.contains(&"Egress"),
                };
                speaks
                    && meta::namespace(policy) == subject.namespace
                    && selects(&spec["podSelector"], &subject.labels)
            })
            .collect();
        if !isolating.is_empty() {
            let is_own_node = self.node(other).is_some_and(|n| n.name == subject.node);
            return is_own_node
                || isolating.iter().any(|policy| {
                    meta::list(policy, &["spec", direction])
                        .iter()
                        .any(|rule| self.rule(rule, subject, other, destination, port))
                });
        }
        ordered("BaselineAdminNetworkPolicy") != "Deny"
    }

    /// Whether a subject, or a peer of the admin tiers, with `namespaces` or `pods`, has the pod.
    fn pods_match(&self, peer: &Value, pod: &Pod) -> bool {
        let namespace = self.namespace_labels(&pod.namespace);
        if !peer["namespaces"].is_null() {
            return selects(&peer["namespaces"], &namespace);
        }
        let pods = &peer["pods"];
        !pods.is_null()
            && selects(&pods["namespaceSelector"], &namespace)
            && selects(&pods["podSelector"], &pod.labels)
    }

    fn rule(
        &self,
        rule: &Value,
        subject: &Pod,
        other: Endpoint,
        destination: Endpoint,
        port: Port,
    ) -> bool {
        let peers = [meta::list(rule, &["from"]), meta::list(rule, &["to"])].concat();
        let ports = meta::list(rule, &["ports"]);
        let peer_ok = peers.is_empty() || peers.iter().any(|p| self.peer(p, subject, other));
        let port_ok = ports.is_empty()
            || ports
                .iter()
                .any(|p| port_matches(p, self.subject(destination), port));
        peer_ok && port_ok
    }

    fn peer(&self, peer: &Value, subject: &Pod, other: Endpoint) -> bool {
        let addresses = self.addresses(other);
        let within = |range: &str, except: &[Value]| {
            if addresses.is_empty() {
                return range.ends_with("/0") && except.is_empty();
            }
            addresses.iter().any(|ip| {
                in_range(*ip, range)
                    && !except
                        .iter()
                        .any(|e| in_range(*ip, e.as_str().unwrap_or_default()))
            })
        };
        let has = |key: &str| !peer[key].is_null();
        if has("ipBlock") {
            let block = &peer["ipBlock"];
            return within(meta::text(block, &["cidr"]), meta::list(block, &["except"]));
        }
        if has("networks") {
            return meta::list(peer, &["networks"])
                .iter()
                .any(|range| within(range.as_str().unwrap_or_default(), &[]));
        }
        if has("nodes") {
            return self
                .node(other)
                .is_some_and(|node| selects(&peer["nodes"], &node.labels));
        }
        let Some(pod) = self.subject(other) else {
            return false;
        };
        if has("namespaces") || has("pods") {
            return self.pods_match(peer, pod);
        }
        let namespace_ok = if has("namespaceSelector") {
            let labels = self.namespace_labels(&pod.namespace);
            selects(&peer["namespaceSelector"], &labels)
        } else {
            pod.namespace == subject.namespace
        };
        (has("namespaceSelector") || has("podSelector"))
            && namespace_ok
            && selects(&peer["podSelector"], &pod.labels)
    }
}

/// Whether a rule of the admin tiers has a peer or port without any field that is known here.
fn unknown(rule: &Value) -> bool {
    let lacks = |list: &str, known: &[&str]| {
        meta::list(rule, &[list])
            .iter()
            .any(|one| known.iter().all(|key| one[*key].is_null()))
    };
    lacks("from", &["namespaces", "pods"])
        || lacks(
            "to",
            &["namespaces", "pods", "nodes", "networks", "domainNames"],
        )
        || lacks("ports", &["portNumber", "portRange", "namedPort"])
}

fn port_matches(entry: &Value, destination: Option<&Pod>, port: Port) -> bool {
    let number = i64::from(port.number);
    let named = |name: &str, protocol: Option<&str>| {
        destination.is_some_and(|pod| {
            pod.ports.iter().any(|own| {
                own.name == name
                    && own.port == port
                    && protocol.is_none_or(|p| p == port.protocol.as_str())
            })
        })
    };
    let protocol_of = |value: &Value| value["protocol"].as_str().unwrap_or("TCP").to_owned();
    if let Some(name) = entry["namedPort"].as_str() {
        return named(name, None);
    }
    if !entry["portNumber"].is_null() {
        let one = &entry["portNumber"];
        return protocol_of(one) == port.protocol.as_str() && one["port"] == number;
    }
    if !entry["portRange"].is_null() {
        let range = &entry["portRange"];
        return protocol_of(range) == port.protocol.as_str()
            && range["start"].as_i64() <= Some(number)
            && range["end"].as_i64() >= Some(number);
    }
    let protocol = protocol_of(entry);
    match &entry["port"] {
        Value::String(name) => named(name, Some(&protocol)),
        Value::Null => protocol == port.protocol.as_str(),
        first => {
            let last = entry["endPort"].as_i64().or(first.as_i64());
            protocol == port.protocol.as_str()
                && first.as_i64() <= Some(number)
                && last >= Some(number)
        }
    }
}

/// Whether a label selector, missing ones taken as empty, selects labels.
fn selects(selector: &Value, labels: &Labels) -> bool {
    let by_label = meta::strings(selector, &["matchLabels"]);
    let by_expression = meta::list(selector, &["matchExpressions"]);
    by_label
        .iter()
        .all(|(key, value)| labels.get(*key).is_some_and(|own| own == value))
        && by_expression.iter().all(|expression| {
            let own = labels.get(meta::text(expression, &["key"]));
            let listed = own.is_some_and(|own| {
                meta::list(expression, &["values"])
                    .iter()
                    .any(|v| v.as_str() == Some(own))
            });
            match meta::text(expression, &["operator"]) {
                "In" => listed,
                "NotIn" => !listed,
                "Exists" => own.is_some(),
                _ => own.is_none(),
            }
        })
}

/// Whether an address is in a range, bit by bit.
fn in_range(ip: IpAddr, range: &str) -> bool {
    let bits = |ip: IpAddr| -> Vec<bool> {
        let octets = match ip {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        octets
            .into_iter()
            .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1))
            .collect()
    };
    let Some((network, length)) = range.split_once('/') else {
        return false;
    };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<usize>()) else {
        return false;
    };
    network.is_ipv4() == ip.is_ipv4()
        && bits(network)
            .iter()
            .zip(bits(ip))
            .take(length)
            .all(|(a, b)| *a == b)
}
