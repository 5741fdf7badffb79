//! What a node may write: its own objects, and only as far as that cannot draw other work, or
//! other secrets, to it. The decisions of upstream's NodeRestriction admission plugin.
//!
//! The Node authorizer decides by name; this looks at the objects.

#[path = "audience.rs"]
mod audience;

use super::{LEASE_NAMESPACE, node_name, references};
use model::go::quoted;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a request does to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A new object, or a post to a subresource.
    Create,
    /// A changed object.
    Update,
    /// A deletion.
    Delete,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A write.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// Who asks.
    pub user: &'a UserInfo,
    /// What it does.
    pub operation: Operation,
    /// The API group.
    pub group: &'a str,
    /// The resource's plural name.
    pub resource: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// The namespace, or empty.
    pub namespace: &'a str,
    /// The object's name, as far as the request says it.
    pub name: &'a str,
    /// The object as it would be stored (for subresources: the request's body).
    pub object: &'a Value,
    /// The object as it is, for updates and deletions.
    pub old: Option<&'a Value>,
}

/// The objects that decisions look up, and the right to tokens.
pub trait Objects {
    /// A pod.
    fn pod(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// A node.
    fn node(&self, name: &str) -> Option<Arc<Value>>;
    /// A claim of a volume.
    fn claim(&self, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// A volume.
    fn volume(&self, name: &str) -> Option<Arc<Value>>;
    /// A CSI driver.
    fn driver(&self, name: &str) -> Option<Arc<Value>>;
    /// Whether the writer has been given the right to tokens of the account for that audience.
    fn may_request_audience(&self, write: &Write<'_>, audience: &str) -> bool;
}

type Answer = Result<(), Refusal>;

enum Refusal {
    Forbidden(String),
    Status(Box<Status>),
}

impl From<String> for Refusal {
    fn from(why: String) -> Self {
        Self::Forbidden(why)
    }
}

impl From<&str> for Refusal {
    fn from(why: &str) -> Self {
        Self::Forbidden(why.to_owned())
    }
}

/// Checks a write; users that are no nodes pass.
pub fn check(write: &Write<'_>, objects: &dyn Objects) -> Result<(), Status> {
    let Some(node) = node_name(write.user) else {
        return Ok(());
    };
    let answer = if node.is_empty() {
        let user = quoted(&write.user.name);
        Err(format!("could not determine node from user {user}").into())
    } else {
        decide(node, write, objects)
    };
    answer.map_err(|refusal| match refusal {
        Refusal::Status(status) => *status,
        Refusal::Forbidden(why) => {
            Status::forbidden(write.group, write.resource, object_name(write), why)
        }
    })
}

/// Checks the subject of a certificate request for one of the kubelet's signers; others pass.
/// The error is upstream's message.
pub fn check_certificate_request(
    user: &UserInfo,
    signer: &str,
    common_name: &str,
) -> Result<(), String> {
    let Some(node) = node_name(user) else {
        return Ok(());
    };
    let signs_for_nodes = matches!(
        signer,
        "kubernetes.io/kubelet-serving" | "kubernetes.io/kube-apiserver-client-kubelet"
    );
    if signs_for_nodes && common_name.strip_prefix("system:node:") != Some(node) {
        return Err(format!(
            "can only create a node CSR with CN=system:node:{node}"
        ));
    }
    Ok(())
}

fn object_name<'a>(write: &Write<'a>) -> &'a str {
    if write.name.is_empty() {
        meta::name(write.object)
    } else {
        write.name
    }
}

fn decide(node: &str, write: &Write<'_>, objects: &dyn Objects) -> Answer {
    match (write.group, write.resource, write.subresource) {
        ("", "pods", "") => match write.operation {
            Operation::Create => create_pod(node, write.object, objects),
            Operation::Delete => {
                let why = "can only delete pods with spec.nodeName set to itself";
                own_pod(node, write.namespace, write.name, objects)?
                    .then_some(())
                    .ok_or_else(|| format!("node {} {why}", quoted(node)).into())
            }
            Operation::Update => Err(format!(
                "unexpected operation {}, node {} can only create and delete mirror pods",
                quoted(write.operation.as_str()),
                quoted(node)
            )
            .into()),
        },
        ("", "pods", "status") => pod_status(node, write),
        ("", "pods", "eviction") => {
            if write.operation != Operation::Create {
                return Err(format!("unexpected operation {}", write.operation.as_str()).into());
            }
            let name = object_name(write);
            if name.is_empty() {
                return Err("could not determine pod from request data".into());
            }
            let why = "can only evict pods with spec.nodeName set to itself";
            own_pod(node, write.namespace, name, objects)?
                .then_some(())
                .ok_or_else(|| format!("node {node} {why}").into())
        }
        ("", "pods", other) => Err(format!(
            "unexpected pod subresource {}, only 'status' and 'eviction' are allowed",
            quoted(other)
        )
        .into()),
        ("", "nodes", _) => own_node(node, write),
        ("", "persistentvolumeclaims", "status") => claim_status(node, write),
        ("", "persistentvolumeclaims", _) => Err("may only update PVC status".into()),
        ("", "serviceaccounts", "token") if write.operation == Operation::Create => {
            token(node, write, objects)
        }
        ("coordination.k8s.io", "leases", _) => {
            if write.namespace != LEASE_NAMESPACE {
                return Err(format!(
                    "can only access leases in the {} system namespace",
                    quoted(LEASE_NAMESPACE)
                )
                .into());
            }
            let why = "can only access node lease with the same name as the requesting node";
            same_name(node, write, why)
        }
        ("storage.k8s.io", "csinodes", _) => {
            let why = "can only access CSINode with the same name as the requesting node";
            same_name(node, write, why)
        }
        _ => Ok(()),
    }
}

fn same_name(node: &str, write: &Write<'_>, why: &str) -> Answer {
    let name = match write.operation {
        Operation::Create => meta::name(write.object),
        Operation::Update | Operation::Delete => write.name,
    };
    if name == node {
        Ok(())
    } else {
        Err(why.into())
    }
}

fn own_pod(
    node: &str,
    namespace: &str,
    name: &str,
    objects: &dyn Objects,
) -> Result<bool, Refusal> {
    match objects.pod(namespace, name) {
        Some(pod) => Ok(meta::text(&pod, &["spec", "nodeName"]) == node),
        None => Err(Refusal::Status(Box::new(Status::not_found(
            "", "pod", name,
        )))),
    }
}

fn create_pod(node: &str, pod: &Value, objects: &dyn Objects) -> Answer {
    let name = quoted(node);
    if !references::is_mirror(pod) {
        return Err(format!(
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node {name} can only \
             create mirror pods"
        )
        .into());
    }
    if meta::text(pod, &["spec", "nodeName"]) != node {
        return Err(
            format!("node {name} can only create pods with spec.nodeName set to itself").into(),
        );
    }
    let owner = match meta::list(pod, &["metadata", "ownerReferences"]) {
        [owner] => owner,
        [] => {
            return Err(format!(
                "node {name} can only create pods with an owner reference set to itself"
            )
            .into());
        }
        _ => {
            return Err(format!(
                "node {name} can only create pods with a single owner reference set to itself"
            )
            .into());
        }
    };
    let text = |field| meta::text(owner, &[field]);
    let is_true = |field| meta::at(owner, &[field]).and_then(Value::as_bool) == Some(true);
    if (text("apiVersion"), text("kind"), text("name")) != ("v1", "Node", node) {
        return Err(format!(
            "node {name} can only create pods with an owner reference set to itself"
        )
        .into());
    }
    if !is_true("controller") {
        return Err(format!(
            "node {name} can only create pods with a controller owner reference set to itself"
        )
        .into());
    }
    if is_true("blockOwnerDeletion") {
        return Err(
            format!("node {name} must not set blockOwnerDeletion on an owner reference").into(),
        );
    }
    let Some(known) = objects.node(node) else {
        return Err(Refusal::Status(Box::new(Status::not_found(
            "", "node", node,
        ))));
    };
    if text("uid") != meta::uid(&known) {
        return Err(format!(
            "node {node} UID mismatch: expected {} got {}",
            text("uid"),
            meta::uid(&known)
        )
        .into());
    }
    refers_to_nothing(&name, pod)
}

/// A pod that a node makes must not give the node access to anything.
fn refers_to_nothing(node: &str, pod: &Value) -> Answer {
    let kinds: BTreeSet<_> = references::named_by(pod)
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    let volumes = || meta::list(pod, &["spec", "volumes"]).iter();
    let projects_trust_bundle = volumes()
        .flat_map(|volume| meta::list(volume, &["projected", "sources"]))
        .any(|source| meta::at(source, &["clusterTrustBundle"]).is_some());
    // Claims that a pod makes for itself (`ephemeral`) are its own.
    let names_claim = || {
        volumes().any(|volume| meta::at(volume, &["persistentVolumeClaim"]).is_some_and(is_there))
    };
    let forbidden = [
        (super::Referent::ServiceAccount, "a service account"),
        (super::Referent::Secret, "secrets"),
        (super::Referent::ConfigMap, "configmaps"),
    ]
    .into_iter()
    .find(|(kind, _)| kinds.contains(kind))
    .map(|(_, what)| what)
    .or_else(|| projects_trust_bundle.then_some("clustertrustbundles"))
    .or_else(|| names_claim().then_some("persistentvolumeclaims"))
    .or_else(|| {
        let claims = meta::list(pod, &["spec", "resourceClaims"]);
        (!claims.is_empty()).then_some("resourceclaims")
    });
    match forbidden {
        None => Ok(()),
        Some(what) => Err(format!("node {node} can not create pods that reference {what}").into()),
    }
}

fn is_there(value: &Value) -> bool {
    !value.is_null()
}

fn pod_status(node: &str, write: &Write<'_>) -> Answer {
    if write.operation != Operation::Update {
        return Err(format!("unexpected operation {}", quoted(write.operation.as_str())).into());
    }
    let old = write.old.unwrap_or(&Value::Null);
    let name = quoted(node);
    if meta::text(old, &["spec", "nodeName"]) != node {
        return Err(format!(
            "node {name} can only update pod status for pods with spec.nodeName set to itself"
        )
        .into());
    }
    if meta::labels(old) != meta::labels(write.object) {
        return Err(format!("node {name} cannot update labels through pod status").into());
    }
    let claims = |pod| meta::list(pod, &["status", "resourceClaimStatuses"]);
    if claims(old) != claims(write.object) {
        return Err(format!("node {name} cannot update resource claim statues").into());
    }
    Ok(())
}

fn own_node(node: &str, write: &Write<'_>) -> Answer {
    let name = quoted(node);
    if object_name(write) != node {
        let other = quoted(object_name(write));
        return Err(format!("node {name} is not allowed to modify node {other}").into());
    }
    let old = write.old.unwrap_or(&Value::Null);
    match write.operation {
        Operation::Delete => Ok(()),
        Operation::Create => {
            if meta::at(write.object, &["spec", "configSource"]).is_some() {
                return Err(format!(
                    "node {name} is not allowed to create pods with a non-nil configSource"
                )
                .into());
            }
            let labels = forbidden_labels(write.object, &Value::Null);
            if labels.is_empty() {
                return Ok(());
            }
            Err(format!(
                "node {name} is not allowed to set the following labels: {}",
                labels.join(", ")
            )
            .into())
        }
        Operation::Update => {
            let source = meta::at(write.object, &["spec", "configSource"]);
            if source.is_some() && source != meta::at(old, &["spec", "configSource"]) {
                return Err(format!(
                    "node {name} is not allowed to update configSource to a new non-nil \
                     configSource"
                )
                .into());
            }
            let taints = |node| meta::list(node, &["spec", "taints"]);
            if taints(old) != taints(write.object) {
                return Err(format!("node {name} is not allowed to modify taints").into());
            }
            let owners = |node| meta::list(node, &["metadata", "ownerReferences"]);
            if owners(old) != owners(write.object) {
                return Err(format!("node {name} is not allowed to modify ownerReferences").into());
            }
            let labels = forbidden_labels(write.object, old);
            if labels.is_empty() {
                return Ok(());
            }
            Err(format!("is not allowed to modify labels: {}", labels.join(", ")).into())
        }
    }
}

/// The labels that differ and that a node may not set, sorted.
fn forbidden_labels<'a>(new: &'a Value, old: &'a Value) -> Vec<&'a str> {
    let (new, old) = (meta::labels(new), meta::labels(old));
    let keys: BTreeSet<&str> = new.keys().chain(old.keys()).copied().collect();
    keys.into_iter()
        .filter(|key| new.get(key) != old.get(key) && !may_label(key))
        .collect()
}

/// Labels outside the `kubernetes.io` and `k8s.io` domains, and inside them those that kubelets
/// are known to set; never those of `node-restriction.kubernetes.io`.
fn may_label(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else {
        return true;
    };
    let within = |parent: &str| {
        domain
            .strip_suffix(parent)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    if within("node-restriction.kubernetes.io") {
        return false;
    }
    if !within("kubernetes.io") && !within("k8s.io") {
        return true;
    }
    KUBELET_LABELS.contains(&key) || within("kubelet.kubernetes.io") || within("node.kubernetes.io")
}

const KUBELET_LABELS: [&str; 11] = [
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region",
    "node.kubernetes.io/instance-type",
    "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region",
    "beta.kubernetes.io/instance-type",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
];

fn claim_status(node: &str, write: &Write<'_>) -> Answer {
    if write.operation != Operation::Update {
        return Err(format!("unexpected operation {}", quoted(write.operation.as_str())).into());
    }
    let comparable = |claim: &Value| {
        let mut claim = claim.clone();
        for path in [
            ["metadata", "resourceVersion"],
            ["metadata", "managedFields"],
            ["status", "capacity"],
            ["status", "conditions"],
            ["status", "allocatedResourceStatuses"],
            ["status", "allocatedResources"],
        ] {
            meta::remove(&mut claim, &path);
        }
        claim
    };
    if comparable(write.object) == comparable(write.old.unwrap_or(&Value::Null)) {
        return Ok(());
    }
    Err(format!(
        "node {} is not allowed to update fields other than status.quantity and status.conditions",
        quoted(node)
    )
    .into())
}

fn token(node: &str, write: &Write<'_>, objects: &dyn Objects) -> Answer {
    let bound = |field| meta::text(write.object, &["spec", "boundObjectRef", field]);
    if bound("apiVersion") != "v1" || bound("kind") != "Pod" || bound("name").is_empty() {
        return Err("node requested token not bound to a pod".into());
    }
    if bound("uid").is_empty() {
        return Err("node requested token with a pod binding without a uid".into());
    }
    let Some(pod) = objects.pod(write.namespace, bound("name")) else {
        return Err(Refusal::Status(Box::new(Status::not_found(
            "",
            "pod",
            bound("name"),
        ))));
    };
    if bound("uid") != meta::uid(&pod) {
        return Err(format!(
            "the UID in the bound object reference ({}) does not match the UID in record. The \
             object might have been deleted and then recreated",
            bound("uid")
        )
        .into());
    }
    if meta::text(&pod, &["spec", "nodeName"]) != node {
        return Err("node requested token bound to a pod scheduled on a different node".into());
    }
    let audience = match meta::list(write.object, &["spec", "audiences"]) {
        [] => "",
        [one] => one.as_str().unwrap_or_default(),
        _ => return Err("node may only request 0 or 1 audiences".into()),
    };
    match audience::wanted(&pod, audience, objects) {
        Ok(true) => return Ok(()),
        _ if objects.may_request_audience(write, audience) => return Ok(()),
        Ok(false) => {}
        Err(why) => {
            return Err(format!("error validating audience {}: {why}", quoted(audience)).into());
        }
    }
    Err(format!(
        "audience {} not found in pod spec volume, {} is not authorized to request tokens for this \
         audience",
        quoted(audience),
        write.user.name
    )
    .into())
}

#[cfg(test)]
#[path = "restriction_tests.rs"]
mod tests;
