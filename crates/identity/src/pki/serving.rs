//! The server's own certificate.

use super::leaf::{self, Leaf, Purpose};
use super::{BACKDATE, Pki, PkiError};
use crate::files;
use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

const SERVING: &str = "apiserver.pem";

/// One year.
const LIFETIME: i64 = 365 * 24 * 3600;

/// A certificate with less than this left is replaced at start and at every renewal check.
const RENEW_BEFORE: i64 = 60 * 24 * 3600;

const REMEDY: &str = "delete it, and a new one is issued at the next start";

/// The names and addresses under which clients reach the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServingNames {
    dns: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
}

impl ServingNames {
    /// The names that every cluster has: `localhost` and the loopback addresses, the `kubernetes`
    /// service under its DNS names in `cluster_domain` and its cluster address.
    pub fn of_cluster(cluster_domain: &str, service: IpAddr) -> Self {
        let dns = [
            "localhost".to_owned(),
            "kubernetes".to_owned(),
            "kubernetes.default".to_owned(),
            "kubernetes.default.svc".to_owned(),
            format!("kubernetes.default.svc.{cluster_domain}"),
        ];
        Self {
            dns: dns.into(),
            addresses: [
                Ipv4Addr::LOCALHOST.into(),
                Ipv6Addr::LOCALHOST.into(),
                service,
            ]
            .into(),
        }
    }

    /// Adds a host name or an address in text form. Unspecified addresses (`0.0.0.0`, `::`) and
    /// what cannot stand in a certificate are passed over, and `false` is returned.
    pub fn add(&mut self, name: &str) -> bool {
        if let Ok(address) = name.parse::<IpAddr>() {
            if address.is_unspecified() {
                return false;
            }
            self.addresses.insert(address);
            return true;
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let fits = !name.is_empty()
            && name.len() <= 253
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            });
        if fits {
            self.dns.insert(name);
        }
        fits
    }

    /// The DNS names, sorted.
    pub fn dns(&self) -> impl Iterator<Item = &str> {
        self.dns.iter().map(String::as_str)
    }

    /// The addresses, sorted.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied()
    }
}

/// The server's certificate and key, as the TLS layer takes them.
pub struct ServingCertificate {
    /// The certificate, in DER.
    pub certificate: CertificateDer<'static>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
    /// The end of its validity in seconds since the Unix epoch.
    pub not_after: i64,
    /// Whether it was issued by this call.
    pub issued: bool,
}

impl std::fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServingCertificate")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Pki {
    /// The server's certificate for `names`. The one on disk is kept unless it is near its end,
    /// was made for other names or by another CA; then a new one is issued and written.
    pub fn serving(&self, names: &ServingNames, now: i64) -> Result<ServingCertificate, PkiError> {
        if let Some(found) = self.read_serving(names, now)? {
            return Ok(found);
        }
        let key = KeyPair::generate().map_err(PkiError::crypto)?;
        let not_after = now.saturating_add(LIFETIME).min(self.not_after);
        let der = leaf::sign(
            &self.issuer,
            &self.certificate,
            &key,
            &Leaf {
                common_name: "kube-apiserver",
                organizations: &[],
                not_before: now.saturating_sub(BACKDATE),
                not_after,
                purpose: Purpose::Server(names),
            },
        )?;
        let text = format!("{}{}", key.serialize_pem(), leaf::pem(&der));
        files::write_private(&self.directory.join(SERVING), text.as_bytes())?;
        Ok(ServingCertificate {
            certificate: der.into(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            not_after,
            issued: true,
        })
    }

    fn read_serving(
        &self,
        names: &ServingNames,
        now: i64,
    ) -> Result<Option<ServingCertificate>, PkiError> {
        let path = self.directory.join(SERVING);
        let Some(pem) = files::read_private(&path)? else {
            return Ok(None);
        };
        let damaged = |what: &str| PkiError::Damaged {
            path: path.clone(),
            what: what.to_owned(),
            remedy: REMEDY,
        };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| damaged("no certificate in PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| damaged("no private key in PEM"))?;
        let pair = KeyPair::try_from(&key).map_err(|_| damaged("the private key is unusable"))?;
        let not_after = {
            let (_, parsed) = X509Certificate::from_der(&certificate)
                .map_err(|_| damaged("the certificate is unreadable"))?;
            if parsed.public_key().raw != pair.subject_public_key_info().as_slice() {
                return Err(damaged("the key does not belong to the certificate"));
            }
            let (_, ca) = X509Certificate::from_der(&self.certificate).map_err(PkiError::crypto)?;
            let not_after = parsed.validity().not_after.timestamp();
            // A CA near its own end cannot give more than it has.
            let wanted = now.saturating_add(RENEW_BEFORE).min(self.not_after);
            let keep = not_after >= wanted
                && parsed.validity().not_before.timestamp() <= now
                && alternative_names(&parsed).as_ref() == Some(names)
                && parsed.issuer() == ca.subject()
                && parsed.verify_signature(Some(ca.public_key())).is_ok();
            if !keep {
                return Ok(None);
            }
            not_after
        };
        Ok(Some(ServingCertificate {
            certificate,
            key,
            not_after,
            issued: false,
        }))
    }
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Option<ServingNames> {
    let extension = certificate.subject_alternative_name().ok()??;
    let mut names = ServingNames {
        dns: BTreeSet::new(),
        addresses: BTreeSet::new(),
    };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(name) => {
                names.dns.insert((*name).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                let address = match bytes.len() {
                    4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                    16 => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
                    _ => return None,
                };
                names.addresses.insert(address);
            }
            _ => return None,
        }
    }
    Some(names)
}
