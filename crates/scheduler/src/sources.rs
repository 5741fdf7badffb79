//! What the scheduler follows.

use cluster_api::{Cluster, Pause, ResourceRef, Selection, Update, follow};
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use std::sync::Arc;

/// A kind of objects that decisions depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Nodes,
    Namespaces,
    Budgets,
    Services,
    ReplicationControllers,
    ReplicaSets,
    StatefulSets,
    Claims,
    Volumes,
    StorageClasses,
    CsiNodes,
    Pods,
}

impl Source {
    pub(crate) const ALL: [Self; 12] = [
        Self::Nodes,
        Self::Namespaces,
        Self::Budgets,
        Self::Services,
        Self::ReplicationControllers,
        Self::ReplicaSets,
        Self::StatefulSets,
        Self::Claims,
        Self::Volumes,
        Self::StorageClasses,
        Self::CsiNodes,
        Self::Pods,
    ];

    /// The kind of what owns pods; empty for all else.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::ReplicationControllers => "ReplicationController",
            Self::ReplicaSets => "ReplicaSet",
            Self::StatefulSets => "StatefulSet",
            _ => "",
        }
    }

    /// Whether it says what volumes there are or can be.
    pub(crate) fn is_storage(self) -> bool {
        matches!(
            self,
            Self::Claims | Self::Volumes | Self::StorageClasses | Self::CsiNodes
        )
    }

    /// Whether it can end somebody's wait for volumes.
    pub(crate) fn is_about_volumes(self) -> bool {
        self.is_storage() || matches!(self, Self::Nodes | Self::Pods)
    }

    fn resource(self) -> ResourceRef {
        match self {
            Self::Pods => ResourceRef::core("pods"),
            Self::Nodes => ResourceRef::core("nodes"),
            Self::Namespaces => ResourceRef::core("namespaces"),
            Self::Services => ResourceRef::core("services"),
            Self::ReplicationControllers => ResourceRef::core("replicationcontrollers"),
            Self::ReplicaSets => ResourceRef::new("apps", "v1", "replicasets"),
            Self::StatefulSets => ResourceRef::new("apps", "v1", "statefulsets"),
            Self::Claims => ResourceRef::core("persistentvolumeclaims"),
            Self::Volumes => ResourceRef::core("persistentvolumes"),
            Self::StorageClasses => ResourceRef::new("storage.k8s.io", "v1", "storageclasses"),
            Self::CsiNodes => ResourceRef::new("storage.k8s.io", "v1", "csinodes"),
            Self::Budgets => ResourceRef::new("policy", "v1", "poddisruptionbudgets"),
        }
    }

    fn selection(self) -> Selection {
        match self {
            // Pods that have ended take nothing any more.
            Self::Pods => Selection {
                fields: "status.phase!=Succeeded,status.phase!=Failed".to_owned(),
                ..Selection::default()
            },
            _ => Selection::default(),
        }
    }
}

/// Everything that happens, as one stream that does not end.
pub(crate) fn all(
    cluster: &Arc<dyn Cluster>,
    pause: &Pause,
) -> SelectAll<BoxStream<'static, (Source, Update)>> {
    let streams = Source::ALL.into_iter().map(|source| {
        let updates = follow(
            Arc::clone(cluster),
            source.resource(),
            None,
            source.selection(),
            pause.clone(),
        );
        updates.map(move |update| (source, update)).boxed()
    });
    futures::stream::select_all(streams)
}
