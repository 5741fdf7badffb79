//! What holds of every kind of the core group, whatever it is fed.

use crate::Value;
use crate::kinds::core::behavior;
use proptest::prelude::*;
use serde_json::json;

fn any_json() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "containers",
        "initContainers",
        "ephemeralContainers",
        "volumes",
        "name",
        "image",
        "env",
        "valueFrom",
        "fieldRef",
        "ports",
        "resources",
        "limits",
        "requests",
        "cpu",
        "securityContext",
        "sysctls",
        "affinity",
        "podAffinity",
        "nodeAffinity",
        "labelSelector",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "nodeSelectorTerms",
        "matchExpressions",
        "values",
        "tolerations",
        "topologySpreadConstraints",
        "projected",
        "sources",
        "items",
        "metadata",
        "spec",
        "status",
        "labels",
        "annotations",
        "finalizers",
        "data",
        "stringData",
        "subsets",
        "addresses",
        "template",
        "selector",
        "accessModes",
        "taints",
        "limits",
        "type",
        "hard",
        "scopes",
        "clusterIPs",
        "ipFamilies",
        "regarding",
        "podCIDRs",
        "host",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
        Just(json!("../'][\u{e9}")),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..6).prop_map(|map| {
                Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

const KINDS: &[&str] = &[
    "bindings",
    "componentstatuses",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "nodes",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods",
    "podtemplates",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "services",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_defaulting_is_idempotent(
        metadata in any_json(), spec in any_json(), status in any_json(), top in any_json(),
        old in any_json(),
    ) {
        let mut object = json!({"metadata": metadata, "spec": spec, "status": status});
        if let (Value::Object(object), Value::Object(top)) = (&mut object, top) {
            object.extend(top);
        }
        let old = json!({"metadata": old, "spec": old, "status": old});
        for kind in KINDS {
            let rules = crate::kinds::behavior("", kind);
            let mut object = object.clone();
            (rules.default)("v1", &mut object);
            let once = object.clone();
            (rules.default)("v1", &mut object);
            prop_assert_eq!(&once, &object, "{}", kind);
            for subresource in ["", "status", "ephemeralcontainers", "resize", "finalize"] {
                let mut object = object.clone();
                let _ = (rules.validate_update)(&object, &old, subresource);
                (rules.prepare_update)(&mut object, &old, subresource);
                let _ = (rules.validate_update)(&object, &old, subresource);
            }
            let _ = (rules.warnings)(&object, None);
            let _ = (rules.warnings)(&object, Some(&old));
            (rules.prepare_create)(&mut object);
            let _ = (rules.validate_create)(&object);
        }
    }
}

#[test]
fn every_kind_is_known() {
    for kind in KINDS {
        assert!(behavior(kind).is_some(), "{kind}");
    }
}
