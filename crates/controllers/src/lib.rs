//! Loops that carry out what `reconcile` decides. Each controller acts under an identity of its
//! own through the cluster port, so the default roles bound to it are all it can do.

mod bootstrap;
mod disruption;
mod events;
mod garbage;
mod namespace;
mod node_taints;
mod per_namespace;
mod published;
mod queue;
mod rbac;
mod recorder;
mod resource_quota;
mod runtime;
mod token_secret;
mod volumes;

pub use bootstrap::{bootstrap, kubernetes_service};
pub use published::publish;
pub use queue::Queue;
pub use rbac::bootstrap_rbac;
pub use runtime::{ClusterFor, Controllers, Resolve, Setup, TokenIssuer, pause};
