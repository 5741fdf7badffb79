use super::*;
use crate::observed::{Exit, Made, Sandbox, State};
use crate::probe::{Kind, Verdict};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn made(state: char, restarts: i64) -> Made {
    let exit = |code, reason: &str| {
        State::Exited(Exit {
            code,
            reason: reason.to_owned(),
            message: String::new(),
            started: Some(at(50)),
            finished: at(100),
        })
    };
    Made {
        id: format!("rampart://{restarts}"),
        image: "busybox:latest".to_owned(),
        image_id: "busybox@sha256:1".to_owned(),
        restarts,
        changed: false,
        state: match state {
            'c' => State::Created,
            'r' => State::Running(at(60)),
            '?' => State::Unknown,
            'o' => exit(137, "OOMKilled"),
            digit => exit(i64::from(digit.to_digit(10).unwrap()), ""),
        },
    }
}

fn observed(text: &str) -> Observed {
    let mut observed = Observed {
        sandbox: Some(Sandbox {
            ready: true,
            addresses: vec!["10.0.0.5".to_owned()],
            attempt: 0,
        }),
        ..Observed::default()
    };
    for word in text.split_whitespace() {
        let (name, states) = word.split_once('=').unwrap();
        let count = states.chars().count() as i64;
        let all = states
            .chars()
            .zip((0..count).rev())
            .map(|(state, n)| made(state, n))
            .collect();
        observed.containers.insert(name.to_owned(), all);
    }
    observed
}

struct Case {
    pod: Value,
    seen: Observed,
    errors: BTreeMap<String, (String, String)>,
    verdicts: Verdicts,
    over: bool,
}

impl Case {
    fn new(policy: &str, seen: &str) -> Self {
        let pod = json!({"metadata": {"name": "p"}, "spec": {"restartPolicy": policy,
            "containers": [{"name": "b", "image": "busybox"}, {"name": "a", "image": "busybox"}]}});
        Self {
            pod,
            seen: observed(seen),
            errors: BTreeMap::new(),
            verdicts: Verdicts::new(),
            over: false,
        }
    }

    fn with_init(policy: &str, seen: &str) -> Self {
        let mut case = Self::new(policy, seen);
        case.pod["spec"]["initContainers"] =
            json!([{"name": "i"}, {"name": "s", "restartPolicy": "Always"}]);
        case
    }

    fn error(mut self, name: &str, reason: &str, message: &str) -> Self {
        self.errors
            .insert(name.to_owned(), (reason.to_owned(), message.to_owned()));
        self
    }

    fn told(mut self, status: Value) -> Self {
        self.pod["status"] = status;
        self
    }

    fn status_at(&self, now: i64) -> Value {
        status(&Input {
            pod: &self.pod,
            observed: &self.seen,
            verdicts: &self.verdicts,
            errors: &self.errors,
            failed: None,
            over: self.over,
            host_ips: &["192.0.2.1".to_owned()],
            recursive_read_only: true,
            now: at(now),
        })
    }

    fn status(&self) -> Value {
        self.status_at(200)
    }
}

#[test]
fn phases() {
    for (policy, seen, want) in [
        ("Always", "", "Pending"),
        ("Always", "a=r", "Pending"),
        ("Always", "a=r b=r", "Running"),
        ("Always", "a=0 b=1", "Running"),
        ("Always", "a=r b=c", "Pending"),
        ("OnFailure", "a=0 b=1", "Running"),
        ("OnFailure", "a=0 b=0", "Succeeded"),
        ("Never", "a=0 b=0", "Succeeded"),
        ("Never", "a=0 b=1", "Failed"),
        ("Never", "a=0 b=r", "Running"),
        ("Never", "a=?", "Pending"),
    ] {
        assert_eq!(
            Case::new(policy, seen).status()["phase"],
            want,
            "{policy} {seen}"
        );
    }
    for (policy, seen, want) in [
        ("Always", "", "Pending"),
        ("Always", "i=r", "Pending"),
        ("Always", "i=1", "Pending"),
        ("Never", "i=1", "Failed"),
        ("Always", "i=0 s=r", "Pending"),
        ("Always", "i=0 s=r a=r b=r", "Running"),
        ("Always", "i=0 s=1 a=r b=r", "Running"),
        ("Never", "i=0 s=0 a=0 b=0", "Succeeded"),
    ] {
        assert_eq!(
            Case::with_init(policy, seen).status()["phase"],
            want,
            "{policy} {seen}"
        );
    }
    let mut over = Case::new("Always", "a=0 b=0");
    over.over = true;
    assert_eq!(over.status()["phase"], "Succeeded");
    let told = Case::new("Always", "a=r b=r").told(json!({"phase": "Failed", "reason": "Evicted"}));
    assert_eq!(told.status()["phase"], "Failed");
    assert_eq!(told.status()["reason"], "Evicted");
}

#[test]
fn a_running_pod() {
    let status = Case::new("Always", "a=r b=r").status();
    assert_eq!(status["podIP"], "10.0.0.5");
    assert_eq!(status["podIPs"], json!([{"ip": "10.0.0.5"}]));
    assert_eq!(status["hostIPs"], json!([{"ip": "192.0.2.1"}]));
    assert_eq!(status["qosClass"], "BestEffort");
    assert_eq!(status["startTime"], "1970-01-01T00:03:20Z");
    assert_eq!(
        status["containerStatuses"][0],
        json!({"name": "a", "image": "busybox:latest", "imageID": "busybox@sha256:1",
            "containerID": "rampart://0", "restartCount": 0, "ready": true, "started": true,
            "state": {"running": {"startedAt": "1970-01-01T00:01:00Z"}}, "lastState": {}})
    );
    let kinds: Vec<&str> = list(&status, "conditions")
        .iter()
        .map(|condition| text(condition, "type"))
        .collect();
    assert_eq!(kinds, conditions::OWN);
    assert!(
        list(&status, "conditions")
            .iter()
            .all(|c| c["status"] == "True")
    );
}

/// `STATUS REASON MESSAGE` of a condition.
fn condition(status: &Value, kind: &str) -> String {
    let condition = list(status, "conditions")
        .iter()
        .find(|c| text(c, "type") == kind)
        .unwrap();
    ["status", "reason", "message"]
        .map(|key| text(condition, key))
        .join(" ")
        .trim_end()
        .to_owned()
}

#[test]
fn what_conditions_say() {
    for (policy, seen, kind, want) in [
        (
            "Always",
            "",
            "Ready",
            "False ContainersNotReady containers with unready status: [b a]",
        ),
        (
            "Always",
            "a=r",
            "ContainersReady",
            "False ContainersNotReady containers with unready status: [b]",
        ),
        ("Never", "a=0 b=0", "Ready", "False PodCompleted"),
        ("Never", "a=0 b=0", "Initialized", "True PodCompleted"),
        ("Never", "a=0 b=1", "ContainersReady", "False PodFailed"),
        ("Always", "", "Initialized", "True"),
    ] {
        let status = Case::new(policy, seen).status();
        assert_eq!(condition(&status, kind), want, "{policy} {seen}");
    }
    for (seen, kind, want) in [
        (
            "i=r",
            "Initialized",
            "False ContainersNotInitialized containers with incomplete status: [i s]",
        ),
        (
            "i=0",
            "Initialized",
            "False ContainersNotInitialized containers with incomplete status: [s]",
        ),
        ("i=0 s=r", "Initialized", "True"),
        ("i=0 s=1 a=r b=r", "Initialized", "True"),
        (
            "i=0 s=1 a=r b=r",
            "Ready",
            "False ContainersNotReady containers with unready status: [s]",
        ),
    ] {
        let status = Case::with_init("Always", seen).status();
        assert_eq!(condition(&status, kind), want, "{seen}");
    }
    let mut gated = Case::new("Always", "a=r b=r")
        .told(json!({"conditions": [{"type": "x/lb", "status": "False"}]}));
    gated.pod["spec"]["readinessGates"] =
        json!([{"conditionType": "x/lb"}, {"conditionType": "x/y"}]);
    assert_eq!(
        condition(&gated.status(), "Ready"),
        "False ReadinessGatesNotReady the status of pod readiness gate \"x/lb\" is not \"True\", \
         but False, corresponding condition of pod readiness gate \"x/y\" does not exist."
    );
    assert_eq!(condition(&gated.status(), "x/lb"), "False");
    let mut bare = Case::new("Always", "");
    bare.seen.sandbox = None;
    assert_eq!(
        condition(&bare.status(), "PodReadyToStartContainers"),
        "False"
    );
}

#[test]
fn conditions_keep_the_time_at_which_they_turned() {
    let mut case = Case::new("Always", "a=r");
    let first = case.status_at(200);
    case = case.told(first);
    let second = case.status_at(300);
    assert_eq!(second, case.pod["status"]);
    case.seen = observed("a=r b=r");
    let third = case.told(second).status_at(400);
    let time = |kind: &str| {
        let all = list(&third, "conditions");
        text(
            all.iter().find(|c| text(c, "type") == kind).unwrap(),
            "lastTransitionTime",
        )
        .to_owned()
    };
    assert_eq!(time("Ready"), super::time(at(400)));
    assert_eq!(time("PodScheduled"), super::time(at(200)));
}

#[test]
fn containers_that_wait_or_ended() {
    let state = |case: &Case, name: &str| {
        let status = case.status();
        let status = named(list(&status, "containerStatuses"), name)
            .unwrap()
            .clone();
        (
            status["state"].clone(),
            status["lastState"].clone(),
            status["restartCount"].clone(),
        )
    };
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let none = json!({});
    let zero = json!(0);
    let case = Case::new("Always", "");
    assert_eq!(
        state(&case, "a"),
        (waiting("ContainerCreating"), none.clone(), zero.clone())
    );
    let case = Case::with_init("Always", "");
    assert_eq!(state(&case, "a").0, waiting("PodInitializing"));
    let case = Case::new("Always", "").error("a", "ImagePullBackOff", "Back-off");
    let (now, ..) = state(&case, "a");
    assert_eq!(
        now,
        json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}})
    );
    // Ended, with the one before it.
    let (now, last, restarts) = state(&Case::new("Always", "a=o1 b=r"), "a");
    assert_eq!(now["terminated"]["reason"], "OOMKilled");
    assert_eq!(now["terminated"]["exitCode"], 137);
    assert_eq!(now["terminated"]["containerID"], "rampart://1");
    assert_eq!(last["terminated"]["reason"], "Error");
    assert_eq!(restarts, 1);
    // It is to run again, and has to wait.
    let case = Case::new("Always", "a=1 b=r").error("a", "CrashLoopBackOff", "back-off 10s");
    let (now, last, _) = state(&case, "a");
    assert_eq!(now["waiting"]["reason"], "CrashLoopBackOff");
    assert_eq!(last["terminated"]["exitCode"], 1);
    let case = Case::new("Never", "a=1 b=r").error("a", "CrashLoopBackOff", "x");
    assert!(state(&case, "a").0.get("terminated").is_some());
    // It ran, and nobody knows what became of it.
    let ran = json!({"containerStatuses": [{"name": "a", "restartCount": 2,
        "state": {"running": {}}}]});
    let (now, last, restarts) = state(&Case::new("Always", "b=r").told(ran.clone()), "a");
    assert_eq!(now, waiting("ContainerCreating"));
    assert_eq!(last["terminated"]["reason"], "ContainerStatusUnknown");
    assert_eq!(restarts, 3);
    let (now, _, restarts) = state(&Case::new("Always", "a=? b=r").told(ran), "a");
    assert_eq!(now["terminated"]["exitCode"], 137);
    assert_eq!(restarts, 3);
    // What ended and was removed since is remembered.
    let ended = json!({"containerStatuses": [{"name": "a", "restartCount": 2,
        "state": {"terminated": {"exitCode": 3}}}]});
    let (now, _, restarts) = state(&Case::new("Never", "b=r").told(ended), "a");
    assert_eq!(
        (now, restarts),
        (json!({"terminated": {"exitCode": 3}}), json!(2))
    );
}

#[test]
fn probes_decide_what_is_started_and_ready() {
    for (startup, readiness, want) in [
        (None, None, (false, false)),
        (Some(Verdict::Success), None, (true, false)),
        (
            Some(Verdict::Success),
            Some(Verdict::Failure),
            (true, false),
        ),
        (Some(Verdict::Success), Some(Verdict::Success), (true, true)),
        (
            Some(Verdict::Failure),
            Some(Verdict::Success),
            (false, false),
        ),
    ] {
        let mut case = Case::new("Always", "a=r b=r");
        case.pod["spec"]["containers"][1]["startupProbe"] = json!({});
        case.pod["spec"]["containers"][1]["readinessProbe"] = json!({});
        for (kind, verdict) in [(Kind::Startup, startup), (Kind::Readiness, readiness)] {
            if let Some(verdict) = verdict {
                case.verdicts.insert(("a".to_owned(), kind), verdict);
            }
        }
        let status = &case.status()["containerStatuses"][0];
        assert_eq!((status["started"] == true, status["ready"] == true), want);
    }
}

#[test]
fn failed_pods_say_why() {
    let case = Case::new("Always", "a=r b=r");
    let input = Input {
        pod: &case.pod,
        observed: &case.seen,
        verdicts: &case.verdicts,
        errors: &case.errors,
        failed: Some(("DeadlineExceeded", "too long")),
        over: false,
        host_ips: &[],
        recursive_read_only: false,
        now: at(1),
    };
    let told = status(&input);
    assert_eq!(
        (&told["phase"], &told["reason"]),
        (&json!("Failed"), &json!("DeadlineExceeded"))
    );
    assert_eq!(condition(&told, "Ready"), "False PodFailed");
}

#[test]
fn last_words_are_cut() {
    let on_error = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let lines: String = (0..100).map(|n| format!("{n}\n")).collect();
    let want: String = (20..100).map(|n| format!("{n}\n")).collect();
    for (container, file, output, code, want) in [
        (&json!({}), "said", "log", 1, "said"),
        (&json!({}), "", "log", 1, ""),
        (&on_error, "said", "log", 1, "said"),
        (&on_error, "", "log", 0, ""),
        (&on_error, "", "log", 1, "log"),
        (&on_error, "", lines.as_str(), 1, want.as_str()),
    ] {
        assert_eq!(last_words(container, file.as_bytes(), output, code), want);
    }
    let long = "é".repeat(5000);
    assert_eq!(last_words(&json!({}), long.as_bytes(), "", 1).len(), 4096);
    let cut = last_words(&on_error, b"", &format!("x{long}"), 1);
    assert_eq!(cut, "é".repeat(1024));
}
