//! Every namespace has a service account `default` (upstream's serviceaccount-controller).

use crate::{Action, Target};
use serde_json::json;

/// What is missing in `namespace`. Namespaces that are going away get nothing new.
pub fn reconcile(namespace: &str, active: bool, has_default: bool) -> Vec<Action> {
    if !active || has_default {
        return Vec::new();
    }
    vec![Action::Create(
        Target::core("serviceaccounts", namespace, "default"),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": { "name": "default", "namespace": namespace },
        }),
    )]
}
