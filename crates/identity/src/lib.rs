//! Who is asking: cluster CA, client certificates, service-account tokens, authenticator chain.
//!
//! The clock is always the caller's ([`Clock`], or a `now` in seconds since the Unix epoch), and
//! what the cluster holds is asked through [`Objects`]; the only I/O here is on the PKI directory.

mod chain;
mod claims;
mod files;
mod issuer;
mod jwt;
mod keys;
mod kubeconfig;
mod objects;
mod pki;
mod sensitive;
mod service_account;
mod tls;
mod x509;

pub use chain::Chain;
pub use claims::Reference;
pub use files::write_private;
pub use issuer::{Binding, IssuedToken, TokenIssuer, TokenSpec};
pub use keys::{Algorithm, ServiceAccountKeys, VerificationKey};
pub use kubeconfig::Kubeconfig;
pub use objects::{NoObjects, ObjectState, Objects, PodState, SecretState};
pub use pki::{ClientCredential, Pki, PkiError, ServingCertificate, ServingNames};
pub use sensitive::Sensitive;
pub use service_account::ServiceAccountTokens;
pub use tls::Tls;
pub use x509::ClientCertificates;

use futures::future::BoxFuture;
use model::user::UserInfo;
use std::sync::Arc;

/// The current time in seconds since the Unix epoch, as the composition root provides it.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The extra attribute that names the credential itself in audit events: `JTI=…` for tokens,
/// `X509SHA256=…` for certificates.
pub const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// What a request brought along to prove who sends it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The bearer token of the `Authorization` header.
    pub bearer: Option<&'a str>,
    /// The client's certificate chain in DER, leaf first, as the TLS layer took it (possession of
    /// the leaf's key is proven, the chain is not verified yet).
    pub certificates: &'a [rustls::pki_types::CertificateDer<'static>],
    /// The audiences that a token must be meant for (one of them); the API's own if empty. Only
    /// TokenReview asks for others.
    pub audiences: &'a [String],
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserInfo,
    /// The audiences that a token was accepted for; empty for certificates.
    pub audiences: Vec<String>,
}

/// The credentials were meant for this authenticator and are not good. The client learns no more
/// than 401; the text is for the log and holds nothing secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Rejection(pub String);

/// One link of the authenticator chain. `Ok(None)` passes on to the next link.
pub trait Authenticator: Send + Sync {
    /// Decides who sent the credentials.
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>>;
}
