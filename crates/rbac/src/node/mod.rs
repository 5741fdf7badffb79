//! The Node authorizer: a node reaches what the pods bound to it need, and nothing more.
//!
//! It never refuses: where it does not allow, other authorizers are asked, and the reason tells
//! why this one did not. Follows upstream of v1.33 with `AuthorizeNodeWithSelectors`, so that
//! nodes read their own Node and their own pods only.

pub mod graph;
pub mod references;
pub mod restriction;

pub use graph::Graph;
pub use references::Referent;

use crate::bootstrap::cluster_roles;
use crate::rule::Rule;
use crate::{Attributes, Authorizer, Decision};
use model::go::quoted;
use model::user::{NODE_USER_PREFIX, NODES, UserInfo};

/// The namespace of nodes' leases.
pub const LEASE_NAMESPACE: &str = "kube-node-lease";

/// The node that a user is: `None` for users that are no nodes. The name is empty where the user
/// is in the group of nodes and named like one, but for no node in particular.
pub fn node_name(user: &UserInfo) -> Option<&str> {
    let name = user.name.strip_prefix(NODE_USER_PREFIX)?;
    user.in_group(NODES).then_some(name)
}

/// Decides requests of nodes on a graph that events keep current.
#[derive(Debug, Clone)]
pub struct NodeAuthorizer {
    /// What the nodes' pods need.
    pub graph: Graph,
    rules: Vec<Rule>,
}

impl Default for NodeAuthorizer {
    fn default() -> Self {
        Self {
            graph: Graph::new(),
            rules: cluster_roles::node(),
        }
    }
}

impl Authorizer for NodeAuthorizer {
    fn authorize(&self, a: &Attributes<'_>) -> Decision {
        let Some(node) = node_name(a.user) else {
            return Decision::no_opinion("");
        };
        if node.is_empty() {
            let user = quoted(&a.user.name);
            return Decision::no_opinion(format!("unknown node for user {user}"));
        }
        let refused = match self.decide(node, a) {
            Ok(true) => return Decision::allow(""),
            Ok(false) => String::new(),
            Err(reason) => reason,
        };
        Decision::no_opinion(refused)
    }
}

type Answer = Result<bool, String>;

fn no(reason: &str) -> Answer {
    Err(reason.to_owned())
}

impl NodeAuthorizer {
    fn decide(&self, node: &str, a: &Attributes<'_>) -> Answer {
        let graph = &self.graph;
        let refers = |kind| graph.refers_to(node, kind, a.namespace, a.name);
        match (a.group, a.resource) {
            _ if !a.is_resource() => self.by_rules(a),
            ("", "secrets") => read(node, a, || refers(Referent::Secret)),
            ("", "configmaps") => read(node, a, || refers(Referent::ConfigMap)),
            ("", "persistentvolumeclaims") if a.subresource == "status" => match a.verb {
                "update" | "patch" => related(node, a, || refers(Referent::Claim)),
                _ => no("can only get/update/patch this type"),
            },
            ("", "persistentvolumeclaims") => get(node, a, || refers(Referent::Claim)),
            ("", "persistentvolumes") => get(node, a, || graph.uses_volume(node, a.name)),
            ("storage.k8s.io", "volumeattachments") => {
                get(node, a, || graph.is_attached(node, a.name))
            }
            ("", "serviceaccounts") => {
                if a.verb != "create" || a.name.is_empty() {
                    return no("can only create tokens for individual service accounts");
                }
                if a.subresource != "token" {
                    return no("can only create token subresource of serviceaccount");
                }
                related(node, a, || refers(Referent::ServiceAccount))
            }
            ("coordination.k8s.io", "leases") => lease(node, a),
            ("storage.k8s.io", "csinodes") => csi_node(node, a),
            ("", "nodes") => own_node(node, a),
            ("", "pods") => self.pods(node, a),
            _ => self.by_rules(a),
        }
    }

    /// What is not told apart by object: as the role `system:node` says.
    fn by_rules(&self, a: &Attributes<'_>) -> Answer {
        Ok(self.rules.iter().any(|rule| rule.allows(a)))
    }

    fn pods(&self, node: &str, a: &Attributes<'_>) -> Answer {
        let own = || self.graph.has_pod(node, a.namespace, a.name);
        match (a.subresource, a.verb) {
            ("", "get") => get(node, a, own),
            ("", "list" | "watch") => {
                let selected = a.field_selector.is_some_and(|selector| {
                    selector.terms.iter().any(|(field, value, equal)| {
                        *equal && field == "spec.nodeName" && value == node
                    })
                });
                if selected {
                    Ok(true)
                } else if a.name.is_empty() {
                    no("can only list/watch pods with spec.nodeName field selector")
                } else {
                    related(node, a, own)
                }
            }
            // NodeRestriction sees to it that these are mirror pods, and the node's own.
            ("", "create" | "delete") => Ok(true),
            ("status", "update" | "patch") | ("eviction", "create") => Ok(true),
            _ => Ok(false),
        }
    }
}

/// Allows what is about a single object that the node has to do with.
fn related(node: &str, a: &Attributes<'_>, is_related: impl FnOnce() -> bool) -> Answer {
    if a.name.is_empty() {
        return no("No Object name found");
    }
    if is_related() {
        return Ok(true);
    }
    Err(format!(
        "no relationship found between node '{node}' and this object"
    ))
}

fn get(node: &str, a: &Attributes<'_>, is_related: impl FnOnce() -> bool) -> Answer {
    if a.verb != "get" {
        return no("can only get individual resources of this type");
    }
    if !a.subresource.is_empty() {
        return no("cannot get subresource");
    }
    related(node, a, is_related)
}

/// Get, list and watch of one object: a list or watch by `metadata.name` has that name here.
fn read(node: &str, a: &Attributes<'_>, is_related: impl FnOnce() -> bool) -> Answer {
    if !matches!(a.verb, "get" | "list" | "watch") {
        return no("can only read resources of this type");
    }
    if !a.subresource.is_empty() {
        return no("cannot read subresource");
    }
    if a.namespace.is_empty() {
        return no("can only read namespaced object of this type");
    }
    related(node, a, is_related)
}

fn lease(node: &str, a: &Attributes<'_>) -> Answer {
    if !matches!(a.verb, "get" | "create" | "update" | "patch" | "delete") {
        return no("can only get, create, update, patch, or delete a node lease");
    }
    if a.namespace != LEASE_NAMESPACE {
        return Err(format!(
            "can only access leases in the {} system namespace",
            quoted(LEASE_NAMESPACE)
        ));
    }
    // A create has no name yet; NodeRestriction looks at the object.
    if a.verb != "create" && a.name != node {
        return no("can only access node lease with the same name as the requesting node");
    }
    Ok(true)
}

fn csi_node(node: &str, a: &Attributes<'_>) -> Answer {
    if !matches!(a.verb, "get" | "create" | "update" | "patch" | "delete") {
        return no("can only get, create, update, patch, or delete a CSINode");
    }
    if !a.subresource.is_empty() {
        return no("cannot authorize CSINode subresources");
    }
    if a.verb != "create" && a.name != node {
        return no("can only access CSINode with the same name as the requesting node");
    }
    Ok(true)
}

fn own_node(node: &str, a: &Attributes<'_>) -> Answer {
    match (a.subresource, a.verb) {
        // NodeRestriction sees to it that these are of the node itself.
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(true),
        ("", "get" | "list" | "watch") if a.name == node => Ok(true),
        ("", "get" | "list" | "watch") if a.name.is_empty() => Err(format!(
            "node '{node}' cannot read all nodes, only its own Node object"
        )),
        ("", "get" | "list" | "watch") => Err(format!(
            "node '{node}' cannot read '{}', only its own Node object",
            a.name
        )),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests;
