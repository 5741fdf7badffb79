//! Who reaches whom, for all pods at once.
//!
//! Endpoints that no policy can tell apart form a class; what a policy selects is a set of classes
//! held as bits. Of every class whose policies are the same, the way out and the way in are
//! computed once, as sets, and the two are then laid over each other.

use crate::bits::{Bits, ones, transpose};
use crate::classes::Classes;
use crate::network::{Endpoint, Network, PodId, PolicyId};
use crate::policy::{Action, Direction, Policy, Port, PortMatch, Protocol, Rule, Tier};
use foldhash::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

/// Who reaches whom on each of some ports.
pub struct Matrix<'a> {
    network: &'a Network,
    ports: Vec<Port>,
    addresses: Vec<IpAddr>,
    of_pod: Vec<u32>,
    of_address: Vec<u32>,
    members: Vec<Vec<Endpoint>>,
    /// For each port, for each class, the classes it reaches.
    grids: Vec<Vec<u64>>,
    words: usize,
}

impl Network {
    /// Who reaches whom on each of `ports`, among all pods and these further addresses.
    pub fn matrix(&self, ports: &[Port], addresses: &[IpAddr]) -> Matrix<'_> {
        let addresses: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
        let classes = Classes::new(self, &addresses);
        let compiled = Compiled::new(self, &classes);
        let grids = ports.iter().map(|port| compiled.grid(*port)).collect();
        let words = classes.len().div_ceil(64);
        drop(compiled);
        Matrix {
            network: self,
            ports: ports.to_vec(),
            of_pod: classes.of_pod,
            of_address: classes.of_address,
            members: classes.members,
            addresses,
            grids,
            words,
        }
    }
}

impl<'a> Matrix<'a> {
    /// The network that it is of.
    pub fn network(&self) -> &'a Network {
        self.network
    }

    /// The ports that it was made for.
    pub fn ports(&self) -> &[Port] {
        &self.ports
    }

    /// The addresses that it was made for, beside the pods.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// The classes: endpoints that no policy can tell apart.
    pub fn classes(&self) -> &[Vec<Endpoint>] {
        &self.members
    }

    /// The class of an endpoint; `None` for one that the matrix was not made for.
    pub fn class_of(&self, endpoint: Endpoint) -> Option<usize> {
        let class = match endpoint {
            Endpoint::Pod(id) => self.of_pod.get(id.0 as usize),
            Endpoint::Address(ip) => {
                let at = self.addresses.iter().position(|a| *a == ip.to_canonical());
                at.and_then(|at| self.of_address.get(at))
            }
        };
        class.map(|class| *class as usize)
    }

    fn row(&self, port: usize, from: usize) -> &[u64] {
        let start = from * self.words;
        let grid = self.grids.get(port);
        grid.and_then(|grid| grid.get(start..start + self.words))
            .unwrap_or_default()
    }

    /// Whether members of one class reach those of another on the port at that place, leaving out
    /// that a pod reaches itself and its own node (see [`Matrix::allowed`]).
    pub fn is_class_allowed(&self, port: usize, from: usize, to: usize) -> bool {
        let word = self.row(port, from).get(to / 64).copied().unwrap_or(0);
        word >> (to % 64) & 1 == 1
    }

    /// The classes that a class reaches on the port at that place, ascending; with the same
    /// reservation.
    pub fn reached(&self, port: usize, from: usize) -> impl Iterator<Item = usize> + '_ {
        ones(self.row(port, from))
    }

    /// Whether `from` reaches `to` on the port at that place; `None` if the matrix was not made
    /// for one of them.
    pub fn allowed(&self, port: usize, from: Endpoint, to: Endpoint) -> Option<bool> {
        let (own, other) = (self.class_of(from)?, self.class_of(to)?);
        let number = *self.ports.get(port)?;
        if self.is_special(from, to) {
            return Some(self.network.allowed(from, to, number).allowed);
        }
        Some(self.is_class_allowed(port, own, other))
    }

    /// Whether two endpoints stand in a relation that classes do not show: the same pod, or a pod
    /// and its node.
    fn is_special(&self, from: Endpoint, to: Endpoint) -> bool {
        let (Some(a), Some(b)) = (self.network.view(from), self.network.view(to)) else {
            return false;
        };
        match (a.pod, b.pod) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            (Some(pod), None) => b.node.is_some_and(|node| node.name == pod.node),
            (None, Some(pod)) => a.node.is_some_and(|node| node.name == pod.node),
            (None, None) => false,
        }
    }

    /// How many ordered pairs of different pods there are that the port at that place is open
    /// between, and how many pairs there are in all.
    pub fn open_pairs(&self, port: usize) -> (u64, u64) {
        let pods_of: Vec<u64> = self
            .members
            .iter()
            .map(|members| {
                members
                    .iter()
                    .filter(|m| matches!(m, Endpoint::Pod(_)))
                    .count() as u64
            })
            .collect();
        let size = |class: usize| pods_of.get(class).copied().unwrap_or(0);
        let mut open = 0u64;
        for from in 0..self.members.len() {
            let reached: u64 = self.reached(port, from).map(size).sum();
            open += reached * size(from);
            if self.is_class_allowed(port, from, from) {
                // A pod and itself are no pair.
                open -= size(from);
            }
        }
        let total = self.of_pod.len() as u64;
        // What classes do not show: a pod and those in its node's network.
        let mut on_node: HashMap<&str, (Vec<Endpoint>, Vec<Endpoint>)> = HashMap::default();
        for (pod, id) in self.network.pods().iter().zip((0..).map(PodId)) {
            if !pod.node.is_empty() {
                let (hosts, others) = on_node.entry(&pod.node).or_default();
                let side = if pod.host_network { hosts } else { others };
                side.push(Endpoint::Pod(id));
            }
        }
        for (hosts, others) in on_node.values() {
            for host in hosts {
                for other in others {
                    for (from, to) in [(*host, *other), (*other, *host)] {
                        let (Some(a), Some(b)) = (self.class_of(from), self.class_of(to)) else {
                            continue;
                        };
                        let shown = self.is_class_allowed(port, a, b);
                        let real = self.allowed(port, from, to).unwrap_or(shown);
                        open = open + u64::from(real) - u64::from(shown);
                    }
                }
            }
        }
        (open, total * total.saturating_sub(1))
    }
}

/// A rule with the classes it matches.
struct CompiledRule<'a> {
    rule: &'a Rule,
    /// `None` is all.
    peers: Option<Bits>,
    is_unknown: bool,
}

/// A policy's rules of one direction.
struct CompiledPolicy<'a> {
    rules: Vec<CompiledRule<'a>>,
    /// Whether what it matches depends on what its subject calls its ports.
    is_by_subject: bool,
}

/// The policies that apply to the members of a class, in one direction.
#[derive(Default, Clone, PartialEq, Eq, Hash)]
struct Applied {
    admin: Vec<PolicyId>,
    network: Vec<PolicyId>,
    baseline: Vec<PolicyId>,
}

/// All policies in terms of classes.
struct Compiled<'a> {
    classes: &'a Classes<'a>,
    /// By direction, then by policy.
    policies: [Vec<Option<CompiledPolicy<'a>>>; 2],
    /// By direction, then by class.
    applied: [Vec<Applied>; 2],
}

const DIRECTIONS: [Direction; 2] = [Direction::Egress, Direction::Ingress];

impl<'a> Compiled<'a> {
    fn policy(&self, direction: Direction, id: PolicyId) -> Option<&CompiledPolicy<'a>> {
        let [egress, ingress] = &self.policies;
        let policies = match direction {
            Direction::Egress => egress,
            Direction::Ingress => ingress,
        };
        policies.get(id.0 as usize)?.as_ref()
    }

    fn new(network: &'a Network, classes: &'a Classes<'a>) -> Self {
        let mut applied = DIRECTIONS.map(|_| vec![Applied::default(); classes.len()]);
        let mut policies = DIRECTIONS.map(|_| Vec::with_capacity(network.policies().len()));
        for (policy, id) in network.policies().iter().zip((0..).map(PolicyId)) {
            let subject = classes.selected(&policy.subject);
            let [egress, ingress] = &mut applied;
            let [out, into] = &mut policies;
            for (direction, applied, compiled) in [
                (Direction::Egress, egress, out),
                (Direction::Ingress, ingress, into),
            ] {
                // What applies to nobody need not be worked out.
                let own = (!subject.is_empty())
                    .then(|| compile(policy, direction, classes))
                    .flatten();
                if own.is_some() {
                    for class in subject.iter() {
                        if let Some(applied) = applied.get_mut(class) {
                            let list = match policy.tier {
                                Tier::Admin { .. } => &mut applied.admin,
                                Tier::Network => &mut applied.network,
                                Tier::Baseline => &mut applied.baseline,
                            };
                            list.push(id);
                        }
                    }
                }
                compiled.push(own);
            }
        }
        Self {
            classes,
            policies,
            applied,
        }
    }

    /// For each class, the classes that it reaches.
    fn grid(&self, port: Port) -> Vec<u64> {
        let [egress, ingress] = DIRECTIONS.map(|direction| self.sides(direction, port));
        let len = self.classes.len();
        let words = len.div_ceil(64);
        let mut grid = Vec::with_capacity(len * words);
        for row in &egress {
            grid.extend_from_slice(row.words());
        }
        // The way in is known by destination: turn it round, block by block.
        let mut block = [0u64; 64];
        for (column, destinations) in ingress.chunks(64).enumerate() {
            for word in 0..words {
                block.fill(0);
                for (cell, sources) in block.iter_mut().zip(destinations) {
                    *cell = sources.words().get(word).copied().unwrap_or(0);
                }
                transpose(&mut block);
                for (row, cell) in block.iter().enumerate() {
                    let at = (word * 64 + row) * words + column;
                    if let Some(own) = grid.get_mut(at) {
                        *own &= cell;
                    }
                }
            }
        }
        grid
    }

    /// For each class, the classes that one direction is open to.
    fn sides(&self, direction: Direction, port: Port) -> Vec<Rc<Bits>> {
        let mut work = Work {
            compiled: self,
            direction,
            port,
            named: HashMap::default(),
            unions: Vec::new(),
        };
        let [egress, ingress] = &self.applied;
        let applied = match direction {
            Direction::Egress => egress,
            Direction::Ingress => ingress,
        };
        let everyone = Rc::new(Bits::all(self.classes.len()));
        let mut known: HashMap<_, Rc<Bits>> = HashMap::default();
        applied
            .iter()
            .enumerate()
            .map(|(class, applied)| {
                if !self.classes.is_subject(class) || *applied == Applied::default() {
                    return everyone.clone();
                }
                // Names of ports are those of the destination: of this class, on the way in.
                let ports = match direction {
                    Direction::Ingress => self.classes.ports(class),
                    Direction::Egress => &[],
                };
                known
                    .entry((applied, ports))
                    .or_insert_with(|| Rc::new(work.side(applied, class)))
                    .clone()
            })
            .collect()
    }
}

fn compile<'a>(
    policy: &'a Policy,
    direction: Direction,
    classes: &Classes<'a>,
) -> Option<CompiledPolicy<'a>> {
    let rules = policy.rules(direction)?.iter().map(|rule| CompiledRule {
        rule,
        peers: rule.peers.as_ref().map(|peers| {
            let mut all = Bits::none(classes.len());
            for peer in peers {
                all.add(&classes.peer(&peer.matches));
            }
            all
        }),
        is_unknown: rule.is_unknown(),
    });
    let rules: Vec<_> = rules.collect();
    let is_named = |rule: &CompiledRule<'_>| {
        let mut ports = rule.rule.ports.iter().flatten();
        ports.any(|port| matches!(port.matches, PortMatch::Named { .. }))
    };
    Some(CompiledPolicy {
        is_by_subject: direction == Direction::Ingress && rules.iter().any(is_named),
        rules,
    })
}

/// The work on one direction and port.
struct Work<'w, 'a> {
    compiled: &'w Compiled<'a>,
    direction: Direction,
    port: Port,
    /// The destinations that a port name is this port of.
    named: HashMap<&'w str, HashMap<Option<Protocol>, Bits>>,
    /// What NetworkPolicies allow to all that they select.
    unions: Vec<Option<Bits>>,
}

impl<'w, 'a> Work<'w, 'a> {
    /// The classes that members of `class` have an open way to (or from).
    fn side(&mut self, applied: &Applied, class: usize) -> Bits {
        let len = self.compiled.classes.len();
        let mut open = Bits::none(len);
        let mut left = Bits::all(len);
        let mut passed = Bits::none(len);
        self.in_order(&applied.admin, class, &mut open, &mut left, &mut passed);
        left.add(&passed);
        if applied.network.is_empty() {
            self.in_order(&applied.baseline, class, &mut open, &mut left, &mut passed);
        } else {
            let mut union = Bits::none(len);
            for id in &applied.network {
                self.add_union(*id, class, &mut union);
                if union.is_full() {
                    break;
                }
            }
            left.keep(&union);
        }
        open.add(&left);
        open
    }

    /// Asks rules in their order, and moves what they match out of `left`.
    fn in_order(
        &mut self,
        ids: &[PolicyId],
        class: usize,
        open: &mut Bits,
        left: &mut Bits,
        passed: &mut Bits,
    ) {
        let (compiled, direction) = (self.compiled, self.direction);
        for rule in ids
            .iter()
            .filter_map(|id| compiled.policy(direction, *id))
            .flat_map(|p| &p.rules)
        {
            let action = match rule.rule.action {
                Action::Allow if rule.is_unknown => continue,
                _ if rule.is_unknown => Action::Deny,
                action => action,
            };
            let mut matched = left.clone();
            if !rule.is_unknown {
                matched.keep(&self.matched(rule, class));
            }
            match action {
                Action::Allow => open.add(&matched),
                Action::Pass => passed.add(&matched),
                Action::Deny => {}
            }
            left.remove(&matched);
        }
    }

    /// Adds what a NetworkPolicy allows.
    fn add_union(&mut self, id: PolicyId, class: usize, union: &mut Bits) {
        let Some(policy) = self.compiled.policy(self.direction, id) else {
            return;
        };
        if policy.is_by_subject {
            for rule in &policy.rules {
                union.add(&self.matched(rule, class));
            }
            return;
        }
        // It is the same for all that the policy selects.
        let at = id.0 as usize;
        if let Some(Some(own)) = self.unions.get(at) {
            union.add(own);
            return;
        }
        let mut own = Bits::none(self.compiled.classes.len());
        for rule in &policy.rules {
            own.add(&self.matched(rule, class));
        }
        union.add(&own);
        if self.unions.len() <= at {
            self.unions.resize(at + 1, None);
        }
        if let Some(place) = self.unions.get_mut(at) {
            *place = Some(own);
        }
    }

    /// The classes that a rule matches on this port.
    fn matched(&mut self, rule: &'w CompiledRule<'a>, class: usize) -> Bits {
        let classes = self.compiled.classes;
        let all = || Bits::all(classes.len());
        let none = || Bits::none(classes.len());
        let mut bits = match &rule.peers {
            _ if rule.is_unknown => return none(),
            Some(peers) => peers.clone(),
            None => all(),
        };
        let Some(ports) = &rule.rule.ports else {
            return bits;
        };
        let mut destinations = none();
        for port in ports {
            match &port.matches {
                PortMatch::Range {
                    protocol,
                    first,
                    last,
                } if *protocol == self.port.protocol
                    && (*first..=*last).contains(&self.port.number) =>
                {
                    return bits;
                }
                PortMatch::Named { protocol, name } => {
                    let own = self.named.entry(name).or_default();
                    let own = own
                        .entry(*protocol)
                        .or_insert_with(|| classes.with_port(name, *protocol, self.port));
                    destinations.add(own);
                }
                _ => {}
            }
        }
        match self.direction {
            Direction::Egress => bits.keep(&destinations),
            Direction::Ingress if !destinations.contains(class) => return none(),
            Direction::Ingress => {}
        }
        bits
    }
}
