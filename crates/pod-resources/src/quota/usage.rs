//! What one object uses.

use super::Kind;
use crate::effective::{self, Resources};
use model::quantity::{Format, Quantity};
use model::{Value, meta};

/// Kinds whose objects are counted under their plain names too, as before `count/…`.
const PLAIN: [&str; 4] = [
    "configmaps",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
];
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// The name under which objects of a kind are counted: `count/deployments.apps`.
pub fn count_name(kind: Kind<'_>) -> String {
    match kind.group {
        "" => format!("count/{}", kind.plural),
        group => format!("count/{}.{group}", kind.plural),
    }
}

/// Whether a change of an object (of a `subresource`) can take more of a quota. Of most kinds only
/// the number is limited, which no change changes.
pub fn changes(kind: Kind<'_>, subresource: &str, new: &Value, old: &Value) -> bool {
    match (kind.group, kind.plural, subresource) {
        ("", "services" | "persistentvolumeclaims", "") | ("", "pods", "resize") => true,
        // Of a pod that is there only its scope can change otherwise.
        ("", "pods", "") => is_terminating(new) != is_terminating(old),
        // What the claim is being grown to.
        ("", "persistentvolumeclaims", "status") => allocated(new) != allocated(old),
        _ => false,
    }
}

/// Whether the pod is to end by itself.
pub(super) fn is_terminating(pod: &Value) -> bool {
    meta::at(pod, &["spec", "activeDeadlineSeconds"])
        .and_then(Value::as_i64)
        .is_some_and(|seconds| seconds >= 0)
}

fn whole(amount: Quantity) -> Quantity {
    Quantity::from_units(amount.value(), amount.format())
}

fn allocated(claim: &Value) -> Option<Quantity> {
    effective::of(claim, &["status", "allocatedResources"]).remove("storage")
}

/// Kinds that no quota counts: those that are never stored, and events.
fn is_ignored(kind: Kind<'_>) -> bool {
    matches!(
        (kind.group, kind.plural),
        ("", "bindings" | "componentstatuses" | "events")
            | ("events.k8s.io", "events")
            | ("authentication.k8s.io" | "authorization.k8s.io", _)
    )
}

/// Whether objects of this kind can come to use less than they did.
pub fn varies(kind: Kind<'_>) -> bool {
    let plurals = ["pods", "services", "persistentvolumeclaims"];
    plurals.into_iter().any(|plural| kind.is(plural))
}

/// What an object uses, and for pods as what: one that is to end by itself, or one that is not, so
/// that becoming the other is to use less of something.
pub fn standing(kind: Kind<'_>, object: &Value) -> Resources {
    let mut used = of_object(kind, object);
    if kind.is("pods") {
        let scope = if is_terminating(object) {
            "Terminating"
        } else {
            "NotTerminating"
        };
        used.insert(scope.to_owned(), some(1));
    }
    used
}

/// Whether the pod uses nothing but its place in the store any more.
pub fn is_over(pod: &Value) -> bool {
    matches!(
        meta::text(pod, &["status", "phase"]),
        "Succeeded" | "Failed"
    )
}

/// Whether the kind uses the resource of this name, which a quota limits.
pub(super) fn concerns(kind: Kind<'_>, name: &str) -> bool {
    if is_ignored(kind) {
        return false;
    }
    if let Some(counted) = name.strip_prefix("count/") {
        return match counted.split_once('.') {
            Some((plural, group)) => kind.plural == plural && kind.group == group,
            None => kind.is(counted),
        };
    }
    if !kind.group.is_empty() {
        return false;
    }
    match kind.plural {
        "pods" => {
            let requested = name.strip_prefix("requests.");
            matches!(name, "pods" | "cpu" | "memory" | "ephemeral-storage")
                || matches!(
                    name,
                    "limits.cpu" | "limits.memory" | "limits.ephemeral-storage"
                )
                || name.starts_with("hugepages-")
                || requested.is_some_and(|rest| rest != "storage")
        }
        "services" => matches!(
            name,
            "services" | "services.nodeports" | "services.loadbalancers"
        ),
        "persistentvolumeclaims" => {
            let class = name.split_once(OF_CLASS).map(|(_, rest)| rest);
            matches!(
                class.unwrap_or(name),
                "persistentvolumeclaims" | "requests.storage"
            )
        }
        plural => PLAIN.contains(&plural) && name == plural,
    }
}

/// What an object uses, by the names that quotas limit.
pub fn of_object(kind: Kind<'_>, object: &Value) -> Resources {
    let mut used = Resources::from([(count_name(kind), some(1))]);
    if !kind.group.is_empty() {
        return used;
    }
    match kind.plural {
        "pods" if !is_over(object) => {
            let own = of_compute(&effective::requests(object), &effective::limits(object));
            used.extend(own);
            used.insert("pods".to_owned(), some(1));
        }
        "services" => used.extend(of_service(object)),
        "persistentvolumeclaims" => used.extend(of_claim(object)),
        plural if PLAIN.contains(&plural) => {
            used.insert(plural.to_owned(), some(1));
        }
        _ => {}
    }
    used
}

fn some(count: usize) -> Quantity {
    Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX), Format::DecimalSI)
}

/// Requests and limits by the names that quotas limit.
pub(super) fn of_compute(requests: &Resources, limits: &Resources) -> Resources {
    let mut used = Resources::new();
    for (name, amount) in requests {
        let is_plain = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
        if is_plain || name.starts_with("hugepages-") {
            used.insert(name.clone(), *amount);
        }
        // Of all others only extended resources are counted.
        if is_plain || name.starts_with("hugepages-") || is_extended(name) {
            used.insert(format!("requests.{name}"), *amount);
        }
    }
    for name in ["cpu", "memory", "ephemeral-storage"] {
        if let Some(amount) = limits.get(name) {
            used.insert(format!("limits.{name}"), *amount);
        }
    }
    used
}

/// Whether the resource is one of somebody else's: `example.com/gpu`.
fn is_extended(name: &str) -> bool {
    let domain = name.split_once('/').map(|(domain, _)| domain);
    domain.is_some_and(|d| d != "kubernetes.io" && !d.ends_with(".kubernetes.io"))
}

fn of_service(service: &Value) -> Resources {
    let ports = meta::list(service, &["spec", "ports"]);
    let (mut node_ports, mut balancers) = (0, 0);
    match meta::text(service, &["spec", "type"]) {
        "NodePort" => node_ports = ports.len(),
        "LoadBalancer" => {
            balancers = 1;
            let allocates = meta::at(service, &["spec", "allocateLoadBalancerNodePorts"])
                != Some(&Value::Bool(false));
            let has_port = |port: &&Value| {
                let number = port.get("nodePort").and_then(Value::as_i64);
                number.is_some_and(|number| number != 0)
            };
            node_ports = if allocates {
                ports.len()
            } else {
                ports.iter().filter(has_port).count()
            };
        }
        _ => {}
    }
    Resources::from([
        ("services".to_owned(), some(1)),
        ("services.nodeports".to_owned(), some(node_ports)),
        ("services.loadbalancers".to_owned(), some(balancers)),
    ])
}

fn of_claim(claim: &Value) -> Resources {
    let spec = meta::text(claim, &["spec", "storageClassName"]);
    let old = "volume.beta.kubernetes.io/storage-class";
    let class = match meta::text(claim, &["metadata", "annotations", old]) {
        "" => spec,
        old => old,
    };
    let mut used = Resources::new();
    let mut add = |name: &str, amount: Quantity| {
        used.insert(name.to_owned(), amount);
        if !class.is_empty() {
            used.insert(format!("{class}{OF_CLASS}{name}"), amount);
        }
    };
    add("persistentvolumeclaims", some(1));
    let requests = effective::of(claim, &["spec", "resources", "requests"]);
    if let Some(storage) = requests.get("storage") {
        // What is being shrunk counts in full until it has shrunk, and parts of bytes as bytes.
        let allocated = allocated(claim).filter(|all| all > storage);
        add("requests.storage", whole(allocated.unwrap_or(*storage)));
    }
    used
}
