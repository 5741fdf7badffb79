//! The namespace controller: empties namespaces that are being deleted.

use crate::queue::Queue;
use crate::runtime::{execute, follow_core, now};
use cluster_api::{Cluster, DeleteOptions, Head, ResourceRef, Selection, Update};
use futures::StreamExt;
use model::status::{Status, qualified};
use reconcile::namespace::{Remains, is_ours, reconcile};
use std::sync::Arc;

/// Runs for ever.
pub(crate) async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>) {
    let queue = Queue::default();
    let mut namespaces = Box::pin(follow_core(&reader, "namespaces", ""));
    loop {
        tokio::select! {
            Some(update) = namespaces.next() => {
                let objects = match update {
                    Update::Reset(items) => items,
                    Update::Applied(object) => vec![object],
                    Update::Deleted(_) => Vec::new(),
                    Update::Trouble(status) => {
                        tracing::warn!(%status, "cannot follow namespaces");
                        Vec::new()
                    }
                };
                objects
                    .iter()
                    .filter_map(|object| Head::parse(object).ok())
                    .filter(|head| !head.metadata.deletion_timestamp.is_empty())
                    .for_each(|head| queue.add(head.metadata.name));
            }
            name = queue.next() => match empty(cluster.as_ref(), &name).await {
                Ok(true) => queue.forget(&name),
                Ok(false) => queue.retry(name),
                Err(status) => {
                    tracing::debug!(%status, namespace = name, "will try again");
                    queue.retry(name);
                }
            },
        }
    }
}

/// Deletes what is in the namespace; true once nothing is left to do.
async fn empty(cluster: &dyn Cluster, name: &str) -> Result<bool, Status> {
    let object = match cluster
        .get(&ResourceRef::core("namespaces"), None, name)
        .await
    {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(Status::internal)?,
        Err(status) if status.is_not_found() => return Ok(true),
        Err(status) => return Err(status),
    };
    if !is_ours(&object) {
        return Ok(true);
    }
    let mut remains = Remains::default();
    for (resource, namespaced) in cluster.resources().await? {
        if namespaced {
            delete_all(cluster, &resource, name, &mut remains).await;
        }
    }
    let done = remains.is_empty();
    match execute(cluster, reconcile(&object, &remains, &now())).await {
        // Somebody else wrote the namespace in between: look again.
        Err(status) if status.is_conflict() => Ok(false),
        Err(status) if status.is_not_found() => Ok(true),
        other => other.map(|()| done),
    }
}

/// Deletes every object of a resource in the namespace and notes what is left.
async fn delete_all(
    cluster: &dyn Cluster,
    resource: &ResourceRef,
    namespace: &str,
    remains: &mut Remains,
) {
    let name = qualified(&resource.group, &resource.resource);
    let found = heads(cluster, resource, namespace, remains).await;
    if found.is_empty() {
        return;
    }
    for meta in found.into_iter().map(|head| head.metadata) {
        if !meta.deletion_timestamp.is_empty() {
            continue;
        }
        let options = DeleteOptions {
            uid: Some(meta.uid),
            propagation: Some("Background"),
            ..DeleteOptions::default()
        };
        match cluster
            .delete(resource, Some(namespace), &meta.name, options)
            .await
        {
            Err(status) if !status.is_not_found() && !status.is_conflict() => {
                remains
                    .failures
                    .push(format!("{name} {:?}: {status}", meta.name));
            }
            _ => (),
        }
    }
    let left = heads(cluster, resource, namespace, remains).await;
    if left.is_empty() {
        return;
    }
    remains.objects.insert(name, left.len() as u64);
    for finalizer in left.into_iter().flat_map(|head| head.metadata.finalizers) {
        *remains.finalizers.entry(finalizer).or_default() += 1;
    }
}

async fn heads(
    cluster: &dyn Cluster,
    resource: &ResourceRef,
    namespace: &str,
    remains: &mut Remains,
) -> Vec<Head> {
    match cluster
        .list(resource, Some(namespace), &Selection::default())
        .await
    {
        Ok(list) => list
            .items
            .iter()
            .filter_map(|object| Head::parse(object).ok())
            .collect(),
        Err(status) => {
            let name = qualified(&resource.group, &resource.resource);
            remains.undiscovered.push(format!("{name}: {status}"));
            Vec::new()
        }
    }
}
