//! Pulls images from registries. What arrives is what its digest says, or it is refused: the
//! manifest (and the index that led to it), the configuration, every layer as it travels and
//! every layer as it unpacks.

use super::config;
use super::layer::{chain, text};
use super::reference::{hex, parse, with_digest};
use super::store::{Inner, Temporary, blocking};
use futures::{StreamExt, TryStreamExt, stream};
use node_api::{Credentials, Error, Image, Result};
use oci_client::Reference;
use oci_client::client::{
    Certificate, CertificateEncoding, Client, ClientConfig, ClientProtocol,
    current_platform_resolver,
};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest, OciManifest,
};
use oci_client::secrets::RegistryAuth;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Another place to pull a registry's images from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its host and port.
    pub host: String,
    /// Whether it speaks HTTP without TLS.
    pub plain_http: bool,
}

/// Where images come from.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    /// Tried before the registry itself, by the registry's name (`docker.io`). Credentials are
    /// for the registry and are not shown to its mirrors.
    pub mirrors: BTreeMap<String, Vec<Mirror>>,
    /// Registries that speak HTTP without TLS; this machine's own always may.
    pub plain_http: Vec<String>,
    /// Authorities to trust beside the machine's, as PEM.
    pub authorities: Vec<Vec<u8>>,
}

/// The largest manifest or configuration.
const SMALL: usize = 4 << 20;
/// Layers that are fetched at once.
const AT_ONCE: usize = 3;

/// Lets the HTTP client use this program's cryptography.
pub(super) fn install_tls() {
    // Somebody else may have been first, with the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A place to pull from.
struct Source {
    reference: Reference,
    plain_http: bool,
    own: bool,
}

impl Registries {
    fn sources(&self, reference: &Reference) -> Vec<Source> {
        let registry = reference.registry();
        let at = |host: &str| match reference.digest() {
            Some(digest) => Reference::with_digest(
                host.to_owned(),
                reference.repository().to_owned(),
                digest.to_owned(),
            ),
            None => Reference::with_tag(
                host.to_owned(),
                reference.repository().to_owned(),
                reference.tag().unwrap_or("latest").to_owned(),
            ),
        };
        let mirrors = self.mirrors.get(registry).into_iter().flatten();
        let mut sources: Vec<_> = mirrors
            .map(|mirror| Source {
                reference: at(&mirror.host),
                plain_http: mirror.plain_http,
                own: false,
            })
            .collect();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        sources.push(Source {
            reference: reference.clone(),
            plain_http: local || self.plain_http.iter().any(|r| r == registry),
            own: true,
        });
        sources
    }

    fn client(&self, source: &Source) -> Client {
        let authority = |pem: &Vec<u8>| Certificate {
            encoding: CertificateEncoding::Pem,
            data: pem.clone(),
        };
        Client::new(ClientConfig {
            protocol: match source.plain_http {
                true => ClientProtocol::Http,
                false => ClientProtocol::Https,
            },
            extra_root_certificates: self.authorities.iter().map(authority).collect(),
            connect_timeout: Some(Duration::from_secs(30)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("rampart/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        })
    }
}

/// Pulls an image from the first source that has it.
pub(super) async fn pull(
    inner: &Arc<Inner>,
    name: &str,
    credentials: &[Credentials],
) -> Result<Image> {
    let reference = parse(name)?;
    if let Some(digest) = reference.digest() {
        hex(digest)?;
    }
    let _adding = inner.adding.read().await;
    let mut last = Error::not_found("image", name);
    for source in inner.registries.sources(&reference) {
        let client = |auth: RegistryAuth| Pull {
            inner,
            client: inner.registries.client(&source),
            reference: &source.reference,
            auth,
        };
        let auths: Vec<_> = match source.own && !credentials.is_empty() {
            true => credentials.iter().map(auth).collect(),
            false => vec![RegistryAuth::Anonymous],
        };
        for auth in auths {
            match client(auth).run(&reference).await {
                Ok(image) => return Ok(image),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

fn auth(credentials: &Credentials) -> RegistryAuth {
    match credentials {
        Credentials::Basic { username, password } => {
            RegistryAuth::Basic(username.clone(), password.clone())
        }
        Credentials::Bearer(token) => RegistryAuth::Bearer(token.clone()),
    }
}

/// A layer that is not here.
struct Missing {
    layer: OciDescriptor,
    diff: String,
    /// The layers below, by their chains.
    below: Vec<String>,
    /// Where it is fetched to.
    path: PathBuf,
}

/// One attempt.
struct Pull<'a> {
    inner: &'a Arc<Inner>,
    client: Client,
    reference: &'a Reference,
    auth: RegistryAuth,
}

impl Pull<'_> {
    async fn run(&self, wanted: &Reference) -> Result<Image> {
        let (manifest, digest) = self.manifest().await?;
        let mut config_bytes = Vec::new();
        self.blob(&manifest.config, SMALL as u64, &mut config_bytes)
            .await?;
        let config = config::parse(&config_bytes)?;
        if config.diffs().len() != manifest.layers.len() {
            return Err(Error::Invalid(
                "the image's configuration and manifest disagree about its layers".into(),
            ));
        }
        let mut chains = Vec::new();
        for diff in config.diffs() {
            hex(diff)?;
            chains.push(chain(chains.last().map(String::as_str), diff));
        }
        let temporary = self
            .inner
            .temporary()
            .map_err(|error| Error::Failed(format!("images: {error}")))?;
        self.layers(&manifest, config.diffs(), &chains, &temporary)
            .await?;
        let names = match wanted.digest() {
            Some(_) => Vec::new(),
            None => vec![wanted.whole()],
        };
        let image = config.image(
            manifest.config.digest.clone(),
            names,
            vec![with_digest(wanted, &digest)],
        );
        let inner = Arc::clone(self.inner);
        blocking(move || inner.note(image, chains)).await
    }

    /// The manifest for this machine, and the digest by which the image is known: of the index if
    /// there is one.
    async fn manifest(&self) -> Result<(OciImageManifest, String)> {
        let (manifest, digest) = self.one_manifest(self.reference).await?;
        let index = match manifest {
            OciManifest::Image(image) => return Ok((image, digest)),
            OciManifest::ImageIndex(index) => index,
        };
        let chosen = current_platform_resolver(&index.manifests).ok_or_else(|| {
            Error::Invalid(format!(
                "no match for platform in manifest {digest}: not found"
            ))
        })?;
        let reference = self.reference.clone_with_digest(chosen);
        match self.one_manifest(&reference).await? {
            (OciManifest::Image(image), _) => Ok((image, digest)),
            _ => Err(Error::Invalid("an index within an index".into())),
        }
    }

    async fn one_manifest(&self, reference: &Reference) -> Result<(OciManifest, String)> {
        let types = [
            OCI_IMAGE_MEDIA_TYPE,
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        ];
        let (bytes, _) = self
            .client
            .pull_manifest_raw(reference, &self.auth, &types)
            .await
            .map_err(explain)?;
        let found = text(&Sha256::digest(&bytes));
        if let Some(expected) = reference.digest()
            && expected != found
        {
            return Err(Error::Corrupt {
                what: format!("the manifest of {reference}"),
                expected: expected.into(),
                found,
            });
        }
        let manifest = serde_json::from_slice(&bytes)
            .map_err(|error| Error::Invalid(format!("the manifest of {reference}: {error}")))?;
        Ok((manifest, found))
    }

    /// Fetches the layers that are not here, and unpacks each as soon as those below are.
    async fn layers(
        &self,
        manifest: &OciImageManifest,
        diffs: &[String],
        chains: &[String],
        temporary: &Temporary,
    ) -> Result<()> {
        let mut missing = Vec::new();
        for (at, (layer, diff)) in manifest.layers.iter().zip(diffs).enumerate() {
            let (below, own) = chains.split_at(at);
            let there = match own.first() {
                Some(chain) => self.inner.layers.get(chain)?,
                None => None,
            };
            if there.is_none() {
                missing.push(Missing {
                    layer: layer.clone(),
                    diff: diff.clone(),
                    below: below.to_vec(),
                    path: temporary.0.join(at.to_string()),
                });
            }
        }
        stream::iter(missing)
            .map(|missing| self.fetch(missing))
            .buffered(AT_ONCE)
            .try_for_each(|fetched| self.unpack(fetched))
            .await
    }

    async fn fetch(&self, missing: Missing) -> Result<Missing> {
        let mut file = std::fs::File::create(&missing.path)
            .map_err(|error| Error::Failed(format!("images: {error}")))?;
        let limit = self.inner.limits.bytes;
        self.blob(&missing.layer, limit, &mut file).await?;
        Ok(missing)
    }

    async fn unpack(&self, fetched: Missing) -> Result<()> {
        let inner = Arc::clone(self.inner);
        blocking(move || {
            let Missing {
                diff, below, path, ..
            } = fetched;
            inner.layers.add(&path, &diff, &below, inner.limits)?;
            // The space is wanted for the next.
            std::fs::remove_file(&path).map_err(|e| Error::Failed(format!("images: {e}")))
        })
        .await
    }

    /// Fetches a blob of exactly the described size and digest.
    async fn blob(
        &self,
        descriptor: &OciDescriptor,
        limit: u64,
        to: &mut (impl Write + Send),
    ) -> Result<()> {
        hex(&descriptor.digest)?;
        let size = u64::try_from(descriptor.size).unwrap_or(u64::MAX);
        if size > limit {
            return Err(Error::Invalid(format!(
                "{} is too large",
                descriptor.digest
            )));
        }
        let failed = |error: std::io::Error| Error::Failed(format!("images: {error}"));
        let mut stream = self
            .client
            .pull_blob_stream(self.reference, descriptor)
            .await
            .map_err(explain)?
            .stream;
        let (mut digest, mut count) = (Sha256::new(), 0u64);
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(interrupted)?;
            count = count.saturating_add(bytes.len() as u64);
            if count > size {
                break;
            }
            digest.update(&bytes);
            // To the page cache, as fast as memory.
            to.write_all(&bytes).map_err(failed)?;
        }
        let found = text(&digest.finalize());
        if count != size || found != descriptor.digest {
            return Err(Error::Corrupt {
                what: "a blob".into(),
                expected: format!("{} of {size} bytes", descriptor.digest),
                found: format!("{found} of {count} bytes"),
            });
        }
        Ok(())
    }
}

/// What the end of a transfer before its time means here. The client verifies what it passes on,
/// and says so within an I/O error.
fn interrupted(error: std::io::Error) -> Error {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<DigestError>()) {
        Some(DigestError::VerificationError { expected, actual }) => Error::Corrupt {
            what: "a blob".into(),
            expected: expected.clone(),
            found: actual.clone(),
        },
        _ => Error::Unavailable(error.to_string()),
    }
}

/// What a registry's refusal means here.
fn explain(error: OciDistributionError) -> Error {
    use OciDistributionError as E;
    let message = error.to_string();
    match error {
        E::AuthenticationFailure(_) | E::UnauthorizedError { .. } => Error::Unauthorized(message),
        E::ImageManifestNotFoundError(_) => Error::not_found("image", message),
        E::DigestError(DigestError::VerificationError { expected, actual }) => Error::Corrupt {
            what: "a blob".into(),
            expected,
            found: actual,
        },
        E::RegistryError { envelope, .. } => {
            let has = |codes: &[OciErrorCode]| {
                let mut errors = envelope.errors.iter();
                errors.any(|error| codes.contains(&error.code))
            };
            if has(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                Error::Unauthorized(message)
            } else if has(&[
                OciErrorCode::ManifestUnknown,
                OciErrorCode::NameUnknown,
                OciErrorCode::NotFound,
            ]) {
                Error::not_found("image", message)
            } else {
                Error::Unavailable(message)
            }
        }
        E::RequestError(_) | E::ServerError { .. } | E::IoError(_) => Error::Unavailable(message),
        _ => Error::Failed(message),
    }
}
