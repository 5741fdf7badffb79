//! What to do next with a pod: which containers to start, which to end, and whether it is over.

pub mod backoff;
pub mod termination;
#[cfg(test)]
mod tests;

use crate::containers::{self, Container, Role};
use crate::observed::{Made, Observed, State};
use crate::probe::{Kind, Verdict};
use backoff::{Backoff, Decision};
use jiff::{SignedDuration, Timestamp};
use model::validation::read::{get, int};
use model::{Value, meta};
use std::collections::BTreeMap;

/// What probes hold of the pod's running containers, by container and kind.
pub type Verdicts = BTreeMap<(String, Kind), Verdict>;

/// What the node knows when it looks at a pod.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The pod.
    pub pod: &'a Value,
    /// What is there of it.
    pub observed: &'a Observed,
    /// What its probes say.
    pub verdicts: &'a Verdicts,
    /// How long its containers wait, by name.
    pub backoffs: &'a BTreeMap<String, Backoff>,
    /// Now.
    pub now: Timestamp,
}

/// A container to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Its name.
    pub name: String,
    /// What to remember of its waits; `None` for one that never ran.
    pub backoff: Option<Backoff>,
    /// Its `postStart` hook. Until it has ended the next container is not started; if it fails the
    /// container is ended and waits with [`POST_START_ERROR`].
    pub post_start: Option<Value>,
}

/// A container that has to wait before it is started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub name: String,
    /// Until when.
    pub until: Timestamp,
    /// The message beside the waiting reason `CrashLoopBackOff`.
    pub message: String,
}

/// A container to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kill {
    /// Its name.
    pub name: String,
    /// The message of the `Killing` event.
    pub message: String,
    /// Which grace it gets.
    pub cause: termination::Cause,
}

/// What to do next. Kills come before starts; a container in both is restarted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// End everything, and the sandbox.
    pub kill_pod: Option<KillPod>,
    /// Make a sandbox with this attempt number, after everything has ended; containers follow
    /// once it is there.
    pub create_sandbox: Option<u32>,
    /// Containers to end.
    pub kill: Vec<Kill>,
    /// Containers to start, in this order.
    pub start: Vec<Start>,
    /// Containers that wait.
    pub waiting: Vec<Waiting>,
    /// When to look again though nothing happens: the first wait or the pod's deadline ends.
    pub again: Option<Timestamp>,
}

/// Why a pod ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillPod {
    /// It is deleted.
    Deleted,
    /// It ran longer than `activeDeadlineSeconds`; its status becomes `Failed` with
    /// [`DEADLINE_REASON`] and [`DEADLINE_MESSAGE`].
    DeadlineExceeded,
    /// Nothing of it runs or will run.
    Done,
    /// Its sandbox is to be made anew.
    SandboxChanged,
}

/// The status's reason of a pod that ran too long.
pub const DEADLINE_REASON: &str = "DeadlineExceeded";
/// The status's message of a pod that ran too long.
pub const DEADLINE_MESSAGE: &str = "Pod was active on the node longer than the specified deadline";
/// The message of the event `SandboxChanged`.
pub const SANDBOX_CHANGED: &str = "Pod sandbox changed, it will be killed and re-created.";
/// The waiting reason of a container that keeps ending.
pub const CRASH_LOOP: &str = "CrashLoopBackOff";

/// The waiting reason of a container whose `postStart` hook failed.
pub const POST_START_ERROR: &str = "PostStartHookError";
/// The reason of the event about such a hook.
pub const POST_START_EVENT: &str = "FailedPostStartHook";
/// The reason of the event about a `preStop` hook that failed; the container is ended all the same.
pub const PRE_STOP_EVENT: &str = "FailedPreStopHook";

/// What to do next with a pod, as kubelet's `computePodActions`.
pub fn next(situation: &Situation<'_>) -> Actions {
    let Situation {
        pod, observed, now, ..
    } = *situation;
    let mut actions = Actions::default();
    if meta::at(pod, &["metadata", "deletionTimestamp"]).is_some() {
        actions.kill_pod = Some(KillPod::Deleted);
        return actions;
    }
    if matches!(
        meta::text(pod, &["status", "phase"]),
        "Succeeded" | "Failed"
    ) {
        actions.kill_pod = Some(KillPod::Done);
        return actions;
    }
    let deadline = deadline(pod);
    if deadline.is_some_and(|deadline| deadline <= now) {
        actions.kill_pod = Some(KillPod::DeadlineExceeded);
        return actions;
    }
    match sandbox_attempt(pod, observed) {
        Some(attempt) => renew(situation, attempt, &mut actions),
        None => advance(situation, &mut actions),
    }
    let waits = actions.waiting.iter().map(|waiting| waiting.until);
    actions.again = waits.chain(deadline).min();
    actions
}

/// When the pod's time is over, from its `status.startTime`.
fn deadline(pod: &Value) -> Option<Timestamp> {
    let seconds = int(get(pod, "spec")?, "activeDeadlineSeconds")?;
    let started: Timestamp = meta::text(pod, &["status", "startTime"]).parse().ok()?;
    started.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The attempt number of the sandbox that the pod needs; `None` if it has a good one. One without
/// an address, where it should have one, is not good.
pub fn sandbox_attempt(pod: &Value, observed: &Observed) -> Option<u32> {
    let Some(sandbox) = &observed.sandbox else {
        return Some(0);
    };
    let on_host = meta::at(pod, &["spec", "hostNetwork"]) == Some(&Value::Bool(true));
    let good = sandbox.ready && (on_host || !sandbox.addresses.is_empty());
    (!good).then(|| sandbox.attempt.saturating_add(1))
}

/// The pod has no sandbox, or a dead one: all begins anew, unless the pod is over.
fn renew(situation: &Situation<'_>, attempt: u32, actions: &mut Actions) {
    let Situation { pod, observed, .. } = *situation;
    actions.kill_pod = Some(KillPod::SandboxChanged);
    let was_there = observed.containers.values().any(|made| !made.is_empty());
    if policy(pod) == Policy::Never && attempt != 0 && was_there {
        actions.kill_pod = Some(KillPod::Done);
        return;
    }
    let succeeded = |container: &Container<'_>| {
        let made = observed.container(container.name());
        made.and_then(Made::exit).is_some_and(|exit| exit.code == 0)
    };
    let to_start: Vec<Container<'_>> = containers::regular(pod)
        .filter(|container| policy(pod) != Policy::OnFailure || !succeeded(container))
        .collect();
    let initialized =
        containers::regular(pod).any(|container| observed.container(container.name()).is_some());
    if to_start.is_empty() && initialized {
        actions.kill_pod = Some(KillPod::Done);
        return;
    }
    if observed.sandbox.is_none() && !was_there {
        // Nothing to end.
        actions.kill_pod = None;
    }
    actions.create_sandbox = Some(attempt);
    match containers::init(pod).next() {
        Some(first) => start(situation, first, actions),
        None => to_start
            .into_iter()
            .for_each(|container| start(situation, container, actions)),
    }
}

/// The sandbox is good.
fn advance(situation: &Situation<'_>, actions: &mut Actions) {
    let Situation { pod, observed, .. } = *situation;
    for container in containers::ephemeral(pod) {
        if observed.container(container.name()).is_none() {
            start(situation, container, actions);
        }
    }
    let before_init = actions.start.len();
    let before_waiting = actions.waiting.len();
    if !initialize(situation, actions) || actions.kill_pod.is_some() {
        return;
    }
    let init_starts = before_init..actions.start.len();
    let init_waiting = before_waiting..actions.waiting.len();
    let mut kept = false;
    let mut to_start = Vec::new();
    for container in containers::regular(pod) {
        let made = observed.container(container.name());
        let Some(made) = made.filter(|made| made.is_running()) else {
            if restarts(pod, made) {
                if made.is_some_and(|made| made.state == State::Unknown) {
                    actions.kill.push(unknown("Container", container));
                }
                to_start.push(container);
            }
            continue;
        };
        let name = container.name();
        let (text, cause, again) = if made.changed {
            ("definition changed", termination::Cause::Other, true)
        } else if let Some(kind) = failed(situation, name) {
            let text = match kind {
                Kind::Startup => "failed startup probe",
                _ => "failed liveness probe",
            };
            (
                text,
                termination::Cause::Probe(kind),
                policy(pod) != Policy::Never,
            )
        } else {
            kept = true;
            continue;
        };
        let restarted = if again { ", will be restarted" } else { "" };
        let message = format!("Container {name} {text}{restarted}");
        actions.kill.push(Kill {
            name: name.to_owned(),
            message,
            cause,
        });
        if again {
            to_start.push(container);
        }
    }
    if !kept && to_start.is_empty() {
        // Sidecars alone do not keep a pod alive.
        actions.start.drain(init_starts);
        actions.waiting.drain(init_waiting);
        actions.kill_pod = Some(KillPod::Done);
        return;
    }
    for container in to_start {
        start(situation, container, actions);
    }
}

/// Which of the two probes that end a container has failed.
fn failed(situation: &Situation<'_>, name: &str) -> Option<Kind> {
    [Kind::Liveness, Kind::Startup]
        .into_iter()
        .find(|kind| verdict(situation, name, *kind) == Some(Verdict::Failure))
}

fn verdict(situation: &Situation<'_>, name: &str, kind: Kind) -> Option<Verdict> {
    situation.verdicts.get(&(name.to_owned(), kind)).copied()
}

/// Brings init containers forward; whether the pod's own containers may run. The containers are
/// gone through from the last to the first that says that all before it are done, since those may
/// have been removed.
fn initialize(situation: &Situation<'_>, actions: &mut Actions) -> bool {
    let Situation { pod, observed, .. } = *situation;
    let init: Vec<Container<'_>> = containers::init(pod).collect();
    let Some(last) = init.len().checked_sub(1) else {
        return true;
    };
    let mut initialized = containers::regular(pod).any(|container| {
        observed
            .container(container.name())
            .is_some_and(|made| matches!(made.state, State::Created | State::Running(_)))
    });
    let mut past = initialized;
    let mut to_start: Vec<usize> = Vec::new();
    let mut kills = Vec::new();
    for (i, container) in init.iter().enumerate().rev() {
        let is_sidecar = container.role == Role::Sidecar;
        let name = container.name();
        let Some(made) = observed.container(name) else {
            if past && is_sidecar {
                to_start.push(i);
            }
            continue;
        };
        if past && !is_sidecar {
            continue;
        }
        // Whether it is done, so that the next one may start.
        let mut done = false;
        match &made.state {
            State::Created => to_start.push(i),
            State::Running(_) if is_sidecar => {
                let has_startup = get(container.spec, "startupProbe").is_some();
                let startup = verdict(situation, name, Kind::Startup);
                let mut kill = |text: &str, cause| {
                    let message = format!("Init container {name} {text}");
                    kills.push(Kill {
                        name: name.to_owned(),
                        message,
                        cause,
                    });
                    to_start.push(i);
                };
                if has_startup && startup == Some(Verdict::Failure) {
                    kill(
                        "failed startup probe",
                        termination::Cause::Probe(Kind::Startup),
                    );
                } else if !has_startup || startup == Some(Verdict::Success) {
                    done = true;
                    if made.changed {
                        kill("definition changed", termination::Cause::Other);
                    } else if verdict(situation, name, Kind::Liveness) == Some(Verdict::Failure) {
                        kill(
                            "failed liveness probe",
                            termination::Cause::Probe(Kind::Liveness),
                        );
                    }
                }
            }
            State::Running(_) => {}
            State::Exited(_) if is_sidecar => to_start.push(i),
            State::Exited(exit) if exit.code == 0 => done = true,
            State::Unknown if is_sidecar => {
                kills.push(unknown("Init container", *container));
                to_start.push(i);
            }
            State::Exited(_) | State::Unknown if policy(pod) == Policy::Never => {
                actions.kill_pod = Some(KillPod::Done);
                return false;
            }
            State::Exited(_) => to_start.push(i),
            State::Unknown => {
                kills.push(unknown("Init container", *container));
                to_start.push(i);
            }
        }
        if done && i == last {
            initialized = true;
        } else if done && !past {
            to_start.push(i + 1);
        }
        past = true;
    }
    if !past {
        to_start.push(0);
    }
    actions.kill.append(&mut kills);
    to_start.sort_unstable();
    to_start.dedup();
    for i in to_start {
        if let Some(container) = init.get(i) {
            start(situation, *container, actions);
        }
    }
    initialized
}

fn unknown(what: &str, container: Container<'_>) -> Kill {
    Kill {
        name: container.name().to_owned(),
        message: format!("{what} is in \"unknown\" state, try killing it before restart"),
        cause: termination::Cause::Other,
    }
}

/// Starts a container, or has it wait if it ended too often.
fn start(situation: &Situation<'_>, container: Container<'_>, actions: &mut Actions) {
    let Situation {
        pod,
        observed,
        backoffs,
        now,
        ..
    } = *situation;
    let name = container.name().to_owned();
    let hooks = get(container.spec, "lifecycle");
    let post_start = hooks.and_then(|hooks| get(hooks, "postStart")).cloned();
    let ended = observed
        .container(&name)
        .and_then(Made::exit)
        .map(|exit| exit.finished);
    let Some(ended) = ended else {
        actions.start.push(Start {
            name,
            backoff: None,
            post_start,
        });
        return;
    };
    match backoff::decide(backoffs.get(&name).copied(), ended, now) {
        Decision::Now(memory) => actions.start.push(Start {
            name,
            backoff: Some(memory),
            post_start,
        }),
        Decision::Wait { until, wait } => {
            let message = format!(
                "back-off {} restarting failed container={name} pod={}_{}({})",
                backoff::words(wait),
                meta::name(pod),
                meta::namespace(pod),
                meta::uid(pod)
            );
            actions.waiting.push(Waiting {
                name,
                until,
                message,
            });
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Always,
    OnFailure,
    Never,
}

fn policy(pod: &Value) -> Policy {
    match meta::text(pod, &["spec", "restartPolicy"]) {
        "Never" => Policy::Never,
        "OnFailure" => Policy::OnFailure,
        _ => Policy::Always,
    }
}

/// Whether a container of the pod that is not running is to run (again), as kubelet's
/// `ShouldContainerBeRestarted`. `made` is `None` for one that was never made.
pub fn restarts(pod: &Value, made: Option<&Made>) -> bool {
    if meta::at(pod, &["metadata", "deletionTimestamp"]).is_some() {
        return false;
    }
    match made.map(|made| &made.state) {
        None | Some(State::Created | State::Unknown) => true,
        Some(State::Running(_)) => false,
        Some(State::Exited(exit)) => match policy(pod) {
            Policy::Always => true,
            Policy::OnFailure => exit.code != 0,
            Policy::Never => false,
        },
    }
}
