//! Client certificates: the user in the common name, the groups in the organizations.

use super::leaf::{self, Leaf, Purpose};
use super::{BACKDATE, Pki, PkiError};
use crate::Sensitive;
use rcgen::KeyPair;
use std::time::Duration;
use time::OffsetDateTime;

/// A client certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientCredential {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The key in PEM (PKCS#8).
    pub key_pem: Sensitive,
    /// The end of the certificate's validity in seconds since the Unix epoch.
    pub not_after: i64,
}

impl Pki {
    /// Issues a client certificate that authenticates as `user` in `groups` for `ttl` from `now`
    /// on, but no longer than the CA itself is valid. The user and every group must be non-empty
    /// printable text.
    pub fn issue_client(
        &self,
        user: &str,
        groups: &[String],
        ttl: Duration,
        now: i64,
    ) -> Result<ClientCredential, PkiError> {
        for (what, text) in std::iter::once(("user", user))
            .chain(groups.iter().map(|group| ("group", group.as_str())))
        {
            if text.is_empty() || text.chars().any(char::is_control) {
                return Err(PkiError::Request(format!(
                    "the {what} name {text:?} is empty or holds control characters"
                )));
            }
        }
        if ttl.as_secs() == 0 {
            return Err(PkiError::Request(
                "a client certificate must be valid for at least a second".to_owned(),
            ));
        }
        let ttl = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let not_after = now.saturating_add(ttl).min(self.not_after);
        let key = KeyPair::generate().map_err(PkiError::crypto)?;
        let der = leaf::sign(
            &self.issuer,
            &self.certificate,
            &key,
            &Leaf {
                common_name: user,
                organizations: groups,
                not_before: now.saturating_sub(BACKDATE),
                not_after,
                purpose: Purpose::Client,
            },
        )?;
        Ok(ClientCredential {
            certificate_pem: leaf::pem(&der),
            key_pem: Sensitive::new(key.serialize_pem()),
            not_after,
        })
    }
}

/// Seconds since the Unix epoch as the certificate library's time.
pub(super) fn instant(seconds: i64) -> Result<OffsetDateTime, PkiError> {
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| PkiError::Request(format!("{seconds} is no time that a certificate can hold")))
}
