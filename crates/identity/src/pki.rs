//! The cluster's public-key infrastructure on disk: the CA that signs client and serving
//! certificates, and the server's own certificate.
//!
//! | file            | holds                                                       |
//! | --------------- | ----------------------------------------------------------- |
//! | `ca.crt`        | the CA certificate, public                                   |
//! | `ca.key`        | its key, PKCS#8                                              |
//! | `apiserver.pem` | the serving key and certificate, in one file so that a crash |
//! |                 | cannot leave a pair that does not match                      |
//! | `sa.key`        | the key that signs service-account tokens                    |
//! | `sa-*.pub`      | further keys whose tokens are still accepted                 |
//!
//! An operator may bring a CA of their own by putting `ca.crt` and `ca.key` there first.

mod certificate;
mod error;
mod leaf;
mod serving;

pub use certificate::ClientCredential;
pub use error::PkiError;
pub use serving::{ServingCertificate, ServingNames};

use crate::files;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use x509_parser::prelude::{FromDer, X509Certificate};

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";

/// Ten years, as kubeadm's CA.
const CA_LIFETIME: i64 = 10 * 365 * 24 * 3600;

/// Certificates are valid from a little before they are made, for clients whose clocks are behind.
const BACKDATE: i64 = 300;

/// What to do about a CA that cannot be used.
const CA_REMEDY: &str = "restore the file from a backup, or, to start a new CA (every \
                         kubeconfig issued so far stops working), move the directory away";

/// The cluster CA, opened.
pub struct Pki {
    directory: PathBuf,
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    not_after: i64,
    issuer: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl Pki {
    /// Opens the PKI in `directory`, and makes the directory and the CA if there is none yet.
    /// `now` is in seconds since the Unix epoch.
    pub fn open(directory: &Path, now: i64) -> Result<Self, PkiError> {
        let key_path = directory.join(CA_KEY);
        let certificate_path = directory.join(CA_CERTIFICATE);
        files::make_private_directory(directory)?;
        if files::read(&certificate_path)?.is_none() {
            // The key is written first: a crash between the two leaves a key, to which a
            // certificate is made now. Certificates are reproducible from the key, keys are not.
            let key = match read_key(&key_path)? {
                Some(key) => key,
                None => {
                    let key = KeyPair::generate().map_err(PkiError::crypto)?;
                    files::write_private(&key_path, key.serialize_pem().as_bytes())?;
                    key
                }
            };
            let certificate = certify_ca(&key, now)?;
            files::write_public(&certificate_path, certificate.as_bytes())?;
        }
        Self::load(directory, now)
    }

    /// Opens the PKI in `directory` without writing anything.
    pub fn load(directory: &Path, now: i64) -> Result<Self, PkiError> {
        let key_path = directory.join(CA_KEY);
        let path = directory.join(CA_CERTIFICATE);
        let missing = |path: &Path| PkiError::Missing {
            path: path.to_owned(),
            remedy: CA_REMEDY,
        };
        let damaged = |what: String| PkiError::Damaged {
            path: path.clone(),
            what,
            remedy: CA_REMEDY,
        };
        let pem = files::read(&path)?.ok_or_else(|| missing(&path))?;
        let key = read_key(&key_path)?.ok_or_else(|| missing(&key_path))?;
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| damaged(e.to_string()))?;
        let not_after = {
            let (rest, parsed) =
                X509Certificate::from_der(&certificate).map_err(|e| damaged(e.to_string()))?;
            if !rest.is_empty() {
                return Err(damaged("bytes after the certificate".to_owned()));
            }
            if !parsed.is_ca() {
                return Err(damaged(
                    "the certificate is not a CA certificate".to_owned(),
                ));
            }
            if parsed.public_key().raw != key.subject_public_key_info().as_slice() {
                return Err(PkiError::Mismatch {
                    path: key_path,
                    other: path,
                    remedy: CA_REMEDY,
                });
            }
            parsed.validity().not_after.timestamp()
        };
        if not_after <= now {
            return Err(PkiError::Expired {
                path,
                remedy: "put a new CA certificate for the same key in its place, or move the \
                         directory away to start a new CA",
            });
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|e| damaged(e.to_string()))?;
        Ok(Self {
            directory: directory.to_owned(),
            certificate,
            certificate_pem: pem,
            not_after,
            issuer,
        })
    }

    /// Where the PKI is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The CA certificate in PEM: what clients and pods (`kube-root-ca.crt`) are given.
    pub fn ca_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The CA certificate in DER.
    pub fn ca(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

/// The key in `path`, or `None` if there is no such file.
fn read_key(path: &Path) -> Result<Option<KeyPair>, PkiError> {
    let Some(pem) = files::read_private(path)? else {
        return Ok(None);
    };
    // The error's text is dropped: it comes from a parser that has the key in its hands.
    KeyPair::from_pem(&pem)
        .map(Some)
        .map_err(|_| PkiError::Damaged {
            path: path.to_owned(),
            what: "no PKCS#8 private key (ECDSA P-256 or P-384, Ed25519 or RSA) in PEM".to_owned(),
            remedy: CA_REMEDY,
        })
}

fn certify_ca(key: &KeyPair, now: i64) -> Result<String, PkiError> {
    let mut params = CertificateParams::default();
    params.not_before = certificate::instant(now.saturating_sub(BACKDATE))?;
    params.not_after = certificate::instant(now.saturating_add(CA_LIFETIME))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "rampart-ca");
    let certificate = params.self_signed(key).map_err(PkiError::crypto)?;
    Ok(certificate.pem())
}

#[cfg(test)]
mod tests;
