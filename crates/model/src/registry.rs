//! Every resource that is served, found by path or by kind.

mod builder;
mod core;
mod groups;

use crate::resource::{Resource, Text};
use indexmap::{Equivalent, IndexMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A set of resources with their look-ups.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    resources: Vec<Arc<Resource>>,
    paths: IndexMap<Key, Arc<Resource>>,
    kinds: IndexMap<Key, Arc<Resource>>,
}

impl Registry {
    /// The built-in kinds of API v1.33, and `policy/v1beta1` PodSecurityPolicy.
    pub fn builtin() -> Self {
        Self::new(core::resources().into_iter().chain(groups::resources()))
    }

    /// A registry of the given resources, in discovery's order. Where two claim the same path or
    /// kind, the first has it.
    pub fn new(resources: impl IntoIterator<Item = Resource>) -> Self {
        let mut registry = Self::default();
        for resource in resources {
            let resource = Arc::new(resource);
            for version in &resource.versions {
                let key =
                    |name: &Text| Key([resource.group.clone(), version.name.clone(), name.clone()]);
                let (path, kind) = (key(&resource.plural), key(&resource.kind));
                let entry = || Arc::clone(&resource);
                registry.paths.entry(path).or_insert_with(entry);
                registry.kinds.entry(kind).or_insert_with(entry);
            }
            registry.resources.push(resource);
        }
        registry
    }

    /// All resources, in discovery's order.
    pub fn all(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// The resource at `/apis/GROUP/VERSION/PLURAL`, if that version is served.
    pub fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.paths.get(&Borrowed([group, version, plural]))
    }

    /// The resource of a kind, if that version is served.
    pub fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.kinds.get(&Borrowed([group, version, kind]))
    }

    /// The resource as whose objects those of `resource` are kept: itself, but for kinds that
    /// show another's objects (`events.events.k8s.io` shows `events`).
    pub fn stored_as<'a>(&'a self, resource: &'a Arc<Resource>) -> &'a Arc<Resource> {
        let (group, plural) = &resource.storage;
        if *group == resource.group && *plural == resource.plural {
            return resource;
        }
        self.by_path(group, &resource.storage_version, plural)
            .unwrap_or(resource)
    }
}

/// Group, version, and plural or kind.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key([Text; 3]);

/// A [`Key`] to look up without allocating.
struct Borrowed<'a>([&'a str; 3]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|part| str::hash(part, state));
    }
}

impl Hash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|part| str::hash(part, state));
    }
}

impl Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0.iter().zip(&key.0).all(|(a, b)| *a == b.as_ref())
    }
}

#[cfg(test)]
mod tests;
