use crate::Value;
use crate::kinds::behavior;
use crate::kinds::check::{create, defaulted, update};
use crate::patch::merge_patch;
use serde_json::json;

const KIND: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

fn definition(spec: &Value) -> Value {
    let given = json!({"metadata": {"name": "as.x.y"}, "spec": {"group": "x.y", "scope": "Namespaced",
        "names": {"plural": "as", "kind": "A"},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
    let mut made = defaulted(KIND.0, KIND.1, "v1", &given);
    (behavior(KIND.0, KIND.1).prepare_create)(&mut made);
    made
}

fn with_schema(schema: &Value) -> Value {
    json!({"versions": [{"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": schema}}]})
}

#[test]
fn defaults() {
    let made = definition(&json!({}));
    let names = json!({"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"});
    assert_eq!(made["spec"]["names"], names);
    assert_eq!(made["spec"]["conversion"], json!({"strategy": "None"}));
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
}

#[test]
fn rules() {
    let schema_at = "spec.versions[0].schema.openAPIV3Schema";
    let cases = [
        (json!({}), String::new()),
        (
            json!({"names": {"plural": "bs"}}),
            "metadata.name: Invalid value: \"as.x.y\": must be spec.names.plural+\".\"+spec.group".to_owned(),
        ),
        (
            json!({"scope": "x"}),
            "spec.scope: Unsupported value: \"x\": supported values: \"Cluster\", \"Namespaced\"".to_owned(),
        ),
        (
            json!({"names": {"listKind": "A", "shortNames": ["B"]}}),
            "spec.names.listKind: Invalid value: \"A\": kind and listKind may not be the same; spec.names.shortNames[0]: Invalid value: \"B\": a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')".to_owned(),
        ),
        (
            json!({"versions": []}),
            "spec.versions: Invalid value: []: must have exactly one version marked as storage version".to_owned(),
        ),
        (
            json!({"conversion": {"strategy": "Webhook"}}),
            "spec.conversion.webhook.clientConfig: Required value: required when strategy is set to Webhook; spec.conversion.webhook.conversionReviewVersions: Required value".to_owned(),
        ),
        (
            json!({"preserveUnknownFields": true}),
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead".to_owned(),
        ),
        (
            with_schema(&json!({"type": "object", "properties": {"spec": {"x-kubernetes-preserve-unknown-fields": true}}})),
            String::new(),
        ),
        (
            with_schema(&json!({"type": "string"})),
            format!("{schema_at}.type: Invalid value: \"string\": must be object at the root"),
        ),
        (
            with_schema(&json!({"type": "object", "properties": {"spec": {"type": "array", "items": {}}, "b": {"type": "x"}}})),
            format!("{schema_at}.properties[b].type: Unsupported value: \"x\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\"; {schema_at}.properties[spec].items.type: Required value: must not be empty for specified array items"),
        ),
        (with_schema(&json!(null)), format!("{schema_at}: Required value: schemas are required")),
    ];
    for (spec, want) in cases {
        let made = definition(&spec);
        assert_eq!(create(KIND.0, KIND.1, &made).join("; "), want, "{spec}");
    }
}

#[test]
fn what_may_change() {
    let old = definition(&json!({}));
    let other = definition(&json!({"scope": "Cluster"}));
    assert!(update(KIND.0, KIND.1, &other, &old, "").is_empty());
    let mut old = old;
    old["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]);
    assert_eq!(
        update(KIND.0, KIND.1, &other, &old, ""),
        ["spec.scope: Invalid value: \"Cluster\": field is immutable"]
    );
    let mut gone = old.clone();
    gone["status"]["storedVersions"] = json!(["v0", "v1"]);
    assert_eq!(
        update(KIND.0, KIND.1, &gone, &old, ""),
        ["status.storedVersions[0]: Invalid value: \"v0\": must appear in spec.versions"]
    );
}

#[test]
fn deep_schemas_are_refused() {
    let mut schema = json!({"type": "string"});
    for _ in 0..200 {
        schema = json!({"type": "object", "properties": {"a": schema}});
    }
    let errors = create(KIND.0, KIND.1, &definition(&with_schema(&schema)));
    assert_eq!(errors.len(), 1);
    assert!(errors[0].ends_with("Forbidden: the schema is nested too deep"));
}
