use super::*;
use crate::schema::Schema;
use crate::{Value, meta};
use serde_json::json;

const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";
const CONFIG_MAP: &str = "io.k8s.api.core.v1.ConfigMap";

fn manager<'a>(name: &'a str, api_version: &'a str, time: &'a str) -> Manager<'a> {
    Manager {
        name,
        api_version,
        subresource: "",
        time,
    }
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data})
}

fn owners(object: &Value) -> Vec<(String, String)> {
    meta::list(object, &["metadata", "managedFields"])
        .iter()
        .map(|entry| {
            let fields = FieldSet::decode(&entry["fieldsV1"]).unwrap().paths();
            (meta::text(entry, &["manager"]).to_owned(), fields.join(" "))
        })
        .collect()
}

fn owner(name: &str, fields: &str) -> (String, String) {
    (name.to_owned(), fields.to_owned())
}

#[test]
fn a_create_is_recorded_as_upstream_records_it() {
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "1", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "web", "image": "nginx", "ports": [{"containerPort": 80}],
                }]},
            },
        },
        "status": {"replicas": 1},
    });
    let who = manager("kubectl-create", "apps/v1", "2024-05-01T10:00:00Z");
    track_update(Schema::builtin(), DEPLOYMENT, None, &mut object, &who);
    assert_eq!(
        meta::at(&object, &["metadata", "managedFields"]),
        Some(&json!([{
            "manager": "kubectl-create",
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": "2024-05-01T10:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                "f:spec": {
                    "f:replicas": {},
                    "f:selector": {},
                    "f:template": {
                        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                        "f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {
                                ".": {},
                                "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {
                                    ".": {},
                                    "f:containerPort": {},
                                },
                            },
                            "f:resources": {},
                        }}},
                    },
                },
            },
        }]))
    );
}

#[test]
fn conflicts_read_as_upstream_s() {
    let schema = Schema::builtin();
    let mut live = config_map(json!({"a": "1", "b": "1"}));
    let alice = manager("alice", "v1", "2024-05-01T10:00:00Z");
    track_update(schema, CONFIG_MAP, None, &mut live, &alice);
    let bob = manager("bob", "v1", "2024-05-01T10:00:01Z");
    let one = config_map(json!({"a": "2"}));
    let error = apply(schema, CONFIG_MAP, Some(&live), &one, &bob, false).unwrap_err();
    let status = error.to_status();
    assert_eq!((status.code, status.reason), (409, "Conflict"));
    assert_eq!(
        status.message,
        "Apply failed with 1 conflict: conflict with \"alice\" using v1: .data.a"
    );
    assert_eq!(
        status.details.causes,
        [Cause {
            reason: "FieldManagerConflict".to_owned(),
            message: "conflict with \"alice\" using v1".to_owned(),
            field: ".data.a".to_owned(),
        }]
    );
    let both = config_map(json!({"a": "2", "b": "2"}));
    let error = apply(schema, CONFIG_MAP, Some(&live), &both, &bob, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 2 conflicts: conflicts with \"alice\" using v1:\n- .data.a\n- .data.b"
    );

    let forced = apply(schema, CONFIG_MAP, Some(&live), &both, &bob, true).unwrap();
    assert_eq!(forced["data"], json!({"a": "2", "b": "2"}));
    assert_eq!(
        owners(&forced),
        [owner("bob", ".data.a .data.b"), owner("alice", ".data")]
    );
}

#[test]
fn what_is_no_longer_applied_goes_unless_others_own_it() {
    let schema = Schema::builtin();
    let who = |name| manager(name, "v1", "2024-05-01T10:00:00Z");
    let first = config_map(json!({"a": "1", "b": "1", "c": "1"}));
    let live = apply(schema, CONFIG_MAP, None, &first, &who("alice"), false).unwrap();
    let shared = config_map(json!({"b": "1"}));
    let live = apply(schema, CONFIG_MAP, Some(&live), &shared, &who("bob"), false).unwrap();
    let less = config_map(json!({"c": "1"}));
    let live = apply(schema, CONFIG_MAP, Some(&live), &less, &who("alice"), false).unwrap();
    assert_eq!(live["data"], json!({"b": "1", "c": "1"}));
    assert_eq!(
        owners(&live),
        [owner("bob", ".data.b"), owner("alice", ".data.c")]
    );
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let schema = Schema::builtin();
    let config = config_map(json!({"a": "1"}));
    let first = manager("alice", "v1", "2024-05-01T10:00:00Z");
    let live = apply(schema, CONFIG_MAP, None, &config, &first, false).unwrap();
    let later = manager("alice", "v1", "2024-05-02T10:00:00Z");
    let again = apply(schema, CONFIG_MAP, Some(&live), &config, &later, false).unwrap();
    assert_eq!(again, live);
    let mut same = live.clone();
    track_update(schema, CONFIG_MAP, Some(&live), &mut same, &later);
    assert_eq!(same, live);
}

#[test]
fn unacceptable_configurations_are_refused() {
    let schema = Schema::builtin();
    let who = manager("alice", "apps/v1", "2024-05-01T10:00:00Z");
    let refuse = |config: Value| {
        apply(schema, DEPLOYMENT, None, &config, &who, false).map_err(|error| {
            let status = error.to_status();
            (status.code, status.message)
        })
    };
    let deployment = |spec: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    };
    assert_eq!(
        refuse(json!({"metadata": {"managedFields": []}})),
        Err((400, "metadata.managedFields must be nil".to_owned()))
    );
    let typed = |why: &str| {
        Err((
            500,
            format!(
                "failed to create typed patch object (default/web; apps/v1, Kind=Deployment): {why}"
            ),
        ))
    };
    let pod =
        |containers: Value| deployment(json!({"template": {"spec": {"containers": containers}}}));
    for (config, why) in [
        (
            deployment(json!({"foo": 1})),
            ".spec.foo: field not declared in schema",
        ),
        (
            deployment(json!({"replicas": "2"})),
            ".spec.replicas: expected numeric (int or float), got string",
        ),
        (
            deployment(json!({"paused": "no"})),
            ".spec.paused: expected boolean, got &{no}",
        ),
        (deployment(json!([])), ".spec: expected map, got &{[]}"),
        (
            pod(json!([{"image": "a"}])),
            ".spec.template.spec.containers: element 0: associative list with keys has an element \
             that omits key field \"name\" (and doesn't have default value)",
        ),
        (
            pod(json!([{"name": "a"}, {"name": "a"}])),
            ".spec.template.spec.containers: duplicate entries for key [name=\"a\"]",
        ),
        (
            pod(
                json!([{"name": "a", "env": [{"name": "x", "value": 1}, {"name": "y", "foo": 1}]}]),
            ),
            "errors:\n  .spec.template.spec.containers[name=\"a\"].env[name=\"x\"].value: expected \
             string, got &value.valueUnstructured{Value:1}\n  \
             .spec.template.spec.containers[name=\"a\"].env[name=\"y\"].foo: field not declared in \
             schema",
        ),
    ] {
        assert_eq!(refuse(config), typed(why));
    }
}

#[test]
fn old_update_managers_are_merged() {
    let schema = Schema::builtin();
    let mut live = config_map(json!({"0": ""}));
    for number in 0..14 {
        let mut next = live.clone();
        next["data"][number.to_string()] = "x".into();
        let (name, time) = (
            format!("m{number}"),
            format!("2024-05-01T10:00:{number:02}Z"),
        );
        let old = (number > 0).then_some(&live);
        track_update(
            schema,
            CONFIG_MAP,
            old,
            &mut next,
            &manager(&name, "v1", &time),
        );
        live = next;
    }
    let owners = owners(&live);
    assert_eq!(owners.len(), 10);
    assert_eq!(
        owners.first(),
        Some(&owner(
            "ancient-changes",
            ".data .data.0 .data.1 .data.2 .data.3 .data.4"
        ))
    );
    let entries = meta::list(&live, &["metadata", "managedFields"]);
    assert_eq!(entries[0]["time"], "2024-05-01T10:00:04Z");
    assert_eq!(entries[9]["manager"], "m13");
}

#[test]
fn untracked_objects_stay_so_until_they_are_applied() {
    let schema = Schema::builtin();
    let live = config_map(json!({"a": "1"}));
    let mut next = config_map(json!({"a": "2"}));
    let who = manager("alice", "v1", "2024-05-01T10:00:00Z");
    track_update(schema, CONFIG_MAP, Some(&live), &mut next, &who);
    assert!(owners(&next).is_empty());
    let config = config_map(json!({"b": "1"}));
    let applied = apply(schema, CONFIG_MAP, Some(&next), &config, &who, false).unwrap();
    assert_eq!(
        owners(&applied),
        [
            owner("alice", ".data.b"),
            owner("before-first-apply", ".data .data.a")
        ]
    );
}

#[test]
fn clients_may_write_managed_fields_but_not_nonsense() {
    let schema = Schema::builtin();
    let who = manager("alice", "v1", "2024-05-01T10:00:00Z");
    let mut live = config_map(json!({"a": "1"}));
    track_update(schema, CONFIG_MAP, None, &mut live, &who);
    let send = |managed: Value| {
        let mut next = live.clone();
        next["metadata"]["managedFields"] = managed;
        track_update(schema, CONFIG_MAP, Some(&live), &mut next, &who);
        owners(&next)
    };
    let kept = owners(&live);
    assert_eq!(send(json!([])), []);
    assert_eq!(send(json!([{}])), []);
    assert_eq!(send(json!(null)), kept);
    assert_eq!(send(json!([{"manager": "x"}])), kept);
    assert_eq!(send(json!("nonsense")), kept);
    assert_eq!(
        send(
            json!([{"manager": "carol", "operation": "Update", "apiVersion": "v1",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}])
        ),
        [owner("carol", ".data.a")]
    );
}

#[test]
fn kubectl_may_take_over_what_it_applied_client_side() {
    let schema = Schema::builtin();
    let annotation = "kubectl.kubernetes.io/last-applied-configuration";
    let mut live = config_map(json!({"a": "1", "b": "1"}));
    live["metadata"]["annotations"] = json!({annotation:
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},\
         \"data\":{\"a\":\"1\"}}\n"});
    let csa = manager("kubectl-client-side-apply", "v1", "2024-05-01T10:00:00Z");
    track_update(schema, CONFIG_MAP, None, &mut live, &csa);
    let kubectl = manager("kubectl", "v1", "2024-05-01T10:00:01Z");
    let config = config_map(json!({"a": "2"}));
    let applied = apply(schema, CONFIG_MAP, Some(&live), &config, &kubectl, false).unwrap();
    assert_eq!(applied["data"], json!({"a": "2", "b": "1"}));
    assert_eq!(
        applied["metadata"]["annotations"][annotation],
        format!("{config}\n")
    );
    let more = config_map(json!({"a": "2", "b": "2"}));
    let error = apply(schema, CONFIG_MAP, Some(&live), &more, &kubectl, false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"kubectl-client-side-apply\" using v1: \
         .data.b"
    );
    let other = manager("argo", "v1", "2024-05-01T10:00:01Z");
    assert!(apply(schema, CONFIG_MAP, Some(&live), &config, &other, false).is_err());
}
