//! Access matrices: who may do what on which resource.
//!
//! Two ways of asking, which agree: of one user every question is put to the index of `rbac`;
//! of all subjects each rule is asked once what it allows, and bindings spread that.

mod change;

pub use change::{Change, changes};

use model::user::UserInfo;
use rbac::object::{GROUP, rules_of};
use rbac::{Attributes, Binding, RoleKind, Rule, Subject};
use serde::Serialize;
use snapshot::{Object, ObjectId, Snapshot};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The verbs of a matrix: those that every resource may have, then those that only some do.
pub const VERBS: [&str; 14] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "bind",
    "escalate",
    "impersonate",
    "use",
    "approve",
    "sign",
];

/// A resource, with its subresource if one is meant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// The API group.
    pub group: String,
    /// The plural name.
    pub resource: String,
    /// The subresource; empty for the resource itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subresource: String,
}

impl std::fmt::Display for Resource {
    /// `deployments.apps/scale`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&model::status::qualified(&self.group, &self.resource))?;
        if self.subresource.is_empty() {
            Ok(())
        } else {
            write!(f, "/{}", self.subresource)
        }
    }
}

/// How far a verb is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Not at all.
    No,
    /// On objects of certain names only.
    Named,
    /// On all objects.
    Yes,
}

/// The verbs that are allowed on a resource; bits in the order of [`VERBS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Cells {
    yes: u16,
    named: u16,
}

impl Cells {
    /// How far a verb is allowed, by its place in [`VERBS`].
    pub fn access(self, verb: usize) -> Access {
        let bit = 1_u16.checked_shl(u32::try_from(verb).unwrap_or(u32::MAX));
        match bit {
            Some(bit) if self.yes & bit != 0 => Access::Yes,
            Some(bit) if self.named & bit != 0 => Access::Named,
            _ => Access::No,
        }
    }

    /// Whether nothing is allowed.
    pub fn is_empty(self) -> bool {
        self.yes == 0 && self.named == 0
    }

    fn allow(&mut self, verb: usize, access: Access) {
        let bit = 1_u16 << (verb % 16);
        match access {
            Access::Yes => self.yes |= bit,
            Access::Named => self.named |= bit,
            Access::No => {}
        }
    }

    fn add(&mut self, other: Self) {
        self.yes |= other.yes;
        self.named |= other.named;
    }

    /// The verbs that are allowed, with how far.
    pub fn allowed(self) -> impl Iterator<Item = (&'static str, Access)> {
        VERBS
            .into_iter()
            .enumerate()
            .map(move |(at, verb)| (verb, self.access(at)))
            .filter(|(_, access)| *access != Access::No)
    }
}

/// All resources that the snapshot knows of, and those that rules name, sorted. Subresources
/// follow their resource.
pub fn resources(snapshot: &Snapshot) -> Vec<Resource> {
    let mut all = BTreeSet::new();
    let mut add = |group: &str, resource: &str, subresource: &str| {
        all.insert(Resource {
            group: group.to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
        });
    };
    for resource in snapshot.kinds().registry().all() {
        add(&resource.group, &resource.plural, "");
        for subresource in &resource.subresources {
            add(&resource.group, &resource.plural, &subresource.name);
        }
    }
    for kind in snapshot.kinds().learnt() {
        add(&kind.group, &kind.plural, "");
    }
    for object in roles(snapshot) {
        for rule in rules_of(&object.value).unwrap_or_default() {
            let groups = rule.api_groups.iter().filter(|g| *g != "*");
            for group in groups {
                let plain = rule.resources.iter().filter(|r| !r.contains('*'));
                for resource in plain {
                    let (resource, subresource) =
                        resource.split_once('/').unwrap_or((resource, ""));
                    add(group, resource, subresource);
                }
            }
        }
    }
    all.into_iter().collect()
}

fn roles(snapshot: &Snapshot) -> impl Iterator<Item = &Object> {
    ["clusterroles", "roles"]
        .into_iter()
        .flat_map(|plural| snapshot.of(GROUP, plural))
}

/// What one user may do in a namespace (or, without one, in the whole cluster), on the resources
/// where that is anything.
pub fn of_user(
    snapshot: &Snapshot,
    user: &UserInfo,
    namespace: &str,
    resources: &[Resource],
) -> Vec<(Resource, Cells)> {
    let index = snapshot.rbac();
    let held = index.rules_for(user, namespace).rules;
    let with_names: Vec<&Rule> = held
        .iter()
        .filter(|r| !r.resource_names.is_empty())
        .collect();
    let mut all = Vec::new();
    for resource in resources {
        let mut cells = Cells::default();
        for (at, verb) in VERBS.into_iter().enumerate() {
            let asked = Attributes::resource(user, verb, &resource.group, &resource.resource)
                .of_subresource(&resource.subresource)
                .in_namespace(namespace);
            let by_name = || {
                with_names.iter().any(|rule| {
                    let mut names = rule.resource_names.iter();
                    names.any(|name| rule.allows(&asked.named(name)))
                })
            };
            if index.decide(&asked).allowed() {
                cells.allow(at, Access::Yes);
            } else if by_name() {
                cells.allow(at, Access::Named);
            }
        }
        if !cells.is_empty() {
            all.push((resource.clone(), cells));
        }
    }
    all
}

/// What bindings give to a subject in one scope.
#[derive(Debug, Clone)]
pub struct Row {
    /// Who.
    pub subject: Subject,
    /// The only namespace; empty for all.
    pub namespace: String,
    /// By the place of a resource in [`Matrix::resources`].
    pub cells: BTreeMap<usize, Cells>,
    /// The bindings that give it.
    pub bindings: Vec<ObjectId>,
}

/// What all bindings give to all subjects.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The columns, each with the verbs.
    pub resources: Vec<Resource>,
    /// By subject and namespace. A member of a group has the group's row too.
    pub rows: Vec<Row>,
}

/// The resources that a rule may mean, found by name; the rule itself then says which it does.
struct Columns<'r> {
    resources: &'r [Resource],
    by_name: HashMap<String, Vec<usize>>,
}

impl<'r> Columns<'r> {
    fn of(resources: &'r [Resource]) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, resource) in resources.iter().enumerate() {
            let name = if resource.subresource.is_empty() {
                resource.resource.clone()
            } else {
                format!("{}/{}", resource.resource, resource.subresource)
            };
            by_name.entry(name).or_default().push(at);
        }
        Self { resources, by_name }
    }

    fn of_rule(&self, rule: &Rule, nobody: &UserInfo, cells: &mut BTreeMap<usize, Cells>) {
        let verbs: Vec<usize> = (0..VERBS.len())
            .filter(|at| {
                rule.verbs
                    .iter()
                    .any(|v| v == "*" || VERBS.get(*at).is_some_and(|known| v == known))
            })
            .collect();
        if verbs.is_empty() {
            return;
        }
        let candidates: Vec<usize> = if rule.resources.iter().any(|r| r.starts_with('*')) {
            (0..self.resources.len()).collect()
        } else {
            let named = rule.resources.iter().filter_map(|r| self.by_name.get(r));
            named.flatten().copied().collect()
        };
        for at in candidates {
            let Some(resource) = self.resources.get(at) else {
                continue;
            };
            for verb in &verbs {
                let Some(text) = VERBS.get(*verb) else {
                    continue;
                };
                let asked = Attributes::resource(nobody, text, &resource.group, &resource.resource)
                    .of_subresource(&resource.subresource);
                let access = if rule.allows(&asked) {
                    Access::Yes
                } else if rule
                    .resource_names
                    .first()
                    .is_some_and(|name| rule.allows(&asked.named(name)))
                {
                    Access::Named
                } else {
                    continue;
                };
                cells.entry(at).or_default().allow(*verb, access);
            }
        }
    }
}

impl Matrix {
    /// What bindings give on these resources: those of the whole cluster, and those of one
    /// namespace or (without one) of all.
    pub fn of(snapshot: &Snapshot, resources: Vec<Resource>, namespace: Option<&str>) -> Self {
        let nobody = UserInfo::default();
        let columns = Columns::of(&resources);
        let mut by_role: HashMap<(&str, &str), BTreeMap<usize, Cells>> = HashMap::new();
        for role in roles(snapshot) {
            let mut cells = BTreeMap::new();
            for rule in rules_of(&role.value).unwrap_or_default() {
                columns.of_rule(&rule, &nobody, &mut cells);
            }
            by_role.insert((role.namespace(), role.name()), cells);
        }
        let mut rows: BTreeMap<(Subject, String), Row> = BTreeMap::new();
        for plural in ["clusterrolebindings", "rolebindings"] {
            for object in snapshot.of(GROUP, plural) {
                let elsewhere = !object.namespace().is_empty()
                    && namespace.is_some_and(|namespace| namespace != object.namespace());
                if elsewhere {
                    continue;
                }
                let Ok(binding) = Binding::from_value(&object.value) else {
                    continue;
                };
                let role_namespace = match binding.role_ref.kind {
                    RoleKind::Role => binding.namespace.as_str(),
                    RoleKind::ClusterRole => "",
                };
                let role = (role_namespace, binding.role_ref.name.as_str());
                let Some(cells) = by_role.get(&role).filter(|cells| !cells.is_empty()) else {
                    continue;
                };
                let id = snapshot.id(object);
                for subject in binding.subjects {
                    let key = (subject.clone(), binding.namespace.clone());
                    let row = rows.entry(key).or_insert_with(|| Row {
                        subject,
                        namespace: binding.namespace.clone(),
                        cells: BTreeMap::new(),
                        bindings: Vec::new(),
                    });
                    row.bindings.extend(id);
                    for (at, more) in cells {
                        row.cells.entry(*at).or_default().add(*more);
                    }
                }
            }
        }
        Self {
            resources,
            rows: rows.into_values().collect(),
        }
    }
}

/// A cell that is not the same in two matrices of one user each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The resource.
    #[serde(flatten)]
    pub resource: Resource,
    /// The verb.
    pub verb: &'static str,
    /// How far it is allowed in the first.
    pub before: Access,
    /// And in the second.
    pub after: Access,
}

/// What differs between two results of [`of_user`], by resource and verb.
pub fn differences(before: &[(Resource, Cells)], after: &[(Resource, Cells)]) -> Vec<Difference> {
    let mut pairs: BTreeMap<&Resource, (Cells, Cells)> = BTreeMap::new();
    for (resource, cells) in before {
        pairs.entry(resource).or_default().0 = *cells;
    }
    for (resource, cells) in after {
        pairs.entry(resource).or_default().1 = *cells;
    }
    let mut all = Vec::new();
    for (resource, (old, new)) in pairs {
        for (at, verb) in VERBS.into_iter().enumerate() {
            let (before, after) = (old.access(at), new.access(at));
            if before != after {
                all.push(Difference {
                    resource: resource.clone(),
                    verb,
                    before,
                    after,
                });
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Value;
    use model::registry::Registry;
    use proptest::prelude::*;
    use serde_json::json;
    use snapshot::{Builder, Options};
    use std::sync::Arc;

    fn snapshot(objects: impl IntoIterator<Item = Value>) -> Snapshot {
        let mut options = Options::manifests("default");
        options.with_given = false;
        let mut builder = Builder::new(Arc::new(Registry::builtin()), options);
        for object in objects {
            builder.object(object);
        }
        builder.build()
    }

    fn bound(name: &str, namespace: &str, user: &str, rules: &Value) -> [Value; 2] {
        let (role, binding) = if namespace.is_empty() {
            ("ClusterRole", "ClusterRoleBinding")
        } else {
            ("Role", "RoleBinding")
        };
        let metadata = json!({"name": name, "namespace": namespace});
        [
            json!({
                "apiVersion": format!("{GROUP}/v1"),
                "kind": role,
                "metadata": metadata,
                "rules": rules,
            }),
            json!({
                "apiVersion": format!("{GROUP}/v1"),
                "kind": binding,
                "metadata": metadata,
                "roleRef": {"apiGroup": GROUP, "kind": role, "name": name},
                "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
            }),
        ]
    }

    #[test]
    fn names_wildcards_and_subresources() {
        let rules = json!([
            {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"],
             "resourceNames": ["a"]},
            {"verbs": ["*"], "apiGroups": ["apps"], "resources": ["*/scale"]},
            {"verbs": ["list"], "apiGroups": ["example.io"], "resources": ["things"]},
        ]);
        let snapshot = snapshot(bound("r", "n", "jane", &rules));
        let all = resources(&snapshot);
        let jane = UserInfo::new("jane", [""; 0]);
        let found = of_user(&snapshot, &jane, "n", &all);
        let text: Vec<String> = found
            .iter()
            .map(|(resource, cells)| {
                let verbs: Vec<String> = cells
                    .allowed()
                    .map(|(verb, access)| format!("{verb}={access:?}"))
                    .collect();
                format!("{resource} {}", verbs.len())
            })
            .collect();
        assert_eq!(
            text,
            [
                "secrets 1",
                "deployments.apps/scale 14",
                "replicasets.apps/scale 14",
                "statefulsets.apps/scale 14",
                "things.example.io 1",
            ]
        );
        assert_eq!(found[0].1.access(0), Access::Named);
        assert!(of_user(&snapshot, &jane, "", &all).is_empty());
        let gone = differences(&found, &[]);
        assert_eq!(gone.len(), 1 + 3 * 14 + 1);
        assert!(differences(&found, &found).is_empty());
    }

    fn some_rule() -> impl Strategy<Value = Value> {
        let pick = |from: Vec<&'static str>| prop::sample::subsequence(from, 1..3);
        (
            pick(vec!["get", "list", "*", "use", "impersonate"]),
            pick(vec!["", "apps", "*"]),
            pick(vec!["pods", "pods/exec", "*/scale", "deployments", "*"]),
            prop::option::of(pick(vec!["a", "b"])),
        )
            .prop_map(|(verbs, groups, resources, names)| {
                json!({"verbs": verbs, "apiGroups": groups, "resources": resources,
                       "resourceNames": names.unwrap_or_default()})
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The matrix of all subjects and the one of a single user agree.
        #[test]
        fn both_ways_agree(
            rules in prop::collection::vec((some_rule(), any::<bool>()), 1..4),
        ) {
            let objects = rules.iter().enumerate().flat_map(|(at, (rule, in_cluster))| {
                let namespace = if *in_cluster { "" } else { "n" };
                bound(&format!("r{at}"), namespace, "jane", &json!([rule]))
            });
            let snapshot = snapshot(objects);
            let all = resources(&snapshot);
            let matrix = Matrix::of(&snapshot, all.clone(), Some("n"));
            let mut sum: BTreeMap<usize, Cells> = BTreeMap::new();
            for (at, cells) in matrix.rows.iter().flat_map(|row| &row.cells) {
                sum.entry(*at).or_default().add(*cells);
            }
            let jane = UserInfo::new("jane", [""; 0]);
            let single: BTreeMap<Resource, Cells> =
                of_user(&snapshot, &jane, "n", &all).into_iter().collect();
            prop_assert_eq!(sum.len(), single.len());
            for (at, cells) in sum {
                let other = single[&all[at]];
                for verb in 0..VERBS.len() {
                    prop_assert_eq!(cells.access(verb), other.access(verb));
                }
            }
        }
    }
}
