use crate::Value;
use crate::kinds::behavior;
use crate::kinds::check::{create, defaulted, update};
use proptest::prelude::*;
use serde_json::json;

const WORKLOADS: [&str; 4] = ["deployments", "replicasets", "daemonsets", "statefulsets"];

fn minimal(plural: &str) -> Value {
    defaulted(
        "apps",
        plural,
        "v1",
        &json!({"metadata": {"name": "w"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]}}}}),
    )
}

/// The minimal object of a kind with some fields of its spec replaced; a null takes one away.
fn with(plural: &str, spec: &Value) -> Value {
    let mut object = minimal(plural);
    object["spec"] = crate::patch::merge_patch(&object["spec"], spec).unwrap();
    object
}

fn errors_of(plural: &str, spec: &Value) -> String {
    create("apps", plural, &with(plural, spec)).join("; ")
}

#[test]
fn defaults() {
    let deployment = minimal("deployments");
    let spec = &deployment["spec"];
    assert_eq!(
        (&spec["replicas"], &spec["revisionHistoryLimit"]),
        (&json!(1), &json!(10))
    );
    assert_eq!(spec["progressDeadlineSeconds"], 600);
    let rolling = json!({"maxSurge": "25%", "maxUnavailable": "25%"});
    assert_eq!(
        spec["strategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": rolling})
    );
    assert_eq!(spec["template"]["spec"]["restartPolicy"], "Always");
    assert_eq!(minimal("replicasets")["spec"]["replicas"], 1);

    let set = minimal("daemonsets");
    assert_eq!(
        set["spec"]["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}})
    );
    assert_eq!(set["spec"]["revisionHistoryLimit"], 10);

    let claims = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "d"}}]}});
    let set = defaulted("apps", "statefulsets", "v1", &claims);
    let spec = &set["spec"];
    assert_eq!(spec["podManagementPolicy"], "OrderedReady");
    assert_eq!(
        spec["updateStrategy"],
        json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})
    );
    assert_eq!(
        spec["persistentVolumeClaimRetentionPolicy"],
        json!({"whenDeleted": "Retain", "whenScaled": "Retain"})
    );
    assert_eq!(
        spec["volumeClaimTemplates"],
        json!([{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "d"},
            "spec": {"volumeMode": "Filesystem"}, "status": {"phase": "Pending"}}])
    );
}

#[test]
fn what_is_given_stays() {
    let strategy = json!({"spec": {"strategy": {"type": "Recreate"}, "replicas": 0}});
    let deployment = defaulted("apps", "deployments", "v1", &strategy);
    assert_eq!(deployment["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(deployment["spec"]["replicas"], 0);
}

#[test]
fn minimal_objects_are_valid() {
    for plural in WORKLOADS {
        assert_eq!(errors_of(plural, &json!({})), "", "{plural}");
    }
}

#[test]
fn selectors_and_templates() {
    let mismatch = "spec.template.metadata.labels: Invalid value: map[string]string{\"a\":\"b\"}: `selector` does \
                    not match template `labels`";
    for plural in WORKLOADS {
        let other = json!({"selector": {"matchLabels": {"a": "c"}}});
        assert_eq!(errors_of(plural, &other), mismatch, "{plural}");
        let policy = json!({"template": {"spec": {"restartPolicy": "Never"}}});
        assert_eq!(
            errors_of(plural, &policy),
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \
             \"Always\"",
            "{plural}"
        );
        let missing = errors_of(plural, &json!({"selector": null}));
        if plural == "daemonsets" {
            assert_eq!(missing, mismatch);
        } else {
            assert_eq!(
                missing,
                format!("spec.selector: Required value; {mismatch}"),
                "{plural}"
            );
        }
        let empty = json!({"selector": {"matchLabels": {"a": null}}});
        let kind = match plural {
            "daemonsets" => "daemonset",
            "statefulsets" => "statefulset",
            _ => "deployment",
        };
        assert_eq!(
            errors_of(plural, &empty),
            format!(
                "spec.selector: Invalid value: v1.LabelSelector{{MatchLabels:map[string]string{{}}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}}: empty selector is \
                 invalid for {kind}"
            )
        );
    }
    let deadline = json!({"template": {"spec": {"activeDeadlineSeconds": 5}}});
    for (plural, owner) in [
        ("deployments", "ReplicaSet"),
        ("daemonsets", "DaemonSet"),
        ("statefulsets", "StatefulSet"),
    ] {
        assert_eq!(
            errors_of(plural, &deadline),
            format!(
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in \
                 {owner} is not Supported"
            )
        );
    }
}

#[test]
fn selectors_stay() {
    for plural in ["deployments", "replicasets", "daemonsets"] {
        let new = with(
            plural,
            &json!({"selector": {"matchLabels": {"x": "y"}},
                "template": {"metadata": {"labels": {"x": "y"}}}}),
        );
        assert_eq!(
            update("apps", plural, &new, &minimal(plural), ""),
            [
                "spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{\"a\":\"b\", \"x\":\"y\"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is \
              immutable"
            ],
            "{plural}"
        );
    }
}

#[test]
fn deployments() {
    let rolling = |rolling: Value| json!({"strategy": {"rollingUpdate": rolling}});
    let at = "spec.strategy.rollingUpdate";
    let cases = [
        (json!({"replicas": -1}), "spec.replicas: Invalid value: -1: must be greater than or equal to 0".to_owned()),
        (
            json!({"strategy": {"type": "Recreate"}}),
            format!("{at}: Forbidden: may not be specified when strategy `type` is 'Recreate'"),
        ),
        (
            json!({"strategy": {"rollingUpdate": null}}),
            format!("{at}: Required value: this should be defaulted and never be nil"),
        ),
        (
            json!({"strategy": {"type": "x", "rollingUpdate": null}}),
            "spec.strategy: Unsupported value: {\"type\":\"x\"}: supported values: \"Recreate\", \"RollingUpdate\"".to_owned(),
        ),
        (
            rolling(json!({"maxUnavailable": 0, "maxSurge": "0%"})),
            format!("{at}.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"),
        ),
        (
            rolling(json!({"maxUnavailable": "101%"})),
            format!("{at}.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"),
        ),
        (rolling(json!({"maxSurge": "200%"})), String::new()),
        (
            rolling(json!({"maxSurge": -1})),
            format!("{at}.maxSurge: Invalid value: -1: must be greater than or equal to 0"),
        ),
        (
            json!({"progressDeadlineSeconds": 5, "minReadySeconds": 5}),
            "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds".to_owned(),
        ),
        (
            json!({"revisionHistoryLimit": -1}),
            "spec.revisionHistoryLimit: Invalid value: -1: must be greater than or equal to 0".to_owned(),
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("deployments", &spec), want, "{spec}");
    }
    let status = |status: Value| json!({"status": status});
    let old = status(json!({"collisionCount": 2}));
    let new = status(
        json!({"replicas": 1, "updatedReplicas": 2, "availableReplicas": 1, "collisionCount": 1}),
    );
    assert_eq!(
        update("apps", "deployments", &new, &old, "status"),
        [
            "status.updatedReplicas: Invalid value: 2: cannot be greater than status.replicas",
            "status.availableReplicas: Invalid value: 1: cannot be greater than readyReplicas",
            "status.collisionCount: Invalid value: 1: cannot be decremented",
        ]
    );
}

#[test]
fn daemon_sets() {
    let rolling = |rolling: Value| json!({"updateStrategy": {"rollingUpdate": rolling}});
    let at = "spec.updateStrategy.rollingUpdate";
    let cases = [
        (
            rolling(json!({"maxSurge": 1})),
            format!("{at}.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"),
        ),
        (
            rolling(json!({"maxUnavailable": 0})),
            format!("{at}.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"),
        ),
        (rolling(json!({"maxUnavailable": "0%", "maxSurge": "10%"})), String::new()),
        (json!({"updateStrategy": {"type": "OnDelete"}}), String::new()),
        (
            json!({"updateStrategy": {"type": "x", "rollingUpdate": null}}),
            "spec.updateStrategy: Unsupported value: {\"type\":\"x\"}: supported values: \"RollingUpdate\", \"OnDelete\"".to_owned(),
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("daemonsets", &spec), want, "{spec}");
    }
}

#[test]
fn daemon_sets_count_their_templates() {
    let rules = behavior("apps", "daemonsets");
    let key = "deprecated.daemonset.template.generation";
    let mut old = minimal("daemonsets");
    (rules.prepare_create)(&mut old);
    assert_eq!(old["metadata"]["annotations"][key], "1");
    let mut new = with("daemonsets", &json!({"minReadySeconds": 3}));
    (rules.prepare_update)(&mut new, &old, "");
    assert_eq!(new["metadata"]["annotations"][key], "1");
    let image = json!({"template": {"spec": {"containers": [{"name": "c", "image": "y"}]}}});
    let mut new = with("daemonsets", &image);
    (rules.prepare_update)(&mut new, &old, "");
    assert_eq!(new["metadata"]["annotations"][key], "2");
}

#[test]
fn stateful_sets() {
    let cases = [
        (
            json!({"podManagementPolicy": "x"}),
            "spec.podManagementPolicy: Invalid value: \"x\": must be 'OrderedReady' or 'Parallel'",
        ),
        (
            json!({"updateStrategy": {"type": "OnDelete"}}),
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":0}: only allowed for updateStrategy 'RollingUpdate'",
        ),
        (
            json!({"updateStrategy": {"rollingUpdate": {"partition": -1}}}),
            "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({"persistentVolumeClaimRetentionPolicy": {"whenScaled": "x"}}),
            "spec.persistentVolumeClaimRetentionPolicy.whenScaled: Unsupported value: \"x\": supported values: \"Retain\", \"Delete\"",
        ),
        (
            json!({"ordinals": {"start": -1}}),
            "spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0",
        ),
        // The volume will come from a template of a claim.
        (
            json!({"template": {"spec": {"containers": [{"name": "c", "image": "x", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}}}),
            "",
        ),
    ];
    for (spec, want) in cases {
        assert_eq!(errors_of("statefulsets", &spec), want, "{spec}");
    }
}

#[test]
fn what_of_stateful_sets_may_change() {
    let old = minimal("statefulsets");
    let free = json!({"replicas": 5, "minReadySeconds": 1, "revisionHistoryLimit": 3,
        "ordinals": {"start": 1}, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
    let new = with("statefulsets", &free);
    assert!(update("apps", "statefulsets", &new, &old, "").is_empty());
    for fixed in [
        json!({"serviceName": "s"}),
        json!({"podManagementPolicy": "Parallel"}),
        json!({"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}),
        json!({"volumeClaimTemplates": [{"metadata": {"name": "d"}}]}),
    ] {
        let new = with("statefulsets", &fixed);
        assert_eq!(
            update("apps", "statefulsets", &new, &old, ""),
            [
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', \
              'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
              'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
            ],
            "{fixed}"
        );
    }
}

#[test]
fn revisions() {
    let old = json!({"data": {"a": 1}, "revision": 1});
    assert!(create("apps", "controllerrevisions", &old).is_empty());
    assert_eq!(
        create("apps", "controllerrevisions", &json!({"revision": -1})),
        [
            "data: Required value: data is mandatory",
            "revision: Invalid value: -1: must be greater than or equal to 0",
        ]
    );
    let new = json!({"data": {"a": 2}, "revision": 2});
    assert_eq!(
        update("apps", "controllerrevisions", &new, &old, ""),
        ["data: Invalid value: {\"a\":2}: field is immutable"]
    );
}

#[test]
fn names_that_surprise() {
    let warnings = behavior("apps", "deployments").warnings;
    let mut deployment = minimal("deployments");
    assert_eq!(warnings(&deployment, None), Vec::<String>::new());
    deployment["metadata"]["name"] = json!("a.b");
    let got = warnings(&deployment, None);
    assert!(
        got[0].starts_with("metadata.name: this is used in Pod names"),
        "{got:?}"
    );
    assert!(warnings(&deployment, Some(&deployment)).is_empty());
}

/// Specs of any shape, right or wrong.
fn specs() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(-1)),
        Just(json!("25%")),
        Just(json!("RollingUpdate")),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{}, null])),
    ];
    let keys = prop::sample::select(vec![
        "type",
        "rollingUpdate",
        "maxSurge",
        "template",
        "spec",
        "metadata",
        "selector",
        "strategy",
        "updateStrategy",
        "replicas",
        "volumeClaimTemplates",
        "matchLabels",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..4)
            .prop_map(|map| json!(map))
    })
}

proptest! {
    #[test]
    fn any_shape_is_taken(spec in specs(), old in specs()) {
        for plural in WORKLOADS {
            let rules = behavior("apps", plural);
            let mut object = json!({"spec": spec});
            let mut old = json!({"spec": old});
            (rules.default)("v1", &mut object);
            (rules.default)("v1", &mut old);
            let mut again = object.clone();
            (rules.default)("v1", &mut again);
            prop_assert_eq!(&object, &again);
            (rules.prepare_create)(&mut object);
            (rules.prepare_update)(&mut object, &old, "");
            (rules.validate_create)(&object);
            (rules.validate_update)(&object, &old, "");
            (rules.validate_update)(&object, &old, "status");
        }
    }
}
