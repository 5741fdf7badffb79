//! What policies leave open.

use super::policies::takes_anyone;
use super::{Code, Finding, Target};
use crate::network::{Endpoint, Network, PodId};
use crate::policy::{Direction, Policy, Port};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds serve credentials of the instance: EC2, GCE, Azure and others, and EC2 by IPv6.
const METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// How many pods a message names.
const NAMED: usize = 3;

/// Looks at every namespace that has pods which policies apply to.
pub(super) fn check(network: &Network, findings: &mut Vec<Finding>) {
    let mut by_namespace: BTreeMap<&str, Vec<PodId>> = BTreeMap::new();
    for (pod, id) in network.pods().iter().zip((0..).map(PodId)) {
        if !pod.host_network {
            by_namespace.entry(&pod.namespace).or_default().push(id);
        }
    }
    for (namespace, pods) in &by_namespace {
        for direction in [Direction::Ingress, Direction::Egress] {
            default_deny(network, namespace, pods, direction, findings);
        }
    }
    metadata(network, &by_namespace, findings);
}

/// The NetworkPolicies of a namespace.
fn policies<'a>(network: &'a Network, namespace: &str) -> impl Iterator<Item = &'a Policy> {
    let ids = network.network_policies(namespace);
    ids.iter().filter_map(|id| network.policy(*id))
}

impl Network {
    /// Whether a NetworkPolicy closes a direction for all pods of a namespace, those to come among
    /// them, but for what it allows itself.
    pub fn denies_by_default(&self, namespace: &str, direction: Direction) -> bool {
        policies(self, namespace).any(|policy| {
            policy.isolates(direction)
                && policy.subject.pods.is_empty()
                && !policy
                    .rules(direction)
                    .unwrap_or_default()
                    .iter()
                    .any(|rule| rule.ports.is_none() && takes_anyone(policy.tier, rule))
        })
    }
}

fn default_deny(
    network: &Network,
    namespace: &str,
    pods: &[PodId],
    direction: Direction,
    findings: &mut Vec<Finding>,
) {
    if network.denies_by_default(namespace, direction) {
        return;
    }
    let (code, way) = match direction {
        Direction::Ingress => (Code::NoDefaultDenyIngress, "into"),
        Direction::Egress => (Code::NoDefaultDenyEgress, "out of"),
    };
    findings.push(Finding {
        code,
        target: Target::Namespace(namespace.to_owned()),
        field: String::new(),
        message: format!("no NetworkPolicy closes the way {way} all pods of the namespace"),
    });
    // Where no policy is, the namespace's finding says it all.
    if !policies(network, namespace).any(|policy| policy.isolates(direction)) {
        return;
    }
    for id in pods {
        if network.isolated_by(*id, direction).is_empty() {
            findings.push(Finding {
                code: Code::PodNotIsolated,
                target: Target::Pod(*id),
                field: "metadata.labels".to_owned(),
                message: format!(
                    "no NetworkPolicy selects it for {}, though others of its namespace are selected",
                    direction.as_str()
                ),
            });
        }
    }
}

fn metadata(
    network: &Network,
    by_namespace: &BTreeMap<&str, Vec<PodId>>,
    findings: &mut Vec<Finding>,
) {
    let matrix = network.matrix(&[Port::tcp(80)], &METADATA);
    for (namespace, pods) in by_namespace {
        let mut open: BTreeSet<&str> = BTreeSet::new();
        let mut reached: Vec<String> = Vec::new();
        for address in METADATA {
            let mut is_reached = false;
            for id in pods {
                let (from, to) = (Endpoint::Pod(*id), Endpoint::Address(address));
                if matrix.allowed(0, from, to) != Some(true) {
                    continue;
                }
                is_reached = true;
                let name = network.pod(*id).map_or("", |pod| pod.name.as_str());
                open.insert(name);
            }
            if is_reached {
                reached.push(address.to_string());
            }
        }
        if open.is_empty() {
            continue;
        }
        let mut who = open
            .iter()
            .take(NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        if let Some(more) = open.len().checked_sub(NAMED).filter(|more| *more > 0) {
            who = format!("{who} and {more} more");
        }
        findings.push(Finding {
            code: Code::MetadataReachable,
            target: Target::Namespace((*namespace).to_owned()),
            field: String::new(),
            message: format!(
                "the cloud's instance metadata service ({}) can be reached from {who}",
                reached.join(", ")
            ),
        });
    }
}
