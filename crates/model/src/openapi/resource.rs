//! The operations of one resource in one version: which there are, and what they are called.

use super::naming::{upper_first, with_article};
use super::operations::{Body, META, Operation};
use crate::resource::{GroupVersionKind, Resource, Subresource, SubresourceKind, Text, Version};
use crate::schema::Schema;

pub(super) const OK: &[(&str, &str)] = &[("200", "OK")];
const OK_CREATED: &[(&str, &str)] = &[("200", "OK"), ("201", "Created")];
const OK_ACCEPTED: &[(&str, &str)] = &[("200", "OK"), ("202", "Accepted")];
const ALL: &[(&str, &str)] = &[("200", "OK"), ("201", "Created"), ("202", "Accepted")];

pub(super) const OBJECT_TYPES: [&str; 2] = ["application/json", "application/yaml"];

const LIST_TYPES: [&str; 3] = [
    "application/json",
    "application/yaml",
    "application/json;stream=watch",
];

/// The names that go into the operations of one resource in one version.
pub(super) struct Names<'a> {
    pub(super) resource: &'a Resource,
    pub(super) version: &'a Version,
    /// `AppsV1`.
    pub(super) group_version: String,
    /// `apps_v1`.
    pub(super) tag: String,
    /// `Namespaced` or nothing.
    pub(super) scope: &'static str,
}

impl Names<'_> {
    pub(super) fn has(&self, verb: &str) -> bool {
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

    pub(super) fn list(&self, everywhere: bool) -> Operation<'_> {
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

    pub(super) fn collection(&self) -> Vec<(&'static str, Operation<'_>)> {
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

    pub(super) fn item(&self) -> Vec<(&'static str, Operation<'_>)> {
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
        verbs: &[Text],
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

    pub(super) fn subresource(
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

/// The type that is served as `kind`.
fn type_of(schema: &Schema, kind: &GroupVersionKind) -> Option<String> {
    schema
        .types()
        .iter()
        .find(|t| t.kinds.contains(kind))
        .map(|t| t.name.clone().into_owned())
}
