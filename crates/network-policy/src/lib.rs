//! Network policies compiled to a matcher: who reaches whom and why, the reachability matrix of a
//! whole cluster, and what is wrong with the policies.
//!
//! NetworkPolicies (`networking.k8s.io/v1`) with AdminNetworkPolicies and the
//! BaselineAdminNetworkPolicy (`policy.networking.k8s.io/v1alpha1`) around them. Where upstream
//! leaves a choice to network plugins, this is what is taken:
//!
//! - Pods in their node's network are not subject to policies and no selector of pods selects
//!   them; they are their node's addresses.
//! - `ipBlock` and `networks` match pods by their addresses too, and a pod of two families if any
//!   of its addresses is inside.
//! - Port names are those of the destination pod, whoever the rule's peer is; a destination that
//!   is no pod has none.
//! - A pod reaches itself. The node that a pod runs on reaches it and is reached by it whatever
//!   NetworkPolicies say; the rules of the admin tiers are asked for nodes like for anyone.
//! - AdminNetworkPolicies of the same priority are asked in the order of their names.

mod bits;
mod cidr;
mod classes;
mod cluster;
mod decide;
pub mod lint;
mod matrix;
mod network;
mod parse;
mod policy;

pub use cidr::{Cidr, address};
pub use cluster::{NamedPort, Namespace, Node, Pod};
pub use decide::{Because, Decision, RuleRef, Side};
pub use matrix::Matrix;
pub use network::{Endpoint, Network, PodId, PolicyId};
pub use parse::{ADMIN_GROUP, GROUP, MalformedPolicy};
pub use policy::{
    Action, Direction, NamespaceMatch, Peer, PeerMatch, PodMatch, Policy, Port, PortMatch,
    Protocol, Rule, RulePort, Tier,
};
