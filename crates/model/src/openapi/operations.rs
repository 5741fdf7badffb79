//! Paths and operations of resources. kubectl finds out from them what the server supports: it
//! looks for the `dryRun` and `fieldValidation` parameters of a kind's patch operation.

use super::naming::{camel_group, lower_first, upper_first};
use super::resource::{Names, OBJECT_TYPES, OK};
use super::{Dialect, root};
use crate::resource::{GroupVersionKind, Resource};
use crate::schema::{Docs, Schema, Type};
use crate::{Map, Value};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(super) const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

/// The types that a document needs, and its paths.
pub(super) type Paths = (BTreeSet<String>, BTreeMap<String, Value>);

/// Writes operations in a dialect.
pub(super) struct Operations<'a> {
    schema: &'a Schema,
    docs: &'a Docs,
    dialect: Dialect,
}

/// An operation before it is written.
pub(super) struct Operation<'a> {
    pub(super) id: String,
    pub(super) text: String,
    pub(super) tag: &'a str,
    pub(super) action: &'a str,
    pub(super) kind: Option<GroupVersionKind>,
    /// Types of options objects whose fields are query parameters.
    pub(super) options: &'a [&'a str],
    pub(super) body: Option<Body>,
    /// Codes with their texts; all have the same type.
    pub(super) success: &'a [(&'a str, &'a str)],
    pub(super) response: Option<String>,
    pub(super) produces: &'a [&'a str],
}

/// The body of a request.
pub(super) struct Body {
    pub(super) ty: String,
    pub(super) required: bool,
    pub(super) patch: bool,
}

/// The parameters of deletecollection that are those of a list do not include these.
const NOT_FOR_DELETE: [&str; 2] = ["watch", "allowWatchBookmarks"];

impl<'a> Operations<'a> {
    pub(super) fn new(schema: &'a Schema, docs: &'a Docs, dialect: Dialect) -> Self {
        Self {
            schema,
            docs,
            dialect,
        }
    }

    /// `/api/` or `/apis/`.
    pub(super) fn versions(&self, path: &str, id: &str, tag: &str, ty: &str) -> Paths {
        self.discovery(path, id, "get available API versions", tag, ty)
    }

    /// `/apis/GROUP/`.
    pub(super) fn group(&self, group: &str) -> Paths {
        let camel = camel_group(group);
        self.discovery(
            &format!("/apis/{group}/"),
            &format!("get{camel}APIGroup"),
            "get information of a group",
            &lower_first(&camel),
            "APIGroup",
        )
    }

    /// `/version/`.
    pub(super) fn version(&self) -> Paths {
        let ty = "io.k8s.apimachinery.pkg.version.Info".to_owned();
        let get = self.operation(Operation {
            id: "getCodeVersion".to_owned(),
            text: "get the version information for this server".to_owned(),
            tag: "version",
            action: "",
            kind: None,
            options: &[],
            body: None,
            success: OK,
            response: Some(ty.clone()),
            produces: &["application/json"],
        });
        let paths = [("/version/".to_owned(), json!({ "get": get }))].into();
        ([ty].into(), paths)
    }

    fn discovery(&self, path: &str, id: &str, text: &str, tag: &str, ty: &str) -> Paths {
        let ty = format!("{META}.{ty}");
        let get = self.operation(Operation {
            id: id.to_owned(),
            text: text.to_owned(),
            tag,
            action: "",
            kind: None,
            options: &[],
            body: None,
            success: OK,
            response: Some(ty.clone()),
            produces: &OBJECT_TYPES,
        });
        (
            [ty].into(),
            [(path.to_owned(), json!({ "get": get }))].into(),
        )
    }

    /// The paths of a group and version.
    pub(super) fn group_version(
        &self,
        group: &str,
        version: &str,
        resources: impl Iterator<Item = &'a Arc<Resource>>,
    ) -> Paths {
        let camel = camel_group(group);
        let group_version = format!("{camel}{}", upper_first(version));
        let tag = format!("{}_{version}", lower_first(&camel));
        let root = format!("/{}/", root(group, version));
        let (mut types, mut paths) = self.discovery(
            &root,
            &format!("get{group_version}APIResources"),
            "get available resources",
            &tag,
            "APIResourceList",
        );
        for resource in resources {
            let Some(version) = resource.version(version) else {
                continue;
            };
            let names = Names {
                resource,
                version,
                group_version: group_version.clone(),
                tag: tag.clone(),
                scope: if resource.namespaced() {
                    "Namespaced"
                } else {
                    ""
                },
            };
            self.resource(&root, &names, &mut types, &mut paths);
        }
        (types, paths)
    }

    fn resource(
        &self,
        root: &str,
        names: &Names<'_>,
        types: &mut BTreeSet<String>,
        paths: &mut BTreeMap<String, Value>,
    ) {
        let resource = names.resource;
        let namespaced = resource.namespaced();
        let within = if namespaced {
            "namespaces/{namespace}/"
        } else {
            ""
        };
        let collection = format!("{root}{within}{}", resource.plural);
        let item = format!("{collection}/{{name}}");
        let mut add =
            |path: String, operations: Vec<(&'static str, Operation<'_>)>, named: Option<&str>| {
                if operations.is_empty() {
                    return;
                }
                let mut out = Map::new();
                for (method, operation) in operations {
                    types.extend(operation.response.clone());
                    types.extend(operation.body.as_ref().map(|b| b.ty.clone()));
                    out.insert(method.to_owned(), self.operation(operation));
                }
                let scoped = path.contains("{namespace}");
                out.insert("parameters".to_owned(), self.path_parameters(named, scoped));
                paths.insert(path, Value::Object(out));
            };
        add(collection, names.collection(), None);
        if namespaced && names.has("list") {
            let everywhere = format!("{root}{}", resource.plural);
            add(everywhere, vec![("get", names.list(true))], None);
        }
        add(item.clone(), names.item(), Some(&resource.kind));
        for sub in &resource.subresources {
            add(
                format!("{item}/{}", sub.name),
                names.subresource(sub, self.schema),
                Some(sub.body.as_ref().map_or(&*resource.kind, |b| &*b.kind)),
            );
        }
    }

    fn path_parameters(&self, named: Option<&str>, namespaced: bool) -> Value {
        let mut out = Vec::new();
        if let Some(kind) = named {
            let text = format!("name of the {kind}");
            out.push(self.parameter("name", "path", &text, "string"));
        }
        if namespaced {
            let text = "object name and auth scope, such as for teams and projects";
            out.push(self.parameter("namespace", "path", text, "string"));
        }
        let text = "If 'true', then the output is pretty printed.";
        out.push(self.parameter("pretty", "query", text, "string"));
        out.into()
    }

    fn parameter(&self, name: &str, place: &str, text: &str, ty: &str) -> Value {
        let mut out = match self.dialect {
            Dialect::V2 => json!({
                "in": place, "name": name, "type": ty, "uniqueItems": true,
            }),
            Dialect::V3 => json!({
                "in": place, "name": name, "schema": { "type": ty, "uniqueItems": true },
            }),
        };
        if let Some(map) = out.as_object_mut() {
            if place == "path" {
                map.insert("required".to_owned(), true.into());
            }
            if (self.dialect == Dialect::V3 || place == "path") && !text.is_empty() {
                map.insert("description".to_owned(), text.into());
            }
        }
        out
    }

    /// The query parameters that the fields of options types make.
    fn query(&self, options: &[&str]) -> Vec<Value> {
        let mut out = BTreeMap::new();
        let both = options.len() > 1;
        for name in options {
            let name = format!("{META}.{name}");
            let Some(ty) = self.schema.get(&name) else {
                continue;
            };
            let docs = self.docs.get(&name);
            for field in ty.fields() {
                let json = match &field.ty {
                    Type::Bool => "boolean",
                    Type::Int32 | Type::Int64 => "integer",
                    Type::String => "string",
                    Type::List(list) if list.element == Type::String => "string",
                    _ => continue,
                };
                if matches!(&*field.name, "kind" | "apiVersion")
                    || (both && NOT_FOR_DELETE.contains(&&*field.name))
                {
                    continue;
                }
                let text = docs
                    .and_then(|d| d.fields.get(&*field.name))
                    .map_or("", String::as_str);
                let parameter = self.parameter(&field.name, "query", text, json);
                out.insert(field.name.clone(), parameter);
            }
        }
        out.into_values().collect()
    }

    fn reference(&self, ty: &str) -> Value {
        json!({ "$ref": self.dialect.pointer(ty) })
    }

    fn operation(&self, op: Operation<'_>) -> Value {
        let v2 = self.dialect == Dialect::V2;
        let mut out = Map::new();
        out.insert("operationId".to_owned(), op.id.into());
        out.insert("description".to_owned(), op.text.into());
        out.insert("tags".to_owned(), json!([op.tag]));
        let mut parameters = self.query(op.options);
        if let Some(body) = &op.body {
            let media: &[&str] = if body.patch { &PATCH_TYPES } else { &["*/*"] };
            let schema = self.reference(&body.ty);
            if v2 {
                let mut parameter = json!({ "in": "body", "name": "body", "schema": schema });
                if let Some(map) = parameter.as_object_mut().filter(|_| body.required) {
                    map.insert("required".to_owned(), true.into());
                }
                parameters.insert(0, parameter);
                out.insert("consumes".to_owned(), json!(media));
            } else {
                let mut request = json!({ "content": content(media, &schema) });
                if let Some(map) = request.as_object_mut().filter(|_| body.required) {
                    map.insert("required".to_owned(), true.into());
                }
                out.insert("requestBody".to_owned(), request);
            }
        }
        if !parameters.is_empty() {
            out.insert("parameters".to_owned(), parameters.into());
        }
        let schema = match &op.response {
            Some(ty) => self.reference(ty),
            None => json!({ "type": "string" }),
        };
        let mut responses = Map::new();
        for (code, text) in op.success {
            let response = if v2 {
                json!({ "description": text, "schema": schema })
            } else {
                json!({ "description": text, "content": content(op.produces, &schema) })
            };
            responses.insert((*code).to_owned(), response);
        }
        responses.insert("401".to_owned(), json!({ "description": "Unauthorized" }));
        out.insert("responses".to_owned(), responses.into());
        if v2 {
            out.insert("produces".to_owned(), json!(op.produces));
            out.insert("schemes".to_owned(), json!(["https"]));
        }
        if !op.action.is_empty() {
            out.insert("x-kubernetes-action".to_owned(), op.action.into());
        }
        if let Some(kind) = op.kind {
            out.insert(
                "x-kubernetes-group-version-kind".to_owned(),
                json!({ "group": kind.group, "version": kind.version, "kind": kind.kind }),
            );
        }
        Value::Object(out)
    }
}

fn content(media: &[&str], schema: &Value) -> Value {
    media
        .iter()
        .map(|m| ((*m).to_owned(), json!({ "schema": schema })))
        .collect::<Map>()
        .into()
}

impl Body {
    pub(super) fn of(ty: &str) -> Self {
        Self {
            ty: ty.to_owned(),
            required: true,
            patch: false,
        }
    }

    pub(super) fn delete_options() -> Self {
        Self {
            ty: format!("{META}.DeleteOptions"),
            required: false,
            patch: false,
        }
    }
}
