//! A cluster in memory that does what the scheduler needs of one, and fails when told to.

use bytes::Bytes;
use cluster_api::{
    Change, Cluster, DeleteOptions, List, PatchType, ResourceRef, Result, Selection,
};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, unfold};
use model::status::Status;
use model::{Value, meta};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Resource, namespace and name.
type Key = (String, String, String);

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    /// Every change, the resource version being its place, counted from one.
    history: Vec<(String, Change)>,
    /// What the next requests of a kind (`create pods/binding`) come to.
    failures: BTreeMap<String, Vec<Status>>,
    /// Every writing request.
    requests: Vec<String>,
    /// How long a kind of request takes.
    delays: BTreeMap<String, Duration>,
}

/// The cluster.
pub(super) struct FakeCluster {
    state: Arc<Mutex<State>>,
    revision: watch::Sender<usize>,
}

impl Default for FakeCluster {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            revision: watch::Sender::new(0),
        }
    }
}

fn plural(object: &Value) -> String {
    let kind = meta::text(object, &["kind"]).to_lowercase();
    let end = if kind.ends_with('s') { "es" } else { "s" };
    format!("{kind}{end}")
}

fn bytes(object: &Value) -> Bytes {
    object.to_string().into()
}

impl FakeCluster {
    /// Somebody writes an object.
    pub(super) fn put(&self, mut object: Value) {
        let mut state = self.state.lock();
        let revision = state.history.len() + 1;
        meta::set(
            &mut object,
            &["metadata", "resourceVersion"],
            revision.to_string(),
        );
        let resource = plural(&object);
        let namespace = meta::namespace(&object).to_owned();
        let key = (resource.clone(), namespace, meta::name(&object).to_owned());
        let change = match state.objects.insert(key, object.clone()) {
            Some(_) => Change::Modified(bytes(&object)),
            None => Change::Added(bytes(&object)),
        };
        state.history.push((resource, change));
        drop(state);
        self.revision.send_replace(revision);
    }

    /// Somebody takes an object away.
    pub(super) fn remove(&self, resource: &str, name: &str) {
        let mut state = self.state.lock();
        let namespace = if resource == "nodes" { "" } else { "n" };
        let key = (resource.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = state.objects.remove(&key) else {
            return;
        };
        let revision = state.history.len() + 1;
        meta::set(
            &mut object,
            &["metadata", "resourceVersion"],
            revision.to_string(),
        );
        state
            .history
            .push((resource.to_owned(), Change::Deleted(bytes(&object))));
        drop(state);
        self.revision.send_replace(revision);
    }

    /// The next request of the kind comes to this.
    pub(super) fn fail(&self, request: &str, status: Status) {
        let mut state = self.state.lock();
        state
            .failures
            .entry(request.to_owned())
            .or_default()
            .push(status);
    }

    /// Requests of the kind take so long.
    pub(super) fn delay(&self, request: &str, time: Duration) {
        self.state.lock().delays.insert(request.to_owned(), time);
    }

    pub(super) fn pod(&self, name: &str) -> Option<Value> {
        let key = ("pods".to_owned(), "n".to_owned(), name.to_owned());
        self.state.lock().objects.get(&key).cloned()
    }

    /// An object; null if there is none.
    pub(super) fn object(&self, resource: &str, namespace: &str, name: &str) -> Value {
        let found = self.find(resource, Some(namespace), name);
        found.unwrap_or_default()
    }

    /// The node that a pod has; empty if none.
    pub(super) fn node_of(&self, name: &str) -> String {
        let pod = self.pod(name).unwrap_or_default();
        meta::text(&pod, &["spec", "nodeName"]).to_owned()
    }

    /// A condition of a pod as `status reason: message`.
    pub(super) fn condition(&self, name: &str, kind: &str) -> String {
        let pod = self.pod(name).unwrap_or_default();
        let conditions = meta::list(&pod, &["status", "conditions"]);
        let found = conditions.iter().find(|c| meta::text(c, &["type"]) == kind);
        let text = |field| found.map_or("", |condition| meta::text(condition, &[field]));
        format!("{} {}: {}", text("status"), text("reason"), text("message"))
    }

    /// All events.
    pub(super) fn events(&self) -> Vec<Value> {
        let state = self.state.lock();
        let events = state.objects.iter().filter(|(key, _)| key.0 == "events");
        events.map(|(_, event)| event.clone()).collect()
    }

    /// Every writing request but those of events, and forgets them.
    pub(super) fn requests(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().requests);
        let is_event = |request: &String| request.contains(" events ");
        requests.into_iter().filter(|r| !is_event(r)).collect()
    }

    async fn begin(&self, verb: &str, resource: &ResourceRef, name: &str) -> Result<()> {
        let kind = format!("{verb} {}", resource.resource);
        let delay = self.state.lock().delays.get(&kind).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.state.lock();
        state.requests.push(format!("{kind} {name}"));
        match state.failures.get_mut(&kind).filter(|all| !all.is_empty()) {
            Some(failures) => Err(failures.remove(0)),
            None => Ok(()),
        }
    }

    fn find(&self, resource: &str, namespace: Option<&str>, name: &str) -> Result<Value> {
        let resource = resource.split('/').next().unwrap_or_default();
        let namespace = namespace.unwrap_or_default().to_owned();
        let key = (resource.to_owned(), namespace, name.to_owned());
        let found = self.state.lock().objects.get(&key).cloned();
        found.ok_or_else(|| Status::not_found("", resource, name))
    }
}

/// Merges what a strategic patch of a status or an event says.
fn merge(object: &mut Value, patch: &Value) {
    let (Some(object), Some(patch)) = (object.as_object_mut(), patch.as_object()) else {
        return;
    };
    for (key, value) in patch {
        if key.starts_with('$') {
            continue;
        }
        let place = object.entry(key).or_insert(Value::Null);
        match value {
            Value::Null => *place = Value::Null,
            Value::Object(_) => {
                if !place.is_object() {
                    *place = Value::Object(serde_json::Map::new());
                }
                merge(place, value);
            }
            Value::Array(items) if key == "conditions" => {
                let mut all = place.as_array().cloned().unwrap_or_default();
                for item in items {
                    let kind = item.get("type");
                    match all.iter_mut().find(|old| old.get("type") == kind) {
                        Some(old) => merge(old, item),
                        None => all.push(item.clone()),
                    }
                }
                *place = all.into();
            }
            other => *place = other.clone(),
        }
    }
}

impl Cluster for FakeCluster {
    fn get<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Bytes>> {
        let found = self.find(&resource.resource, namespace, name);
        Box::pin(async move { found.map(|object| bytes(&object)) })
    }

    fn list<'a>(
        &'a self,
        resource: &'a ResourceRef,
        _namespace: Option<&'a str>,
        _selection: &'a Selection,
    ) -> BoxFuture<'a, Result<List>> {
        let state = self.state.lock();
        let objects = state.objects.iter();
        let here = objects.filter(|(key, _)| key.0 == resource.resource);
        let list = List {
            items: here.map(|(_, object)| bytes(object)).collect(),
            resource_version: state.history.len().to_string(),
        };
        Box::pin(async move { Ok(list) })
    }

    fn watch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        _namespace: Option<&'a str>,
        _selection: &'a Selection,
        resource_version: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Change>>>> {
        let start = resource_version.parse::<usize>();
        let (state, revisions) = (Arc::clone(&self.state), self.revision.subscribe());
        let resource = resource.resource.clone();
        Box::pin(async move {
            let start = start.map_err(Status::internal)?;
            let changes = unfold((start, revisions), move |(mut at, mut revisions)| {
                let (state, resource) = (Arc::clone(&state), resource.clone());
                async move {
                    loop {
                        revisions.borrow_and_update();
                        let next = state.lock().history.get(at).cloned();
                        match next {
                            Some((of, change)) => {
                                at += 1;
                                if of == resource {
                                    return Some((Ok(change), (at, revisions)));
                                }
                            }
                            None => revisions.changed().await.ok()?,
                        }
                    }
                }
            });
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
        Box::pin(async move {
            let about = name.unwrap_or_else(|| meta::name(&object));
            self.begin("create", resource, about).await?;
            if resource.resource != "pods/binding" {
                self.put(object.clone());
                return Ok(object);
            }
            let mut pod = self.find("pods", namespace, about)?;
            let node = meta::text(&object, &["target", "name"]);
            let taken = meta::text(&pod, &["spec", "nodeName"]);
            if !taken.is_empty() {
                let why = format!("pod {about} is already assigned to node \"{taken}\"");
                return Err(Status::conflict("", "pods/binding", about, why));
            }
            meta::set(&mut pod, &["spec", "nodeName"], node);
            self.put(pod);
            Ok(object)
        })
    }

    fn update<'a>(
        &'a self,
        _resource: &'a ResourceRef,
        _namespace: Option<&'a str>,
        object: Value,
    ) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move { Ok(object) })
    }

    fn patch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        patch: Value,
        _kind: PatchType,
    ) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            self.begin("patch", resource, name).await?;
            let mut object = self.find(&resource.resource, namespace, name)?;
            merge(&mut object, &patch);
            self.put(object.clone());
            Ok(object)
        })
    }

    fn delete<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        _options: DeleteOptions,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.begin("delete", resource, name).await?;
            let mut object = self.find(&resource.resource, namespace, name)?;
            meta::set(
                &mut object,
                &["metadata", "deletionTimestamp"],
                "2030-01-01T00:00:00Z",
            );
            self.put(object);
            Ok(())
        })
    }

    fn resources(&self) -> BoxFuture<'_, Result<Vec<(ResourceRef, bool)>>> {
        Box::pin(async move { Ok(Vec::new()) })
    }
}
