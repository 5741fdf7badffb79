//! Garbage collection by owner references: which dependents go with their owner, which lose the
//! reference, and when an owner that waits for its dependents may go itself.

use crate::{Action, Propagation, Target};
use serde_json::{Value, json};

/// The finalizer of an owner that is deleted in the foreground.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an owner whose dependents stay.
pub const ORPHAN: &str = "orphan";

/// What is known of one owner of a dependent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    /// It exists.
    Solid,
    /// It does not exist (or the name is taken by an object with another UID).
    Absent,
    /// It is being deleted in the foreground and waits for its dependents.
    Waiting,
    /// It could not be found out; nothing may be decided on it.
    Unknown,
}

/// A dependent, as the collector sees it.
#[derive(Debug, Clone)]
pub struct Dependent<'a> {
    /// The object.
    pub target: Target,
    /// Its UID.
    pub uid: &'a str,
    /// Its resource version.
    pub resource_version: &'a str,
    /// Whether it is being deleted already.
    pub deleting: bool,
    /// Its finalizers.
    pub finalizers: &'a [String],
    /// Its owner references as they stand in the object, each with the state of the owner.
    pub owners: &'a [(Value, OwnerState)],
    /// Whether it has dependents of its own that block its deletion.
    pub blocked: bool,
}

/// What becomes of a dependent.
///
/// An object goes when none of its owners is left; while one is left, references to absent or
/// waiting owners are removed from it. As upstream's `attemptToDeleteItem`.
pub fn collect(dependent: &Dependent<'_>) -> Option<Action> {
    let has = |state| dependent.owners.iter().any(|(_, s)| *s == state);
    if dependent.owners.is_empty() || dependent.deleting || has(OwnerState::Unknown) {
        return None;
    }
    if has(OwnerState::Solid) {
        let solid: Vec<&Value> = dependent
            .owners
            .iter()
            .filter(|(_, state)| *state == OwnerState::Solid)
            .map(|(reference, _)| reference)
            .collect();
        return (solid.len() < dependent.owners.len()).then(|| references(dependent, &solid));
    }
    let foreground = has(OwnerState::Waiting) && dependent.blocked;
    let propagation = if foreground {
        Propagation::Foreground
    } else if dependent.finalizers.iter().any(|f| f == ORPHAN) {
        Propagation::Orphan
    } else if dependent.finalizers.iter().any(|f| f == FOREGROUND) {
        Propagation::Foreground
    } else {
        Propagation::Background
    };
    Some(Action::Delete(
        dependent.target.clone(),
        dependent.uid.to_owned(),
        Some(propagation),
    ))
}

/// Takes the reference to the owner with `owner_uid` from a dependent (`orphan` propagation).
pub fn orphan(dependent: &Dependent<'_>, owner_uid: &str) -> Option<Action> {
    let kept: Vec<&Value> = dependent
        .owners
        .iter()
        .map(|(reference, _)| reference)
        .filter(|r| r.get("uid").and_then(Value::as_str) != Some(owner_uid))
        .collect();
    (kept.len() < dependent.owners.len()).then(|| references(dependent, &kept))
}

/// Removes `finalizer` from an owner.
pub fn release(
    owner: Target,
    resource_version: &str,
    finalizers: &[String],
    finalizer: &str,
) -> Action {
    let kept: Vec<&String> = finalizers.iter().filter(|f| *f != finalizer).collect();
    Action::Patch(
        owner,
        json!({ "metadata": { "resourceVersion": resource_version, "finalizers": kept } }),
    )
}

fn references(dependent: &Dependent<'_>, kept: &[&Value]) -> Action {
    let kept = if kept.is_empty() {
        Value::Null
    } else {
        json!(kept)
    };
    Action::Patch(
        dependent.target.clone(),
        json!({
            "metadata": {
                "uid": dependent.uid,
                "resourceVersion": dependent.resource_version,
                "ownerReferences": kept,
            },
        }),
    )
}
