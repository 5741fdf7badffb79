//! A pod as budgets look at it.

use model::selector::LabelSelector;
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeMap;

/// How long a pod may say that it is about to go without going, in seconds.
pub const STALE_CONDITION: i64 = 2 * 60;

const DISRUPTED: &str = "DisruptionTarget";

/// What makes pods, as a pod names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// `apiVersion` of the owner.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

impl Owner {
    /// The controller of an object.
    pub fn of(object: &Value) -> Option<Self> {
        let owners = meta::list(object, &["metadata", "ownerReferences"]);
        let owner = owners.iter().find(|owner| {
            meta::at(owner, &["controller"]).and_then(Value::as_bool) == Some(true)
        })?;
        let text = |field: &str| meta::text(owner, &[field]).to_owned();
        Some(Self {
            api_version: text("apiVersion"),
            kind: text("kind"),
            name: text("name"),
            uid: text("uid"),
        })
    }
}

/// What budgets need to know of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredPod {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its controller.
    pub owner: Option<Owner>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it is being deleted.
    pub is_going: bool,
    /// Since when it says that it is about to go although it is not going, as written; whoever
    /// said so has until [`STALE_CONDITION`] after that.
    pub doomed_since: Option<String>,
    labels: BTreeMap<String, String>,
}

impl CoveredPod {
    /// What budgets need to know of the pod.
    pub fn new(pod: &Value) -> Self {
        let conditions = meta::list(pod, &["status", "conditions"]);
        let holds = |kind: &str| {
            conditions
                .iter()
                .find(|c| meta::text(c, &["type"]) == kind && meta::text(c, &["status"]) == "True")
        };
        let is_going = meta::at(pod, &["metadata", "deletionTimestamp"]).is_some();
        let phase = meta::text(pod, &["status", "phase"]);
        let can_be_stale = !is_going && !matches!(phase, "Succeeded" | "Failed");
        let labels = meta::labels(pod).into_iter();
        Self {
            name: meta::name(pod).to_owned(),
            uid: meta::uid(pod).to_owned(),
            owner: Owner::of(pod),
            is_ready: holds("Ready").is_some(),
            is_going,
            // The kubelet may take its time.
            doomed_since: holds(DISRUPTED)
                .filter(|c| can_be_stale && meta::text(c, &["reason"]) != "TerminationByKubelet")
                .map(|c| meta::text(c, &["lastTransitionTime"]).to_owned()),
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
        }
    }

    /// Whether a budget's selector covers it.
    pub fn is_covered(&self, selector: &LabelSelector) -> bool {
        selector.matches(|key| self.labels.get(key).map(String::as_str))
    }
}

/// The condition that takes back the word that a pod is about to go, as a patch of the one that
/// stands. `written` is now as the API writes it.
pub fn settled(written: &str) -> Value {
    json!({
        "type": DISRUPTED,
        "status": "False",
        "reason": null,
        "message": null,
        "lastTransitionTime": written,
    })
}
