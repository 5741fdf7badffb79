//! Nodes take no new pods while a condition of theirs, or whoever looks after them, speaks against
//! it: the taints with the effect `NoSchedule` follow from the node's conditions.

use crate::{Action, Target};
use model::{Value, meta};
use serde_json::json;

const EFFECT: &str = "NoSchedule";
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// A condition, its status, and the taint that follows from it.
const CONDITIONS: [(&str, &str, &str); 6] = [
    ("Ready", "False", "node.kubernetes.io/not-ready"),
    ("Ready", "Unknown", "node.kubernetes.io/unreachable"),
    (
        "MemoryPressure",
        "True",
        "node.kubernetes.io/memory-pressure",
    ),
    ("DiskPressure", "True", "node.kubernetes.io/disk-pressure"),
    (
        "NetworkUnavailable",
        "True",
        "node.kubernetes.io/network-unavailable",
    ),
    ("PIDPressure", "True", "node.kubernetes.io/pid-pressure"),
];

/// Brings the taints of a node up to date with its conditions, as upstream's node lifecycle
/// controller does. Taints of others stay, and so do those of these keys with another effect.
pub fn reconcile(node: &Value) -> Vec<Action> {
    let mut wanted: Vec<&str> = Vec::new();
    for condition in meta::list(node, &["status", "conditions"]) {
        let text = |key| meta::text(condition, &[key]);
        let taint = CONDITIONS
            .iter()
            .find(|(kind, status, _)| (*kind, *status) == (text("type"), text("status")));
        wanted.extend(taint.map(|(_, _, key)| *key));
    }
    if meta::at(node, &["spec", "unschedulable"]) == Some(&Value::Bool(true)) {
        wanted.push(UNSCHEDULABLE);
    }
    let is_own = |taint: &Value| {
        let key = meta::text(taint, &["key"]);
        let is_known = key == UNSCHEDULABLE || CONDITIONS.iter().any(|(_, _, own)| *own == key);
        is_known && meta::text(taint, &["effect"]) == EFFECT
    };
    let before = meta::list(node, &["spec", "taints"]);
    let mut after: Vec<Value> = before
        .iter()
        .filter(|taint| !is_own(taint) || wanted.contains(&meta::text(taint, &["key"])))
        .cloned()
        .collect();
    for key in wanted {
        let is_there = |taint: &Value| is_own(taint) && meta::text(taint, &["key"]) == key;
        if !after.iter().any(is_there) {
            after.push(json!({ "key": key, "effect": EFFECT }));
        }
    }
    if after == before {
        return Vec::new();
    }
    let patch = json!({
        "metadata": { "resourceVersion": meta::resource_version(node) },
        "spec": { "taints": after },
    });
    vec![Action::Patch(
        Target::core("nodes", "", meta::name(node)),
        patch,
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, effect: &str) -> Value {
        json!({ "key": key, "effect": effect })
    }

    #[test]
    fn taints_follow_from_conditions() {
        let condition = |kind: &str, status: &str| json!({ "type": kind, "status": status });
        let not_ready = taint("node.kubernetes.io/not-ready", EFFECT);
        let evicts = taint("node.kubernetes.io/not-ready", "NoExecute");
        let foreign = taint("dedicated", EFFECT);
        let cordoned = taint(UNSCHEDULABLE, EFFECT);
        for (unschedulable, conditions, before, after) in [
            // A new node, and one that has become ready.
            (
                false,
                vec![condition("Ready", "False")],
                vec![not_ready.clone()],
                vec![not_ready.clone()],
            ),
            (
                false,
                vec![condition("Ready", "True")],
                vec![not_ready.clone()],
                vec![],
            ),
            // As upstream, which leaves it to others to say that a silent node is unreachable.
            (false, vec![], vec![not_ready.clone()], vec![]),
            (
                false,
                vec![condition("Ready", "Unknown")],
                vec![not_ready.clone(), foreign.clone(), evicts.clone()],
                vec![
                    foreign.clone(),
                    evicts,
                    taint("node.kubernetes.io/unreachable", EFFECT),
                ],
            ),
            (
                true,
                vec![
                    condition("DiskPressure", "True"),
                    condition("Ready", "True"),
                ],
                vec![foreign.clone()],
                vec![
                    foreign.clone(),
                    taint("node.kubernetes.io/disk-pressure", EFFECT),
                    cordoned.clone(),
                ],
            ),
            (
                false,
                vec![condition("DiskPressure", "False")],
                vec![cordoned, foreign.clone()],
                vec![foreign],
            ),
        ] {
            let node = json!({
                "metadata": { "name": "n", "resourceVersion": "3" },
                "spec": { "taints": before, "unschedulable": unschedulable },
                "status": { "conditions": conditions },
            });
            let actions = reconcile(&node);
            let found = match actions.as_slice() {
                [] => before,
                [Action::Patch(target, patch)] => {
                    assert_eq!(target, &Target::core("nodes", "", "n"));
                    assert_eq!(patch["metadata"]["resourceVersion"], "3");
                    meta::list(patch, &["spec", "taints"]).to_vec()
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(found, after, "{conditions:?}");
        }
    }
}
