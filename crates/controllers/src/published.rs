//! What the server tells others about itself in objects: whom it takes certificates from, since
//! when it notes the use of legacy tokens, and the network of the addresses of services. Upstream's
//! controller manager, its scheduler and extension servers read them.

use crate::bootstrap::{ensure, replace};
use cluster_api::{Cluster, ResourceRef};
use model::status::Status;
use serde_json::json;

const SYSTEM: &str = "kube-system";

/// Publishes the CA of client certificates (brought up to date at every start), the day from which
/// on the use of legacy service-account tokens is noted (the day of the first start), and the
/// network of services (in CIDR notation; it stays as it was first published, as upstream's).
pub async fn publish(
    cluster: &dyn Cluster,
    certificate: &str,
    network: &str,
) -> Result<(), Status> {
    let configmaps = ResourceRef::core("configmaps");
    let map = |name: &str, key: &str, value: &str| {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": SYSTEM },
            "data": { key: value },
        })
    };
    let authentication = map(
        "extension-apiserver-authentication",
        "client-ca-file",
        certificate,
    );
    replace(cluster, &configmaps, authentication).await?;
    let now = crate::runtime::now();
    let today = now.split_once('T').map_or(now.as_str(), |(day, _)| day);
    let tracking = map(
        "kube-apiserver-legacy-service-account-token-tracking",
        "since",
        today,
    );
    ensure(cluster, &configmaps, Some(SYSTEM), tracking).await?;
    service_network(cluster, network, &now).await
}

async fn service_network(cluster: &dyn Cluster, network: &str, now: &str) -> Result<(), Status> {
    let networks = |part: &str| ResourceRef::new("networking.k8s.io", "v1", part);
    let object = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": { "name": "kubernetes" },
        "spec": { "cidrs": [network] },
    });
    match cluster
        .create(&networks("servicecidrs"), None, None, object)
        .await
    {
        Err(status) if status.is_already_exists() => Ok(()),
        Err(status) => Err(status),
        Ok(mut created) => {
            let ready = json!([{
                "type": "Ready",
                "status": "True",
                "reason": "",
                "message": "Kubernetes default Service CIDR is ready",
                "lastTransitionTime": now,
            }]);
            model::meta::set(&mut created, &["status", "conditions"], ready);
            cluster
                .update(&networks("servicecidrs/status"), None, created)
                .await
                .map(drop)
        }
    }
}
