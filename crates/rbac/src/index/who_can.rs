//! The reverse question: who may do this?

use super::{Because, CLUSTER, Index, symbols};
use crate::Attributes;

/// One subject that may do what was asked, and why.
pub type Grant<'a> = Because<'a>;

impl Index {
    /// Every subject that may do what `attributes` ask (its user is not looked at), once per
    /// binding: those of ClusterRoleBindings first, then those of the namespace's RoleBindings,
    /// each in the order of the bindings' names and of the subjects in them.
    pub fn who_can<'a>(&'a self, attributes: &Attributes<'_>) -> Vec<Grant<'a>> {
        let q = self.vocabulary.query(attributes);
        let rules: Vec<Option<u32>> = self
            .roles
            .0
            .iter()
            .map(|slot| slot.body.as_ref().and_then(|body| body.find(&q)))
            .collect();
        let mut scopes = vec![CLUSTER];
        if !attributes.namespace.is_empty() {
            scopes.push(self.namespaces.get(attributes.namespace));
        }
        let mut grants = Vec::new();
        for scope in scopes.into_iter().filter(|s| *s != symbols::NONE) {
            let binding_namespace = self.namespaces.text(scope);
            for (binding, bound) in self.bindings.get(&scope).into_iter().flatten() {
                let role = bound.role as usize;
                let (Some(Some(rule)), Some(slot)) = (rules.get(role), self.roles.0.get(role))
                else {
                    continue;
                };
                grants.extend(bound.subjects.iter().map(|subject| Grant {
                    binding_namespace,
                    binding,
                    role_kind: slot.kind(),
                    role: &slot.name,
                    rule: *rule as usize,
                    subject: self.subject(*subject),
                }));
            }
        }
        grants
    }

    /// All namespaces that have RoleBindings, sorted: the scopes in which [`Index::who_can`] may
    /// answer more than for the whole cluster.
    pub fn binding_namespaces(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .bindings
            .keys()
            .filter(|scope| **scope != CLUSTER)
            .map(|scope| self.namespaces.text(*scope))
            .collect();
        all.sort_unstable();
        all
    }
}
