//! The Node object, its status and its lease.

use model::Value;
use serde_json::json;
use std::net::Ipv4Addr;

/// On every simulated node, so that workloads can avoid it and people can see it.
pub const SIMULATED_LABEL: &str = "rampart.dev/simulated";
/// The condition of simulated nodes and of pods on them.
pub const SIMULATED_CONDITION: &str = "rampart.dev/Simulated";
/// The address a simulated node reports; nothing listens there.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);

/// What a node offers.
#[derive(Debug, Clone)]
pub struct Capacity {
    /// CPUs.
    pub cpus: usize,
    /// Memory in bytes.
    pub memory: u64,
    /// How many pods it takes.
    pub pods: usize,
}

/// The Node object as the node registers itself.
pub(crate) fn object(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": arch(),
                "beta.kubernetes.io/os": "linux",
                "beta.kubernetes.io/arch": arch(),
                SIMULATED_LABEL: "true",
            },
            "annotations": {
                "rampart.dev/simulated": "This node is simulated: pods are reported as running, no \
                    process runs.",
            },
        },
        "spec": { "podCIDR": "10.244.0.0/16", "podCIDRs": ["10.244.0.0/16"] },
    })
}

fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The status that the node reports with every heartbeat. Times of transitions are kept by
/// whoever merges it: the conditions are merged by type.
pub(crate) fn status(name: &str, capacity: &Capacity, now: &str) -> Value {
    let amounts = json!({
        "cpu": capacity.cpus.to_string(),
        "memory": format!("{}Ki", capacity.memory / 1024),
        "pods": capacity.pods.to_string(),
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now,
        })
    };
    json!({
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [
            { "type": "InternalIP", "address": ADDRESS.to_string() },
            { "type": "Hostname", "address": name },
        ],
        "conditions": [
            condition("MemoryPressure", "False", "SimulatedNode", "no process uses memory"),
            condition("DiskPressure", "False", "SimulatedNode", "no process uses disk"),
            condition("PIDPressure", "False", "SimulatedNode", "no process runs"),
            condition(
                SIMULATED_CONDITION,
                "True",
                "SimulatedNode",
                "pods are reported as running, no process runs",
            ),
            condition("Ready", "True", "SimulatedNode", "the simulated node takes pods"),
        ],
        "nodeInfo": {
            "architecture": arch(),
            "bootID": "",
            "containerRuntimeVersion": concat!("simulated://", env!("CARGO_PKG_VERSION")),
            "kernelVersion": "none",
            "kubeProxyVersion": "",
            "kubeletVersion": concat!("v1.33.0-rampart.", env!("CARGO_PKG_VERSION")),
            "machineID": "",
            "operatingSystem": "linux",
            "osImage": "Simulated (no processes run)",
            "systemUUID": "",
        },
        "daemonEndpoints": { "kubeletEndpoint": { "Port": 0 } },
    })
}

/// The node's lease in `kube-node-lease` (KEP-589).
pub(crate) fn lease(name: &str, now: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": name, "namespace": "kube-node-lease" },
        "spec": {
            "holderIdentity": name,
            "leaseDurationSeconds": 40,
            "renewTime": format!("{}.000000Z", now.trim_end_matches('Z')),
        },
    })
}
