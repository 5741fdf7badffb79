//! The node's packet filter: network policies for its pods, the way to services, and what pods
//! must not reach, as one table that is replaced as a whole.
//!
//! Replacing it is one transaction, and what was let through once goes on (its connections are
//! known to the kernel), so an update drops no allowed flow. Traffic between pods must pass the
//! node's forwarding: pods are routed, or their bridge calls the filter.

pub mod nat;
pub mod policies;
mod render;
#[cfg(test)]
mod tests;
pub mod walk;

pub use render::render;

use network_policy::{Cidr, Network, Protocol};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The name of the table, of family `inet`.
pub const TABLE: &str = "rampart";

/// Where clouds answer with credentials: IPv4 link-local, and EC2's for IPv6.
pub const METADATA: [&str; 2] = ["169.254.169.254/32", "fd00:ec2::254/128"];

/// Addresses that a packet's source or destination is compared with: one of `within` (any if it is
/// `None`), and none of `outside`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addresses {
    /// Ranges, of both families.
    pub within: Option<Vec<Cidr>>,
    /// Ranges that are taken out.
    pub outside: Vec<Cidr>,
}

impl Addresses {
    /// Those of some ranges.
    pub fn of(ranges: impl IntoIterator<Item = Cidr>) -> Self {
        let mut within: Vec<Cidr> = ranges.into_iter().collect();
        within.sort_unstable();
        within.dedup();
        Self {
            within: Some(within),
            outside: Vec::new(),
        }
    }

    /// All but those of some ranges.
    pub fn but(ranges: impl IntoIterator<Item = Cidr>) -> Self {
        Self {
            within: None,
            outside: ranges.into_iter().collect(),
        }
    }

    /// Whether an address is among them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let within = self.within.as_ref();
        within.is_none_or(|all| all.iter().any(|range| range.contains(ip)))
            && !self.outside.iter().any(|range| range.contains(ip))
    }

    /// Whether no address is.
    pub fn is_nobody(&self) -> bool {
        self.within.as_ref().is_some_and(Vec::is_empty)
    }
}

/// Destination ports of one protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ports {
    /// The protocol.
    pub protocol: Protocol,
    /// First and last ports; empty for any.
    pub ranges: Vec<(u16, u16)>,
}

/// What a packet must be for a rule; every part that is there must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// It belongs to a connection that was let through, or answers to one.
    pub established: bool,
    /// It finds out who is on the link (IPv6 neighbour discovery).
    pub neighbour: bool,
    /// Its source.
    pub source: Option<Addresses>,
    /// Its destination.
    pub destination: Option<Addresses>,
    /// It is for an address of the node itself.
    pub local_destination: bool,
    /// Its destination was changed on the way.
    pub translated: bool,
    /// Its port.
    pub ports: Option<Ports>,
}

/// What happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes through this hook.
    Accept,
    /// It is gone.
    Drop,
    /// It is refused, so that its sender knows.
    Reject,
    /// The chain that jumped here goes on: allowed, as far as this chain goes.
    Return,
    /// Another chain is asked, then this one goes on.
    Jump(String),
    /// Another chain is asked in its place.
    Goto(String),
    /// One of these chains is asked in its place, each as often as the others.
    Spread(Vec<String>),
    /// It gets this destination.
    Dnat {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// It gets the node's address as its source.
    Masquerade,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// For which packets.
    pub matches: Matches,
    /// What happens.
    pub verdict: Verdict,
    /// Why it is there: the policy or service.
    pub comment: String,
}

impl Rule {
    fn new(matches: Matches, verdict: Verdict, comment: &str) -> Self {
        Self {
            matches,
            verdict,
            comment: comment.to_owned(),
        }
    }
}

/// Where in a packet's way through the node a chain is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// What passes through: to and from pods.
    Forward,
    /// What is for the node itself.
    Input,
    /// What the node itself sends.
    Output,
    /// What arrives, before its way is chosen: destinations are changed.
    Prerouting,
    /// What the node itself sends, before its way is chosen: likewise.
    OutputNat,
    /// What leaves: sources are changed.
    Postrouting,
}

/// A table: chains by name, and which of them the kernel asks itself. What none of them decides
/// goes through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The chains.
    pub chains: BTreeMap<String, Vec<Rule>>,
    /// Which chain is asked where.
    pub hooks: BTreeMap<Hook, String>,
}

impl Table {
    fn hook(&mut self, hook: Hook, name: &str, rules: Vec<Rule>) {
        self.hooks.insert(hook, name.to_owned());
        self.chains.insert(name.to_owned(), rules);
    }
}

/// What the table is made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The cluster with its policies.
    pub network: &'a Network,
    /// The node's name.
    pub node: &'a str,
    /// Addresses of local pods that may reach the metadata service.
    pub metadata_allowed: &'a [IpAddr],
    /// Services, and host ports of local pods.
    pub services: &'a [nat::Service],
    /// The ranges of all pods' addresses, which are not translated on their way to each other.
    pub pod_ranges: &'a [Cidr],
}

/// The node's table.
pub fn table(inputs: &Inputs<'_>) -> Table {
    let mut table = Table::default();
    let established = Rule::new(
        Matches {
            established: true,
            ..Matches::default()
        },
        Verdict::Accept,
        "connections that were let through go on",
    );
    // Without it no IPv6 address is found; ARP does not pass here.
    let neighbours = Rule::new(
        Matches {
            neighbour: true,
            ..Matches::default()
        },
        Verdict::Accept,
        "neighbours find each other",
    );
    let metadata = Rule::new(
        Matches {
            source: Some(Addresses {
                within: Some(inputs.pod_ranges.to_vec()),
                outside: inputs
                    .metadata_allowed
                    .iter()
                    .map(|ip| Cidr::of(*ip))
                    .collect(),
            }),
            destination: Some(Addresses::of(
                METADATA.iter().filter_map(|text| Cidr::parse(text)),
            )),
            ..Matches::default()
        },
        Verdict::Drop,
        "cloud metadata is closed to pods",
    );
    let pods = policies::local_pods(inputs.network, inputs.node);
    let (mut out, mut into) = (Vec::new(), Vec::new());
    for pod in pods {
        policies::add(&mut table, inputs.network, pod, &mut out, &mut into);
    }
    let refused = nat::refusals(inputs.services);
    let mut forward = vec![established.clone(), neighbours.clone(), metadata.clone()];
    forward.extend(refused.clone());
    forward.extend(out.clone());
    forward.extend(into.clone());
    let mut input = vec![established.clone(), neighbours.clone(), metadata];
    input.extend(refused.clone());
    input.extend(out);
    let mut output = vec![established, neighbours];
    output.extend(refused);
    output.extend(into);
    table.hook(Hook::Forward, "forward", forward);
    table.hook(Hook::Input, "input", input);
    table.hook(Hook::Output, "output", output);
    nat::add(&mut table, inputs.services, inputs.pod_ranges);
    table
}
