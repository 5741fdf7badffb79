//! Printer columns and table rows of the built-in kinds, as `kubectl get` shows them, and the
//! `meta.k8s.io/v1` Table made from them.

mod access;
mod age;
mod autoscaling;
mod build;
mod cells;
mod cluster;
mod config;
mod extensions;
mod network;
mod pods;
mod storage;
mod workloads;

pub use age::human_duration;
pub use build::{IncludeObject, cells, column_definitions, row, table};

use crate::Value;
use crate::resource::Column;

/// How a kind is shown: its columns, and the cells of one object.
#[derive(Debug, Clone, Copy)]
pub struct Printer {
    /// The columns.
    pub columns: &'static [Column],
    /// The cells.
    pub row: Row,
}

/// Makes the cells of an object in stored form, one per column; the time now is given in seconds
/// since the Unix epoch.
pub type Row = fn(object: &Value, now: i64) -> Vec<Value>;

/// The printer of `plural` in `group`; kinds without columns of their own are shown by name and
/// time of creation, as upstream does.
pub fn printer(group: &str, plural: &str) -> Printer {
    let (columns, row): (&'static [Column], Row) = match (group, plural) {
        ("", "pods") => (pods::COLUMNS, pods::row),
        ("", "podtemplates") => (workloads::POD_TEMPLATE, workloads::pod_template),
        ("", "replicationcontrollers") => (workloads::REPLICAS, workloads::replication_controller),
        ("apps", "replicasets") => (workloads::REPLICAS, workloads::replica_set),
        ("apps", "deployments") => (workloads::DEPLOYMENT, workloads::deployment),
        ("apps", "statefulsets") => (workloads::STATEFUL_SET, workloads::stateful_set),
        ("apps", "daemonsets") => (workloads::DAEMON_SET, workloads::daemon_set),
        ("apps", "controllerrevisions") => (workloads::REVISION, workloads::revision),
        ("batch", "jobs") => (workloads::JOB, workloads::job),
        ("batch", "cronjobs") => (workloads::CRON_JOB, workloads::cron_job),
        ("autoscaling", "horizontalpodautoscalers") => (autoscaling::COLUMNS, autoscaling::row),
        ("policy", "poddisruptionbudgets") => (workloads::BUDGET, workloads::budget),
        ("policy", "podsecuritypolicies") => (access::PSP, access::psp),
        ("", "configmaps") => (config::CONFIG_MAP, config::config_map),
        ("", "secrets") => (config::SECRET, config::secret),
        ("", "serviceaccounts") => (config::SERVICE_ACCOUNT, config::service_account),
        ("", "resourcequotas") => (config::QUOTA, config::quota),
        ("", "namespaces") => (cluster::NAMESPACE, cluster::namespace),
        ("", "nodes") => (cluster::NODE, cluster::node),
        ("", "componentstatuses") => (cluster::COMPONENT, cluster::component),
        ("" | "events.k8s.io", "events") => (cluster::EVENT, cluster::event),
        ("coordination.k8s.io", "leases") => (cluster::LEASE, cluster::lease),
        ("scheduling.k8s.io", "priorityclasses") => (cluster::PRIORITY, cluster::priority),
        ("node.k8s.io", "runtimeclasses") => (cluster::RUNTIME, cluster::runtime),
        ("", "services") => (network::SERVICE, network::service),
        ("", "endpoints") => (network::ENDPOINTS, network::endpoints),
        ("discovery.k8s.io", "endpointslices") => (network::SLICE, network::slice),
        ("networking.k8s.io", "ingresses") => (network::INGRESS, network::ingress),
        ("networking.k8s.io", "ingressclasses") => (network::CLASS, network::class),
        ("networking.k8s.io", "networkpolicies") => (network::POLICY, network::policy),
        ("networking.k8s.io", "servicecidrs") => (network::CIDR, network::cidr),
        ("networking.k8s.io", "ipaddresses") => (network::ADDRESS, network::address),
        ("", "persistentvolumes") => (storage::VOLUME, storage::volume),
        ("", "persistentvolumeclaims") => (storage::CLAIM, storage::claim),
        ("storage.k8s.io", "storageclasses") => (storage::CLASS, storage::class),
        ("storage.k8s.io", "volumeattachments") => (storage::ATTACHMENT, storage::attachment),
        ("storage.k8s.io", "csidrivers") => (storage::DRIVER, storage::driver),
        ("storage.k8s.io", "csinodes") => (storage::NODE, storage::node),
        ("storage.k8s.io", "csistoragecapacities") => (storage::CAPACITY, storage::capacity),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            (access::BINDING, access::binding)
        }
        ("certificates.k8s.io", "certificatesigningrequests") => (access::CSR, access::csr),
        (
            "admissionregistration.k8s.io",
            "mutatingwebhookconfigurations" | "validatingwebhookconfigurations",
        ) => (extensions::WEBHOOKS, extensions::webhooks),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies") => {
            (extensions::POLICY, extensions::policy)
        }
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings") => {
            (extensions::POLICY_BINDING, extensions::policy_binding)
        }
        ("apiregistration.k8s.io", "apiservices") => (extensions::SERVICE, extensions::service),
        ("flowcontrol.apiserver.k8s.io", "flowschemas") => (extensions::FLOW, extensions::flow),
        ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations") => {
            (extensions::LEVEL, extensions::level)
        }
        _ => (cells::DEFAULT, cells::default),
    };
    Printer { columns, row }
}

#[cfg(test)]
mod tests;
