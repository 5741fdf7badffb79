//! Roles and bindings as a picture: subjects, the bindings that name them, the roles that those
//! grant, and the rules of the roles.

mod layout;
mod text;

pub use layout::{Place, Placed, placed, svg};
pub use text::{dot, mermaid};

use model::user::UserInfo;
use rbac::object::{GROUP, rules_of};
use rbac::{Attributes, Binding, RoleKind, Rule, Subject};
use serde::Serialize;
use snapshot::{Citation, Object, Snapshot, Standing};
use std::collections::{BTreeMap, BTreeSet};

/// Which part of the picture is wanted; what is empty does not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only bindings of these subjects, by name: `jane`, `NAMESPACE/NAME` of a service account.
    pub subjects: Vec<String>,
    /// Only bindings that count in this namespace: its own, and those of the whole cluster.
    pub namespace: Option<String>,
    /// Only bindings of roles of these names.
    pub roles: Vec<String>,
    /// Only bindings of roles that allow one of these verbs on something, and only those rules.
    pub verbs: Vec<String>,
    /// Also what every cluster has.
    pub with_given: bool,
    /// The rules of the roles.
    pub with_rules: bool,
}

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeKind {
    /// A user, group or service account.
    Subject,
    /// A RoleBinding or ClusterRoleBinding.
    Binding,
    /// A Role or ClusterRole.
    Role,
    /// A rule of a role.
    Rule,
}

impl NodeKind {
    /// The column that it stands in, counted from the left and from 0.
    pub fn layer(self) -> usize {
        match self {
            Self::Subject => 0,
            Self::Binding => 1,
            Self::Role => 2,
            Self::Rule => 3,
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// What is written on it.
    pub label: String,
    /// Whether nothing of that name exists: a role or service account that a binding names.
    pub missing: bool,
    /// The object; none for users and groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Citation>,
}

/// A picture.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Graph {
    /// The nodes, column by column.
    pub nodes: Vec<Node>,
    /// Pairs of places in `nodes`, from subjects towards rules.
    pub edges: Vec<(usize, usize)>,
}

/// What a node is known by while the picture grows.
type Key = (NodeKind, String);

#[derive(Default)]
struct Growing {
    nodes: BTreeMap<Key, Node>,
    edges: BTreeSet<(Key, Key)>,
}

impl Growing {
    fn add(&mut self, kind: NodeKind, id: &str, label: String, object: Option<Citation>) -> Key {
        let key = (kind, id.to_owned());
        self.nodes.entry(key.clone()).or_insert_with(|| Node {
            kind,
            label,
            missing: false,
            object,
        });
        key
    }

    fn mark_missing(&mut self, key: &Key) {
        if let Some(node) = self.nodes.get_mut(key) {
            node.missing = true;
        }
    }

    fn finish(self) -> Graph {
        let places: BTreeMap<&Key, usize> = self.nodes.keys().zip(0..).collect();
        let edges = self
            .edges
            .iter()
            .filter_map(|(from, to)| Some((*places.get(from)?, *places.get(to)?)))
            .collect();
        Graph {
            edges,
            nodes: self.nodes.into_values().collect(),
        }
    }
}

/// Draws the roles and bindings of a snapshot.
pub fn graph(snapshot: &Snapshot, filter: &Filter) -> Graph {
    let mut growing = Growing::default();
    for plural in ["clusterrolebindings", "rolebindings"] {
        for object in snapshot.of(GROUP, plural) {
            let counts = filter
                .namespace
                .as_deref()
                .is_none_or(|n| object.namespace().is_empty() || object.namespace() == n);
            let standing = filter.with_given || object.standing != Standing::Given;
            if counts
                && standing
                && let Ok(binding) = Binding::from_value(&object.value)
            {
                add_binding(snapshot, filter, object, &binding, &mut growing);
            }
        }
    }
    growing.finish()
}

fn add_binding(
    snapshot: &Snapshot,
    filter: &Filter,
    object: &Object,
    binding: &Binding,
    growing: &mut Growing,
) {
    let wanted = &binding.role_ref;
    if !filter.roles.is_empty() && !filter.roles.contains(&wanted.name) {
        return;
    }
    let subjects: Vec<&Subject> = binding
        .subjects
        .iter()
        .filter(|subject| {
            let (name, _, _) = named(subject);
            filter.subjects.is_empty() || filter.subjects.contains(&name)
        })
        .collect();
    if subjects.is_empty() && !filter.subjects.is_empty() {
        return;
    }
    let role = snapshot.role(wanted.kind, &binding.namespace, &wanted.name);
    let rules: Vec<(usize, Rule)> = role
        .map(|role| rules_of(&role.value).unwrap_or_default())
        .unwrap_or_default()
        .into_iter()
        .enumerate()
        .filter(|(_, rule)| allows_verb(rule, &filter.verbs))
        .collect();
    if rules.is_empty() && !filter.verbs.is_empty() {
        return;
    }
    let title = object.title();
    let cited = Some(snapshot.cite(object, ""));
    let from = growing.add(NodeKind::Binding, &title, title.clone(), cited);
    for subject in subjects {
        let (_, label, account) = named(subject);
        let account = account.map(|(ns, name)| snapshot.service_account(ns, name));
        let cited = account.flatten().map(|object| snapshot.cite(object, ""));
        let key = growing.add(NodeKind::Subject, &label, label.clone(), cited);
        if account.is_some_and(|found| found.is_none()) {
            growing.mark_missing(&key);
        }
        growing.edges.insert((key, from.clone()));
    }
    let place = match wanted.kind {
        RoleKind::Role => format!("{}/", binding.namespace),
        RoleKind::ClusterRole => String::new(),
    };
    let label = format!("{} {place}{}", wanted.kind, wanted.name);
    let cited = role.map(|role| snapshot.cite(role, ""));
    let to = growing.add(NodeKind::Role, &label, label.clone(), cited);
    if role.is_none() {
        growing.mark_missing(&to);
    }
    growing.edges.insert((from, to.clone()));
    if let (true, Some(role)) = (filter.with_rules, role) {
        for (at, rule) in rules {
            let id = format!("{label} {at:04}");
            let cited = Some(snapshot.cite(role, &format!("rules[{at}]")));
            let key = growing.add(NodeKind::Rule, &id, rule_text(&rule), cited);
            growing.edges.insert((to.clone(), key));
        }
    }
}

/// Whether the rule allows one of the verbs on what it is about; `rbac` decides.
fn allows_verb(rule: &Rule, verbs: &[String]) -> bool {
    let nobody = UserInfo::default();
    let path = rule.non_resource_urls.first();
    verbs.is_empty()
        || verbs.iter().any(|verb| match path {
            Some(path) => rule.allows(&Attributes::path(&nobody, verb, path)),
            None => {
                let group = rule.api_groups.first().map_or("", String::as_str);
                let resource = rule.resources.first().map_or("", String::as_str);
                let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
                let name = rule.resource_names.first().map_or("", String::as_str);
                let asked = Attributes::resource(&nobody, verb, group, resource)
                    .of_subresource(subresource)
                    .named(name);
                rule.allows(&asked)
            }
        })
}

/// A rule on one line, for people: `get, list pods, services.apps [name]`.
fn rule_text(rule: &Rule) -> String {
    let verbs = rule.verbs.join(", ");
    if !rule.non_resource_urls.is_empty() {
        return format!("{verbs} {}", rule.non_resource_urls.join(", "));
    }
    let groups: Vec<&str> = rule
        .api_groups
        .iter()
        .map(|group| if group.is_empty() { "core" } else { group })
        .collect();
    let mut text = format!(
        "{verbs} {} ({})",
        rule.resources.join(", "),
        groups.join(", ")
    );
    if !rule.resource_names.is_empty() {
        text.push_str(&format!(" [{}]", rule.resource_names.join(", ")));
    }
    text
}

/// What filters call a subject, what is written on it, and the account that it is.
fn named(subject: &Subject) -> (String, String, Option<(&str, &str)>) {
    match subject {
        Subject::User(name) => (name.clone(), format!("User {name}"), None),
        Subject::Group(name) => (name.clone(), format!("Group {name}"), None),
        Subject::ServiceAccount { namespace, name } => (
            format!("{namespace}/{name}"),
            format!("ServiceAccount {namespace}/{name}"),
            Some((namespace, name)),
        ),
    }
}

#[cfg(test)]
mod tests;
