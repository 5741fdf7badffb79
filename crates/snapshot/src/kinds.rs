//! The kinds that are known: built-in ones, those that CustomResourceDefinitions define, and
//! those that a live cluster serves.

use model::registry::Registry;
use model::resource::{Resource, Text};
use model::{Value, meta};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// A kind of objects, whatever its version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kind {
    /// The API group; empty for the core group.
    pub group: Text,
    /// The kind, such as `Pod`.
    pub kind: Text,
    /// The plural name, such as `pods`; guessed from the kind if that is not known.
    pub plural: Text,
    /// Whether objects live in namespaces; of an unknown kind, whether this one does.
    pub namespaced: bool,
    /// The versions that are known, preferred first.
    pub versions: Vec<Text>,
    /// Whether it is known at all.
    pub known: bool,
    /// The registry's entry, for built-in kinds.
    #[serde(skip)]
    pub builtin: Option<Arc<Resource>>,
}

/// Where kinds of a group that is gone went: upstream moved them before 1.16.
const MOVED: [(&str, &str); 6] = [
    ("Deployment", "apps"),
    ("DaemonSet", "apps"),
    ("ReplicaSet", "apps"),
    ("Ingress", "networking.k8s.io"),
    ("NetworkPolicy", "networking.k8s.io"),
    ("PodSecurityPolicy", "policy"),
];

/// All kinds that are known.
#[derive(Debug, Clone)]
pub struct Kinds {
    registry: Arc<Registry>,
    known: HashMap<(Text, Text), Arc<Kind>>,
    /// Those that no registry has, in the order in which they were learnt.
    learnt: Vec<Arc<Kind>>,
}

impl Kinds {
    /// The built-in kinds.
    pub fn new(registry: Arc<Registry>) -> Self {
        let known = registry
            .all()
            .iter()
            .map(|resource| {
                let stored = registry.stored_as(resource);
                let kind = Kind {
                    group: stored.group.clone(),
                    kind: stored.kind.clone(),
                    plural: stored.plural.clone(),
                    namespaced: stored.namespaced(),
                    versions: stored.versions.iter().map(|v| v.name.clone()).collect(),
                    known: true,
                    builtin: Some(Arc::clone(stored)),
                };
                let key = (resource.group.clone(), resource.kind.clone());
                (key, Arc::new(kind))
            })
            .collect();
        Self {
            registry,
            known,
            learnt: Vec::new(),
        }
    }

    /// The registry of the built-in kinds.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The kinds that are not built in.
    pub fn learnt(&self) -> &[Arc<Kind>] {
        &self.learnt
    }

    /// Adds a kind, unless it is known already.
    pub fn learn(&mut self, kind: Kind) {
        let key = (kind.group.clone(), kind.kind.clone());
        if let Entry::Vacant(place) = self.known.entry(key) {
            let kind = Arc::new(kind);
            place.insert(Arc::clone(&kind));
            self.learnt.push(kind);
        }
    }

    /// Adds the kind that a CustomResourceDefinition defines; anything else is passed over.
    pub fn learn_definition(&mut self, definition: &Value) {
        if meta::text(definition, &["kind"]) != "CustomResourceDefinition" {
            return;
        }
        let text = |path: &[&str]| Text::from(meta::text(definition, path).to_owned());
        let mut versions: Vec<Text> = meta::list(definition, &["spec", "versions"])
            .iter()
            .filter(|v| v.get("served") != Some(&Value::Bool(false)))
            .map(|v| meta::text(v, &["name"]).to_owned().into())
            .collect();
        // `apiextensions.k8s.io/v1beta1` had one version here.
        let only = text(&["spec", "version"]);
        if versions.is_empty() && !only.is_empty() {
            versions.push(only);
        }
        let kind = Kind {
            group: text(&["spec", "group"]),
            kind: text(&["spec", "names", "kind"]),
            plural: text(&["spec", "names", "plural"]),
            namespaced: meta::text(definition, &["spec", "scope"]) != "Cluster",
            versions,
            known: true,
            builtin: None,
        };
        if !kind.kind.is_empty() && !kind.plural.is_empty() {
            self.learn(kind);
        }
    }

    /// The kind of that group and name, in whatever version. Kinds of the old group `extensions`
    /// are found where they went.
    pub fn find(&self, group: &str, kind: &str) -> Option<&Arc<Kind>> {
        let look = |group: &str| {
            let key = (Text::from(group.to_owned()), Text::from(kind.to_owned()));
            self.known.get(&key)
        };
        look(group).or_else(|| {
            let (_, group) = MOVED
                .iter()
                .find(|(moved, _)| group == "extensions" && *moved == kind)?;
            look(group)
        })
    }

    /// A kind of which only the name is known.
    pub(crate) fn unknown(group: &str, version: &str, kind: &str, namespaced: bool) -> Arc<Kind> {
        Arc::new(Kind {
            group: group.to_owned().into(),
            kind: kind.to_owned().into(),
            plural: guessed_plural(kind).into(),
            namespaced,
            versions: vec![version.to_owned().into()],
            known: false,
            builtin: None,
        })
    }

    /// The resource that a user means by `name`: a plural, singular or short name or a kind, with
    /// or without `.group` after it, in any case. As kubectl, the core group comes first, then
    /// built-in groups in the order of discovery, then others.
    pub fn meant_by(&self, name: &str) -> Option<Arc<Kind>> {
        let name = name.to_lowercase();
        let (name, group) = match name.split_once('.') {
            Some((name, group)) => (name.to_owned(), Some(group.to_owned())),
            None => (name, None),
        };
        let in_group = |found: &str| group.as_deref().is_none_or(|wanted| wanted == found);
        let builtin = self.registry.all().iter().find(|r| {
            in_group(&r.group)
                && (*r.plural == *name
                    || *r.singular == *name
                    || r.kind.to_lowercase() == name
                    || r.short_names.iter().any(|s| **s == *name))
        });
        if let Some(found) = builtin {
            return Some(Arc::new(Kind {
                group: found.group.clone(),
                kind: found.kind.clone(),
                plural: found.plural.clone(),
                namespaced: found.namespaced(),
                versions: found.versions.iter().map(|v| v.name.clone()).collect(),
                known: true,
                builtin: Some(Arc::clone(found)),
            }));
        }
        self.learnt
            .iter()
            .find(|k| in_group(&k.group) && (*k.plural == *name || k.kind.to_lowercase() == name))
            .cloned()
    }
}

/// The plural that kinds mostly have.
fn guessed_plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if lower.ends_with('s') => format!("{lower}es"),
        None => format!("{lower}s"),
    }
}
