//! OpenAPI documents made from the registry and the schema: v3 per group and version, and v2 (also
//! in the protobuf form that older kubectl versions ask for).
//!
//! Documents are made when they are asked for and written piece by piece, because all of them
//! together are larger than the rest of an idle server. They depend on nothing but the registry
//! and the schema, so that [`OpenApi::hash`] can be known without making them.

mod gnostic;
mod naming;
mod operations;
mod protobuf;
mod resource;
mod schemas;

use crate::registry::Registry;
use crate::resource::Resource;
use crate::schema::{Docs, Fingerprint, Schema};
use crate::{Map, Value};
use operations::Operations;
use schemas::Schemas;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The media type under which clients ask for v2 in protobuf.
pub const V2_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// The media type under which v2 is answered in protobuf: what is asked for is none that Go's
/// parser of media types reads.
pub const V2_PROTOBUF_ANSWER: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Raised whenever the documents of an unchanged API change, so that clients fetch them again.
const REVISION: u64 = 1;

/// Which OpenAPI a piece is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    /// Where a type is found in its document.
    fn pointer(self, name: &str) -> String {
        match self {
            Self::V2 => format!("#/definitions/{name}"),
            Self::V3 => format!("#/components/schemas/{name}"),
        }
    }
}

/// The OpenAPI documents of an API.
#[derive(Debug, Clone, Copy)]
pub struct OpenApi<'a> {
    registry: &'a Registry,
    schema: &'a Schema,
}

impl<'a> OpenApi<'a> {
    /// The documents of the resources in `registry`, with types from `schema`.
    pub fn new(registry: &'a Registry, schema: &'a Schema) -> Self {
        Self { registry, schema }
    }

    /// A fingerprint of all documents, for entity tags and for the `hash` of v3's addresses.
    pub fn hash(&self) -> String {
        let mut hash = Fingerprint::new(REVISION);
        hash.add(self.schema.fingerprint().as_bytes());
        for resource in self.registry.all() {
            for text in [
                &resource.group,
                &resource.kind,
                &resource.list_kind,
                &resource.plural,
            ] {
                hash.add(text.as_bytes());
            }
            hash.add(
                format!(
                    "{:?} {:?} {:?} {:?}",
                    resource.scope, resource.versions, resource.verbs, resource.subresources
                )
                .as_bytes(),
            );
        }
        hash.text()
    }

    /// The paths of the v3 documents below `/openapi/v3/`, sorted: `api`, `api/v1`, `apis`,
    /// `apis/apps`, `apis/apps/v1`, …, `version`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: BTreeSet<String> = ["api", "apis", "version"]
            .into_iter()
            .map(str::to_owned)
            .collect();
        for (group, version) in self.group_versions() {
            if !group.is_empty() {
                paths.insert(format!("apis/{group}"));
            }
            paths.insert(root(&group, &version));
        }
        paths.into_iter().collect()
    }

    /// The v3 index (`/openapi/v3`): each document's path with its address, which holds the hash,
    /// so that clients may keep documents for as long as they like.
    pub fn index(&self) -> Vec<u8> {
        let hash = self.hash();
        let paths: Map = self
            .paths()
            .into_iter()
            .map(|path| {
                let address = format!("/openapi/v3/{path}?hash={hash}");
                (path, json!({ "serverRelativeURL": address }))
            })
            .collect();
        to_bytes(&json!({ "paths": paths }))
    }

    /// The v3 document at `/openapi/v3/PATH`; `None` if there is none.
    pub fn v3(&self, path: &str) -> Option<Vec<u8>> {
        // Descriptions are unpacked for documents that exist only.
        if !self.paths().iter().any(|p| p == path) {
            return None;
        }
        let docs = Docs::builtin();
        let operations = Operations::new(self.schema, &docs, Dialect::V3);
        let (roots, paths) = match path.split('/').collect::<Vec<_>>().as_slice() {
            ["api"] => operations.versions("/api/", "getCoreAPIVersions", "core", "APIVersions"),
            ["apis"] => operations.versions("/apis/", "getAPIVersions", "apis", "APIGroupList"),
            ["version"] => operations.version(),
            ["apis", group] => operations.group(group),
            ["api", version] => operations.group_version("", version, self.resources("", version)),
            ["apis", group, version] => {
                operations.group_version(group, version, self.resources(group, version))
            }
            _ => return None,
        };
        let schemas = Schemas::new(self.schema, &docs, Dialect::V3);
        let mut out = Object::open(Vec::new());
        out.value("openapi", &json!("3.0.0"));
        out.value("info", &info());
        out.entries("paths", paths.into_iter());
        let mut components = Object::open(out.key("components"));
        components.entries("schemas", schemas.reachable(roots));
        components.value("securitySchemes", &security());
        out.bytes = components.close();
        Some(out.close())
    }

    /// The v2 document (`/openapi/v2`) as JSON. Of the descriptions of parameters, which repeat
    /// themselves a thousand times, it has none.
    pub fn v2_json(&self) -> Vec<u8> {
        let docs = Docs::builtin();
        let mut out = Object::open(Vec::new());
        out.value("swagger", &json!("2.0"));
        out.value("info", &info());
        let mut paths = Object::open(out.key("paths"));
        let roots = self.v2_paths(&docs, |path, item| paths.value(&path, &item));
        out.bytes = paths.close();
        let schemas = Schemas::new(self.schema, &docs, Dialect::V2);
        out.entries("definitions", schemas.reachable(roots));
        out.value("securityDefinitions", &security());
        out.value("security", &json!([{ "BearerToken": [] }]));
        out.close()
    }

    /// The v2 document in protobuf (asked for as [`V2_PROTOBUF`]).
    pub fn v2_protobuf(&self) -> Vec<u8> {
        let docs = Docs::builtin();
        let mut out = gnostic::Document::default();
        let roots = self.v2_paths(&docs, |path, item| out.path(&path, &item));
        let schemas = Schemas::new(self.schema, &docs, Dialect::V2);
        for (name, value) in schemas.reachable(roots) {
            out.definition(&name, &value);
        }
        out.finish(&info(), &security())
    }

    /// Hands out all paths, and returns the types that they need.
    fn v2_paths(&self, docs: &Docs, mut take: impl FnMut(String, Value)) -> BTreeSet<String> {
        let operations = Operations::new(self.schema, docs, Dialect::V2);
        let mut roots = BTreeSet::new();
        for (group, version) in self.group_versions() {
            let (types, paths) =
                operations.group_version(&group, &version, self.resources(&group, &version));
            roots.extend(types);
            for (path, item) in paths {
                take(path, item);
            }
        }
        roots
    }

    fn group_versions(&self) -> BTreeSet<(String, String)> {
        let all = self.registry.all().iter();
        all.flat_map(|r| {
            r.versions
                .iter()
                .map(|v| (r.group.clone().into_owned(), v.name.clone().into_owned()))
        })
        .collect()
    }

    fn resources(&self, group: &str, version: &str) -> impl Iterator<Item = &'a Arc<Resource>> {
        self.registry
            .all()
            .iter()
            .filter(move |r| r.group == group && r.version(version).is_some())
    }
}

/// `api/VERSION` or `apis/GROUP/VERSION`.
fn root(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn info() -> Value {
    json!({ "title": "Kubernetes", "version": "v1.33.0" })
}

fn security() -> Value {
    json!({ "BearerToken": {
        "type": "apiKey",
        "name": "authorization",
        "in": "header",
        "description": "Bearer Token authentication",
    } })
}

fn to_bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// A JSON object that is written field by field.
struct Object {
    bytes: Vec<u8>,
    empty: bool,
}

impl Object {
    fn open(mut bytes: Vec<u8>) -> Self {
        bytes.push(b'{');
        Self { bytes, empty: true }
    }

    fn write_key(&mut self, key: &str) {
        if !self.empty {
            self.bytes.push(b',');
        }
        self.empty = false;
        self.bytes.extend(Value::from(key).to_string().into_bytes());
        self.bytes.push(b':');
    }

    /// Begins a field and hands out the buffer for its value; it is to be given back.
    fn key(&mut self, key: &str) -> Vec<u8> {
        self.write_key(key);
        std::mem::take(&mut self.bytes)
    }

    fn value(&mut self, key: &str, value: &Value) {
        self.write_key(key);
        self.bytes.extend(to_bytes(value));
    }

    fn entries(&mut self, key: &str, entries: impl Iterator<Item = (String, Value)>) {
        let mut inner = Self::open(self.key(key));
        for (key, value) in entries {
            inner.value(&key, &value);
        }
        self.bytes = inner.close();
    }

    fn close(mut self) -> Vec<u8> {
        self.bytes.push(b'}');
        self.bytes
    }
}

#[cfg(test)]
mod tests;
