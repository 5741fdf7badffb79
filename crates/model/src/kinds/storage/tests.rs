use crate::Value;
use crate::kinds::check::{create, defaulted, update};
use serde_json::json;

const GROUP: &str = "storage.k8s.io";

#[test]
fn classes() {
    let class = json!({"provisioner": "example.com/p", "allowedTopologies": [
        {"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}]});
    let filled = defaulted(GROUP, "storageclasses", "v1", &class);
    assert_eq!(filled["reclaimPolicy"], "Delete");
    assert_eq!(filled["volumeBindingMode"], "Immediate");
    assert!(create(GROUP, "storageclasses", &filled).is_empty());
    let bad = json!({
        "parameters": {"": "x"},
        "reclaimPolicy": "Recycle",
        "volumeBindingMode": "x",
        "allowedTopologies": [
            {"matchLabelExpressions": [{"key": "z", "values": ["a", "b"]}]},
            {"matchLabelExpressions": [{"key": "z", "values": ["b", "a"]}]},
            {"matchLabelExpressions": [{"key": "z", "values": ["a", "a"]}, {"key": "z", "values": []}]},
            {},
        ],
    });
    assert_eq!(
        create(GROUP, "storageclasses", &bad),
        [
            "provisioner: Required value",
            "parameters: Invalid value: \"\": field can not be empty.",
            "reclaimPolicy: Unsupported value: \"Recycle\": supported values: \"Delete\", \"Retain\"",
            "volumeBindingMode: Unsupported value: \"x\": supported values: \"Immediate\", \"WaitForFirstConsumer\"",
            "allowedTopologies[1].matchLabelExpressions: Duplicate value: \"\"",
            "allowedTopologies[2].matchLabelExpressions[0].values[1]: Duplicate value: \"a\"",
            "allowedTopologies[2].matchLabelExpressions[1].values: Required value",
            "allowedTopologies[2].matchLabelExpressions[1].key: Duplicate value: \"z\"",
            "allowedTopologies[3].matchLabelExpressions: Required value",
        ]
    );
    let changed = json!({"provisioner": "b", "reclaimPolicy": "Retain", "parameters": {"a": "b"}, "volumeBindingMode": "WaitForFirstConsumer"});
    assert_eq!(
        update(GROUP, "storageclasses", &changed, &filled, ""),
        [
            "parameters: Forbidden: updates to parameters are forbidden.",
            "provisioner: Forbidden: updates to provisioner are forbidden.",
            "reclaimPolicy: Forbidden: updates to reclaimPolicy are forbidden.",
            "volumeBindingMode: Invalid value: \"WaitForFirstConsumer\": field is immutable",
        ]
    );
}

#[test]
fn attachments() {
    let good = json!({"spec": {"attacher": "csi.example.com", "nodeName": "n", "source": {"persistentVolumeName": "pv"}}});
    assert!(create(GROUP, "volumeattachments", &good).is_empty());
    let bad = json!({"spec": {"nodeName": "n", "source": {}}});
    assert_eq!(
        create(GROUP, "volumeattachments", &bad),
        [
            "spec.attacher: Required value",
            "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ]
    );
    let mut changed = good.clone();
    changed["spec"]["nodeName"] = "m".into();
    let errors = update(GROUP, "volumeattachments", &changed, &good, "");
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("spec: Invalid value: ") && errors[0].ends_with("field is immutable")
    );
    let mut failed = good.clone();
    failed["status"] = json!({"attachError": {"message": "x".repeat(2000)}});
    assert_eq!(
        update(GROUP, "volumeattachments", &failed, &good, "status"),
        ["status.attachError.message: Too long: may not be more than 1024 bytes"]
    );
}

#[test]
fn attachments_of_volumes_without_an_object() {
    let with = |spec: Value| {
        json!({"spec": {"attacher": "csi.example.com", "nodeName": "n",
            "source": {"inlineVolumeSpec": spec}}})
    };
    let csi = json!({"driver": "csi.example.com", "volumeHandle": "h"});
    let good = with(json!({"accessModes": ["ReadWriteOnce"], "csi": csi}));
    assert!(create(GROUP, "volumeattachments", &good).is_empty());
    let bad = with(json!({
        "claimRef": {"name": "c"}, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"},
        "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "s", "volumeMode": "Block",
        "nodeAffinity": {},
    }));
    let at = "spec.source.inlineVolumeSpec";
    let here = "may not be specified in the context of inline volumes";
    assert_eq!(
        create(GROUP, "volumeattachments", &bad),
        [
            format!("{at}.claimRef: Forbidden: {here}"),
            format!("{at}.capacity: Forbidden: {here}"),
            format!(
                "{at}.csi: Required value: has to be specified in the context of inline volumes"
            ),
            format!("{at}.accessModes: Required value"),
            format!(
                "{at}.persistentVolumeReclaimPolicy: Forbidden: may only be Retain in the context of inline volumes"
            ),
            format!("{at}.nodeAffinity: Forbidden: {here}"),
            format!("{at}.storageClassName: Forbidden: {here}"),
            format!(
                "{at}.volumeMode: Forbidden: may not specify volumeMode other than Filesystem in the context of inline volumes"
            ),
        ]
    );
}

#[test]
fn drivers() {
    let filled = defaulted(GROUP, "csidrivers", "v1", &json!({"spec": {}}));
    assert_eq!(
        filled["spec"],
        json!({
            "attachRequired": true,
            "podInfoOnMount": false,
            "storageCapacity": false,
            "fsGroupPolicy": "ReadWriteOnceWithFSType",
            "requiresRepublish": false,
            "seLinuxMount": false,
            "volumeLifecycleModes": ["Persistent"],
        })
    );
    assert!(create(GROUP, "csidrivers", &filled).is_empty());
    let mut bad = filled.clone();
    bad["spec"]["fsGroupPolicy"] = "x".into();
    bad["spec"]["attachRequired"] = false.into();
    bad["spec"]["tokenRequests"] = json!([
        {"audience": "a", "expirationSeconds": 5}, {"audience": "a"}, {"audience": "", "expirationSeconds": 4_294_967_297_i64}]);
    assert_eq!(
        update(GROUP, "csidrivers", &bad, &filled, ""),
        [
            "spec.fsGroupPolicy: Unsupported value: \"x\": supported values: \"File\", \"None\", \"ReadWriteOnceWithFSType\"",
            "spec.tokenRequests[0].expirationSeconds: Invalid value: 5: may not specify a duration less than 10 minutes",
            "spec.tokenRequests[1].audience: Duplicate value: \"a\"",
            "spec.tokenRequests[2].expirationSeconds: Invalid value: 4294967297: may not specify a duration larger than 2^32 seconds",
            "spec.attachedRequired: Invalid value: false: field is immutable",
        ]
    );
}

#[test]
fn nodes() {
    let good =
        json!({"spec": {"drivers": [{"name": "a.b", "nodeID": "n", "topologyKeys": ["z"]}]}});
    assert!(create(GROUP, "csinodes", &good).is_empty());
    let bad = json!({"spec": {"drivers": [
        {"name": "a.b", "allocatable": {"count": -1}}, {"name": "a.b", "nodeID": "n", "topologyKeys": ["z", "z"]}]}});
    assert_eq!(
        create(GROUP, "csinodes", &bad),
        [
            "spec.drivers[0].nodeID: Required value",
            "spec.drivers[0].allocatable.count: Invalid value: -1: must be greater than or equal to 0",
            "spec.drivers[1].name: Duplicate value: \"a.b\"",
            "spec.drivers[1]: Duplicate value: \"z\"",
        ]
    );
    let changed =
        json!({"spec": {"drivers": [{"name": "a.b", "nodeID": "m", "topologyKeys": ["z"]}]}});
    assert_eq!(update(GROUP, "csinodes", &changed, &good, "").len(), 1);
    assert!(
        update(
            GROUP,
            "csinodes",
            &json!({"spec": {"drivers": []}}),
            &good,
            ""
        )
        .is_empty()
    );
}

#[test]
fn capacities() {
    let good = json!({"storageClassName": "s", "capacity": "1Gi"});
    assert!(create(GROUP, "csistoragecapacities", &good).is_empty());
    assert_eq!(
        create(
            GROUP,
            "csistoragecapacities",
            &json!({"storageClassName": "s", "capacity": "-1Gi"})
        ),
        ["capacity: Invalid value: \"-1Gi\": must be greater than or equal to 0"]
    );
    assert_eq!(
        update(
            GROUP,
            "csistoragecapacities",
            &json!({"storageClassName": "t"}),
            &good,
            ""
        ),
        ["storageClassName: Invalid value: \"t\": field is immutable"]
    );
}
