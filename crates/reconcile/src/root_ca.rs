//! Every namespace has the cluster's CA certificate in the config map `kube-root-ca.crt`
//! (upstream's root-ca-cert-publisher, KEP-1205), where projected token volumes find it.

use crate::{Action, Target};
use model::{Value, meta};
use serde_json::json;

/// The config map's name.
pub const NAME: &str = "kube-root-ca.crt";
const DESCRIPTION: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when \
    using internal endpoints such as the internal service IP or kubernetes.default.svc. No other \
    usage is guaranteed across distributions of Kubernetes clusters.";

/// What is missing or was changed in `namespace`; `current` is the config map as it is.
pub fn reconcile(
    namespace: &str,
    active: bool,
    current: Option<&Value>,
    certificate: &str,
) -> Vec<Action> {
    if !active {
        return Vec::new();
    }
    let target = Target::core("configmaps", namespace, NAME);
    let Some(current) = current else {
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "annotations": { "kubernetes.io/description": DESCRIPTION },
            },
            "data": { "ca.crt": certificate },
        });
        return vec![Action::Create(target, object)];
    };
    let data = meta::strings(current, &["data"]);
    if data.len() == 1 && data.get("ca.crt") == Some(&certificate) {
        return Vec::new();
    }
    let mut object = current.clone();
    meta::set(&mut object, &["data"], json!({ "ca.crt": certificate }));
    vec![Action::Update(target, object)]
}
