//! The conditions of a pod that are its node's to say.

use super::named;
use crate::containers::{self, Role};
use model::validation::read::{get, is_true, list, text};
use model::{Map, Value};

/// The types that are the node's, in the order in which it writes them.
pub(super) const OWN: [&str; 5] = [
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
];

/// What a condition says, without its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saying {
    pub(super) holds: bool,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

fn yes() -> Saying {
    Saying {
        holds: true,
        reason: "",
        message: String::new(),
    }
}

fn no(reason: &'static str, message: String) -> Saying {
    Saying {
        holds: false,
        reason,
        message,
    }
}

/// What of a pod its conditions are about.
pub(super) struct About<'a> {
    pub(super) pod: &'a Value,
    pub(super) init: &'a [Value],
    pub(super) regular: &'a [Value],
    pub(super) phase: &'a str,
    pub(super) has_sandbox: bool,
    /// Conditions that others wrote, for readiness gates.
    pub(super) others: &'a [Value],
}

/// What the node says of each of its conditions.
pub(super) fn sayings(about: &About<'_>) -> [(&'static str, Saying); 5] {
    let ready_to_start = if about.has_sandbox {
        yes()
    } else {
        no("", String::new())
    };
    let containers = containers_ready(about);
    let ready = ready(about, &containers);
    let sayings = [ready_to_start, initialized(about), ready, containers, yes()];
    let mut all = OWN.into_iter().zip(sayings);
    // Five names, five sayings.
    std::array::from_fn(|_| all.next().unwrap_or(("", yes())))
}

fn initialized(about: &About<'_>) -> Saying {
    let (mut unknown, mut incomplete) = (Vec::new(), Vec::new());
    for container in containers::init(about.pod) {
        match named(about.init, container.name()) {
            None => unknown.push(container.name()),
            Some(status) => {
                let field = if container.role == Role::Sidecar {
                    "started"
                } else {
                    "ready"
                };
                if !is_true(status, field) {
                    incomplete.push(container.name());
                }
            }
        }
    }
    if about.phase == "Succeeded" && unknown.is_empty() {
        return Saying {
            reason: "PodCompleted",
            ..yes()
        };
    }
    if super::has_started(about.regular) {
        return yes();
    }
    let message = told(&[("unknown", &unknown), ("incomplete", &incomplete)]);
    if message.is_empty() {
        yes()
    } else {
        no("ContainersNotInitialized", message)
    }
}

fn containers_ready(about: &About<'_>) -> Saying {
    let (mut unknown, mut unready) = (Vec::new(), Vec::new());
    let sidecars = containers::init(about.pod).filter(|c| c.role == Role::Sidecar);
    for container in sidecars.chain(containers::regular(about.pod)) {
        let statuses = if container.role == Role::Sidecar {
            about.init
        } else {
            about.regular
        };
        match named(statuses, container.name()) {
            None => unknown.push(container.name()),
            Some(status) if !is_true(status, "ready") => unready.push(container.name()),
            Some(_) => {}
        }
    }
    match about.phase {
        "Succeeded" if unknown.is_empty() => return no("PodCompleted", String::new()),
        "Failed" => return no("PodFailed", String::new()),
        _ => {}
    }
    let message = told(&[("unknown", &unknown), ("unready", &unready)]);
    if message.is_empty() {
        yes()
    } else {
        no("ContainersNotReady", message)
    }
}

fn ready(about: &About<'_>, containers: &Saying) -> Saying {
    if !containers.holds {
        return containers.clone();
    }
    let gates = get(about.pod, "spec").map_or(&[][..], |spec| list(spec, "readinessGates"));
    let closed: Vec<String> = gates
        .iter()
        .map(|gate| text(gate, "conditionType"))
        .filter_map(|kind| {
            let quoted = model::go::quoted(kind);
            let condition = about
                .others
                .iter()
                .find(|other| text(other, "type") == kind);
            match condition.map(|condition| text(condition, "status")) {
                Some("True") => None,
                Some(status) => Some(format!(
                    "the status of pod readiness gate {quoted} is not \"True\", but {status}"
                )),
                None => Some(format!(
                    "corresponding condition of pod readiness gate {quoted} does not exist."
                )),
            }
        })
        .collect();
    if closed.is_empty() {
        yes()
    } else {
        no("ReadinessGatesNotReady", closed.join(", "))
    }
}

fn told(parts: &[(&str, &[&str])]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("containers with {what} status: [{}]", names.join(" ")))
        .collect();
    parts.join(", ")
}

/// The conditions of the new status: others' as they are, then the node's, each with the time at
/// which it last turned.
pub(super) fn write(about: &About<'_>, old: &[Value], now: &str) -> Vec<Value> {
    let mut conditions: Vec<Value> = about.others.to_vec();
    for (kind, saying) in sayings(about) {
        let status = if saying.holds { "True" } else { "False" };
        let same = old
            .iter()
            .find(|old| text(old, "type") == kind && text(old, "status") == status)
            .map(|old| text(old, "lastTransitionTime"))
            .filter(|time| !time.is_empty());
        let mut condition = Map::new();
        let mut set = |key: &str, value: Value| condition.insert(key.to_owned(), value);
        set("type", kind.into());
        set("status", status.into());
        set("lastProbeTime", Value::Null);
        set("lastTransitionTime", same.unwrap_or(now).into());
        if !saying.reason.is_empty() {
            set("reason", saying.reason.into());
        }
        if !saying.message.is_empty() {
            set("message", saying.message.into());
        }
        conditions.push(Value::Object(condition));
    }
    conditions
}
