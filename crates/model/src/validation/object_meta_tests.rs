use super::*;
use serde_json::json;

fn created(metadata: Value, namespaced: bool) -> Vec<String> {
    let mut errors = ErrorList::new();
    let at = At::of("metadata");
    validate(
        &metadata,
        namespaced,
        names::object_subdomain,
        &at,
        &mut errors,
    );
    errors.iter().map(ToString::to_string).collect()
}

fn updated(metadata: Value, old: Value) -> Vec<String> {
    let mut errors = ErrorList::new();
    validate_update(&metadata, &old, &At::of("metadata"), &mut errors);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn new_metadata() {
    let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"});
    let controller = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "u", "controller": true});
    let cases: Vec<(Value, bool, &str)> = vec![
        (
            json!({"name": "a", "namespace": "b", "ownerReferences": [owner]}),
            true,
            "",
        ),
        (json!({"generateName": "a-", "name": "a-x"}), false, ""),
        (
            json!({}),
            false,
            "metadata.name: Required value: name or generateName is required",
        ),
        (
            json!({"name": "a"}),
            true,
            "metadata.namespace: Required value",
        ),
        (
            json!({"name": "a", "namespace": "b"}),
            false,
            "metadata.namespace: Forbidden: not allowed on this type",
        ),
        (
            json!({"name": "a", "namespace": "b.c"}),
            true,
            "metadata.namespace: Invalid value: \"b.c\": must not contain dots",
        ),
        (
            json!({"name": "a", "generation": -1}),
            false,
            "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            json!({"name": "a", "labels": {"a/": "b"}}),
            false,
            "metadata.labels: Invalid value: \"a/\": name part must be non-empty",
        ),
        (
            json!({"name": "a", "labels": {"a": "b c"}}),
            false,
            "metadata.labels: Invalid value: \"b c\": a valid label must be an empty string",
        ),
        (
            json!({"name": "a", "annotations": {"A.b/C": "anything at all"}}),
            false,
            "",
        ),
        (
            json!({"name": "a", "annotations": {"a": "x".repeat(ANNOTATIONS_MAX)}}),
            false,
            "metadata.annotations: Too long: may not be more than 262144 bytes",
        ),
        (
            json!({"name": "a", "finalizers": ["foo"]}),
            false,
            "metadata.finalizers[0]: Invalid value: \"foo\": name is neither a standard finalizer \
             name nor is it fully qualified",
        ),
        (
            json!({"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}),
            false,
            "metadata.finalizers: Invalid value: []string{\"orphan\", \"foregroundDeletion\"}: finalizer \
             orphan and foregroundDeletion cannot be both set",
        ),
        (
            json!({"name": "a", "ownerReferences": [{"kind": "A", "name": "b", "uid": "c"}]}),
            false,
            "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty",
        ),
        (
            json!({"name": "a", "ownerReferences":
            [{"apiVersion": "v1", "kind": "Event", "name": "b", "uid": "c"}]}),
            false,
            "metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\
             \"name\":\"b\",\"uid\":\"c\"}: /v1, Kind=Event is disallowed from being an owner",
        ),
        (
            json!({"name": "a", "managedFields": [{"operation": "Merge"}]}),
            false,
            "metadata.managedFields[0].operation: Invalid value: \"Merge\": must be `Apply` or \
             `Update`",
        ),
        (
            json!({"name": "a", "managedFields": [{"operation": "Apply", "fieldsType": "X"}]}),
            false,
            "metadata.managedFields[0].fieldsType: Invalid value: \"X\": must be `FieldsV1`",
        ),
        (
            json!({"name": "a", "managedFields": [{"operation": "Apply", "manager": "a\tb"}]}),
            false,
            "metadata.managedFields[0].manager: Invalid value: \"a\\tb\": invalid character \
             U+0009 (at position 1)",
        ),
    ];
    for (metadata, namespaced, want) in cases {
        let got = created(metadata.clone(), namespaced);
        match want {
            "" => assert!(got.is_empty(), "{metadata}: {got:?}"),
            want => assert!(
                got.iter().any(|g| g.starts_with(want)),
                "{metadata}: {got:?}"
            ),
        }
    }
    let two = json!({"name": "a", "ownerReferences": [controller("x"), controller("y")]});
    let got = created(two, false);
    assert_eq!(got.len(), 1);
    assert!(got[0].ends_with(
        "Only one reference can have Controller set to true. Found \"true\" in references for \
         Pod/x and Pod/y"
    ));
}

#[test]
fn changed_metadata() {
    let base = json!({"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "1",
        "creationTimestamp": "2024-01-01T00:00:00Z", "generation": 2});
    let with = |key: &str, value: Value| {
        let mut changed = base.clone();
        changed[key] = value;
        changed
    };
    assert!(updated(base.clone(), base.clone()).is_empty());
    for (key, value, want) in [
        (
            "name",
            json!("b"),
            "metadata.name: Invalid value: \"b\": field is immutable",
        ),
        (
            "namespace",
            json!("b"),
            "metadata.namespace: Invalid value: \"b\": field is immutable",
        ),
        (
            "uid",
            json!("b"),
            "metadata.uid: Invalid value: \"b\": field is immutable",
        ),
        (
            "creationTimestamp",
            json!(null),
            "metadata.creationTimestamp: Invalid value: null: field is immutable",
        ),
        (
            "deletionTimestamp",
            json!("2024-01-01T00:00:00Z"),
            "metadata.deletionTimestamp: Invalid value: \"2024-01-01T00:00:00Z\": field is \
             immutable",
        ),
        (
            "deletionGracePeriodSeconds",
            json!(0),
            "metadata.deletionGracePeriodSeconds: Invalid value: 0: field is immutable",
        ),
        (
            "resourceVersion",
            json!(""),
            "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
        ),
        (
            "generation",
            json!(1),
            "metadata.generation: Invalid value: 1: must not be decremented",
        ),
    ] {
        assert_eq!(updated(with(key, value), base.clone()), [want]);
    }
    let deleting = with("deletionTimestamp", json!("2024-01-01T00:00:00Z"));
    let mut extended = deleting.clone();
    extended["finalizers"] = json!(["a/b"]);
    assert_eq!(
        updated(extended, deleting),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is \
             being deleted, found new finalizers []string{\"a/b\"}"
        ]
    );
}
