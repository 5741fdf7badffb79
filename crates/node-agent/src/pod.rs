//! The pod status that the simulated node reports.

use crate::node::{ADDRESS, SIMULATED_CONDITION};
use crate::references::Missing;
use model::{Value, meta};
use serde_json::json;

/// The status of a running pod; `None` if the pod says so already.
pub(crate) fn running(pod: &Value, address: &str, now: &str) -> Option<Value> {
    let known = meta::text(pod, &["status", "phase"]) == "Running"
        && meta::list(pod, &["status", "containerStatuses"]).len()
            == meta::list(pod, &["spec", "containers"]).len()
        && meta::list(pod, &["status", "ephemeralContainerStatuses"]).len()
            == meta::list(pod, &["spec", "ephemeralContainers"]).len();
    if known {
        return None;
    }
    let started = json!({ "running": { "startedAt": now } });
    let ended = json!({ "terminated": {
        "exitCode": 0,
        "reason": "Completed",
        "startedAt": now,
        "finishedAt": now,
    } });
    let init: Vec<Value> = meta::list(pod, &["spec", "initContainers"])
        .iter()
        .map(|container| {
            let sidecar = meta::text(container, &["restartPolicy"]) == "Always";
            container_status(container, if sidecar { &started } else { &ended }, true)
        })
        .collect();
    let of = |field: &str| -> Vec<Value> {
        meta::list(pod, &["spec", field])
            .iter()
            .map(|container| container_status(container, &started, true))
            .collect()
    };
    let condition = |kind: &str| {
        json!({
            "type": kind,
            "status": "True",
            "lastProbeTime": null,
            "lastTransitionTime": now,
        })
    };
    let mut status = json!({
        "phase": "Running",
        "conditions": [
            simulated(now),
            condition("PodReadyToStartContainers"),
            condition("Initialized"),
            condition("Ready"),
            condition("ContainersReady"),
            condition("PodScheduled"),
        ],
        "hostIP": ADDRESS.to_string(),
        "hostIPs": [{ "ip": ADDRESS.to_string() }],
        "podIP": address,
        "podIPs": [{ "ip": address }],
        "startTime": start_time(pod, now),
        "containerStatuses": of("containers"),
    });
    for (field, list) in [
        ("initContainerStatuses", init),
        ("ephemeralContainerStatuses", of("ephemeralContainers")),
    ] {
        if !list.is_empty() {
            meta::set(&mut status, &[field], list);
        }
    }
    Some(status)
}

/// The status of a pod that waits for a secret or config map; `None` if it says so already.
pub(crate) fn waiting(pod: &Value, missing: &Missing, now: &str) -> Option<Value> {
    let message = missing.to_string();
    let known = meta::list(pod, &["status", "containerStatuses"])
        .iter()
        .any(|c| meta::text(c, &["state", "waiting", "message"]) == message);
    if known {
        return None;
    }
    let state = json!({ "waiting": { "reason": missing.state(), "message": message } });
    let containers: Vec<Value> = meta::list(pod, &["spec", "containers"])
        .iter()
        .map(|container| container_status(container, &state, false))
        .collect();
    let names: Vec<&str> = meta::list(pod, &["spec", "containers"])
        .iter()
        .map(|c| meta::text(c, &["name"]))
        .collect();
    let unready = |kind: &str| {
        json!({
            "type": kind,
            "status": "False",
            "reason": "ContainersNotReady",
            "message": format!("containers with unready status: [{}]", names.join(" ")),
            "lastProbeTime": null,
            "lastTransitionTime": now,
        })
    };
    Some(json!({
        "phase": "Pending",
        "conditions": [simulated(now), unready("Ready"), unready("ContainersReady")],
        "hostIP": ADDRESS.to_string(),
        "hostIPs": [{ "ip": ADDRESS.to_string() }],
        "startTime": start_time(pod, now),
        "containerStatuses": containers,
    }))
}

fn start_time<'a>(pod: &'a Value, now: &'a str) -> &'a str {
    match meta::text(pod, &["status", "startTime"]) {
        "" => now,
        time => time,
    }
}

fn simulated(now: &str) -> Value {
    json!({
        "type": SIMULATED_CONDITION,
        "status": "True",
        "reason": "SimulatedNode",
        "message": "the pod is reported as running, no process runs",
        "lastProbeTime": null,
        "lastTransitionTime": now,
    })
}

fn container_status(container: &Value, state: &Value, up: bool) -> Value {
    let image = meta::text(container, &["image"]);
    json!({
        "name": meta::text(container, &["name"]),
        "image": image,
        "imageID": "",
        "ready": up,
        "started": up,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    })
}
