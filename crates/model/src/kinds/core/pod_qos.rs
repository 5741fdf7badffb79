//! The quality-of-service class of a pod, as kube-apiserver writes it to `status.qosClass` on
//! creation. One implementation: the pod-resources engine passes it on.

use crate::Value;
use crate::validation::amounts::Amount;
use crate::validation::read::{get, list, map};

/// How a pod is treated when its node runs short (`status.qosClass`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Nothing is requested and nothing limited: first to go.
    BestEffort,
    /// Something is requested or limited.
    Burstable,
    /// Every container has limits on CPU and memory, and requests exactly those.
    Guaranteed,
}

impl QosClass {
    /// The class as the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BestEffort => "BestEffort",
            Self::Burstable => "Burstable",
            Self::Guaranteed => "Guaranteed",
        }
    }
}

/// The class of a pod by its spec (upstream's `ComputePodQOS`): by the pod's own resources if it has
/// some (KEP-2837), else over regular and init containers, counting CPU and memory above zero only.
/// Ephemeral containers have no resources.
pub fn class(pod: &Value) -> QosClass {
    let spec = pod.get("spec").unwrap_or(&Value::Null);
    let mut anything = false;
    let mut guaranteed = true;
    let mut requested = [None, None];
    let mut limited = [None, None];
    let mut count = |resources: &Value| {
        add(resources, "requests", &mut requested);
        let own = add(resources, "limits", &mut limited);
        guaranteed &= own == [true, true];
    };
    if let Some(resources) = get(spec, "resources") {
        count(resources);
    } else {
        for key in ["containers", "initContainers"] {
            for container in list(spec, key) {
                count(get(container, "resources").unwrap_or(&Value::Null));
            }
        }
    }
    for sum in requested.iter().chain(&limited) {
        anything |= sum.is_some();
    }
    if !anything {
        QosClass::BestEffort
    } else if guaranteed && requested == limited {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// Adds a container's CPU and memory to the sums, and tells which of them it has.
fn add(resources: &Value, key: &str, sums: &mut [Option<Amount>; 2]) -> [bool; 2] {
    let amounts = map(resources, key);
    let mut found = [false, false];
    for ((name, sum), found) in ["cpu", "memory"].iter().zip(sums).zip(&mut found) {
        let amount = amounts
            .and_then(|a| a.get(*name))
            .and_then(Amount::of)
            .filter(|a| a.is_positive());
        if let Some(amount) = amount {
            *found = true;
            *sum = Some(sum.map_or(amount, |s| s.plus(amount)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn classes() {
        use QosClass::{BestEffort, Burstable, Guaranteed};
        let full = json!({"limits": {"cpu": "1", "memory": "1Gi"},
            "requests": {"cpu": "1000m", "memory": "1024Mi"}});
        let cases = [
            (json!([{}]), BestEffort),
            (
                json!([{"resources": {"requests": {"example.com/gpu": "1"}}}]),
                BestEffort,
            ),
            (
                json!([{"resources": {"requests": {"cpu": "0"}}}]),
                BestEffort,
            ),
            (json!([{"resources": full}]), Guaranteed),
            (json!([{"resources": full}, {}]), Burstable),
            (
                json!([{"resources": {"limits": {"memory": "200Mi"},
                "requests": {"memory": "100Mi"}}}]),
                Burstable,
            ),
            (
                json!([{"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]),
                Burstable,
            ),
            (
                json!([{"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}}]),
                Burstable,
            ),
        ];
        for (containers, want) in cases {
            let pod = json!({"spec": {"containers": containers}});
            assert_eq!(class(&pod), want, "{pod}");
        }
        // What the pod says for all its containers counts instead of what they say.
        for (own, want) in [
            (full.clone(), Guaranteed),
            (json!({"requests": {"cpu": "1"}}), Burstable),
            (
                json!({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}),
                Burstable,
            ),
            (json!({}), BestEffort),
        ] {
            let pod = json!({"spec": {"resources": own, "containers": [{"resources":
                {"requests": {"cpu": "1"}}}]}});
            assert_eq!(class(&pod), want, "{pod}");
        }
        let with_init = json!({"spec": {"containers": [{"resources": full}],
            "initContainers": [{}]}});
        assert_eq!(class(&with_init), Burstable);
    }
}
