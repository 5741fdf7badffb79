//! The garbage collector: a graph of who owns whom, kept from every resource's events. Only
//! objects with owners are held, so that its memory follows their number.

use crate::queue::Queue;
use crate::runtime::{Resolve, execute, pause};
use bytes::Bytes;
use cluster_api::{Cluster, ResourceRef, Selection, Update, follow};
use futures::stream::{SelectAll, StreamExt};
use model::Value;
use model::resource::split_api_version;
use model::status::Status;
use reconcile::garbage::{self, Dependent, FOREGROUND, ORPHAN, OwnerState};
use reconcile::{Action, Target};
use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

type Uid = String;

/// What the collector reads of an object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    metadata: Meta,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Meta {
    name: String,
    namespace: String,
    uid: Uid,
    resource_version: String,
    deletion_timestamp: String,
    finalizers: Vec<String>,
    owner_references: Vec<Value>,
}

impl Meta {
    fn parse(object: &Bytes) -> Option<Self> {
        serde_json::from_slice::<Object>(object)
            .ok()
            .map(|o| o.metadata)
    }

    fn owners(&self) -> impl Iterator<Item = &str> {
        self.owner_references.iter().map(|r| text(r, "uid"))
    }

    fn waits(&self) -> bool {
        !self.deletion_timestamp.is_empty()
            && self
                .finalizers
                .iter()
                .any(|f| f == FOREGROUND || f == ORPHAN)
    }
}

fn text<'a>(reference: &'a Value, key: &str) -> &'a str {
    reference
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// An object with owners.
#[derive(Debug, Clone)]
struct Owned {
    target: Target,
    owners: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Work {
    /// Look whether an object still has an owner.
    Dependent(Uid),
    /// Look whether an owner that is being deleted may go.
    Owner(Target, Uid),
}

#[derive(Default)]
struct Graph {
    owned: HashMap<Uid, Owned>,
    dependents: HashMap<Uid, HashSet<Uid>>,
    /// Owners that wait for their dependents, or for these to be orphaned.
    waiting: HashMap<Uid, Target>,
}

impl Graph {
    fn applied(&mut self, target: Target, meta: &Meta, queue: &Queue<Work>) {
        let uid = &meta.uid;
        let known = self
            .owned
            .get(uid)
            .is_some_and(|o| o.owners == meta.owner_references);
        if !known {
            self.unlink(uid);
            for owner in meta.owners() {
                self.dependents
                    .entry(owner.to_owned())
                    .or_default()
                    .insert(uid.clone());
            }
            if !meta.owner_references.is_empty() {
                let owned = Owned {
                    target: target.clone(),
                    owners: meta.owner_references.clone(),
                };
                self.owned.insert(uid.clone(), owned);
                queue.add(Work::Dependent(uid.clone()));
            }
        }
        if meta.waits() {
            self.waiting.insert(uid.clone(), target.clone());
            queue.add(Work::Owner(target, uid.clone()));
        } else {
            self.waiting.remove(uid);
        }
    }

    fn deleted(&mut self, uid: &str, queue: &Queue<Work>) {
        self.waiting.remove(uid);
        for owner in self.unlink(uid) {
            if let Some(target) = self.waiting.get(&owner) {
                queue.add(Work::Owner(target.clone(), owner));
            }
        }
        for dependent in self.dependents.get(uid).into_iter().flatten() {
            queue.add(Work::Dependent(dependent.clone()));
        }
    }

    /// Forgets what `uid` belongs to, and says to whom it belonged.
    fn unlink(&mut self, uid: &str) -> Vec<Uid> {
        let Some(owned) = self.owned.remove(uid) else {
            return Vec::new();
        };
        let owners: Vec<Uid> = owned
            .owners
            .iter()
            .map(|r| text(r, "uid").to_owned())
            .collect();
        for owner in &owners {
            if let Some(set) = self.dependents.get_mut(owner) {
                set.remove(uid);
                if set.is_empty() {
                    self.dependents.remove(owner);
                }
            }
        }
        owners
    }

    /// The dependents whose references keep their owner from going first.
    fn blocking(&self, owner: &str) -> bool {
        self.dependents.get(owner).into_iter().flatten().any(|uid| {
            self.owned.get(uid).is_some_and(|owned| {
                owned.owners.iter().any(|r| {
                    text(r, "uid") == owner
                        && r.get("blockOwnerDeletion").and_then(Value::as_bool) == Some(true)
                })
            })
        })
    }
}

/// Runs for ever.
pub(crate) async fn run(cluster: Arc<dyn Cluster>, resolve: Resolve) {
    let resources = loop {
        match cluster.resources().await {
            Ok(resources) => break resources,
            Err(status) => tracing::warn!(%status, "cannot learn what there is to collect"),
        }
        pause()(4).await;
    };
    let mut updates = SelectAll::new();
    for (resource, _) in resources {
        let reference = resource.clone();
        let stream = follow(
            Arc::clone(&cluster),
            resource,
            None,
            Selection::default(),
            pause(),
        );
        updates.push(Box::pin(
            stream.map(move |update| (reference.clone(), update)),
        ));
    }
    let queue = Queue::default();
    let mut graph = Graph::default();
    loop {
        tokio::select! {
            biased;
            Some((resource, update)) = updates.next() => {
                observe(&mut graph, &resource, update, &queue);
            }
            work = queue.next() => {
                let result = match &work {
                    Work::Dependent(uid) => {
                        dependent(cluster.as_ref(), &resolve, &graph, uid).await
                    }
                    Work::Owner(target, uid) => {
                        owner(cluster.as_ref(), &graph, target, uid, &queue).await
                    }
                };
                match result {
                    Ok(()) => queue.forget(&work),
                    Err(status) => {
                        tracing::debug!(%status, ?work, "will try again");
                        queue.retry(work);
                    }
                }
            }
        }
    }
}

fn observe(graph: &mut Graph, resource: &ResourceRef, update: Update, queue: &Queue<Work>) {
    let target = |meta: &Meta| Target {
        group: resource.group.clone(),
        version: resource.version.clone(),
        resource: resource.resource.clone(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
    };
    match update {
        Update::Reset(items) => {
            let metas: Vec<Meta> = items.iter().filter_map(Meta::parse).collect();
            let there: HashSet<&str> = metas.iter().map(|m| m.uid.as_str()).collect();
            let gone: Vec<Uid> = graph
                .owned
                .iter()
                .filter(|(uid, owned)| {
                    owned.target.group == resource.group
                        && owned.target.resource == resource.resource
                        && !there.contains(uid.as_str())
                })
                .map(|(uid, _)| uid.clone())
                .collect();
            gone.iter().for_each(|uid| graph.deleted(uid, queue));
            // Owners may have gone unseen: look at every dependent again.
            graph
                .owned
                .keys()
                .for_each(|uid| queue.add(Work::Dependent(uid.clone())));
            metas
                .iter()
                .for_each(|meta| graph.applied(target(meta), meta, queue));
        }
        Update::Applied(object) => {
            if let Some(meta) = Meta::parse(&object) {
                graph.applied(target(&meta), &meta, queue);
            }
        }
        Update::Deleted(object) => {
            if let Some(meta) = Meta::parse(&object) {
                graph.deleted(&meta.uid, queue);
            }
        }
        Update::Trouble(status) => {
            tracing::warn!(%status, resource = resource.resource, "cannot follow");
        }
    }
}

/// The object at `target` as it is now, if it still has that UID.
async fn live(cluster: &dyn Cluster, target: &Target, uid: &str) -> Result<Option<Meta>, Status> {
    let resource = ResourceRef::new(&target.group, &target.version, &target.resource);
    let namespace = (!target.namespace.is_empty()).then_some(target.namespace.as_str());
    match cluster.get(&resource, namespace, &target.name).await {
        Ok(object) => Ok(Meta::parse(&object).filter(|meta| meta.uid == uid)),
        Err(status) if status.is_not_found() => Ok(None),
        Err(status) => Err(status),
    }
}

async fn owner_state(
    cluster: &dyn Cluster,
    resolve: &Resolve,
    dependent: &Target,
    reference: &Value,
) -> Result<OwnerState, Status> {
    let (group, version) = split_api_version(text(reference, "apiVersion"));
    let Some((resource, namespaced)) = resolve(group, version, text(reference, "kind")) else {
        return Ok(OwnerState::Unknown);
    };
    if namespaced && dependent.namespace.is_empty() {
        // A cluster-scoped object cannot belong to a namespaced one.
        return Ok(OwnerState::Unknown);
    }
    let target = Target {
        group: resource.group,
        version: resource.version,
        resource: resource.resource,
        namespace: if namespaced {
            dependent.namespace.clone()
        } else {
            String::new()
        },
        name: text(reference, "name").to_owned(),
    };
    Ok(
        match live(cluster, &target, text(reference, "uid")).await? {
            None => OwnerState::Absent,
            Some(meta)
                if !meta.deletion_timestamp.is_empty()
                    && meta.finalizers.iter().any(|f| f == FOREGROUND) =>
            {
                OwnerState::Waiting
            }
            Some(_) => OwnerState::Solid,
        },
    )
}

async fn dependent(
    cluster: &dyn Cluster,
    resolve: &Resolve,
    graph: &Graph,
    uid: &str,
) -> Result<(), Status> {
    let Some(owned) = graph.owned.get(uid) else {
        return Ok(());
    };
    let Some(meta) = live(cluster, &owned.target, uid).await? else {
        return Ok(());
    };
    let mut owners = Vec::new();
    for reference in &meta.owner_references {
        let state = owner_state(cluster, resolve, &owned.target, reference).await?;
        owners.push((reference.clone(), state));
    }
    let decided = garbage::collect(&view(owned, &meta, &owners, graph.blocking(uid)));
    execute(cluster, decided.into_iter().collect()).await
}

fn view<'a>(
    owned: &Owned,
    meta: &'a Meta,
    owners: &'a [(Value, OwnerState)],
    blocked: bool,
) -> Dependent<'a> {
    Dependent {
        target: owned.target.clone(),
        uid: &meta.uid,
        resource_version: &meta.resource_version,
        deleting: !meta.deletion_timestamp.is_empty(),
        finalizers: &meta.finalizers,
        owners,
        blocked,
    }
}

async fn owner(
    cluster: &dyn Cluster,
    graph: &Graph,
    target: &Target,
    uid: &str,
    queue: &Queue<Work>,
) -> Result<(), Status> {
    let Some(meta) = live(cluster, target, uid).await?.filter(Meta::waits) else {
        return Ok(());
    };
    let dependents: Vec<Uid> = graph
        .dependents
        .get(uid)
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let has = |finalizer: &str| meta.finalizers.iter().any(|f| f == finalizer);
    let release = |finalizer: &str| -> Action {
        garbage::release(
            target.clone(),
            &meta.resource_version,
            &meta.finalizers,
            finalizer,
        )
    };
    if has(ORPHAN) {
        for dependent in &dependents {
            let Some(owned) = graph.owned.get(dependent) else {
                continue;
            };
            let Some(live) = live(cluster, &owned.target, dependent).await? else {
                continue;
            };
            let owners: Vec<_> = live
                .owner_references
                .iter()
                .map(|r| (r.clone(), OwnerState::Solid))
                .collect();
            let action = garbage::orphan(&view(owned, &live, &owners, false), uid);
            execute(cluster, action.into_iter().collect()).await?;
        }
        return execute(cluster, vec![release(ORPHAN)]).await;
    }
    if graph.blocking(uid) {
        dependents
            .into_iter()
            .for_each(|d| queue.add(Work::Dependent(d)));
        return Ok(());
    }
    execute(cluster, vec![release(FOREGROUND)]).await
}
