//! A ClusterRole `system:controller:NAME` for each controller, bound to the service account
//! `kube-system/NAME`.

use super::{DefaultBinding, DefaultRole, DefaultSubject, READ, events, named, rule};
use crate::rule::Rule;

const READ_WRITE: &str = "create delete get list patch update watch";

/// One ClusterRole per controller.
pub fn roles() -> Vec<DefaultRole> {
    by_name()
        .into_iter()
        .map(|(name, rules)| DefaultRole::new(format!("system:controller:{name}"), rules))
        .collect()
}

/// One ClusterRoleBinding per controller.
pub fn bindings() -> Vec<DefaultBinding> {
    by_name()
        .into_iter()
        .map(|(name, _)| {
            DefaultBinding::cluster(
                format!("system:controller:{name}"),
                vec![DefaultSubject::Account(name.to_owned())],
            )
        })
        .collect()
}

fn by_name() -> Vec<(&'static str, Vec<Rule>)> {
    let mut all = workloads();
    all.extend(networking());
    all.extend(storage());
    all.extend(nodes());
    all.extend(cluster());
    all.sort_by_key(|(name, _)| *name);
    all
}

fn workloads() -> Vec<(&'static str, Vec<Rule>)> {
    vec![
        (
            "cronjob-controller",
            vec![
                rule("get list update watch", "batch", "cronjobs"),
                rule(READ_WRITE, "batch", "jobs"),
                rule("update", "batch", "cronjobs/status"),
                rule("update", "batch", "cronjobs/finalizers"),
                rule("delete list watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "daemon-set-controller",
            vec![
                rule(READ, "apps extensions", "daemonsets"),
                rule("update", "apps extensions", "daemonsets/status"),
                rule("update", "apps extensions", "daemonsets/finalizers"),
                rule("list watch", "core", "nodes"),
                rule("create delete list patch watch", "core", "pods"),
                rule("create", "core", "pods/binding"),
                rule(READ_WRITE, "apps", "controllerrevisions"),
                events(),
            ],
        ),
        (
            "deployment-controller",
            vec![
                rule("get list update watch", "apps extensions", "deployments"),
                rule("update", "apps extensions", "deployments/status"),
                rule("update", "apps extensions", "deployments/finalizers"),
                rule(READ_WRITE, "apps extensions", "replicasets"),
                rule("get list update watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "disruption-controller",
            vec![
                rule(READ, "apps extensions", "deployments"),
                rule(READ, "apps extensions", "replicasets"),
                rule(READ, "core", "replicationcontrollers"),
                rule(READ, "policy", "poddisruptionbudgets"),
                rule(READ, "apps", "statefulsets"),
                rule("update", "policy", "poddisruptionbudgets/status"),
                rule("patch update", "core", "pods/status"),
                rule("get", "*", "*/scale"),
                events(),
            ],
        ),
        (
            "horizontal-pod-autoscaler",
            vec![
                rule(READ, "autoscaling", "horizontalpodautoscalers"),
                rule("update", "autoscaling", "horizontalpodautoscalers/status"),
                rule("get update", "*", "*/scale"),
                rule("list watch", "core", "pods"),
                rule("list watch", "metrics.k8s.io", "pods"),
                rule(READ, "custom.metrics.k8s.io", "*"),
                rule(READ, "external.metrics.k8s.io", "*"),
                events(),
            ],
        ),
        (
            "job-controller",
            vec![
                rule("get list patch update watch", "batch", "jobs"),
                rule("update", "batch", "jobs/status"),
                rule("update", "batch", "jobs/finalizers"),
                rule("create delete list patch watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "replicaset-controller",
            vec![
                rule("get list update watch", "apps extensions", "replicasets"),
                rule("update", "apps extensions", "replicasets/status"),
                rule("update", "apps extensions", "replicasets/finalizers"),
                rule("create delete list patch watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "replication-controller",
            vec![
                rule("get list update watch", "core", "replicationcontrollers"),
                rule("update", "core", "replicationcontrollers/status"),
                rule("update", "core", "replicationcontrollers/finalizers"),
                rule("create delete list patch watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "statefulset-controller",
            vec![
                rule("list watch", "core", "pods"),
                rule(READ, "apps", "statefulsets"),
                rule("update", "apps", "statefulsets/status"),
                rule("update", "apps", "statefulsets/finalizers"),
                rule("create delete get patch update", "core", "pods"),
                rule(READ_WRITE, "apps", "controllerrevisions"),
                rule("create get list watch", "core", "persistentvolumeclaims"),
                events(),
                rule("delete update", "core", "persistentvolumeclaims"),
                rule("update", "core", "pods/finalizers"),
            ],
        ),
        (
            "ttl-after-finished-controller",
            vec![rule("delete get list watch", "batch", "jobs"), events()],
        ),
    ]
}

fn networking() -> Vec<(&'static str, Vec<Rule>)> {
    const SLICES: &str = "create delete get list update watch";
    vec![
        (
            "endpoint-controller",
            vec![
                rule(READ, "core", "pods services"),
                rule(SLICES, "core", "endpoints"),
                rule("create", "core", "endpoints/restricted"),
                events(),
            ],
        ),
        (
            "endpointslice-controller",
            vec![
                rule(READ, "core", "nodes pods services"),
                rule("update", "core", "services/finalizers"),
                rule(SLICES, "discovery.k8s.io", "endpointslices"),
                events(),
            ],
        ),
        (
            "endpointslicemirroring-controller",
            vec![
                rule(READ, "core", "endpoints services"),
                rule("update", "core", "services/finalizers"),
                rule("update", "core", "endpoints/finalizers"),
                rule(SLICES, "discovery.k8s.io", "endpointslices"),
                events(),
            ],
        ),
        (
            "service-cidrs-controller",
            vec![
                rule(
                    "get list patch update watch",
                    "networking.k8s.io",
                    "servicecidrs",
                ),
                rule(
                    "patch update",
                    "networking.k8s.io",
                    "servicecidrs/finalizers",
                ),
                rule("patch update", "networking.k8s.io", "servicecidrs/status"),
                rule(READ, "networking.k8s.io", "ipaddresses"),
                events(),
            ],
        ),
        (
            "service-controller",
            vec![
                rule(READ, "core", "services"),
                rule("patch update", "core", "services/status"),
                rule("list watch", "core", "nodes"),
                events(),
            ],
        ),
    ]
}

fn storage() -> Vec<(&'static str, Vec<Rule>)> {
    vec![
        (
            "attachdetach-controller",
            vec![
                rule(
                    "list watch",
                    "core",
                    "persistentvolumeclaims persistentvolumes",
                ),
                rule(READ, "core", "nodes"),
                rule("patch update", "core", "nodes/status"),
                rule("list watch", "core", "pods"),
                events(),
                rule(
                    "create delete get list watch",
                    "storage.k8s.io",
                    "volumeattachments",
                ),
                rule(READ, "storage.k8s.io", "csidrivers"),
                rule(READ, "storage.k8s.io", "csinodes"),
            ],
        ),
        (
            "ephemeral-volume-controller",
            vec![
                rule(READ, "core", "pods"),
                rule("update", "core", "pods/finalizers"),
                rule("create get list watch", "core", "persistentvolumeclaims"),
                events(),
            ],
        ),
        (
            "expand-controller",
            vec![
                rule("get list patch update watch", "core", "persistentvolumes"),
                rule("patch update", "core", "persistentvolumeclaims/status"),
                rule(READ, "core", "persistentvolumeclaims"),
                events(),
                rule("get", "core", "services"),
            ],
        ),
        (
            "persistent-volume-binder",
            vec![
                rule(
                    "create delete get list update watch",
                    "core",
                    "persistentvolumes",
                ),
                rule("update", "core", "persistentvolumes/status"),
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule("update", "core", "persistentvolumeclaims/status"),
                rule("create delete get list watch", "core", "pods"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule("list watch", "core", "nodes"),
                events(),
                rule("watch", "core", "events"),
                rule("get", "core", "services"),
            ],
        ),
        (
            "pv-protection-controller",
            vec![
                rule("get list update watch", "core", "persistentvolumes"),
                events(),
            ],
        ),
        (
            "pvc-protection-controller",
            vec![
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule(READ, "core", "pods"),
                events(),
            ],
        ),
        (
            "selinux-warning-controller",
            vec![
                events(),
                rule(READ, "core", "persistentvolumes"),
                rule(READ, "core", "persistentvolumeclaims"),
                rule(READ, "core", "pods"),
                rule(READ, "storage.k8s.io", "csidrivers"),
            ],
        ),
    ]
}

fn nodes() -> Vec<(&'static str, Vec<Rule>)> {
    vec![
        (
            "node-controller",
            vec![
                rule("delete get list patch update watch", "core", "nodes"),
                rule("patch update", "core", "nodes/status"),
                rule("patch update", "core", "pods/status"),
                rule("delete get list watch", "core", "pods"),
                events(),
            ],
        ),
        (
            "pod-garbage-collector",
            vec![
                rule("delete list watch", "core", "pods"),
                rule(READ, "core", "nodes"),
                rule("patch", "core", "pods/status"),
            ],
        ),
        (
            "route-controller",
            vec![
                rule("list watch", "core", "nodes"),
                rule("patch", "core", "nodes/status"),
                events(),
            ],
        ),
        (
            "ttl-controller",
            vec![rule("list patch update watch", "core", "nodes"), events()],
        ),
    ]
}

fn cluster() -> Vec<(&'static str, Vec<Rule>)> {
    const CERTIFICATES: &str = "certificates.k8s.io";
    vec![
        (
            "certificate-controller",
            vec![
                rule(
                    "delete get list watch",
                    CERTIFICATES,
                    "certificatesigningrequests",
                ),
                rule(
                    "update",
                    CERTIFICATES,
                    "certificatesigningrequests/approval certificatesigningrequests/status",
                ),
                named(
                    "approve",
                    CERTIFICATES,
                    "signers",
                    "kubernetes.io/kube-apiserver-client-kubelet",
                ),
                named(
                    "sign",
                    CERTIFICATES,
                    "signers",
                    "kubernetes.io/kube-apiserver-client \
                     kubernetes.io/kube-apiserver-client-kubelet kubernetes.io/kubelet-serving \
                     kubernetes.io/legacy-unknown",
                ),
                rule("create", "authorization.k8s.io", "subjectaccessreviews"),
                events(),
            ],
        ),
        (
            "clusterrole-aggregation-controller",
            // `escalate`: it copies rules that it does not hold itself.
            vec![rule(
                "escalate get list patch update watch",
                "rbac.authorization.k8s.io",
                "clusterroles",
            )],
        ),
        (
            "generic-garbage-collector",
            vec![
                rule("delete get list patch update watch", "*", "*"),
                events(),
            ],
        ),
        (
            "legacy-service-account-token-cleaner",
            vec![
                named(
                    "get",
                    "core",
                    "configmaps",
                    "kube-apiserver-legacy-service-account-token-tracking",
                ),
                rule("delete patch", "core", "secrets"),
            ],
        ),
        (
            "namespace-controller",
            vec![
                rule("delete get list watch", "core", "namespaces"),
                rule("update", "core", "namespaces/finalize namespaces/status"),
                rule("delete deletecollection get list watch", "*", "*"),
            ],
        ),
        (
            "resourcequota-controller",
            vec![
                rule("list watch", "*", "*"),
                rule("update", "core", "resourcequotas/status"),
                events(),
            ],
        ),
        (
            "root-ca-cert-publisher",
            vec![rule("create update", "core", "configmaps"), events()],
        ),
        (
            "service-account-controller",
            vec![rule("create", "core", "serviceaccounts"), events()],
        ),
        (
            "validatingadmissionpolicy-status-controller",
            vec![
                rule(
                    READ,
                    "admissionregistration.k8s.io",
                    "validatingadmissionpolicies",
                ),
                rule(
                    "get patch update",
                    "admissionregistration.k8s.io",
                    "validatingadmissionpolicies/status",
                ),
                events(),
            ],
        ),
    ]
}
