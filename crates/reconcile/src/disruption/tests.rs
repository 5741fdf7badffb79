use super::*;

fn pod(name: &str, ready: bool, extra: Value) -> Value {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "n", "labels": { "app": "web" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u",
                "controller": true,
            }] },
        "status": { "conditions": [
            { "type": "Ready", "status": if ready { "True" } else { "False" } },
        ] },
    });
    for (key, value) in extra.as_object().cloned().unwrap_or_default() {
        meta::set(&mut pod, &["metadata", &key], value);
    }
    pod
}

fn budget(spec: Value, status: Value) -> Value {
    let mut budget = json!({
        "metadata": { "name": "b", "namespace": "n", "generation": 3 },
        "spec": { "selector": { "matchLabels": { "app": "web" } } },
        "status": status,
    });
    for (key, value) in spec.as_object().cloned().unwrap_or_default() {
        meta::set(&mut budget, &["spec", &key], value);
    }
    budget
}

fn ask_with(
    budget: &Value,
    pods: &[Value],
    found: &Result<Option<Scale>, DisruptionError>,
) -> Result<Report, DisruptionError> {
    let selector = selector(budget);
    let pods: Vec<CoveredPod> = pods.iter().map(CoveredPod::new).collect();
    let covered: Vec<&CoveredPod> = pods.iter().filter(|p| p.is_covered(&selector)).collect();
    let owners = covered.iter().filter_map(|pod| pod.owner.clone());
    let scales = owners.map(|owner| (owner, found.clone())).collect();
    report(budget, &covered, &scales, 1_000, "now", |text| {
        text.parse().ok()
    })
}

fn ask(budget: &Value, pods: &[Value], replicas: i64) -> Report {
    let scale = Scale {
        uid: "u".to_owned(),
        replicas,
    };
    ask_with(budget, pods, &Ok(Some(scale))).unwrap()
}

#[test]
fn numbers_follow_from_the_spec() {
    let pods = [
        pod("a", true, json!({})),
        pod("b", true, json!({})),
        pod("c", false, json!({})),
        pod("d", true, json!({ "deletionTimestamp": "t" })),
        pod("e", true, json!({ "labels": { "app": "other" } })),
    ];
    // expected, desired, allowed; the controller wants five.
    for (spec, expected, desired, allowed) in [
        (json!({ "minAvailable": 1 }), 4, 1, 1),
        (json!({ "minAvailable": 2 }), 4, 2, 0),
        (json!({ "minAvailable": "20%" }), 5, 1, 1),
        (json!({ "minAvailable": "21%" }), 5, 2, 0),
        (json!({ "maxUnavailable": 4 }), 5, 1, 1),
        (json!({ "maxUnavailable": 9 }), 5, 0, 2),
        (json!({ "maxUnavailable": "50%" }), 5, 2, 0),
        (json!({}), 0, 0, 0),
    ] {
        let status = ask(&budget(spec.clone(), json!({})), &pods, 5).status;
        assert_eq!(
            [
                &status["expectedPods"],
                &status["desiredHealthy"],
                &status["disruptionsAllowed"]
            ],
            [expected, desired, allowed],
            "{spec}"
        );
        assert_eq!(status["currentHealthy"], 2);
        assert_eq!(status["observedGeneration"], 3);
        let reason = if allowed > 0 {
            "SufficientPods"
        } else {
            "InsufficientPods"
        };
        assert_eq!(status["conditions"][0]["reason"], reason);
    }
}

#[test]
fn pods_of_two_replica_sets_of_one_deployment_count_what_it_wants_once() {
    let other = json!({ "ownerReferences": [{
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "old", "uid": "o",
        "controller": true,
    }] });
    let pods = [pod("a", true, json!({})), pod("b", true, other)];
    let status = ask(&budget(json!({ "maxUnavailable": 1 }), json!({})), &pods, 2).status;
    assert_eq!(status["expectedPods"], 2);
}

#[test]
fn a_budget_without_pods_allows_nothing() {
    let status = ask(&budget(json!({ "minAvailable": 0 }), json!({})), &[], 0).status;
    assert_eq!(status["disruptionsAllowed"], 0);
}

#[test]
fn pods_without_controller_are_told_of_where_it_would_have_to_be_asked() {
    let bare = [pod("a", true, json!({ "ownerReferences": [] }))];
    for (spec, is_told) in [
        (json!({ "minAvailable": 1 }), false),
        (json!({ "minAvailable": "50%" }), true),
        (json!({ "maxUnavailable": 1 }), true),
    ] {
        let report = ask(&budget(spec.clone(), json!({})), &bare, 0);
        assert_eq!(report.has_unmanaged, is_told, "{spec}");
    }
    let mut told = budget(json!({}), json!({}));
    assert!(unmanaged(&told).starts_with(
        "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:\
         map[string]string{app: web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found"
    ));
    meta::set(
        &mut told,
        &["spec", "selector"],
        json!({ "matchExpressions": [{ "key": "k", "operator": "In", "values": ["a", "b"] }] }),
    );
    assert!(unmanaged(&told).contains(
        "{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{\
         LabelSelectorRequirement{Key:k,Operator:In,Values:[a b],},},}"
    ));
}

#[test]
fn granted_evictions_count_until_they_should_have_happened() {
    let pods = [pod("a", true, json!({})), pod("b", true, json!({}))];
    let granted = json!({ "disruptedPods": { "a": "990", "b": "800", "gone": "990" } });
    let report = ask(&budget(json!({ "minAvailable": 1 }), granted), &pods, 2);
    let status = &report.status;
    assert_eq!(status["disruptedPods"], json!({ "a": "990" }));
    assert_eq!(
        (&status["currentHealthy"], &status["disruptionsAllowed"]),
        (&1.into(), &0.into())
    );
    assert_eq!(report.again, Some(990 + DELETION_TIMEOUT));
    assert_eq!(report.not_deleted, ["b"]);
}

#[test]
fn what_cannot_be_known_allows_nothing() {
    let budget = budget(
        json!({ "maxUnavailable": 1 }),
        json!({ "disruptionsAllowed": 3, "observedGeneration": 2 }),
    );
    let pods = [pod("a", true, json!({}))];
    let no_scale = DisruptionError::NoScale("jobs.batch".to_owned());
    for (found, why) in [
        (Ok(None), "found no controllers for pod \"a\""),
        (
            Err(no_scale),
            "jobs.batch does not implement the scale subresource",
        ),
    ] {
        let error = ask_with(&budget, &pods, &found).unwrap_err();
        let status = failed(&budget, &error, "now");
        assert_eq!(status["disruptionsAllowed"], 0);
        let condition = &status["conditions"][0];
        assert_eq!(condition["reason"], "SyncFailed");
        assert_eq!(condition["message"], why);
        // Of this generation nothing is known yet.
        assert_eq!(condition["observedGeneration"], 2);
    }
}

#[test]
fn a_condition_keeps_its_time_while_it_says_the_same() {
    let before = json!({ "conditions": [{
        "type": "DisruptionAllowed", "status": "False", "lastTransitionTime": "then",
    }] });
    let status = ask(&budget(json!({ "minAvailable": 1 }), before), &[], 0).status;
    assert_eq!(status["conditions"][0]["lastTransitionTime"], "then");
}

#[test]
fn the_word_that_a_pod_is_about_to_go_can_become_stale() {
    let doomed = |reason: &str, phase: &str, extra: Value| {
        let mut pod = pod("a", true, extra);
        meta::set(&mut pod, &["status", "phase"], phase);
        let condition = json!({ "type": "DisruptionTarget", "status": "True", "reason": reason,
            "message": "m", "lastTransitionTime": "then" });
        meta::set(&mut pod, &["status", "conditions"], json!([condition]));
        pod
    };
    let since = |pod: &Value| CoveredPod::new(pod).doomed_since;
    let stale = doomed("EvictionByEvictionAPI", "Running", json!({}));
    assert_eq!(since(&stale).as_deref(), Some("then"));
    for fresh in [
        doomed("TerminationByKubelet", "Running", json!({})),
        doomed("EvictionByEvictionAPI", "Failed", json!({})),
        doomed(
            "EvictionByEvictionAPI",
            "Running",
            json!({ "deletionTimestamp": "t" }),
        ),
    ] {
        assert_eq!(since(&fresh), None, "{fresh}");
    }
    let mut taken_back = stale.clone();
    meta::set(
        &mut taken_back,
        &["status", "conditions"],
        json!([settled("now")]),
    );
    assert_eq!(since(&taken_back), None);
}
