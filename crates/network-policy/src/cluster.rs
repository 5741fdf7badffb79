//! What policies speak of: namespaces, pods and nodes.

use crate::cidr::address;
use crate::policy::{Port, Protocol};
use model::{Value, meta};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The label with a namespace's name, which API servers put on every namespace.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

impl Namespace {
    /// A namespace with these labels and the one that API servers add.
    pub fn new(name: &str, labels: BTreeMap<String, String>) -> Self {
        let mut labels = labels;
        labels.insert(NAME_LABEL.to_owned(), name.to_owned());
        Self {
            name: name.to_owned(),
            labels,
        }
    }

    /// Reads a Namespace.
    pub fn from_value(object: &Value) -> Self {
        Self::new(meta::name(object), owned(meta::labels(object)))
    }
}

/// A port that a container gave a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamedPort {
    /// The name.
    pub name: String,
    /// The port.
    pub port: Port,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Its addresses; empty if they are not known (as in manifests).
    pub addresses: Vec<IpAddr>,
    /// The addresses of its node, as its status tells them.
    pub host_addresses: Vec<IpAddr>,
    /// The ports that its containers name.
    pub ports: Vec<NamedPort>,
    /// Whether it is in its node's network: policies do not apply to it, and others see its
    /// node in its place.
    pub host_network: bool,
    /// The name of its node; empty if it has none.
    pub node: String,
}

impl Pod {
    /// Reads a Pod.
    pub fn from_value(object: &Value) -> Self {
        let null = Value::Null;
        let part = |key: &str| object.get(key).unwrap_or(&null);
        let mut pod = Self::from_template(
            meta::namespace(object),
            meta::name(object),
            part("metadata"),
            part("spec"),
        );
        let status = part("status");
        pod.addresses = addresses(status, "podIPs", "podIP");
        pod.host_addresses = addresses(status, "hostIPs", "hostIP");
        pod
    }

    /// A pod that a template with this `metadata` and `spec` would make.
    pub fn from_template(namespace: &str, name: &str, metadata: &Value, spec: &Value) -> Self {
        let namespace = match namespace {
            "" => "default",
            own => own,
        };
        let running = meta::list(spec, &["initContainers"])
            .iter()
            .filter(|c| meta::text(c, &["restartPolicy"]) == "Always");
        let ports = meta::list(spec, &["containers"])
            .iter()
            .chain(running)
            .flat_map(|container| meta::list(container, &["ports"]))
            .filter_map(named_port)
            .collect();
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: owned(meta::strings(metadata, &["labels"])),
            addresses: Vec::new(),
            host_addresses: Vec::new(),
            ports,
            host_network: spec.get("hostNetwork") == Some(&Value::Bool(true)),
            node: meta::text(spec, &["nodeName"]).to_owned(),
        }
    }

    /// Whether a Pod has run to its end, so that no traffic is left to decide on.
    pub fn is_finished(object: &Value) -> bool {
        matches!(
            meta::text(object, &["status", "phase"]),
            "Succeeded" | "Failed"
        )
    }

    /// The numbers that a port name stands for in this pod; of any protocol if `protocol` is
    /// `None`.
    pub fn resolve<'a>(
        &'a self,
        name: &'a str,
        protocol: Option<Protocol>,
    ) -> impl Iterator<Item = Port> + 'a {
        self.ports
            .iter()
            .filter(move |named| named.name == name)
            .map(|named| named.port)
            .filter(move |port| protocol.is_none_or(|p| p == port.protocol))
    }
}

fn named_port(port: &Value) -> Option<NamedPort> {
    let name = meta::text(port, &["name"]);
    let number = port.get("containerPort")?.as_u64()?;
    let protocol = match meta::text(port, &["protocol"]) {
        "" => Protocol::Tcp,
        other => Protocol::parse(other)?,
    };
    (!name.is_empty()).then_some(NamedPort {
        name: name.to_owned(),
        port: Port {
            protocol,
            number: u16::try_from(number).ok()?,
        },
    })
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// The name.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

impl Node {
    /// Reads a Node.
    pub fn from_value(object: &Value) -> Self {
        let addresses = meta::list(object, &["status", "addresses"])
            .iter()
            .filter_map(|one| address(meta::text(one, &["address"])))
            .collect();
        Self {
            name: meta::name(object).to_owned(),
            labels: owned(meta::labels(object)),
            addresses,
        }
    }
}

fn owned(labels: BTreeMap<&str, &str>) -> BTreeMap<String, String> {
    labels
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// The addresses in a list of `{ip}`, or else the one in the older field beside it.
fn addresses(status: &Value, list: &str, one: &str) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = meta::list(status, &[list])
        .iter()
        .filter_map(|entry| address(meta::text(entry, &["ip"])))
        .collect();
    if all.is_empty() {
        address(meta::text(status, &[one])).into_iter().collect()
    } else {
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_read() {
        let pod = Pod::from_value(&json!({
            "metadata": {"name": "p", "labels": {"a": "b"}},
            "spec": {
                "nodeName": "n",
                "initContainers": [
                    {"ports": [{"name": "gone", "containerPort": 1}]},
                    {"restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 2}]},
                ],
                "containers": [{"ports": [
                    {"name": "http", "containerPort": 80},
                    {"name": "dns", "containerPort": 53, "protocol": "UDP"},
                    {"containerPort": 9},
                    {"name": "odd", "containerPort": 99999},
                ]}],
            },
            "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
                       "hostIP": "192.0.2.1"},
        }));
        assert_eq!(pod.namespace, "default");
        assert_eq!(pod.addresses.len(), 2);
        assert_eq!(pod.host_addresses, ["192.0.2.1".parse::<IpAddr>().unwrap()]);
        let names: Vec<_> = pod.ports.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["http", "dns", "side"]);
        assert_eq!(pod.resolve("dns", None).next(), Some(Port::udp(53)));
        assert_eq!(pod.resolve("dns", Some(Protocol::Tcp)).next(), None);
    }

    #[test]
    fn namespaces_carry_their_name() {
        let namespace = Namespace::from_value(&json!({"metadata": {"name": "n"}}));
        assert_eq!(namespace.labels[NAME_LABEL], "n");
    }
}
