//! The decision on one connection, and its reasons.

use crate::cidr::Cidr;
use crate::network::{Endpoint, Network, PodId, PolicyId, View, selects};
use crate::policy::{
    Action, Direction, Peer, PeerMatch, Policy, Port, PortMatch, Rule, RulePort, Tier,
};

/// The rule that decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleRef {
    /// The policy.
    pub policy: PolicyId,
    /// The rule's place among those of its direction.
    pub rule: usize,
    /// The peer that matched; `None` if the rule takes anyone.
    pub peer: Option<usize>,
    /// The port that matched; `None` if the rule takes any.
    pub port: Option<usize>,
}

/// Why one direction was decided as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Both ends are the same pod, which cannot be kept from reaching itself.
    SamePod,
    /// The other end is the node that the pod runs on, which NetworkPolicies cannot shut out.
    OwnNode,
    /// This end is no pod that policies apply to: outside the cluster, a node, or a pod in its
    /// node's network.
    NoSubject,
    /// No policy of this direction has a say.
    NotIsolated,
    /// A rule matched.
    Rule(RuleRef),
    /// These NetworkPolicies isolate the pod, and no rule of theirs allows the traffic.
    Isolated(Vec<PolicyId>),
}

/// The decision of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Whether the traffic goes through here.
    pub allowed: bool,
    /// Whether NetworkPolicies isolate the pod in this direction.
    pub isolated: bool,
    /// Why.
    pub because: Because,
    /// Whether the answer would be another one if an address that is not known were inside (or
    /// outside) of an address range that a rule names. Of a pod without known addresses it is
    /// assumed that it is in a range of all addresses without exceptions, and in no other; that it
    /// is in none of link-local, loopback or multicast addresses is certain.
    pub uncertain: bool,
}

/// The decision on one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the connection can be made: both directions allow it.
    pub allowed: bool,
    /// The way out of the source.
    pub egress: Side,
    /// The way into the destination.
    pub ingress: Side,
}

impl Decision {
    /// Whether it hangs on addresses that are not known.
    pub fn is_uncertain(&self) -> bool {
        let open = |side: &Side| side.allowed || side.uncertain;
        open(&self.egress)
            && open(&self.ingress)
            && (self.egress.uncertain || self.ingress.uncertain)
    }
}

/// A connection, seen from the pod whose policies are asked.
struct Traffic<'a> {
    other: View<'a>,
    destination: View<'a>,
    port: Port,
    /// What is taken of ranges that an unknown address may or may not be in.
    guess: bool,
}

impl Network {
    /// Whether `from` can connect to `to` on a port, and why. Pods of other networks than this one
    /// count as outside the cluster.
    pub fn allowed(&self, from: Endpoint, to: Endpoint, port: Port) -> Decision {
        let egress = self.side(Direction::Egress, from, to, port);
        let ingress = self.side(Direction::Ingress, from, to, port);
        Decision {
            allowed: egress.allowed && ingress.allowed,
            egress,
            ingress,
        }
    }

    /// Which NetworkPolicies isolate a pod in a direction; none for a pod in its node's network.
    pub fn isolated_by(&self, pod: PodId, direction: Direction) -> Vec<PolicyId> {
        let Some(pod) = self.pod(pod) else {
            return Vec::new();
        };
        self.network_policies(&pod.namespace)
            .iter()
            .copied()
            .filter(|id| {
                self.policy(*id).is_some_and(|policy| {
                    policy.isolates(direction) && self.is_selected(&policy.subject, pod)
                })
            })
            .collect()
    }

    fn side(&self, direction: Direction, from: Endpoint, to: Endpoint, port: Port) -> Side {
        let side = self.decide(direction, from, to, port, false);
        let other = self.decide(direction, from, to, port, true);
        Side {
            uncertain: side.allowed != other.allowed,
            ..side
        }
    }

    fn decide(
        &self,
        direction: Direction,
        from: Endpoint,
        to: Endpoint,
        port: Port,
        guess: bool,
    ) -> Side {
        let done = |allowed: bool, isolated: bool, because: Because| Side {
            allowed,
            isolated,
            because,
            uncertain: false,
        };
        let (Some(source), Some(destination)) = (self.view(from), self.view(to)) else {
            return done(true, false, Because::NoSubject);
        };
        let (own, other) = match direction {
            Direction::Egress => (source, destination),
            Direction::Ingress => (destination, source),
        };
        let Some(subject) = own.pod else {
            return done(true, false, Because::NoSubject);
        };
        let isolating: Vec<PolicyId> = self
            .network_policies(&subject.namespace)
            .iter()
            .copied()
            .filter(|id| {
                self.policy(*id).is_some_and(|policy| {
                    policy.isolates(direction) && self.is_selected(&policy.subject, subject)
                })
            })
            .collect();
        let isolated = !isolating.is_empty();
        if other.pod.is_some_and(|pod| std::ptr::eq(pod, subject)) {
            return done(true, isolated, Because::SamePod);
        }
        let traffic = Traffic {
            other,
            destination,
            port,
            guess,
        };
        let ask = |ids: &[PolicyId]| {
            ids.iter().find_map(|id| {
                let policy = self.policy(*id)?;
                let applies = policy.tier == Tier::Network || {
                    policy.rules(direction).is_some() && self.is_selected(&policy.subject, subject)
                };
                let (action, rule) = if applies {
                    self.first_rule(policy, direction, &traffic)?
                } else {
                    return None;
                };
                Some((
                    action,
                    RuleRef {
                        policy: *id,
                        ..rule
                    },
                ))
            })
        };
        match ask(self.admin_policies()) {
            Some((Action::Allow, rule)) => return done(true, isolated, Because::Rule(rule)),
            Some((Action::Deny, rule)) => return done(false, isolated, Because::Rule(rule)),
            Some((Action::Pass, _)) | None => {}
        }
        if isolated {
            let is_own_node = other.node.is_some_and(|node| node.name == subject.node);
            return match ask(&isolating) {
                Some((_, rule)) => done(true, isolated, Because::Rule(rule)),
                None if is_own_node => done(true, isolated, Because::OwnNode),
                None => done(false, isolated, Because::Isolated(isolating)),
            };
        }
        match ask(self.baseline_policies()) {
            Some((action, rule)) => done(action == Action::Allow, false, Because::Rule(rule)),
            None => done(true, false, Because::NotIsolated),
        }
    }

    /// The first rule of a policy that matches, with what it does; the `policy` of the reference
    /// is left for the caller to fill in.
    fn first_rule(
        &self,
        policy: &Policy,
        direction: Direction,
        traffic: &Traffic<'_>,
    ) -> Option<(Action, RuleRef)> {
        let rules = policy.rules(direction)?;
        rules.iter().enumerate().find_map(|(at, rule)| {
            let (action, peer, port) = self.matching(rule, traffic)?;
            Some((
                action,
                RuleRef {
                    policy: PolicyId(0),
                    rule: at,
                    peer,
                    port,
                },
            ))
        })
    }

    fn matching(
        &self,
        rule: &Rule,
        traffic: &Traffic<'_>,
    ) -> Option<(Action, Option<usize>, Option<usize>)> {
        if rule.is_unknown() {
            return (rule.action != Action::Allow).then_some((Action::Deny, None, None));
        }
        let port = match &rule.ports {
            None => None,
            Some(ports) => Some(ports.iter().position(|p| traffic.is_port(p))?),
        };
        let peer = match &rule.peers {
            None => None,
            Some(peers) => Some(peers.iter().position(|p| self.is_peer(p, traffic))?),
        };
        Some((rule.action, peer, port))
    }

    fn is_peer(&self, peer: &Peer, traffic: &Traffic<'_>) -> bool {
        let other = &traffic.other;
        match &peer.matches {
            PeerMatch::Pods(pods) => other.pod.is_some_and(|pod| self.is_selected(pods, pod)),
            PeerMatch::Block { cidr, except } => other.is_within(cidr, except, traffic.guess),
            PeerMatch::Networks(ranges) => ranges
                .iter()
                .any(|range| other.is_within(range, &[], traffic.guess)),
            PeerMatch::Nodes(selector) => other
                .node
                .is_some_and(|node| selects(selector, &node.labels)),
            PeerMatch::Domains(_) | PeerMatch::Unknown => false,
        }
    }
}

impl Traffic<'_> {
    fn is_port(&self, port: &RulePort) -> bool {
        match &port.matches {
            PortMatch::Range {
                protocol,
                first,
                last,
            } => *protocol == self.port.protocol && (*first..=*last).contains(&self.port.number),
            PortMatch::Named { protocol, name } => self
                .destination
                .pod
                .is_some_and(|pod| pod.resolve(name, *protocol).any(|p| p == self.port)),
            PortMatch::Unknown => false,
        }
    }
}

impl View<'_> {
    /// Whether it has an address in a range; of one whose addresses are not known, whether the
    /// range is of all addresses, or else the guess.
    pub(crate) fn is_within(&self, cidr: &Cidr, except: &[Cidr], guess: bool) -> bool {
        let addresses = self.addresses();
        if addresses.is_empty() {
            return cidr.is_everything() && except.is_empty() || guess && !cidr.is_special();
        }
        addresses
            .iter()
            .any(|ip| cidr.contains(*ip) && !except.iter().any(|e| e.contains(*ip)))
    }
}
