//! Policies that do not do what they seem to.

use super::{Code, Finding, Target};
use crate::cidr::Cidr;
use crate::network::{Network, PolicyId, selects};
use crate::policy::{
    Action, Direction, NamespaceMatch, Peer, PeerMatch, PodMatch, Policy, PortMatch, Rule,
    RulePort, Tier,
};
use foldhash::HashMap;

/// Looks at every policy.
pub(super) fn check(network: &Network, findings: &mut Vec<Finding>) {
    let mut lint = Lint {
        network,
        selected: HashMap::default(),
        findings,
        policy: PolicyId(0),
    };
    for (policy, id) in network.policies().iter().zip((0..).map(PolicyId)) {
        lint.policy = id;
        lint.one(policy);
    }
    lint.ties();
}

struct Lint<'a, 'f> {
    network: &'a Network,
    /// Whether anything is selected, by the text of both selectors: many policies share them.
    selected: HashMap<(String, String), Selected>,
    findings: &'f mut Vec<Finding>,
    policy: PolicyId,
}

/// What a selection comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selected {
    /// There is such a pod.
    Some,
    /// Only pods in their node's network.
    HostOnly,
    /// No such pod, in namespaces that exist.
    NoPod,
    /// No such namespace.
    NoNamespace,
}

impl<'a> Lint<'a, '_> {
    fn report(&mut self, code: Code, field: &str, message: String) {
        self.findings.push(Finding {
            code,
            target: Target::Policy(self.policy),
            field: field.to_owned(),
            message,
        });
    }

    fn one(&mut self, policy: &'a Policy) {
        self.subject(policy);
        for field in &policy.ignored {
            let message = "policyTypes leaves this direction out, so that the rule has no effect";
            self.report(Code::RulesIgnored, field, message.to_owned());
        }
        for direction in [Direction::Ingress, Direction::Egress] {
            let rules = policy.rules(direction).unwrap_or_default();
            for rule in rules {
                self.rule(policy, direction, rule);
            }
            self.shadowed(policy, rules);
        }
    }

    fn subject(&mut self, policy: &Policy) {
        let is_network = policy.tier == Tier::Network;
        let (field, subject) = if is_network {
            ("spec.podSelector", "podSelector")
        } else {
            ("spec.subject", "subject")
        };
        let selected = self.selection(&policy.subject);
        match selected {
            Selected::Some => {}
            // A policy for all pods of a namespace is ready for those to come.
            _ if is_network && policy.subject.pods.is_empty() => {}
            Selected::HostOnly => self.report(
                Code::SelectsNothing,
                field,
                format!("all pods of the {subject} are in their node's network, where policies do not apply"),
            ),
            Selected::NoPod => self.report(
                Code::SelectsNothing,
                field,
                format!("no pod matches the {subject}"),
            ),
            Selected::NoNamespace => self.report(
                Code::NamespaceMatchesNothing,
                field,
                format!("no namespace matches the {subject}"),
            ),
        }
        // A selector that names pods is meant to protect them; one for all is not about them.
        if selected == Selected::Some && !policy.subject.pods.is_empty() {
            let pods = self.network.pods();
            let host = pods.iter().find(|pod| {
                pod.host_network
                    && self
                        .network
                        .is_namespace_selected(&policy.subject.namespaces, &pod.namespace)
                    && selects(&policy.subject.pods, &pod.labels)
            });
            if let Some(pod) = host {
                let message = format!(
                    "pod {}/{} is in its node's network, where policies do not apply",
                    pod.namespace, pod.name
                );
                self.report(Code::HostNetworkPod, field, message);
            }
        }
    }

    fn selection(&mut self, by: &PodMatch) -> Selected {
        let namespaces = match &by.namespaces {
            NamespaceMatch::Named(name) => format!("={name}"),
            NamespaceMatch::Selected(selector) => selector.to_string(),
        };
        let key = (namespaces, by.pods.to_string());
        if let Some(known) = self.selected.get(&key) {
            return *known;
        }
        let network = self.network;
        let mut found = Selected::NoNamespace;
        if network
            .namespaces()
            .keys()
            .any(|n| network.is_namespace_selected(&by.namespaces, n))
        {
            found = Selected::NoPod;
        }
        for pod in network.pods() {
            if network.is_selected(by, pod) {
                found = Selected::Some;
                break;
            }
            if pod.host_network
                && network.is_namespace_selected(&by.namespaces, &pod.namespace)
                && selects(&by.pods, &pod.labels)
            {
                found = Selected::HostOnly;
            }
        }
        self.selected.insert(key, found);
        found
    }

    fn rule(&mut self, policy: &Policy, direction: Direction, rule: &Rule) {
        if rule.is_unknown() {
            let effect = match rule.action {
                Action::Allow => "it matches nothing",
                Action::Deny | Action::Pass => "it denies everything",
            };
            let message = format!("a peer or port of the rule is of an unknown sort: {effect}");
            self.report(Code::Unsupported, &rule.field, message);
            return;
        }
        if rule.action == Action::Allow && rule.ports.is_none() && takes_anyone(policy.tier, rule) {
            let whom = match direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            let message = match policy.tier {
                Tier::Admin { .. } => {
                    format!("allows all traffic {whom} these peers, whatever NetworkPolicies say")
                }
                _ => format!("allows all traffic {whom} anyone, on every port"),
            };
            self.report(Code::AllowsEverything, &rule.field, message);
        }
        for peer in rule.peers.iter().flatten() {
            self.peer(peer);
        }
        for port in rule.ports.iter().flatten() {
            self.port(policy, direction, rule, port);
        }
    }

    fn peer(&mut self, peer: &Peer) {
        match &peer.matches {
            PeerMatch::Pods(pods) => match self.selection(pods) {
                Selected::Some => {}
                Selected::HostOnly => self.report(
                    Code::PeerMatchesNothing,
                    &peer.field,
                    "all pods it names are in their node's network, where selectors do not see them"
                        .to_owned(),
                ),
                Selected::NoPod => self.report(
                    Code::PeerMatchesNothing,
                    &peer.field,
                    "no pod matches".to_owned(),
                ),
                Selected::NoNamespace => self.report(
                    Code::NamespaceMatchesNothing,
                    &peer.field,
                    "no namespace matches".to_owned(),
                ),
            },
            PeerMatch::Block { cidr, except } => self.block(peer, cidr, except),
            PeerMatch::Nodes(selector) => {
                let mut nodes = self.network.nodes().values().peekable();
                // Without any node in the input nothing can be said.
                if nodes.peek().is_some() && !nodes.any(|node| selects(selector, &node.labels)) {
                    let message = "no node matches".to_owned();
                    self.report(Code::PeerMatchesNothing, &peer.field, message);
                }
            }
            PeerMatch::Domains(_) => {
                let message = "domain names are not evaluated".to_owned();
                self.report(Code::Unsupported, &peer.field, message);
            }
            PeerMatch::Networks(_) | PeerMatch::Unknown => {}
        }
    }

    fn block(&mut self, peer: &Peer, cidr: &Cidr, except: &[Cidr]) {
        for (i, one) in except.iter().enumerate() {
            let message = if one.covers(cidr) {
                format!("takes all of {cidr} away: the peer matches nothing")
            } else if !cidr.covers(one) {
                format!("is not within {cidr}: it takes nothing away")
            } else {
                continue;
            };
            let field = format!("{}.ipBlock.except[{i}]", peer.field);
            self.report(Code::ExceptOutsideBlock, &field, message);
        }
    }

    fn port(&mut self, policy: &Policy, direction: Direction, rule: &Rule, port: &RulePort) {
        match &port.matches {
            PortMatch::Range { first, last, .. } if last < first => {
                let message = format!("the range ends ({last}) before it begins ({first})");
                self.report(Code::EmptyPortRange, &port.field, message);
            }
            PortMatch::Named { protocol, name } => {
                let network = self.network;
                let is_destination = |pod: &crate::cluster::Pod| match direction {
                    Direction::Ingress => network.is_selected(&policy.subject, pod),
                    Direction::Egress => rule.peers.as_ref().is_none_or(|peers| {
                        peers.iter().any(|peer| match &peer.matches {
                            PeerMatch::Pods(pods) => network.is_selected(pods, pod),
                            // Addresses may be those of any pod.
                            _ => true,
                        })
                    }),
                };
                let is_known = network.pods().iter().any(|pod| {
                    !pod.host_network
                        && pod.resolve(name, *protocol).next().is_some()
                        && is_destination(pod)
                });
                if !is_known {
                    let protocol = protocol
                        .map(|p| format!(" {}", p.as_str()))
                        .unwrap_or_default();
                    let message = format!("no destination pod has a{protocol} port named {name:?}");
                    self.report(Code::PortNameUnknown, &port.field, message);
                }
            }
            _ => {}
        }
    }

    /// Rules that another one makes superfluous: any other among those of a NetworkPolicy, where
    /// order means nothing, and an earlier one elsewhere.
    fn shadowed(&mut self, policy: &Policy, rules: &[Rule]) {
        for (at, rule) in rules.iter().enumerate() {
            if rule.is_unknown() {
                continue;
            }
            let by = rules.iter().enumerate().find(|(other, by)| {
                let may = match policy.tier {
                    // Of two that are the same, the first one stays.
                    Tier::Network => *other != at && (*other < at || !covers(rule, by)),
                    _ => *other < at,
                };
                may && !by.is_unknown() && covers(by, rule)
            });
            if let Some((_, by)) = by {
                let message = format!("{} matches all that it matches", by.field);
                self.report(Code::Shadowed, &rule.field, message);
            }
        }
    }

    fn ties(&mut self) {
        let mut before: Option<&Policy> = None;
        for id in self.network.admin_policies() {
            let Some(policy) = self.network.policy(*id) else {
                continue;
            };
            if let Some(other) = before.filter(|other| other.tier == policy.tier) {
                self.policy = *id;
                let message = format!(
                    "{} has the same priority: which of them is asked first is open",
                    other.name
                );
                self.report(Code::PriorityTie, "spec.priority", message);
            }
            before = Some(policy);
        }
    }
}

/// Whether a rule takes any peer: it names none, or all addresses or all pods.
pub(super) fn takes_anyone(tier: Tier, rule: &Rule) -> bool {
    let Some(peers) = &rule.peers else {
        return true;
    };
    peers.iter().any(|peer| match &peer.matches {
        PeerMatch::Block { cidr, except } => cidr.is_everything() && except.is_empty(),
        PeerMatch::Networks(ranges) => ranges.iter().any(Cidr::is_everything),
        PeerMatch::Pods(pods) => {
            // For NetworkPolicies that leaves out what is outside the cluster; for the admin tiers
            // it is as wide as it gets.
            tier != Tier::Network
                && pods.pods.is_empty()
                && matches!(&pods.namespaces, NamespaceMatch::Selected(s) if s.is_empty())
        }
        _ => false,
    })
}

/// Whether `outer` surely matches all that `inner` matches; looked at as written.
fn covers(outer: &Rule, inner: &Rule) -> bool {
    let peers = match (&outer.peers, &inner.peers) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.iter().all(|one| {
            outer
                .iter()
                .any(|by| peer_covers(&by.matches, &one.matches))
        }),
    };
    let ports = match (&outer.ports, &inner.ports) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(outer), Some(inner)) => inner.iter().all(|one| {
            outer
                .iter()
                .any(|by| port_covers(&by.matches, &one.matches))
        }),
    };
    peers && ports
}

fn peer_covers(outer: &PeerMatch, inner: &PeerMatch) -> bool {
    match (outer, inner) {
        (PeerMatch::Pods(a), PeerMatch::Pods(b)) => {
            let is_any = matches!(&a.namespaces, NamespaceMatch::Selected(s) if s.is_empty());
            (is_any || a.namespaces == b.namespaces) && (a.pods.is_empty() || a.pods == b.pods)
        }
        (
            PeerMatch::Block { cidr, except },
            PeerMatch::Block {
                cidr: inner,
                except: of_inner,
            },
        ) => {
            cidr.covers(inner)
                && except.iter().all(|e| {
                    of_inner.iter().any(|own| own.covers(e)) || !inner.covers(e) && !e.covers(inner)
                })
        }
        (PeerMatch::Networks(a), PeerMatch::Networks(b)) => {
            b.iter().all(|one| a.iter().any(|by| by.covers(one)))
        }
        _ => outer == inner,
    }
}

fn port_covers(outer: &PortMatch, inner: &PortMatch) -> bool {
    match (outer, inner) {
        (
            PortMatch::Range {
                protocol: a,
                first,
                last,
            },
            PortMatch::Range {
                protocol: b,
                first: inner_first,
                last: inner_last,
            },
        ) => a == b && first <= inner_first && inner_last <= last,
        (
            PortMatch::Range {
                protocol,
                first: 0,
                last: u16::MAX,
            },
            PortMatch::Named { protocol: own, .. },
        ) => *own == Some(*protocol),
        _ => outer == inner,
    }
}
