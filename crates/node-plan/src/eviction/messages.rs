//! What an evicted pod is told.

use super::{Observations, Threshold, amount};
use crate::containers;
use model::quantity::Quantity;
use model::{Value, meta};
use std::collections::BTreeMap;

/// What a container uses, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUsage {
    /// Its name.
    pub name: String,
    /// Its working set.
    pub memory: Option<i64>,
    /// Its changes to its image, and its logs.
    pub disk: Option<i64>,
}

/// The message of a pod that goes because of a threshold, and the annotations of its event. The
/// containers come in the order in which they were measured; ephemeral ones can request nothing
/// and are not blamed.
pub fn message(
    threshold: &Threshold,
    observed: &Observations,
    pod: &Value,
    usage: &[ContainerUsage],
) -> (String, BTreeMap<&'static str, String>) {
    let resource = threshold.signal.resource();
    let mut message = format!("The node was low on resource: {resource}. ");
    if let Some(seen) = observed.get(&threshold.signal) {
        let quantity = amount(threshold.value.of(seen.capacity));
        let available = amount(seen.available);
        message.push_str(&format!(
            "Threshold quantity: {quantity}, available: {available}. "
        ));
    }
    let (mut names, mut amounts) = (Vec::new(), Vec::new());
    for used in usage {
        let own = containers::regular(pod)
            .chain(containers::init(pod))
            .find(|container| container.name() == used.name);
        let bytes = match resource {
            "memory" => used.memory,
            "ephemeral-storage" => used.disk,
            _ => None,
        };
        let (Some(own), Some(bytes)) = (own, bytes) else {
            continue;
        };
        let request = meta::at(own.spec, &["resources", "requests", resource])
            .and_then(|value| Quantity::from_value(value).ok())
            .unwrap_or(Quantity::ZERO);
        if bytes > request.value() {
            message.push_str(&format!(
                "Container {} was using {}, request is {request}, has larger consumption of \
                 {resource}. ",
                used.name,
                amount(bytes)
            ));
            names.push(used.name.clone());
            amounts.push(amount(bytes));
        }
    }
    let annotations = BTreeMap::from([
        ("offending_containers", names.join(",")),
        ("offending_containers_usage", amounts.join(",")),
        ("starved_resource", resource.to_owned()),
    ]);
    (message, annotations)
}
