//! Effective requests and limits of a pod, as upstream's `PodRequests` and `PodLimits`: what its
//! containers need together (KEP-753), unless the pod says it for them (KEP-2837), and the pod's
//! overhead on top (KEP-688).

use model::kinds::core::pod_amounts::{of_containers, of_pod_level};
use model::{Value, meta};

pub use model::kinds::core::pod_amounts::Resources;
pub(crate) use model::kinds::core::pod_amounts::{add, of};

/// What the scheduler reserves for the pod. Amounts that cannot be read count as nothing
/// (validation refuses them before a pod is stored).
pub fn requests(pod: &Value) -> Resources {
    let mut all = without_overhead(pod, "requests");
    add(&mut all, &of(pod, &["spec", "overhead"]));
    all
}

/// What the pod may use at most. A resource that one container does not limit is limited by what
/// the others say, as upstream. Where nothing is limited the overhead does not make a limit.
pub fn limits(pod: &Value) -> Resources {
    let mut all = without_overhead(pod, "limits");
    let mut overhead = of(pod, &["spec", "overhead"]);
    overhead.retain(|name, _| all.get(name).is_some_and(|limit| !limit.is_zero()));
    add(&mut all, &overhead);
    all
}

/// The pod's `requests` or `limits` but for its overhead.
pub(crate) fn without_overhead(pod: &Value, what: &str) -> Resources {
    let list = |key| meta::list(pod, &["spec", key]);
    let mut all = of_containers(list("containers"), list("initContainers"), what);
    if let Some(spec) = pod.get("spec") {
        all.extend(of_pod_level(spec, what));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::quantity::Quantity;
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
