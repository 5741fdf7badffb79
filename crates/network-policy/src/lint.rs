//! What is wrong with policies, and where they leave gaps.

mod coverage;
mod policies;

use crate::network::{Network, PodId, PolicyId};
use serde::Serialize;

/// What was found; the names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// A rule allows any traffic of its direction.
    AllowsEverything,
    /// An `except` that is not strictly within its `cidr`, or takes all of it away.
    ExceptOutsideBlock,
    /// A range of ports that ends before it begins.
    EmptyPortRange,
    /// Pods in their node's network that a policy's selector names: it does not protect them.
    HostNetworkPod,
    /// The instance metadata service of clouds can be reached.
    MetadataReachable,
    /// A namespace with pods but without a policy that closes the way out by default.
    NoDefaultDenyEgress,
    /// A namespace with pods but without a policy that closes the way in by default.
    NoDefaultDenyIngress,
    /// A peer that matches no pod there is.
    PeerMatchesNothing,
    /// A peer or subject whose namespace selector matches no namespace there is.
    NamespaceMatchesNothing,
    /// A pod that is not isolated, in a namespace that has policies of that direction.
    PodNotIsolated,
    /// A port name that no destination pod has.
    PortNameUnknown,
    /// AdminNetworkPolicies of the same priority: which is asked first is open.
    PriorityTie,
    /// Rules of a direction that `policyTypes` leaves out.
    RulesIgnored,
    /// A policy that selects no pod.
    SelectsNothing,
    /// A rule that changes nothing, because another one matches all that it matches.
    Shadowed,
    /// A rule with a peer or port of a sort that is not known, which fails closed.
    Unsupported,
}

impl Code {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowsEverything => "allows-everything",
            Self::ExceptOutsideBlock => "except-outside-block",
            Self::EmptyPortRange => "empty-port-range",
            Self::HostNetworkPod => "host-network-pod",
            Self::MetadataReachable => "metadata-reachable",
            Self::NoDefaultDenyEgress => "no-default-deny-egress",
            Self::NoDefaultDenyIngress => "no-default-deny-ingress",
            Self::PeerMatchesNothing => "peer-matches-nothing",
            Self::NamespaceMatchesNothing => "namespace-matches-nothing",
            Self::PodNotIsolated => "pod-not-isolated",
            Self::PortNameUnknown => "port-name-unknown",
            Self::PriorityTie => "priority-tie",
            Self::RulesIgnored => "rules-ignored",
            Self::SelectsNothing => "selects-nothing",
            Self::Shadowed => "shadowed",
            Self::Unsupported => "unsupported",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A policy.
    Policy(PolicyId),
    /// A namespace.
    Namespace(String),
    /// A pod.
    Pod(PodId),
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// About what.
    pub target: Target,
    /// The path of the field in it; empty for the whole.
    pub field: String,
    /// Why it matters here, in a line.
    pub message: String,
}

impl Network {
    /// Everything that is wrong with the policies or that they leave open, by policy, then
    /// namespace, then pod.
    pub fn lint(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        policies::check(self, &mut findings);
        coverage::check(self, &mut findings);
        findings.sort_by(|a, b| (&a.target, &a.field, a.code).cmp(&(&b.target, &b.field, b.code)));
        findings
    }
}
