//! What the containers of a pod ask for together, and what a pod asks for all of them at once
//! (`spec.resources`, KEP-2837).

use super::fill;
use super::resources::{is_huge_page, validate_name, validate_requirements};
use crate::field::ErrorList;
use crate::quantity::Quantity;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, text};
use crate::{Map, Value, meta};
use std::collections::{BTreeMap, BTreeSet};

/// Amounts by resource name, such as `cpu` and `memory`.
pub type Resources = BTreeMap<String, Quantity>;

/// The amounts at a place of an object; those that cannot be read are passed over.
pub fn of(value: &Value, path: &[&str]) -> Resources {
    amounts(meta::at(value, path).and_then(Value::as_object))
}

fn amounts(map: Option<&Map>) -> Resources {
    map.into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), Quantity::from_value(amount).ok()?)))
        .collect()
}

/// Adds amounts to others.
pub fn add(sum: &mut Resources, more: &Resources) {
    for (name, amount) in more {
        let entry = sum.entry(name.clone()).or_insert(Quantity::ZERO);
        *entry = if entry.is_zero() {
            *amount
        } else {
            entry.plus(*amount)
        };
    }
}

/// Raises amounts to those of others where they are more.
pub fn max(most: &mut Resources, other: &Resources) {
    for (name, amount) in other {
        let entry = most.entry(name.clone()).or_insert(*amount);
        if amount.nanos() > entry.nanos() {
            *entry = *amount;
        }
    }
}

/// What containers need together of `what` (`requests` or `limits`), as upstream's
/// `AggregateContainerRequests`: containers and sidecars run together, init containers one after
/// the other beside the sidecars that were started before them (KEP-753).
pub fn of_containers(containers: &[Value], init_containers: &[Value], what: &str) -> Resources {
    together(containers, init_containers, |container| {
        of(container, &["resources", what])
    })
}

/// As `of_containers`, where each container needs what `own` says.
pub fn together(
    containers: &[Value],
    init_containers: &[Value],
    own: impl Fn(&Value) -> Resources,
) -> Resources {
    let mut running = Resources::new();
    for container in containers {
        add(&mut running, &own(container));
    }
    let mut sidecars = Resources::new();
    let mut starting = Resources::new();
    for container in init_containers {
        let own = own(container);
        let mut beside = sidecars.clone();
        add(&mut beside, &own);
        if text(container, "restartPolicy") == "Always" {
            add(&mut running, &own);
            sidecars = beside.clone();
        }
        max(&mut starting, &beside);
    }
    max(&mut running, &starting);
    running
}

/// What a pod says of `what` (`requests` or `limits`) for all its containers at once: CPU, memory
/// and huge pages.
pub fn of_pod_level(spec: &Value, what: &str) -> Resources {
    let mut own = of(spec, &["resources", what]);
    own.retain(|name, _| is_pod_level(name));
    own
}

/// Whether a pod says for all its containers at once what they need.
pub fn has_pod_level(spec: &Value) -> bool {
    ["requests", "limits"]
        .iter()
        .any(|what| !of_pod_level(spec, what).is_empty())
}

fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_page(name)
}

/// Fills in what a pod's own resources leave open: limits on huge pages are what its containers
/// say; requests are what its containers say, else the limits. After the containers' defaults.
pub(crate) fn fill(spec: &mut Map) {
    let (containers, init) = (array(spec, "containers"), array(spec, "initContainers"));
    let requests = of_containers(containers, init, "requests");
    let limits = of_containers(containers, init, "limits");
    let Some(own) = fill::map(spec, "resources") else {
        return;
    };
    let is_said = |own: &Map, what: &str| {
        own.get(what)
            .and_then(Value::as_object)
            .is_some_and(|amounts| !amounts.is_empty())
    };
    if !is_said(own, "limits") && !is_said(own, "requests") {
        return;
    }
    let huge_pages = limits.into_iter().filter(|(name, _)| is_huge_page(name));
    complete(own, "limits", huge_pages);
    if !is_said(own, "limits") {
        return;
    }
    let compute = requests
        .into_iter()
        .filter(|(name, _)| is_pod_level(name) && !is_huge_page(name));
    complete(own, "requests", compute);
    let limits = own.get("limits").and_then(Value::as_object).cloned();
    let limits = limits.into_iter().flatten();
    complete(
        own,
        "requests",
        limits.filter(|(name, _)| is_pod_level(name)),
    );
}

fn complete<A: Into<Value>>(own: &mut Map, what: &str, amounts: impl Iterator<Item = (String, A)>) {
    for (name, amount) in amounts {
        fill::empty_map(own, what);
        if let Some(own) = fill::map(own, what) {
            own.entry(name).or_insert_with(|| amount.into());
        }
    }
}

fn array<'a>(spec: &'a Map, key: &str) -> &'a [Value] {
    spec.get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Reports what is wrong with a pod's own resources: names, amounts, and that its containers ask
/// for more in sum, or are allowed more each.
pub(crate) fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(own) = get(spec, "resources") else {
        return;
    };
    if get(own, "claims").is_some() {
        let detail = "claims cannot be set for Resources at pod-level";
        errors.forbidden(&at.child("claims"), detail);
    }
    validate_requirements(own, pod_level_name, &BTreeSet::new(), at, errors);
    let (containers, init) = (list(spec, "containers"), list(spec, "initContainers"));
    let requests_at = at.child("requests");
    let requests = of(own, &["requests"]);
    for (name, sum) in of_containers(containers, init, "requests") {
        let have = requests.get(&name).copied().unwrap_or(Quantity::ZERO);
        if sum > have {
            let detail =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.invalid(&requests_at.key(&name), have.to_string(), detail);
        }
    }
    let limits = of(own, &["limits"]);
    let containers_at = at.child("containers");
    for (i, container) in containers.iter().enumerate() {
        let at = containers_at.index(i);
        for (name, limit) in of(container, &["resources", "limits"]) {
            if let Some(most) = limits.get(&name).filter(|most| limit > **most) {
                let detail = format!("must be less than or equal to pod limits of {most}");
                let at = at.key(&name);
                errors.invalid(&at.child("limits"), limit.to_string(), detail);
            }
        }
    }
}

fn pod_level_name(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    let before = errors.len();
    validate_name(name, at, errors);
    if errors.len() == before && !is_pod_level(name) {
        errors.not_supported(at, name, &["cpu", "hugepages-", "memory"]);
    }
}

#[cfg(test)]
mod tests;
