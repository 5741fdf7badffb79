use super::*;
use serde_json::json;

const POD_SPEC: &str = "io.k8s.api.core.v1.PodSpec";
const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";
const CONFIG_MAP: &str = "io.k8s.api.core.v1.ConfigMap";

fn merge(name: &str, target: Value, patch: Value) -> Result<Value, PatchError> {
    strategic_merge(Schema::builtin(), name, &target, &patch)
}

#[test]
fn maps_merge_member_by_member_and_null_deletes() {
    let cases = [
        (
            json!({"data": {"a": "1", "b": "2"}}),
            json!({"data": {"a": "3", "b": null, "c": "4"}}),
            json!({"data": {"a": "3", "c": "4"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": null}),
            json!({}),
        ),
        (
            json!({}),
            json!({"data": {"a": "1", "b": null}, "binaryData": null}),
            json!({"data": {"a": "1"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": {"$patch": "replace", "z": "9"}}),
            json!({"data": {"z": "9"}}),
        ),
        (
            json!({"data": {"a": "1"}}),
            json!({"data": {"$patch": "delete", "z": "9"}}),
            json!({"data": {}}),
        ),
        (json!({}), json!({"data": {"$patch": "delete"}}), json!({})),
        (
            json!({"data": {"a": "1"}}),
            json!(null),
            json!({"data": {"a": "1"}}),
        ),
    ];
    for (target, patch, expected) in cases {
        assert_eq!(
            merge(CONFIG_MAP, target.clone(), patch.clone()),
            Ok(expected),
            "{target} {patch}"
        );
    }
}

#[test]
fn lists_merge_by_key() {
    let cases = [
        // Changed in place, new ones first as upstream puts them, unknown to the patch kept.
        (
            json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "y"}]}),
            json!({"containers": [{"name": "b", "image": "z"}]}),
            json!({"containers": [{"name": "a", "image": "x"}, {"name": "b", "image": "z"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}]}),
            json!({"containers": [{"name": "n", "image": "z", "command": null}]}),
            json!({"containers": [{"name": "n", "image": "z"}, {"name": "a"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"containers": [{"$patch": "delete", "name": "a"}]}),
            json!({"containers": [{"name": "b"}]}),
        ),
        (
            json!({"containers": [{"name": "a"}, {"name": "b"}]}),
            json!({"containers": [{"$patch": "replace"}, {"name": "c"}]}),
            json!({"containers": [{"name": "c"}]}),
        ),
        // Nested lists have keys of their own.
        (
            json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}],
                "ports": [{"containerPort": 80}]}]}),
            json!({"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}],
                "ports": [{"containerPort": 80, "name": "http"}]}]}),
            json!({"containers": [{"name": "a",
                "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}],
                "ports": [{"containerPort": 80, "name": "http"}]}]}),
        ),
        // Lists without a strategy are replaced.
        (
            json!({"containers": [{"name": "a", "args": ["1", "2"]}],
                "tolerations": [{"key": "a"}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
            json!({"containers": [{"name": "a", "args": ["3"]}], "tolerations": [{"key": "b"}]}),
        ),
    ];
    for (target, patch, expected) in cases {
        assert_eq!(
            merge(POD_SPEC, target.clone(), patch.clone()),
            Ok(expected),
            "{target} {patch}"
        );
    }
}

#[test]
fn lists_of_primitives_merge_as_sets() {
    let target = json!({"metadata": {"finalizers": ["a", "b", "c"]}});
    let cases = [
        (
            json!({"finalizers": ["d", "b"]}),
            json!(["d", "a", "b", "c"]),
        ),
        (
            json!({"$deleteFromPrimitiveList/finalizers": ["a", "c", "zz"]}),
            json!(["b"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["c", "d", "a"],
                "$deleteFromPrimitiveList/finalizers": ["b"], "finalizers": ["d"]}),
            json!(["c", "d", "a"]),
        ),
        (
            json!({"$setElementOrder/finalizers": ["c", "a"]}),
            json!(["b", "c", "a"]),
        ),
    ];
    for (patch, expected) in cases {
        let result = merge(
            CONFIG_MAP,
            target.clone(),
            json!({"metadata": patch.clone()}),
        );
        assert_eq!(
            result,
            Ok(json!({"metadata": {"finalizers": expected}})),
            "{patch}"
        );
    }
}

#[test]
fn the_order_of_a_list_can_be_set() {
    let target = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "s"}]});
    let names = |patch: Value| {
        merge(POD_SPEC, target.clone(), patch).map(|result| {
            crate::meta::list(&result, &["containers"])
                .iter()
                .map(|c| crate::meta::name(&json!({"metadata": c})).to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        })
    };
    let cases = [
        (
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}),
            "b a s",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "n"}, {"name": "b"}],
                "containers": [{"name": "n"}]}),
            "n a b s",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "b"}, {"name": "n"}],
                "containers": [{"name": "n"}, {"name": "a", "$patch": "delete"}]}),
            "b s n",
        ),
    ];
    for (patch, expected) in cases {
        assert_eq!(names(patch.clone()), Ok(expected.to_owned()), "{patch}");
    }
}

#[test]
fn retain_keys_drops_the_rest() {
    let target = json!({"spec": {"strategy": {"type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1}}}});
    let patch = json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}});
    assert_eq!(
        merge(DEPLOYMENT, target.clone(), patch),
        Ok(json!({"spec": {"strategy": {"type": "Recreate"}}}))
    );
    for strategy in [
        json!({"$retainKeys": ["type"], "rollingUpdate": {}}),
        json!({"$retainKeys": "type"}),
    ] {
        assert_eq!(
            merge(
                DEPLOYMENT,
                target.clone(),
                json!({"spec": {"strategy": strategy}})
            ),
            Err(PatchError::Malformed(
                "invalid patch format of retainKeys".to_owned()
            ))
        );
    }
}

#[test]
fn a_volume_changes_its_source() {
    // The patch that kubectl makes when a volume's source changes.
    let target = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let patch = json!({
        "$setElementOrder/volumes": [{"name": "v"}],
        "volumes": [{"$retainKeys": ["configMap", "name"], "configMap": {"name": "c"}, "name": "v"}],
    });
    assert_eq!(
        merge(POD_SPEC, target, patch),
        Ok(json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}))
    );
}

#[test]
fn what_contradicts_the_schema_is_refused() {
    let target = json!({"containers": [{"name": "a", "image": "x"}]});
    let unsupported = [
        (
            json!({"containers": [{"image": "y", "args": ["1", "2"]}]}),
            "map: map[args:[1 2] image:y] does not contain declared merge key: name",
        ),
        (
            json!({"containers": [{"$patch": "delete"}]}),
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (
            json!({"containers": [{"$patch": "explode", "name": "a"}]}),
            "unknown patch type: explode in map: map[$patch:explode name:a]",
        ),
        (
            json!({"containers": [{"$patch": "merge", "name": "a"}]}),
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"containers": ["a"]}),
            "list element types are not identical: [[map[image:x name:a]] [a]]",
        ),
        (
            json!({"$patch": "explode"}),
            "unknown patch type: explode in map: map[$patch:explode]",
        ),
        (
            json!({"$setElementOrder/containers": "a"}),
            "expected a []interface {}, but received a string",
        ),
        (
            json!({"$setElementOrder/containers": [{"name": "b"}], "containers": [{"name": "a"}]}),
            "The order in patch list:\n[map[name:a]]\n doesn't match $setElementOrder \
             list:\n[map[name:b]]\n",
        ),
    ];
    for (patch, why) in unsupported {
        assert_eq!(
            merge(POD_SPEC, target.clone(), patch.clone()),
            Err(PatchError::Unsupported(why.to_owned())),
            "{patch}"
        );
    }
    let malformed = [
        (
            json!({"$setElementOrder": []}),
            "invalid patch format of setElementOrder list",
        ),
        (
            json!({"$deleteFromPrimitiveList": []}),
            "invalid patch format of primitive list",
        ),
        (
            json!(["a"]),
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
    ];
    for (patch, why) in malformed {
        assert_eq!(
            merge(POD_SPEC, target.clone(), patch.clone()),
            Err(PatchError::Malformed(why.to_owned())),
            "{patch}"
        );
    }
    assert_eq!(
        merge(
            POD_SPEC,
            json!({"containers": [[]]}),
            json!({"containers": [[]]})
        ),
        Err(PatchError::Unprocessable(
            "lists of lists are not supported".to_owned()
        ))
    );
    assert_eq!(
        merge("example.com.v1.Custom", json!({}), json!({})),
        Err(PatchError::Malformed(
            "strategic merge patch format is not supported".to_owned()
        ))
    );
}
