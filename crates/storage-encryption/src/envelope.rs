//! Envelope encryption, the default: values are encrypted with data keys that are made at random,
//! and each value carries its data key, wrapped with the key of the key file.
//!
//! `wrapped data key (nonce 12, key 32, tag 16) · nonce (12) · value · tag (16)`. A data key lives
//! as long as the process, for at most 2³² values, whose nonces count up: unlike random nonces they
//! cannot collide.

use crate::cipher::{Gcm, Sealed, Undecipherable};
use crate::secret::{NoRandomness, Secret};
use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const WRAPPED: usize = 60;
const VALUES_PER_KEY: u64 = 1 << 32;
/// Unwrapped data keys that are kept: one per run of the process that wrote a value that is read.
const CACHED: usize = 1024;

type Wrapped = [u8; WRAPPED];

#[derive(Debug)]
pub(crate) struct Envelope {
    /// Binds wrapped keys to the key that wrapped them.
    name: String,
    wrapping: Gcm,
    current: RwLock<Option<Arc<DataKey>>>,
    unwrapped: RwLock<HashMap<Wrapped, Arc<Gcm>>>,
}

#[derive(Debug)]
struct DataKey {
    cipher: Arc<Gcm>,
    wrapped: Wrapped,
    used: AtomicU64,
}

impl Envelope {
    /// `None` unless the key has 32 bytes.
    pub(crate) fn new(name: &str, key: &Secret) -> Option<Self> {
        if key.bytes().len() != 32 {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            wrapping: Gcm::new(key)?,
            current: RwLock::new(None),
            unwrapped: RwLock::new(HashMap::new()),
        })
    }

    /// Bytes that sealing adds.
    pub(crate) const OVERHEAD: usize = WRAPPED + 12 + 16;

    pub(crate) fn seal(&self, place: &[u8], plain: &[u8], out: &mut BytesMut) -> Sealed {
        let (key, count) = self.data_key()?;
        out.extend_from_slice(&key.wrapped);
        let mut nonce = [0; 12];
        let (_, counter) = nonce.split_at_mut(4);
        counter.copy_from_slice(&count.to_be_bytes());
        key.cipher.seal_with(nonce, place, plain, out)
    }

    pub(crate) fn open(
        &self,
        place: &[u8],
        stored: Bytes,
        skip: usize,
    ) -> Result<Bytes, Undecipherable> {
        let wrapped = stored.get(skip..skip + WRAPPED).ok_or(Undecipherable)?;
        let wrapped: Wrapped = wrapped.try_into().map_err(|_| Undecipherable)?;
        let known = self.unwrapped.read().get(&wrapped).cloned();
        let cipher = match known {
            Some(cipher) => cipher,
            None => self.unwrap(wrapped)?,
        };
        cipher.open(place, stored, skip + WRAPPED)
    }

    fn unwrap(&self, wrapped: Wrapped) -> Result<Arc<Gcm>, Undecipherable> {
        let stored = Bytes::copy_from_slice(&wrapped);
        let key = self.wrapping.open(self.name.as_bytes(), stored, 0)?;
        // Held by nobody else, so that this is the only copy, and it is wiped.
        let key = Secret::new(Vec::from(key));
        let cipher = Arc::new(Gcm::new(&key).ok_or(Undecipherable)?);
        let mut unwrapped = self.unwrapped.write();
        if unwrapped.len() >= CACHED {
            unwrapped.clear();
        }
        unwrapped.insert(wrapped, Arc::clone(&cipher));
        Ok(cipher)
    }

    /// The data key to use, and a number that was not used with it before.
    fn data_key(&self) -> Result<(Arc<DataKey>, u64), NoRandomness> {
        if let Some(key) = &*self.current.read()
            && let Some(count) = key.next()
        {
            return Ok((Arc::clone(key), count));
        }
        let mut current = self.current.write();
        if let Some(key) = &*current
            && let Some(count) = key.next()
        {
            return Ok((Arc::clone(key), count));
        }
        let secret = Secret::generate()?;
        let mut wrapped = BytesMut::with_capacity(WRAPPED);
        self.wrapping
            .seal(self.name.as_bytes(), secret.bytes(), &mut wrapped)?;
        let wrapped: Wrapped = wrapped.as_ref().try_into().map_err(|_| NoRandomness)?;
        let cipher = Arc::new(Gcm::new(&secret).ok_or(NoRandomness)?);
        self.unwrapped.write().insert(wrapped, Arc::clone(&cipher));
        let key = Arc::new(DataKey {
            cipher,
            wrapped,
            used: AtomicU64::new(1),
        });
        *current = Some(Arc::clone(&key));
        Ok((key, 0))
    }
}

impl DataKey {
    fn next(&self) -> Option<u64> {
        let count = self.used.fetch_add(1, Ordering::Relaxed);
        (count < VALUES_PER_KEY).then_some(count)
    }
}
