//! Paths and operations of resources. kubectl finds out from them what the server supports: it
//! looks for the `dryRun` and `fieldValidation` parameters of a kind's patch operation.

use super::{Dialect, root};
use crate::resource::{GroupVersionKind, Resource, Subresource, SubresourceKind, Version};
use crate::schema::{Docs, Schema, Type};
use crate::{Map, Value};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

const PATCH_TYPES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

const OBJECT_TYPES: [&str; 2] = ["application/json", "application/yaml"];

const LIST_TYPES: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/json;stream=watch",
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
struct Operation<'a> {
    id: String,
    text: String,
    tag: &'a str,
    action: &'a str,
    kind: Option<GroupVersionKind>,
    /// Types of options objects whose fields are query parameters.
    options: &'a [&'a str],
    body: Option<Body>,
    /// Codes with their texts; all have the same type.
    success: &'a [(&'a str, &'a str)],
    response: Option<String>,
    produces: &'a [&'a str],
}

struct Body {
    ty: String,
    required: bool,
    patch: bool,
}

const OK: &[(&str, &str)] = &[("200", "OK")];
const OK_CREATED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created")];
const OK_ACCEPTED: &[(&str, &str)] = &[("200", "OK"), ("202", "Accepted")];
const ALL: &[(&str, &str)] = &[("200", "OK"), ("201", "Created"), ("202", "Accepted")];

/// The parameters of deletecollection that are those of a list do not include these.
const NOT_FOR_DELETE: [&str; 2] = ["watch", "allowWatchBookmarks"];

/// The names that go into the operations of one resource in one version.
struct Names<'a> {
    resource: &'a Resource,
    version: &'a Version,
    /// `AppsV1`.
    group_version: String,
    /// `apps_v1`.
    tag: String,
    /// `Namespaced` or nothing.
    scope: &'static str,
}

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

impl Names<'_> {
    fn has(&self, verb: &str) -> bool {
        self.resource.verbs.iter().any(|v| v == verb)
    }

    fn kind(&self) -> GroupVersionKind {
        GroupVersionKind {
            group: self.resource.group.clone(),
            version: self.version.name.clone(),
            kind: self.resource.kind.clone(),
        }
    }

    fn list_type(&self) -> String {
        let package = self.version.schema.rsplit_once('.').map_or("", |(p, _)| p);
        format!("{package}.{}", self.resource.list_kind)
    }

    fn id(&self, verb: &str, rest: &str) -> String {
        let kind = &self.resource.kind;
        format!("{verb}{}{}{kind}{rest}", self.group_version, self.scope)
    }

    /// An operation on the resource, with the parts that most have in common.
    fn base<'b>(&'b self, action: &'b str, id: String, text: String) -> Operation<'b> {
        Operation {
            id,
            text,
            tag: &self.tag,
            action,
            kind: Some(self.kind()),
            options: &[],
            body: None,
            success: OK,
            response: Some(self.version.schema.clone().into_owned()),
            produces: &OBJECT_TYPES,
        }
    }

    fn list(&self, everywhere: bool) -> Operation<'_> {
        let kind = &self.resource.kind;
        let id = if everywhere {
            format!("list{}{kind}ForAllNamespaces", self.group_version)
        } else {
            self.id("list", "")
        };
        let what = if self.has("watch") {
            "list or watch"
        } else {
            "list"
        };
        Operation {
            options: &["ListOptions"],
            response: Some(self.list_type()),
            produces: &LIST_TYPES,
            ..self.base("list", id, format!("{what} objects of kind {kind}"))
        }
    }

    fn collection(&self) -> Vec<(&'static str, Operation<'_>)> {
        let kind = &self.resource.kind;
        let mut out = Vec::new();
        if self.has("list") {
            out.push(("get", self.list(false)));
        }
        if self.has("create") {
            let text = format!("create {}", with_article(kind));
            out.push((
                "post",
                Operation {
                    options: &["CreateOptions"],
                    body: Some(Body::of(&self.version.schema)),
                    success: ALL,
                    ..self.base("post", self.id("create", ""), text)
                },
            ));
        }
        if self.has("deletecollection") {
            let id = format!("delete{}Collection{}{kind}", self.group_version, self.scope);
            out.push((
                "delete",
                Operation {
                    options: &["DeleteOptions", "ListOptions"],
                    body: Some(Body::delete_options()),
                    response: Some(format!("{META}.Status")),
                    ..self.base(
                        "deletecollection",
                        id,
                        format!("delete collection of {kind}"),
                    )
                },
            ));
        }
        out
    }

    fn item(&self) -> Vec<(&'static str, Operation<'_>)> {
        let kind = &self.resource.kind;
        let mut out = self.read_write(
            &self.resource.verbs,
            "",
            &format!("the specified {kind}"),
            &self.kind(),
            &self.version.schema,
        );
        if self.has("delete") {
            let text = format!("delete {}", with_article(kind));
            out.push((
                "delete",
                Operation {
                    options: &["DeleteOptions"],
                    body: Some(Body::delete_options()),
                    success: OK_ACCEPTED,
                    response: Some(format!("{META}.Status")),
                    ..self.base("delete", self.id("delete", ""), text)
                },
            ));
        }
        out
    }

    /// Get, put and patch of an object or a subresource.
    fn read_write(
        &self,
        verbs: &[crate::resource::Text],
        suffix: &str,
        what: &str,
        kind: &GroupVersionKind,
        ty: &str,
    ) -> Vec<(&'static str, Operation<'_>)> {
        let has = |verb: &str| verbs.iter().any(|v| v == verb);
        let base = |action, verb, text| Operation {
            kind: Some(kind.clone()),
            response: Some(ty.to_owned()),
            ..self.base(action, self.id(verb, suffix), format!("{text} {what}"))
        };
        let mut out = Vec::new();
        if has("get") {
            out.push(("get", base("get", "read", "read")));
        }
        if has("update") {
            out.push((
                "put",
                Operation {
                    options: &["UpdateOptions"],
                    body: Some(Body::of(ty)),
                    success: OK_CREATED,
                    ..base("put", "replace", "replace")
                },
            ));
        }
        if has("patch") {
            out.push((
                "patch",
                Operation {
                    options: &["PatchOptions"],
                    body: Some(Body {
                        ty: format!("{META}.Patch"),
                        required: true,
                        patch: true,
                    }),
                    success: OK_CREATED,
                    ..base("patch", "patch", "partially update")
                },
            ));
        }
        out
    }

    fn subresource(
        &self,
        sub: &Subresource,
        schema: &Schema,
    ) -> Vec<(&'static str, Operation<'_>)> {
        let parent = &self.resource.kind;
        let suffix = upper_first(&sub.name);
        let kind = sub.body.clone().unwrap_or_else(|| self.kind());
        if sub.kind == SubresourceKind::Connect {
            return self.connect(sub, &suffix, &kind);
        }
        let ty = match &sub.body {
            None => self.version.schema.clone().into_owned(),
            Some(kind) => {
                type_of(schema, kind).unwrap_or_else(|| self.version.schema.clone().into_owned())
            }
        };
        let what = format!("{} of the specified {parent}", sub.name);
        let mut out = self.read_write(&sub.verbs, &suffix, &what, &kind, &ty);
        if sub.verbs.iter().any(|v| v == "create") {
            let text = format!("create {} of {}", sub.name, with_article(parent));
            out.push((
                "post",
                Operation {
                    kind: Some(kind),
                    options: &["CreateOptions"],
                    body: Some(Body::of(&ty)),
                    success: ALL,
                    response: Some(ty.clone()),
                    ..self.base("post", self.id("create", &suffix), text)
                },
            ));
        }
        out
    }

    fn connect(
        &self,
        sub: &Subresource,
        suffix: &str,
        kind: &GroupVersionKind,
    ) -> Vec<(&'static str, Operation<'_>)> {
        const METHODS: [(&str, &str, &str); 5] = [
            ("get", "get", "Get"),
            ("create", "post", "Post"),
            ("update", "put", "Put"),
            ("patch", "patch", "Patch"),
            ("delete", "delete", "Delete"),
        ];
        let parent = &self.resource.kind;
        METHODS
            .into_iter()
            .filter(|(verb, ..)| sub.verbs.iter().any(|v| v == verb))
            .map(|(_, method, word)| {
                if sub.body.is_none() {
                    // No connection, but a read of something that is no object: a pod's log.
                    let text = format!("read {} of the specified {parent}", sub.name);
                    let operation = Operation {
                        response: None,
                        produces: &["text/plain"],
                        ..self.base("get", self.id("read", suffix), text)
                    };
                    return (method, operation);
                }
                let id = format!(
                    "connect{}{word}{}{parent}{suffix}",
                    self.group_version, self.scope
                );
                let text = format!(
                    "connect {} requests to {} of {parent}",
                    method.to_uppercase(),
                    sub.name
                );
                let operation = Operation {
                    kind: Some(kind.clone()),
                    response: None,
                    produces: &["*/*"],
                    ..self.base("connect", id, text)
                };
                (method, operation)
            })
            .collect()
    }
}

impl Body {
    fn of(ty: &str) -> Self {
        Self {
            ty: ty.to_owned(),
            required: true,
            patch: false,
        }
    }

    fn delete_options() -> Self {
        Self {
            ty: format!("{META}.DeleteOptions"),
            required: false,
            patch: false,
        }
    }
}

/// The type that is served as `kind`.
fn type_of(schema: &Schema, kind: &GroupVersionKind) -> Option<String> {
    schema
        .types()
        .iter()
        .find(|t| t.kinds.contains(kind))
        .map(|t| t.name.clone().into_owned())
}

fn with_article(noun: &str) -> String {
    // Kinds that are plural have none.
    let article = match noun.as_bytes() {
        [.., b's'] if !noun.ends_with("ss") => "",
        [b'A' | b'E' | b'I' | b'O' | b'U', ..] => "an ",
        _ => "a ",
    };
    format!("{article}{noun}")
}

/// `RbacAuthorization` for `rbac.authorization.k8s.io`, `Core` for the core group.
fn camel_group(group: &str) -> String {
    if group.is_empty() {
        return "Core".to_owned();
    }
    let group = group.strip_suffix(".k8s.io").unwrap_or(group);
    group.split('.').map(upper_first).collect()
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}
