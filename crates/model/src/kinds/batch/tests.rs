use crate::Value;
use crate::kinds::behavior;
use crate::kinds::check::{create, defaulted, update};
use crate::patch::merge_patch;
use proptest::prelude::*;
use serde_json::json;

/// A job as it is when it is validated: with defaults and the generated selector.
fn job(spec: &Value) -> Value {
    let given = json!({"metadata": {"name": "j", "uid": "u-1"}, "spec": {"template":
        {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}});
    let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
    let mut job = defaulted("batch", "jobs", "v1", &given);
    (behavior("batch", "jobs").prepare_create)(&mut job);
    job
}

fn cron_job(spec: &Value) -> Value {
    let given = json!({"metadata": {"name": "j"}, "spec": {"schedule": "* * * * *", "jobTemplate":
        {"spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "x"}]}}}}}});
    let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
    defaulted("batch", "cronjobs", "v1", &given)
}

#[test]
fn defaults() {
    let cases = [
        (json!({}), json!([1, 1, 6, "TerminatingOrFailed"])),
        (
            json!({"parallelism": 3}),
            json!([null, 3, 6, "TerminatingOrFailed"]),
        ),
        (
            json!({"completions": 3}),
            json!([3, 1, 6, "TerminatingOrFailed"]),
        ),
        (
            json!({"backoffLimitPerIndex": 1, "podFailurePolicy": {"rules": []}}),
            json!([1, 1, 2_147_483_647, "Failed"]),
        ),
    ];
    for (spec, want) in cases {
        let job = job(&spec);
        let got: Vec<_> = [
            "completions",
            "parallelism",
            "backoffLimit",
            "podReplacementPolicy",
        ]
        .iter()
        .map(|key| job["spec"][key].clone())
        .collect();
        assert_eq!(json!(got), want, "{spec}");
    }
    let job = job(&json!({"podFailurePolicy": {"rules": [{"onPodConditions": [{"type": "a"}]}]}}));
    let spec = &job["spec"];
    assert_eq!(
        spec["podFailurePolicy"]["rules"][0]["onPodConditions"][0]["status"],
        "True"
    );
    assert_eq!(spec["completionMode"], "NonIndexed");
    assert_eq!(
        (&spec["suspend"], &spec["manualSelector"]),
        (&json!(false), &json!(false))
    );

    let cron = cron_job(&json!({}));
    let spec = &cron["spec"];
    assert_eq!(spec["concurrencyPolicy"], "Allow");
    assert_eq!(
        (
            &spec["successfulJobsHistoryLimit"],
            &spec["failedJobsHistoryLimit"],
            &spec["suspend"]
        ),
        (&json!(3), &json!(1), &json!(false))
    );
    let template = &spec["jobTemplate"]["spec"];
    assert_eq!(template["template"]["spec"]["dnsPolicy"], "ClusterFirst");
    assert_eq!(template.get("backoffLimit"), None);
}

#[test]
fn selectors_are_generated() {
    let all = json!({
        "batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "j",
        "controller-uid": "u-1", "job-name": "j"});
    let made = job(&json!({}));
    assert_eq!(made["spec"]["template"]["metadata"]["labels"], all);
    assert_eq!(made["metadata"]["labels"], all);
    assert_eq!(
        made["spec"]["selector"],
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}})
    );
    let manual = job(
        &json!({"manualSelector": true, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}}}),
    );
    assert_eq!(
        manual["spec"]["template"]["metadata"]["labels"],
        json!({"a": "b"})
    );
    assert_eq!(manual["metadata"]["labels"], json!({"a": "b"}));
    assert!(create("batch", "jobs", &manual).is_empty());
    let wrong = job(&json!({"template": {"metadata": {"labels": {"job-name": "x"}}}}));
    assert_eq!(
        create("batch", "jobs", &wrong),
        ["spec.template.metadata.labels[job-name]: Invalid value: \
          map[string]string{\"batch.kubernetes.io/controller-uid\":\"u-1\", \
          \"batch.kubernetes.io/job-name\":\"j\", \
          \"controller-uid\":\"u-1\", \"job-name\":\"x\"}: must be 'j'"]
    );
    let foreign = job(&json!({"selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}}}));
    let errors = create("batch", "jobs", &foreign);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].ends_with("`selector` not auto-generated"),
        "{errors:?}"
    );
}

#[test]
fn jobs() {
    let rule = |rule: Value| json!({"podFailurePolicy": {"rules": [rule]}});
    let indexed = |more: Value| {
        merge_patch(
            &json!({"completionMode": "Indexed", "completions": 3}),
            &more,
        )
        .unwrap()
    };
    let success = |rule: Value| indexed(json!({"successPolicy": {"rules": [rule]}}));
    let first = "spec.podFailurePolicy.rules[0]";
    let met = "spec.successPolicy.rules[0]";
    let codes = |operator: &str, values: Value| {
        rule(json!({"action": "FailJob", "onExitCodes": {"operator": operator, "values": values}}))
    };
    let cases = [
        (json!({}), String::new()),
        (
            json!({"template": {"spec": {"restartPolicy": null}}}),
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"".to_owned(),
        ),
        (
            json!({"template": {"spec": {"restartPolicy": "x"}}}),
            "spec.template.spec.restartPolicy: Unsupported value: \"x\": supported values: \"Always\", \"OnFailure\", \"Never\"; spec.template.spec.restartPolicy: Unsupported value: \"x\": supported values: \"OnFailure\", \"Never\"".to_owned(),
        ),
        (
            json!({"parallelism": -1, "completions": 1}),
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0".to_owned(),
        ),
        (
            json!({"completionMode": "Indexed", "parallelism": 1}),
            "spec.completions: Required value: when completion mode is Indexed".to_owned(),
        ),
        (
            json!({"completionMode": "x"}),
            "spec.completionMode: Unsupported value: \"x\": supported values: \"NonIndexed\", \"Indexed\"".to_owned(),
        ),
        (
            indexed(json!({"parallelism": 100_001})),
            "spec.parallelism: Invalid value: 100001: must be less than or equal to 100000 when completion mode is Indexed".to_owned(),
        ),
        (
            json!({"backoffLimitPerIndex": 1}),
            "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode".to_owned(),
        ),
        (
            indexed(json!({"maxFailedIndexes": 4, "backoffLimitPerIndex": 1})),
            "spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions".to_owned(),
        ),
        (
            indexed(json!({"completions": 100_001, "backoffLimitPerIndex": 1})),
            "spec.maxFailedIndexes: Required value: must be specified when completions is above 100000".to_owned(),
        ),
        (json!({"managedBy": "acme.io/foo"}), String::new()),
        (
            json!({"managedBy": "foo"}),
            "spec.managedBy: Invalid value: \"foo\": must be a domain-prefixed path (such as \"acme.io/foo\")".to_owned(),
        ),
        (codes("In", json!([1, 2])), String::new()),
        (
            codes("In", json!([2, 0, 2])),
            format!("{first}.onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator; {first}.onExitCodes.values[2]: Duplicate value: 2; {first}.onExitCodes.values: Invalid value: [2,0,2]: must be ordered"),
        ),
        (
            codes("x", json!([1])),
            format!("{first}.onExitCodes.operator: Unsupported value: \"x\": supported values: \"In\", \"NotIn\""),
        ),
        (
            rule(json!({"action": "FailJob"})),
            format!("{first}: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"),
        ),
        (
            rule(json!({"action": "FailIndex", "onPodConditions": [{"type": "a"}]})),
            format!("{first}.action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set"),
        ),
        (
            rule(json!({"onPodConditions": [{"type": "a"}]})),
            format!("{first}.action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"),
        ),
        (
            json!({"podFailurePolicy": {"rules": []}, "podReplacementPolicy": "TerminatingOrFailed"}),
            "spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: \"Failed\"".to_owned(),
        ),
        (success(json!({"succeededIndexes": "0-1", "succeededCount": 1})), String::new()),
        (
            success(json!({"succeededIndexes": "0-3"})),
            format!("{met}.succeededIndexes: Invalid value: \"0-3\": error parsing succeededIndexes: too large index: \"3\""),
        ),
        (
            success(json!({"succeededIndexes": "0", "succeededCount": 2})),
            format!("{met}.succeededCount: Invalid value: 2: must be less than or equal to 1 (the number of indexes in the specified succeededIndexes field)"),
        ),
        (
            success(json!({})),
            format!("{met}: Required value: at least one of succeededCount or succeededIndexes must be specified"),
        ),
        (
            json!({"successPolicy": {"rules": []}}),
            "spec.successPolicy: Invalid value: {\"rules\":[]}: requires indexed completion mode".to_owned(),
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(
            create("batch", "jobs", &job(&spec)).join("; "),
            want,
            "{spec}"
        );
    }
}

#[test]
fn indexed_jobs_leave_room_for_the_index() {
    let mut job = job(
        &json!({"completionMode": "Indexed", "completions": 100, "manualSelector": true,
        "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}}}),
    );
    let name = "n".repeat(61);
    job["metadata"]["name"] = json!(name);
    assert_eq!(
        create("batch", "jobs", &job),
        [format!(
            "metadata.name: Invalid value: \"{name}\": will not able to create pod with invalid \
             DNS label: {name}-99"
        )]
    );
}

#[test]
fn what_of_jobs_may_change() {
    let old = job(&json!({}));
    let free = json!({"completions": 1, "parallelism": 5, "suspend": true, "activeDeadlineSeconds": 3,
        "backoffLimit": 1, "ttlSecondsAfterFinished": 9});
    assert!(update("batch", "jobs", &job(&free), &old, "").is_empty());
    let cases = [
        (
            json!({"completions": 2}),
            "spec.completions: Invalid value: 2: field is immutable",
        ),
        (
            json!({"selector": {"matchLabels": {"job-name": "j"}}}),
            "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"batch.kubernetes.io/controller-uid\":\"u-1\", \"job-name\":\"j\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable",
        ),
        (
            json!({"managedBy": "a.b/c"}),
            "spec.managedBy: Invalid value: \"a.b/c\": field is immutable",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(
            update("batch", "jobs", &job(&spec), &old, "").join("; "),
            want,
            "{spec}"
        );
    }
    let elastic = |completions: i64, parallelism: i64| {
        job(
            &json!({"completionMode": "Indexed", "completions": completions, "parallelism": parallelism}),
        )
    };
    let old = elastic(3, 3);
    assert!(update("batch", "jobs", &elastic(5, 5), &old, "").is_empty());
    assert_eq!(
        update("batch", "jobs", &elastic(5, 3), &old, ""),
        [
            "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"
        ]
    );
}

#[test]
fn suspended_jobs_may_be_sent_elsewhere() {
    let moved = json!({"template": {"spec": {"nodeSelector": {"a": "b"}}}});
    let image = json!({"template": {"spec": {"containers": [{"name": "c", "image": "y"}]}}});
    let mut old = job(&json!({"suspend": true}));
    assert!(update("batch", "jobs", &job(&moved), &old, "").is_empty());
    assert_eq!(update("batch", "jobs", &job(&image), &old, "").len(), 1);
    old["status"] = json!({"startTime": "2024-01-01T00:00:00Z"});
    let errors = update("batch", "jobs", &job(&moved), &old, "");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("spec.template: Invalid value: "),
        "{errors:?}"
    );
    assert!(errors[0].ends_with(": field is immutable"), "{errors:?}");
}

#[test]
fn cron_jobs() {
    let cases = [
        (json!({}), ""),
        (json!({"schedule": null}), "spec.schedule: Required value"),
        (
            json!({"schedule": "x"}),
            "spec.schedule: Invalid value: \"x\": expected exactly 5 fields, found 1: [x]",
        ),
        (
            json!({"schedule": "TZ=UTC 0 0 * * *"}),
            "spec.schedule: Invalid value: \"TZ=UTC 0 0 * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        ),
        (json!({"timeZone": "Europe/Berlin"}), ""),
        (
            json!({"timeZone": "Europe/Atlantis"}),
            "spec.timeZone: Invalid value: \"Europe/Atlantis\": unknown time zone Europe/Atlantis",
        ),
        (
            json!({"timeZone": "Local"}),
            "spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        ),
        (
            json!({"timeZone": "../x"}),
            "spec.timeZone: Invalid value: \"../x\": unknown time zone ../x",
        ),
        (
            json!({"timeZone": ""}),
            "spec.timeZone: Invalid value: \"\": timeZone must be nil or non-empty string",
        ),
        (
            json!({"concurrencyPolicy": "x"}),
            "spec.concurrencyPolicy: Unsupported value: \"x\": supported values: \"Allow\", \"Forbid\", \"Replace\"",
        ),
        (
            json!({"startingDeadlineSeconds": -1, "failedJobsHistoryLimit": -2}),
            "spec.startingDeadlineSeconds: Invalid value: -1: must be greater than or equal to 0; spec.failedJobsHistoryLimit: Invalid value: -2: must be greater than or equal to 0",
        ),
        (
            json!({"jobTemplate": {"spec": {"selector": {"matchLabels": {"a": "b"}}, "manualSelector": true}}}),
            "spec.jobTemplate.spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"a\":\"b\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: `selector` will be auto-generated; spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: \"nil\", \"false\"",
        ),
        (
            json!({"jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}}),
            "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(
            create("batch", "cronjobs", &cron_job(&spec)).join("; "),
            want,
            "{spec}"
        );
    }
    let mut long = cron_job(&json!({}));
    long["metadata"]["name"] = json!("n".repeat(53));
    assert_eq!(create("batch", "cronjobs", &long).len(), 1);
    assert!(update("batch", "cronjobs", &long, &long, "").is_empty());
    let zoned = cron_job(&json!({"schedule": "TZ=UTC 0 0 * * *"}));
    assert!(update("batch", "cronjobs", &zoned, &zoned, "").is_empty());
}

proptest! {
    #[test]
    fn any_spec_is_taken(
        numbers in prop::collection::btree_map("completions|parallelism|maxFailedIndexes|backoffLimitPerIndex", any::<i64>(), 0..4),
        mode in "Indexed|NonIndexed|x|",
        odd in prop::sample::select(vec![json!(null), json!([]), json!({}), json!({"rules": [{}, null]}), json!("x")]),
    ) {
        let mut spec = json!(numbers);
        spec["completionMode"] = json!(mode);
        for key in ["podFailurePolicy", "successPolicy", "template", "selector", "jobTemplate"] {
            spec[key] = odd.clone();
        }
        let object = json!({"spec": spec});
        for plural in ["jobs", "cronjobs"] {
            let mut object = defaulted("batch", plural, "v1", &object);
            (behavior("batch", plural).prepare_create)(&mut object);
            create("batch", plural, &object);
            update("batch", plural, &object, &object, "");
        }
    }
}
