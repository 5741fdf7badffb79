//! The TLS side of the server: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN, client certificates
//! requested but not judged.
//!
//! As kube-apiserver does, the handshake takes any certificate whose key the client proves to
//! hold; whether its chain is good is the authenticator's question, so that a certificate from
//! another CA is answered with 401 and not with a broken connection.

use crate::{PkiError, ServingCertificate};
use parking_lot::RwLock;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The server's TLS configuration; its certificate can be replaced while it is in use.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    serving: Arc<Serving>,
}

impl Tls {
    /// A configuration that serves `certificate` and tells clients that it takes certificates
    /// issued by one of `client_cas` (DER).
    pub fn new(
        certificate: &ServingCertificate,
        client_cas: &[CertificateDer<'_>],
    ) -> Result<Self, PkiError> {
        let provider = Arc::new(ring::default_provider());
        let serving = Arc::new(Serving {
            key: RwLock::new(certified(certificate)?),
        });
        let hints = client_cas
            .iter()
            .map(|ca| {
                let (_, ca) = X509Certificate::from_der(ca).map_err(PkiError::crypto)?;
                Ok(DistinguishedName::from(ca.subject().as_raw().to_vec()))
            })
            .collect::<Result<_, PkiError>>()?;
        let verifier = Arc::new(PossessionOnly {
            provider: provider.clone(),
            hints,
        });
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(PkiError::crypto)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(serving.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            serving,
        })
    }

    /// What the acceptor takes.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Serves another certificate from the next handshake on.
    pub fn replace(&self, certificate: &ServingCertificate) -> Result<(), PkiError> {
        *self.serving.key.write() = certified(certificate)?;
        Ok(())
    }
}

fn certified(certificate: &ServingCertificate) -> Result<Arc<CertifiedKey>, PkiError> {
    let key = ring::sign::any_supported_type(&certificate.key).map_err(PkiError::crypto)?;
    Ok(Arc::new(CertifiedKey::new(
        vec![certificate.certificate.clone()],
        key,
    )))
}

#[derive(Debug)]
struct Serving {
    key: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key.read().clone())
    }
}

#[derive(Debug)]
struct PossessionOnly {
    provider: Arc<CryptoProvider>,
    hints: Vec<DistinguishedName>,
}

impl ClientCertVerifier for PossessionOnly {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        X509Certificate::from_der(end_entity)
            .map(|_| ClientCertVerified::assertion())
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
