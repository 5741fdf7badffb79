//! Repairs of API versions: those with a successor that has the same fields with the same meaning
//! and the same defaults.

use super::propose::{Decision, Proposal};
use crate::finding::Finding;
use manifest_edit::Change;
use model::{Value, meta};
use snapshot::Object;

/// The version, kinds of it, and the version that means the same.
const EQUAL: &[(&str, &[&str], &str)] = &[
    (
        "apiregistration.k8s.io/v1beta1",
        &["APIService"],
        "apiregistration.k8s.io/v1",
    ),
    (
        "apps/v1beta2",
        &["DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"],
        "apps/v1",
    ),
    (
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        "autoscaling/v2",
    ),
    ("batch/v1beta1", &["CronJob"], "batch/v1"),
    (
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        "coordination.k8s.io/v1",
    ),
    (
        "extensions/v1beta1",
        &["NetworkPolicy"],
        "networking.k8s.io/v1",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta1",
        &["FlowSchema"],
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta2",
        &["FlowSchema"],
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    (
        "flowcontrol.apiserver.k8s.io/v1beta3",
        &["FlowSchema"],
        "flowcontrol.apiserver.k8s.io/v1",
    ),
    (
        "networking.k8s.io/v1beta1",
        &["IngressClass"],
        "networking.k8s.io/v1",
    ),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], "node.k8s.io/v1"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "policy/v1"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        "rbac.authorization.k8s.io/v1",
    ),
    (
        "scheduling.k8s.io/v1beta1",
        &["PriorityClass"],
        "scheduling.k8s.io/v1",
    ),
    (
        "storage.k8s.io/v1beta1",
        &[
            "CSIDriver",
            "CSINode",
            "CSIStorageCapacity",
            "StorageClass",
            "VolumeAttachment",
        ],
        "storage.k8s.io/v1",
    ),
];

/// RMP-API-001 and RMP-API-002.
pub(super) fn version<'a>(finding: &Finding<'a>) -> Decision<'a> {
    let object = finding.object;
    let (version, kind) = (object.written.api_version(), &*object.written.kind);
    let found = EQUAL
        .iter()
        .find(|(old, kinds, _)| *old == version && kinds.contains(&kind));
    let Some((_, _, new)) = found else {
        return Decision::unclear(
            "the version that is served has other fields or other defaults: what the manifest is \
             to mean there is for its author to say",
        );
    };
    if kind == "PodDisruptionBudget" && !selects_something(object) {
        return Decision::unclear(
            "an empty selector meant no pods in policy/v1beta1, and means all in policy/v1",
        );
    }
    let change = Change::Set(Value::from(*new));
    let why = format!("{new} has the same fields, with the same meaning and defaults");
    let field = "apiVersion".to_owned();
    match Proposal::new(finding.check.id, object, field, change, why) {
        Some(proposal) => Decision::Repair(proposal),
        None => Decision::unclear("no file that was read defines it"),
    }
}

fn selects_something(object: &Object) -> bool {
    let selector = ["spec", "selector"];
    let has = |field: &str| {
        let path = [selector.as_slice(), &[field]].concat();
        meta::at(&object.value, &path).is_some_and(|value| match value {
            Value::Object(map) => !map.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        })
    };
    has("matchLabels") || has("matchExpressions")
}
