//! Topology spread constraints (KEP-895, 3022, 3094, 3243), read from a pod.

use crate::scope::{self, Scope};
use model::selector::{LabelSelector, Operator};
use model::{Value, meta};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One constraint of a pod, or a default of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Constraint {
    pub(crate) topology_key: Arc<str>,
    pub(crate) max_skew: i64,
    pub(crate) min_domains: i64,
    /// `DoNotSchedule`, not `ScheduleAnyway`.
    pub(crate) is_hard: bool,
    /// Whether domains without a node that the pod's node affinity matches are left out.
    pub(crate) honours_affinity: bool,
    /// Whether nodes with taints that the pod does not tolerate are left out.
    pub(crate) honours_taints: bool,
    pub(crate) scope: Arc<Scope>,
}

/// The label that names a node.
pub(crate) const HOSTNAME: &str = "kubernetes.io/hostname";
/// The label that names a node's zone.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";

impl Constraint {
    /// The constraints of a pod, in their order.
    pub(crate) fn all(pod: &Value, labels: &BTreeMap<String, String>) -> Vec<Self> {
        meta::list(pod, &["spec", "topologySpreadConstraints"])
            .iter()
            .map(|constraint| Self::of(constraint, meta::namespace(pod), labels))
            .collect()
    }

    fn of(constraint: &Value, namespace: &str, labels: &BTreeMap<String, String>) -> Self {
        let number = |field: &str| meta::at(constraint, &[field]).and_then(Value::as_i64);
        let text = |field: &str| meta::text(constraint, &[field]);
        let selector = meta::at(constraint, &["labelSelector"]).unwrap_or(&Value::Null);
        let selector = scope::with_keys(
            scope::read(selector),
            meta::list(constraint, &["matchLabelKeys"]),
            Operator::In,
            labels,
        );
        Self {
            topology_key: Arc::from(text("topologyKey")),
            max_skew: number("maxSkew").unwrap_or(1),
            min_domains: number("minDomains").unwrap_or(1),
            is_hard: text("whenUnsatisfiable") != "ScheduleAnyway",
            honours_affinity: text("nodeAffinityPolicy") != "Ignore",
            honours_taints: text("nodeTaintsPolicy") == "Honor",
            scope: Arc::new(Scope::within(namespace, selector)),
        }
    }

    /// Upstream's defaults for pods that say nothing, which count only in scores: evenly over
    /// zones and, more strictly, over nodes.
    pub(crate) fn defaults(namespace: &str, selector: LabelSelector) -> Vec<Self> {
        let scope = Arc::new(Scope::within(namespace, selector));
        [(HOSTNAME, 3), (ZONE, 5)]
            .into_iter()
            .map(|(key, max_skew)| Self {
                topology_key: Arc::from(key),
                max_skew,
                min_domains: 1,
                is_hard: false,
                honours_affinity: true,
                honours_taints: false,
                scope: Arc::clone(&scope),
            })
            .collect()
    }

    /// Whether pods are counted at all: upstream counts none for the selector that matches all.
    pub(crate) fn counts(&self) -> bool {
        !self.scope.selector.is_empty()
    }
}
