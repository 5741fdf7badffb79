//! Deciding one request, and saying why.

use super::grants::Found;
use super::{Bound, BoundSubject, CLUSTER, Index, Principal, Sym, symbols};
use crate::object::{GROUP, RoleKind, Subject};
use crate::{Attributes, Authorizer, Decision, Verdict};
use model::go::push_quoted;
use model::user::{SERVICE_ACCOUNT_PREFIX, UserInfo};
use smallvec::SmallVec;
use std::sync::Arc;

/// The objects behind a yes: a rule of a role, through a binding, to a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Because<'a> {
    /// The RoleBinding's namespace; empty for a ClusterRoleBinding.
    pub binding_namespace: &'a str,
    /// The binding's name.
    pub binding: &'a str,
    /// Whether the binding names a Role of its namespace or a ClusterRole.
    pub role_kind: RoleKind,
    /// The role's name.
    pub role: &'a str,
    /// Which of the role's rules, counted from 0.
    pub rule: usize,
    /// The subject of the binding that matched.
    pub subject: SubjectRef<'a>,
}

/// A [`Subject`] whose texts are the index's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubjectRef<'a> {
    /// A user, by name.
    User(&'a str),
    /// Everyone in a group.
    Group(&'a str),
    /// A service account.
    ServiceAccount {
        /// The account's namespace.
        namespace: &'a str,
        /// The account's name.
        name: &'a str,
    },
}

impl SubjectRef<'_> {
    /// The subject with texts of its own.
    pub fn to_subject(self) -> Subject {
        match self {
            Self::User(name) => Subject::User(name.to_owned()),
            Self::Group(name) => Subject::Group(name.to_owned()),
            Self::ServiceAccount { namespace, name } => Subject::account(namespace, name),
        }
    }
}

impl Because<'_> {
    /// `RoleBinding` or `ClusterRoleBinding`.
    pub fn binding_kind(&self) -> &'static str {
        if self.binding_namespace.is_empty() {
            "ClusterRoleBinding"
        } else {
            "RoleBinding"
        }
    }

    /// Appends what `Display` writes.
    fn push_to(&self, out: &mut String) {
        out.push_str(self.binding_kind());
        out.push(' ');
        push_pair(out, self.binding, self.binding_namespace);
        out.push_str(" of ");
        out.push_str(self.role_kind.as_str());
        out.push(' ');
        push_quoted(out, self.role);
        out.push_str(" to ");
        match self.subject {
            SubjectRef::User(name) => {
                out.push_str("User ");
                push_quoted(out, name);
            }
            SubjectRef::Group(name) => {
                out.push_str("Group ");
                push_quoted(out, name);
            }
            SubjectRef::ServiceAccount { namespace, name } => {
                out.push_str("ServiceAccount ");
                push_pair(out, name, namespace);
            }
        }
    }
}

impl std::fmt::Display for Because<'_> {
    /// As in upstream's reason:
    /// `RoleBinding "b/ns" of Role "r" to ServiceAccount "name/ns"`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

/// `"name/namespace"`, or `"name"` without a namespace.
fn push_pair(out: &mut String, name: &str, namespace: &str) {
    push_quoted(out, name);
    if !namespace.is_empty() {
        // Namespaces hold nothing that `push_quoted` would write otherwise.
        out.pop();
        out.push('/');
        out.push_str(namespace);
        out.push('"');
    }
}

/// An answer of the index. Nothing is written out before it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ruling<'a> {
    index: &'a Index,
    user: &'a UserInfo,
    namespace: &'a str,
    outcome: Outcome<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Outcome<'a> {
    Allowed { namespace: Sym, found: Found<'a> },
    NoOpinion { missing: bool },
}

impl Index {
    /// Decides a request, without writing out why. ClusterRoleBindings come before the
    /// RoleBindings of the namespace, and each in the order of their names; the first that allows
    /// the request is the reason, as upstream's would be.
    pub fn decide<'a>(&'a self, a: &Attributes<'a>) -> Ruling<'a> {
        let q = self.vocabulary.query(a);
        let principals: SmallVec<[Principal; 8]> = self.principals(a.user).collect();
        let mut missing = false;
        let mut outcome = self.find(CLUSTER, &principals, &q, &mut missing);
        if outcome.is_none() && !a.namespace.is_empty() {
            let namespace = self.namespaces.get(a.namespace);
            if namespace != symbols::NONE {
                outcome = self.find(namespace, &principals, &q, &mut missing);
            }
        }
        Ruling {
            index: self,
            user: a.user,
            namespace: a.namespace,
            outcome: outcome.unwrap_or(Outcome::NoOpinion { missing }),
        }
    }

    fn find(
        &self,
        namespace: Sym,
        principals: &[Principal],
        q: &super::compiled::Query,
        missing: &mut bool,
    ) -> Option<Outcome<'_>> {
        let mut best = None;
        for &principal in principals {
            let key = super::GrantKey {
                namespace,
                principal,
            };
            if let Some(grants) = self.grants.get(&key)
                && let Some(found) = grants.find(q, &self.roles, missing)
            {
                best = Found::earlier(best, found);
            }
        }
        best.map(|found| Outcome::Allowed { namespace, found })
    }

    /// The first subject of a binding that matches the user, as upstream picks it.
    fn matching_subject(&self, bound: &Bound, user: &UserInfo) -> Option<SubjectRef<'_>> {
        let own = self.users.get(&user.name);
        bound
            .subjects
            .iter()
            .find(|subject| match subject.principal() {
                Principal::User(symbol) => symbol == own,
                Principal::Group(symbol) => user.in_group(self.groups.text(symbol)),
            })
            .map(|subject| self.subject(*subject))
    }

    /// A subject in words.
    pub(super) fn subject(&self, subject: BoundSubject) -> SubjectRef<'_> {
        match subject {
            BoundSubject::User(symbol) => SubjectRef::User(self.users.text(symbol)),
            BoundSubject::Group(symbol) => SubjectRef::Group(self.groups.text(symbol)),
            BoundSubject::Account(symbol) => {
                let text = self.users.text(symbol);
                let text = text.strip_prefix(SERVICE_ACCOUNT_PREFIX).unwrap_or(text);
                let (namespace, name) = text.split_once(':').unwrap_or(("", text));
                SubjectRef::ServiceAccount { namespace, name }
            }
        }
    }

    /// The bindings of one scope that apply to the user, in the order of their names.
    pub(super) fn bindings_of<'a>(
        &'a self,
        namespace: Sym,
        user: &'a UserInfo,
    ) -> Vec<(&'a Arc<str>, super::RoleId)> {
        let mut all: Vec<_> = self
            .principals(user)
            .filter_map(|principal| {
                self.grants.get(&super::GrantKey {
                    namespace,
                    principal,
                })
            })
            .flat_map(|grants| grants.held())
            .flat_map(|(role, names)| names.iter().map(move |name| (name, role)))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// One error per missing role that a binding of the user names, in the order of the
    /// bindings, each text once.
    pub(crate) fn missing_roles(&self, user: &UserInfo, namespace: &str) -> Vec<String> {
        let mut texts: Vec<String> = Vec::new();
        let mut scopes = vec![CLUSTER];
        if !namespace.is_empty() {
            scopes.push(self.namespaces.get(namespace));
        }
        for scope in scopes {
            for (_, role) in self.bindings_of(scope, user) {
                let Some(slot) = self.roles.0.get(role as usize) else {
                    continue;
                };
                if slot.body.is_none() {
                    let text = not_found(slot.kind(), &slot.name);
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
            }
        }
        texts
    }
}

/// Upstream's error for a role that a binding names and that does not exist.
pub(crate) fn not_found(kind: RoleKind, name: &str) -> String {
    let mut text = String::from(match kind {
        RoleKind::Role => "role.",
        RoleKind::ClusterRole => "clusterrole.",
    });
    text.push_str(GROUP);
    text.push(' ');
    push_quoted(&mut text, name);
    text.push_str(" not found");
    text
}

/// Several errors as one, as upstream's `Aggregate` writes them.
pub(crate) fn aggregate_errors(texts: &[String]) -> String {
    match texts {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    }
}

impl<'a> Ruling<'a> {
    /// Whether the request is allowed; if not, RBAC has no opinion.
    pub fn allowed(&self) -> bool {
        matches!(self.outcome, Outcome::Allowed { .. })
    }

    /// What allowed it.
    pub fn because(&self) -> Option<Because<'a>> {
        let Outcome::Allowed { namespace, found } = self.outcome else {
            return None;
        };
        let bound = self.index.bindings.get(&namespace)?.get(found.binding)?;
        let slot = self.index.roles.0.get(found.role as usize)?;
        Some(Because {
            binding_namespace: self.index.namespaces.text(namespace),
            binding: found.binding,
            role_kind: slot.kind(),
            role: &slot.name,
            rule: found.rule as usize,
            subject: self.index.matching_subject(bound, self.user)?,
        })
    }

    /// Upstream's reason: what allowed it, or the errors met on the way to a no; often empty.
    pub fn reason(&self) -> String {
        match self.outcome {
            Outcome::Allowed { .. } => {
                let mut text = String::with_capacity(128);
                text.push_str("RBAC: allowed by ");
                if let Some(because) = self.because() {
                    because.push_to(&mut text);
                }
                text
            }
            Outcome::NoOpinion { missing: false } => String::new(),
            Outcome::NoOpinion { missing: true } => format!(
                "RBAC: {}",
                aggregate_errors(&self.index.missing_roles(self.user, self.namespace))
            ),
        }
    }

    /// The answer written out.
    pub fn decision(&self) -> Decision {
        Decision {
            verdict: if self.allowed() {
                Verdict::Allow
            } else {
                Verdict::NoOpinion
            },
            reason: self.reason(),
        }
    }
}

impl Authorizer for Index {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        self.decide(attributes).decision()
    }
}
