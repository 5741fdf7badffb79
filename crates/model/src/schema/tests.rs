use super::*;
use serde_json::json;

const POD: &str = "io.k8s.api.core.v1.Pod";

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
    assert_eq!(
        schema.at("io.k8s.api.core.v1.Secret", &["data", "*"]),
        Some(&Type::Bytes)
    );
    let psp = schema
        .get("io.k8s.api.policy.v1beta1.PodSecurityPolicy")
        .unwrap();
    assert_eq!(psp.kinds.first().unwrap().api_version(), "policy/v1beta1");
}
