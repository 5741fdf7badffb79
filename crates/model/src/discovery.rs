//! Discovery documents: legacy (`APIVersions`, `APIGroupList`, `APIResourceList`) and aggregated
//! (`apidiscovery.k8s.io`), made from the registry.

mod aggregated;
mod legacy;

pub use aggregated::{aggregated_core, aggregated_groups};
pub use legacy::{api_versions, group, group_list, resource_list};

use crate::registry::Registry;
use crate::resource::Resource;
use std::sync::Arc;

/// A group with its served versions, preferred first.
struct Group<'a> {
    name: &'a str,
    versions: Vec<&'a str>,
}

/// The groups in the registry's order, the core group included.
fn groups(registry: &Registry) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for resource in registry.all() {
        let found = groups.iter().position(|g| g.name == resource.group);
        let at = found.unwrap_or_else(|| {
            groups.push(Group {
                name: &resource.group,
                versions: Vec::new(),
            });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(at) {
            for version in &resource.versions {
                if !group.versions.contains(&version.name.as_ref()) {
                    group.versions.push(&version.name);
                }
            }
        }
    }
    groups
}

/// The resources of a group's version, by name, as upstream lists them.
fn resources<'a>(registry: &'a Registry, group: &str, version: &str) -> Vec<&'a Arc<Resource>> {
    let mut found: Vec<_> = registry
        .all()
        .iter()
        .filter(|r| r.group == group && r.version(version).is_some())
        .collect();
    found.sort_by(|a, b| a.plural.cmp(&b.plural));
    found
}

#[cfg(test)]
mod tests;
