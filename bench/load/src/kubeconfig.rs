//! The parts of a kubeconfig that a client needs.

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::decode::{Format, decode};
use model::{Value, meta};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::Path;
use std::sync::Arc;

/// Where to connect, and as whom.
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) address: String,
    /// The name that the server's certificate must have.
    pub(crate) name: ServerName<'static>,
    /// TLS with the client's certificate.
    pub(crate) tls: Arc<rustls::ClientConfig>,
    /// The bearer token, if there is no certificate.
    pub(crate) token: Option<String>,
}

impl Target {
    /// Reads the current context.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| path.display().to_string())?;
        let config = decode(&text, Format::Yaml)?.value;
        let named = |list: &str, name: &str, what: &str| -> Result<Value> {
            meta::list(&config, &[list])
                .iter()
                .find(|entry| meta::text(entry, &["name"]) == name)
                .and_then(|entry| entry.get(what).cloned())
                .with_context(|| format!("the kubeconfig has no {what} {name:?}"))
        };
        let context = named(
            "contexts",
            meta::text(&config, &["current-context"]),
            "context",
        )?;
        let cluster = named("clusters", meta::text(&context, &["cluster"]), "cluster")?;
        let user = named("users", meta::text(&context, &["user"]), "user")?;
        let server = meta::text(&cluster, &["server"]);
        let Some(address) = server.strip_prefix("https://") else {
            bail!("{server:?} is not served over TLS")
        };
        let address = address.trim_end_matches('/').to_owned();
        let host = address
            .rsplit_once(':')
            .map_or(address.as_str(), |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let pem = |value: &Value, field: &str| STANDARD.decode(meta::text(value, &[field]));
        let mut roots = rustls::RootCertStore::empty();
        for certificate in
            CertificateDer::pem_slice_iter(&pem(&cluster, "certificate-authority-data")?)
        {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let certificate = pem(&user, "client-certificate-data")?;
        let tls = if certificate.is_empty() {
            builder.with_no_client_auth()
        } else {
            let chain =
                CertificateDer::pem_slice_iter(&certificate).collect::<Result<Vec<_>, _>>()?;
            let key = PrivateKeyDer::from_pem_slice(&pem(&user, "client-key-data")?)?;
            builder.with_client_auth_cert(chain, key)?
        };
        let token = meta::text(&user, &["token"]);
        let token = (!token.is_empty()).then(|| token.to_owned());
        Ok(Self {
            address,
            name,
            tls: Arc::new(tls),
            token,
        })
    }
}
