//! Effective requests and limits of a pod, as upstream's `PodRequests` and `PodLimits`: containers
//! and sidecars run together, init containers one after the other beside the sidecars that were
//! started before them, and the pod's overhead comes on top (KEP-753, KEP-688).

use model::quantity::Quantity;
use model::{Value, meta};
use std::collections::BTreeMap;

/// Amounts by resource name, such as `cpu` and `memory`.
pub type Resources = BTreeMap<String, Quantity>;

/// What the scheduler reserves for the pod. Amounts that cannot be read count as nothing
/// (validation refuses them before a pod is stored).
pub fn requests(pod: &Value) -> Resources {
    total(pod, "requests")
}

/// What the pod may use at most. A resource that one container does not limit is limited by what
/// the others say, as upstream.
pub fn limits(pod: &Value) -> Resources {
    total(pod, "limits")
}

fn total(pod: &Value, what: &str) -> Resources {
    let mut running = Resources::new();
    for container in meta::list(pod, &["spec", "containers"]) {
        add(&mut running, &of(container, &["resources", what]));
    }
    let mut sidecars = Resources::new();
    let mut starting = Resources::new();
    for container in meta::list(pod, &["spec", "initContainers"]) {
        let own = of(container, &["resources", what]);
        let mut together = sidecars.clone();
        add(&mut together, &own);
        if meta::text(container, &["restartPolicy"]) == "Always" {
            add(&mut running, &own);
            sidecars = together.clone();
        }
        max(&mut starting, &together);
    }
    max(&mut running, &starting);
    let mut overhead = of(pod, &["spec", "overhead"]);
    if what == "limits" {
        // Where nothing is limited the overhead does not make a limit.
        overhead.retain(|name, _| running.contains_key(name));
    }
    add(&mut running, &overhead);
    running
}

/// The amounts at a place of an object; those that cannot be read are passed over.
pub(crate) fn of(value: &Value, path: &[&str]) -> Resources {
    meta::at(value, path)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?)))
        .collect()
}

/// Adds amounts to others.
pub(crate) fn add(sum: &mut Resources, more: &Resources) {
    for (name, amount) in more {
        let entry = sum.entry(name.clone()).or_insert(Quantity::ZERO);
        *entry = if entry.is_zero() {
            *amount
        } else {
            entry.plus(*amount)
        };
    }
}

fn max(most: &mut Resources, other: &Resources) {
    for (name, amount) in other {
        let entry = most.entry(name.clone()).or_insert(*amount);
        if amount.nanos() > entry.nanos() {
            *entry = *amount;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(cpu: &str) -> Value {
        json!({ "resources": { "requests": { "cpu": cpu } } })
    }

    fn sidecar(cpu: &str) -> Value {
        json!({ "restartPolicy": "Always", "resources": { "requests": { "cpu": cpu } } })
    }

    /// Milli-CPUs of a pod with these init containers, containers and overhead.
    fn cpu(init: &[Value], main: &[Value], overhead: &str) -> i64 {
        let pod = json!({ "spec": {
            "initContainers": init,
            "containers": main,
            "overhead": { "cpu": overhead },
        } });
        requests(&pod).get("cpu").map_or(0, Quantity::milli_value)
    }

    #[test]
    fn effective_requests() {
        let c = container;
        let s = sidecar;
        for (init, main, overhead, milli) in [
            (vec![], vec![c("100m"), c("200m")], "0", 300),
            (vec![c("500m")], vec![c("100m"), c("200m")], "0", 500),
            (vec![c("100m"), c("200m")], vec![c("50m")], "10m", 210),
            (vec![s("100m")], vec![c("200m")], "0", 300),
            // The init container runs beside the sidecar that was started before it …
            (vec![s("100m"), c("250m")], vec![c("200m")], "0", 350),
            // … and not beside the one that comes after it.
            (vec![c("250m"), s("100m")], vec![c("200m")], "0", 300),
            (
                vec![s("100m"), s("100m"), c("10m")],
                vec![c("1")],
                "0",
                1200,
            ),
        ] {
            assert_eq!(
                cpu(&init, &main, overhead),
                milli,
                "{init:?} {main:?} {overhead}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_counts_as_nothing() {
        assert!(
            requests(&json!({ "spec": { "containers": [null, 3, container("x")] } })).is_empty()
        );
    }
}
