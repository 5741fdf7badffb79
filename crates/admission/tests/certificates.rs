//! Certificate signing requests: whose signature is checked, who decides, and what is never signed.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use admission::{Certificates, Lookup, Operation, Plugin, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::registry::Registry;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
use rbac::{Attributes, Authorizer, Decision};
use rcgen::{CertificateParams, DnType, KeyPair, SignatureAlgorithm};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Allows what its list says, as `VERB NAME`.
struct Grants(&'static [&'static str]);

impl Authorizer for Grants {
    fn authorize(&self, a: &Attributes<'_>) -> Decision {
        let question = format!("{} {}", a.verb, a.name);
        if a.resource == "signers" && self.0.contains(&question.as_str()) {
            Decision::allow("")
        } else {
            Decision::no_opinion("")
        }
    }
}

struct Nothing;

impl Lookup for Nothing {
    fn get(&self, _: &str, _: &str, _: &str, _: &str) -> Option<Arc<Value>> {
        None
    }
    fn list(&self, _: &str, _: &str, _: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }
}

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";

/// The DER of a request for `jane` in `group`.
fn der(algorithm: &'static SignatureAlgorithm, group: &str) -> Vec<u8> {
    let key = KeyPair::generate_for(algorithm).expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "jane");
    params
        .distinguished_name
        .push(DnType::OrganizationName, group);
    params
        .serialize_request(&key)
        .expect("a request")
        .der()
        .to_vec()
}

fn object(der: &[u8], signer: &str) -> Value {
    let body = STANDARD.encode(der);
    let pem =
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n");
    json!({
        "metadata": {"name": "r"},
        "spec": {"request": STANDARD.encode(pem), "signerName": signer, "usages": ["client auth"]},
    })
}

fn ask(
    grants: &'static [&'static str],
    about: (Operation, &str),
    object: Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let registry = Registry::builtin();
    let resource = registry
        .by_path("certificates.k8s.io", "v1", "certificatesigningrequests")
        .expect("registered");
    let user = UserInfo::new("approver", [""; 0]);
    let mut request = Request {
        operation: about.0,
        resource,
        subresource: about.1,
        namespace: "",
        name: "r",
        object,
        old_object: old,
        user: &user,
        dry_run: false,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    Certificates::new(Arc::new(Grants(grants))).validate(&mut request, &Nothing)
}

fn create(object: Value) -> Result<(), Status> {
    ask(&[], (Operation::Create, ""), object, None)
}

#[test]
fn signatures_are_checked() {
    let kinds = [
        (
            &rcgen::PKCS_ECDSA_P256_SHA256,
            "x509: ECDSA verification failure",
        ),
        (
            &rcgen::PKCS_ECDSA_P384_SHA384,
            "x509: ECDSA verification failure",
        ),
        (&rcgen::PKCS_ED25519, "x509: Ed25519 verification failure"),
    ];
    for (algorithm, why) in kinds {
        let mut der = der(algorithm, "dev");
        create(object(&der, CLIENT)).expect("signed");
        // Another name than the one that was signed.
        let at = der.windows(4).position(|w| w == b"jane").expect("the name");
        der[at] = b'J';
        let refused = create(object(&der, CLIENT)).expect_err("tampered");
        assert_eq!((refused.code, refused.reason), (422, "Invalid"));
        let cause = &refused.details.causes[0];
        assert_eq!(cause.field, "spec.request");
        assert!(cause.message.ends_with(why), "{}", cause.message);
    }
    let refused = create(object(&[0x30, 0], CLIENT)).expect_err("no request at all");
    assert_eq!(refused.code, 422);
}

#[test]
fn administrators_are_not_made_by_signing() {
    let masters = der(&rcgen::PKCS_ED25519, "system:masters");
    let refused = create(object(&masters, CLIENT)).expect_err("masters");
    assert_eq!(refused.code, 403);
    assert_eq!(
        refused.message,
        "certificatesigningrequests.certificates.k8s.io \"r\" is forbidden: use of \
         kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"
    );
    create(object(&masters, "example.com/other")).expect("another signer may");
}

#[test]
fn approving_and_signing_need_the_signer() {
    let old = object(&der(&rcgen::PKCS_ED25519, "dev"), CLIENT);
    let change = |path: &[&str], value: Json| {
        let mut new = old.clone();
        meta::set(&mut new, path, value);
        new
    };
    let approved = change(&["status", "conditions"], json!([{"type": "Approved"}]));
    let signed = change(&["status", "certificate"], "YQ==".into());
    let failed = change(&["status", "conditions"], json!([{"type": "Failed"}]));
    let other = change(&["status", "conditions"], json!([{"type": "Seen"}]));
    let exact: &[&str] = &["approve kubernetes.io/kube-apiserver-client"];
    let domain: &[&str] = &["approve kubernetes.io/*", "sign kubernetes.io/*"];
    let elsewhere: &[&str] = &["approve example.com/*", "sign example.com/*"];
    let cases = [
        (exact, "approval", &approved, None),
        (domain, "approval", &approved, None),
        (elsewhere, "approval", &approved, Some("approve")),
        (exact, "status", &signed, Some("sign")),
        (domain, "status", &signed, None),
        (exact, "status", &failed, Some("sign")),
        (elsewhere, "status", &other, None),
    ];
    for (grants, subresource, new, refused) in cases {
        let got = ask(
            grants,
            (Operation::Update, subresource),
            new.clone(),
            Some(&old),
        );
        match refused {
            None => assert!(got.is_ok(), "{subresource} {new}"),
            Some(verb) => {
                let why =
                    format!("user not permitted to {verb} requests with signerName \"{CLIENT}\"");
                let got = got.expect_err("refused");
                assert!(got.message.ends_with(&why), "{}", got.message);
            }
        }
    }
}
