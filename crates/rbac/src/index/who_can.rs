//! The reverse question: who may do this?

use super::{Because, CLUSTER, Index, symbols};
use crate::Attributes;

/// One subject that may do what was asked, and why.
pub type Grant<'a> = Because<'a>;

impl Index {
    /// Every subject that may do what `attributes` ask (its user is not looked at), once per
    /// binding: those of ClusterRoleBindings first, then those of the namespace's RoleBindings,
    /// each in the order of the bindings' names and of the subjects in them.
    ///
    /// All roles are asked at once, before the first answer; answers come as they are taken.
    pub fn who_can<'a>(
        &'a self,
        attributes: &Attributes<'_>,
    ) -> impl Iterator<Item = Grant<'a>> + use<'a> {
        let q = self.vocabulary.query(attributes);
        let rules: Vec<Option<u32>> = self
            .roles
            .0
            .iter()
            .map(|slot| slot.body.as_ref().and_then(|body| body.find(&q)))
            .collect();
        let namespace = if attributes.namespace.is_empty() {
            symbols::NONE
        } else {
            self.namespaces.get(attributes.namespace)
        };
        let bindings = [CLUSTER, namespace].into_iter().flat_map(|scope| {
            let bindings = self.bindings.get(&scope).into_iter().flatten();
            bindings.map(move |(binding, bound)| (scope, binding, bound))
        });
        bindings
            .filter_map(move |(scope, binding, bound)| {
                let role = bound.role as usize;
                let rule = (*rules.get(role)?)?;
                Some((scope, binding, bound, self.roles.0.get(role)?, rule))
            })
            .flat_map(move |(scope, binding, bound, slot, rule)| {
                bound.subjects.iter().map(move |subject| Grant {
                    binding_namespace: self.namespaces.text(scope),
                    binding,
                    role_kind: slot.kind(),
                    role: &slot.name,
                    rule: rule as usize,
                    subject: self.subject(*subject),
                })
            })
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
