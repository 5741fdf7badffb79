//! How containers are brought to an end: hooks, signals, and how long each has.

use crate::containers::{self, Container, Role};
use crate::observed::Observed;
use crate::probe::Kind;
use model::validation::read::{get, int};
use model::{Value, meta};

/// The least that a container gets between being asked and being killed, in seconds.
const LEAST_GRACE: i64 = 2;
/// What it gets where neither pod nor deletion says, in seconds.
const DEFAULT_GRACE: i64 = 30;

/// Why containers end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The pod is deleted.
    Deletion,
    /// A probe found it failing; the probe may allow less time.
    Probe(Kind),
    /// The pod goes for another reason, such as its deadline.
    Other,
    /// So many seconds, whatever pod and probe say (eviction).
    Within(i64),
}

/// How one container ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// The container.
    pub name: String,
    /// Seconds that it has, from now to its kill. The hook and waiting its turn use them up, but
    /// for [`Ending::after_hook`].
    pub grace: i64,
    /// Its `preStop` hook, to be run at once and at most for its grace.
    pub pre_stop: Option<Value>,
    /// The signal that asks it to end, by the name that the pod gives; `None` for the image's, or
    /// else SIGTERM.
    pub signal: Option<String>,
    /// The containers that must have ended before it is asked, while there is time.
    pub waits_for: Vec<String>,
}

impl Ending {
    /// The seconds between asking and killing, once its hook and its turn took so many.
    pub fn after_hook(&self, used: i64) -> i64 {
        self.grace.saturating_sub(used).max(LEAST_GRACE)
    }
}

/// How a container ends that ends alone.
pub fn one(pod: &Value, container: Container<'_>, cause: Cause) -> Ending {
    let grace = grace(pod, container.spec, cause);
    let lifecycle = get(container.spec, "lifecycle");
    let signal = lifecycle.and_then(|lifecycle| get(lifecycle, "stopSignal"));
    Ending {
        name: container.name().to_owned(),
        grace,
        pre_stop: lifecycle
            .and_then(|lifecycle| get(lifecycle, "preStop"))
            .filter(|_| grace > 0)
            .cloned(),
        signal: signal.and_then(Value::as_str).map(str::to_owned),
        waits_for: Vec::new(),
    }
}

/// How all running containers of a pod end: all at once, but sidecars only after the pod's own
/// containers, each after those that started after it.
pub fn all(pod: &Value, observed: &Observed, cause: Cause) -> Vec<Ending> {
    let running: Vec<Container<'_>> = containers::all(pod)
        .filter(|container| observed.runs(container.name()))
        .collect();
    running
        .iter()
        .enumerate()
        .map(|(i, container)| {
            let mut ending = one(pod, *container, cause);
            if container.role == Role::Sidecar && ending.grace > 0 {
                ending.waits_for = running
                    .iter()
                    .skip(i + 1)
                    .filter(|other| matches!(other.role, Role::Regular | Role::Sidecar))
                    .map(|other| other.name().to_owned())
                    .collect();
            }
            ending
        })
        .collect()
}

/// The deletion's word counts first, then the probe's, then the pod's.
fn grace(pod: &Value, container: &Value, cause: Cause) -> i64 {
    if let Cause::Within(seconds) = cause {
        return seconds.max(0);
    }
    let of_deletion = meta::at(pod, &["metadata", "deletionGracePeriodSeconds"]);
    let of_probe = match cause {
        // A readiness probe ends nothing.
        Cause::Probe(kind) => get(container, kind.field())
            .and_then(|probe| int(probe, "terminationGracePeriodSeconds")),
        _ => None,
    };
    let of_pod = meta::at(pod, &["spec", "terminationGracePeriodSeconds"]);
    of_deletion
        .and_then(Value::as_i64)
        .or(of_probe)
        .or(of_pod.and_then(Value::as_i64))
        .unwrap_or(DEFAULT_GRACE)
        .max(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::{Made, State};
    use serde_json::json;

    fn running(names: &[&str]) -> Observed {
        let mut observed = Observed::default();
        for name in names {
            let made = Made {
                id: String::new(),
                image: String::new(),
                image_id: String::new(),
                restarts: 0,
                changed: false,
                state: State::Running(jiff::Timestamp::UNIX_EPOCH),
            };
            observed.containers.insert((*name).to_owned(), vec![made]);
        }
        observed
    }

    fn pod() -> Value {
        json!({"metadata": {}, "spec": {
            "terminationGracePeriodSeconds": 20,
            "initContainers": [{"name": "i"}, {"name": "s1", "restartPolicy": "Always"},
                {"name": "s2", "restartPolicy": "Always"}],
            "containers": [{"name": "a", "lifecycle": {"preStop": {"exec": {"command": ["x"]}},
                "stopSignal": "SIGUSR1"}, "livenessProbe": {"terminationGracePeriodSeconds": 5}},
                {"name": "b"}],
            "ephemeralContainers": [{"name": "e"}],
        }})
    }

    #[test]
    fn sidecars_go_last_and_in_reverse() {
        let endings = all(&pod(), &running(&["s1", "s2", "a", "b", "e"]), Cause::Other);
        let order: Vec<(&str, String)> = endings
            .iter()
            .map(|e| (e.name.as_str(), e.waits_for.join(" ")))
            .collect();
        let none = String::new;
        assert_eq!(
            order,
            [
                ("s1", "s2 a b".to_owned()),
                ("s2", "a b".to_owned()),
                ("a", none()),
                ("b", none()),
                ("e", none()),
            ]
        );
        let endings = all(&pod(), &running(&["s1", "b"]), Cause::Within(0));
        assert!(
            endings
                .iter()
                .all(|ending| ending.waits_for.is_empty() && ending.grace == 0)
        );
    }

    #[test]
    fn how_long_a_container_has() {
        let mut deleted = pod();
        deleted["metadata"]["deletionGracePeriodSeconds"] = json!(7);
        let mut silent = pod();
        silent["spec"]["terminationGracePeriodSeconds"] = Value::Null;
        let pod = pod();
        for (pod, cause, want) in [
            (&pod, Cause::Other, 20),
            (&pod, Cause::Probe(Kind::Liveness), 5),
            (&pod, Cause::Probe(Kind::Startup), 20),
            (&deleted, Cause::Deletion, 7),
            (&deleted, Cause::Probe(Kind::Liveness), 7),
            (&silent, Cause::Deletion, 30),
            (&pod, Cause::Within(0), 0),
        ] {
            let container = containers::regular(pod).next().unwrap();
            let ending = one(pod, container, cause);
            assert_eq!(ending.grace, want, "{cause:?}");
            assert_eq!(ending.pre_stop.is_some(), want > 0);
            assert_eq!(ending.signal.as_deref(), Some("SIGUSR1"));
            assert_eq!(ending.after_hook(0), want.max(2));
            assert_eq!(ending.after_hook(1000), 2);
        }
    }
}
