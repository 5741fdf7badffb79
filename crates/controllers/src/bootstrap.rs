//! What every cluster has from its first moment: the system namespaces with their default
//! accounts and CA, the system priority classes, and the `kubernetes` service.

use cluster_api::{Cluster, ResourceRef};
use model::Value;
use model::status::Status;
use serde_json::json;
use std::net::{IpAddr, SocketAddr};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

/// Makes what is missing; everything that is there stays as it is. Run under an identity that may
/// do all of it, before the cluster says that it is ready, so that the first pod finds its
/// service account.
pub async fn bootstrap(cluster: &dyn Cluster, certificate: &str) -> Result<(), Status> {
    for name in NAMESPACES {
        let object =
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        ensure(cluster, &ResourceRef::core("namespaces"), None, object).await?;
        let mut actions = reconcile::service_account::reconcile(name, true, false);
        actions.extend(reconcile::root_ca::reconcile(name, true, None, certificate));
        crate::runtime::execute(cluster, actions).await?;
    }
    let classes = ResourceRef::new("scheduling.k8s.io", "v1", "priorityclasses");
    for (name, value, description) in [
        (
            "system-cluster-critical",
            2_000_000_000,
            "Used for system critical pods that must run in the cluster, but can be moved to \
             another node if necessary.",
        ),
        (
            "system-node-critical",
            2_000_001_000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ] {
        let object = json!({
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": { "name": name },
            "value": value,
            "description": description,
        });
        ensure(cluster, &classes, None, object).await?;
    }
    Ok(())
}

/// Brings the `kubernetes` service of the namespace `default`, its endpoints and their slice in
/// line with where this server listens.
pub async fn kubernetes_service(
    cluster: &dyn Cluster,
    service_ip: IpAddr,
    listen: SocketAddr,
) -> Result<(), Status> {
    let labels = json!({ "component": "apiserver", "provider": "kubernetes" });
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": "kubernetes", "namespace": "default", "labels": labels },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": service_ip.to_string(),
            "clusterIPs": [service_ip.to_string()],
            "ipFamilies": [family(service_ip)],
            "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [
                { "name": "https", "port": 443, "protocol": "TCP", "targetPort": listen.port() },
            ],
        },
    });
    replace(cluster, &ResourceRef::core("services"), service).await?;
    // Endpoints may not be loopback addresses; a cluster that listens there has none.
    let ready = !listen.ip().is_loopback() && !listen.ip().is_unspecified();
    let addresses: Vec<String> = ready.then(|| listen.ip().to_string()).into_iter().collect();
    let subsets: Vec<Value> = addresses
        .iter()
        .map(|ip| {
            json!({
                "addresses": [{ "ip": ip }],
                "ports": [{ "name": "https", "port": listen.port(), "protocol": "TCP" }],
            })
        })
        .collect();
    let mirror = json!({ "endpointslice.kubernetes.io/skip-mirror": "true" });
    let endpoints = json!({
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": { "name": "kubernetes", "namespace": "default", "labels": mirror },
        "subsets": subsets,
    });
    replace(cluster, &ResourceRef::core("endpoints"), endpoints).await?;
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": { "kubernetes.io/service-name": "kubernetes" },
        },
        "addressType": family(listen.ip()),
        "endpoints": addresses
            .iter()
            .map(|ip| json!({ "addresses": [ip], "conditions": { "ready": true } }))
            .collect::<Vec<_>>(),
        "ports": [{ "name": "https", "port": listen.port(), "protocol": "TCP" }],
    });
    replace(
        cluster,
        &ResourceRef::new("discovery.k8s.io", "v1", "endpointslices"),
        slice,
    )
    .await
}

fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}

pub(crate) async fn ensure(
    cluster: &dyn Cluster,
    resource: &ResourceRef,
    namespace: Option<&str>,
    object: Value,
) -> Result<(), Status> {
    if cluster
        .get(resource, namespace, model::meta::name(&object))
        .await
        .is_ok()
    {
        return Ok(());
    }
    match cluster.create(resource, namespace, None, object).await {
        Err(status) if !status.is_already_exists() => Err(status),
        _ => Ok(()),
    }
}

/// Creates the object, which is of a namespace, or changes what differs.
pub(crate) async fn replace(
    cluster: &dyn Cluster,
    resource: &ResourceRef,
    object: Value,
) -> Result<(), Status> {
    let name = model::meta::name(&object).to_owned();
    let namespace = model::meta::namespace(&object).to_owned();
    let namespace = Some(namespace.as_str());
    match cluster.get(resource, namespace, &name).await {
        Ok(_) => cluster
            .patch(
                resource,
                namespace,
                &name,
                object,
                cluster_api::PatchType::Merge,
            )
            .await
            .map(drop),
        Err(status) if status.is_not_found() => cluster
            .create(resource, namespace, None, object)
            .await
            .map(drop),
        Err(status) => Err(status),
    }
}
