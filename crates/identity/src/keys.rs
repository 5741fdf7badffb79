//! The keys of service-account tokens: one that signs, any number that verify, so that tokens
//! outlive a rotation.

use crate::files;
use crate::pki::PkiError;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair, UnparsedPublicKey};
use ring::{digest, rsa};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use serde_json::{Value, json};
use std::fmt;
use std::path::{Path, PathBuf};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

const SIGNING: &str = "sa.key";
const VERIFYING_PREFIX: &str = "sa-";
const VERIFYING_SUFFIX: &str = ".pub";

const SIGNING_REMEDY: &str = "restore it from a backup, or delete it to start with a new key \
                              (every service-account token issued so far stops working)";
const VERIFYING_REMEDY: &str = "delete it if no token signed by its key is in use any more, or \
                                restore it";

/// The algorithms that tokens may be signed with. A key has exactly one; what a token's header
/// claims never chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 bits or more.
    Rs256,
}

impl Algorithm {
    /// The name in a token's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

/// A public key that verifies tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct VerificationKey {
    id: String,
    algorithm: Algorithm,
    /// What the library verifies with: the point, or the RSAPublicKey structure.
    bytes: Vec<u8>,
    spki: Vec<u8>,
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl VerificationKey {
    /// A key from its SubjectPublicKeyInfo in DER. The error says what is wrong.
    pub fn from_der(spki: &[u8]) -> Result<Self, String> {
        let (rest, info) =
            SubjectPublicKeyInfo::from_der(spki).map_err(|_| "no public key".to_owned())?;
        if !rest.is_empty() {
            return Err("bytes after the public key".to_owned());
        }
        let algorithm = match info.parsed() {
            Ok(PublicKey::EC(point)) if point.key_size() == 256 => Algorithm::Es256,
            Ok(PublicKey::RSA(key)) if key.key_size() >= 2048 => Algorithm::Rs256,
            _ => return Err("neither ECDSA P-256 nor RSA of 2048 bits or more".to_owned()),
        };
        let id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, spki));
        Ok(Self {
            id,
            algorithm,
            bytes: info.subject_public_key.data.to_vec(),
            spki: spki.to_vec(),
        })
    }

    /// A key from a `PUBLIC KEY` block in PEM.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "no public key in PEM".to_owned())?;
        Self::from_der(&der)
    }

    /// The key's id as upstream derives it: the unpadded base64url SHA-256 of its
    /// SubjectPublicKeyInfo.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn signature::VerificationAlgorithm = match self.algorithm {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        };
        UnparsedPublicKey::new(algorithm, &self.bytes)
            .verify(message, signature)
            .is_ok()
    }

    fn pem(&self) -> String {
        let body = STANDARD.encode(&self.spki);
        let mut text = String::from("-----BEGIN PUBLIC KEY-----\n");
        for (index, character) in body.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                text.push('\n');
            }
            text.push(character);
        }
        text.push_str("\n-----END PUBLIC KEY-----\n");
        text
    }

    /// The key as an entry of a JSON Web Key Set.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let common = json!({"use": "sig", "kid": self.id, "alg": self.algorithm.name()});
        let parts = match SubjectPublicKeyInfo::from_der(&self.spki) {
            Ok((_, info)) => match info.parsed() {
                Ok(PublicKey::EC(_)) => {
                    // An uncompressed point: 0x04, x, y.
                    let x = self.bytes.get(1..33).unwrap_or_default();
                    let y = self.bytes.get(33..65).unwrap_or_default();
                    json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
                }
                Ok(PublicKey::RSA(key)) => {
                    let trim = |bytes: &[u8]| {
                        let zeros = bytes.iter().take_while(|b| **b == 0).count();
                        encode(bytes.get(zeros..).unwrap_or_default())
                    };
                    json!({"kty": "RSA", "n": trim(key.modulus), "e": trim(key.exponent)})
                }
                _ => Value::Null,
            },
            Err(_) => Value::Null,
        };
        let entries = [common, parts].into_iter().filter_map(|v| match v {
            Value::Object(map) => Some(map),
            _ => None,
        });
        Value::Object(entries.flatten().collect())
    }
}

enum Private {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// The keys of a cluster's service-account tokens.
pub struct ServiceAccountKeys {
    private: Private,
    random: SystemRandom,
    /// The signing key's public half first.
    public: Vec<VerificationKey>,
}

impl fmt::Debug for ServiceAccountKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceAccountKeys")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

impl ServiceAccountKeys {
    /// Opens the keys in the PKI directory: `sa.key` signs (made if it is not there), and it and
    /// every `sa-*.pub` verify.
    pub fn open(directory: &Path) -> Result<Self, PkiError> {
        let path = directory.join(SIGNING);
        files::make_private_directory(directory)?;
        let pem = match files::read_private(&path)? {
            Some(pem) => pem,
            None => make(&path)?,
        };
        // The parser's own words are dropped: it has the key in its hands.
        let mut keys = Self::from_pem(&pem).map_err(|what| PkiError::Damaged {
            path: path.clone(),
            what,
            remedy: SIGNING_REMEDY,
        })?;
        for path in verifying_files(directory)? {
            let pem = files::read(&path)?.unwrap_or_default();
            let key = VerificationKey::from_pem(&pem).map_err(|what| PkiError::Damaged {
                path,
                what,
                remedy: VERIFYING_REMEDY,
            })?;
            keys.add(key);
        }
        Ok(keys)
    }

    /// Puts a new signing key in place of the present one, which goes on verifying, and returns
    /// the keys as they are then. Servers take note when they are started again, or when the new
    /// keys are given to their issuer. Cut short, it leaves the old key signing.
    pub fn rotate(directory: &Path) -> Result<Self, PkiError> {
        let keys = Self::open(directory)?;
        if let Some(old) = keys.public.first() {
            let name = format!("{VERIFYING_PREFIX}{}{VERIFYING_SUFFIX}", old.id);
            files::write_public(&directory.join(name), old.pem().as_bytes())?;
        }
        make(&directory.join(SIGNING))?;
        Self::open(directory)
    }

    /// Keys that sign and verify with the private key in `pem` (PKCS#8). The error says what is
    /// wrong and holds no key material.
    pub fn from_pem(pem: &str) -> Result<Self, String> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "no PKCS#8 private key in PEM".to_owned())?;
        let der = der.secret_pkcs8_der();
        let random = SystemRandom::new();
        let pair = rcgen::KeyPair::from_pem(pem).map_err(|_| "unusable private key".to_owned())?;
        let public =
            VerificationKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&pair))?;
        let private = match public.algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
                    .map(Private::Ec)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Private::Rsa),
        };
        let private = private.map_err(|_| "unusable private key".to_owned())?;
        Ok(Self {
            private,
            random,
            public: vec![public],
        })
    }

    /// Adds a key whose tokens are accepted.
    pub fn add(&mut self, key: VerificationKey) {
        if !self.public.contains(&key) {
            self.public.push(key);
        }
    }

    /// The keys that verify, the signing key's first.
    pub fn verification_keys(&self) -> &[VerificationKey] {
        &self.public
    }

    /// The id and algorithm of the signing key.
    pub(crate) fn signer(&self) -> (&str, Algorithm) {
        self.public
            .first()
            .map_or(("", Algorithm::Es256), |k| (k.id.as_str(), k.algorithm))
    }

    /// The signature over `message`.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let refused = |_| PkiError::Crypto("the service-account key does not sign".to_owned());
        match &self.private {
            Private::Ec(key) => key
                .sign(&self.random, message)
                .map(|s| s.as_ref().to_vec())
                .map_err(refused),
            Private::Rsa(key) => {
                let public: &rsa::PublicKey = key.public_key();
                let mut out = vec![0; public.modulus_len()];
                key.sign(
                    &signature::RSA_PKCS1_SHA256,
                    &self.random,
                    message,
                    &mut out,
                )
                .map_err(refused)?;
                Ok(out)
            }
        }
    }
}

fn make(path: &Path) -> Result<String, PkiError> {
    let pem = rcgen::KeyPair::generate()
        .map_err(PkiError::crypto)?
        .serialize_pem();
    files::write_private(path, pem.as_bytes())?;
    Ok(pem)
}

fn verifying_files(directory: &Path) -> Result<Vec<PathBuf>, PkiError> {
    let fail = |source| PkiError::io("read", directory, source);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let matches = path
            .file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.starts_with(VERIFYING_PREFIX) && n.ends_with(VERIFYING_SUFFIX));
        if matches {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
