//! The control groups of a node's pods, as kubelet lays them out: `kubepods` for all, `burstable`
//! and `besteffort` below it, a group for each pod, one for each container. Values are those of the
//! first version of control groups, in which kubelet computes; [`weight`] is the second's.

use crate::effective::{Resources, limits, of, requests};
use crate::{QosClass, oom_score_adj, qos_class};
use model::kinds::core::pod_amounts::{has_pod_level, of_pod_level};
use model::quantity::Quantity;
use model::{Value, meta};
use std::collections::BTreeMap;

/// The group of all pods of a node.
pub const ROOT: &str = "kubepods";
/// The time after which a quota of CPU starts anew, in microseconds.
pub const PERIOD: u64 = 100_000;

/// The least weight that the kernel takes, and what kubelet gives those who ask for nothing.
const LEAST_SHARES: u64 = 2;
const MOST_SHARES: u64 = 262_144;
const SHARES_OF_A_CPU: i64 = 1024;
/// The least quota that the kernel takes, in microseconds.
const LEAST_QUOTA: i64 = 1000;

/// What is written into a control group. What is absent is left as the kernel has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// How CPU time is shared out when there is not enough (`cpu.shares`).
    pub cpu_shares: Option<u64>,
    /// Microseconds of CPU time in each [`PERIOD`] (`cpu.cfs_quota_us`).
    pub cpu_quota: Option<i64>,
    /// Bytes of memory (`memory.limit_in_bytes`).
    pub memory_limit: Option<i64>,
    /// Bytes of huge pages by the size of a page in bytes (`hugetlb.*.limit_in_bytes`).
    pub huge_pages: BTreeMap<i64, i64>,
}

/// The group of the pods of a class, relative to where control groups begin.
pub fn class_path(class: QosClass) -> String {
    match class {
        QosClass::Guaranteed => ROOT.to_owned(),
        QosClass::Burstable => format!("{ROOT}/burstable"),
        QosClass::BestEffort => format!("{ROOT}/besteffort"),
    }
}

/// The group of a pod; its containers' groups are below it.
pub fn pod_path(pod: &Value) -> String {
    let uid = meta::text(pod, &["metadata", "uid"]);
    format!("{}/pod{uid}", class_path(qos_class(pod)))
}

/// What all pods of a node have together, by what the node has for pods (kubelet's
/// `--enforce-node-allocatable=pods`).
pub fn of_node(allocatable: &Resources) -> Settings {
    Settings {
        cpu_shares: allocatable.get("cpu").map(|cpu| shares(cpu.milli_value())),
        cpu_quota: None,
        memory_limit: allocatable.get("memory").map(Quantity::value),
        huge_pages: huge_pages(allocatable),
    }
}

/// What the pods of a class have together. Guaranteed pods have no group of their own.
pub fn of_class<'a>(class: QosClass, pods: impl IntoIterator<Item = &'a Value>) -> Settings {
    let cpu_shares = match class {
        QosClass::Guaranteed => None,
        QosClass::BestEffort => Some(LEAST_SHARES),
        QosClass::Burstable => {
            let burstable = pods.into_iter().filter(|pod| qos_class(pod) == class);
            let millis = burstable.map(|pod| milli_cpu(&requests(pod)));
            Some(shares(millis.fold(0, i64::saturating_add)))
        }
    };
    Settings {
        cpu_shares,
        ..Settings::default()
    }
}

/// What a pod has (kubelet's `ResourceConfigForPod`): its requests as weight; its limits where
/// every container has one, or the pod itself.
pub fn of_pod(pod: &Value) -> Settings {
    let class = qos_class(pod);
    let requests = requests(pod);
    let huge_pages = huge_pages(&requests);
    if class == QosClass::BestEffort {
        return Settings {
            cpu_shares: Some(LEAST_SHARES),
            huge_pages,
            ..Settings::default()
        };
    }
    let limits = limits(pod);
    let limit = |name: &str| {
        limits
            .get(name)
            .filter(|_| class == QosClass::Guaranteed || is_limited(pod, name))
    };
    Settings {
        cpu_shares: Some(shares(milli_cpu(&requests))),
        cpu_quota: limit("cpu").map(|cpu| quota(cpu.milli_value())),
        memory_limit: limit("memory").map(Quantity::value),
        huge_pages,
    }
}

/// Whether every container limits a resource, or the pod does for all of them. A container that
/// starts the pod counts as limited if a sidecar beside it is, as upstream has it.
fn is_limited(pod: &Value, name: &str) -> bool {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let some = |amounts: &Resources| amounts.get(name).is_some_and(|limit| !limit.is_zero());
    if has_pod_level(spec) && some(&of_pod_level(spec, "limits")) {
        return true;
    }
    let of_container = |container: &Value| some(&of(container, &["resources", "limits"]));
    let mut by_sidecar = false;
    let starting = meta::list(spec, &["initContainers"])
        .iter()
        .all(|container| {
            let own = of_container(container);
            let limited = own || by_sidecar;
            by_sidecar |= own && meta::text(container, &["restartPolicy"]) == "Always";
            limited
        });
    starting && meta::list(spec, &["containers"]).iter().all(of_container)
}

/// What a container has, with its `oom_score_adj`, on a node with `capacity` bytes of memory
/// (kubelet's `generateLinuxContainerResources`). `None` as for [`oom_score_adj`].
pub fn of_container(pod: &Value, name: &str, capacity: i64) -> Option<(Settings, i64)> {
    let spec = pod.get("spec")?;
    let container = ["containers", "initContainers"]
        .iter()
        .flat_map(|list| meta::list(spec, &[list]))
        .find(|container| meta::text(container, &["name"]) == name)?;
    let score = oom_score_adj(pod, name, capacity)?;
    let requests = of(container, &["resources", "requests"]);
    let own = of(container, &["resources", "limits"]);
    let for_all = of_pod_level(spec, "limits");
    let limit = |name: &str| {
        [&own, &for_all]
            .into_iter()
            .find_map(|limits| limits.get(name).filter(|limit| !limit.is_zero()))
    };
    let cpu_limit = limit("cpu").map(Quantity::milli_value);
    let requested = requests.get("cpu").map(Quantity::milli_value);
    let settings = Settings {
        cpu_shares: Some(shares(requested.or(cpu_limit).unwrap_or(0))),
        cpu_quota: cpu_limit.map(quota),
        memory_limit: limit("memory").map(Quantity::value),
        huge_pages: huge_pages(&own),
    };
    Some((settings, score))
}

fn milli_cpu(amounts: &Resources) -> i64 {
    amounts.get("cpu").map_or(0, Quantity::milli_value)
}

/// The weight of so many thousandths of a CPU.
pub fn shares(milli_cpu: i64) -> u64 {
    let shares = i128::from(milli_cpu) * i128::from(SHARES_OF_A_CPU) / 1000;
    u64::try_from(shares)
        .unwrap_or(0)
        .clamp(LEAST_SHARES, MOST_SHARES)
}

/// Microseconds of CPU time in each period for so many thousandths of a CPU; zero for none.
fn quota(milli_cpu: i64) -> i64 {
    if milli_cpu == 0 {
        return 0;
    }
    let period = i64::try_from(PERIOD).unwrap_or(i64::MAX);
    (milli_cpu.saturating_mul(period) / 1000).max(LEAST_QUOTA)
}

/// Shares as the second version of control groups has them (`cpu.weight`, 1 to 10,000), by the
/// formula of KEP-2254.
pub fn weight(shares: u64) -> u64 {
    let beyond = shares.clamp(LEAST_SHARES, MOST_SHARES) - LEAST_SHARES;
    1 + beyond * 9999 / (MOST_SHARES - LEAST_SHARES)
}

fn huge_pages(amounts: &Resources) -> BTreeMap<i64, i64> {
    amounts
        .iter()
        .filter_map(|(name, amount)| {
            let size = Quantity::parse(name.strip_prefix("hugepages-")?).ok()?;
            Some((size.value(), amount.value()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(containers: Value) -> Value {
        json!({"metadata": {"uid": "u"}, "spec": {"containers": containers}})
    }

    fn limited(shares: u64, quota: Option<i64>, memory: Option<i64>) -> Settings {
        Settings {
            cpu_shares: Some(shares),
            cpu_quota: quota,
            memory_limit: memory,
            huge_pages: BTreeMap::new(),
        }
    }

    #[test]
    fn each_class_has_its_place() {
        let full = json!({"requests": {"cpu": "500m", "memory": "1Ki"},
            "limits": {"cpu": "500m", "memory": "1Ki"}});
        for (resources, path, want) in [
            (
                full,
                "kubepods/podu",
                limited(512, Some(50_000), Some(1024)),
            ),
            (
                json!({"requests": {"cpu": "1m"}, "limits": {"cpu": "1m"}}),
                "kubepods/burstable/podu",
                limited(2, Some(1000), None),
            ),
            (
                json!({"requests": {"memory": "1Ki"}}),
                "kubepods/burstable/podu",
                limited(2, None, None),
            ),
            (
                json!({}),
                "kubepods/besteffort/podu",
                limited(2, None, None),
            ),
            (
                json!({"requests": {"cpu": "1000"}, "limits": {"hugepages-2Mi": "4Mi"}}),
                "kubepods/burstable/podu",
                limited(262_144, None, None),
            ),
        ] {
            let pod = pod(json!([{"name": "c", "resources": resources}]));
            assert_eq!(pod_path(&pod), path);
            assert_eq!(of_pod(&pod), want, "{pod}");
        }
    }

    #[test]
    fn a_pod_is_limited_if_all_its_containers_are() {
        let limit = |memory: &str| json!({"resources": {"limits": {"memory": memory}}});
        let mut it = pod(json!([limit("1Ki"), limit("2Ki")]));
        assert_eq!(of_pod(&it).memory_limit, Some(3072));
        it["spec"]["overhead"] = json!({"memory": "1"});
        assert_eq!(of_pod(&it).memory_limit, Some(3073));
        it["spec"]["initContainers"] = json!([{}]);
        assert_eq!(of_pod(&it).memory_limit, None);
        let mut sidecar = limit("1Ki");
        sidecar["restartPolicy"] = json!("Always");
        it["spec"]["initContainers"] = json!([sidecar, {}]);
        assert_eq!(of_pod(&it).memory_limit, Some(4097));
        it["spec"]["containers"] = json!([limit("1Ki"), {}]);
        assert_eq!(of_pod(&it).memory_limit, None);
        it["spec"]["resources"] = json!({"limits": {"memory": "5Ki"}});
        assert_eq!(of_pod(&it).memory_limit, Some(5121));
    }

    #[test]
    fn containers() {
        let capacity = 1 << 30;
        let mut it = pod(json!([
            {"name": "a", "resources": {"requests": {"cpu": "250m"}, "limits": {"cpu": "2"}}},
            {"name": "b", "resources": {"limits": {"memory": "512Mi", "hugepages-2Mi": "4Mi"}}},
        ]));
        let a = of_container(&it, "a", capacity);
        assert_eq!(a, Some((limited(256, Some(200_000), None), 999)));
        let (b, _) = of_container(&it, "b", capacity).unwrap();
        assert_eq!(b.huge_pages, BTreeMap::from([(2 << 20, 4 << 20)]));
        assert_eq!(b.memory_limit, Some(512 << 20));
        // What the pod says holds for containers that say nothing.
        it["spec"]["resources"] = json!({"limits": {"cpu": "3", "memory": "1Gi"}});
        let (a, _) = of_container(&it, "a", capacity).unwrap();
        assert_eq!(
            (a.cpu_quota, a.memory_limit),
            (Some(200_000), Some(1 << 30))
        );
        let (b, _) = of_container(&it, "b", capacity).unwrap();
        assert_eq!((b.cpu_shares, b.cpu_quota), (Some(3072), Some(300_000)));
        assert_eq!(of_container(&it, "c", capacity), None);
    }

    #[test]
    fn classes_and_nodes() {
        let asks = |cpu: &str| pod(json!([{"resources": {"requests": {"cpu": cpu}}}]));
        let pods = [asks("500m"), asks("1"), pod(json!([{}]))];
        let of = |class| of_class(class, &pods).cpu_shares;
        assert_eq!(of(QosClass::Burstable), Some(1536));
        assert_eq!(of(QosClass::BestEffort), Some(2));
        assert_eq!(of(QosClass::Guaranteed), None);
        assert_eq!(of_class(QosClass::Burstable, []).cpu_shares, Some(2));
        let node = json!({"cpu": "2", "memory": "1Gi", "hugepages-2Mi": "2Mi", "pods": "110"});
        let node = of_node(&crate::effective::of(&node, &[]));
        assert_eq!(
            (node.cpu_shares, node.memory_limit),
            (Some(2048), Some(1 << 30))
        );
        assert_eq!(node.huge_pages.len(), 1);
    }

    #[test]
    fn weights() {
        for (shares, want) in [(2, 1), (1024, 39), (262_144, 10_000), (0, 1)] {
            assert_eq!(weight(shares), want);
        }
    }
}
