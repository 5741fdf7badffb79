//! Which claims a pod has.

use super::{Key, key};
use model::{Value, meta};

/// A pod that has claims.
#[derive(Debug, Clone, PartialEq)]
pub struct PodUse {
    /// Its namespace and name.
    pub key: Key,
    /// Its UID.
    pub uid: String,
    /// The names of its claims, each with whether it is made for the pod.
    pub claims: Vec<(String, bool)>,
    /// The names of its ephemeral volumes and the templates of their claims.
    pub(super) templates: Vec<(String, Value)>,
    /// It was given a node.
    pub(super) has_node: bool,
    /// It has ended, or is being deleted and nothing of it runs.
    pub(super) is_ended: bool,
    pub(super) is_terminating: bool,
    /// Its node is done with it, or was not asked.
    pub(super) is_shut_down: bool,
}

impl PodUse {
    /// Reads a pod; none if it has no claims.
    pub fn of(pod: &Value) -> Option<Self> {
        let mut claims = Vec::new();
        let mut templates = Vec::new();
        for volume in meta::list(pod, &["spec", "volumes"]) {
            let claim = meta::text(volume, &["persistentVolumeClaim", "claimName"]);
            let name = meta::text(volume, &["name"]);
            if !claim.is_empty() {
                claims.push((claim.to_owned(), false));
            } else if let Some(ephemeral) = meta::at(volume, &["ephemeral"]) {
                claims.push((format!("{}-{name}", meta::name(pod)), true));
                let template = meta::at(ephemeral, &["volumeClaimTemplate"]);
                let template = template.cloned().unwrap_or(Value::Null);
                templates.push((name.to_owned(), template));
            }
        }
        if claims.is_empty() {
            return None;
        }
        let phase = meta::text(pod, &["status", "phase"]);
        let is_terminating = meta::at(pod, &["metadata", "deletionTimestamp"]).is_some();
        let grace = meta::at(pod, &["metadata", "deletionGracePeriodSeconds"]);
        let runs = |status: &Value| {
            let is = |state: &str| meta::at(status, &["state", state]).is_some();
            !is("terminated") && !is("waiting")
        };
        let mut containers = meta::list(pod, &["status", "containerStatuses"]).iter();
        Some(Self {
            key: key(pod),
            uid: meta::uid(pod).to_owned(),
            claims,
            templates,
            has_node: !meta::text(pod, &["spec", "nodeName"]).is_empty(),
            is_ended: matches!(phase, "Succeeded" | "Failed")
                || (is_terminating && !containers.any(runs)),
            is_terminating,
            is_shut_down: is_terminating && grace.and_then(Value::as_i64) == Some(0),
        })
    }

    /// Whether the pod keeps a claim of its namespace from being deleted. Pods without a node do
    /// not, as no node starts a pod whose claim is going.
    pub(super) fn holds(&self, claim: &scheduling::Claim) -> bool {
        self.has_node
            && self.claims.iter().any(|(name, is_ephemeral)| {
                *name == claim.name
                    && (!is_ephemeral || (!self.is_shut_down && claim.owner == self.uid))
            })
    }

    /// Whether the claims of the pod may be deleted now, where they could not before.
    pub fn lets_go(&self) -> bool {
        self.is_ended || !self.has_node
    }
}
