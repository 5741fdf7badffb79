use super::*;
use crate::Value;
use serde_json::json;

const POD: &str = "io.k8s.api.core.v1.Pod";
const SECRET: &str = "io.k8s.api.core.v1.Secret";
const EVENT: &str = "io.k8s.api.core.v1.Event";
const SERVICE: &str = "io.k8s.api.core.v1.Service";

#[test]
fn embedded_data_are_whole() {
    let schema = load::parse(include_str!("types.json")).unwrap();
    assert!(schema.types().len() > 500);
    let docs = Docs::builtin();
    for ty in schema.types() {
        assert!(
            docs.get(&ty.name).is_some(),
            "no description of {}",
            ty.name
        );
        let names: Vec<_> = ty.fields().iter().map(|f| &f.name).collect();
        assert!(names.is_sorted(), "{}", ty.name);
    }
}

#[test]
fn fields_carry_their_semantics() {
    let schema = Schema::builtin();
    let container = schema.get("io.k8s.api.core.v1.Container").unwrap();
    let ports = container.field("ports").unwrap();
    assert!(ports.patch.merge);
    assert_eq!(ports.merge_key.as_deref(), Some("containerPort"));
    let Type::List(list) = &ports.ty else {
        panic!("{:?}", ports.ty)
    };
    assert_eq!(
        list.kind,
        ListKind::Map(vec!["containerPort".into(), "protocol".into()])
    );
    assert_eq!(schema.key_default(list, "protocol"), Some(&json!("TCP")));
    let strategy = schema
        .get("io.k8s.api.apps.v1.DeploymentSpec")
        .and_then(|t| t.field("strategy"))
        .unwrap();
    assert!(strategy.patch.retain_keys && !strategy.patch.merge);
    assert!(
        schema
            .get("io.k8s.api.core.v1.LocalObjectReference")
            .unwrap()
            .atomic
    );
    assert_eq!(
        schema.at(POD, &["spec", "containers", "*", "image"]),
        Some(&Type::String)
    );
    assert_eq!(schema.at(SECRET, &["data", "*"]), Some(&Type::Bytes));
    let psp = schema
        .get("io.k8s.api.policy.v1beta1.PodSecurityPolicy")
        .unwrap();
    assert_eq!(psp.kinds.first().unwrap().api_version(), "policy/v1beta1");
}

#[test]
fn atomic_is_said_by_field_or_type() {
    let schema = Schema::builtin();
    let field = |ty: &str, name: &str| {
        let ty = schema.get(&format!("io.k8s.api.core.v1.{ty}")).unwrap();
        schema.is_atomic(ty.field(name).unwrap())
    };
    assert!(field("PodSpec", "nodeSelector"));
    assert!(field("ServiceSpec", "clusterIPs"));
    assert!(field("PersistentVolumeClaimSpec", "selector"));
    // ObjectReference is atomic, but not here.
    assert!(!field("PersistentVolumeSpec", "claimRef"));
    assert!(!field("PodSpec", "containers"));
    assert!(!field("Pod", "spec"));
}

#[test]
fn unknown_fields_are_removed_and_named() {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "extra": 1,
        "metadata": {"name": "a", "Labels": {}},
        "spec": {
            "containers": [{"name": "c"}, {"name": "d", "foo": 1, "env": [{"name": "x", "bar": {}}]}],
            "volumes": [{"name": "v", "projected": {"sources": [{"foo": null}]}}],
        },
    });
    let found = Schema::builtin().conform(POD, &mut pod);
    assert_eq!(
        found.unknown,
        [
            "extra",
            "metadata.Labels",
            "spec.containers[1].env[0].bar",
            "spec.containers[1].foo",
            "spec.volumes[0].projected.sources[0].foo",
        ]
    );
    assert!(found.errors.is_empty());
    assert_eq!(
        pod,
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {
                "containers": [{"name": "c"}, {"name": "d", "env": [{"name": "x"}]}],
                "volumes": [{"name": "v", "projected": {"sources": [{}]}}],
            },
        })
    );
}

#[test]
fn wrong_types_are_reported_in_upstream_s_words() {
    let cases: &[(&str, Value, &str)] = &[
        (
            POD,
            json!({"spec": {"containers": "x"}}),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type \
             []v1.Container",
        ),
        (
            POD,
            json!({"spec": []}),
            "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec",
        ),
        (
            POD,
            json!([]),
            "json: cannot unmarshal array into Go value of type v1.Pod",
        ),
        (
            POD,
            json!({"spec": {"containers": [{"name": 5}]}}),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of \
             type string",
        ),
        (
            POD,
            json!({"spec": {"containers": [{"ports": [{"containerPort": "80"}]}]}}),
            "json: cannot unmarshal string into Go struct field \
             ContainerPort.spec.containers.ports.containerPort of type int32",
        ),
        (
            POD,
            json!({"spec": {"priority": 4_294_967_296_i64}}),
            "json: cannot unmarshal number 4294967296 into Go struct field PodSpec.spec.priority \
             of type int32",
        ),
        (
            POD,
            json!({"spec": {"priority": 1.5}}),
            "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type \
             int32",
        ),
        (
            POD,
            json!({"metadata": {"labels": {"a": 1}}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of \
             type string",
        ),
        (
            POD,
            json!({"metadata": {"labels": ["a"]}}),
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type \
             map[string]string",
        ),
        (
            POD,
            json!({"spec": {"restartPolicy": true}}),
            "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type \
             v1.RestartPolicy",
        ),
        (
            POD,
            json!({"spec": {"containers": [{"resources": {"limits": {"cpu": "lots"}}}]}}),
            "quantities must match the regular expression \
             '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            POD,
            json!({"metadata": {"creationTimestamp": "yesterday"}}),
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \
             \"yesterday\" as \"2006\"",
        ),
        (
            POD,
            json!({"metadata": {"creationTimestamp": "2024-02-30T00:00:00Z"}}),
            "parsing time \"2024-02-30T00:00:00Z\": day out of range",
        ),
        (
            SECRET,
            json!({"data": {"a": "abc!"}}),
            "illegal base64 data at input byte 3",
        ),
        (
            SECRET,
            json!({"data": {"a": 1}}),
            "json: cannot unmarshal number into Go struct field Secret.data of type []uint8",
        ),
        (
            SERVICE,
            json!({"spec": {"ports": [{"targetPort": true}]}}),
            "json: cannot unmarshal bool into Go value of type int32",
        ),
    ];
    for (ty, object, text) in cases {
        let mut value = object.clone();
        let found = Schema::builtin().conform(ty, &mut value);
        assert_eq!(found.errors, [*text], "{object}");
    }
}

#[test]
fn values_are_written_as_upstream_writes_them() {
    let cases: &[(&str, Value, Value)] = &[
        // Nulls go; within lists and maps they become zero values.
        (
            POD,
            json!({"metadata": {"creationTimestamp": null, "labels": {"a": null}}, "spec": null}),
            json!({"metadata": {"labels": {"a": ""}}}),
        ),
        // What Go cannot tell from absent goes; what it can, stays.
        (
            POD,
            json!({"metadata": {"annotations": {}}, "spec": {
                "hostNetwork": false, "nodeName": "", "securityContext": {},
                "automountServiceAccountToken": false,
                "volumes": [{"name": "e", "emptyDir": {}}],
            }}),
            json!({"metadata": {}, "spec": {
                "securityContext": {}, "automountServiceAccountToken": false,
                "volumes": [{"name": "e", "emptyDir": {}}],
            }}),
        ),
        (
            POD,
            json!({"spec": {"overhead": {"cpu": 1, "memory": "1024Mi", "x": "0.5"}}}),
            json!({"spec": {"overhead": {"cpu": "1", "memory": "1Gi", "x": "500m"}}}),
        ),
        (
            POD,
            json!({"metadata": {"creationTimestamp": "2024-05-01T02:00:00.9+02:00"}}),
            json!({"metadata": {"creationTimestamp": "2024-05-01T00:00:00Z"}}),
        ),
        (
            EVENT,
            json!({"eventTime": "2024-05-01T00:00:00.123456Z"}),
            json!({"eventTime": "2024-05-01T00:00:00.123456Z"}),
        ),
        (
            SECRET,
            json!({"data": {"a": "YW\nI="}}),
            json!({"data": {"a": "YWI="}}),
        ),
    ];
    for (ty, object, wanted) in cases {
        let mut value = object.clone();
        let found = Schema::builtin().conform(ty, &mut value);
        assert!(found.errors.is_empty(), "{:?}", found.errors);
        assert_eq!(value, *wanted);
    }
}

#[test]
fn raw_values_are_left_alone() {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {"name": "x", "managedFields": [{"fieldsV1": {"f:spec": {".": {}}}}]},
        "data": {"anything": [null, {"goes": null}]},
        "revision": 1,
    });
    let mut value = object.clone();
    let found = Schema::builtin().conform("io.k8s.api.apps.v1.ControllerRevision", &mut value);
    assert!(found.unknown.is_empty() && found.errors.is_empty());
    assert_eq!(value, object);
}

#[test]
fn embedded_objects_are_always_written() {
    let mut pod = json!({"spec": {"containers": [{"name": "c"}]}});
    Schema::builtin().complete(POD, &mut pod);
    assert_eq!(
        pod,
        json!({
            "metadata": {},
            "spec": {"containers": [{"name": "c", "resources": {}}]},
            "status": {},
        })
    );
}

#[test]
fn base64_positions_are_go_s() {
    for (text, at) in [
        ("", None),
        ("YQ==", None),
        ("YWI=", None),
        ("YWJj", None),
        ("YWJ", Some(0)),
        ("YWJjZ", Some(4)),
        ("Y===", Some(1)),
        ("YQ=x", Some(2)),
        ("YQ=", Some(3)),
        ("YQ==YQ==", Some(4)),
        ("=", Some(0)),
        ("YWJj\u{e9}", Some(4)),
    ] {
        assert_eq!(octets::check(text).err(), at, "{text:?}");
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Objects with the names of real fields in arbitrary shapes.
    fn any_value() -> impl Strategy<Value = Value> {
        let key = prop::sample::select(vec![
            "metadata",
            "labels",
            "spec",
            "containers",
            "name",
            "resources",
            "limits",
            "ports",
            "containerPort",
            "data",
            "creationTimestamp",
            "status",
            "env",
            "valueFrom",
            "nonsense",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e3..1e3_f64).prop_map(Value::from),
            "[0-9a-zA-Z:.=TZ-]{0,24}".prop_map(Value::from),
        ];
        leaf.prop_recursive(8, 64, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn conforming_twice_changes_nothing(mut value in any_value()) {
            for ty in [POD, SECRET, EVENT] {
                let first = Schema::builtin().conform(ty, &mut value);
                let once = value.clone();
                let second = Schema::builtin().conform(ty, &mut value);
                prop_assert!(second.unknown.is_empty());
                prop_assert_eq!(first.errors, second.errors);
                prop_assert_eq!(once, value.clone());
            }
        }

        #[test]
        fn base64_agrees_with_its_crate(bytes in any::<Vec<u8>>(), text in "[A-Za-z0-9+/=]{0,12}") {
            use ::base64::{Engine, engine::general_purpose::STANDARD};
            prop_assert_eq!(octets::check(&STANDARD.encode(&bytes)), Ok(true));
            // What the strict decoder accepts is what needs no rewriting.
            prop_assert_eq!(octets::check(&text) == Ok(true), STANDARD.decode(&text).is_ok());
        }
    }
}
