//! Which providers write and read which keys of the store.

use crate::configuration::{ConfigurationError, parse};
use crate::key_file::KeyFile;
use crate::provider::{ENCRYPTED, Provider};
use crate::resources::{Matcher, of_key};
use crate::secret::NoRandomness;
use bytes::Bytes;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use storage_api::StoreError;

/// How values are encrypted.
#[derive(Debug)]
pub struct Encryption {
    chains: HashMap<Matcher, Chain>,
    /// For keys that hold no resource.
    others: Chain,
    /// For resources that no rule names.
    unnamed: Chain,
}

/// Providers of which the first writes and all read.
#[derive(Debug, Clone)]
struct Chain(Vec<Arc<Provider>>);

impl Encryption {
    /// Envelope encryption of everything with the first key of the key file; its other keys read.
    pub fn envelope(keys: &KeyFile) -> Self {
        let chain = Chain(keys.providers());
        Self {
            chains: HashMap::new(),
            others: chain.clone(),
            unnamed: chain,
        }
    }

    /// As upstream's `EncryptionConfiguration` says. Resources that it does not name are stored as
    /// they are, keys that hold no resource are encrypted with the key file. What was encrypted
    /// with the key file before can be read everywhere.
    ///
    /// # Errors
    /// All that is wrong with the configuration, as upstream words it.
    pub fn from_configuration(
        configuration: &Value,
        keys: &KeyFile,
    ) -> Result<Self, ConfigurationError> {
        let envelope = keys.providers();
        let mut chains = HashMap::new();
        for rule in parse(configuration)? {
            let providers = rule.providers.into_iter().map(Arc::new);
            let chain = Chain(providers.chain(envelope.iter().cloned()).collect());
            for matcher in rule.matchers {
                chains.entry(matcher).or_insert_with(|| chain.clone());
            }
        }
        let identity = Arc::new(Provider::identity());
        let plain = std::iter::once(Arc::clone(&identity)).chain(envelope.iter().cloned());
        let others = envelope.iter().cloned().chain([identity]);
        Ok(Self {
            chains,
            others: Chain(others.collect()),
            unnamed: Chain(plain.collect()),
        })
    }

    /// The value as it is to be stored.
    pub(crate) fn seal(&self, key: &str, plain: &Bytes) -> Result<Bytes, StoreError> {
        let chain = self.chain(key);
        let writer = chain.0.first().ok_or(NoRandomness)?;
        Ok(writer.seal(key.as_bytes(), plain)?)
    }

    /// Bytes that sealing a value of `key` adds at most.
    pub(crate) fn overhead(&self, key: &str) -> usize {
        self.chain(key)
            .0
            .first()
            .map_or(0, |writer| writer.overhead())
    }

    /// The value that was stored.
    pub(crate) fn open(&self, key: &str, stored: Bytes) -> Result<Bytes, StoreError> {
        let damaged = |why: &str| StoreError::Damaged {
            key: key.to_owned(),
            why: why.to_owned(),
        };
        let chain = self.chain(key);
        let mut readers = chain
            .0
            .iter()
            .filter(|provider| provider.wrote(&stored))
            .peekable();
        if readers.peek().is_none() {
            return Err(damaged(if stored.starts_with(ENCRYPTED) {
                "it was encrypted with a key that is not configured"
            } else {
                "it is not encrypted although it should be"
            }));
        }
        while let Some(reader) = readers.next() {
            // Two keys may have the same name: then both are tried.
            let last = readers.peek().is_none();
            let attempt = if last {
                return reader
                    .open(key.as_bytes(), stored)
                    .map_err(|_| damaged("it was changed or encrypted with another key"));
            } else {
                reader.open(key.as_bytes(), stored.clone())
            };
            if let Ok(plain) = attempt {
                return Ok(plain);
            }
        }
        Err(damaged("it was changed or encrypted with another key"))
    }

    /// Whether a stored value was written by another provider than would write it now.
    pub(crate) fn is_stale(&self, key: &str, stored: &[u8]) -> bool {
        !self
            .chain(key)
            .0
            .first()
            .is_some_and(|writer| writer.wrote(stored))
    }

    fn chain(&self, key: &str) -> &Chain {
        if self.chains.is_empty() {
            return &self.unnamed;
        }
        let Some((group, resource)) = of_key(key) else {
            return &self.others;
        };
        self.chains
            .get(&Matcher::One(group.to_owned(), resource.to_owned()))
            .or_else(|| self.chains.get(&Matcher::Group(group.to_owned())))
            .or_else(|| self.chains.get(&Matcher::All))
            .unwrap_or(&self.unnamed)
    }
}
