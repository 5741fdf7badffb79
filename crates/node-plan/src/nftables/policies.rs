//! Chains of policies: two for each local pod, one for each direction. A chain returns for what is
//! allowed and drops what is not, so that both ends of a connection have their say.

use super::{Addresses, Matches, Ports, Rule, Table, Verdict};
use network_policy::{
    Action, Cidr, Direction, Network, PeerMatch, Pod, PodId, PolicyId, PortMatch, Protocol,
    Rule as PolicyRule, Tier,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The pods of a node that policies apply to and that have addresses.
pub(super) fn local_pods<'a>(
    network: &'a Network,
    node: &'a str,
) -> impl Iterator<Item = PodId> + 'a {
    network.pods().iter().zip(0..).filter_map(move |(pod, id)| {
        let is_local = pod.node == node && !pod.host_network && !pod.addresses.is_empty();
        is_local.then_some(PodId(id))
    })
}

/// Adds a pod's chains to the table, and the jumps to them from where packets pass.
pub(super) fn add(
    table: &mut Table,
    network: &Network,
    id: PodId,
    out: &mut Vec<Rule>,
    into: &mut Vec<Rule>,
) {
    let Some(pod) = network.pod(id) else { return };
    let own = Chains {
        network,
        pod,
        id,
        direction: Direction::Egress,
    }
    .own();
    if own.is_nobody() {
        return;
    }
    let who = format!("{}/{}", pod.namespace, pod.name);
    for direction in [Direction::Egress, Direction::Ingress] {
        let chains = Chains {
            network,
            pod,
            id,
            direction,
        };
        let admin = format!("{}-{}", direction.as_str(), id.0);
        let tiers = format!("{admin}-network");
        let first = chains.admin(&tiers);
        let second = chains.network();
        // Most pods are subject to nothing.
        if first.len() <= 1 && second.is_empty() {
            continue;
        }
        let matches = match direction {
            Direction::Egress => Matches {
                source: Some(own.clone()),
                ..Matches::default()
            },
            Direction::Ingress => Matches {
                destination: Some(own.clone()),
                ..Matches::default()
            },
        };
        let jump = Rule::new(matches, Verdict::Jump(admin.clone()), &who);
        match direction {
            Direction::Egress => out.push(jump),
            Direction::Ingress => into.push(jump),
        }
        let mut first = first;
        first.push(Rule::new(
            Matches::default(),
            Verdict::Goto(tiers.clone()),
            "",
        ));
        table.chains.insert(admin, first);
        table.chains.insert(tiers, second);
    }
}

struct Chains<'a> {
    network: &'a Network,
    pod: &'a Pod,
    id: PodId,
    direction: Direction,
}

impl Chains<'_> {
    /// The addresses that lead to the pod.
    fn own(&self) -> Addresses {
        Addresses::of(self.addresses([self.pod].into_iter()))
    }

    /// A pod reaches itself; then the admin tier, which may hand on to the chain `next`.
    fn admin(&self, next: &str) -> Vec<Rule> {
        let itself = Rule::new(
            self.of_other(Some(self.own())),
            Verdict::Return,
            "a pod reaches itself",
        );
        let mut rules = vec![itself];
        for id in self.policies(|tier| matches!(tier, Tier::Admin { .. })) {
            self.policy(id, &mut rules, |action| match action {
                Action::Allow => Verdict::Return,
                Action::Deny => Verdict::Drop,
                Action::Pass => Verdict::Goto(next.to_owned()),
            });
        }
        rules
    }

    /// NetworkPolicies, if any isolates the pod, and else the baseline.
    fn network(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let isolating = self.network.isolated_by(self.id, self.direction);
        if isolating.is_empty() {
            for id in self.policies(|tier| tier == Tier::Baseline) {
                self.policy(id, &mut rules, |action| match action {
                    Action::Deny => Verdict::Drop,
                    Action::Allow | Action::Pass => Verdict::Return,
                });
            }
            return rules;
        }
        for id in &isolating {
            self.policy(*id, &mut rules, |_| Verdict::Return);
        }
        if let Some(node) = self.network.nodes().get(&self.pod.node) {
            // A pod's address is the pod's, whatever a node says.
            let own = node
                .addresses
                .iter()
                .filter(|ip| self.pod_at(**ip).is_none());
            let own = Addresses::of(own.map(|ip| Cidr::of(*ip)));
            if !own.is_nobody() {
                let matches = self.of_other(Some(own));
                rules.push(Rule::new(matches, Verdict::Return, "a pod's own node"));
            }
        }
        let names: Vec<String> = isolating.iter().map(|id| self.name(*id)).collect();
        rules.push(Rule::new(
            Matches::default(),
            Verdict::Drop,
            &names.join(" "),
        ));
        rules
    }

    /// The policies of a tier that speak of the pod, in the order in which they are asked.
    fn policies(&self, tier: impl Fn(Tier) -> bool) -> Vec<PolicyId> {
        let all = self.network.policies().iter().zip(0..);
        all.filter(|(policy, _)| {
            tier(policy.tier)
                && policy.rules(self.direction).is_some()
                && self.network.is_selected(&policy.subject, self.pod)
        })
        .map(|(_, id)| PolicyId(id))
        .collect()
    }

    fn name(&self, id: PolicyId) -> String {
        self.network
            .policy(id)
            .map_or_else(String::new, |policy| match policy.namespace.as_str() {
                "" => format!("{} {}", policy.kind(), policy.name),
                namespace => format!("{} {namespace}/{}", policy.kind(), policy.name),
            })
    }

    fn policy(&self, id: PolicyId, rules: &mut Vec<Rule>, verdict: impl Fn(Action) -> Verdict) {
        let policy = self.network.policy(id);
        for rule in policy
            .and_then(|policy| policy.rules(self.direction))
            .unwrap_or_default()
        {
            let comment = format!("{} {}", self.name(id), rule.field);
            if rule.is_unknown() {
                if rule.action != Action::Allow {
                    rules.push(Rule::new(Matches::default(), Verdict::Drop, &comment));
                }
                continue;
            }
            for matches in self.rule(rule) {
                rules.push(Rule::new(matches, verdict(rule.action), &comment));
            }
        }
    }

    /// What packets a rule of a policy is about.
    fn rule(&self, rule: &PolicyRule) -> Vec<Matches> {
        let peers: Vec<Option<Addresses>> = match &rule.peers {
            None => vec![None],
            Some(peers) => self.peers(peers.iter().map(|peer| &peer.matches)),
        };
        let mut all = Vec::new();
        for peer in peers {
            let Some(ports) = &rule.ports else {
                all.push(self.of_other(peer));
                continue;
            };
            let mut by_number: BTreeMap<Protocol, Vec<(u16, u16)>> = BTreeMap::new();
            for port in ports {
                match &port.matches {
                    PortMatch::Range {
                        protocol,
                        first,
                        last,
                    } if first <= last => {
                        by_number
                            .entry(*protocol)
                            .or_default()
                            .push((*first, *last));
                    }
                    PortMatch::Named { protocol, name } => match self.direction {
                        Direction::Ingress => {
                            for port in self.pod.resolve(name, *protocol) {
                                let ranges = by_number.entry(port.protocol).or_default();
                                ranges.push((port.number, port.number));
                            }
                        }
                        Direction::Egress => self.named(&peer, name, *protocol, &mut all),
                    },
                    PortMatch::Range { .. } | PortMatch::Unknown => {}
                }
            }
            for (protocol, ranges) in by_number {
                let ports = Some(Ports {
                    protocol,
                    ranges: merged(ranges),
                });
                all.push(Matches {
                    ports,
                    ..self.of_other(peer.clone())
                });
            }
        }
        all
    }

    /// On the way out a port's name is the destination's: a rule for each port that it stands for.
    fn named(
        &self,
        peer: &Option<Addresses>,
        name: &str,
        protocol: Option<Protocol>,
        all: &mut Vec<Matches>,
    ) {
        let mut by_port: BTreeMap<(Protocol, u16), Vec<Cidr>> = BTreeMap::new();
        for pod in self.network.pods().iter().filter(|pod| !pod.host_network) {
            let reached = pod
                .addresses
                .iter()
                .filter(|ip| self.is_at(**ip, pod))
                .filter(|ip| peer.as_ref().is_none_or(|peer| peer.contains(**ip)))
                .map(|ip| Cidr::of(*ip));
            let reached: Vec<Cidr> = reached.collect();
            for port in pod.resolve(name, protocol) {
                by_port
                    .entry((port.protocol, port.number))
                    .or_default()
                    .extend(&reached);
            }
        }
        for ((protocol, number), addresses) in by_port {
            let addresses = Addresses::of(addresses);
            if !addresses.is_nobody() {
                let ports = Some(Ports {
                    protocol,
                    ranges: vec![(number, number)],
                });
                all.push(Matches {
                    ports,
                    ..self.of_other(Some(addresses))
                });
            }
        }
    }

    /// The addresses of a rule's peers; those with exceptions come one by one.
    fn peers<'p>(&self, peers: impl Iterator<Item = &'p PeerMatch>) -> Vec<Option<Addresses>> {
        let mut plain = Vec::new();
        let mut all = Vec::new();
        for peer in peers {
            match peer {
                PeerMatch::Pods(of) => {
                    let pods = self.network.pods().iter();
                    plain.extend(self.addresses(pods.filter(|p| self.network.is_selected(of, p))));
                }
                PeerMatch::Block { cidr, except } => {
                    all.push(Some(Addresses {
                        within: Some(vec![*cidr]),
                        outside: except.clone(),
                    }));
                    plain.extend(self.of_pods_in(cidr, except));
                }
                PeerMatch::Networks(ranges) => {
                    for range in ranges {
                        plain.push(*range);
                        plain.extend(self.of_pods_in(range, &[]));
                    }
                }
                PeerMatch::Nodes(selector) => {
                    let nodes = self.network.nodes().values();
                    let selected = nodes.filter(|node| {
                        selector.matches(|key| node.labels.get(key).map(String::as_str))
                    });
                    let addresses = selected.flat_map(|node| node.addresses.iter());
                    plain.extend(
                        addresses
                            .filter(|ip| self.pod_at(**ip).is_none())
                            .map(|ip| Cidr::of(*ip)),
                    );
                }
                PeerMatch::Domains(_) | PeerMatch::Unknown => {}
            }
        }
        if !plain.is_empty() {
            all.push(Some(Addresses::of(plain)));
        }
        all
    }

    /// All addresses of pods that have one in a range: a pod of two families is one peer.
    fn of_pods_in(&self, cidr: &Cidr, except: &[Cidr]) -> Vec<Cidr> {
        let inside = |ip: &IpAddr| cidr.contains(*ip) && !except.iter().any(|e| e.contains(*ip));
        let pods = self.network.pods().iter().filter(|pod| !pod.host_network);
        self.addresses(
            pods.filter(|pod| pod.addresses.len() > 1 && pod.addresses.iter().any(inside)),
        )
    }

    fn addresses<'p>(&self, pods: impl Iterator<Item = &'p Pod>) -> Vec<Cidr> {
        pods.flat_map(|pod| {
            pod.addresses
                .iter()
                .filter(|ip| self.is_at(**ip, pod))
                .map(|ip| Cidr::of(*ip))
        })
        .collect()
    }

    /// Whether the address leads to this pod: two objects may claim one while a pod is replaced.
    fn is_at(&self, ip: IpAddr, pod: &Pod) -> bool {
        self.pod_at(ip)
            .is_some_and(|other| std::ptr::eq(other, pod))
    }

    fn pod_at(&self, ip: IpAddr) -> Option<&Pod> {
        match self.network.endpoint(ip) {
            network_policy::Endpoint::Pod(id) => self.network.pod(id),
            network_policy::Endpoint::Address(_) => None,
        }
    }

    fn of_other(&self, addresses: Option<Addresses>) -> Matches {
        match self.direction {
            Direction::Egress => Matches {
                destination: addresses,
                ..Matches::default()
            },
            Direction::Ingress => Matches {
                source: addresses,
                ..Matches::default()
            },
        }
    }
}

/// Ranges in order, those that meet made one, as sets of intervals want them.
fn merged(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(previous) if first <= previous.1.saturating_add(1) => {
                previous.1 = previous.1.max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged
}
