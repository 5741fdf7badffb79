//! Aggregated discovery: everything in one document per root (`APIGroupDiscoveryList`), sent
//! where the client accepts `application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList`.

use super::{Group, groups, resources};
use crate::registry::Registry;
use crate::resource::{Resource, Scope, Text};
use crate::{Map, Value};
use serde_json::json;

/// The document of `/api`, in `version` (`v2` or `v2beta1`) of `apidiscovery.k8s.io`.
pub fn aggregated_core(registry: &Registry, version: &str) -> Value {
    document(registry, version, |group| group.name.is_empty())
}

/// The document of `/apis`.
pub fn aggregated_groups(registry: &Registry, version: &str) -> Value {
    document(registry, version, |group| !group.name.is_empty())
}

fn document(registry: &Registry, version: &str, wanted: fn(&Group<'_>) -> bool) -> Value {
    let items: Vec<_> = groups(registry)
        .iter()
        .filter(|group| wanted(group))
        .map(|group| describe(registry, group))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn describe(registry: &Registry, group: &Group<'_>) -> Value {
    let versions: Vec<_> = group
        .versions
        .iter()
        .map(|version| {
            let entries: Vec<_> = resources(registry, group.name, version)
                .into_iter()
                .map(|resource| entry(resource, version))
                .collect();
            json!({"version": version, "resources": entries, "freshness": "Current"})
        })
        .collect();
    let mut metadata = json!({"creationTimestamp": null});
    if !group.name.is_empty() {
        crate::meta::set(&mut metadata, &["name"], group.name);
    }
    json!({"metadata": metadata, "versions": versions})
}

fn entry(resource: &Resource, version: &str) -> Value {
    let mut entry = Map::new();
    let scope = match resource.scope {
        Scope::Namespaced => "Namespaced",
        Scope::Cluster => "Cluster",
    };
    let own = json!({"group": resource.group, "version": version, "kind": resource.kind});
    entry.insert("resource".into(), resource.plural.as_ref().into());
    entry.insert("responseKind".into(), own.clone());
    entry.insert("scope".into(), scope.into());
    entry.insert("singularResource".into(), resource.singular.as_ref().into());
    entry.insert("verbs".into(), texts(&resource.verbs));
    if !resource.short_names.is_empty() {
        entry.insert("shortNames".into(), texts(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        entry.insert("categories".into(), texts(&resource.categories));
    }
    let subresources: Vec<_> = resource
        .subresources
        .iter()
        .map(|sub| {
            let kind = sub.body.as_ref().map_or(
                own.clone(),
                |body| json!({"group": body.group, "version": body.version, "kind": body.kind}),
            );
            json!({"subresource": sub.name, "responseKind": kind, "verbs": texts(&sub.verbs)})
        })
        .collect();
    if !subresources.is_empty() {
        entry.insert("subresources".into(), subresources.into());
    }
    Value::Object(entry)
}

fn texts(list: &[Text]) -> Value {
    list.iter().map(|text| Value::from(text.as_ref())).collect()
}
