//! Whom the kernel kills first when a node's memory is gone (`oom_score_adj`), as kubelet sets it.

use crate::{QosClass, qos_class};
use model::kinds::core::pod_amounts::{of_containers, of_pod_level};
use model::quantity::Quantity;
use model::{Value, meta};

/// Of guaranteed and node-critical pods: the last to be killed.
const GUARANTEED: i64 = -997;
/// Of pods that asked for nothing: the first to be killed.
const BEST_EFFORT: i64 = 1000;
/// From this priority on a pod is critical.
const CRITICAL: i64 = 2_000_000_000;
/// The priority class whose pods are killed as late as guaranteed ones.
const NODE_CRITICAL: &str = "system-node-critical";

/// Whether kubelet never evicts the pod: static pods, their mirrors, and priorities of the system.
pub fn is_critical(pod: &Value) -> bool {
    let annotation = |name: &str| meta::text(pod, &["metadata", "annotations", name]);
    let source = annotation("kubernetes.io/config.source");
    let is_static = !source.is_empty() && source != "api";
    is_static || !annotation("kubernetes.io/config.mirror").is_empty() || priority(pod) >= CRITICAL
}

/// The pod's priority, zero if it has none.
pub fn priority(pod: &Value) -> i64 {
    meta::at(pod, &["spec", "priority"])
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

/// The `oom_score_adj` of a container, from -1000 (never) to 1000 (first), on a node with
/// `capacity` bytes of memory. Follows kubelet's `GetContainerOOMScoreAdjust`, the rule for
/// sidecars (KEP-753) included: one is never killed before the regular containers it serves.
/// `None` for a container that the pod does not have, or a capacity that is no amount.
pub fn oom_score_adj(pod: &Value, container: &str, capacity: i64) -> Option<i64> {
    let regular = meta::list(pod, &["spec", "containers"]);
    let starting = meta::list(pod, &["spec", "initContainers"]);
    let is_it = |candidate: &&Value| meta::text(candidate, &["name"]) == container;
    let own = regular.iter().chain(starting).find(is_it)?;
    let class = meta::text(pod, &["spec", "priorityClassName"]);
    if is_critical(pod) && class == NODE_CRITICAL {
        return Some(GUARANTEED);
    }
    match qos_class(pod) {
        QosClass::Guaranteed => return Some(GUARANTEED),
        QosClass::BestEffort => return Some(BEST_EFFORT),
        QosClass::Burstable => {}
    }
    let share = |memory: i64| {
        let share = i128::from(memory) * 1000;
        i64::try_from(1000 - share.checked_div(i128::from(capacity))?).ok()
    };
    // What the pod requests beyond its containers is theirs in equal parts (KEP-2837).
    let beyond = beyond_containers(pod) / i64::try_from(regular.len() + starting.len()).ok()?;
    let mut score = share(memory_request(own).saturating_add(beyond))?;
    let is_sidecar =
        starting.iter().any(|c| is_it(&c)) && meta::text(own, &["restartPolicy"]) == "Always";
    if is_sidecar {
        let least = regular.iter().map(memory_request).min().unwrap_or(0);
        score = score.min(share(least.saturating_add(beyond))?);
    }
    // Guaranteed pods stay behind it, best-effort pods before it.
    Some(score.clamp(1000 + GUARANTEED, BEST_EFFORT - 1))
}

/// Bytes that the pod itself requests and none of its containers does; zero if it says nothing.
fn beyond_containers(pod: &Value) -> i64 {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let memory = |amounts: model::kinds::core::pod_amounts::Resources| {
        amounts.get("memory").map_or(0, Quantity::value)
    };
    let own = memory(of_pod_level(spec, "requests"));
    if own == 0 {
        return 0;
    }
    let list = |key| meta::list(spec, &[key]);
    own.saturating_sub(memory(of_containers(
        list("containers"),
        list("initContainers"),
        "requests",
    )))
}

fn memory_request(container: &Value) -> i64 {
    meta::at(container, &["resources", "requests", "memory"])
        .and_then(|amount| Quantity::from_value(amount).ok())
        .map_or(0, |amount| amount.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GIB: i64 = 1 << 30;

    fn container(name: &str, memory: &str) -> Value {
        json!({"name": name, "resources": {"requests": {"memory": memory}}})
    }

    #[test]
    fn scores_follow_kubelet() {
        let limits = json!({"cpu": "1", "memory": "1Gi"});
        let guaranteed = json!({"name": "c", "resources": {"requests": limits, "limits": limits}});
        for (spec, want) in [
            (json!({"containers": [guaranteed]}), -997),
            (json!({"containers": [{"name": "c"}]}), 1000),
            (json!({"containers": [container("c", "1Gi")]}), 750),
            (json!({"containers": [container("c", "1")]}), 999),
            (json!({"containers": [container("c", "4Gi")]}), 3),
            // More than the node has, which the scheduler would not have placed there.
            (json!({"containers": [container("c", "40Gi")]}), 3),
            (
                json!({"priority": 2_000_001_000, "containers": [{"name": "c"}],
                    "priorityClassName": "system-node-critical"}),
                -997,
            ),
            (
                json!({"priority": 2_000_000_000, "containers": [{"name": "c"}],
                    "priorityClassName": "system-cluster-critical"}),
                1000,
            ),
        ] {
            let pod = json!({ "spec": spec });
            assert_eq!(oom_score_adj(&pod, "c", 4 * GIB), Some(want), "{pod}");
        }
    }

    #[test]
    fn sidecars_are_not_killed_before_what_they_serve() {
        let mut sidecar = container("side", "1Mi");
        let pod = |sidecar: &Value| {
            json!({"spec": {"initContainers": [sidecar],
                "containers": [container("a", "1Gi"), container("b", "2Gi")]}})
        };
        assert_eq!(oom_score_adj(&pod(&sidecar), "side", 4 * GIB), Some(999));
        sidecar["restartPolicy"] = json!("Always");
        assert_eq!(oom_score_adj(&pod(&sidecar), "side", 4 * GIB), Some(750));
        assert_eq!(oom_score_adj(&pod(&sidecar), "b", 4 * GIB), Some(500));
    }

    #[test]
    fn what_the_pod_requests_is_shared_among_its_containers() {
        let pod = json!({"spec": {
            "resources": {"requests": {"memory": "2Gi"}},
            "initContainers": [container("i", "0")],
            "containers": [container("a", "1Gi"), container("b", "0")],
        }});
        // A third of the GiB that nobody claims, for each.
        assert_eq!(oom_score_adj(&pod, "a", 4 * GIB), Some(667));
        assert_eq!(oom_score_adj(&pod, "b", 4 * GIB), Some(917));
    }

    #[test]
    fn what_is_not_there_has_no_score() {
        let pod = json!({"spec": {"containers": [container("c", "1Gi")]}});
        assert_eq!(oom_score_adj(&pod, "other", GIB), None);
        assert_eq!(oom_score_adj(&pod, "c", 0), None);
    }

    #[test]
    fn critical_pods() {
        for (pod, want) in [
            (json!({"spec": {"priority": 2_000_000_000}}), true),
            (json!({"spec": {"priority": 1_999_999_999}}), false),
            (
                json!({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}),
                true,
            ),
            (
                json!({"metadata": {"annotations": {"kubernetes.io/config.source": "file"}}}),
                true,
            ),
            (
                json!({"metadata": {"annotations": {"kubernetes.io/config.source": "api"}}}),
                false,
            ),
        ] {
            assert_eq!(is_critical(&pod), want, "{pod}");
        }
    }
}
