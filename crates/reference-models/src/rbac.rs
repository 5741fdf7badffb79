//! RBAC by walking every binding, as upstream's documentation describes it.

use rbac::object::{Binding, Role, RoleKind, Subject};
use rbac::{Attributes, Rule};
use std::collections::BTreeMap;

/// All roles and bindings, by namespace (empty for cluster-scoped ones) and name.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Roles and ClusterRoles.
    pub roles: BTreeMap<(String, String), Role>,
    /// RoleBindings and ClusterRoleBindings.
    pub bindings: BTreeMap<(String, String), Binding>,
}

/// What was decided and by which rule of which binding's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The binding's namespace.
    pub namespace: String,
    /// The binding's name.
    pub binding: String,
    /// The rule's place in the role.
    pub rule: usize,
    /// The subject that matched.
    pub subject: Subject,
}

impl Policy {
    /// The rules of the role that a binding names, if it exists.
    pub fn rules(&self, binding: &Binding) -> Option<&[Rule]> {
        let namespace = match binding.role_ref.kind {
            RoleKind::Role => binding.namespace.clone(),
            RoleKind::ClusterRole => String::new(),
        };
        let key = (namespace, binding.role_ref.name.clone());
        self.roles.get(&key).map(|role| role.rules.as_slice())
    }

    /// The bindings that count for a request in `namespace`, in order.
    pub fn bindings_in<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Binding> {
        // The empty namespace sorts first.
        self.bindings
            .values()
            .filter(move |b| b.namespace.is_empty() || b.namespace == namespace)
    }

    /// The first rule that allows the request.
    pub fn authorize(&self, a: &Attributes<'_>) -> Option<Allowed> {
        for binding in self.bindings_in(a.namespace) {
            let Some(subject) = binding.subjects.iter().find(|s| applies(s, a)) else {
                continue;
            };
            let rules = self.rules(binding).unwrap_or_default();
            if let Some(rule) = rules.iter().position(|rule| allows(rule, a)) {
                return Some(Allowed {
                    namespace: binding.namespace.clone(),
                    binding: binding.name.clone(),
                    rule,
                    subject: subject.clone(),
                });
            }
        }
        None
    }

    /// The roles, as `(kind, name)`, that bindings of the user name and that do not exist, each
    /// once and in the order of the bindings.
    pub fn missing(&self, a: &Attributes<'_>) -> Vec<(RoleKind, String)> {
        let mut missing = Vec::new();
        for binding in self.bindings_in(a.namespace) {
            let role = (binding.role_ref.kind, binding.role_ref.name.clone());
            if binding.subjects.iter().any(|s| applies(s, a))
                && self.rules(binding).is_none()
                && !missing.contains(&role)
            {
                missing.push(role);
            }
        }
        missing
    }

    /// Every subject that may do this, once per binding, in order.
    pub fn who_can(&self, a: &Attributes<'_>) -> Vec<Allowed> {
        let mut all = Vec::new();
        for binding in self.bindings_in(a.namespace) {
            let rules = self.rules(binding).unwrap_or_default();
            if let Some(rule) = rules.iter().position(|rule| allows(rule, a)) {
                for subject in &binding.subjects {
                    all.push(Allowed {
                        namespace: binding.namespace.clone(),
                        binding: binding.name.clone(),
                        rule,
                        subject: subject.clone(),
                    });
                }
            }
        }
        all
    }
}

fn applies(subject: &Subject, a: &Attributes<'_>) -> bool {
    match subject {
        Subject::User(name) => a.user.name == *name,
        Subject::Group(name) => a.user.groups.contains(name),
        Subject::ServiceAccount { namespace, name } => {
            a.user.name == format!("system:serviceaccount:{namespace}:{name}")
        }
    }
}

/// Whether a rule allows a request; written apart from [`Rule::allows`] on purpose.
fn allows(rule: &Rule, a: &Attributes<'_>) -> bool {
    let contains = |list: &[String], what: &str| {
        list.contains(&"*".to_owned()) || list.contains(&what.to_owned())
    };
    if !contains(&rule.verbs, a.verb) {
        return false;
    }
    if a.path.is_empty() {
        let full = if a.subresource.is_empty() {
            a.resource.to_owned()
        } else {
            format!("{}/{}", a.resource, a.subresource)
        };
        let of_any = format!("*/{}", a.subresource);
        contains(&rule.api_groups, a.group)
            && (contains(&rule.resources, &full)
                || !a.subresource.is_empty() && rule.resources.contains(&of_any))
            && (rule.resource_names.is_empty() || rule.resource_names.contains(&a.name.to_owned()))
    } else {
        rule.non_resource_urls.iter().any(|url| {
            url == a.path || url.ends_with('*') && a.path.starts_with(url.trim_end_matches('*'))
        })
    }
}
