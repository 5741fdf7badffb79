//! Roles and bindings, read from objects.

use crate::rule::Rule;
use model::{Value, meta};
use serde::Serialize;
use std::fmt;

/// The API group of roles and bindings.
pub const GROUP: &str = "rbac.authorization.k8s.io";

/// Whether a role reference names a Role of the binding's namespace or a ClusterRole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum RoleKind {
    /// A Role of the binding's own namespace.
    Role,
    /// A ClusterRole.
    ClusterRole,
}

impl RoleKind {
    /// The kind's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
        }
    }

    /// The resource's plural name.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Role => "roles",
            Self::ClusterRole => "clusterroles",
        }
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A Role, or (if `namespace` is empty) a ClusterRole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Role {
    /// The namespace; empty for a ClusterRole.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// What it allows.
    pub rules: Vec<Rule>,
}

/// What a binding grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleRef {
    /// Which kind of role.
    pub kind: RoleKind,
    /// Its name.
    pub name: String,
}

/// To whom a binding grants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// A user, by name.
    User(String),
    /// Everyone in a group.
    Group(String),
    /// A service account: the user `system:serviceaccount:NAMESPACE:NAME`.
    ServiceAccount {
        /// The account's namespace.
        namespace: String,
        /// The account's name.
        name: String,
    },
}

/// A RoleBinding, or (if `namespace` is empty) a ClusterRoleBinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The namespace; empty for a ClusterRoleBinding.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// What it grants.
    pub role_ref: RoleRef,
    /// To whom.
    pub subjects: Vec<Subject>,
}

/// An object that is no role or binding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {namespace}/{name}: {problem}")]
pub struct MalformedObject {
    /// The kind that was expected.
    pub kind: &'static str,
    /// The object's namespace; empty if it has none.
    pub namespace: String,
    /// The object's name.
    pub name: String,
    /// What is wrong with it.
    pub problem: String,
}

fn malformed(kind: &'static str, object: &Value, problem: impl fmt::Display) -> MalformedObject {
    MalformedObject {
        kind,
        namespace: meta::namespace(object).to_owned(),
        name: meta::name(object).to_owned(),
        problem: problem.to_string(),
    }
}

/// Reads the `rules` of a role.
pub fn rules_of(object: &Value) -> Result<Vec<Rule>, MalformedObject> {
    match meta::at(object, &["rules"]) {
        None => Ok(Vec::new()),
        Some(rules) => serde::Deserialize::deserialize(rules)
            .map_err(|e| malformed("Role", object, format_args!("rules: {e}"))),
    }
}

impl Role {
    /// Reads a Role or ClusterRole; which of them, the namespace tells.
    pub fn from_value(object: &Value) -> Result<Self, MalformedObject> {
        if meta::name(object).is_empty() {
            return Err(malformed("Role", object, "it has no name"));
        }
        Ok(Self {
            namespace: meta::namespace(object).to_owned(),
            name: meta::name(object).to_owned(),
            rules: rules_of(object)?,
        })
    }
}

impl Subject {
    /// Reads a subject of a binding in `namespace` (empty for a ClusterRoleBinding). `None` if it
    /// can match nobody: an unknown kind, or a service account without a namespace.
    pub fn from_value(subject: &Value, namespace: &str) -> Option<Self> {
        let name = meta::text(subject, &["name"]).to_owned();
        match meta::text(subject, &["kind"]) {
            "User" => Some(Self::User(name)),
            "Group" => Some(Self::Group(name)),
            "ServiceAccount" => {
                let own = meta::text(subject, &["namespace"]);
                let namespace = if own.is_empty() { namespace } else { own };
                (!namespace.is_empty()).then(|| Self::ServiceAccount {
                    namespace: namespace.to_owned(),
                    name,
                })
            }
            _ => None,
        }
    }

    /// The service account `namespace/name`.
    pub fn account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl Binding {
    /// Reads a RoleBinding or ClusterRoleBinding; which of them, the namespace tells. Subjects
    /// that match nobody are left out.
    pub fn from_value(object: &Value) -> Result<Self, MalformedObject> {
        let bad = |problem: &str| malformed("RoleBinding", object, problem);
        if meta::name(object).is_empty() {
            return Err(bad("it has no name"));
        }
        let namespace = meta::namespace(object);
        let kind = match meta::text(object, &["roleRef", "kind"]) {
            "ClusterRole" => RoleKind::ClusterRole,
            "Role" if namespace.is_empty() => {
                return Err(bad(
                    "roleRef.kind: a ClusterRoleBinding cannot grant a Role",
                ));
            }
            "Role" => RoleKind::Role,
            _ => return Err(bad("roleRef.kind: not one of Role, ClusterRole")),
        };
        Ok(Self {
            namespace: namespace.to_owned(),
            name: meta::name(object).to_owned(),
            role_ref: RoleRef {
                kind,
                name: meta::text(object, &["roleRef", "name"]).to_owned(),
            },
            subjects: meta::list(object, &["subjects"])
                .iter()
                .filter_map(|s| Subject::from_value(s, namespace))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn subjects() {
        for (subject, namespace, want) in [
            (
                json!({"kind": "User", "name": "u"}),
                "",
                Some(Subject::User("u".into())),
            ),
            (
                json!({"kind": "Group", "name": "g"}),
                "",
                Some(Subject::Group("g".into())),
            ),
            (json!({"kind": "ServiceAccount", "name": "s"}), "", None),
            (
                json!({"kind": "ServiceAccount", "name": "s"}),
                "n",
                Some(Subject::account("n", "s")),
            ),
            (
                json!({"kind": "ServiceAccount", "name": "s", "namespace": "m"}),
                "n",
                Some(Subject::account("m", "s")),
            ),
            (json!({"kind": "Robot", "name": "s"}), "n", None),
            (json!("text"), "n", None),
        ] {
            assert_eq!(Subject::from_value(&subject, namespace), want);
        }
    }

    #[test]
    fn what_is_no_role_is_refused() {
        for object in [
            json!({"metadata": {}, "rules": []}),
            json!({"metadata": {"name": "r"}, "rules": {}}),
            json!({"metadata": {"name": "r"}, "rules": ["x"]}),
            json!({"metadata": {"name": "r"}, "rules": [{"verbs": [1]}]}),
            json!(null),
        ] {
            assert!(Role::from_value(&object).is_err(), "{object}");
        }
        for object in [
            json!({"metadata": {"name": "b"}}),
            json!({"metadata": {"name": "b"}, "roleRef": {"kind": "Role", "name": "r"}}),
            json!({"metadata": {"name": ""}, "roleRef": {"kind": "ClusterRole", "name": "r"}}),
        ] {
            assert!(Binding::from_value(&object).is_err(), "{object}");
        }
    }

    #[test]
    fn rules_may_be_null() {
        let role = Role::from_value(&json!({"metadata": {"name": "r"}, "rules": null})).unwrap();
        assert!(role.rules.is_empty());
    }
}
