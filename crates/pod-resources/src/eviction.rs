//! In which order kubelet evicts pods when a node runs short of memory.

use crate::oom::{is_critical, priority};
use crate::requests;
use model::Value;
use std::cmp::Reverse;

/// A pod and what it uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'a> {
    /// The pod, with its priority filled in.
    pub pod: &'a Value,
    /// The bytes of its working set; `None` if nobody measured it.
    pub memory: Option<i64>,
}

/// A pod's place in the order, and what put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Where the pod stood in the input.
    pub index: usize,
    /// Whether nobody measured its usage; such pods go first.
    pub unmeasured: bool,
    /// Whether it uses more than it requested.
    pub exceeds: bool,
    /// Its priority.
    pub priority: i64,
    /// Bytes that it uses beyond its request; negative below it.
    pub beyond: i64,
}

/// The order in which pods are evicted under memory pressure, first to go first, as kubelet's
/// `rankMemoryPressure`: those whose usage exceeds their request, then by priority, then by how
/// much they use beyond their request. Pods that kubelet never evicts (static and critical ones)
/// are left out. Pods that are alike stay in the order given; upstream leaves that to chance.
pub fn memory_eviction_order(pods: &[Usage<'_>]) -> Vec<Rank> {
    let mut ranks: Vec<Rank> = pods
        .iter()
        .enumerate()
        .filter(|(_, usage)| !is_critical(usage.pod))
        .map(|(index, usage)| {
            let requested = requests(usage.pod)
                .get("memory")
                .map_or(0, |amount| amount.value());
            let beyond = usage.memory.unwrap_or(0).saturating_sub(requested);
            Rank {
                index,
                unmeasured: usage.memory.is_none(),
                exceeds: usage.memory.is_some() && beyond > 0,
                priority: priority(usage.pod),
                beyond,
            }
        })
        .collect();
    ranks.sort_by_key(|rank| {
        (
            Reverse(rank.unmeasured),
            Reverse(rank.exceeds),
            rank.priority,
            Reverse(rank.beyond),
        )
    });
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_takes_more_than_asked_goes_first() {
        let pod = |priority: i64, memory: &str| {
            json!({"spec": {"priority": priority,
                "containers": [{"resources": {"requests": {"memory": memory}}}]}})
        };
        let within = pod(0, "100");
        let modest = pod(0, "90");
        let greedy = pod(0, "10");
        let important = pod(1000, "0");
        let critical = pod(2_000_000_000, "0");
        let use_of = |pod, memory| Usage { pod, memory };
        let order = memory_eviction_order(&[
            use_of(&within, Some(99)),
            use_of(&important, Some(500)),
            use_of(&modest, Some(95)),
            use_of(&critical, Some(10_000)),
            use_of(&greedy, Some(95)),
            use_of(&within, None),
        ]);
        let order: Vec<usize> = order.iter().map(|rank| rank.index).collect();
        assert_eq!(order, [5, 4, 2, 1, 0]);
    }

    #[test]
    fn using_exactly_the_request_is_not_beyond_it() {
        let pod = json!({"spec": {"containers": [{"resources": {"requests": {"memory": "5"}}}]}});
        let order = memory_eviction_order(&[Usage {
            pod: &pod,
            memory: Some(5),
        }]);
        assert!(order.iter().all(|rank| !rank.exceeds && rank.beyond == 0));
    }
}
