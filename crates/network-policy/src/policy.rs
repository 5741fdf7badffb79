//! Compiled policies: plain data, for the matcher here and for a node's packet filter.

use crate::cidr::Cidr;
use model::selector::LabelSelector;
use serde::Serialize;
use std::fmt;

/// A transport protocol that policies know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP, the default.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// Reads upstream's name of it.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }

    /// Upstream's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// A destination port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Port {
    /// The protocol.
    pub protocol: Protocol,
    /// The number.
    pub number: u16,
}

impl Port {
    /// A TCP port.
    pub fn tcp(number: u16) -> Self {
        Self {
            protocol: Protocol::Tcp,
            number,
        }
    }

    /// A UDP port.
    pub fn udp(number: u16) -> Self {
        Self {
            protocol: Protocol::Udp,
            number,
        }
    }
}

impl fmt::Display for Port {
    /// `80/TCP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol.as_str())
    }
}

/// Which destination ports one entry of a rule's `ports` matches.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PortMatch {
    /// The ports from `first` to `last`; none if `last` is less.
    Range {
        /// The protocol.
        protocol: Protocol,
        /// The first port.
        first: u16,
        /// The last port.
        last: u16,
    },
    /// The port that the destination pod calls so.
    Named {
        /// The protocol that the pod's port must have; `None` takes any (as `namedPort` of
        /// AdminNetworkPolicies does).
        protocol: Option<Protocol>,
        /// The name.
        name: String,
    },
    /// Something this version does not know: the rule fails closed.
    Unknown,
}

/// An entry of a rule's `ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePort {
    /// What it matches.
    pub matches: PortMatch,
    /// Its path in the policy.
    pub field: String,
}

/// Which namespaces a peer or a subject speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamespaceMatch {
    /// The one of that name: the policy's own.
    Named(String),
    /// Those that the selector selects.
    Selected(LabelSelector),
}

/// Which pods a peer or a subject speaks of. Pods of the host's network are never among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodMatch {
    /// In these namespaces …
    pub namespaces: NamespaceMatch,
    /// … those with these labels.
    pub pods: LabelSelector,
}

/// Who one entry of a rule's peers matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerMatch {
    /// Pods, by labels.
    Pods(PodMatch),
    /// Addresses: those in `cidr` and in none of `except`.
    ///
    /// Pods are matched by their addresses too. Upstream leaves that to the network plugin; this
    /// is what most do, and what a packet filter sees.
    Block {
        /// The range.
        cidr: Cidr,
        /// What is taken out of it.
        except: Vec<Cidr>,
    },
    /// Addresses in any of these ranges; those of pods too, as upstream documents.
    Networks(Vec<Cidr>),
    /// Nodes, by labels, and with them the pods in their network.
    Nodes(LabelSelector),
    /// Domain names: they match no address that could be told here.
    Domains(Vec<String>),
    /// Something this version does not know: the rule fails closed.
    Unknown,
}

/// An entry of a rule's peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it matches.
    pub matches: PeerMatch,
    /// Its path in the policy.
    pub field: String,
}

/// What happens to traffic that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Action {
    /// It goes through; the only action of NetworkPolicies.
    Allow,
    /// It is dropped.
    Deny,
    /// No further AdminNetworkPolicy is asked.
    Pass,
}

/// A rule of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it does.
    pub action: Action,
    /// The other side of the traffic; `None` is anyone.
    pub peers: Option<Vec<Peer>>,
    /// The destination ports; `None` is any port of any protocol.
    pub ports: Option<Vec<RulePort>>,
    /// Its path in the policy.
    pub field: String,
    /// The name that it was given, or empty.
    pub name: String,
}

impl Rule {
    /// Whether a peer or port of it is of an unknown sort, so that it fails closed: an Allow rule
    /// then matches nothing, any other denies everything.
    pub fn is_unknown(&self) -> bool {
        let peers = self.peers.iter().flatten();
        let ports = self.ports.iter().flatten();
        peers.into_iter().any(|p| p.matches == PeerMatch::Unknown)
            || ports.into_iter().any(|p| p.matches == PortMatch::Unknown)
    }
}

/// Where a policy stands among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tier {
    /// AdminNetworkPolicy: asked first, the lower the priority the earlier.
    Admin {
        /// 0 to 1000.
        priority: i32,
    },
    /// NetworkPolicy: isolates the pods it selects; what no rule of any allows is dropped.
    Network,
    /// BaselineAdminNetworkPolicy: asked for pods that no NetworkPolicy isolates.
    Baseline,
}

impl Tier {
    /// The kind of such policies.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Admin { .. } => "AdminNetworkPolicy",
            Self::Network => "NetworkPolicy",
            Self::Baseline => "BaselineAdminNetworkPolicy",
        }
    }
}

/// Which way traffic flows, seen from the pod that a policy selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Out of it.
    Egress,
    /// Into it.
    Ingress,
}

impl Direction {
    /// The name of the list of rules in `spec`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Egress => "egress",
            Self::Ingress => "ingress",
        }
    }
}

/// A compiled policy of any of the three kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its tier, which tells its kind.
    pub tier: Tier,
    /// The namespace; empty for kinds of the whole cluster.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The pods that it applies to.
    pub subject: PodMatch,
    /// The rules for traffic into these pods; `None` if it does not speak of that direction.
    /// Rules of the admin tiers are in the order in which they are asked.
    pub ingress: Option<Vec<Rule>>,
    /// The rules for traffic out of these pods, likewise.
    pub egress: Option<Vec<Rule>>,
    /// Paths of rules that were written for a direction that `policyTypes` leaves out.
    pub ignored: Vec<String>,
}

impl Policy {
    /// The kind.
    pub fn kind(&self) -> &'static str {
        self.tier.kind()
    }

    /// Its rules of one direction; `None` if it does not speak of it.
    pub fn rules(&self, direction: Direction) -> Option<&[Rule]> {
        match direction {
            Direction::Egress => self.egress.as_deref(),
            Direction::Ingress => self.ingress.as_deref(),
        }
    }

    /// Whether it isolates the pods it selects: only NetworkPolicies do.
    pub fn isolates(&self, direction: Direction) -> bool {
        self.tier == Tier::Network && self.rules(direction).is_some()
    }
}
