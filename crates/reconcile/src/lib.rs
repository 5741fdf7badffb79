//! What each controller would do: plain functions from what is desired and observed to actions.
//! No I/O and no clock; the loops that carry the actions out are in `controllers`.

pub mod disruption;
pub mod garbage;
pub mod namespace;
pub mod node_taints;
pub mod rbac;
pub mod resource_quota;
pub mod root_ca;
pub mod service_account;
pub mod token_secret;
pub mod volumes;

use model::Value;

/// The object that an action is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name, optionally with a subresource: `namespaces/finalize`.
    pub resource: String,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Target {
    /// An object of the core group's `v1`.
    pub fn core(resource: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: String::new(),
            version: "v1".to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

/// How dependents fare when their owner is deleted (`metav1.DeletionPropagation`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// They stay, without the owner.
    Orphan,
    /// They go after the owner.
    Background,
    /// They go before the owner.
    Foreground,
}

impl Propagation {
    /// The API's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orphan => "Orphan",
            Self::Background => "Background",
            Self::Foreground => "Foreground",
        }
    }
}

/// One thing to do. Actions are conditional (on a resource version or UID), so that one that is
/// based on an old observation fails instead of doing harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Create the object; that it exists already is fine.
    Create(Target, Value),
    /// Replace the object (or its named subresource).
    Update(Target, Value),
    /// Apply a JSON merge patch to the object.
    Patch(Target, Value),
    /// Delete the object if it still has this UID; that it is gone already is fine.
    Delete(Target, String, Option<Propagation>),
}
