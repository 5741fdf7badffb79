//! The statuses of a pod's containers.

use super::{Input, named, time};
use crate::containers::{Container, Role};
use crate::lifecycle;
use crate::observed::{Exit, Made, State};
use crate::probe::{Kind, Timing, Verdict};
use model::validation::read::{get, int, is_true, list, text};
use model::{Map, Value, meta};
use serde_json::json;

/// The statuses of containers, from the statuses that were told last.
pub(super) fn statuses<'a>(
    input: &Input<'_>,
    containers: impl Iterator<Item = Container<'a>>,
    told: &[Value],
) -> Vec<Value> {
    let after_init = crate::containers::init(input.pod).next().is_some();
    containers
        .map(|container| {
            let told = named(told, container.name());
            let mut status = plain(input, container, told, after_init);
            wait_if_it_failed_to_start(input, container, &mut status);
            judge(input, container, &mut status);
            status
        })
        .collect()
}

/// The status by what was made, or else by what was told.
fn plain(
    input: &Input<'_>,
    container: Container<'_>,
    told: Option<&Value>,
    after_init: bool,
) -> Value {
    let name = container.name();
    let all = input
        .observed
        .containers
        .get(name)
        .map_or(&[][..], Vec::as_slice);
    let mut status = match all.first() {
        Some(made) => of_made(container, made, told),
        None => of_none(input, container, told, after_init),
    };
    if let Some(exit) = all.get(1).map(|earlier| state(earlier, None)) {
        meta::set(&mut status, &["lastState"], exit);
    } else if all.len() == 1
        && let Some(last) = told.and_then(|told| get(told, "lastState"))
    {
        meta::set(&mut status, &["lastState"], last.clone());
    }
    let mounts = volume_mounts(input, container.spec);
    if !mounts.is_empty() {
        meta::set(&mut status, &["volumeMounts"], mounts);
    }
    status
}

fn of_made(container: Container<'_>, made: &Made, told: Option<&Value>) -> Value {
    let was_running = told.is_some_and(|told| meta::at(told, &["state", "running"]).is_some());
    let lost = made.state == State::Unknown && was_running;
    let restarts = if lost {
        told.and_then(|told| int(told, "restartCount"))
            .unwrap_or(0)
            .saturating_add(1)
    } else {
        made.restarts
    };
    let mut status = json!({
        "name": container.name(),
        "image": made.image,
        "imageID": made.image_id,
        "containerID": made.id,
        "restartCount": restarts,
        "state": state(made, lost.then_some(())),
        "lastState": {},
    });
    let resources = get(container.spec, "resources").filter(|_| container.role != Role::Ephemeral);
    if let Some(resources) = resources {
        meta::set(&mut status, &["resources"], resources.clone());
        if let Some(requests) = get(resources, "requests") {
            meta::set(&mut status, &["allocatedResources"], requests.clone());
        }
    }
    status
}

/// A container that nobody made, or that is gone.
fn of_none(
    input: &Input<'_>,
    container: Container<'_>,
    told: Option<&Value>,
    after_init: bool,
) -> Value {
    if let Some(told) = told.filter(|told| meta::at(told, &["state", "terminated"]).is_some()) {
        return told.clone();
    }
    let reason = if after_init {
        "PodInitializing"
    } else {
        "ContainerCreating"
    };
    let mut status = json!({
        "name": container.name(),
        "image": text(container.spec, "image"),
        "imageID": "",
        "restartCount": told.and_then(|told| int(told, "restartCount")).unwrap_or(0),
        "state": { "waiting": { "reason": reason } },
        "lastState": told.and_then(|told| get(told, "lastState")).cloned().unwrap_or(json!({})),
    });
    let was_running = told.is_some_and(|told| meta::at(told, &["state", "running"]).is_some());
    if was_running && meta::at(&status, &["lastState", "terminated"]).is_none() {
        let message = "The container could not be located when the pod was deleted.  The \
                       container used to be Running";
        let lost = json!({"exitCode": 137, "reason": "ContainerStatusUnknown", "message": message,
            "startedAt": null, "finishedAt": null});
        meta::set(&mut status, &["lastState", "terminated"], lost);
        if meta::at(input.pod, &["metadata", "deletionTimestamp"]).is_none() {
            let restarts = int(&status, "restartCount").unwrap_or(0);
            meta::set(&mut status, &["restartCount"], restarts.saturating_add(1));
        }
    }
    status
}

/// The state of a container; `lost` if it was told to be running and nobody knows what became of
/// it.
fn state(made: &Made, lost: Option<()>) -> Value {
    match (&made.state, lost) {
        (State::Running(since), _) => json!({"running": {"startedAt": time(*since)}}),
        (State::Exited(exit), _) => json!({ "terminated": terminated(exit, &made.id) }),
        (State::Unknown, Some(())) => json!({"terminated": {
            "exitCode": 137,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
            "startedAt": null,
            "finishedAt": null,
        }}),
        (State::Created | State::Unknown, _) => json!({"waiting": {}}),
    }
}

fn terminated(exit: &Exit, id: &str) -> Value {
    let reason = match (exit.reason.as_str(), exit.code) {
        ("", 0) => "Completed",
        ("", _) => "Error",
        (reason, _) => reason,
    };
    let mut terminated = json!({
        "exitCode": exit.code,
        "reason": reason,
        "startedAt": exit.started.map(time),
        "finishedAt": time(exit.finished),
        "containerID": id,
    });
    if !exit.message.is_empty() {
        meta::set(&mut terminated, &["message"], exit.message.as_str());
    }
    terminated
}

/// A container that is to run and could not be started waits, and says why.
fn wait_if_it_failed_to_start(input: &Input<'_>, container: Container<'_>, status: &mut Value) {
    let made = input.observed.container(container.name());
    let done = container.role == Role::Init
        && made.and_then(Made::exit).is_some_and(|exit| exit.code == 0);
    // A sidecar runs again whatever the pod's policy; an ephemeral container never does.
    let again = match container.role {
        Role::Ephemeral => made.is_none(),
        Role::Sidecar => made.is_none_or(|made| !made.is_running()),
        Role::Init | Role::Regular => lifecycle::restarts(input.pod, made),
    };
    let Some((reason, message)) = input.errors.get(container.name()) else {
        return;
    };
    if done || !again {
        return;
    }
    if let Some(terminated) = meta::at(status, &["state", "terminated"]).cloned() {
        meta::set(status, &["lastState"], json!({ "terminated": terminated }));
    }
    let mut waiting = Map::new();
    waiting.insert("reason".to_owned(), reason.as_str().into());
    if !message.is_empty() {
        waiting.insert("message".to_owned(), message.as_str().into());
    }
    meta::set(status, &["state"], json!({ "waiting": waiting }));
}

/// Whether a container has come up and can be given work.
fn judge(input: &Input<'_>, container: Container<'_>, status: &mut Value) {
    let verdict = |kind: Kind| {
        Timing::of(container.spec, kind)?;
        let key = (container.name().to_owned(), kind);
        Some(
            input
                .verdicts
                .get(&key)
                .copied()
                .unwrap_or(Verdict::Unknown),
        )
    };
    let is_good = |kind| verdict(kind).is_none_or(|verdict| verdict == Verdict::Success);
    let running = meta::at(status, &["state", "running"]).is_some();
    let started = running && is_good(Kind::Startup);
    let ready = match container.role {
        Role::Init => {
            meta::at(status, &["state", "terminated", "exitCode"]).and_then(Value::as_i64)
                == Some(0)
        }
        Role::Sidecar | Role::Regular => started && is_good(Kind::Readiness),
        Role::Ephemeral => false,
    };
    meta::set(status, &["ready"], ready);
    if container.role != Role::Ephemeral {
        meta::set(status, &["started"], started);
    }
}

fn volume_mounts(input: &Input<'_>, container: &Value) -> Vec<Value> {
    list(container, "volumeMounts")
        .iter()
        .map(|mount| {
            let mut shown = json!({
                "name": text(mount, "name"),
                "mountPath": text(mount, "mountPath"),
            });
            if is_true(mount, "readOnly") {
                let mode = text(mount, "recursiveReadOnly");
                let deep = matches!(mode, "Enabled" | "IfPossible") && input.recursive_read_only;
                meta::set(&mut shown, &["readOnly"], true);
                let mode = if deep { "Enabled" } else { "Disabled" };
                meta::set(&mut shown, &["recursiveReadOnly"], mode);
            }
            shown
        })
        .collect()
}
