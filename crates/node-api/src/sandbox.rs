//! A pod's sandbox: what its containers share.

use oci_spec::runtime::LinuxResources;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// A sandbox's identifier, safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SandboxId(pub String);

impl fmt::Display for SandboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The network a pod lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Network {
    /// A network namespace of its own, connected to the node's pod network.
    #[default]
    Pod,
    /// The node's own (`hostNetwork`).
    Host,
}

/// What a sandbox is to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SandboxConfig {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub name: String,
    /// The pod's UID.
    pub uid: String,
    /// How many sandboxes of this pod came before.
    pub attempt: u32,
    /// The pod's host name; empty leaves the node's (with [`Network::Host`]).
    pub hostname: String,
    /// The network it lives in.
    pub network: Network,
    /// Whether it shares the node's IPC namespace (`hostIPC`).
    pub host_ipc: bool,
    /// Whether its containers share one process namespace (`shareProcessNamespace`).
    pub shared_pid: bool,
    /// The pod's cgroup, as a path from the cgroup root: `/kubepods/burstable/podUID`.
    pub cgroup: String,
    /// Limits and weights of that cgroup.
    pub resources: Option<LinuxResources>,
    /// Kernel parameters of the pod's namespaces, by name: `net.core.somaxconn`.
    pub sysctls: BTreeMap<String, String>,
    /// Where containers' logs go; containers name files under it.
    pub log_directory: PathBuf,
    /// What the agent finds its sandboxes by.
    pub labels: BTreeMap<String, String>,
    /// Unindexed notes of the agent, kept as given.
    pub annotations: BTreeMap<String, String>,
}

/// Whether a sandbox works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxState {
    /// Containers can be made in it.
    Ready,
    /// It was stopped, or its holder died: it can only be removed.
    NotReady,
}

/// A sandbox as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Its identifier.
    pub id: SandboxId,
    /// Whether it works.
    pub state: SandboxState,
    /// When it was made, in nanoseconds since 1970.
    pub created_at: i64,
    /// The pod's addresses, the primary one first; none with [`Network::Host`].
    pub addresses: Vec<IpAddr>,
    /// What it was asked to be.
    pub config: SandboxConfig,
}
