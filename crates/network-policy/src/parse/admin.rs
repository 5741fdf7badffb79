//! AdminNetworkPolicies and the BaselineAdminNetworkPolicy (`policy.networking.k8s.io/v1alpha1`).

use super::{Fault, Parsed, fault, list, number, protocol, selector};
use crate::cidr::Cidr;
use crate::policy::{
    Action, Direction, NamespaceMatch, Peer, PeerMatch, PodMatch, Policy, PortMatch, Rule,
    RulePort, Tier,
};
use model::selector::LabelSelector;
use model::{Map, Value, meta};

/// Reads a policy of one of the two kinds.
pub(super) fn policy(object: &Value, is_baseline: bool) -> Parsed<Policy> {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let tier = if is_baseline {
        Tier::Baseline
    } else {
        let priority = spec.get("priority").and_then(Value::as_i64);
        let priority = priority
            .and_then(|p| i32::try_from(p).ok())
            .filter(|p| (0..=1000).contains(p))
            .ok_or_else(|| fault("spec.priority", "must be between 0 and 1000"))?;
        Tier::Admin { priority }
    };
    let rules = |direction: Direction| {
        let key = direction.as_str();
        let rules = list(spec, key, "spec")?
            .iter()
            .enumerate()
            .map(|(i, one)| rule(one, direction, is_baseline, &format!("spec.{key}[{i}]")))
            .collect::<Parsed<Vec<_>>>()?;
        Ok::<_, Fault>((!rules.is_empty()).then_some(rules))
    };
    let subject = spec.get("subject").unwrap_or(&Value::Null);
    let subject = match only(subject) {
        Some(("namespaces" | "pods", _)) => pods(subject, "spec.subject")?,
        _ => None,
    };
    Ok(Policy {
        tier,
        namespace: String::new(),
        name: meta::name(object).to_owned(),
        subject: subject.ok_or_else(|| {
            fault(
                "spec.subject",
                "must have exactly one of namespaces and pods",
            )
        })?,
        ingress: rules(Direction::Ingress)?,
        egress: rules(Direction::Egress)?,
        ignored: Vec::new(),
    })
}

fn rule(rule: &Value, direction: Direction, is_baseline: bool, at: &str) -> Parsed<Rule> {
    let action = match meta::text(rule, &["action"]) {
        "Allow" => Action::Allow,
        "Deny" => Action::Deny,
        "Pass" if !is_baseline => Action::Pass,
        _ if is_baseline => return Err(fault(&format!("{at}.action"), "not one of Allow, Deny")),
        _ => {
            return Err(fault(
                &format!("{at}.action"),
                "not one of Allow, Deny, Pass",
            ));
        }
    };
    let key = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let peers = list(rule, key, at)?;
    if peers.is_empty() {
        return Err(fault(&format!("{at}.{key}"), "must have at least one item"));
    }
    let peers = peers
        .iter()
        .enumerate()
        .map(|(i, one)| peer(one, direction, format!("{at}.{key}[{i}]")))
        .collect::<Parsed<Vec<_>>>()?;
    let ports = list(rule, "ports", at)?
        .iter()
        .enumerate()
        .map(|(i, one)| port(one, format!("{at}.ports[{i}]")))
        .collect::<Parsed<Vec<_>>>()?;
    Ok(Rule {
        action,
        peers: Some(peers),
        ports: (!ports.is_empty()).then_some(ports),
        field: at.to_owned(),
        name: meta::text(rule, &["name"]).to_owned(),
    })
}

/// The one member of an object of which exactly one may be set.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let map: &Map = value.as_object()?;
    let mut set = map.iter().filter(|(_, v)| !v.is_null());
    let (key, one) = set.next()?;
    set.next().is_none().then_some((key.as_str(), one))
}

/// The pods of a subject or peer that has `namespaces` or `pods`.
fn pods(value: &Value, at: &str) -> Parsed<Option<PodMatch>> {
    if let Some(namespaces) = selector(value, "namespaces", at)? {
        return Ok(Some(PodMatch {
            namespaces: NamespaceMatch::Selected(namespaces),
            pods: LabelSelector::default(),
        }));
    }
    let Some(both) = value.get("pods").filter(|v| !v.is_null()) else {
        return Ok(None);
    };
    let at = format!("{at}.pods");
    // Neither is a pointer upstream, so that a missing one is an empty one.
    Ok(Some(PodMatch {
        namespaces: NamespaceMatch::Selected(
            selector(both, "namespaceSelector", &at)?.unwrap_or_default(),
        ),
        pods: selector(both, "podSelector", &at)?.unwrap_or_default(),
    }))
}

fn peer(peer: &Value, direction: Direction, field: String) -> Parsed<Peer> {
    let mut all = Vec::new();
    match (only(peer), direction) {
        (Some(("namespaces" | "pods", _)), _) => {
            all.extend(pods(peer, &field)?.map(PeerMatch::Pods));
        }
        (Some(("nodes", _)), Direction::Egress) => {
            all.extend(selector(peer, "nodes", &field)?.map(PeerMatch::Nodes));
        }
        (Some(("networks", _)), Direction::Egress) => {
            let mut ranges = Vec::new();
            for (i, one) in list(peer, "networks", &field)?.iter().enumerate() {
                let range = one.as_str().and_then(Cidr::parse).ok_or_else(|| {
                    fault(
                        &format!("{field}.networks[{i}]"),
                        "must be a valid CIDR value",
                    )
                })?;
                ranges.push(range);
            }
            all.push(PeerMatch::Networks(ranges));
        }
        (Some(("domainNames", _)), Direction::Egress) => {
            let names = meta::list(peer, &["domainNames"]).iter();
            let names = names.filter_map(Value::as_str).map(str::to_owned);
            all.push(PeerMatch::Domains(names.collect()));
        }
        _ => {}
    }
    Ok(Peer {
        matches: all.pop().unwrap_or(PeerMatch::Unknown),
        field,
    })
}

fn port(port: &Value, field: String) -> Parsed<RulePort> {
    let required = |value: &Value, key: &str, at: &str| {
        number(value, key, at)?.ok_or_else(|| fault(&format!("{at}.{key}"), "is required"))
    };
    let matches = match only(port) {
        Some(("portNumber", one)) => {
            let at = format!("{field}.portNumber");
            let first = required(one, "port", &at)?;
            PortMatch::Range {
                protocol: protocol(one, &at)?,
                first,
                last: first,
            }
        }
        Some(("portRange", range)) => {
            let at = format!("{field}.portRange");
            PortMatch::Range {
                protocol: protocol(range, &at)?,
                first: required(range, "start", &at)?,
                last: required(range, "end", &at)?,
            }
        }
        Some(("namedPort", Value::String(name))) => PortMatch::Named {
            protocol: None,
            name: name.clone(),
        },
        _ => PortMatch::Unknown,
    };
    Ok(RulePort { matches, field })
}
