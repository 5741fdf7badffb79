//! Effective requests and limits of a pod, as upstream's `PodRequests` and `PodLimits`: what its
//! containers need together (KEP-753), unless the pod says it for them (KEP-2837), and the pod's
//! overhead on top (KEP-688).

use model::kinds::core::pod_amounts::{max, of_containers, of_pod_level, together};
use model::{Value, meta};

pub use model::kinds::core::pod_amounts::Resources;
pub(crate) use model::kinds::core::pod_amounts::{add, of};

/// What the pod asks for. Amounts that cannot be read count as nothing (validation refuses them
/// before a pod is stored).
pub fn requests(pod: &Value) -> Resources {
    let mut all = without_overhead(pod, "requests");
    add(&mut all, &of(pod, &["spec", "overhead"]));
    all
}

/// What the scheduler reserves for the pod: a container that is being resized in place (KEP-1287)
/// counts as much as it has and as much as it is to have. Where a container does not request a
/// resource, `missing` says what it counts for.
pub fn reserved(pod: &Value, missing: &Resources) -> Resources {
    let list = |key| meta::list(pod, &["spec", key]);
    let (containers, init) = (list("containers"), list("initContainers"));
    let mut all = together(containers, init, |container| {
        let mut own = match status(pod, container) {
            Some(status) => resized(pod, container, status),
            None => of(container, &["resources", "requests"]),
        };
        for (name, amount) in missing {
            own.entry(name.clone()).or_insert(*amount);
        }
        own
    });
    if let Some(spec) = pod.get("spec") {
        all.extend(of_pod_level(spec, "requests"));
    }
    add(&mut all, &of(pod, &["spec", "overhead"]));
    all
}

/// The status of a container that keeps running, if its node says there what the container has.
fn status<'a>(pod: &'a Value, container: &Value) -> Option<&'a Value> {
    let name = meta::text(container, &["name"]);
    let list = match meta::text(container, &["restartPolicy"]) {
        "Always" => "initContainerStatuses",
        _ => "containerStatuses",
    };
    meta::list(pod, &["status", list])
        .iter()
        .find(|status| meta::text(status, &["name"]) == name)
        .filter(|status| meta::at(status, &["resources"]).is_some())
}

/// What a container has and, unless the node can never give it, is to have.
fn resized(pod: &Value, container: &Value, status: &Value) -> Resources {
    let conditions = meta::list(pod, &["status", "conditions"]);
    let pending = conditions
        .iter()
        .find(|condition| meta::text(condition, &["type"]) == "PodResizePending");
    let is_infeasible = pending.is_some_and(|c| meta::text(c, &["reason"]) == "Infeasible");
    let mut most = of(status, &["resources", "requests"]);
    max(&mut most, &of(status, &["allocatedResources"]));
    if !is_infeasible {
        max(&mut most, &of(container, &["resources", "requests"]));
    }
    most
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
    fn what_is_resized_counts_what_it_has_and_is_to_have() {
        let pod = |status: Value, condition: Value| {
            json!({
                "spec": { "containers": [{ "name": "c", "resources": { "requests": { "cpu": "2" } } }] },
                "status": { "containerStatuses": [status], "conditions": [condition] },
            })
        };
        let pending = |reason: &str| json!({ "type": "PodResizePending", "reason": reason });
        let has = |cpu: &str, allocated: &str| {
            json!({ "name": "c", "resources": { "requests": { "cpu": cpu } },
                "allocatedResources": { "cpu": allocated } })
        };
        let silent = json!({ "name": "c", "allocatedResources": { "cpu": "9" } });
        let other = json!({ "name": "d", "resources": { "requests": { "cpu": "9" } } });
        for (status, condition, milli) in [
            (has("1", "1"), json!({}), 2000),
            (has("3", "1"), json!({}), 3000),
            (has("1", "4"), json!({}), 4000),
            (has("1", "1"), pending("Deferred"), 2000),
            (has("1", "1"), pending("Infeasible"), 1000),
            (has("1", "1500m"), pending("Infeasible"), 1500),
            (silent, json!({}), 2000),
            (other, json!({}), 2000),
        ] {
            let pod = pod(status, condition);
            let counted = reserved(&pod, &Resources::new());
            assert_eq!(counted["cpu"].milli_value(), milli, "{pod}");
            assert_eq!(requests(&pod)["cpu"].milli_value(), 2000);
        }
    }

    #[test]
    fn what_nobody_says_counts_as_missing() {
        let missing = Resources::from([("cpu".to_owned(), "1".parse().unwrap())]);
        let pod = json!({ "spec": {
            "initContainers": [sidecar("2"), {}],
            "containers": [{}, container("3")],
        } });
        // Sidecar and containers are more than sidecar and init container.
        assert_eq!(reserved(&pod, &missing)["cpu"].milli_value(), 6000);
        let mut whole = pod.clone();
        whole["spec"]["resources"] = json!({ "requests": { "cpu": "5" } });
        assert_eq!(reserved(&whole, &missing)["cpu"].milli_value(), 5000);
    }

    #[test]
    fn what_cannot_be_read_counts_as_nothing() {
        assert!(
            requests(&json!({ "spec": { "containers": [null, 3, container("x")] } })).is_empty()
        );
    }
}
