//! Which change can help a pod that a plugin refused (upstream's queueing hints).

use crate::amounts::Amounts;
use crate::misfit::Plugin;
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::scope::{NamespaceLabels, Term, selects};
use crate::taint::{self, Taint};

/// A change in the cluster.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A node appeared.
    NodeAdded(&'a NodeInfo),
    /// A node changed.
    NodeChanged {
        /// As it was.
        before: &'a NodeInfo,
        /// As it is.
        after: &'a NodeInfo,
    },
    /// A pod was given a node.
    PodPlaced(&'a PodInfo),
    /// A pod that has a node changed.
    PodChanged {
        /// As it was.
        before: &'a PodInfo,
        /// As it is.
        after: &'a PodInfo,
    },
    /// A pod that had a node is gone.
    PodGone(&'a PodInfo),
    /// A claim, a volume, a storage class or a node's drivers changed.
    Volumes,
    /// A namespace's labels changed.
    Namespace,
}

/// Whether `pod`, which `plugin` refused, may fit after the change.
pub(crate) fn helps(plugin: Plugin, event: &Event<'_>, pod: &PodInfo) -> bool {
    match event {
        Event::NodeAdded(node) => node_helps(plugin, node, pod),
        Event::NodeChanged { before, after } => {
            changes(plugin, before, after, pod) && node_helps(plugin, after, pod)
        }
        Event::PodPlaced(other) => match plugin {
            Plugin::PodTopologySpread => is_counted(pod, other),
            Plugin::InterPodAffinity => meant(&pod.affinity.required, other),
            _ => false,
        },
        Event::PodChanged { before, after } => match plugin {
            Plugin::NodeResourcesFit => frees(&before.requests, &after.requests, &pod.requests),
            Plugin::PodTopologySpread => is_counted(pod, before) != is_counted(pod, after),
            Plugin::InterPodAffinity => {
                before.labels != after.labels
                    && (meant(&pod.affinity.required, after)
                        || meant(&pod.affinity.required_anti, before))
            }
            _ => false,
        },
        Event::PodGone(other) => match plugin {
            Plugin::NodePorts => {
                let port = |own: &crate::HostPort| other.ports.iter().any(|p| p.conflicts(own));
                pod.ports.iter().any(port)
            }
            // Whatever it took, it leaves a place for one more pod.
            Plugin::NodeResourcesFit => true,
            Plugin::VolumeRestrictions | Plugin::NodeVolumeLimits => {
                !other.volumes.claims.is_empty() || !other.volumes.disks.is_empty()
            }
            Plugin::PodTopologySpread => is_counted(pod, other),
            Plugin::InterPodAffinity => {
                meant(&pod.affinity.required_anti, other)
                    || meant(&other.affinity.required_anti, pod)
            }
            _ => false,
        },
        Event::Volumes => matches!(
            plugin,
            Plugin::VolumeRestrictions
                | Plugin::NodeVolumeLimits
                | Plugin::VolumeBinding
                | Plugin::VolumeZone
        ),
        Event::Namespace => plugin == Plugin::InterPodAffinity,
    }
}

/// Whether an empty node like this would pass the plugin.
fn node_helps(plugin: Plugin, node: &NodeInfo, pod: &PodInfo) -> bool {
    match plugin {
        Plugin::NodeUnschedulable => {
            !node.is_unschedulable || taint::tolerated(&pod.tolerations, &Taint::cordon())
        }
        Plugin::NodeName => pod.node_name.is_empty() || pod.node_name == node.name,
        Plugin::TaintToleration => taint::barring(&pod.tolerations, &node.taints).is_none(),
        Plugin::NodeAffinity => pod.required_nodes.matches(&node.name, &node.labels),
        Plugin::NodeResourcesFit => {
            let (has, wants) = (&node.allocatable, &pod.requests);
            let scalars = &wants.scalars;
            node.allowed_pods > 0
                && wants.milli_cpu <= has.milli_cpu
                && wants.memory <= has.memory
                && wants.ephemeral_storage <= has.ephemeral_storage
                && scalars.iter().all(|(name, n)| *n <= has.scalar(name))
        }
        Plugin::PodTopologySpread => pod
            .spread
            .iter()
            .any(|constraint| node.labels.contains_key(&*constraint.topology_key)),
        Plugin::NodePorts
        | Plugin::VolumeRestrictions
        | Plugin::NodeVolumeLimits
        | Plugin::VolumeBinding
        | Plugin::VolumeZone
        | Plugin::InterPodAffinity => true,
    }
}

/// Whether the plugin looks at what changed.
fn changes(plugin: Plugin, before: &NodeInfo, after: &NodeInfo, pod: &PodInfo) -> bool {
    let labels = before.labels != after.labels;
    let taints = before.taints != after.taints;
    match plugin {
        Plugin::NodeUnschedulable => before.is_unschedulable != after.is_unschedulable,
        Plugin::NodeName => false,
        Plugin::TaintToleration => taints,
        Plugin::NodeAffinity => labels,
        Plugin::NodeResourcesFit => {
            after.allowed_pods > before.allowed_pods
                || frees(&after.allocatable, &before.allocatable, &pod.requests)
        }
        Plugin::PodTopologySpread | Plugin::InterPodAffinity => labels || taints,
        Plugin::VolumeBinding | Plugin::VolumeZone => labels,
        Plugin::NodePorts | Plugin::VolumeRestrictions | Plugin::NodeVolumeLimits => false,
    }
}

/// Whether `more` has more than `less` of something that is wanted.
fn frees(more: &Amounts, less: &Amounts, wanted: &Amounts) -> bool {
    let scalars = &wanted.scalars;
    (wanted.milli_cpu > 0 && more.milli_cpu > less.milli_cpu)
        || (wanted.memory > 0 && more.memory > less.memory)
        || (wanted.ephemeral_storage > 0 && more.ephemeral_storage > less.ephemeral_storage)
        || scalars
            .iter()
            .any(|(name, n)| *n > 0 && more.scalar(name) > less.scalar(name))
}

fn is_counted(pod: &PodInfo, other: &PodInfo) -> bool {
    pod.key.namespace == other.key.namespace
        && !other.is_terminating
        && pod
            .spread
            .iter()
            .any(|constraint| selects(&constraint.scope.selector, &other.labels))
}

/// Whether any of the terms may mean the pod. The labels of namespaces are not at hand: a term
/// that looks at them is taken to mean every namespace.
fn meant(terms: &[Term], pod: &PodInfo) -> bool {
    let unknown = NamespaceLabels::default();
    terms.iter().any(|term| {
        term.scope.matches(pod, &unknown)
            || (term.scope.looks_at_namespaces() && selects(&term.scope.selector, &pod.labels))
    })
}
