//! Which policy is chosen, and what is answered if none is.

use super::*;

/// A policy with an effect on pods that say nothing.
fn changing(name: &str) -> Value {
    let mut policy = open(name);
    policy["spec"]["allowPrivilegeEscalation"] = json!(false);
    policy
}

/// A policy that refuses pods with host networks.
fn refusing(name: &str) -> Value {
    let mut policy = open(name);
    policy["spec"]["hostNetwork"] = json!(false);
    policy
}

fn decide(policies: &[Value], pass: Pass, pod: &Value, usable: &[&str]) -> Decision {
    Policies::new(policies).admit(pass, pod, |name| usable.contains(&name))
}

fn plain() -> Value {
    pod(json!({"hostNetwork": true}), json!({}))
}

#[test]
fn one_that_changes_nothing_is_preferred() {
    let all = [
        open("c"),
        open("d"),
        changing("a"),
        changing("b"),
        refusing("0"),
    ];
    let pod = plain();
    let choose = |usable: &[&str]| {
        let decision = decide(&all, Pass::Mutating, &pod, usable);
        decision.policy().map(str::to_owned)
    };
    assert_eq!(choose(&["a", "b", "c", "d", "0"]).as_deref(), Some("c"));
    assert_eq!(choose(&["b", "d"]).as_deref(), Some("d"));
    assert_eq!(choose(&["b", "a"]).as_deref(), Some("a"));
    assert_eq!(choose(&["b", "0"]).as_deref(), Some("b"));
    assert_eq!(choose(&["0"]), None);
}

#[test]
fn pods_are_changed_when_they_are_created() {
    let decision = decide(&[changing("a")], Pass::Mutating, &plain(), &["a"]);
    let Decision::Admitted {
        changes,
        pod: Some(pod),
        ..
    } = decision
    else {
        panic!("{decision:?}");
    };
    assert_eq!(changes.len(), 1);
    assert_eq!(pod["metadata"]["annotations"][ANNOTATION], "a");
    let context = &pod["spec"]["containers"][0]["securityContext"];
    assert_eq!(context["allowPrivilegeEscalation"], false);
    // What was admitted is valid, and stays as it is.
    let decision = decide(&[changing("a")], Pass::Validating, &pod, &["a"]);
    let want = Decision::Admitted {
        policy: "a".to_owned(),
        changes: Vec::new(),
        pod: None,
    };
    assert_eq!(decision, want);
}

#[test]
fn updates_are_not_changed() {
    let decision = decide(&[changing("a")], Pass::Validating, &plain(), &["a"]);
    assert_eq!(decision, Decision::Refused(Vec::new()));
    assert_eq!(
        decision.message(Pass::Validating).as_deref(),
        Some("PodSecurityPolicy: unable to validate pod: []")
    );
}

#[test]
fn the_policy_of_before_is_asked_first() {
    let mut pod = plain();
    meta::set(&mut pod, &["metadata", "annotations", ANNOTATION], "b");
    let all = [open("a"), open("b")];
    for (pass, want) in [(Pass::Validating, "b"), (Pass::Mutating, "a")] {
        let decision = decide(&all, pass, &pod, &["a", "b"]);
        assert_eq!(decision.policy(), Some(want));
    }
    let decision = decide(&all, Pass::Validating, &pod, &["a"]);
    assert_eq!(decision.policy(), Some("a"));
}

#[test]
fn refusals_are_of_the_policies_that_may_be_used() {
    let mut other = refusing("z");
    other["spec"]["privileged"] = json!(false);
    let all = [refusing("m"), other, refusing("a")];
    let mut pod = plain();
    pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    let network = "spec.securityContext.hostNetwork: Invalid value: true: Host network is not \
        allowed to be used";
    let privileged = "spec.containers[0].securityContext.privileged: Invalid value: true: \
        Privileged containers are not allowed";
    let decision = decide(&all, Pass::Mutating, &pod, &["z", "a"]);
    assert_eq!(
        decision.message(Pass::Mutating),
        Some(format!(
            "PodSecurityPolicy: unable to admit pod: [{network} {network} {privileged}]"
        ))
    );
    let Decision::Refused(refusals) = decision else {
        panic!("refused");
    };
    let names: Vec<&str> = refusals.iter().map(|r| r.policy.as_str()).collect();
    assert_eq!(names, ["a", "z", "z"]);
    let none = decide(&all, Pass::Mutating, &pod, &[]);
    assert_eq!(
        none.message(Pass::Mutating).as_deref(),
        Some("PodSecurityPolicy: unable to admit pod: []")
    );
}

#[test]
fn no_policy_to_enforce() {
    let mut broken = open("b");
    broken["spec"]["runAsUser"] = json!({"rule": "MustRunAs"});
    for all in [vec![], vec![broken]] {
        let decision = decide(&all, Pass::Mutating, &plain(), &["b"]);
        assert_eq!(decision, Decision::NoPolicies);
        assert_eq!(
            decision.message(Pass::Mutating).as_deref(),
            Some("PodSecurityPolicy: no providers available to validate pod request")
        );
    }
}

#[test]
fn policies_that_cannot_be_enforced() {
    for (patch, why) in [
        (
            json!({"runAsUser": {"rule": "x"}}),
            "Unrecognized RunAsUser strategy type x",
        ),
        (
            json!({"runAsUser": {"rule": "MustRunAs", "ranges": []}}),
            "MustRunAs requires at least one range",
        ),
        (
            json!({"runAsGroup": {"rule": "MayRunAs"}}),
            "ranges must be supplied for MayRunAs",
        ),
        (
            json!({"fsGroup": {"rule": "MustRunAs"}}),
            "ranges must be supplied for MustRunAs",
        ),
        (
            json!({"fsGroup": {"rule": ""}}),
            "Unrecognized FSGroup strategy type ",
        ),
        (
            json!({"supplementalGroups": null}),
            "Unrecognized SupplementalGroups strategy type ",
        ),
        (
            json!({"seLinux": {"rule": "MustRunAs"}}),
            "MustRunAs requires SELinuxOptions",
        ),
        (
            json!({"seLinux": {"rule": "MayRunAs"}}),
            "Unrecognized SELinuxContext strategy type MayRunAs",
        ),
    ] {
        let mut object = open("p");
        merge(&mut object["spec"], &patch);
        let all = Policies::new([&object]);
        let broken: Vec<String> = all.broken().iter().map(|(_, e)| e.to_string()).collect();
        assert_eq!(broken, [why], "{patch}");
        assert_eq!(all.iter().count(), 0);
    }
}

#[test]
fn whoever_may_use_a_policy_is_asked_only_where_it_matters() {
    let all = Policies::new(&[open("a"), open("b"), refusing("0")]);
    let mut asked = Vec::new();
    all.admit(Pass::Mutating, &plain(), |name| {
        asked.push(name.to_owned());
        true
    });
    assert_eq!(asked, ["a"]);
}

#[test]
fn bad_input_is_refused_quietly() {
    let strict = Policies::new(&[refusing("a"), changing("b")]);
    for pod in [
        Value::Null,
        json!([]),
        json!({"spec": 3, "metadata": "x"}),
        json!({"spec": {"containers": [null, 3, {"securityContext": []}], "volumes": "x"}}),
    ] {
        let decision = strict.admit(Pass::Mutating, &pod, |_| true);
        let again = strict.admit(Pass::Validating, &pod, |_| true);
        assert!(
            decision.policy().is_some() && again.policy().is_some(),
            "{pod}"
        );
    }
}
