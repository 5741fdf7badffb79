//! The bootstrap policy at start, and aggregated cluster roles from then on.

use crate::runtime::{execute, follow_resource};
use cluster_api::{Cluster, ResourceRef, Selection, Update};
use futures::stream::{self, StreamExt, TryStreamExt};
use model::Value;
use model::status::Status;
use reconcile::rbac::{aggregation, bootstrap, target};
use reconcile::{Action, Target};
use std::collections::HashMap;
use std::sync::Arc;

const GROUP: &str = "rbac.authorization.k8s.io";
/// Bootstrap writes under way at once: they share the store's commits.
const AT_ONCE: usize = 64;

fn resource(plural: &str) -> ResourceRef {
    ResourceRef::new(GROUP, "v1", plural)
}

async fn list(cluster: &dyn Cluster, plural: &str) -> Result<Vec<Value>, Status> {
    let list = cluster
        .list(&resource(plural), None, &Selection::default())
        .await?;
    list.items
        .iter()
        .map(|o| serde_json::from_slice(o).map_err(Status::internal))
        .collect()
}

/// Makes the default roles and bindings whole, and fills the aggregated ones. Run under an
/// identity that may do all of it, after the system namespaces exist.
pub async fn bootstrap_rbac(cluster: &dyn Cluster) -> Result<(), Status> {
    let mut existing: HashMap<Target, Value> = HashMap::new();
    for plural in [
        "clusterroles",
        "clusterrolebindings",
        "roles",
        "rolebindings",
    ] {
        existing.extend(
            list(cluster, plural)
                .await?
                .into_iter()
                .map(|o| (target(&o), o)),
        );
    }
    let actions =
        bootstrap(|target| existing.get(target)).map_err(|e| Status::internal(e.to_string()))?;
    // A binding that is made anew takes two actions in their order; all others are independent.
    let (ordered, free): (Vec<_>, Vec<_>) = actions
        .into_iter()
        .partition(|a| !matches!(a, Action::Create(..)));
    execute(cluster, ordered).await?;
    stream::iter(free)
        .map(|action| execute(cluster, vec![action]))
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    // Roles gather from roles that gather: a fixed point is reached after as many rounds as they
    // are deep.
    for _ in 0..8 {
        if !aggregate_once(cluster).await? {
            break;
        }
    }
    Ok(())
}

/// Whether something had to be changed.
async fn aggregate_once(cluster: &dyn Cluster) -> Result<bool, Status> {
    let roles = list(cluster, "clusterroles").await?;
    let actions = aggregation(&roles.iter().collect::<Vec<_>>());
    let changed = !actions.is_empty();
    execute(cluster, actions).await?;
    Ok(changed)
}

/// Keeps aggregated cluster roles up to date, for ever.
pub(crate) async fn aggregate(cluster: Arc<dyn Cluster>) {
    let mut roles = Box::pin(follow_resource(&cluster, resource("clusterroles"), ""));
    let mut failures = 0;
    while let Some(update) = roles.next().await {
        if let Update::Trouble(status) = &update {
            tracing::warn!(%status, "cannot follow cluster roles");
            continue;
        }
        // A conflict means that a newer event is on the way.
        while let Err(status) = aggregate_once(cluster.as_ref()).await {
            if status.is_conflict() {
                break;
            }
            failures += 1;
            tracing::warn!(%status, "cannot aggregate cluster roles");
            crate::runtime::pause()(failures).await;
        }
        failures = 0;
    }
}
