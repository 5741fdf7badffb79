//! Policies, read from objects.

mod admin;

use crate::cidr::Cidr;
use crate::policy::{
    Action, Direction, NamespaceMatch, Peer, PeerMatch, PodMatch, Policy, PortMatch, Protocol,
    Rule, RulePort, Tier,
};
use model::selector::LabelSelector;
use model::{Value, meta};
use std::fmt;

/// The API group of NetworkPolicies.
pub const GROUP: &str = "networking.k8s.io";
/// The API group of AdminNetworkPolicies and BaselineAdminNetworkPolicies.
pub const ADMIN_GROUP: &str = "policy.networking.k8s.io";

/// An object that is no policy, or one that an API server refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {namespace}/{name}: {field}: {problem}")]
pub struct MalformedPolicy {
    /// The kind.
    pub kind: String,
    /// The namespace; empty if it has none.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The path of the field that cannot be read.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A field that cannot be read.
struct Fault {
    field: String,
    problem: String,
}

type Parsed<T> = Result<T, Fault>;

fn fault(field: &str, problem: impl fmt::Display) -> Fault {
    Fault {
        field: field.to_owned(),
        problem: problem.to_string(),
    }
}

impl Policy {
    /// Reads a NetworkPolicy, AdminNetworkPolicy or BaselineAdminNetworkPolicy, by its `kind`;
    /// defaults need not have been filled in.
    ///
    /// Two faults that API servers refuse are let through, to be found by the lint: an `endPort`
    /// below its `port` (which matches nothing) and an `except` that is not within its `cidr`.
    pub fn from_value(object: &Value) -> Result<Self, MalformedPolicy> {
        let kind = meta::text(object, &["kind"]);
        let parsed = match kind {
            _ if meta::name(object).is_empty() => Err(fault("metadata.name", "it has no name")),
            "NetworkPolicy" => network(object),
            "AdminNetworkPolicy" => admin::policy(object, false),
            "BaselineAdminNetworkPolicy" => admin::policy(object, true),
            _ => Err(fault("kind", "not a policy of a kind that is known")),
        };
        parsed.map_err(|Fault { field, problem }| MalformedPolicy {
            kind: kind.to_owned(),
            namespace: meta::namespace(object).to_owned(),
            name: meta::name(object).to_owned(),
            field,
            problem,
        })
    }
}

fn network(object: &Value) -> Parsed<Policy> {
    let namespace = match meta::namespace(object) {
        "" => "default",
        own => own,
    };
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let types = meta::list(spec, &["policyTypes"]);
    for (i, one) in types.iter().enumerate() {
        if !matches!(one.as_str(), Some("Ingress" | "Egress")) {
            return Err(fault(
                &format!("spec.policyTypes[{i}]"),
                "not one of Ingress, Egress",
            ));
        }
    }
    // Without `policyTypes` a policy is about ingress, and about egress if it has such rules.
    let speaks_of = |name: &str, by_default: bool| {
        if types.is_empty() {
            by_default
        } else {
            types.iter().any(|t| t.as_str() == Some(name))
        }
    };
    let has_egress = !list(spec, "egress", "spec")?.is_empty();
    let mut ignored = Vec::new();
    let mut rules = |direction: Direction, applies: bool| {
        let key = direction.as_str();
        let rules = list(spec, key, "spec")?
            .iter()
            .enumerate()
            .map(|(i, rule)| network_rule(rule, direction, namespace, &format!("spec.{key}[{i}]")))
            .collect::<Parsed<Vec<_>>>()?;
        if !applies {
            ignored.extend(rules.into_iter().map(|rule| rule.field));
            return Ok(None);
        }
        Ok(Some(rules))
    };
    let ingress = rules(Direction::Ingress, speaks_of("Ingress", true))?;
    let egress = rules(Direction::Egress, speaks_of("Egress", has_egress))?;
    // A missing selector is the zero value of a field that is no pointer: it selects all.
    let pods = selector(spec, "podSelector", "spec")?.unwrap_or_default();
    Ok(Policy {
        tier: Tier::Network,
        namespace: namespace.to_owned(),
        name: meta::name(object).to_owned(),
        subject: PodMatch {
            namespaces: NamespaceMatch::Named(namespace.to_owned()),
            pods,
        },
        ingress,
        egress,
        ignored,
    })
}

fn network_rule(rule: &Value, direction: Direction, namespace: &str, at: &str) -> Parsed<Rule> {
    // A null item is an empty rule, which matches everything.
    if !rule.is_object() && !rule.is_null() {
        return Err(fault(at, "not a rule"));
    }
    let key = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let peers = list(rule, key, at)?
        .iter()
        .enumerate()
        .map(|(i, peer)| network_peer(peer, namespace, format!("{at}.{key}[{i}]")))
        .collect::<Parsed<Vec<_>>>()?;
    let ports = list(rule, "ports", at)?
        .iter()
        .enumerate()
        .map(|(i, port)| network_port(port, format!("{at}.ports[{i}]")))
        .collect::<Parsed<Vec<_>>>()?;
    // Missing and empty lists alike match everything.
    Ok(Rule {
        action: Action::Allow,
        peers: (!peers.is_empty()).then_some(peers),
        ports: (!ports.is_empty()).then_some(ports),
        field: at.to_owned(),
        name: String::new(),
    })
}

fn network_peer(peer: &Value, namespace: &str, field: String) -> Parsed<Peer> {
    let pods = selector(peer, "podSelector", &field)?;
    let namespaces = selector(peer, "namespaceSelector", &field)?;
    let block = peer.get("ipBlock").filter(|b| !b.is_null());
    let matches = match (block, namespaces, pods) {
        (None, None, None) => return Err(fault(&field, "must specify a peer")),
        (Some(block), None, None) => ip_block(block, &format!("{field}.ipBlock"))?,
        (Some(_), _, _) => {
            return Err(fault(
                &field,
                "may not specify both ipBlock and another peer",
            ));
        }
        (None, namespaces, pods) => PeerMatch::Pods(PodMatch {
            namespaces: match namespaces {
                Some(selector) => NamespaceMatch::Selected(selector),
                None => NamespaceMatch::Named(namespace.to_owned()),
            },
            pods: pods.unwrap_or_default(),
        }),
    };
    Ok(Peer { matches, field })
}

fn ip_block(block: &Value, at: &str) -> Parsed<PeerMatch> {
    let range = |value: Option<&Value>, at: String| {
        let text = value.and_then(Value::as_str).unwrap_or_default();
        Cidr::parse(text).ok_or_else(|| fault(&at, "must be a valid CIDR value"))
    };
    let except = list(block, "except", at)?
        .iter()
        .enumerate()
        .map(|(i, one)| range(Some(one), format!("{at}.except[{i}]")))
        .collect::<Parsed<Vec<_>>>()?;
    Ok(PeerMatch::Block {
        cidr: range(block.get("cidr"), format!("{at}.cidr"))?,
        except,
    })
}

fn network_port(port: &Value, field: String) -> Parsed<RulePort> {
    let protocol = protocol(port, &field)?;
    let end = number(port, "endPort", &field)?;
    let matches = match port.get("port").filter(|p| !p.is_null()) {
        None if end.is_some() => {
            return Err(fault(
                &format!("{field}.endPort"),
                "may not be specified when `port` is not specified",
            ));
        }
        None => PortMatch::Range {
            protocol,
            first: 0,
            last: u16::MAX,
        },
        Some(Value::String(_)) if end.is_some() => {
            return Err(fault(
                &format!("{field}.endPort"),
                "may not be specified when `port` is non-numeric",
            ));
        }
        Some(Value::String(name)) => PortMatch::Named {
            protocol: Some(protocol),
            name: name.clone(),
        },
        Some(_) => {
            let first = number(port, "port", &field)?.unwrap_or_default();
            PortMatch::Range {
                protocol,
                first,
                last: end.unwrap_or(first),
            }
        }
    };
    Ok(RulePort { matches, field })
}

fn protocol(value: &Value, at: &str) -> Parsed<Protocol> {
    match value.get("protocol") {
        None | Some(Value::Null) => Ok(Protocol::Tcp),
        Some(text) => text
            .as_str()
            .and_then(Protocol::parse)
            .ok_or_else(|| fault(&format!("{at}.protocol"), "not one of SCTP, TCP, UDP")),
    }
}

/// The port number at `key`, if there is one.
fn number(value: &Value, key: &str, at: &str) -> Parsed<Option<u16>> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(number) => number
            .as_u64()
            .and_then(|n| u16::try_from(n).ok())
            .filter(|n| *n > 0)
            .map(Some)
            .ok_or_else(|| {
                fault(
                    &format!("{at}.{key}"),
                    "must be between 1 and 65535, inclusive",
                )
            }),
    }
}

/// The list at `key`; empty if it is missing or null.
fn list<'a>(value: &'a Value, key: &str, at: &str) -> Parsed<&'a [Value]> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(fault(&format!("{at}.{key}"), "not a list")),
    }
}

/// The selector at `key`; `None` if it is missing or null, which is not the same as an empty one.
fn selector(value: &Value, key: &str, at: &str) -> Parsed<Option<LabelSelector>> {
    match value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(found) if found.is_object() => LabelSelector::from_value(found)
            .map(Some)
            .map_err(|e| fault(&format!("{at}.{key}"), e)),
        Some(_) => Err(fault(&format!("{at}.{key}"), "not a label selector")),
    }
}
