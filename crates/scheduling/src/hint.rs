//! Which change can help a pod that a plugin refused (upstream's queueing hints).

use crate::amounts::Amounts;
use crate::misfit::Plugin;
use crate::node::NodeInfo;
use crate::pod::PodInfo;
use crate::scope::{NamespaceLabels, Term, selects};
use crate::spread::Constraint;
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
    /// A node is gone.
    NodeGone(&'a NodeInfo),
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
        Event::NodeChanged { before, after } => change_helps(plugin, before, after, pod),
        // Its domain may have been the one with the fewest pods.
        Event::NodeGone(node) => plugin == Plugin::PodTopologySpread && has_domains(node, pod),
        Event::PodPlaced(other) => match plugin {
            Plugin::PodTopologySpread => is_counted(pod, other),
            Plugin::InterPodAffinity => {
                let mut terms = pod.affinity.required.iter();
                !pod.affinity.required.is_empty() && terms.all(|term| may_mean(term, other))
            }
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
        Plugin::PodTopologySpread => has_domains(node, pod),
        Plugin::NodePorts
        | Plugin::VolumeRestrictions
        | Plugin::NodeVolumeLimits
        | Plugin::VolumeBinding
        | Plugin::VolumeZone
        | Plugin::InterPodAffinity => true,
    }
}

/// Whether a node that the plugin may have refused is now one that would pass it when empty.
fn change_helps(plugin: Plugin, before: &NodeInfo, after: &NodeInfo, pod: &PodInfo) -> bool {
    let has_label_changes = before.labels != after.labels;
    match plugin {
        Plugin::NodeUnschedulable => before.is_unschedulable && !after.is_unschedulable,
        Plugin::TaintToleration | Plugin::NodeAffinity => {
            !node_helps(plugin, before, pod) && node_helps(plugin, after, pod)
        }
        Plugin::NodeResourcesFit => {
            let is_more = after.allowed_pods > before.allowed_pods
                || frees(&after.allocatable, &before.allocatable, &pod.requests);
            is_more && node_helps(plugin, after, pod)
        }
        Plugin::PodTopologySpread => {
            let is_counted = has_domains(after, pod);
            let mut keys = hard(pod).map(|constraint| &*constraint.topology_key);
            is_counted != has_domains(before, pod)
                || is_counted
                    && (before.taints != after.taints
                        || keys.any(|key| before.labels.get(key) != after.labels.get(key)))
        }
        // Any of its labels may be what others' terms are about.
        Plugin::InterPodAffinity | Plugin::VolumeBinding | Plugin::VolumeZone => has_label_changes,
        Plugin::NodeName
        | Plugin::NodePorts
        | Plugin::VolumeRestrictions
        | Plugin::NodeVolumeLimits => false,
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

fn hard(pod: &PodInfo) -> impl Iterator<Item = &Constraint> {
    pod.spread.iter().filter(|constraint| constraint.is_hard)
}

/// Whether the node has the keys of all constraints, without which it does not count.
fn has_domains(node: &NodeInfo, pod: &PodInfo) -> bool {
    hard(pod).all(|constraint| node.labels.contains_key(&*constraint.topology_key))
}

fn is_counted(pod: &PodInfo, other: &PodInfo) -> bool {
    pod.key.namespace == other.key.namespace
        && !other.is_terminating
        && hard(pod).any(|constraint| selects(&constraint.scope.selector, &other.labels))
}

/// Whether any of the terms may mean the pod.
fn meant(terms: &[Term], pod: &PodInfo) -> bool {
    terms.iter().any(|term| may_mean(term, pod))
}

/// Whether a term may mean the pod. The labels of namespaces are not at hand: a term that looks at
/// them is taken to mean every namespace.
fn may_mean(term: &Term, pod: &PodInfo) -> bool {
    term.scope.matches(pod, &NamespaceLabels::default())
        || (term.scope.looks_at_namespaces() && selects(&term.scope.selector, &pod.labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Value;
    use serde_json::json;

    fn node(labels: Value, spec: Value) -> NodeInfo {
        NodeInfo::new(&json!({
            "metadata": { "name": "n", "labels": labels }, "spec": spec,
            "status": { "allocatable": { "cpu": "1", "pods": "9" } },
        }))
    }

    fn pod(spec: Value) -> PodInfo {
        PodInfo::new(&json!({
            "metadata": { "name": "p", "namespace": "d", "labels": { "app": "web" } },
            "spec": spec,
        }))
    }

    fn term(app: &str) -> Value {
        json!({ "topologyKey": "zone", "labelSelector": { "matchLabels": { "app": app } } })
    }

    #[test]
    fn a_node_helps_if_it_lost_what_was_in_the_way() {
        let spread = pod(json!({ "topologySpreadConstraints": [
            { "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "maxSkew": 1 },
        ] }));
        let plain = pod(json!({}));
        let ssd = pod(json!({ "nodeSelector": { "disk": "ssd" } }));
        let taint = json!({ "taints": [{ "key": "k", "effect": "NoSchedule" }] });
        let (none, zone) = (json!({}), json!({ "zone": "1" }));
        let disk = json!({ "disk": "ssd" });
        let both = json!({ "disk": "ssd", "zone": "1" });
        use Plugin::{NodeAffinity, PodTopologySpread, TaintToleration};
        for (plugin, pod, before, after, expected) in [
            (
                TaintToleration,
                &plain,
                (&none, &taint),
                (&none, &none),
                true,
            ),
            (
                TaintToleration,
                &plain,
                (&none, &none),
                (&zone, &none),
                false,
            ),
            (
                TaintToleration,
                &plain,
                (&none, &none),
                (&none, &taint),
                false,
            ),
            (NodeAffinity, &ssd, (&none, &none), (&disk, &none), true),
            (NodeAffinity, &ssd, (&disk, &none), (&both, &none), false),
            // A domain more or less, another one, or one that counts from now on.
            (
                PodTopologySpread,
                &spread,
                (&none, &none),
                (&zone, &none),
                true,
            ),
            (
                PodTopologySpread,
                &spread,
                (&zone, &none),
                (&none, &none),
                true,
            ),
            (
                PodTopologySpread,
                &spread,
                (&zone, &none),
                (&json!({ "zone": "2" }), &none),
                true,
            ),
            (
                PodTopologySpread,
                &spread,
                (&zone, &taint),
                (&zone, &none),
                true,
            ),
            (
                PodTopologySpread,
                &spread,
                (&zone, &none),
                (&both, &none),
                false,
            ),
            (
                PodTopologySpread,
                &spread,
                (&none, &taint),
                (&none, &none),
                false,
            ),
        ] {
            let of = |(labels, spec): (&Value, &Value)| node(labels.clone(), spec.clone());
            let (before, after) = (of(before), of(after));
            let event = Event::NodeChanged {
                before: &before,
                after: &after,
            };
            assert_eq!(helps(plugin, &event, pod), expected, "{plugin:?} {after:?}");
        }
        let gone = |labels: &Value| node(labels.clone(), json!({}));
        assert!(helps(
            PodTopologySpread,
            &Event::NodeGone(&gone(&zone)),
            &spread
        ));
        assert!(!helps(
            PodTopologySpread,
            &Event::NodeGone(&gone(&none)),
            &spread
        ));
        assert!(!helps(
            TaintToleration,
            &Event::NodeGone(&gone(&zone)),
            &plain
        ));
    }

    #[test]
    fn a_pod_that_is_placed_helps_if_it_meets_all_terms() {
        let wants = |apps: &[&str]| {
            let terms: Vec<Value> = apps.iter().map(|app| term(app)).collect();
            pod(json!({ "affinity": { "podAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": terms,
            } } }))
        };
        let placed = pod(json!({ "nodeName": "n" }));
        let event = Event::PodPlaced(&placed);
        for (apps, expected) in [
            (&["web"][..], true),
            (&["web", "db"], false),
            (&["db"], false),
            (&[], false),
        ] {
            assert_eq!(
                helps(Plugin::InterPodAffinity, &event, &wants(apps)),
                expected,
                "{apps:?}"
            );
        }
    }
}
