//! Pods: the one row whose status is worked out rather than read.

use super::age;
use super::cells::{AGE, NAME, NONE, age_of, cells, int, is_deleted, or, text, wide};
use crate::resource::Column;
use crate::{Value, meta};

pub(super) const COLUMNS: &[Column] = &[
    NAME,
    text(
        "Ready",
        "The aggregate readiness state of this pod for accepting traffic.",
    ),
    text(
        "Status",
        "The aggregate status of the containers in this pod.",
    ),
    text(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last \
         container in this pod has restarted.",
    ),
    AGE,
    wide(
        "IP",
        "The IP address of the pod, as it is seen in the cluster.",
    ),
    wide("Node", "The node that the pod is bound to."),
    wide(
        "Nominated Node",
        "The node on which room is being made for the pod.",
    ),
    wide(
        "Readiness Gates",
        "How many of the pod's readiness gates are open.",
    ),
];

pub(super) fn row(pod: &Value, now: i64) -> Vec<Value> {
    let summary = Summary::of(pod);
    let restarts = match summary.restarts.last {
        Some(last) if summary.restarts.count != 0 => {
            let ago = age::human_duration(now.saturating_sub(last));
            format!("{} ({ago} ago)", summary.restarts.count)
        }
        _ => summary.restarts.count.to_string(),
    };
    let ip = meta::list(pod, &["status", "podIPs"])
        .first()
        .map_or(meta::text(pod, &["status", "podIP"]), |entry| {
            meta::text(entry, &["ip"])
        });
    cells![
        meta::name(pod),
        format!("{}/{}", summary.ready, summary.total),
        summary.reason,
        restarts,
        age_of(pod, now),
        or(ip, NONE),
        or(meta::text(pod, &["spec", "nodeName"]), NONE),
        or(meta::text(pod, &["status", "nominatedNodeName"]), NONE),
        gates(pod),
    ]
}

/// Restarts of some containers, and when the last one ended.
#[derive(Default, Clone, Copy)]
struct Restarts {
    count: i64,
    last: Option<i64>,
}

impl Restarts {
    fn add(&mut self, status: &Value) {
        self.count = self.count.saturating_add(int(status, &["restartCount"]));
        let ended = age::seconds(meta::text(
            status,
            &["lastState", "terminated", "finishedAt"],
        ));
        self.last = self.last.max(ended);
    }
}

struct Summary {
    ready: usize,
    total: usize,
    reason: String,
    restarts: Restarts,
}

impl Summary {
    fn of(pod: &Value) -> Self {
        let phase = meta::text(pod, &["status", "phase"]);
        let mut reason = or(meta::text(pod, &["status", "reason"]), phase).to_owned();
        let gated = |c: &Value| {
            meta::text(c, &["type"]) == "PodScheduled"
                && meta::text(c, &["reason"]) == "SchedulingGated"
        };
        if meta::list(pod, &["status", "conditions"]).iter().any(gated) {
            reason = "SchedulingGated".to_owned();
        }
        let sidecars = meta::list(pod, &["spec", "initContainers"])
            .iter()
            .filter(|c| is_sidecar(c))
            .count();
        let mut summary = Self {
            ready: 0,
            total: meta::list(pod, &["spec", "containers"]).len() + sidecars,
            reason,
            restarts: Restarts::default(),
        };
        let sidecar_restarts = summary.init_containers(pod);
        let initialized = condition(pod, "Initialized") == Some("True");
        if sidecar_restarts.done || initialized {
            summary.restarts = sidecar_restarts.restarts;
            summary.main_containers(pod);
        }
        if is_deleted(pod) {
            if meta::text(pod, &["status", "reason"]) == "NodeLost" {
                summary.reason = "Unknown".to_owned();
            } else if !matches!(phase, "Succeeded" | "Failed") {
                summary.reason = "Terminating".to_owned();
            }
        }
        summary
    }

    /// Looks at init containers up to the first that is not done.
    fn init_containers(&mut self, pod: &Value) -> InitResult {
        let specs = meta::list(pod, &["spec", "initContainers"]);
        let mut sidecar_restarts = Restarts::default();
        let statuses = meta::list(pod, &["status", "initContainerStatuses"]);
        for (i, status) in statuses.iter().enumerate() {
            let name = meta::text(status, &["name"]);
            let sidecar = specs
                .iter()
                .any(|c| meta::text(c, &["name"]) == name && is_sidecar(c));
            self.restarts.add(status);
            if sidecar {
                sidecar_restarts.add(status);
            }
            let terminated = meta::at(status, &["state", "terminated"]);
            if terminated.is_some_and(|t| int(t, &["exitCode"]) == 0) {
                continue;
            }
            if sidecar && is_true(status, "started") {
                self.ready += usize::from(is_true(status, "ready"));
                continue;
            }
            let waiting = meta::text(status, &["state", "waiting", "reason"]);
            self.reason = match terminated {
                Some(terminated) => format!("Init:{}", ending(terminated)),
                None if !matches!(waiting, "" | "PodInitializing") => format!("Init:{waiting}"),
                None => format!("Init:{i}/{}", specs.len()),
            };
            return InitResult {
                done: false,
                restarts: sidecar_restarts,
            };
        }
        InitResult {
            done: true,
            restarts: sidecar_restarts,
        }
    }

    fn main_containers(&mut self, pod: &Value) {
        let mut running = false;
        // The first container that has something to say has the last word.
        for status in meta::list(pod, &["status", "containerStatuses"])
            .iter()
            .rev()
        {
            self.restarts.add(status);
            let waiting = meta::text(status, &["state", "waiting", "reason"]);
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if let Some(terminated) = meta::at(status, &["state", "terminated"]) {
                self.reason = ending(terminated);
            } else if is_true(status, "ready") && meta::at(status, &["state", "running"]).is_some()
            {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            let ready = condition(pod, "Ready") == Some("True");
            self.reason = if ready { "Running" } else { "NotReady" }.to_owned();
        }
    }
}

struct InitResult {
    done: bool,
    restarts: Restarts,
}

/// How a container came to its end.
fn ending(terminated: &Value) -> String {
    let reason = meta::text(terminated, &["reason"]);
    let signal = int(terminated, &["signal"]);
    if !reason.is_empty() {
        reason.to_owned()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", int(terminated, &["exitCode"]))
    }
}

fn is_sidecar(container: &Value) -> bool {
    meta::text(container, &["restartPolicy"]) == "Always"
}

fn is_true(status: &Value, key: &str) -> bool {
    status.get(key).and_then(Value::as_bool) == Some(true)
}

/// The status of the pod's condition of that type.
fn condition<'a>(pod: &'a Value, r#type: &str) -> Option<&'a str> {
    meta::list(pod, &["status", "conditions"])
        .iter()
        .find(|c| meta::text(c, &["type"]) == r#type)
        .map(|c| meta::text(c, &["status"]))
}

fn gates(pod: &Value) -> String {
    let gates = meta::list(pod, &["spec", "readinessGates"]);
    if gates.is_empty() {
        return NONE.to_owned();
    }
    let open = gates
        .iter()
        .filter(|g| condition(pod, meta::text(g, &["conditionType"])) == Some("True"))
        .count();
    format!("{open}/{}", gates.len())
}
