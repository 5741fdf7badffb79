//! `/api`, `/api/v1`, `/apis`, `/apis/GROUP` and `/apis/GROUP/VERSION`.

use super::{Group, groups, resources};
use crate::registry::Registry;
use crate::resource::{GroupVersionKind, Resource, Text, api_version};
use crate::{Map, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

/// `/api`: the versions of the core group. `server_address` is `host:port` as clients reach it.
pub fn api_versions(registry: &Registry, server_address: &str) -> Value {
    let core = groups(registry).into_iter().find(|g| g.name.is_empty());
    json!({
        "kind": "APIVersions",
        "versions": core.map(|g| g.versions).unwrap_or_default(),
        "serverAddressByClientCIDRs": [
            {"clientCIDR": "0.0.0.0/0", "serverAddress": server_address},
        ],
    })
}

/// `/apis`: all named groups.
pub fn group_list(registry: &Registry) -> Value {
    let groups: Vec<_> = groups(registry)
        .iter()
        .filter(|group| !group.name.is_empty())
        .map(describe)
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/GROUP`; `None` if nothing is served under that name.
pub fn group(registry: &Registry, name: &str) -> Option<Value> {
    let groups = groups(registry);
    let found = groups
        .iter()
        .find(|group| group.name == name && !name.is_empty())?;
    let mut document = describe(found);
    crate::meta::set(&mut document, &["kind"], "APIGroup");
    crate::meta::set(&mut document, &["apiVersion"], "v1");
    Some(document)
}

fn describe(group: &Group<'_>) -> Value {
    let versions: Vec<_> = group
        .versions
        .iter()
        .map(
            |version| json!({"groupVersion": api_version(group.name, version), "version": version}),
        )
        .collect();
    json!({
        "name": group.name,
        "preferredVersion": versions.first(),
        "versions": versions,
    })
}

/// `/api/v1` (with an empty group) or `/apis/GROUP/VERSION`; `None` if it is not served.
pub fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let found = resources(registry, group, version);
    if found.is_empty() {
        return None;
    }
    let entries: Vec<_> = found
        .iter()
        .flat_map(|resource| entries(resource, version))
        .collect();
    let mut document = json!({
        "kind": "APIResourceList",
        "groupVersion": api_version(group, version),
        "resources": entries,
    });
    // The document of the core group is older than the field.
    if !group.is_empty() {
        crate::meta::set(&mut document, &["apiVersion"], "v1");
    }
    Some(document)
}

/// A resource and its subresources.
fn entries(resource: &Resource, version: &str) -> Vec<Value> {
    let mut main = Map::new();
    main.insert("name".into(), resource.plural.as_ref().into());
    main.insert("singularName".into(), resource.singular.as_ref().into());
    main.insert("namespaced".into(), resource.namespaced().into());
    main.insert("kind".into(), resource.kind.as_ref().into());
    main.insert("verbs".into(), texts(&resource.verbs));
    if !resource.short_names.is_empty() {
        main.insert("shortNames".into(), texts(&resource.short_names));
    }
    if !resource.categories.is_empty() {
        main.insert("categories".into(), texts(&resource.categories));
    }
    if resource.verbs.iter().any(|verb| verb == "get") {
        main.insert("storageVersionHash".into(), storage_hash(resource).into());
    }
    let subresources = resource.subresources.iter().map(|sub| {
        let mut entry = Map::new();
        let name = format!("{}/{}", resource.plural, sub.name);
        entry.insert("name".into(), name.into());
        entry.insert("singularName".into(), "".into());
        entry.insert("namespaced".into(), resource.namespaced().into());
        entry.insert("verbs".into(), texts(&sub.verbs));
        let body = sub.body.as_ref();
        let kind = body.map_or(&resource.kind, |b| &b.kind);
        entry.insert("kind".into(), kind.as_ref().into());
        if let Some(body) = body.filter(|b| is_foreign(b, resource, version)) {
            entry.insert("group".into(), body.group.as_ref().into());
            entry.insert("version".into(), body.version.as_ref().into());
        }
        Value::Object(entry)
    });
    std::iter::once(Value::Object(main.clone()))
        .chain(subresources)
        .collect()
}

fn is_foreign(body: &GroupVersionKind, resource: &Resource, version: &str) -> bool {
    body.group != resource.group || body.version != version
}

fn texts(list: &[Text]) -> Value {
    list.iter().map(|text| Value::from(text.as_ref())).collect()
}

/// Changes when the stored form of the objects does. Made as upstream makes it.
fn storage_hash(resource: &Resource) -> String {
    let (group, _) = &resource.storage;
    let stored = format!("{group}/{}/{}", resource.storage_version, resource.kind);
    let digest = Sha256::digest(stored.as_bytes());
    STANDARD.encode(digest.get(..8).unwrap_or_default())
}
