//! What every cluster has, whoever runs it.

use crate::object::{Object, Standing};
use model::{Value, meta};
use rbac::bootstrap;
use serde_json::json;
use std::collections::BTreeSet;

/// The namespaces of every cluster.
pub(crate) const NAMESPACES: [&str; 4] =
    ["default", "kube-node-lease", "kube-public", "kube-system"];

/// The config map that every namespace has.
const ROOT_CA: &str = "kube-root-ca.crt";

/// What the server tells others about itself, in `kube-system`.
const PUBLISHED: [&str; 2] = [
    "extension-apiserver-authentication",
    "kube-apiserver-legacy-service-account-token-tracking",
];

/// The objects of every cluster that others refer to, apart from those of each namespace: the
/// bootstrap policy and the system priority classes.
pub(crate) fn objects() -> Vec<Value> {
    let mut all = bootstrap::objects();
    all.extend(
        [
            ("system-cluster-critical", 2_000_000_000),
            ("system-node-critical", 2_000_001_000),
        ]
        .map(|(name, value)| {
            json!({
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
            })
        }),
    );
    all
}

/// A namespace that no document defines.
pub(crate) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// What controllers put into every namespace.
pub(crate) fn of_namespace(namespace: &str) -> [Value; 2] {
    [
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROOT_CA, "namespace": namespace},
        }),
    ]
}

/// Tells which objects of a live cluster every cluster has.
pub(crate) struct Given {
    policy: BTreeSet<(&'static str, String, String)>,
    accounts: BTreeSet<String>,
}

impl Given {
    pub(crate) fn new() -> Self {
        let policy: Vec<Value> = bootstrap::objects();
        let plural = |object: &Value| match meta::text(object, &["kind"]) {
            "ClusterRole" => "clusterroles",
            "ClusterRoleBinding" => "clusterrolebindings",
            "Role" => "roles",
            _ => "rolebindings",
        };
        let accounts = policy
            .iter()
            .flat_map(|object| meta::list(object, &["subjects"]))
            .filter(|subject| meta::text(subject, &["kind"]) == "ServiceAccount")
            .map(|subject| meta::text(subject, &["name"]).to_owned())
            .collect();
        let policy = policy
            .iter()
            .map(|object| {
                (
                    plural(object),
                    meta::namespace(object).to_owned(),
                    meta::name(object).to_owned(),
                )
            })
            .collect();
        Self { policy, accounts }
    }

    /// Whose object it is. A role of the bootstrap policy that somebody changed is still given:
    /// what it grants is read from the object itself.
    pub(crate) fn standing(&self, object: &Object) -> Standing {
        let (group, plural) = (object.group(), object.resource());
        let (namespace, name) = (object.namespace(), object.name());
        let annotation = |key| meta::annotations(&object.value).contains_key(key);
        let given = match (group, plural) {
            ("", "namespaces") => NAMESPACES.contains(&name),
            ("", "serviceaccounts") => {
                name == "default" || (namespace == "kube-system" && self.accounts.contains(name))
            }
            ("", "configmaps") => {
                name == ROOT_CA || (namespace == "kube-system" && PUBLISHED.contains(&name))
            }
            ("", "services" | "endpoints") => (namespace, name) == ("default", "kubernetes"),
            ("discovery.k8s.io", "endpointslices") => {
                (namespace, name) == ("default", "kubernetes")
            }
            ("scheduling.k8s.io", "priorityclasses") => {
                matches!(name, "system-cluster-critical" | "system-node-critical")
            }
            ("rbac.authorization.k8s.io", _) => [
                "clusterroles",
                "clusterrolebindings",
                "roles",
                "rolebindings",
            ]
            .into_iter()
            .filter(|known| *known == plural)
            .any(|known| {
                self.policy
                    .contains(&(known, namespace.to_owned(), name.to_owned()))
            }),
            ("flowcontrol.apiserver.k8s.io", _) => annotation("apf.kubernetes.io/autoupdate-spec"),
            ("apiregistration.k8s.io", "apiservices") => meta::labels(&object.value)
                .contains_key("kube-aggregator.kubernetes.io/automanaged"),
            ("networking.k8s.io", "servicecidrs" | "ipaddresses") => true,
            ("coordination.k8s.io", "leases") => NAMESPACES.contains(&namespace),
            _ => false,
        };
        if given {
            Standing::Given
        } else {
            Standing::Written
        }
    }
}
