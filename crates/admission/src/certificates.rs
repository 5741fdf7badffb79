//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`: who may
//! approve and sign for a signer, and what may never be signed for the API server's client signer.
//! The signature of a new request is checked here too, where its body is read anyway; upstream
//! does that as part of validation, and the answer is the same.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::field::{FieldError, Path};
use model::status::Status;
use model::{Value, meta};
use rbac::{Attributes, Authorizer};
use std::sync::Arc;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

const GROUP: &str = "certificates.k8s.io";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// The three plugins of upstream's names and rules, as one step.
pub struct Certificates {
    authorizer: Arc<dyn Authorizer>,
}

impl Certificates {
    /// A plugin that asks `authorizer` who may `approve` and `sign`.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Self {
        Self { authorizer }
    }

    fn require(&self, request: &Request<'_>, verb: &str, object: &Value) -> Result<(), Status> {
        let signer = meta::text(object, &["spec", "signerName"]);
        let may = |name: &str| {
            let question = Attributes::resource(request.user, verb, GROUP, "signers").named(name);
            self.authorizer.authorize(&question).allowed()
        };
        let domain = signer
            .split_once('/')
            .map(|(domain, _)| format!("{domain}/*"));
        if may(signer) || domain.is_some_and(|domain| may(&domain)) {
            return Ok(());
        }
        Err(forbidden(
            request,
            &format!("user not permitted to {verb} requests with signerName \"{signer}\""),
        ))
    }
}

impl Plugin for Certificates {
    fn name(&self) -> &'static str {
        "CertificateApproval"
    }

    fn validate(&self, request: &mut Request<'_>, _cluster: &dyn Lookup) -> Result<(), Status> {
        if request.resource.group != GROUP
            || request.resource.plural != "certificatesigningrequests"
        {
            return Ok(());
        }
        match (request.operation, request.subresource, request.old_object) {
            (Operation::Update, "approval", Some(old)) => self.require(request, "approve", old),
            (Operation::Update, "status", Some(old)) => {
                let certificate = |o: &Value| meta::at(o, &["status", "certificate"]).cloned();
                let failed = |o: &Value| {
                    meta::list(o, &["status", "conditions"])
                        .iter()
                        .filter(|c| meta::text(c, &["type"]) == "Failed")
                        .count()
                };
                let signs = certificate(old) != certificate(&request.object)
                    || failed(old) != failed(&request.object);
                if signs {
                    self.require(request, "sign", old)
                } else {
                    Ok(())
                }
            }
            (Operation::Create, "", _) => {
                check_signature(request)?;
                restrict_subject(request)
            }
            _ => Ok(()),
        }
    }
}

/// Who asks for a certificate must have the key that it is for.
fn check_signature(request: &Request<'_>) -> Result<(), Status> {
    let unreadable = "asn1: structure error: not a certificate request".to_owned();
    let verdict = body(&request.object, signature).unwrap_or(Err(unreadable));
    verdict.map_err(|why| {
        let given = meta::text(&request.object, &["spec", "request"]);
        let path = Path::new("spec").child("request");
        let error = FieldError::invalid(&path, given, why);
        let resource = request.resource;
        Status::invalid(&resource.group, &resource.kind, request.name, &vec![error])
    })
}

/// Checks the signature; the error is in the words of Go's `crypto/x509`. What cannot be checked
/// is refused.
fn signature(request: &X509CertificationRequest<'_>) -> Result<(), String> {
    let algorithm = request.signature_algorithm.algorithm.to_id_string();
    request.verify_signature().map_err(|error| match error {
        X509Error::SignatureVerificationError => match algorithm.as_str() {
            "1.3.101.112" => "x509: Ed25519 verification failure".to_owned(),
            ecdsa if ecdsa.starts_with("1.2.840.10045.") => {
                "x509: ECDSA verification failure".to_owned()
            }
            _ => "crypto/rsa: verification error".to_owned(),
        },
        _ => "x509: cannot verify signature: algorithm unimplemented".to_owned(),
    })
}

/// No client certificate for `system:masters` comes about through a signing request.
fn restrict_subject(request: &Request<'_>) -> Result<(), Status> {
    if meta::text(&request.object, &["spec", "signerName"]) != CLIENT_SIGNER {
        return Ok(());
    }
    let masters = subject(&request.object, |subject| {
        subject
            .iter_organization()
            .any(|o| o.as_str().is_ok_and(|o| o == model::user::MASTERS))
    });
    if masters == Some(true) {
        return Err(forbidden(
            request,
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not \
             allowed",
        ));
    }
    Ok(())
}

/// The common name that a signing request asks for; `None` if the request cannot be read, which
/// validation refuses.
pub(crate) fn common_name(object: &Value) -> Option<String> {
    subject(object, |subject| {
        subject
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok())
            .map(str::to_owned)
    })
    .flatten()
}

/// What `read` finds in the subject of the request's PKCS#10 body.
fn subject<T>(object: &Value, read: impl Fn(&X509Name<'_>) -> T) -> Option<T> {
    body(object, |request| {
        read(&request.certification_request_info.subject)
    })
}

/// What `read` finds in the request's PKCS#10 body.
fn body<T>(object: &Value, read: impl Fn(&X509CertificationRequest<'_>) -> T) -> Option<T> {
    let pem = STANDARD
        .decode(meta::text(object, &["spec", "request"]))
        .ok()?;
    let (_, block) = x509_parser::pem::parse_x509_pem(&pem).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&block.contents).ok()?;
    Some(read(&request))
}
