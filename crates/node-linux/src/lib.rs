//! Runs pods on Linux behind the ports of `node-api`.
//!
//! Every pod has a **helper**: a process of the same binary, re-executed, that holds the pod's
//! namespaces, its containers' streams and terminals, writes their logs, reaps them and records
//! how they ended. It outlives the agent; an agent that starts finds the helpers that run by
//! their directories and talks to them over a Unix socket again. Containers are made by
//! `libcontainer` in a third, short-lived process (the **launcher**), because it forks, changes
//! the process it runs in, and must not hang a pod's helper.
//!
//! Two directories: `state` (on disk: what a pod and its containers are and how they ended) and
//! `run` (a tmpfs: sockets, and OCI bundles, whose environment may hold secrets). Nothing secret
//! is written to `state`.
#![cfg(target_os = "linux")]

mod cgroup;
mod client;
mod files;
mod helper;
mod images;
mod layout;
mod mounts;
mod network;
mod protocol;
mod record;
mod runtime;
mod seccomp;

pub use helper::helper_main;
pub use images::{ImageStore, Mirror, Registries, StoreConfig};
pub use network::NetworkConfig;
pub use runtime::{HelperProgram, LinuxRuntime, RuntimeConfig, StartError};
