//! In which order kubelet evicts pods when a node runs short of memory, disk or processes.

use crate::oom::{is_critical, priority};
use model::quantity::Quantity;
use model::{Value, meta};
use std::cmp::Reverse;

/// What a node runs short of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressure {
    /// Memory: usage is the bytes of pods' working sets.
    Memory,
    /// Room on disk: usage is the bytes of containers' files, logs and local volumes.
    Disk,
    /// Files on disk: usage is their number.
    Inodes,
    /// Processes: usage is their number.
    Processes,
}

/// A pod and what it uses.
#[derive(Debug, Clone, Copy)]
pub struct Usage<'a> {
    /// The pod, with its priority filled in.
    pub pod: &'a Value,
    /// How much it uses of what is short; `None` if nobody measured it.
    pub used: Option<i64>,
}

/// A pod's place in the order, and what put it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Where the pod stood in the input.
    pub index: usize,
    /// Whether nobody measured its usage; such pods go first.
    pub unmeasured: bool,
    /// Whether it uses more than it requested. Nobody requests processes, so that nobody's exceed.
    pub exceeds: bool,
    /// Its priority.
    pub priority: i64,
    /// What it uses beyond its request; negative below it.
    pub beyond: i64,
}

/// The order in which pods are evicted, first to go first, as kubelet's `rankMemoryPressure`,
/// `rankDiskPressureFunc` and `rankPIDPressure`: those whose usage exceeds their request, then by
/// priority, then by how much they use beyond their request. Pods that kubelet never evicts (static
/// and critical ones) are left out. Pods that are alike stay in the order given; upstream leaves
/// that to chance.
pub fn eviction_order(pods: &[Usage<'_>], pressure: Pressure) -> Vec<Rank> {
    let mut ranks: Vec<Rank> = pods
        .iter()
        .enumerate()
        .filter(|(_, usage)| !is_critical(usage.pod))
        .map(|(index, usage)| {
            let used = usage.used.unwrap_or(0);
            // Files have no requests of their own: any number is too many, and how many count is
            // told by the room that was requested.
            let (bound, request) = match pressure {
                Pressure::Memory => {
                    let memory = requested(usage.pod, "memory");
                    (memory, memory)
                }
                Pressure::Disk => {
                    let storage = requested(usage.pod, "ephemeral-storage");
                    (storage, storage)
                }
                Pressure::Inodes => (0, requested(usage.pod, "ephemeral-storage")),
                Pressure::Processes => (i64::MAX, 0),
            };
            Rank {
                index,
                unmeasured: usage.used.is_none(),
                exceeds: used > bound,
                priority: priority(usage.pod),
                beyond: used.saturating_sub(request),
            }
        })
        .collect();
    // Of processes, the priority is asked before whether somebody counted them.
    let by_priority = pressure == Pressure::Processes;
    ranks.sort_by_key(|rank| {
        (
            Reverse(rank.unmeasured && !by_priority),
            Reverse(rank.exceeds),
            rank.priority,
            Reverse(rank.unmeasured),
            Reverse(rank.beyond),
        )
    });
    ranks
}

/// What kubelet takes for a pod's request here (`GetResourceRequestQuantity`): what its containers
/// say in sum, or one that starts the pod if that says more; sidecars are not added up, and what
/// the pod says for all of them is not heard.
fn requested(pod: &Value, name: &str) -> i64 {
    let amounts = |list: &'static str| {
        meta::list(pod, &["spec", list])
            .iter()
            .filter_map(move |container| amount(container, &["resources", "requests", name]))
    };
    let sum: Quantity = amounts("containers").sum();
    let most = amounts("initContainers").fold(sum, Quantity::max);
    let overhead = amount(pod, &["spec", "overhead", name]).filter(|_| !most.is_zero());
    most.plus(overhead.unwrap_or(Quantity::ZERO)).value()
}

fn amount(holder: &Value, path: &[&str]) -> Option<Quantity> {
    Quantity::from_value(meta::at(holder, path)?).ok()
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
        let use_of = |pod, used| Usage { pod, used };
        let pods = [
            use_of(&within, Some(99)),
            use_of(&important, Some(500)),
            use_of(&modest, Some(95)),
            use_of(&critical, Some(10_000)),
            use_of(&greedy, Some(95)),
            use_of(&within, None),
        ];
        let order = eviction_order(&pods, Pressure::Memory);
        let order: Vec<usize> = order.iter().map(|rank| rank.index).collect();
        assert_eq!(order, [5, 4, 2, 1, 0]);
    }

    #[test]
    fn using_exactly_the_request_is_not_beyond_it() {
        let pod = json!({"spec": {"containers": [{"resources": {"requests": {"memory": "5"}}}]}});
        let usage = Usage {
            pod: &pod,
            used: Some(5),
        };
        let order = eviction_order(&[usage], Pressure::Memory);
        assert!(order.iter().all(|rank| !rank.exceeds && rank.beyond == 0));
    }

    #[test]
    fn files_and_processes() {
        let pod = |priority: i64, storage: &str| {
            json!({"spec": {"priority": priority,
                "containers": [{"resources": {"requests": {"ephemeral-storage": storage}}}]}})
        };
        let (low, roomy, high) = (pod(0, "0"), pod(0, "50"), pod(9, "0"));
        let order = |used: [Option<i64>; 3], pressure| -> Vec<usize> {
            let pods = [&high, &roomy, &low];
            let usages = pods.iter().zip(used).map(|(pod, used)| Usage { pod, used });
            let usages: Vec<Usage<'_>> = usages.collect();
            let order = eviction_order(&usages, pressure);
            order.iter().map(|rank| rank.index).collect()
        };
        let all = |used| [Some(used); 3];
        assert_eq!(order(all(40), Pressure::Disk), [2, 0, 1]);
        assert_eq!(order(all(40), Pressure::Inodes), [2, 1, 0]);
        assert_eq!(
            order([Some(9), Some(7), Some(8)], Pressure::Processes),
            [2, 1, 0]
        );
        assert_eq!(order([None, Some(7), None], Pressure::Processes), [2, 1, 0]);
        assert_eq!(order([None, Some(7), Some(8)], Pressure::Memory), [0, 2, 1]);
    }

    #[test]
    fn sidecars_count_as_containers_that_start_the_pod() {
        let asks = |memory: &str| json!({"requests": {"memory": memory}});
        let pod = json!({"spec": {
            "overhead": {"memory": "1"},
            "initContainers": [
                {"restartPolicy": "Always", "resources": asks("7")},
                {"resources": asks("9")},
            ],
            "containers": [{"resources": asks("4")}, {"resources": asks("4")}],
        }});
        assert_eq!(requested(&pod, "memory"), 10);
        assert_eq!(requested(&pod, "ephemeral-storage"), 0);
    }
}
