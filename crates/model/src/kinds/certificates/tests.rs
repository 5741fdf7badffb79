use super::*;
use crate::kinds::check::{create, update};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const KIND: (&str, &str) = ("certificates.k8s.io", "certificatesigningrequests");

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    STANDARD.encode(format!(
        "-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"
    ))
}

fn request() -> Value {
    json!({
        "metadata": {"name": "r"},
        "spec": {
            "request": pem("CERTIFICATE REQUEST", &[0x30, 1, 0]),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    })
}

fn with(path: &[&str], value: Value) -> Value {
    let mut request = request();
    meta::set(&mut request, path, value);
    request
}

#[test]
fn requests() {
    let cases = [
        (request(), ""),
        (
            with(&["spec", "request"], "eA==".into()),
            "spec.request: Invalid value: \"eA==\": PEM block type must be CERTIFICATE REQUEST",
        ),
        (
            with(&["spec", "usages"], json!([])),
            "spec.usages: Required value",
        ),
        (
            with(&["spec", "usages"], json!(["any", "any"])),
            "spec.usages[1]: Duplicate value: \"any\"",
        ),
        (
            with(
                &["spec", "signerName"],
                "kubernetes.io/legacy-unknown".into(),
            ),
            "spec.signerName: Invalid value: \"kubernetes.io/legacy-unknown\": the legacy signerName is not allowed via this API version",
        ),
        (
            with(&["spec", "signerName"], "x".into()),
            "spec.signerName: Invalid value: \"x\": must be a fully qualified domain and path of the form 'example.com/signer-name'",
        ),
        (
            with(&["spec", "signerName"], "x/y".into()),
            "spec.signerName: Invalid value: \"x\": should be a domain with at least two segments separated by dots",
        ),
        (
            with(&["spec", "signerName"], "".into()),
            "spec.signerName: Required value",
        ),
        (
            with(&["spec", "expirationSeconds"], 599.into()),
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 600 seconds (10 minutes)",
        ),
    ];
    for (request, want) in cases {
        assert_eq!(create(KIND.0, KIND.1, &request).join("; "), want);
    }
    let usage = create(KIND.0, KIND.1, &with(&["spec", "usages"], json!(["x"])));
    assert!(
        usage[0]
            .starts_with("spec.usages[0]: Unsupported value: \"x\": supported values: \"any\", ")
    );
    for der in [
        &[][..],
        &[0x30],
        &[0x30, 5, 0],
        &[0x30, 0, 0],
        &[0x30, 0x89],
        &[0x31, 0],
    ] {
        let request = with(&["spec", "request"], pem("CERTIFICATE REQUEST", der).into());
        let errors = create(KIND.0, KIND.1, &request);
        assert_eq!(errors.len(), 1, "{der:?}");
    }
}

fn condition(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "R"})
}

#[test]
fn approval() {
    let old = request();
    let approved = with(&["status", "conditions"], json!([condition("Approved")]));
    assert!(update(KIND.0, KIND.1, &approved, &old, "approval").is_empty());
    assert_eq!(
        update(KIND.0, KIND.1, &approved, &old, "status"),
        ["status.conditions: Forbidden: updates may not add a condition of type \"Approved\""]
    );
    assert_eq!(
        update(KIND.0, KIND.1, &old, &approved, "approval"),
        ["status.conditions: Forbidden: updates may not remove a condition of type \"Approved\""]
    );
    let both = with(
        &["status", "conditions"],
        json!([condition("Approved"), condition("Denied")]),
    );
    assert_eq!(
        update(KIND.0, KIND.1, &both, &approved, "approval"),
        [
            "status.conditions[1].type: Invalid value: \"Denied\": Approved and Denied conditions are mutually exclusive"
        ]
    );
    let mut undecided = condition("Approved");
    undecided["status"] = "False".into();
    assert_eq!(
        update(
            KIND.0,
            KIND.1,
            &with(&["status", "conditions"], json!([undecided])),
            &old,
            "approval"
        ),
        ["status.conditions[0].status: Unsupported value: \"False\": supported values: \"True\""]
    );
}

#[test]
fn certificates_are_issued_once() {
    let old = request();
    let issued = with(
        &["status", "certificate"],
        pem("CERTIFICATE", &[0x30, 0]).into(),
    );
    assert!(update(KIND.0, KIND.1, &issued, &old, "status").is_empty());
    assert_eq!(
        update(KIND.0, KIND.1, &issued, &old, "approval"),
        ["status.certificate: Forbidden: updates may not set certificate content"]
    );
    let other = with(
        &["status", "certificate"],
        pem("CERTIFICATE", &[0x30, 1, 0]).into(),
    );
    assert_eq!(
        update(KIND.0, KIND.1, &other, &issued, "status"),
        ["status.certificate: Forbidden: updates may not modify existing certificate content"]
    );
    let wrong = with(
        &["status", "certificate"],
        pem("RSA PRIVATE KEY", &[0x30, 0]).into(),
    );
    assert_eq!(
        update(KIND.0, KIND.1, &wrong, &old, "status"),
        [
            "status.certificate: Invalid value: \"<certificate data>\": only CERTIFICATE PEM blocks are allowed, found \"RSA PRIVATE KEY\""
        ]
    );
}

#[test]
fn the_request_stays_as_it_was_made() {
    let behavior = crate::kinds::behavior(KIND.0, KIND.1);
    let old = with(&["status", "certificate"], "c".into());
    let mut new = with(&["spec", "signerName"], "a.b/c".into());
    meta::set(
        &mut new,
        &["status", "conditions"],
        json!([condition("Denied")]),
    );
    (behavior.prepare_update)(&mut new, &old, "approval");
    assert_eq!(new["spec"], old["spec"]);
    assert_eq!(new["status"]["certificate"], "c");
    assert_eq!(new["status"]["conditions"][0]["type"], "Denied");
}

#[test]
fn the_requestor_is_who_asks() {
    let mut request = with(&["spec", "username"], "somebody-else".into());
    meta::set(&mut request, &["spec", "uid"], "x");
    set_requestor(&mut request, &UserInfo::new("jane", ["dev"]));
    assert_eq!(request["spec"]["username"], "jane");
    assert_eq!(request["spec"]["groups"], json!(["dev"]));
    assert!(request["spec"].get("uid").is_none());
}

#[test]
fn conditions_get_their_times() {
    let old = with(
        &["status", "conditions"],
        json!([{"type": "Approved", "status": "True", "lastTransitionTime": "T1"}]),
    );
    let mut new = with(
        &["status", "conditions"],
        json!([
            {"type": "Approved", "status": "True"},
            {"type": "Failed", "status": "True"},
            {"type": "x", "status": "False", "lastUpdateTime": "T2", "lastTransitionTime": "T3"},
        ]),
    );
    stamp_conditions(&mut new, &old, "now");
    let times = |i: usize| {
        let condition = &new["status"]["conditions"][i];
        (
            condition["lastTransitionTime"].clone(),
            condition["lastUpdateTime"].clone(),
        )
    };
    assert_eq!(times(0), ("T1".into(), "now".into()));
    assert_eq!(times(1), ("now".into(), "now".into()));
    assert_eq!(times(2), ("T3".into(), "T2".into()));
}

#[test]
fn a_signer_does_not_reword_the_decision() {
    let prepare = crate::kinds::behavior(KIND.0, KIND.1).prepare_update;
    let old = with(&["status", "conditions"], json!([condition("Approved")]));
    let mut reworded = condition("Approved");
    reworded["reason"] = "Other".into();
    let mut new = with(&["status", "conditions"], json!([condition("x"), reworded]));
    prepare(&mut new, &old, "status");
    assert_eq!(
        new["status"]["conditions"],
        json!([condition("x"), condition("Approved")])
    );
    let mut none = request();
    prepare(&mut none, &old, "status");
    assert_eq!(none, request());
}
