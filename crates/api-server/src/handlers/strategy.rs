//! The few ways in which kinds differ that their registry entries do not say: upstream's REST
//! strategies, as data.

use model::resource::Resource;
use std::time::Duration;

/// How long events are kept (upstream's `--event-ttl`).
const EVENT_TTL: Duration = Duration::from_secs(3600);

fn is(resource: &Resource, names: &[&str]) -> bool {
    // Names are unique among the groups that the lists below speak of.
    names.contains(&resource.plural.as_ref())
}

/// Whether a PUT to a name that does not exist creates the object.
pub fn creates_on_update(resource: &Resource) -> bool {
    match resource.group.as_ref() {
        "" => is(
            resource,
            &[
                "endpoints",
                "events",
                "limitranges",
                "podtemplates",
                "services",
            ],
        ),
        "events.k8s.io" | "rbac.authorization.k8s.io" | "coordination.k8s.io" => true,
        _ => false,
    }
}

/// Whether an update may leave out the resource version.
pub fn updates_unconditionally(resource: &Resource) -> bool {
    match resource.group.as_ref() {
        "coordination.k8s.io"
        | "node.k8s.io"
        | "admissionregistration.k8s.io"
        | "apiregistration.k8s.io" => false,
        "policy" => !is(resource, &["poddisruptionbudgets"]),
        "storage.k8s.io" => !is(resource, &["volumeattachments", "csidrivers", "csinodes"]),
        _ => true,
    }
}

/// Whether new objects say who made them, so that others can decide on what that user asks for.
pub fn records_requestor(resource: &Resource) -> bool {
    resource.group == "certificates.k8s.io" && is(resource, &["certificatesigningrequests"])
}

/// Whether objects say since when they have their phase.
pub fn times_phase(resource: &Resource) -> bool {
    resource.group.is_empty() && is(resource, &["persistentvolumes"])
}

/// Whether new objects have annotations from which fields follow when they are stored.
pub fn has_old_annotations(resource: &Resource) -> bool {
    resource.group.is_empty() && is(resource, &["pods"])
}

/// Whether objects take something that only one of them may have: services their addresses and
/// node ports. Which are free is read off the objects there are, so such writes take turns.
pub fn allocates(resource: &Resource) -> bool {
    resource.group.is_empty() && is(resource, &["services"])
}

/// After which time objects go by themselves.
pub fn ttl(resource: &Resource) -> Option<Duration> {
    let events = resource.storage.0.is_empty() && resource.storage.1 == "events";
    events.then_some(EVENT_TTL)
}

/// Whether new objects keep the status that they come with: nodes say how they are.
pub fn begins_with_status(resource: &Resource) -> bool {
    resource.group.is_empty() && is(resource, &["nodes"])
}

/// Why an object cannot be deleted by its name, if it is one that the cluster needs.
pub fn is_kept(resource: &Resource, name: &str) -> Option<&'static str> {
    const SYSTEM: [&str; 2] = ["system-cluster-critical", "system-node-critical"];
    let is_class = resource.group == "scheduling.k8s.io" && is(resource, &["priorityclasses"]);
    (is_class && SYSTEM.contains(&name))
        .then_some("this is a system priority class and cannot be deleted")
}

/// Whether a deletion answers with the object and not with a `Status`.
pub fn returns_deleted(resource: &Resource) -> bool {
    match resource.group.as_ref() {
        "" => is(
            resource,
            &[
                "pods",
                "services",
                "serviceaccounts",
                "persistentvolumes",
                "persistentvolumeclaims",
                "podtemplates",
                "resourcequotas",
            ],
        ),
        "policy" => is(resource, &["podsecuritypolicies"]),
        "storage.k8s.io" => true,
        _ => false,
    }
}

/// Whether dependents are orphaned if a deletion does not say what to do with them.
pub fn orphans_by_default(resource: &Resource) -> bool {
    match resource.group.as_ref() {
        "" => is(resource, &["replicationcontrollers"]),
        "batch" => is(resource, &["jobs"]),
        _ => false,
    }
}

/// Whether objects get time to end before they are deleted.
pub fn ends_gracefully(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "pods"
}

/// Whether objects have finalizers in their spec and a phase that says that they are going.
pub fn terminates(resource: &Resource) -> bool {
    resource.group.is_empty() && resource.plural == "namespaces"
}
