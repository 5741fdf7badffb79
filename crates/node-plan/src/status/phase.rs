//! The phase of a pod, from the statuses of its containers.

use super::named;
use crate::containers::{self, Role};
use model::validation::read::get;
use model::{Value, meta};

/// The phase as kubelet's `getPhase` finds it. `over` is whether nothing of the pod will run any
/// more, whatever its restart policy.
pub(super) fn phase(pod: &Value, init: &[Value], regular: &[Value], over: bool) -> &'static str {
    let policy = meta::text(pod, &["spec", "restartPolicy"]);
    let (mut pending, mut failed) = (false, false);
    // Sidecars that have not come up hold the pod back only until its containers first ran.
    let mut sidecar_pending = false;
    let (mut unknown, mut running, mut waiting) = (false, false, false);
    for container in containers::init(pod) {
        let is_sidecar = container.role == Role::Sidecar;
        let status = named(init, container.name());
        match status.map_or(Life::Unknown, life) {
            Life::Unknown if is_sidecar => {
                sidecar_pending |= status.is_some();
                unknown = true;
            }
            Life::Running if is_sidecar => {
                let started = status.and_then(|status| get(status, "started"));
                sidecar_pending |= started != Some(&Value::Bool(true));
                running = true;
            }
            Life::Waiting if is_sidecar => {
                sidecar_pending = true;
                waiting = true;
            }
            Life::Ended(_) | Life::WaitsAgain(_) if is_sidecar => {}
            Life::Ended(code) | Life::WaitsAgain(code) => failed |= code != 0,
            Life::Unknown | Life::Running | Life::Waiting => pending = true,
        }
    }
    let (mut stopped, mut succeeded) = (0, 0);
    for container in containers::regular(pod) {
        match named(regular, container.name()).map_or(Life::Unknown, life) {
            Life::Unknown => unknown = true,
            Life::Running => running = true,
            Life::Waiting => waiting = true,
            Life::WaitsAgain(_) => stopped += 1,
            Life::Ended(code) => {
                stopped += 1;
                succeeded += i32::from(code == 0);
            }
        }
    }
    if failed && policy == "Never" {
        return "Failed";
    }
    if pending || waiting || (sidecar_pending && !super::has_started(regular)) {
        return "Pending";
    }
    if unknown {
        return "Pending";
    }
    if running {
        return "Running";
    }
    match (stopped, stopped == succeeded) {
        (0, _) => "Pending",
        (_, true) if over => "Succeeded",
        (_, false) if over => "Failed",
        _ if policy == "Always" => "Running",
        (_, true) => "Succeeded",
        _ if policy == "Never" => "Failed",
        _ => "Running",
    }
}

enum Life {
    Unknown,
    Running,
    Waiting,
    /// Waiting, after it ended with that code.
    WaitsAgain(i64),
    Ended(i64),
}

fn life(status: &Value) -> Life {
    let code = |of: &str| {
        let ended = meta::at(status, &[of, "terminated"])?;
        Some(ended.get("exitCode").and_then(Value::as_i64).unwrap_or(0))
    };
    if meta::at(status, &["state", "running"]).is_some() {
        Life::Running
    } else if let Some(code) = code("state") {
        Life::Ended(code)
    } else if meta::at(status, &["state", "waiting"]).is_none() {
        Life::Unknown
    } else {
        code("lastState").map_or(Life::Waiting, Life::WaitsAgain)
    }
}
