//! A provider: one cipher with one named key, and the prefix by which its values are known.

use crate::cipher::{Cbc, Gcm, SecretBox, Undecipherable};
use crate::envelope::Envelope;
use crate::secret::{NoRandomness, Secret};
use bytes::{BufMut, Bytes, BytesMut};

/// With which every value begins that is encrypted; upstream's prefix.
pub(crate) const ENCRYPTED: &[u8] = b"k8s:enc:";

/// The ciphers, by their names in the configuration and in stored values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AesGcm,
    AesCbc,
    SecretBox,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::AesGcm, Self::AesCbc, Self::SecretBox];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AesGcm => "aesgcm",
            Self::AesCbc => "aescbc",
            Self::SecretBox => "secretbox",
        }
    }

    /// The lengths in bytes that its keys may have.
    pub(crate) fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::AesGcm => &[16, 32],
            Self::AesCbc => &[16, 24, 32],
            Self::SecretBox => &[32],
        }
    }
}

/// One cipher with one key.
#[derive(Debug)]
pub(crate) struct Provider {
    prefix: Vec<u8>,
    cipher: Cipher,
}

#[derive(Debug)]
enum Cipher {
    Identity,
    Envelope(Box<Envelope>),
    Gcm(Box<Gcm>),
    Cbc(Cbc),
    SecretBox(SecretBox),
}

impl Provider {
    /// Values as they are.
    pub(crate) fn identity() -> Self {
        Self {
            prefix: Vec::new(),
            cipher: Cipher::Identity,
        }
    }

    /// Envelope encryption with a key of the key file; `None` if that has not 32 bytes.
    pub(crate) fn envelope(name: &str, key: &Secret) -> Option<Self> {
        let cipher = Cipher::Envelope(Box::new(Envelope::new(name, key)?));
        Some(Self {
            prefix: prefix("envelope", name),
            cipher,
        })
    }

    /// One of upstream's ciphers; `None` if the key has a wrong length.
    pub(crate) fn new(kind: Kind, name: &str, key: Secret) -> Option<Self> {
        let cipher = match kind {
            Kind::AesGcm => Cipher::Gcm(Box::new(Gcm::new(&key)?)),
            Kind::AesCbc => Cipher::Cbc(Cbc::new(key)?),
            Kind::SecretBox => Cipher::SecretBox(SecretBox::new(key)?),
        };
        Some(Self {
            prefix: prefix(kind.name(), name),
            cipher,
        })
    }

    /// Whether `stored` was (or claims to be) written by this provider.
    pub(crate) fn wrote(&self, stored: &[u8]) -> bool {
        match self.cipher {
            Cipher::Identity => !stored.starts_with(ENCRYPTED),
            _ => stored.starts_with(&self.prefix),
        }
    }

    /// Bytes that sealing adds at most.
    pub(crate) fn overhead(&self) -> usize {
        let cipher = match self.cipher {
            Cipher::Identity => 0,
            Cipher::Envelope(_) => Envelope::OVERHEAD,
            Cipher::Gcm(_) => 12 + 16,
            Cipher::Cbc(_) => 16 + 16,
            Cipher::SecretBox(_) => 24 + 16,
        };
        self.prefix.len() + cipher
    }

    /// `plain` as it is stored at `place`.
    pub(crate) fn seal(&self, place: &[u8], plain: &Bytes) -> Result<Bytes, NoRandomness> {
        if matches!(self.cipher, Cipher::Identity) {
            return Ok(plain.clone());
        }
        let mut out = BytesMut::with_capacity(plain.len() + self.overhead());
        out.put_slice(&self.prefix);
        match &self.cipher {
            Cipher::Identity => {}
            Cipher::Envelope(envelope) => envelope.seal(place, plain, &mut out)?,
            Cipher::Gcm(gcm) => gcm.seal(place, plain, &mut out)?,
            Cipher::Cbc(cbc) => cbc.seal(plain, &mut out)?,
            Cipher::SecretBox(secretbox) => secretbox.seal(plain, &mut out)?,
        }
        Ok(out.freeze())
    }

    /// The value that was stored at `place`, if this provider [`Self::wrote`] it.
    pub(crate) fn open(&self, place: &[u8], stored: Bytes) -> Result<Bytes, Undecipherable> {
        let skip = self.prefix.len();
        let sealed = || stored.get(skip..).ok_or(Undecipherable);
        match &self.cipher {
            Cipher::Identity => Ok(stored),
            Cipher::Envelope(envelope) => envelope.open(place, stored, skip),
            Cipher::Gcm(gcm) => gcm.open(place, stored, skip),
            Cipher::Cbc(cbc) => cbc.open(sealed()?),
            Cipher::SecretBox(secretbox) => secretbox.open(sealed()?),
        }
    }
}

fn prefix(kind: &str, key: &str) -> Vec<u8> {
    format!("k8s:enc:{kind}:v1:{key}:").into_bytes()
}
