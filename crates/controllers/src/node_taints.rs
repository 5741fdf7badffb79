//! The node lifecycle controller, as far as it keeps new pods off nodes: taints follow from the
//! conditions of nodes.

use crate::queue::Queue;
use crate::runtime::{execute, follow_core};
use cluster_api::{Cluster, Update};
use futures::stream::StreamExt;
use model::{Value, meta};
use reconcile::node_taints::reconcile;
use std::collections::HashMap;
use std::sync::Arc;

/// Runs for ever.
pub(crate) async fn run(reader: Arc<dyn Cluster>, cluster: Arc<dyn Cluster>) {
    let mut nodes: HashMap<String, Value> = HashMap::new();
    let queue: Queue<String> = Queue::default();
    let mut updates = Box::pin(follow_core(&reader, "nodes", ""));
    let parse = |item: &[u8]| serde_json::from_slice::<Value>(item).ok();
    let put = |nodes: &mut HashMap<String, Value>, node: Value| {
        let name = meta::name(&node).to_owned();
        // Most updates are heartbeats, which change nothing here.
        if !reconcile(&node).is_empty() {
            queue.add(name.clone());
        }
        nodes.insert(name, node);
    };
    loop {
        tokio::select! {
            Some(update) = updates.next() => match update {
                Update::Reset(items) => {
                    nodes.clear();
                    items.iter().filter_map(|i| parse(i)).for_each(|node| put(&mut nodes, node));
                }
                Update::Applied(item) => {
                    if let Some(node) = parse(&item) {
                        put(&mut nodes, node);
                    }
                }
                Update::Deleted(item) => {
                    if let Some(node) = parse(&item) {
                        nodes.remove(meta::name(&node));
                    }
                }
                Update::Trouble(status) => tracing::warn!(%status, "cannot follow nodes"),
            },
            name = queue.next() => {
                let Some(node) = nodes.get(&name) else {
                    continue;
                };
                match execute(cluster.as_ref(), reconcile(node)).await {
                    Ok(()) => queue.forget(&name),
                    // Changed or gone meanwhile: its event is on the way.
                    Err(status) if status.is_conflict() || status.is_not_found() => {}
                    Err(status) => {
                        tracing::debug!(%status, node = name, "will try again");
                        queue.retry(name);
                    }
                }
            }
        }
    }
}
