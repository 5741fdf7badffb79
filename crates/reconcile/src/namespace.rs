//! Deleting a namespace: everything in it goes first, then its finalizer, and what stands in the
//! way is told in its conditions (upstream's namespace-controller).

use crate::{Action, Target};
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeMap;

/// The finalizer in `spec.finalizers` that this controller removes.
pub const FINALIZER: &str = "kubernetes";

/// What was found in a namespace that is being deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remains {
    /// Objects that are still there, per `resource.group` as messages name it.
    pub objects: BTreeMap<String, u64>,
    /// Of these, how many wait for each finalizer.
    pub finalizers: BTreeMap<String, u64>,
    /// Resources that could not be listed, each with the reason.
    pub undiscovered: Vec<String>,
    /// Objects that could not be deleted, each with the reason.
    pub failures: Vec<String>,
}

impl Remains {
    /// Whether the namespace is known to be empty.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.undiscovered.is_empty() && self.failures.is_empty()
    }
}

/// Whether the namespace is being deleted and waits for this controller.
pub fn is_ours(namespace: &Value) -> bool {
    meta::at(namespace, &["metadata", "deletionTimestamp"]).is_some()
        && meta::list(namespace, &["spec", "finalizers"])
            .iter()
            .any(|f| f == FINALIZER)
}

/// What to do next: report what remains, or let the namespace go. `now` is RFC 3339.
pub fn reconcile(namespace: &Value, remains: &Remains, now: &str) -> Vec<Action> {
    if !is_ours(namespace) {
        return Vec::new();
    }
    let name = meta::name(namespace);
    if remains.is_empty() {
        let mut object = namespace.clone();
        let rest: Vec<Value> = meta::list(namespace, &["spec", "finalizers"])
            .iter()
            .filter(|f| *f != FINALIZER)
            .cloned()
            .collect();
        meta::set(&mut object, &["spec", "finalizers"], rest);
        return vec![Action::Update(
            Target::core("namespaces/finalize", "", name),
            object,
        )];
    }
    let conditions = conditions(namespace, remains, now);
    if meta::list(namespace, &["status", "conditions"]) == conditions.as_slice() {
        return Vec::new();
    }
    let mut object = namespace.clone();
    meta::set(&mut object, &["status", "conditions"], conditions);
    vec![Action::Update(
        Target::core("namespaces/status", "", name),
        object,
    )]
}

fn conditions(namespace: &Value, remains: &Remains, now: &str) -> Vec<Value> {
    let count = |map: &BTreeMap<String, u64>, one: &str| {
        let parts: Vec<_> = map
            .iter()
            .map(|(what, n)| format!("{what} has {n} {}", one.replace('#', plural(*n))))
            .collect();
        parts.join(", ")
    };
    let waiting = |map: &BTreeMap<String, u64>| {
        let parts: Vec<_> = map
            .iter()
            .map(|(what, n)| format!("{what} in {n} resource instances"))
            .collect();
        parts.join(", ")
    };
    let told = [
        (
            "NamespaceDeletionDiscoveryFailure",
            (!remains.undiscovered.is_empty()).then(|| {
                (
                    "DiscoveryFailed",
                    format!(
                        "Discovery failed for some groups, {} failing: {}",
                        remains.undiscovered.len(),
                        remains.undiscovered.join(", ")
                    ),
                )
            }),
            (
                "ResourcesDiscovered",
                "All resources successfully discovered",
            ),
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            None,
            (
                "ParsedGroupVersions",
                "All legacy kube types successfully parsed",
            ),
        ),
        (
            "NamespaceDeletionContentFailure",
            (!remains.failures.is_empty()).then(|| {
                (
                    "ContentDeletionFailed",
                    format!(
                        "Failed to delete all resource types, {} remaining: {}",
                        remains.failures.len(),
                        remains.failures.join(", ")
                    ),
                )
            }),
            (
                "ContentDeleted",
                "All content successfully deleted, may be waiting on finalization",
            ),
        ),
        (
            "NamespaceContentRemaining",
            (!remains.objects.is_empty()).then(|| {
                (
                    "SomeResourcesRemain",
                    format!(
                        "Some resources are remaining: {}",
                        count(&remains.objects, "resource instance#")
                    ),
                )
            }),
            ("ContentRemoved", "All content successfully removed"),
        ),
        (
            "NamespaceFinalizersRemaining",
            (!remains.finalizers.is_empty()).then(|| {
                (
                    "SomeFinalizersRemain",
                    format!(
                        "Some content in the namespace has finalizers remaining: {}",
                        waiting(&remains.finalizers)
                    ),
                )
            }),
            (
                "ContentHasNoFinalizers",
                "All content-preserving finalizers finished",
            ),
        ),
    ];
    let before = meta::list(namespace, &["status", "conditions"]);
    told.into_iter()
        .map(|(kind, bad, (good_reason, good_message))| {
            let (status, reason, message) = match bad {
                Some((reason, message)) => ("True", reason, message),
                None => ("False", good_reason, good_message.to_owned()),
            };
            let since = before
                .iter()
                .find(|c| meta::text(c, &["type"]) == kind && meta::text(c, &["status"]) == status)
                .map(|c| meta::text(c, &["lastTransitionTime"]))
                .unwrap_or(now);
            json!({
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastTransitionTime": since,
            })
        })
        .collect()
}

fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}
