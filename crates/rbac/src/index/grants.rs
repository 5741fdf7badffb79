//! What one subject holds in one scope: roles, each through one or more bindings.
//!
//! Most subjects hold few roles, which are asked one after the other. A subject that holds many
//! gets a table of the union of their rules, so that a decision does not depend on how many there
//! are. Both answer with the binding whose name comes first.

use super::compiled::{Body, Key, Query, Shapes};
use super::symbols::Map;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A role's number.
pub(crate) type RoleId = u32;

/// A subject that holds more roles than this in one scope gets a table.
const ASKED_ROLES: usize = 16;
/// A table is given up when no more roles than this are left.
const FEW_ROLES: usize = 8;

/// A set that mostly has one member.
#[derive(Debug, Clone)]
pub(super) enum Small<T> {
    One(T),
    Many(BTreeSet<T>),
}

impl<T: Ord + Clone> Small<T> {
    pub(super) fn first(&self) -> Option<&T> {
        match self {
            Self::One(only) => Some(only),
            Self::Many(all) => all.first(),
        }
    }

    fn insert(&mut self, new: T) {
        match self {
            Self::One(only) if *only == new => {}
            Self::One(only) => *self = Self::Many(BTreeSet::from([only.clone(), new])),
            Self::Many(all) => {
                all.insert(new);
            }
        }
    }

    /// Removes a member; whether the set is empty now.
    fn remove(&mut self, old: &T) -> bool {
        match self {
            Self::One(only) => only == old,
            Self::Many(all) => {
                all.remove(old);
                all.is_empty()
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self {
            Self::One(only) => (Some(only), None),
            Self::Many(all) => (None, Some(all.iter())),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

type Names = Small<Arc<str>>;

/// The roles, as grants see them.
pub(super) trait Roles {
    /// What a role allows; `None` if there is no such role.
    fn body(&self, role: RoleId) -> Option<&Body>;
}

/// A grant that allows a question.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) binding: &'a Arc<str>,
    pub(super) role: RoleId,
    pub(super) rule: u32,
}

impl<'a> Found<'a> {
    /// The one whose binding comes first.
    pub(super) fn earlier(best: Option<Self>, other: Self) -> Option<Self> {
        match best {
            Some(best) if best.binding <= other.binding => Some(best),
            _ => Some(other),
        }
    }
}

/// The roles that one subject holds in one scope.
#[derive(Debug, Clone)]
pub(super) enum Grants {
    Few(Vec<(RoleId, Names)>),
    Many(Box<Union>),
}

/// The union of many roles' rules.
#[derive(Debug, Clone, Default)]
pub(super) struct Union {
    held: Map<RoleId, Names>,
    /// Under each key, the roles that allow it, in the order of their first bindings.
    keys: Map<Key, Small<(Arc<str>, RoleId)>>,
    shapes: Shapes,
    /// Roles with rules that have no keys.
    wide: BTreeSet<(Arc<str>, RoleId)>,
    /// Roles that do not exist.
    missing: BTreeSet<RoleId>,
}

/// Whether a change made or gave up a table, after which the roles concerned must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// As before.
    Same,
    /// A table was made.
    Grown,
    /// The table was given up.
    Shrunk,
}

impl Default for Grants {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Grants {
    /// The binding with the least name that allows this, and whether a role was found missing
    /// on the way.
    pub(super) fn find<'a>(
        &'a self,
        q: &Query,
        roles: &impl Roles,
        missing: &mut bool,
    ) -> Option<Found<'a>> {
        match self {
            Self::Few(held) => {
                let mut best: Option<Found<'a>> = None;
                for (role, bindings) in held {
                    let Some(body) = roles.body(*role) else {
                        *missing = true;
                        continue;
                    };
                    if let (Some(rule), Some(binding)) = (body.find(q), bindings.first()) {
                        let role = *role;
                        best = Found::earlier(
                            best,
                            Found {
                                binding,
                                role,
                                rule,
                            },
                        );
                    }
                }
                best
            }
            Self::Many(union) => {
                *missing |= !union.missing.is_empty();
                union.find(q, roles)
            }
        }
    }

    /// Whether there is a table, which must be told of changes to roles.
    pub(super) fn is_union(&self) -> bool {
        matches!(self, Self::Many(_))
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Few(held) => held.is_empty(),
            Self::Many(union) => union.held.is_empty(),
        }
    }

    /// Whether a role is held.
    pub(super) fn holds(&self, role: RoleId) -> bool {
        match self {
            Self::Few(held) => held.iter().any(|(r, _)| *r == role),
            Self::Many(union) => union.held.contains_key(&role),
        }
    }

    /// The roles held, each with its bindings, in no order.
    pub(super) fn held(&self) -> impl Iterator<Item = (RoleId, &Names)> {
        let (few, many) = match self {
            Self::Few(held) => (Some(held.iter()), None),
            Self::Many(union) => (None, Some(union.held.iter())),
        };
        few.into_iter()
            .flatten()
            .map(|(role, names)| (*role, names))
            .chain(
                many.into_iter()
                    .flatten()
                    .map(|(role, names)| (*role, names)),
            )
    }

    /// Adds a binding of `role`.
    pub(super) fn add(&mut self, role: RoleId, binding: &Arc<str>, roles: &impl Roles) -> Shape {
        match self {
            Self::Few(held) => {
                match held.iter_mut().find(|(r, _)| *r == role) {
                    Some((_, names)) => names.insert(Arc::clone(binding)),
                    None => held.push((role, Small::One(Arc::clone(binding)))),
                }
                if held.len() <= ASKED_ROLES {
                    return Shape::Same;
                }
                let mut union = Box::<Union>::default();
                for (role, names) in std::mem::take(held) {
                    union.attach(role, &names, roles.body(role));
                    union.held.insert(role, names);
                }
                *self = Self::Many(union);
                Shape::Grown
            }
            Self::Many(union) => {
                union.add(role, binding, roles.body(role));
                Shape::Same
            }
        }
    }

    /// Removes a binding of `role`.
    pub(super) fn remove(&mut self, role: RoleId, binding: &Arc<str>, roles: &impl Roles) -> Shape {
        match self {
            Self::Few(held) => {
                if let Some(at) = held.iter().position(|(r, _)| *r == role)
                    && held
                        .get_mut(at)
                        .is_some_and(|(_, names)| names.remove(binding))
                {
                    held.swap_remove(at);
                }
                Shape::Same
            }
            Self::Many(union) => {
                union.remove(role, binding, roles.body(role));
                if union.held.len() > FEW_ROLES {
                    return Shape::Same;
                }
                *self = Self::Few(std::mem::take(&mut union.held).into_iter().collect());
                Shape::Shrunk
            }
        }
    }

    /// Takes a role's rules out of the table, before they change.
    pub(super) fn detach(&mut self, role: RoleId, body: Option<&Body>) {
        if let Self::Many(union) = self
            && let Some(names) = union.held.get(&role).cloned()
        {
            union.detach(role, &names, body);
        }
    }

    /// Puts a role's rules into the table, after they changed.
    pub(super) fn attach(&mut self, role: RoleId, body: Option<&Body>) {
        if let Self::Many(union) = self
            && let Some(names) = union.held.get(&role).cloned()
        {
            union.attach(role, &names, body);
        }
    }
}

impl Union {
    fn find<'a>(&'a self, q: &Query, roles: &impl Roles) -> Option<Found<'a>> {
        let mut first: Option<&'a (Arc<str>, RoleId)> = None;
        q.keys(&self.shapes, |key| {
            if let Some(entry) = self.keys.get(&key).and_then(Small::first)
                && first.is_none_or(|f| entry < f)
            {
                first = Some(entry);
            }
        });
        let mut best = None;
        if let Some((binding, role)) = first
            && let Some(rule) = roles.body(*role).and_then(|body| body.find(q))
        {
            let role = *role;
            best = Some(Found {
                binding,
                role,
                rule,
            });
        }
        for (binding, role) in &self.wide {
            if best.is_some_and(|b: Found<'_>| b.binding <= binding) {
                break;
            }
            // What `find_wide` finds may not be the role's first rule.
            if let Some(body) = roles.body(*role)
                && body.find_wide(q).is_some()
                && let Some(rule) = body.find(q)
            {
                let role = *role;
                best = Some(Found {
                    binding,
                    role,
                    rule,
                });
                break;
            }
        }
        best
    }

    fn add(&mut self, role: RoleId, binding: &Arc<str>, body: Option<&Body>) {
        let Some(names) = self.held.get_mut(&role) else {
            let names = Small::One(Arc::clone(binding));
            self.attach(role, &names, body);
            self.held.insert(role, names);
            return;
        };
        if names.first().is_none_or(|first| binding < first) {
            let before = names.clone_first();
            names.insert(Arc::clone(binding));
            let after = names.clone_first();
            self.detach_first(role, before.as_ref(), body);
            self.attach_first(role, after.as_ref(), body);
        } else {
            names.insert(Arc::clone(binding));
        }
    }

    fn remove(&mut self, role: RoleId, binding: &Arc<str>, body: Option<&Body>) {
        let Some(names) = self.held.get_mut(&role) else {
            return;
        };
        let before = names.clone_first();
        let gone = names.remove(binding);
        let after = if gone { None } else { names.clone_first() };
        if gone {
            self.held.remove(&role);
        }
        if before != after {
            self.detach_first(role, before.as_ref(), body);
            self.attach_first(role, after.as_ref(), body);
        }
    }

    fn attach(&mut self, role: RoleId, names: &Names, body: Option<&Body>) {
        self.attach_first(role, names.first(), body);
    }

    fn detach(&mut self, role: RoleId, names: &Names, body: Option<&Body>) {
        self.detach_first(role, names.first(), body);
    }

    fn attach_first(&mut self, role: RoleId, first: Option<&Arc<str>>, body: Option<&Body>) {
        let Some(first) = first else {
            return;
        };
        let Some(body) = body else {
            self.missing.insert(role);
            return;
        };
        body.keys(|key| match self.keys.entry(key) {
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                entry.get_mut().insert((Arc::clone(first), role));
            }
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(Small::One((Arc::clone(first), role)));
                self.shapes.add(key);
            }
        });
        if body.has_wide() {
            self.wide.insert((Arc::clone(first), role));
        }
    }

    fn detach_first(&mut self, role: RoleId, first: Option<&Arc<str>>, body: Option<&Body>) {
        let Some(first) = first else {
            return;
        };
        let Some(body) = body else {
            self.missing.remove(&role);
            return;
        };
        let member = (Arc::clone(first), role);
        body.keys(|key| {
            if let std::collections::hash_map::Entry::Occupied(mut entry) = self.keys.entry(key)
                && entry.get_mut().remove(&member)
            {
                entry.remove();
                self.shapes.remove(key);
            }
        });
        self.wide.remove(&member);
    }
}

impl<T: Ord + Clone> Small<T> {
    fn clone_first(&self) -> Option<T> {
        self.first().cloned()
    }
}
