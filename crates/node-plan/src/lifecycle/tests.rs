use super::*;
use crate::observed::{Exit, Sandbox};
use serde_json::json;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A container that was made: `c`reated, `r`unning, `0` or `1` for its exit code (at 100), `?`
/// unknown, `!` running though its definition changed.
fn made(state: char) -> Made {
    let exit = |code| {
        State::Exited(Exit {
            code,
            reason: String::new(),
            message: String::new(),
            started: Some(at(90)),
            finished: at(100),
        })
    };
    Made {
        id: "x".to_owned(),
        image: String::new(),
        image_id: String::new(),
        restarts: 0,
        changed: state == '!',
        state: match state {
            'c' => State::Created,
            '0' => exit(0),
            '1' => exit(1),
            '?' => State::Unknown,
            _ => State::Running(at(90)),
        },
    }
}

/// Containers as `NAME=STATE`, and the sandbox: `+` good, `-` dead, nothing none.
fn observed(text: &str) -> Observed {
    let mut observed = Observed::default();
    for word in text.split_whitespace() {
        if let Some((name, state)) = word.split_once('=') {
            let made = made(state.chars().next().unwrap());
            observed.containers.insert(name.to_owned(), vec![made]);
        } else {
            observed.sandbox = Some(Sandbox {
                ready: word == "+",
                addresses: vec!["10.0.0.1".to_owned()],
                attempt: 0,
            });
        }
    }
    observed
}

fn pod(policy: &str) -> Value {
    json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"restartPolicy": policy, "containers": [{"name": "a"}, {"name": "b"}]}})
}

fn with_init(policy: &str) -> Value {
    let mut pod = pod(policy);
    pod["spec"]["initContainers"] =
        json!([{"name": "i"}, {"name": "s", "restartPolicy": "Always"}, {"name": "j"}]);
    pod
}

fn ask(pod: &Value, seen: &str, verdicts: &[(&str, Kind, Verdict)]) -> Actions {
    let verdicts = verdicts
        .iter()
        .map(|(name, kind, verdict)| (((*name).to_owned(), *kind), *verdict))
        .collect();
    next(&Situation {
        pod,
        observed: &observed(seen),
        verdicts: &verdicts,
        backoffs: &BTreeMap::new(),
        now: at(200),
    })
}

/// Actions in one line: `sandbox`, `done`, `-NAME` for kills, `+NAME` for starts.
fn line(actions: &Actions) -> String {
    let mut words = Vec::new();
    match actions.kill_pod {
        Some(KillPod::SandboxChanged) => words.push("renew".to_owned()),
        Some(other) => words.push(format!("{other:?}").to_lowercase()),
        None => {}
    }
    words.extend(
        actions
            .create_sandbox
            .map(|attempt| format!("sandbox{attempt}")),
    );
    words.extend(actions.kill.iter().map(|kill| format!("-{}", kill.name)));
    words.extend(actions.start.iter().map(|start| format!("+{}", start.name)));
    words.join(" ")
}

#[test]
fn containers_without_init_containers() {
    for (policy, seen, want) in [
        ("Always", "", "sandbox0 +a +b"),
        ("Always", "+", "+a +b"),
        ("Always", "+ a=r", "+b"),
        ("Always", "+ a=r b=r", ""),
        ("Always", "+ a=0 b=r", "+a"),
        ("Always", "+ a=0 b=1", "+a +b"),
        ("OnFailure", "+ a=0 b=1", "+b"),
        ("OnFailure", "+ a=0 b=0", "done"),
        ("Never", "+ a=0 b=1", "done"),
        ("Never", "+ a=1 b=r", ""),
        ("Never", "+ a=1", "+b"),
        ("Never", "+ a=c b=r", "+a"),
        ("Always", "+ a=? b=r", "-a +a"),
        ("Never", "+ a=! b=r", "-a +a"),
        // The sandbox died.
        ("Always", "- a=1 b=1", "renew sandbox1 +a +b"),
        ("OnFailure", "- a=0 b=1", "renew sandbox1 +b"),
        ("OnFailure", "- a=0 b=0", "done"),
        ("Never", "- a=1 b=0", "done"),
        ("Never", "-", "renew sandbox1 +a +b"),
    ] {
        assert_eq!(line(&ask(&pod(policy), seen, &[])), want, "{policy} {seen}");
    }
}

#[test]
fn init_containers_come_in_order() {
    for (policy, seen, want) in [
        ("Always", "", "sandbox0 +i"),
        ("Always", "+", "+i"),
        ("Always", "+ i=r", ""),
        ("Always", "+ i=1", "+i"),
        ("Never", "+ i=1", "done"),
        ("Always", "+ i=0", "+s"),
        ("Always", "+ i=0 s=r", "+j"),
        ("Always", "+ i=0 s=r j=r", ""),
        ("Always", "+ i=0 s=1", "+s"),
        ("Always", "+ i=0 s=1 j=r", "+s"),
        ("Always", "+ i=0 s=r j=0", "+a +b"),
        // Removed ones count as done if a later one is there.
        ("Always", "+ s=r j=0", "+a +b"),
        ("Always", "+ i=0 s=r j=0 a=r b=r", ""),
        ("Always", "+ i=0 s=1 j=0 a=r b=r", "+s"),
        ("Always", "+ a=r b=r", "+s"),
        ("Never", "+ i=0 s=r j=0 a=0 b=1", "done"),
        ("Never", "+ i=0 s=1 j=0 a=0 b=1", "done"),
        ("Always", "+ i=0 s=? j=r", "-s +s"),
        ("Never", "+ i=?", "done"),
        ("Always", "- i=0 s=1 j=0 a=1 b=1", "renew sandbox1 +i"),
    ] {
        assert_eq!(
            line(&ask(&with_init(policy), seen, &[])),
            want,
            "{policy} {seen}"
        );
    }
}

#[test]
fn probes_restart_containers() {
    let failed = |name| [(name, Kind::Liveness, Verdict::Failure)];
    let actions = ask(&pod("Always"), "+ a=r b=r", &failed("a"));
    assert_eq!(line(&actions), "-a +a");
    assert_eq!(
        actions.kill[0].message,
        "Container a failed liveness probe, will be restarted"
    );
    assert_eq!(
        actions.kill[0].cause,
        termination::Cause::Probe(Kind::Liveness)
    );
    let actions = ask(&pod("Never"), "+ a=r b=r", &failed("a"));
    assert_eq!(line(&actions), "-a");
    assert_eq!(actions.kill[0].message, "Container a failed liveness probe");
    let actions = ask(
        &pod("Always"),
        "+ a=r b=r",
        &[("b", Kind::Startup, Verdict::Failure)],
    );
    assert_eq!(
        actions.kill[0].message,
        "Container b failed startup probe, will be restarted"
    );
    let actions = ask(&with_init("Always"), "+ s=r j=0 a=r b=r", &failed("s"));
    assert_eq!(line(&actions), "-s +s");
    assert_eq!(
        actions.kill[0].message,
        "Init container s failed liveness probe"
    );
}

#[test]
fn a_sidecar_holds_the_next_back_until_it_has_come_up() {
    let mut pod = with_init("Always");
    pod["spec"]["initContainers"][1]["startupProbe"] = json!({});
    for (verdict, want) in [
        (None, ""),
        (Some(Verdict::Unknown), ""),
        (Some(Verdict::Success), "+j"),
        (Some(Verdict::Failure), "-s +s"),
    ] {
        let verdicts: Vec<_> = verdict
            .into_iter()
            .map(|v| ("s", Kind::Startup, v))
            .collect();
        assert_eq!(
            line(&ask(&pod, "+ i=0 s=r", &verdicts)),
            want,
            "{verdict:?}"
        );
    }
}

#[test]
fn ephemeral_containers_are_started_once() {
    let mut pod = with_init("Always");
    pod["spec"]["ephemeralContainers"] = json!([{"name": "e"}, {"name": "f"}]);
    for (seen, want) in [
        ("", "sandbox0 +i"),
        ("+ i=r", "+e +f"),
        ("+ i=0 s=r j=0 a=r b=r e=1", "+f"),
        ("+ i=0 s=r j=0 a=r b=r e=1 f=r", ""),
    ] {
        assert_eq!(line(&ask(&pod, seen, &[])), want, "{seen}");
    }
}

#[test]
fn a_container_that_keeps_ending_waits() {
    let pod = pod("Always");
    let observed = observed("+ a=1 b=r");
    let memory = Backoff {
        wait: SignedDuration::from_secs(160),
        since: at(95),
    };
    let backoffs = BTreeMap::from([("a".to_owned(), memory)]);
    let situation = Situation {
        pod: &pod,
        observed: &observed,
        verdicts: &Verdicts::new(),
        backoffs: &backoffs,
        now: at(200),
    };
    let actions = next(&situation);
    assert_eq!(line(&actions), "");
    assert_eq!(
        actions.waiting,
        [Waiting {
            name: "a".to_owned(),
            until: at(260),
            message: "back-off 2m40s restarting failed container=a pod=p_ns(u)".to_owned(),
        }]
    );
    assert_eq!(actions.again, Some(at(260)));
    let actions = next(&Situation {
        now: at(260),
        ..situation
    });
    let doubled = Backoff {
        wait: SignedDuration::from_secs(300),
        since: at(260),
    };
    assert_eq!(
        actions.start,
        [Start {
            name: "a".to_owned(),
            backoff: Some(doubled),
            post_start: None
        }]
    );
}

#[test]
fn a_pod_ends_when_it_is_deleted_or_its_time_is_over() {
    let mut pod = pod("Always");
    pod["spec"]["activeDeadlineSeconds"] = json!(100);
    pod["status"] = json!({"startTime": at(150).to_string()});
    let actions = ask(&pod, "+ a=r b=r", &[]);
    assert_eq!(
        (line(&actions).as_str(), actions.again),
        ("", Some(at(250)))
    );
    pod["status"] = json!({"startTime": at(100).to_string()});
    assert_eq!(line(&ask(&pod, "+ a=r b=r", &[])), "deadlineexceeded");
    pod["metadata"]["deletionTimestamp"] = json!(at(150).to_string());
    assert_eq!(line(&ask(&pod, "+ a=r b=r", &[])), "deleted");
    assert!(!restarts(&pod, None));
    pod["metadata"] = json!({});
    pod["status"] = json!({"phase": "Failed"});
    assert_eq!(line(&ask(&pod, "+ a=r b=r", &[])), "done");
}

#[test]
fn a_sandbox_without_an_address_is_made_anew() {
    let mut seen = observed("+");
    seen.sandbox.as_mut().unwrap().addresses.clear();
    assert_eq!(sandbox_attempt(&pod("Always"), &seen), Some(1));
    let on_host = json!({"spec": {"hostNetwork": true}});
    assert_eq!(sandbox_attempt(&on_host, &seen), None);
}
