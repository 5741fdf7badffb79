//! Who is asking: cluster CA, client certificates, service-account tokens, authenticator chain.

use futures::future::BoxFuture;
use model::user::UserInfo;

/// What a request brought along to prove who sends it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The bearer token of the `Authorization` header.
    pub bearer: Option<&'a str>,
    /// The client's certificate chain in DER, leaf first, as the TLS layer took it (possession of
    /// the leaf's key is proven, the chain is not verified yet).
    pub certificates: &'a [rustls::pki_types::CertificateDer<'static>],
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
