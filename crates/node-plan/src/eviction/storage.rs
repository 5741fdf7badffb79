//! Pods that take more of the node's disk than they may, whether the node is short or not.

use super::ContainerUsage;
use crate::containers;
use model::quantity::Quantity;
use model::validation::read::{get, list, text};
use model::{Value, meta};
use std::collections::BTreeMap;

/// The message of a pod that must go at once; `None` if it keeps to its limits. `volumes` are the
/// bytes in each of its local volumes, by name.
pub fn exceeded(
    pod: &Value,
    volumes: &BTreeMap<String, i64>,
    usage: &[ContainerUsage],
) -> Option<String> {
    volume(pod, volumes)
        .or_else(|| whole(pod, volumes, usage))
        .or_else(|| container(pod, usage))
}

fn volume(pod: &Value, volumes: &BTreeMap<String, i64>) -> Option<String> {
    list(get(pod, "spec")?, "volumes")
        .iter()
        .find_map(|volume| {
            let name = text(volume, "name");
            let limit =
                quantity(volume, &["emptyDir", "sizeLimit"]).filter(|limit| limit.value() > 0)?;
            (*volumes.get(name)? > limit.value()).then(|| {
                format!("Usage of EmptyDir volume \"{name}\" exceeds the limit \"{limit}\". ")
            })
        })
}

fn whole(pod: &Value, volumes: &BTreeMap<String, i64>, usage: &[ContainerUsage]) -> Option<String> {
    let limit = *pod_resources::limits(pod).get("ephemeral-storage")?;
    let of_containers = usage.iter().filter_map(|used| used.disk);
    let in_volumes = list(get(pod, "spec")?, "volumes")
        .iter()
        .filter(|volume| is_on_disk(volume))
        .filter_map(|volume| volumes.get(text(volume, "name")).copied());
    let total = of_containers
        .chain(in_volumes)
        .fold(0i64, i64::saturating_add);
    (total > limit.value()).then(|| {
        format!("Pod ephemeral local storage usage exceeds the total limit of containers {limit}. ")
    })
}

/// An `emptyDir` in memory is counted as memory.
fn is_on_disk(volume: &Value) -> bool {
    get(volume, "emptyDir").is_some_and(|source| text(source, "medium").is_empty())
}

fn container(pod: &Value, usage: &[ContainerUsage]) -> Option<String> {
    usage.iter().find_map(|used| {
        let own = containers::regular(pod)
            .chain(containers::init(pod))
            .find(|container| container.name() == used.name)?;
        let limit = quantity(own.spec, &["resources", "limits", "ephemeral-storage"])
            .filter(|limit| limit.value() > 0)?;
        (used.disk? > limit.value()).then(|| {
            format!(
                "Container {} exceeded its local ephemeral storage limit \"{limit}\". ",
                used.name
            )
        })
    })
}

fn quantity(value: &Value, path: &[&str]) -> Option<Quantity> {
    Quantity::from_value(meta::at(value, path)?).ok()
}
