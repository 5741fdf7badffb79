//! Client certificates: chain to a trusted CA, then the common name is the user and the
//! organizations are the groups.

use crate::{Authenticator, CREDENTIAL_ID, Clock, Credentials, Identity, PkiError, Rejection};
use futures::future::BoxFuture;
use model::user::UserInfo;
use parking_lot::RwLock;
use ring::digest;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The attribute type under which a certificate may carry the user's UID (upstream's
/// `1.3.6.1.4.1.57683.2`).
const UID_ATTRIBUTE: &str = "1.3.6.1.4.1.57683.2";

/// Verified chains that are remembered; far more than a cluster has certificates in use at once.
const MAX_REMEMBERED: usize = 4096;

/// Authenticates client certificates that chain to one of the given CAs, are within their
/// validity and may be used by clients (`clientAuth`, or no extended key usage at all, as Go's
/// verifier reads it).
pub struct ClientCertificates {
    verifier: Arc<dyn ClientCertVerifier>,
    ca_validity: Validity,
    clock: Clock,
    verified: RwLock<HashMap<Vec<u8>, Verified>>,
}

#[derive(Clone, Copy)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

impl Validity {
    fn holds(self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    fn and(self, other: Self) -> Self {
        Self {
            not_before: self.not_before.max(other.not_before),
            not_after: self.not_after.min(other.not_after),
        }
    }

    fn of(certificate: &X509Certificate<'_>) -> Self {
        Self {
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
        }
    }
}

struct Verified {
    validity: Validity,
    identity: Identity,
}

impl ClientCertificates {
    /// Trusts the given CA certificates (DER); there must be at least one.
    pub fn new(cas: &[CertificateDer<'_>], clock: Clock) -> Result<Self, PkiError> {
        let mut roots = RootCertStore::empty();
        let mut ca_validity = Validity {
            not_before: i64::MIN,
            not_after: i64::MAX,
        };
        for ca in cas {
            roots
                .add(ca.clone().into_owned())
                .map_err(PkiError::crypto)?;
            let (_, parsed) = X509Certificate::from_der(ca).map_err(PkiError::crypto)?;
            ca_validity = ca_validity.and(Validity::of(&parsed));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(PkiError::crypto)?;
        Ok(Self {
            verifier,
            ca_validity,
            clock,
            verified: RwLock::default(),
        })
    }

    /// Who the chain (leaf first) belongs to. A chain that was good before costs a hash and a
    /// comparison until one of its certificates ends.
    pub fn identify(&self, chain: &[CertificateDer<'static>]) -> Result<Identity, Rejection> {
        let now = (self.clock)();
        // The map compares whole keys, so equal means the same bytes and not the same hash; its
        // hasher is keyed per process, so clients cannot aim for collisions.
        if let [leaf] = chain {
            if let Some(found) = self.remembered(leaf, now) {
                return Ok(found);
            }
            return self.verify(chain, leaf.to_vec(), now);
        }
        let mut key = Vec::with_capacity(chain.iter().map(|c| c.len().saturating_add(8)).sum());
        for certificate in chain {
            key.extend_from_slice(&(certificate.len() as u64).to_be_bytes());
            key.extend_from_slice(certificate);
        }
        match self.remembered(&key, now) {
            Some(found) => Ok(found),
            None => self.verify(chain, key, now),
        }
    }

    fn remembered(&self, key: &[u8], now: i64) -> Option<Identity> {
        self.verified
            .read()
            .get(key)
            .filter(|v| v.validity.holds(now))
            .map(|v| v.identity.clone())
    }

    fn verify(
        &self,
        chain: &[CertificateDer<'static>],
        key: Vec<u8>,
        now: i64,
    ) -> Result<Identity, Rejection> {
        let (leaf, intermediates) = chain
            .split_first()
            .ok_or_else(|| Rejection("no client certificate".to_owned()))?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(now.max(0).unsigned_abs()));
        self.verifier
            .verify_client_cert(leaf, intermediates, at)
            .map_err(|e| Rejection(format!("x509: {e}")))?;
        // The shortest validity of all that was presented: an unused intermediate can only make
        // this check run again, never make it pass.
        let mut validity = self.ca_validity;
        for certificate in chain {
            let (_, parsed) = X509Certificate::from_der(certificate)
                .map_err(|e| Rejection(format!("x509: {e}")))?;
            validity = validity.and(Validity::of(&parsed));
        }
        let identity = Identity {
            user: user(leaf)?,
            audiences: Vec::new(),
        };
        let mut verified = self.verified.write();
        if verified.len() >= MAX_REMEMBERED {
            verified.clear();
        }
        verified.insert(
            key,
            Verified {
                validity,
                identity: identity.clone(),
            },
        );
        Ok(identity)
    }
}

impl Authenticator for ClientCertificates {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        let answer = match credentials.certificates {
            [] => Ok(None),
            chain => self.identify(chain).map(Some),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// The user that a certificate's subject names.
fn user(leaf: &[u8]) -> Result<UserInfo, Rejection> {
    let reject = |why: &str| Rejection(format!("x509: {why}"));
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| reject("unreadable certificate"))?;
    let subject = certificate.subject();
    // Where a name has several common names, Go keeps the last.
    let name = match subject.iter_common_name().last() {
        Some(cn) => cn
            .as_str()
            .map_err(|_| reject("the common name is not text"))?,
        None => "",
    };
    if name.is_empty() {
        return Err(reject("the subject has no common name"));
    }
    let groups = subject
        .iter_organization()
        .map(|o| o.as_str().map(str::to_owned))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| reject("an organization is not text"))?;
    let mut uids = subject
        .iter_attributes()
        .filter(|a| a.attr_type().to_id_string() == UID_ATTRIBUTE);
    let uid = match (uids.next(), uids.next()) {
        (None, _) => "",
        (Some(uid), None) => match uid.as_str() {
            Ok(uid) if !uid.is_empty() => uid,
            _ => return Err(reject("the subject's UID is not text or empty")),
        },
        (Some(_), Some(_)) => return Err(reject("the subject has more than one UID")),
    };
    let mut fingerprint = String::from("X509SHA256=");
    for byte in digest::digest(&digest::SHA256, leaf).as_ref() {
        let _ = write!(fingerprint, "{byte:02x}");
    }
    Ok(UserInfo {
        name: name.to_owned(),
        uid: uid.to_owned(),
        groups,
        extra: BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![fingerprint])]),
    })
}
