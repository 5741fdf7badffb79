//! The roles and bindings that every cluster has: upstream's bootstrap policy of v1.33 with its
//! default feature gates, and one binding of our own (see [`bindings`]).
//!
//! The rules stand here as they stand in a cluster: verbs, groups and resources sorted.

pub mod bindings;
pub mod cluster_roles;
pub mod controllers;
pub mod namespaced;

use crate::object::{GROUP, RoleKind};
use crate::rule::Rule;
use model::Value;
use serde_json::json;

/// The label of all objects of the bootstrap policy, with the value `rbac-defaults`.
pub const BOOTSTRAPPING_LABEL: &str = "kubernetes.io/bootstrapping";
/// The annotation whose value `false` keeps an object from being brought back to its default.
pub const AUTOUPDATE_ANNOTATION: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// A Role, or (with an empty namespace) a ClusterRole, of the bootstrap policy.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultRole {
    /// The namespace; empty for a ClusterRole.
    pub namespace: &'static str,
    /// The name.
    pub name: String,
    /// The roles that this one is aggregated to: `admin`, `edit` or `view`.
    pub aggregated_to: Option<&'static str>,
    /// The label by whose value `true` this role gathers others; it then has no own rules.
    pub aggregates: Option<&'static str>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A RoleBinding, or (with an empty namespace) a ClusterRoleBinding, of the bootstrap policy.
#[derive(Debug, Clone, PartialEq)]
pub struct DefaultBinding {
    /// The namespace; empty for a ClusterRoleBinding.
    pub namespace: &'static str,
    /// The name.
    pub name: String,
    /// The kind of role.
    pub role_kind: RoleKind,
    /// The role's name.
    pub role: String,
    /// To whom.
    pub subjects: Vec<DefaultSubject>,
}

/// A subject of a [`DefaultBinding`].
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultSubject {
    /// A user.
    User(&'static str),
    /// A group.
    Group(&'static str),
    /// A service account of `kube-system`.
    Account(String),
}

/// All ClusterRoles, then all Roles.
pub fn roles() -> Vec<DefaultRole> {
    let mut all = cluster_roles::cluster_roles();
    all.extend(controllers::roles());
    all.extend(namespaced::roles());
    all
}

/// All ClusterRoleBindings, then all RoleBindings.
pub fn all_bindings() -> Vec<DefaultBinding> {
    let mut all = bindings::cluster_role_bindings();
    all.extend(controllers::bindings());
    all.extend(namespaced::bindings());
    all
}

/// All objects, in the order in which to create them: ClusterRoles, ClusterRoleBindings, Roles,
/// RoleBindings.
pub fn objects() -> Vec<Value> {
    let mut objects: Vec<(u8, Value)> = roles()
        .iter()
        .map(|r| (if r.namespace.is_empty() { 0 } else { 2 }, r.to_value()))
        .chain(
            all_bindings()
                .iter()
                .map(|b| (if b.namespace.is_empty() { 1 } else { 3 }, b.to_value())),
        )
        .collect();
    objects.sort_by_key(|(order, _)| *order);
    objects.into_iter().map(|(_, object)| object).collect()
}

fn metadata(namespace: &str, name: &str) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": {BOOTSTRAPPING_LABEL: "rbac-defaults"},
        "annotations": {AUTOUPDATE_ANNOTATION: "true"},
    });
    if !namespace.is_empty() {
        model::meta::set(&mut metadata, &["namespace"], namespace);
    }
    metadata
}

/// The label by which a ClusterRole is gathered into `role`.
fn aggregation_label(role: &str) -> String {
    format!("{GROUP}/aggregate-to-{role}")
}

impl DefaultRole {
    fn new(name: impl Into<String>, rules: Vec<Rule>) -> Self {
        Self {
            namespace: "",
            name: name.into(),
            aggregated_to: None,
            aggregates: None,
            rules,
        }
    }

    fn aggregating(name: &'static str) -> Self {
        Self {
            aggregates: Some(name),
            ..Self::new(name, Vec::new())
        }
    }

    fn aggregated_to(self, role: &'static str) -> Self {
        Self {
            aggregated_to: Some(role),
            ..self
        }
    }

    fn in_namespace(self, namespace: &'static str) -> Self {
        Self { namespace, ..self }
    }

    /// The object.
    pub fn to_value(&self) -> Value {
        let mut object = json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": if self.namespace.is_empty() { "ClusterRole" } else { "Role" },
            "metadata": metadata(self.namespace, &self.name),
            "rules": self.rules,
        });
        if let Some(role) = self.aggregated_to {
            let label = aggregation_label(role);
            model::meta::set(&mut object, &["metadata", "labels", &label], "true");
        }
        if let Some(role) = self.aggregates {
            let selector = json!([{"matchLabels": {aggregation_label(role): "true"}}]);
            let path = ["aggregationRule", "clusterRoleSelectors"];
            model::meta::set(&mut object, &path, selector);
        }
        object
    }
}

impl DefaultBinding {
    fn cluster(name: impl Into<String>, subjects: Vec<DefaultSubject>) -> Self {
        let name = name.into();
        Self {
            namespace: "",
            role: name.clone(),
            name,
            role_kind: RoleKind::ClusterRole,
            subjects,
        }
    }

    /// The object.
    pub fn to_value(&self) -> Value {
        let subjects: Vec<Value> = self
            .subjects
            .iter()
            .map(|subject| match subject {
                DefaultSubject::User(name) => {
                    json!({"apiGroup": GROUP, "kind": "User", "name": name})
                }
                DefaultSubject::Group(name) => {
                    json!({"apiGroup": GROUP, "kind": "Group", "name": name})
                }
                DefaultSubject::Account(name) => {
                    json!({"kind": "ServiceAccount", "name": name, "namespace": "kube-system"})
                }
            })
            .collect();
        let mut object = json!({
            "apiVersion": format!("{GROUP}/v1"),
            "kind": if self.namespace.is_empty() { "ClusterRoleBinding" } else { "RoleBinding" },
            "metadata": metadata(self.namespace, &self.name),
            "roleRef": {"apiGroup": GROUP, "kind": self.role_kind.as_str(), "name": self.role},
        });
        if !subjects.is_empty() {
            model::meta::set(&mut object, &["subjects"], subjects);
        }
        object
    }
}

const READ: &str = "get list watch";
const WRITE: &str = "create delete deletecollection patch update";
const READ_WRITE: &str = "create delete deletecollection get list patch update watch";

/// A rule on resources; words are separated by spaces, and `core` is the core group.
fn rule(verbs: &str, groups: &str, resources: &str) -> Rule {
    let groups = groups
        .split_whitespace()
        .map(|group| if group == "core" { "" } else { group });
    Rule::on(
        verbs.split_whitespace(),
        groups,
        resources.split_whitespace(),
    )
}

/// A rule on named objects.
fn named(verbs: &str, group: &str, resources: &str, names: &str) -> Rule {
    rule(verbs, group, resources).named(names.split_whitespace())
}

/// A rule on paths.
fn urls(verbs: &str, urls: &str) -> Rule {
    Rule::on_urls(verbs.split_whitespace(), urls.split_whitespace())
}

/// Writing events, which nearly every component does.
fn events() -> Rule {
    rule("create patch update", "core events.k8s.io", "events")
}

#[cfg(test)]
mod tests;
