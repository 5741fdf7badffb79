//! Roles and bindings as an index that is kept current object by object.
//!
//! Roles are compiled once, however often they are bound. For each subject (a user name or a
//! group) and scope (the cluster or one namespace) the index knows the roles held and the
//! bindings that gave them; see `grants`. Adding, changing or removing an object costs as much
//! as the object is large; changing a role that is bound to subjects with tables costs that for
//! each such subject.

mod compiled;
mod decide;
mod grants;
mod symbols;
mod who_can;

pub(crate) use decide::aggregate_errors;
pub use decide::{Because, Ruling, SubjectRef};
pub use who_can::Grant;

use crate::object::{Binding, MalformedObject, Role, RoleKind, Subject};
use crate::rule::Rule;
use compiled::{Body, Vocabulary};
use grants::{Grants, RoleId, Roles, Shape};
use model::Value;
use model::user::{SERVICE_ACCOUNT_PREFIX, UserInfo};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use symbols::{Map, Sym, Symbols};

/// The number of the empty namespace: the whole cluster.
const CLUSTER: Sym = 0;

/// All roles and bindings of a cluster, ready to decide.
#[derive(Debug, Clone)]
pub struct Index {
    vocabulary: Vocabulary,
    namespaces: Symbols,
    users: Symbols,
    groups: Symbols,
    role_ids: Map<Sym, BTreeMap<Arc<str>, RoleId>>,
    roles: RoleSlots,
    free_roles: Vec<RoleId>,
    bindings: Map<Sym, BTreeMap<Arc<str>, Bound>>,
    grants: Map<GrantKey, Grants>,
}

#[derive(Debug, Clone, Default)]
struct RoleSlots(Vec<Slot>);

/// A role, or the place of one that bindings name but that does not exist.
#[derive(Debug, Clone)]
struct Slot {
    namespace: Sym,
    name: Arc<str>,
    body: Option<Body>,
    /// How many bindings name it.
    bindings: usize,
    /// The grants with tables that hold its rules.
    unions: BTreeSet<GrantKey>,
}

/// A subject's number: users (and service accounts) and groups are numbered apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Principal {
    User(Sym),
    Group(Sym),
}

/// A subject in a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct GrantKey {
    namespace: Sym,
    principal: Principal,
}

/// A subject as a binding names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BoundSubject {
    User(Sym),
    Group(Sym),
    Account(Sym),
}

impl BoundSubject {
    fn principal(self) -> Principal {
        match self {
            Self::User(symbol) | Self::Account(symbol) => Principal::User(symbol),
            Self::Group(symbol) => Principal::Group(symbol),
        }
    }
}

/// A binding as the index keeps it.
#[derive(Debug, Clone)]
struct Bound {
    role: RoleId,
    subjects: Box<[BoundSubject]>,
}

impl Roles for RoleSlots {
    #[inline]
    fn body(&self, role: RoleId) -> Option<&Body> {
        self.0.get(role as usize)?.body.as_ref()
    }
}

impl Default for Index {
    fn default() -> Self {
        Self {
            vocabulary: Vocabulary::default(),
            namespaces: Symbols::with(&[""]),
            users: Symbols::default(),
            groups: Symbols::default(),
            role_ids: Map::default(),
            roles: RoleSlots::default(),
            free_roles: Vec::new(),
            bindings: Map::default(),
            grants: Map::default(),
        }
    }
}

impl Index {
    /// An index of nothing: nobody may do anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// An index of the given objects: Roles, ClusterRoles, RoleBindings and ClusterRoleBindings
    /// are told apart by `kind`; other kinds are passed over.
    pub fn from_objects<'a>(
        objects: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Self, MalformedObject> {
        let mut index = Self::new();
        for object in objects {
            index.upsert(object)?;
        }
        Ok(index)
    }

    /// Adds or replaces a Role, ClusterRole, RoleBinding or ClusterRoleBinding, told apart by
    /// `kind`; any other kind is passed over. A malformed object leaves the index as it was.
    pub fn upsert(&mut self, object: &Value) -> Result<(), MalformedObject> {
        match model::meta::text(object, &["kind"]) {
            "Role" | "ClusterRole" => self.upsert_role(&Role::from_value(object)?),
            "RoleBinding" | "ClusterRoleBinding" => {
                self.upsert_binding(&Binding::from_value(object)?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Removes the object that `object` names by its kind, namespace and name.
    pub fn remove(&mut self, object: &Value) {
        let (namespace, name) = (model::meta::namespace(object), model::meta::name(object));
        match model::meta::text(object, &["kind"]) {
            "Role" | "ClusterRole" => self.remove_role(namespace, name),
            "RoleBinding" | "ClusterRoleBinding" => self.remove_binding(namespace, name),
            _ => {}
        }
    }

    /// Adds or replaces a role.
    pub fn upsert_role(&mut self, role: &Role) {
        let id = self.slot(&role.namespace, &role.name);
        self.set_body(id, Some(&role.rules));
    }

    /// Removes a Role, or (with an empty namespace) a ClusterRole. Bindings that name it stay,
    /// and grant nothing until it is back.
    pub fn remove_role(&mut self, namespace: &str, name: &str) {
        if let Some(id) = self.role_id(namespace, name) {
            self.set_body(id, None);
            self.free_slot_if_unused(id);
        }
    }

    /// Adds or replaces a binding.
    pub fn upsert_binding(&mut self, binding: &Binding) {
        self.remove_binding(&binding.namespace, &binding.name);
        let role_namespace = match binding.role_ref.kind {
            RoleKind::Role => binding.namespace.as_str(),
            RoleKind::ClusterRole => "",
        };
        let role = self.slot(role_namespace, &binding.role_ref.name);
        if let Some(slot) = self.roles.0.get_mut(role as usize) {
            slot.bindings += 1;
        }
        let namespace = self.namespaces.acquire(&binding.namespace);
        let name: Arc<str> = binding.name.as_str().into();
        let subjects: Box<[_]> = binding
            .subjects
            .iter()
            .map(|subject| match subject {
                Subject::User(name) => BoundSubject::User(self.users.acquire(name)),
                Subject::Group(name) => BoundSubject::Group(self.groups.acquire(name)),
                Subject::ServiceAccount { namespace, name } => {
                    let user = format!("{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}");
                    BoundSubject::Account(self.users.acquire(&user))
                }
            })
            .collect();
        for subject in &subjects {
            let key = GrantKey {
                namespace,
                principal: subject.principal(),
            };
            let grants = self.grants.entry(key).or_default();
            let shape = grants.add(role, &name, &self.roles);
            self.note_shape(key, role, shape);
        }
        self.bindings
            .entry(namespace)
            .or_default()
            .insert(name, Bound { role, subjects });
    }

    /// Removes a RoleBinding, or (with an empty namespace) a ClusterRoleBinding.
    pub fn remove_binding(&mut self, namespace: &str, name: &str) {
        let namespace = self.namespaces.get(namespace);
        let Some(bindings) = self.bindings.get_mut(&namespace) else {
            return;
        };
        let Some((name, bound)) = bindings.remove_entry(name) else {
            return;
        };
        if bindings.is_empty() {
            self.bindings.remove(&namespace);
        }
        for subject in &bound.subjects {
            let key = GrantKey {
                namespace,
                principal: subject.principal(),
            };
            // A subject named twice is gone after the first.
            if let Some(grants) = self.grants.get_mut(&key) {
                let shape = grants.remove(bound.role, &name, &self.roles);
                if grants.is_empty() {
                    self.grants.remove(&key);
                }
                self.note_shape(key, bound.role, shape);
            }
        }
        for subject in &bound.subjects {
            match subject {
                BoundSubject::User(symbol) | BoundSubject::Account(symbol) => {
                    self.users.release(*symbol);
                }
                BoundSubject::Group(symbol) => self.groups.release(*symbol),
            }
        }
        self.namespaces.release(namespace);
        if let Some(slot) = self.roles.0.get_mut(bound.role as usize) {
            slot.bindings = slot.bindings.saturating_sub(1);
        }
        self.free_slot_if_unused(bound.role);
    }

    /// The rules of a Role, or (with an empty namespace) of a ClusterRole.
    pub fn role_rules(&self, namespace: &str, name: &str) -> Option<Vec<Rule>> {
        let id = self.role_id(namespace, name)?;
        let body = self.roles.body(id)?;
        Some(self.vocabulary.rules(body))
    }

    /// How many roles and how many bindings there are.
    pub fn len(&self) -> (usize, usize) {
        let roles = self.roles.0.iter().filter(|s| s.body.is_some()).count();
        (roles, self.bindings.values().map(BTreeMap::len).sum())
    }

    /// Whether there is neither a role nor a binding.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }

    /// The bindings that apply to a user in a namespace: ClusterRoleBindings first, then the
    /// namespace's, each in the order of their names.
    pub(crate) fn bindings_for<'a>(
        &'a self,
        user: &'a UserInfo,
        namespace: &str,
    ) -> Vec<HeldRole<'a>> {
        let mut scopes = vec![CLUSTER];
        if !namespace.is_empty() {
            scopes.push(self.namespaces.get(namespace));
        }
        scopes
            .into_iter()
            .flat_map(|scope| self.bindings_of(scope, user))
            .filter_map(|(_, role)| {
                let slot = self.roles.0.get(role as usize)?;
                Some(HeldRole {
                    role_namespace: self.namespaces.text(slot.namespace),
                    role: &slot.name,
                })
            })
            .collect()
    }

    fn role_id(&self, namespace: &str, name: &str) -> Option<RoleId> {
        let ids = self.role_ids.get(&self.namespaces.get(namespace))?;
        ids.get(name).copied()
    }

    fn slot(&mut self, namespace: &str, name: &str) -> RoleId {
        if let Some(id) = self.role_id(namespace, name) {
            return id;
        }
        let namespace = self.namespaces.acquire(namespace);
        let name: Arc<str> = name.into();
        let slot = Slot {
            namespace,
            name: Arc::clone(&name),
            body: None,
            bindings: 0,
            unions: BTreeSet::new(),
        };
        let id = match self.free_roles.pop() {
            Some(id) => {
                if let Some(place) = self.roles.0.get_mut(id as usize) {
                    *place = slot;
                }
                id
            }
            None => {
                self.roles.0.push(slot);
                // 2^32 roles do not fit in memory.
                self.roles.0.len() as RoleId - 1
            }
        };
        self.role_ids.entry(namespace).or_default().insert(name, id);
        id
    }

    fn free_slot_if_unused(&mut self, id: RoleId) {
        let Some(slot) = self.roles.0.get(id as usize) else {
            return;
        };
        if slot.body.is_some() || slot.bindings > 0 {
            return;
        }
        let namespace = slot.namespace;
        if let Some(ids) = self.role_ids.get_mut(&namespace) {
            ids.remove(&slot.name);
            if ids.is_empty() {
                self.role_ids.remove(&namespace);
            }
        }
        self.namespaces.release(namespace);
        self.free_roles.push(id);
    }

    fn set_body(&mut self, id: RoleId, rules: Option<&[Rule]>) {
        let new = rules.map(|rules| self.vocabulary.compile(rules));
        let Some(slot) = self.roles.0.get_mut(id as usize) else {
            return;
        };
        let old = slot.body.take();
        for key in &slot.unions {
            if let Some(grants) = self.grants.get_mut(key) {
                grants.detach(id, old.as_ref());
                grants.attach(id, new.as_ref());
            }
        }
        slot.body = new;
        if let Some(old) = old {
            self.vocabulary.release(&old);
        }
    }

    /// Tells roles which tables hold their rules, after a binding of `role` was added to or
    /// removed from the grants at `key`.
    fn note_shape(&mut self, key: GrantKey, role: RoleId, shape: Shape) {
        let grants = self.grants.get(&key);
        let mut note = |role: RoleId, in_union: bool| {
            if let Some(slot) = self.roles.0.get_mut(role as usize) {
                if in_union {
                    slot.unions.insert(key);
                } else {
                    slot.unions.remove(&key);
                }
            }
        };
        match (shape, grants) {
            (Shape::Grown | Shape::Shrunk, Some(grants)) => {
                for (held, _) in grants.held() {
                    note(held, shape == Shape::Grown);
                }
                if shape == Shape::Shrunk {
                    note(role, false);
                }
            }
            (Shape::Same, Some(grants)) if grants.is_union() => {
                let held = grants.holds(role);
                note(role, held);
            }
            _ => note(role, false),
        }
    }

    /// The subjects that a user is: the user, and each group.
    fn principals<'a>(&'a self, user: &'a UserInfo) -> impl Iterator<Item = Principal> + 'a {
        let own = self.users.get(&user.name);
        let groups = user.groups.iter().map(|g| self.groups.get(g));
        (own != symbols::NONE)
            .then_some(Principal::User(own))
            .into_iter()
            .chain(
                groups
                    .filter(|symbol| *symbol != symbols::NONE)
                    .map(Principal::Group),
            )
    }
}

/// A role that a user holds.
pub(crate) struct HeldRole<'a> {
    /// The role's namespace; empty for a ClusterRole.
    pub(crate) role_namespace: &'a str,
    /// The role's name.
    pub(crate) role: &'a str,
}

impl Slot {
    fn kind(&self) -> RoleKind {
        if self.namespace == CLUSTER {
            RoleKind::ClusterRole
        } else {
            RoleKind::Role
        }
    }
}

impl Index {
    /// Whether nothing is remembered of what was removed; tests use it to find leaks.
    pub fn is_pristine(&self) -> bool {
        self.is_empty()
            && self.grants.is_empty()
            && self.bindings.is_empty()
            && self.role_ids.is_empty()
            && self.roles.0.len() == self.free_roles.len()
            && self.users.is_empty()
            && self.groups.is_empty()
            && self.namespaces.len() == 1
            && self.vocabulary.is_pristine()
    }
}
