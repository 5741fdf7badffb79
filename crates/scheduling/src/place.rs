//! Choosing among the nodes that fit.

use crate::{Node, Usage, affinity, fits, taint};
use model::Value;
use std::collections::BTreeMap;

/// Where a pod goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// On this node.
    Node(String),
    /// Nowhere for now; the text is the condition's message, as upstream words it.
    Unschedulable(String),
}

/// Picks a node for `pod`: among those that pass the filters the one with the best score, and
/// among equals the first by name.
pub fn place<'a>(
    pod: &Value,
    usage: &Usage,
    nodes: impl IntoIterator<Item = &'a Node>,
) -> Placement {
    let mut best: Option<(i64, &Node)> = None;
    let mut total = 0_usize;
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for node in nodes {
        total += 1;
        match fits(pod, usage, node) {
            Err(misfits) => {
                for misfit in misfits {
                    *reasons.entry(misfit.to_string()).or_default() += 1;
                }
            }
            Ok(()) => {
                let score = score(pod, usage, node);
                let better = best
                    .is_none_or(|(most, b)| score > most || (score == most && node.name < b.name));
                if better {
                    best = Some((score, node));
                }
            }
        }
    }
    if let Some((_, node)) = best {
        return Placement::Node(node.name.clone());
    }
    if total == 0 {
        return Placement::Unschedulable("no nodes available to schedule pods".to_owned());
    }
    let mut texts: Vec<_> = reasons
        .iter()
        .map(|(why, n)| format!("{n} {why}"))
        .collect();
    texts.sort();
    Placement::Unschedulable(format!(
        "0/{total} nodes are available: {}.",
        texts.join(", ")
    ))
}

/// Upstream's plugins with their default weights, as far as they look at one node: taints to
/// avoid (3), preferred affinity (2), least and evenly allocated (1 each); each worth 0 to 100.
fn score(pod: &Value, usage: &Usage, node: &Node) -> i64 {
    let disliked = i64::try_from(taint::disliked(pod, &node.taints)).unwrap_or(i64::MAX);
    let avoided = 100_i64.saturating_sub(disliked.saturating_mul(25)).max(0);
    let preferred = affinity::preferred(pod, node).clamp(0, 100);
    let free = |name: &str| {
        let all = node.allocatable.get(name).map_or(0, |a| a.nanos());
        let own = usage.requests.get(name).map_or(0, |a| a.nanos());
        let used = node.used(name).nanos().saturating_add(own);
        if all <= 0 {
            0
        } else {
            (all.saturating_sub(used).max(0) / (all / 100).max(1)).min(100)
        }
    };
    let (cpu, memory) = (free("cpu"), free("memory"));
    let least = (cpu + memory) / 2;
    let balanced = 100 - (cpu - memory).abs();
    let narrow = |score: i128| i64::try_from(score).unwrap_or(0);
    3 * avoided + 2 * preferred + narrow(least) + narrow(balanced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn node(name: &str, cpu: &str, extra: Value) -> Node {
        let mut object = json!({
            "metadata": { "name": name, "labels": { "zone": name } },
            "spec": {},
            "status": { "allocatable": { "cpu": cpu, "memory": "1Gi", "pods": "2" } },
        });
        if let (Some(spec), Value::Object(extra)) = (object["spec"].as_object_mut(), extra) {
            spec.extend(extra);
        }
        Node::new(&object)
    }

    fn pod(cpu: &str, extra: Value) -> Value {
        let mut pod = json!({ "spec": { "containers": [
            { "resources": { "requests": { "cpu": cpu } }, "ports": [{ "hostPort": 80 }] },
        ] } });
        if let (Some(spec), Value::Object(extra)) = (pod["spec"].as_object_mut(), extra) {
            spec.extend(extra);
        }
        pod
    }

    fn placed(pod: &Value, nodes: &[Node]) -> String {
        match place(pod, &Usage::of(pod), nodes) {
            Placement::Node(name) => name,
            Placement::Unschedulable(why) => why,
        }
    }

    #[test]
    fn the_emptier_node_wins() {
        let mut nodes = [node("a", "4", json!({})), node("b", "4", json!({}))];
        let plain = pod("1", json!({}));
        assert_eq!(placed(&plain, &nodes), "a");
        nodes[0].add(&Usage::of(&plain));
        assert_eq!(placed(&plain, &nodes), "b");
        nodes[0].remove(&Usage::of(&plain));
        assert_eq!(placed(&plain, &nodes), "a");
    }

    #[test]
    fn reasons_are_counted_as_upstream_words_them() {
        let taint = json!({ "taints": [{ "key": "k", "value": "v", "effect": "NoSchedule" }] });
        let nodes = [
            node("a", "1", json!({})),
            node("b", "1", taint.clone()),
            node("c", "1", json!({ "unschedulable": true })),
        ];
        for (pod, text) in [
            (
                pod("2", json!({})),
                "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {k: \
                 v}, 1 node(s) were unschedulable.",
            ),
            (
                pod("2", json!({ "tolerations": [{ "operator": "Exists" }] })),
                "0/3 nodes are available: 3 Insufficient cpu.",
            ),
            (
                pod("1", json!({ "nodeSelector": { "zone": "x" } })),
                "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 \
                 node(s) had untolerated taint {k: v}, 1 node(s) were unschedulable.",
            ),
            (
                pod(
                    "1",
                    json!({ "nodeSelector": { "zone": "b" }, "tolerations": [
                    { "key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule" },
                ] }),
                ),
                "b",
            ),
        ] {
            assert_eq!(placed(&pod, &nodes), text);
        }
        assert_eq!(
            placed(&pod("1", json!({})), &[]),
            "no nodes available to schedule pods"
        );
    }

    #[test]
    fn ports_and_the_number_of_pods_are_limits() {
        let plain = pod("100m", json!({}));
        let mut a = node("a", "4", json!({}));
        a.add(&Usage::of(&plain));
        assert_eq!(
            placed(&plain, &[a.clone()]),
            "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
        );
        a.add(&Usage::default());
        let without = json!({ "spec": { "containers": [{}] } });
        assert_eq!(
            placed(&without, &[a]),
            "0/1 nodes are available: 1 Too many pods."
        );
    }

    #[test]
    fn affinity_terms_are_alternatives() {
        let nodes = [node("a", "1", json!({})), node("b", "1", json!({}))];
        let affinity = |kind: &str, term: Value| {
            pod(
                "1",
                json!({ "affinity": { "nodeAffinity": { kind: term } } }),
            )
        };
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        let expression = |operator: &str, values: Value| json!({ "matchExpressions": [{ "key": "zone", "operator": operator, "values": values }] });
        let terms = |list: Value| affinity(required, json!({ "nodeSelectorTerms": list }));
        let refused =
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(placed(&terms(json!([])), &nodes), refused);
        assert_eq!(placed(&terms(json!([{}])), &nodes), refused);
        assert_eq!(
            placed(&terms(json!([{}, expression("In", json!(["b"]))])), &nodes),
            "b"
        );
        assert_eq!(
            placed(&terms(json!([expression("NotIn", json!(["a"]))])), &nodes),
            "b"
        );
        assert_eq!(
            placed(&terms(json!([expression("Gt", json!(["1"]))])), &nodes),
            refused
        );
        let field = json!({ "matchFields": [{
            "key": "metadata.name", "operator": "In", "values": ["b"],
        }] });
        assert_eq!(placed(&terms(json!([field])), &nodes), "b");
        let preferred = affinity(
            "preferredDuringSchedulingIgnoredDuringExecution",
            json!([{ "weight": 50, "preference": expression("In", json!(["b"])) }]),
        );
        assert_eq!(placed(&preferred, &nodes), "b");
    }
}
