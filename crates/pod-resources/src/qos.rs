//! Why a pod has its quality-of-service class.

use crate::{QosClass, qos_class};
use model::quantity::Quantity;
use model::{Value, meta};

/// One thing about a pod that its class follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosReason {
    /// The field that it is about, such as `spec.containers[0].resources.limits`.
    pub path: String,
    /// What about it, in words.
    pub text: String,
}

/// A pod's class, and what keeps it from a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosVerdict {
    /// The class, as kube-apiserver writes it to `status.qosClass`.
    pub class: QosClass,
    /// The class in one sentence.
    pub reason: &'static str,
    /// What would have to change for the next better class; empty for Guaranteed.
    pub because: Vec<QosReason>,
}

const AMOUNTS: [&str; 2] = ["cpu", "memory"];

/// The class of a pod (as defaulted by the API: requests that are not given are the limits), with
/// its reasons. Follows upstream's `ComputePodQOS`.
pub fn explain(pod: &Value) -> QosVerdict {
    let class = qos_class(pod);
    let for_all = pod.get("spec").is_some_and(is_for_all);
    let (reason, because) = match class {
        QosClass::Guaranteed if for_all => (
            "the pod has limits on cpu and memory, and requests exactly those",
            Vec::new(),
        ),
        QosClass::Guaranteed => (
            "every container has limits on cpu and memory, and requests exactly those",
            Vec::new(),
        ),
        QosClass::Burstable if for_all => (
            "the pod requests or limits something, but does not have limits on cpu and memory that \
             equal its requests",
            obstacles(pod),
        ),
        QosClass::Burstable => (
            "something is requested or limited, but not every container has limits on cpu and \
             memory that equal its requests",
            obstacles(pod),
        ),
        QosClass::BestEffort => (
            if for_all {
                "the pod has resources of its own, and they neither request nor limit cpu or memory"
            } else {
                "no container requests or limits cpu or memory"
            },
            counted(pod)
                .map(|(path, _)| QosReason {
                    path: format!("{path}.resources"),
                    text: "neither requests nor limits cpu or memory".to_owned(),
                })
                .collect(),
        ),
    };
    QosVerdict {
        class,
        reason,
        because,
    }
}

/// What keeps each container from being guaranteed its share.
fn obstacles(pod: &Value) -> Vec<QosReason> {
    let mut found = Vec::new();
    for (path, container) in counted(pod) {
        for name in AMOUNTS {
            let request = amount(container, "requests", name);
            let limit = amount(container, "limits", name);
            let text = match (&request, &limit) {
                (_, None) => format!("no limit on {name}"),
                (None, Some(limit)) => format!("no request for {name}, whose limit is {limit}"),
                (Some(request), Some(limit)) if request.nanos() != limit.nanos() => {
                    format!("requests {request} of {name}, whose limit is {limit}")
                }
                _ => continue,
            };
            found.push(QosReason {
                path: format!("{path}.resources"),
                text,
            });
        }
    }
    found
}

/// Whose resources count, with where they are: the pod's own if it has some, else those of the
/// containers that run and those that start the pod.
fn counted(pod: &Value) -> impl Iterator<Item = (String, &Value)> {
    let spec = pod.get("spec").filter(|spec| is_for_all(spec));
    let containers = ["containers", "initContainers"]
        .into_iter()
        .filter(move |_| spec.is_none())
        .flat_map(move |list| {
            let each = meta::list(pod, &["spec", list]).iter().enumerate();
            each.map(move |(at, container)| (format!("spec.{list}[{at}]"), container))
        });
    spec.map(|spec| ("spec".to_owned(), spec))
        .into_iter()
        .chain(containers)
}

fn is_for_all(spec: &Value) -> bool {
    spec.get("resources").is_some_and(|own| !own.is_null())
}

/// An amount above zero; upstream takes nothing else for one.
fn amount(container: &Value, what: &str, name: &str) -> Option<Quantity> {
    let value = meta::at(container, &["resources", what, name])?;
    let amount = Quantity::from_value(value).ok()?;
    (amount.nanos() > 0).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn texts(pod: &Value) -> Vec<String> {
        let because = explain(pod).because;
        because
            .into_iter()
            .map(|reason| format!("{}: {}", reason.path, reason.text))
            .collect()
    }

    #[test]
    fn what_the_pod_says_for_all_counts_instead() {
        let pod = json!({"spec": {"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
            "containers": [{}]}});
        assert_eq!(explain(&pod).class, QosClass::Burstable);
        assert_eq!(texts(&pod), ["spec.resources: no limit on memory"]);
    }

    #[test]
    fn every_obstacle_is_named_with_its_container() {
        let full = json!({"requests": {"cpu": "1", "memory": "1Gi"},
            "limits": {"cpu": "1000m", "memory": "1024Mi"}});
        let half =
            json!({"requests": {"memory": "100Mi", "cpu": "0"}, "limits": {"memory": "200Mi"}});
        let pod = json!({"spec": {"containers": [{"resources": full}, {"resources": half}],
            "initContainers": [{}]}});
        assert_eq!(explain(&pod).class, QosClass::Burstable);
        assert_eq!(
            texts(&pod),
            [
                "spec.containers[1].resources: no limit on cpu",
                "spec.containers[1].resources: requests 100Mi of memory, whose limit is 200Mi",
                "spec.initContainers[0].resources: no limit on cpu",
                "spec.initContainers[0].resources: no limit on memory",
            ]
        );
    }

    #[test]
    fn the_best_class_needs_no_reasons_and_the_least_names_every_container() {
        let full = json!({"requests": {"cpu": "1", "memory": "1Gi"},
            "limits": {"cpu": "1", "memory": "1Gi"}});
        assert!(texts(&json!({"spec": {"containers": [{"resources": full}]}})).is_empty());
        assert_eq!(texts(&json!({"spec": {"containers": [{}, {}]}})).len(), 2);
    }
}
