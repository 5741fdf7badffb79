//! Who holds which power through which binding.

use super::powers::{Held, of_rules, questions};
use super::state::{Name, Need, Scope};
use model::meta;
use model::user::UserInfo;
use rbac::object::{GROUP, rules_of};
use rbac::{Because, Binding, RoleKind, Subject, SubjectRef, bootstrap};
use snapshot::{Object, Snapshot, Standing};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A grant, by its place in [`Holdings::grants`].
pub(crate) type GrantId = usize;

/// What one binding gives to one of its subjects: what an administrator can take away.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) binding: Binding,
    pub(crate) subject: Subject,
    /// Whether every cluster has it, so that nobody can be asked to take it away.
    pub(crate) fixed: bool,
}

impl Grant {
    /// The grant as `rbac` names it, with the rule in question.
    pub(crate) fn because(&self, rule: usize) -> Because<'_> {
        Because {
            binding_namespace: &self.binding.namespace,
            binding: &self.binding.name,
            role_kind: self.binding.role_ref.kind,
            role: &self.binding.role_ref.name,
            rule,
            subject: match &self.subject {
                Subject::User(name) => SubjectRef::User(name),
                Subject::Group(name) => SubjectRef::Group(name),
                Subject::ServiceAccount { namespace, name } => {
                    SubjectRef::ServiceAccount { namespace, name }
                }
            },
        }
    }
}

/// A power with where it holds and the grant it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) held: Held,
    pub(crate) scope: Scope,
    /// None if the attacker has the role already.
    pub(crate) need: Option<Need>,
}

/// A role that a subject holds, for those who may rewrite it.
#[derive(Debug, Clone)]
pub(crate) struct HeldRole {
    pub(crate) grant: GrantId,
    pub(crate) kind: RoleKind,
    pub(crate) name: Name,
    pub(crate) scope: Scope,
}

/// Who holds what.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    pub(crate) grants: Vec<Grant>,
    by_subject: HashMap<Subject, Vec<Holding>>,
    roles: HashMap<Subject, Vec<HeldRole>>,
    by_role: HashMap<(Name, Name), Vec<Held>>,
    /// Users and groups that bindings name.
    pub(crate) users: BTreeSet<Name>,
    pub(crate) groups: BTreeSet<Name>,
}

impl Holdings {
    /// Reads all roles and bindings; each role is asked once, however often it is bound.
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut all = Self::default();
        let questions = questions(snapshot.custom_workloads());
        for plural in ["clusterroles", "roles"] {
            for object in snapshot.of(GROUP, plural) {
                let held = of_rules(&rules_of(&object.value).unwrap_or_default(), &questions);
                let key = (object.namespace().into(), object.name().into());
                all.by_role.insert(key, held);
            }
        }
        let standard: BTreeMap<(String, String), Vec<Subject>> = bootstrap::objects()
            .iter()
            .filter(|object| meta::text(object, &["kind"]).ends_with("Binding"))
            .filter_map(|object| Binding::from_value(object).ok())
            .map(|binding| ((binding.namespace, binding.name), binding.subjects))
            .collect();
        for plural in ["clusterrolebindings", "rolebindings"] {
            for object in snapshot.of(GROUP, plural) {
                if let Ok(binding) = Binding::from_value(&object.value) {
                    all.add(object, &binding, &standard);
                }
            }
        }
        all
    }

    fn add(
        &mut self,
        object: &Object,
        binding: &Binding,
        standard: &BTreeMap<(String, String), Vec<Subject>>,
    ) {
        let scope: Scope = match binding.namespace.as_str() {
            "" => None,
            namespace => Some(namespace.into()),
        };
        let role = &binding.role_ref;
        let role_namespace: Name = match role.kind {
            RoleKind::Role => binding.namespace.as_str().into(),
            RoleKind::ClusterRole => "".into(),
        };
        let key = (role_namespace, Name::from(role.name.as_str()));
        let held = self.by_role.get(&key).cloned().unwrap_or_default();
        let given = (object.standing == Standing::Given)
            .then(|| standard.get(&(binding.namespace.clone(), binding.name.clone())))
            .flatten();
        for subject in binding.subjects.iter().cloned().map(settled) {
            match &subject {
                Subject::User(name) => self.users.insert(name.as_str().into()),
                Subject::Group(name) => self.groups.insert(name.as_str().into()),
                Subject::ServiceAccount { .. } => false,
            };
            let grant = self.grants.len();
            self.grants.push(Grant {
                binding: Binding {
                    subjects: Vec::new(),
                    ..binding.clone()
                },
                subject: subject.clone(),
                fixed: given.is_some_and(|subjects| subjects.contains(&subject)),
            });
            let own = self.by_subject.entry(subject.clone()).or_default();
            own.extend(
                held.iter()
                    .filter(|held| held.question.namespaced || scope.is_none())
                    .map(|held| Holding {
                        need: Some(Need {
                            grant,
                            rule: held.rule,
                        }),
                        held: held.clone(),
                        scope: scope.clone(),
                    }),
            );
            self.roles.entry(subject).or_default().push(HeldRole {
                grant,
                kind: role.kind,
                name: role.name.as_str().into(),
                scope: scope.clone(),
            });
        }
    }

    /// What bindings give to exactly this subject.
    pub(crate) fn of_subject(&self, subject: &Subject) -> &[Holding] {
        self.by_subject
            .get(subject)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// The roles that bindings give to exactly this subject.
    pub(crate) fn roles_of(&self, subject: &Subject) -> &[HeldRole] {
        self.roles
            .get(subject)
            .map(Vec::as_slice)
            .unwrap_or_default()
    }

    /// What a role (a ClusterRole without a namespace) is worth to somebody who has it bound.
    pub(crate) fn of_role(&self, namespace: &Name, name: &Name, scope: &Scope) -> Vec<Holding> {
        self.by_role
            .get(&(Name::clone(namespace), Name::clone(name)))
            .into_iter()
            .flatten()
            .filter(|held| held.question.namespaced || scope.is_none())
            .map(|held| Holding {
                held: held.clone(),
                scope: scope.clone(),
                need: None,
            })
            .collect()
    }

    /// The names of the Roles of a namespace, or (without one) of the ClusterRoles, sorted.
    pub(crate) fn role_names(&self, namespace: &str) -> Vec<Name> {
        let own = self.by_role.keys().filter(|(ns, _)| **ns == *namespace);
        let mut names: Vec<Name> = own.map(|(_, name)| Name::clone(name)).collect();
        names.sort_unstable();
        names
    }

    /// Whether a binding gives something to the subject that not every cluster does.
    pub(crate) fn is_given_more(&self, subject: &Subject) -> bool {
        let grants = self.roles_of(subject).iter();
        grants
            .filter_map(|role| self.grants.get(role.grant))
            .any(|grant| !grant.fixed)
    }

    /// All subjects that bindings name.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = &Subject> {
        self.roles.keys()
    }
}

/// A subject in one form: a user of a service account's name is the account.
pub(crate) fn settled(subject: Subject) -> Subject {
    if let Subject::User(name) = &subject
        && let Some((namespace, name)) = UserInfo::new(name, [""; 0]).service_account()
    {
        return Subject::account(namespace, name);
    }
    subject
}
