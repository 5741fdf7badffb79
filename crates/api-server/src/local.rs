//! The cluster as controllers in this process see it: the same authorization, admission, audit
//! and handlers as for a request from outside, without connections and encodings.

use crate::auditing::{self, Facts, Record};
use crate::authorization::{attributes, require};
use crate::context::{BodySource, Context};
use crate::handlers;
use crate::query::Query;
use crate::reply::{Notice, Object, Reply, Watch};
use crate::request_info::RequestInfo;
use crate::server::Server;
use bytes::Bytes;
use cluster_api::{
    Change, Cluster, DeleteOptions, List, PatchType, ResourceRef, Result, Selection,
};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::Value;
use model::selector::FieldSelector;
use model::status::Status;
use model::user::UserInfo;
use serde_json::json;
use std::sync::Arc;

/// The cluster as one user of this process sees it.
pub struct LocalCluster {
    server: Arc<Server>,
    user: UserInfo,
    program: String,
}

/// A call: what is asked, with which parameters and body.
struct Call {
    info: RequestInfo,
    query: Query,
    content_type: &'static str,
    body: BodySource,
}

impl LocalCluster {
    /// The cluster as `user` sees it. `program` is the field manager of what is written.
    pub fn new(server: Arc<Server>, user: UserInfo, program: &str) -> Self {
        Self {
            server,
            user,
            program: program.to_owned(),
        }
    }

    async fn run(&self, call: Call) -> Result<(Reply, Record)> {
        let server = &*self.server;
        let info = call.info;
        let facts = Facts {
            id: uuid::Uuid::new_v4().hyphenated().to_string(),
            uri: info.path.clone(),
            sources: Vec::new(),
            user_agent: self.program.clone(),
            at: auditing::now(),
        };
        let mut record = Record::begin(server, &facts, &self.user, &info);
        let answer = require(server.authorizer(), &attributes(&self.user, &info));
        record.authorized(server, &facts, (&self.user, None), &info, &answer);
        if let Err(status) = answer {
            record.answered(status.code, Some(&status));
            return Err(status);
        }
        let mut ctx = Context {
            info,
            query: call.query,
            user: self.user.clone(),
            content_type: call.content_type.to_owned(),
            user_agent: self.program.clone(),
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
            request_body: None,
        };
        let result = handlers::dispatch(server, &mut ctx, call.body).await;
        record.handled(&ctx);
        match result {
            Ok(reply) => Ok((reply, record)),
            Err(status) => {
                record.answered(status.code, Some(&status));
                Err(status)
            }
        }
    }

    /// A call whose answer is an object.
    async fn object(&self, call: Call) -> Result<Value> {
        let (reply, record) = self.run(call).await?;
        let (code, value) = match reply {
            Reply::Object {
                code,
                served,
                object,
            } => match object {
                Object::Cached(object) => (code, served.read(&object)?),
                Object::Value(value) => (code, value),
            },
            Reply::Value { code, value } => (code, value),
            _ => return Err(unexpected()),
        };
        record.answered(code, None);
        Ok(value)
    }
}

/// The handlers answer every verb with its own kind of reply.
fn unexpected() -> Status {
    Status::internal("the server answered with something else than was asked for")
}

fn info(
    verb: &'static str,
    resource: &ResourceRef,
    namespace: Option<&str>,
    name: &str,
) -> RequestInfo {
    let (plural, subresource) = resource
        .resource
        .split_once('/')
        .unwrap_or((&resource.resource, ""));
    let mut path = if resource.group.is_empty() {
        format!("/api/{}", resource.version)
    } else {
        format!("/apis/{}/{}", resource.group, resource.version)
    };
    // As in a path, the namespace of a namespace is itself.
    let own = resource.group.is_empty() && plural == "namespaces";
    let namespace = if own {
        name
    } else {
        namespace.unwrap_or_default()
    };
    if !namespace.is_empty() && !own {
        path.push_str("/namespaces/");
        path.push_str(namespace);
    }
    for part in [plural, name, subresource] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    RequestInfo {
        is_resource: true,
        path,
        verb,
        group: resource.group.clone(),
        version: resource.version.clone(),
        namespace: namespace.to_owned(),
        resource: plural.to_owned(),
        subresource: subresource.to_owned(),
        name: name.to_owned(),
        ..RequestInfo::default()
    }
}

fn selecting(mut info: RequestInfo, selection: &Selection) -> RequestInfo {
    if !selection.fields.is_empty() {
        info.field_selector = FieldSelector::parse(&selection.fields).ok();
    }
    info
}

impl Cluster for LocalCluster {
    fn get<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Bytes>> {
        Box::pin(async move {
            let call = Call {
                info: info("get", resource, namespace, name),
                query: Query::default(),
                content_type: "",
                body: BodySource::None,
            };
            let (reply, record) = self.run(call).await?;
            let bytes = match reply {
                Reply::Object { served, object, .. } => match object {
                    Object::Cached(object) => served.bytes(&object)?,
                    Object::Value(value) => value.to_string().into(),
                },
                Reply::Value { value, .. } => value.to_string().into(),
                _ => return Err(unexpected()),
            };
            record.answered(200, None);
            Ok(bytes)
        })
    }

    fn list<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        selection: &'a Selection,
    ) -> BoxFuture<'a, Result<List>> {
        Box::pin(async move {
            let call = Call {
                info: selecting(info("list", resource, namespace, ""), selection),
                query: Query::of([
                    ("labelSelector", &selection.labels),
                    ("fieldSelector", &selection.fields),
                ]),
                content_type: "",
                body: BodySource::None,
            };
            let (Reply::List(list), record) = self.run(call).await? else {
                return Err(unexpected());
            };
            record.answered(200, None);
            let items = list.objects.iter().map(|o| list.served.bytes(o));
            Ok(List {
                items: items.collect::<Result<_>>()?,
                resource_version: list.revision.to_string(),
            })
        })
    }

    fn watch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        selection: &'a Selection,
        resource_version: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Change>>>> {
        Box::pin(async move {
            let call = Call {
                info: selecting(info("watch", resource, namespace, ""), selection),
                query: Query::of([
                    ("labelSelector", &selection.labels),
                    ("fieldSelector", &selection.fields),
                    ("resourceVersion", resource_version),
                    ("allowWatchBookmarks", "true"),
                ]),
                content_type: "",
                body: BodySource::None,
            };
            let (Reply::Watch(watch), mut record) = self.run(call).await? else {
                return Err(unexpected());
            };
            record.started();
            let Watch {
                served, notices, ..
            } = watch;
            let changes = notices
                .map(move |batch| {
                    // The record ends with the stream.
                    let _ = &record;
                    let changes: Vec<_> = batch
                        .into_iter()
                        .map(|notice| change(&served, notice))
                        .collect();
                    futures::stream::iter(changes)
                })
                .flatten();
            Ok(changes.boxed())
        })
    }

    fn create<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
        object: Value,
    ) -> BoxFuture<'a, Result<Value>> {
        let main = !resource.resource.contains('/');
        let name = name.filter(|_| !main).unwrap_or_default();
        let info = info("create", resource, namespace, name);
        Box::pin(self.object(Call {
            info,
            query: Query::default(),
            content_type: "",
            body: BodySource::Parsed(object),
        }))
    }

    fn update<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        object: Value,
    ) -> BoxFuture<'a, Result<Value>> {
        let info = info("update", resource, namespace, model::meta::name(&object));
        Box::pin(self.object(Call {
            info,
            query: Query::default(),
            content_type: "",
            body: BodySource::Parsed(object),
        }))
    }

    fn patch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        patch: Value,
        kind: PatchType,
    ) -> BoxFuture<'a, Result<Value>> {
        let (content_type, query) = match kind {
            PatchType::Json => ("application/json-patch+json", Query::default()),
            PatchType::Merge => ("application/merge-patch+json", Query::default()),
            PatchType::Strategic => ("application/strategic-merge-patch+json", Query::default()),
            PatchType::Apply { manager, force } => (
                "application/apply-patch+yaml",
                Query::of([
                    ("fieldManager", manager.as_str()),
                    ("force", if force { "true" } else { "" }),
                ]),
            ),
        };
        Box::pin(self.object(Call {
            info: info("patch", resource, namespace, name),
            query,
            content_type,
            body: BodySource::Parsed(patch),
        }))
    }

    fn delete<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        options: DeleteOptions,
    ) -> BoxFuture<'a, Result<()>> {
        let mut body = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
        let mut set = |path: &[&str], value: Option<Value>| {
            if let Some(value) = value {
                model::meta::set(&mut body, path, value);
            }
        };
        set(&["preconditions", "uid"], options.uid.map(Value::from));
        set(
            &["preconditions", "resourceVersion"],
            options.resource_version.map(Value::from),
        );
        set(&["propagationPolicy"], options.propagation.map(Value::from));
        set(
            &["gracePeriodSeconds"],
            options.grace_seconds.map(Value::from),
        );
        let call = Call {
            info: info("delete", resource, namespace, name),
            query: Query::default(),
            content_type: "",
            body: BodySource::Parsed(body),
        };
        Box::pin(async move { self.object(call).await.map(drop) })
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<(ResourceRef, bool)>>> {
        let registry = &self.server.services.registry;
        let all = registry.all().iter().filter_map(|resource| {
            let has = |verb: &str| resource.verbs.iter().any(|v| v == verb);
            let own = std::ptr::eq(
                Arc::as_ptr(registry.stored_as(resource)),
                Arc::as_ptr(resource),
            );
            // Objects that are shown in two places are listed in one.
            (has("list") && has("watch") && own).then(|| {
                let reference =
                    ResourceRef::new(&resource.group, &resource.storage_version, &resource.plural);
                (reference, resource.namespaced())
            })
        });
        let all = all.collect();
        Box::pin(async move { Ok(all) })
    }
}

fn change(served: &crate::served::Served, notice: Notice) -> Result<Change> {
    use crate::cache::EventKind;
    match notice {
        Notice::Initial(object) => Ok(Change::Added(served.bytes(&object)?)),
        Notice::Event(kind, event) => {
            let bytes = served.bytes(event.object_for(kind))?;
            Ok(match kind {
                EventKind::Added => Change::Added(bytes),
                EventKind::Modified => Change::Modified(bytes),
                EventKind::Deleted => Change::Deleted(bytes),
            })
        }
        Notice::Bookmark { revision, .. } => Ok(Change::Bookmark(revision.to_string())),
        Notice::Failed(status) => Err(status),
    }
}
