//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`: who may
//! approve and sign for a signer, and what may never be signed for the API server's client signer.

use crate::{Lookup, Operation, Plugin, Request, forbidden};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::status::Status;
use model::{Value, meta};
use rbac::{Attributes, Authorizer};
use std::sync::Arc;
use x509_parser::certification_request::X509CertificationRequest;
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
            (Operation::Create, "", _) => restrict_subject(request),
            _ => Ok(()),
        }
    }
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
    let pem = STANDARD
        .decode(meta::text(object, &["spec", "request"]))
        .ok()?;
    let (_, block) = x509_parser::pem::parse_x509_pem(&pem).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&block.contents).ok()?;
    Some(read(&request.certification_request_info.subject))
}
