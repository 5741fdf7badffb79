//! Roles and bindings, ready for `rbac` to decide by.

use crate::object::Object;
use crate::problem::{Problem, ProblemKind};
use crate::set::{Origin, Snapshot};
use crate::source::Citation;
use model::meta;
use model::selector::LabelSelector;
use rbac::object::{GROUP, rules_of};
use rbac::{Because, Index, RoleKind, Rule, aggregate};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often aggregating roles are filled: roles gather from roles that gather, and need as many
/// rounds as they are deep. Roles that gather from each other settle too, or stay as they are.
const ROUNDS: usize = 16;

/// The compiled roles and bindings of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    index: Index,
}

/// Where a rule of an aggregating role comes from.
#[derive(Debug, Clone)]
pub struct RuleOrigin<'a> {
    /// The ClusterRole whose author wrote the rule.
    pub role: &'a Object,
    /// Which of its rules, counted from 0.
    pub rule: usize,
}

impl Snapshot {
    /// Compiles roles and bindings, and returns what is wrong with them. Of manifests, it first
    /// fills aggregating roles, which in a cluster a controller did.
    pub(crate) fn read_roles(&mut self) -> Vec<Problem> {
        if self.origin() == Origin::Manifests {
            self.fill_aggregating_roles();
        }
        let mut index = Index::new();
        let mut problems = Vec::new();
        for plural in [
            "clusterroles",
            "roles",
            "clusterrolebindings",
            "rolebindings",
        ] {
            for object in self.of(GROUP, plural) {
                // That it has no name was said already.
                if !object.is_name_generated()
                    && let Err(error) = index.upsert(&object.value)
                {
                    let location = self.locate(object, "");
                    let kind = ProblemKind::InvalidField;
                    let message = format!("{}: {}", object.title(), error.problem);
                    problems.push(Problem::new(kind, message, location).about(GROUP, plural));
                }
            }
        }
        self.roles = Roles { index };
        problems
    }

    /// Each role sees what those before it got, as the controller would write one after another:
    /// roles that gather from each other come to rest.
    fn fill_aggregating_roles(&mut self) {
        let aggregating: Vec<usize> = (0..self.objects.len())
            .filter(|index| {
                self.objects.get(*index).is_some_and(|o| {
                    o.is(GROUP, "clusterroles")
                        && meta::at(&o.value, &["aggregationRule"]).is_some()
                })
            })
            .collect();
        for _ in 0..ROUNDS {
            let mut is_settled = true;
            for index in &aggregating {
                let all = self.of(GROUP, "clusterroles").iter().map(|o| &*o.value);
                let role = self.objects.get(*index);
                let rules = role.and_then(|o| aggregate::aggregate(&o.value, all).ok().flatten());
                if let Some(rules) = rules
                    && let Ok(rules) = serde_json::to_value(rules)
                    && let Some(object) = self.objects.get_mut(*index)
                {
                    meta::set(Arc::make_mut(&mut object.value), &["rules"], rules);
                    is_settled = false;
                }
            }
            if is_settled {
                break;
            }
        }
    }

    /// All roles and bindings, compiled: `decide`, `who_can` and the rest of `rbac` work on it.
    pub fn rbac(&self) -> &Index {
        &self.roles.index
    }

    /// A Role of `namespace`, or a ClusterRole.
    pub fn role(&self, kind: RoleKind, namespace: &str, name: &str) -> Option<&Object> {
        let namespace = match kind {
            RoleKind::Role => namespace,
            RoleKind::ClusterRole => "",
        };
        self.find(GROUP, kind.plural(), namespace, name)
    }

    /// A RoleBinding of `namespace`, or (if that is empty) a ClusterRoleBinding.
    pub fn binding(&self, namespace: &str, name: &str) -> Option<&Object> {
        let plural = if namespace.is_empty() {
            "clusterrolebindings"
        } else {
            "rolebindings"
        };
        self.find(GROUP, plural, namespace, name)
    }

    /// Where a rule of an aggregating ClusterRole was written; `None` if the role gathers
    /// nothing, so that the rule is its own.
    pub fn rule_origin<'a>(&'a self, role: &'a Object, rule: usize) -> Option<RuleOrigin<'a>> {
        meta::at(&role.value, &["aggregationRule"])?;
        let rules = rules_of(&role.value).ok()?;
        let wanted = rules.get(rule)?;
        let mut seen = BTreeSet::from([role.name()]);
        let mut open = vec![role];
        while let Some(next) = open.pop() {
            for source in self.gathered(next) {
                if !seen.insert(source.name()) {
                    continue;
                }
                let rules = rules_of(&source.value).unwrap_or_default();
                let Some(at) = rules.iter().position(|r: &Rule| r == wanted) else {
                    continue;
                };
                if meta::at(&source.value, &["aggregationRule"]).is_none() {
                    return Some(RuleOrigin {
                        role: source,
                        rule: at,
                    });
                }
                open.push(source);
            }
        }
        None
    }

    /// The ClusterRoles in which the rules of an aggregating one were written: those that it
    /// gathers from, directly or through others that aggregate. None of a role that does not.
    pub fn rule_sources<'a>(&'a self, role: &'a Object) -> Vec<&'a Object> {
        let mut sources = Vec::new();
        if meta::at(&role.value, &["aggregationRule"]).is_none() {
            return sources;
        }
        let mut seen = BTreeSet::from([role.name()]);
        let mut open = vec![role];
        while let Some(next) = open.pop() {
            for source in self.gathered(next) {
                if !seen.insert(source.name()) {
                    continue;
                }
                if meta::at(&source.value, &["aggregationRule"]).is_none() {
                    sources.push(source);
                } else {
                    open.push(source);
                }
            }
        }
        sources
    }

    /// The ClusterRoles that an aggregating one selects, by name.
    fn gathered<'a>(&'a self, role: &Object) -> Vec<&'a Object> {
        let path = ["aggregationRule", "clusterRoleSelectors"];
        let selectors: Vec<LabelSelector> = meta::list(&role.value, &path)
            .iter()
            .filter_map(|selector| LabelSelector::from_value(selector).ok())
            .collect();
        self.of(GROUP, "clusterroles")
            .iter()
            .filter(|other| selectors.iter().any(|s| s.matches_object(&other.value)))
            .collect()
    }

    /// The objects behind a decision of [`Snapshot::rbac`]: the binding with the subject that
    /// matched, the role with its rule, and for an aggregated rule the role that it was written
    /// in.
    pub fn because(&self, because: &Because<'_>) -> Vec<Citation> {
        let namespace = because.binding_namespace;
        let mut citations = Vec::with_capacity(3);
        if let Some(binding) = self.binding(namespace, because.binding) {
            let subject = because.subject.to_subject();
            let at = meta::list(&binding.value, &["subjects"])
                .iter()
                .position(|s| rbac::Subject::from_value(s, namespace).as_ref() == Some(&subject));
            let field = at.map(|at| format!("subjects[{at}]")).unwrap_or_default();
            citations.push(self.cite(binding, &field));
        }
        if let Some(role) = self.role(because.role_kind, namespace, because.role) {
            citations.push(self.cite(role, &format!("rules[{}]", because.rule)));
            if let Some(origin) = self.rule_origin(role, because.rule) {
                let field = format!("rules[{}]", origin.rule);
                citations.push(self.cite(origin.role, &field));
            }
        }
        citations
    }
}
