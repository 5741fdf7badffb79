//! A container of a sandbox.

use crate::SandboxId;
use oci_spec::runtime::Spec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A container's identifier, safe as a file name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ContainerId(pub String);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose process namespace a container lives in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum PidMode {
    /// Its own.
    #[default]
    Container,
    /// The pod's; the sandbox must have been made with `shared_pid`.
    Pod,
    /// The node's (`hostPID`).
    Node,
    /// Another container's, as an ephemeral container with a target wants.
    Target(ContainerId),
}

/// When a log file is set aside and a new one begun, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLimits {
    /// Rotate once the file holds this many bytes.
    pub bytes: u64,
    /// Files kept, with the one being written; at least 2.
    pub files: u32,
}

impl Default for LogLimits {
    /// Kubelet's `containerLogMaxSize` and `containerLogMaxFiles`.
    fn default() -> Self {
        Self {
            bytes: 10 * 1024 * 1024,
            files: 5,
        }
    }
}

/// What a container is to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ContainerConfig {
    /// The container's name in the pod.
    pub name: String,
    /// How many containers of this name the pod had before.
    pub attempt: u32,
    /// The image whose file system it gets, as [`crate::Image::id`] or a name of it; a container
    /// without an image needs `spec.root.path`.
    pub image: String,
    /// What to run and under which restrictions. The runtime sets the root's path, and the
    /// namespaces: mount and cgroup are the container's own, network, IPC and UTS the sandbox's,
    /// user the sandbox's if it has one, and the process namespace is what `pid` says. With
    /// `linux.seccomp` the process never runs without that filter: where it cannot be applied,
    /// the container does not start.
    pub spec: Spec,
    /// Whose process namespace it lives in.
    pub pid: PidMode,
    /// Keep standard input open for `attach`.
    pub stdin: bool,
    /// Close standard input when the first attached client leaves.
    pub stdin_once: bool,
    /// Give it a terminal.
    pub tty: bool,
    /// The log file, relative to the sandbox's log directory; empty for no log.
    pub log_path: PathBuf,
    /// When the log rotates.
    pub log_limits: LogLimits,
    /// What the agent finds its containers by.
    pub labels: BTreeMap<String, String>,
    /// Unindexed notes of the agent, kept as given.
    pub annotations: BTreeMap<String, String>,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Its first process runs.
    Running,
    /// It ended.
    Exited(Exit),
    /// It is not known what became of it: its holder died before it did.
    Unknown,
}

/// Why a container ended, as its status' `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// With status 0.
    Completed,
    /// With another status or by a signal.
    Error,
    /// The kernel killed one of its processes for want of memory.
    OomKilled,
    /// Its command could not be executed.
    StartError,
}

impl ExitReason {
    /// The word in a pod's status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Error => "Error",
            Self::OomKilled => "OOMKilled",
            Self::StartError => "StartError",
        }
    }
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit status; 128 and the signal's number for one killed by a signal.
    pub code: i32,
    /// The signal that killed it, or 0.
    pub signal: i32,
    /// Why.
    pub reason: ExitReason,
    /// What more there is to say; mostly empty.
    pub message: String,
    /// When it ended, in nanoseconds since 1970.
    pub finished_at: i64,
}

impl Exit {
    /// The end of a process that returned `code`.
    pub fn by_status(code: i32, finished_at: i64) -> Self {
        let reason = match code {
            0 => ExitReason::Completed,
            _ => ExitReason::Error,
        };
        Self {
            code,
            signal: 0,
            reason,
            message: String::new(),
            finished_at,
        }
    }

    /// The end of a process that `signal` killed.
    pub fn by_signal(signal: i32, finished_at: i64) -> Self {
        Self {
            code: signal.saturating_add(128),
            signal,
            reason: ExitReason::Error,
            message: String::new(),
            finished_at,
        }
    }
}

/// A container as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Its identifier.
    pub id: ContainerId,
    /// Its sandbox.
    pub sandbox: SandboxId,
    /// Its name in the pod.
    pub name: String,
    /// How many of this name came before.
    pub attempt: u32,
    /// The image it was made from, by [`crate::Image::id`].
    pub image: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// The first process as the node sees it, while there is one.
    pub pid: Option<u32>,
    /// When it was made, in nanoseconds since 1970.
    pub created_at: i64,
    /// When it was started, in nanoseconds since 1970.
    pub started_at: Option<i64>,
    /// The log file's full path; empty for none.
    pub log_path: PathBuf,
    /// What the agent finds it by.
    pub labels: BTreeMap<String, String>,
    /// Unindexed notes of the agent, kept as given.
    pub annotations: BTreeMap<String, String>,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    /// When this was read, in nanoseconds since 1970.
    pub at: i64,
    /// Processor time used since its start, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// Memory charged to it, page cache included.
    pub memory_bytes: u64,
    /// Memory charged to it without inactive page cache: what eviction compares.
    pub working_set_bytes: u64,
    /// Its memory limit, if it has one.
    pub memory_limit_bytes: Option<u64>,
    /// Anonymous memory.
    pub rss_bytes: u64,
    /// Its tasks.
    pub pids: u64,
    /// Bytes in its writable layer.
    pub disk_bytes: u64,
    /// Files in its writable layer.
    pub disk_inodes: u64,
}
