//! ClusterRoles for people and for components other than controllers.

use super::{DefaultRole, READ, READ_WRITE, WRITE, events, named, rule, urls};
use crate::rule::Rule;

/// All of them.
pub fn cluster_roles() -> Vec<DefaultRole> {
    let mut all = for_people();
    all.extend(for_everyone());
    all.extend(for_certificates());
    all.extend(for_components());
    all
}

fn for_people() -> Vec<DefaultRole> {
    vec![
        DefaultRole::new("cluster-admin", vec![rule("*", "*", "*"), urls("*", "*")]),
        DefaultRole::aggregating("admin"),
        DefaultRole::aggregating("edit").aggregated_to("admin"),
        DefaultRole::aggregating("view").aggregated_to("edit"),
        DefaultRole::new(
            "system:aggregate-to-admin",
            vec![
                rule(
                    "create",
                    "authorization.k8s.io",
                    "localsubjectaccessreviews",
                ),
                rule(
                    READ_WRITE,
                    "rbac.authorization.k8s.io",
                    "rolebindings roles",
                ),
            ],
        )
        .aggregated_to("admin"),
        DefaultRole::new("system:aggregate-to-edit", edit()).aggregated_to("edit"),
        DefaultRole::new("system:aggregate-to-view", view()).aggregated_to("view"),
    ]
}

fn edit() -> Vec<Rule> {
    vec![
        // Reading these gives more than `view` may: secrets hold credentials, and the rest are
        // ways into pods.
        rule(
            READ,
            "core",
            "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy",
        ),
        rule("impersonate", "core", "serviceaccounts"),
        rule(
            WRITE,
            "core",
            "pods pods/attach pods/exec pods/portforward pods/proxy",
        ),
        rule("create", "core", "pods/eviction"),
        rule(
            WRITE,
            "core",
            "configmaps events persistentvolumeclaims replicationcontrollers \
             replicationcontrollers/scale secrets serviceaccounts services services/proxy",
        ),
        rule("create", "core", "serviceaccounts/token"),
        rule(
            WRITE,
            "apps",
            "daemonsets deployments deployments/rollback deployments/scale replicasets \
             replicasets/scale statefulsets statefulsets/scale",
        ),
        rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        rule(WRITE, "batch", "cronjobs jobs"),
        rule(
            WRITE,
            "extensions",
            "daemonsets deployments deployments/rollback deployments/scale ingresses \
             networkpolicies replicasets replicasets/scale replicationcontrollers/scale",
        ),
        rule(WRITE, "policy", "poddisruptionbudgets"),
        rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        rule(READ_WRITE, "coordination.k8s.io", "leases"),
    ]
}

fn view() -> Vec<Rule> {
    vec![
        rule(
            READ,
            "core",
            "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods \
             replicationcontrollers replicationcontrollers/scale serviceaccounts services \
             services/status",
        ),
        rule(
            READ,
            "core",
            "bindings events limitranges namespaces/status pods/log pods/status \
             replicationcontrollers/status resourcequotas resourcequotas/status",
        ),
        rule(READ, "core", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(
            READ,
            "apps",
            "controllerrevisions daemonsets daemonsets/status deployments deployments/scale \
             deployments/status replicasets replicasets/scale replicasets/status statefulsets \
             statefulsets/scale statefulsets/status",
        ),
        rule(
            READ,
            "autoscaling",
            "horizontalpodautoscalers horizontalpodautoscalers/status",
        ),
        rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        rule(
            READ,
            "extensions",
            "daemonsets daemonsets/status deployments deployments/scale deployments/status \
             ingresses ingresses/status networkpolicies replicasets replicasets/scale \
             replicasets/status replicationcontrollers/scale",
        ),
        rule(
            READ,
            "policy",
            "poddisruptionbudgets poddisruptionbudgets/status",
        ),
        rule(
            READ,
            "networking.k8s.io",
            "ingresses ingresses/status networkpolicies",
        ),
    ]
}

fn for_everyone() -> Vec<DefaultRole> {
    vec![
        DefaultRole::new(
            "system:discovery",
            vec![urls(
                "get",
                "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version \
                 /version/",
            )],
        ),
        DefaultRole::new(
            "system:public-info-viewer",
            vec![urls("get", "/healthz /livez /readyz /version /version/")],
        ),
        DefaultRole::new(
            "system:service-account-issuer-discovery",
            vec![urls(
                "get",
                "/.well-known/openid-configuration /.well-known/openid-configuration/ \
                 /openid/v1/jwks /openid/v1/jwks/",
            )],
        ),
        DefaultRole::new(
            "system:monitoring",
            vec![urls(
                "get",
                "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*",
            )],
        ),
        DefaultRole::new(
            "system:basic-user",
            vec![
                rule(
                    "create",
                    "authorization.k8s.io",
                    "selfsubjectaccessreviews selfsubjectrulesreviews",
                ),
                rule("create", "authentication.k8s.io", "selfsubjectreviews"),
            ],
        ),
    ]
}

fn for_certificates() -> Vec<DefaultRole> {
    const CERTIFICATES: &str = "certificates.k8s.io";
    let mut all: Vec<DefaultRole> = ["nodeclient", "selfnodeclient"]
        .iter()
        .map(|which| {
            DefaultRole::new(
                format!("system:{CERTIFICATES}:certificatesigningrequests:{which}"),
                vec![rule(
                    "create",
                    CERTIFICATES,
                    &format!("certificatesigningrequests/{which}"),
                )],
            )
        })
        .collect();
    let signers = [
        "kube-apiserver-client",
        "kube-apiserver-client-kubelet",
        "kubelet-serving",
        "legacy-unknown",
    ];
    all.extend(signers.iter().map(|signer| {
        DefaultRole::new(
            format!("system:{CERTIFICATES}:{signer}-approver"),
            vec![named(
                "approve",
                CERTIFICATES,
                "signers",
                &format!("kubernetes.io/{signer}"),
            )],
        )
    }));
    all
}

/// Creating reviews, which is how a component asks who somebody is and what they may do.
fn delegated_checks() -> [Rule; 2] {
    [
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
    ]
}

fn for_components() -> Vec<DefaultRole> {
    vec![
        DefaultRole::new("system:auth-delegator", delegated_checks().into()),
        DefaultRole::new(
            "system:heapster",
            vec![
                rule(READ, "core", "events namespaces nodes pods"),
                rule(READ, "extensions", "deployments"),
            ],
        ),
        DefaultRole::new(
            "system:kube-aggregator",
            vec![rule(READ, "core", "endpoints services")],
        ),
        DefaultRole::new("system:kube-controller-manager", controller_manager()),
        DefaultRole::new(
            "system:kube-dns",
            vec![rule("list watch", "core", "endpoints services")],
        ),
        DefaultRole::new("system:kube-scheduler", scheduler()),
        DefaultRole::new(
            "system:kubelet-api-admin",
            vec![
                rule(READ, "core", "nodes"),
                rule("proxy", "core", "nodes"),
                rule(
                    "*",
                    "core",
                    "nodes/log nodes/metrics nodes/proxy nodes/stats",
                ),
                rule("*", "core", "nodes/configz nodes/healthz nodes/pods"),
            ],
        ),
        DefaultRole::new("system:node", node()),
        DefaultRole::new(
            "system:node-bootstrapper",
            vec![rule(
                "create get list watch",
                "certificates.k8s.io",
                "certificatesigningrequests",
            )],
        ),
        DefaultRole::new(
            "system:node-problem-detector",
            vec![
                rule("get", "core", "nodes"),
                rule("patch", "core", "nodes/status"),
                events(),
            ],
        ),
        DefaultRole::new(
            "system:node-proxier",
            vec![
                rule("list watch", "core", "endpoints services"),
                rule(READ, "core", "nodes"),
                events(),
                rule("list watch", "networking.k8s.io", "servicecidrs"),
                rule("list watch", "discovery.k8s.io", "endpointslices"),
            ],
        ),
        DefaultRole::new(
            "system:persistent-volume-provisioner",
            vec![
                rule("create delete get list watch", "core", "persistentvolumes"),
                rule("get list update watch", "core", "persistentvolumeclaims"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule("watch", "core", "events"),
                events(),
            ],
        ),
        DefaultRole::new(
            "system:volume-scheduler",
            vec![
                rule("get list patch update watch", "core", "persistentvolumes"),
                rule(READ, "storage.k8s.io", "storageclasses"),
                rule(
                    "get list patch update watch",
                    "core",
                    "persistentvolumeclaims",
                ),
            ],
        ),
    ]
}

fn controller_manager() -> Vec<Rule> {
    let mut rules = vec![
        events(),
        rule("create", "coordination.k8s.io", "leases"),
        named(
            "get update",
            "coordination.k8s.io",
            "leases",
            "kube-controller-manager",
        ),
        rule("create", "core", "secrets serviceaccounts"),
        rule("delete", "core", "secrets"),
        rule(
            "get",
            "core",
            "configmaps namespaces secrets serviceaccounts",
        ),
        rule("update", "core", "secrets serviceaccounts"),
    ];
    rules.extend(delegated_checks());
    rules.extend([
        rule("list watch", "*", "*"),
        rule("create", "core", "serviceaccounts/token"),
    ]);
    rules
}

fn scheduler() -> Vec<Rule> {
    let mut rules = vec![
        events(),
        rule("create", "coordination.k8s.io", "leases"),
        named(
            "get list update watch",
            "coordination.k8s.io",
            "leases",
            "kube-scheduler",
        ),
        rule(
            "create delete deletecollection get list patch update watch",
            "coordination.k8s.io",
            "leasecandidates",
        ),
        rule(READ, "core", "nodes"),
        rule("delete get list watch", "core", "pods"),
        rule("create", "core", "bindings pods/binding"),
        rule("patch update", "core", "pods/status"),
        rule(READ, "core", "replicationcontrollers services"),
        rule(READ, "apps extensions", "replicasets"),
        rule(READ, "apps", "statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "core", "persistentvolumeclaims persistentvolumes"),
    ];
    rules.extend(delegated_checks());
    rules.extend([
        rule(READ, "storage.k8s.io", "csinodes"),
        rule(READ, "storage.k8s.io", "volumeattachments"),
        rule(READ, "core", "namespaces"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule(READ, "storage.k8s.io", "csistoragecapacities"),
    ]);
    rules
}

/// What a node may do at most; the Node authorizer gives it only as far as its own pods need it.
pub(crate) fn node() -> Vec<Rule> {
    vec![
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule(
            "create",
            "authorization.k8s.io",
            "localsubjectaccessreviews subjectaccessreviews",
        ),
        rule(READ, "core", "services"),
        rule("create get list watch", "core", "nodes"),
        rule("patch update", "core", "nodes/status"),
        rule("patch update", "core", "nodes"),
        rule("create patch update", "core", "events"),
        rule(READ, "core", "pods"),
        rule("create delete", "core", "pods"),
        rule("patch update", "core", "pods/status"),
        rule("create", "core", "pods/eviction"),
        rule(READ, "core", "configmaps secrets"),
        rule("get", "core", "persistentvolumeclaims persistentvolumes"),
        rule("get", "core", "endpoints"),
        rule(
            "create get list watch",
            "certificates.k8s.io",
            "certificatesigningrequests",
        ),
        rule(
            "create delete get patch update",
            "coordination.k8s.io",
            "leases",
        ),
        rule("get", "storage.k8s.io", "volumeattachments"),
        rule("create", "core", "serviceaccounts/token"),
        rule("get patch update", "core", "persistentvolumeclaims/status"),
        rule(READ, "storage.k8s.io", "csidrivers"),
        rule(
            "create delete get patch update",
            "storage.k8s.io",
            "csinodes",
        ),
        rule(READ, "node.k8s.io", "runtimeclasses"),
    ]
}
