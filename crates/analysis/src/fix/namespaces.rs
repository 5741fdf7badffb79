//! Repairs of namespaces.

use super::propose::{Decision, Proposal, Situation};
use crate::finding::Finding;
use manifest_edit::Change;
use model::meta;
use pod_security::{Level, Version, strictest};
use snapshot::Standing;

const LABELS: &str = "pod-security.kubernetes.io";

/// RMP-NS-003: a namespace enforces the level that all its pods keep to.
pub(super) fn level<'a>(s: &Situation<'a>, finding: &Finding<'a>) -> Decision<'a> {
    let namespace = finding.object;
    let labels = meta::labels(&namespace.value);
    if labels.contains_key(format!("{LABELS}/enforce-version").as_str()) {
        return Decision::unclear("a version is enforced there, and no level");
    }
    let lowest = s
        .snapshot
        .pod_templates()
        .filter(|t| t.owner.standing == Standing::Written && t.namespace() == namespace.name())
        .map(|t| strictest(Version::Latest, t.metadata, t.spec))
        .min();
    let level = match lowest {
        None => {
            return Decision::unclear(
                "nothing that makes pods in it was read: what they need is not known",
            );
        }
        Some(Level::Privileged) => {
            return Decision::unclear("it holds pods that only the level privileged admits");
        }
        Some(level) => level,
    };
    let change = Change::Set(level.as_str().into());
    let why = format!("all of its pods that were read keep to {level}, and pods that run go on");
    let field = format!("metadata.labels[{LABELS}/enforce]");
    match Proposal::new(finding.check.id, namespace, field, change, why) {
        Some(proposal) => Decision::Repair(proposal.last()),
        None => Decision::unclear("no file that was read defines it"),
    }
}
