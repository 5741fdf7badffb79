//! What any Kubernetes API server must do, checked from outside with a client that was written
//! against upstream. Nothing here knows Rampart: each check takes a [`kube::Client`] with an
//! administrator's rights, works in a namespace of its own and removes it at the end, so that the
//! same suite can be pointed at upstream to find out who is right.

mod election;
mod namespace;
mod objects;
mod pods;
mod server_side_apply;
mod watching;

pub use election::leader_election;
pub use objects::{conflicts, finalizers, pages, typed_errors};
pub use pods::{binding, eviction, status_subresource};
pub use server_side_apply::server_side_apply;
pub use watching::{reflector_equals_list, resumed_watch, watcher_events};

use anyhow::{Result, bail};
use kube::core::Status;

/// The refusal that a request must have met. A success, or a failure below HTTP, is an error that
/// names the check by `what`.
fn refusal<T>(what: &str, answer: kube::Result<T>) -> Result<Status> {
    match answer {
        Ok(_) => bail!("{what}: succeeded"),
        Err(kube::Error::Api(status)) => Ok(*status),
        Err(error) => bail!("{what}: {error}"),
    }
}

/// Holds a refusal's code and reason against what upstream answers.
fn refused<T>(what: &str, answer: kube::Result<T>, code: u16, reason: &str) -> Result<Status> {
    let status = refusal(what, answer)?;
    anyhow::ensure!(
        status.code == code && status.reason == reason && status.is_failure(),
        "{what}: expected {code} {reason}, got {status:?}"
    );
    Ok(status)
}
