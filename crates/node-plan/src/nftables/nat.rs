//! The way to services: their addresses and ports stand for the pods behind them; so do the ports
//! of the node that pods ask for.

use super::{Addresses, Hook, Matches, Ports, Rule, Table, Verdict};
use crate::containers::{self, Role};
use model::validation::read::{get, int, is_true, list, text, texts};
use model::{Value, meta};
use network_policy::{Cidr, Protocol, address};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where a service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frontend {
    /// An address of its own.
    Address(IpAddr, u16),
    /// A port of every address of the node.
    Node(u16),
}

impl Frontend {
    fn port(self) -> u16 {
        match self {
            Self::Address(_, port) | Self::Node(port) => port,
        }
    }
}

/// A port of a service, or a host port of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// For comments: `NAMESPACE/NAME`.
    pub name: String,
    /// The protocol.
    pub protocol: Protocol,
    /// Where it is reached.
    pub frontends: Vec<Frontend>,
    /// What is behind it. A frontend of one family has backends of that family only.
    pub backends: Vec<(IpAddr, u16)>,
    /// Whether all backends are on this node, so that answers find their way without the node's
    /// address in place of the client's.
    pub local: bool,
}

/// The services of a cluster as a node sees them: one for each port and set of backends, from the
/// services and their endpoint slices. Headless services and those of other names (`ExternalName`)
/// have none. Session affinity is not looked at.
pub fn services(services: &[Value], slices: &[Value], node: &str) -> Vec<Service> {
    let mut all = Vec::new();
    for service in services {
        let Some(spec) = get(service, "spec") else {
            continue;
        };
        if text(spec, "type") == "ExternalName" || matches!(text(spec, "clusterIP"), "" | "None") {
            continue;
        }
        let name = format!("{}/{}", meta::namespace(service), meta::name(service));
        let own = slices.iter().filter(|slice| {
            let of = meta::text(slice, &["metadata", "labels", "kubernetes.io/service-name"]);
            of == meta::name(service) && meta::namespace(slice) == meta::namespace(service)
        });
        let own: Vec<&Value> = own.collect();
        for port in list(spec, "ports") {
            of_port(spec, port, &own, node, &name, &mut all);
        }
    }
    all
}

fn of_port(
    spec: &Value,
    port: &Value,
    slices: &[&Value],
    node: &str,
    name: &str,
    all: &mut Vec<Service>,
) {
    let number = |key: &str| {
        int(port, key)
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| *n > 0)
    };
    let protocol = match text(port, "protocol") {
        "" => Some(Protocol::Tcp),
        other => Protocol::parse(other),
    };
    let (Some(protocol), Some(own)) = (protocol, number("port")) else {
        return;
    };
    let at = |ips: BTreeSet<IpAddr>| ips.into_iter().map(|ip| Frontend::Address(ip, own));
    let cluster = texts(spec, "clusterIPs").chain([text(spec, "clusterIP")]);
    let inside: Vec<Frontend> = at(cluster.filter_map(address).collect()).collect();
    let mut outside: Vec<Frontend> =
        at(texts(spec, "externalIPs").filter_map(address).collect()).collect();
    outside.extend(number("nodePort").map(Frontend::Node));
    for (frontends, policy) in [
        (inside, "internalTrafficPolicy"),
        (outside, "externalTrafficPolicy"),
    ] {
        if !frontends.is_empty() {
            let local = text(spec, policy) == "Local";
            all.push(Service {
                name: name.to_owned(),
                protocol,
                frontends,
                backends: backends(slices, text(port, "name"), protocol, local.then_some(node)),
                local,
            });
        }
    }
}

/// The endpoints that take traffic: ready ones, or if there are none those that still serve while
/// they go.
fn backends(
    slices: &[&Value],
    port_name: &str,
    protocol: Protocol,
    only_on: Option<&str>,
) -> Vec<(IpAddr, u16)> {
    let (mut ready, mut serving) = (BTreeSet::new(), BTreeSet::new());
    for slice in slices {
        let port = list(slice, "ports").iter().find(|port| {
            let own = match text(port, "protocol") {
                "" => "TCP",
                own => own,
            };
            text(port, "name") == port_name && own == protocol.as_str()
        });
        let Some(port) = port.and_then(|port| u16::try_from(int(port, "port")?).ok()) else {
            continue;
        };
        for endpoint in list(slice, "endpoints") {
            if only_on.is_some_and(|node| text(endpoint, "nodeName") != node) {
                continue;
            }
            let condition = |key: &str| meta::at(endpoint, &["conditions", key]);
            // Missing conditions count as holding, but for `terminating`.
            let holds = |key: &str| condition(key) != Some(&Value::Bool(false));
            let goes = condition("terminating") == Some(&Value::Bool(true));
            // Of the addresses of an endpoint only the first counts.
            let Some(ip) = texts(endpoint, "addresses").next().and_then(address) else {
                continue;
            };
            if holds("ready") {
                ready.insert((ip, port));
            } else if holds("serving") && goes {
                serving.insert((ip, port));
            }
        }
    }
    let chosen = if ready.is_empty() { serving } else { ready };
    chosen.into_iter().collect()
}

/// The ports of the node that its pods ask for (`hostPort`).
pub fn host_ports(pods: &[Value]) -> Vec<Service> {
    let mut all = Vec::new();
    for pod in pods {
        let Some(spec) = get(pod, "spec") else {
            continue;
        };
        let addresses: Vec<IpAddr> = meta::list(pod, &["status", "podIPs"])
            .iter()
            .filter_map(|ip| address(text(ip, "ip")))
            .collect();
        if is_true(spec, "hostNetwork") || addresses.is_empty() {
            continue;
        }
        let running = containers::all(pod)
            .filter(|container| matches!(container.role, Role::Regular | Role::Sidecar));
        for port in running.flat_map(|container| list(container.spec, "ports")) {
            let number = |key: &str| int(port, key).and_then(|n| u16::try_from(n).ok());
            let protocol = match text(port, "protocol") {
                "" => Some(Protocol::Tcp),
                other => Protocol::parse(other),
            };
            let (Some(host), Some(own), Some(protocol)) = (
                number("hostPort").filter(|n| *n > 0),
                number("containerPort"),
                protocol,
            ) else {
                continue;
            };
            let frontend = match address(text(port, "hostIP")) {
                Some(ip) if !ip.is_unspecified() => Frontend::Address(ip, host),
                _ => Frontend::Node(host),
            };
            all.push(Service {
                name: format!("{}/{}", meta::namespace(pod), meta::name(pod)),
                protocol,
                frontends: vec![frontend],
                backends: addresses.iter().map(|ip| (*ip, own)).collect(),
                local: true,
            });
        }
    }
    all
}

/// Each frontend with the backends of its families; those on the node's own addresses once for
/// each family that has any.
fn ways(service: &Service) -> impl Iterator<Item = (Matches, Vec<(IpAddr, u16)>)> + '_ {
    service.frontends.iter().flat_map(move |frontend| {
        [true, false].into_iter().filter_map(move |v4| {
            let (destination, local) = match frontend {
                Frontend::Address(ip, _) if ip.is_ipv4() != v4 => return None,
                Frontend::Address(ip, _) => (Addresses::of([Cidr::of(*ip)]), false),
                Frontend::Node(_) => {
                    let everything = if v4 { "0.0.0.0/0" } else { "::/0" };
                    (Addresses::of(Cidr::parse(everything)), true)
                }
            };
            let port = frontend.port();
            let matches = Matches {
                destination: Some(destination),
                local_destination: local,
                ports: Some(Ports {
                    protocol: service.protocol,
                    ranges: vec![(port, port)],
                }),
                ..Matches::default()
            };
            let backends = service.backends.iter().filter(|(ip, _)| ip.is_ipv4() == v4);
            Some((matches, backends.copied().collect()))
        })
    })
}

/// Services without anything behind them are refused rather than left unanswered.
pub(super) fn refusals(services: &[Service]) -> Vec<Rule> {
    let mut rules = Vec::new();
    for service in services {
        for (matches, backends) in ways(service) {
            let is_own = !matches.local_destination || service.backends.is_empty();
            if backends.is_empty() && is_own {
                rules.push(Rule::new(matches, Verdict::Reject, &service.name));
            }
        }
    }
    rules
}

/// Adds the chains that change destinations and sources.
pub(super) fn add(table: &mut Table, services: &[Service], pod_ranges: &[Cidr]) {
    let mut arriving = Vec::new();
    let mut leaving = Vec::new();
    let mut seen = BTreeSet::new();
    let mut far = BTreeSet::new();
    for (at, service) in services.iter().enumerate() {
        for (family, (matches, backends)) in ways(service).enumerate() {
            if backends.is_empty() {
                continue;
            }
            let chain = format!("service-{at}-{family}");
            let mut spread = Vec::new();
            for (n, (ip, port)) in backends.iter().enumerate() {
                let backend = format!("{chain}-{n}");
                let to = Rule::new(
                    // The kernel takes a port to translate to only where it knows the protocol.
                    Matches {
                        ports: Some(Ports {
                            protocol: service.protocol,
                            ranges: Vec::new(),
                        }),
                        ..Matches::default()
                    },
                    Verdict::Dnat {
                        address: *ip,
                        port: *port,
                    },
                    &service.name,
                );
                table.chains.insert(backend.clone(), vec![to]);
                spread.push(backend);
                seen.insert(*ip);
                if !service.local {
                    far.insert(*ip);
                }
            }
            let spread = Rule::new(Matches::default(), Verdict::Spread(spread), &service.name);
            table.chains.insert(chain.clone(), vec![spread]);
            arriving.push(Rule::new(matches, Verdict::Goto(chain), &service.name));
        }
    }
    for ip in seen {
        let own = Some(Addresses::of([Cidr::of(ip)]));
        let matches = Matches {
            source: own.clone(),
            destination: own,
            translated: true,
            ..Matches::default()
        };
        let why = "a pod that reaches itself through a service";
        leaving.push(Rule::new(matches, Verdict::Masquerade, why));
    }
    if !far.is_empty() {
        let matches = Matches {
            source: Some(Addresses::but(pod_ranges.iter().copied())),
            destination: Some(Addresses::of(far.into_iter().map(Cidr::of))),
            translated: true,
            ..Matches::default()
        };
        let why = "answers of pods elsewhere come back through this node";
        leaving.push(Rule::new(matches, Verdict::Masquerade, why));
    }
    let outward = Matches {
        source: Some(Addresses::of(pod_ranges.iter().copied())),
        destination: Some(Addresses::but(pod_ranges.iter().copied())),
        ..Matches::default()
    };
    leaving.push(Rule::new(
        outward,
        Verdict::Masquerade,
        "pods on their way out",
    ));
    table.hook(Hook::Prerouting, "prerouting", arriving.clone());
    table.hook(Hook::OutputNat, "output-nat", arriving);
    table.hook(Hook::Postrouting, "postrouting", leaving);
}
