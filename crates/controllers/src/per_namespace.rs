//! The controllers that keep one object in every namespace: the default service account and the
//! config map with the cluster's CA.

use crate::queue::Queue;
use crate::runtime::{execute, follow_core, get};
use cluster_api::{Cluster, Head, Update};
use futures::StreamExt;
use model::meta;
use model::status::Status;
use reconcile::root_ca;
use std::sync::Arc;

/// Which namespace an object is in (or is), for objects this cares about.
fn changed(update: &Update, of: impl Fn(&Head) -> String) -> Vec<String> {
    match update {
        Update::Reset(items) => items
            .iter()
            .filter_map(|i| Head::parse(i).ok())
            .map(|h| of(&h))
            .collect(),
        Update::Applied(object) | Update::Deleted(object) => Head::parse(object)
            .ok()
            .map(|h| of(&h))
            .into_iter()
            .collect(),
        Update::Trouble(status) => {
            tracing::warn!(%status, "cannot follow");
            Vec::new()
        }
    }
}

/// The object that every namespace has.
enum Kept {
    Account,
    RootCa(Arc<str>),
}

impl Kept {
    fn address(&self) -> (&'static str, &'static str) {
        match self {
            Self::Account => ("serviceaccounts", "default"),
            Self::RootCa(_) => ("configmaps", root_ca::NAME),
        }
    }

    async fn reconcile(
        &self,
        reader: &dyn Cluster,
        cluster: &dyn Cluster,
        namespace: &str,
    ) -> Result<(), Status> {
        let active = active(reader, namespace).await?;
        let (resource, name) = self.address();
        let current = get(reader, resource, Some(namespace), name).await?;
        let actions = match self {
            Self::Account => {
                reconcile::service_account::reconcile(namespace, active, current.is_some())
            }
            Self::RootCa(certificate) => {
                root_ca::reconcile(namespace, active, current.as_ref(), certificate)
            }
        };
        execute(cluster, actions).await
    }
}

/// Looks at a namespace whenever it or the object in it changed.
async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>, kept: Kept) {
    let queue = Queue::default();
    let (resource, name) = kept.address();
    let mut namespaces = Box::pin(follow_core(&reader, "namespaces", ""));
    let field = format!("metadata.name={name}");
    let mut objects = Box::pin(follow_core(&reader, resource, &field));
    loop {
        tokio::select! {
            Some(update) = namespaces.next() => {
                changed(&update, |h| h.metadata.name.clone()).into_iter().for_each(|n| queue.add(n));
            }
            Some(update) = objects.next() => {
                changed(&update, |h| h.metadata.namespace.clone())
                    .into_iter()
                    .for_each(|n| queue.add(n));
            }
            namespace = queue.next() => match kept.reconcile(reader.as_ref(), cluster.as_ref(), &namespace).await {
                Ok(()) => queue.forget(&namespace),
                Err(status) => {
                    tracing::debug!(%status, namespace, resource, "will try again");
                    queue.retry(namespace);
                }
            },
        }
    }
}

async fn active(cluster: &dyn Cluster, namespace: &str) -> Result<bool, Status> {
    let object = get(cluster, "namespaces", None, namespace).await?;
    Ok(object.is_some_and(|n| meta::at(&n, &["metadata", "deletionTimestamp"]).is_none()))
}

/// Keeps the service account `default` in every namespace.
pub(crate) async fn service_accounts(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>) {
    run(reader, cluster, Kept::Account).await;
}

/// Keeps the cluster's CA certificate in every namespace.
pub(crate) async fn root_ca(
    reader: Arc<dyn Cluster>,
    cluster: Arc<dyn Cluster>,
    certificate: Arc<str>,
) {
    run(reader, cluster, Kept::RootCa(certificate)).await;
}
