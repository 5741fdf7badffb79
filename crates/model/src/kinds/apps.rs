//! `apps`: the controllers of pods that run on and on, and the revisions they keep.

mod controller_revision;
mod daemon_set;
mod deployment;
mod replica_set;
mod stateful_set;

use crate::resource::Behavior;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "controllerrevisions" => controller_revision::behavior(),
        "daemonsets" => daemon_set::behavior(),
        "deployments" => deployment::behavior(),
        "replicasets" => replica_set::behavior(),
        "statefulsets" => stateful_set::behavior(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
