//! The decorator.

use crate::encryption::Encryption;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use parking_lot::RwLock;
use std::sync::{Arc, Weak};
use std::time::Duration;
use storage_api::{
    Entry, Event, Events, Expected, Range, Result, Revision, Scan, Store, StoreError,
};

/// A [`Store`] whose values are encrypted in the store below it. Keys and revisions are not.
///
/// A value that does not decrypt is [`StoreError::Damaged`]; so is a value that was moved to
/// another key (with all providers but `aescbc` and `secretbox`, which do not bind it to its key).
#[derive(Debug)]
pub struct EncryptedStore<S: ?Sized> {
    inner: Arc<S>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    current: RwLock<Current>,
    /// Those before, for which writes may still be under way.
    former: RwLock<Vec<Weak<Writes>>>,
}

/// Held by every write from before its value is sealed until it is done. While it is held, no key
/// that opens what the write may meet is dropped.
#[derive(Debug, Default)]
struct Writes;

#[derive(Debug, Clone)]
struct Current {
    encryption: Arc<Encryption>,
    writes: Arc<Writes>,
}

impl From<Encryption> for Current {
    fn from(encryption: Encryption) -> Self {
        Self {
            encryption: Arc::new(encryption),
            writes: Arc::default(),
        }
    }
}

impl<S: Store + ?Sized> EncryptedStore<S> {
    /// Encrypts what is written to `inner` from now on; what is in there already must be readable
    /// with `encryption`.
    pub fn new(inner: S, encryption: Encryption) -> Self
    where
        S: Sized,
    {
        Self::over(Arc::new(inner), encryption)
    }

    /// As [`Self::new`], over a store that is used otherwise as well (for backups, say).
    pub fn over(inner: Arc<S>, encryption: Encryption) -> Self {
        let current = RwLock::new(encryption.into());
        Self {
            inner,
            shared: Arc::new(Shared {
                current,
                former: RwLock::default(),
            }),
        }
    }

    /// The store below, with its values as they are stored.
    pub fn inner(&self) -> &Arc<S> {
        &self.inner
    }

    /// Writes and reads as `encryption` says from now on.
    pub fn set_encryption(&self, encryption: Encryption) {
        let former = std::mem::replace(&mut *self.shared.current.write(), encryption.into());
        let mut formers = self.shared.former.write();
        formers.retain(|former| former.strong_count() > 0);
        formers.push(Arc::downgrade(&former.writes));
    }

    pub(crate) fn encryption(&self) -> Arc<Encryption> {
        self.shared.current().encryption
    }

    /// Whether a write that is under way was encrypted before the last
    /// [`Self::set_encryption`].
    pub(crate) fn has_former_writes(&self) -> bool {
        self.shared
            .former
            .read()
            .iter()
            .any(|former| former.strong_count() > 0)
    }

    async fn write<'a, F>(
        &'a self,
        key: &'a str,
        value: Bytes,
        write: impl FnOnce(&'a S, Bytes) -> F,
    ) -> Result<Entry>
    where
        F: Future<Output = Result<Entry>> + 'a,
    {
        let Current { encryption, writes } = self.shared.current();
        let sealed = encryption.seal(key, &value)?;
        let written = write(&self.inner, sealed).await;
        let result = match written {
            Ok(entry) => Ok(Entry { value, ..entry }),
            // What is in the way may have been written with newer keys.
            Err(error) => Err(refusal(&self.encryption(), key, error)),
        };
        drop(writes);
        result
    }

    /// What `read` reads, with the encryption that opens it. If the keys were changed meanwhile it
    /// is read again: the value may be sealed with one that is dropped since, and what is stored
    /// now is not.
    async fn read<'a, T, F>(&'a self, read: impl Fn(&'a S) -> F) -> Result<(T, Arc<Encryption>)>
    where
        F: Future<Output = Result<T>> + 'a,
    {
        loop {
            let encryption = self.encryption();
            let sealed = read(&self.inner).await?;
            if Arc::ptr_eq(&encryption, &self.encryption()) {
                return Ok((sealed, encryption));
            }
        }
    }
}

impl Shared {
    fn current(&self) -> Current {
        self.current.read().clone()
    }
}

fn open(encryption: &Encryption, mut entry: Entry) -> Result<Entry> {
    entry.value = encryption.open(&entry.key, entry.value)?;
    Ok(entry)
}

/// A refusal of the store below in terms of the values above.
fn refusal(encryption: &Encryption, key: &str, error: StoreError) -> StoreError {
    match error {
        StoreError::Conflict { current } => {
            match current.map(|entry| open(encryption, entry)).transpose() {
                Ok(current) => StoreError::Conflict { current },
                Err(damaged) => damaged,
            }
        }
        StoreError::TooLarge { size, limit } => {
            let overhead = encryption.overhead(key);
            let (size, limit) = (
                size.saturating_sub(overhead),
                limit.saturating_sub(overhead),
            );
            StoreError::TooLarge { size, limit }
        }
        other => other,
    }
}

/// The event with its values decrypted. A previous value that cannot be read (its key may have been
/// dropped since) is left out, as one of compacted history is.
fn open_event(encryption: &Encryption, event: Event) -> Result<Event> {
    let before = |previous: Option<Entry>| previous.and_then(|entry| open(encryption, entry).ok());
    Ok(match event {
        Event::Put { entry, previous } => Event::Put {
            entry: open(encryption, entry)?,
            previous: before(previous),
        },
        Event::Delete {
            previous,
            key,
            revision,
        } => Event::Delete {
            previous: before(previous),
            key,
            revision,
        },
    })
}

impl<S: Store + ?Sized> Store for EncryptedStore<S> {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<(Option<Entry>, Revision)>> {
        async move {
            let ((entry, revision), encryption) =
                self.read(move |inner| inner.get(key, at)).await?;
            let entry = entry.map(|entry| open(&encryption, entry)).transpose()?;
            Ok((entry, revision))
        }
        .boxed()
    }

    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<Range>> {
        async move {
            let (mut range, encryption) = self
                .read(move |inner| inner.range(prefix, start, limit, at))
                .await?;
            let entries = range
                .entries
                .into_iter()
                .map(|entry| open(&encryption, entry));
            range.entries = entries.collect::<Result<_>>()?;
            Ok(range)
        }
        .boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Scan<'a>>> {
        async move {
            // All pieces are as of the revision at which the scan began.
            let (Scan { revision, entries }, encryption) =
                self.read(move |inner| inner.scan(prefix)).await?;
            let opened = entries.map(move |piece| {
                let piece = piece?.into_iter().map(|entry| open(&encryption, entry));
                piece.collect::<Result<Vec<_>>>()
            });
            let entries = opened.boxed();
            Ok(Scan { revision, entries })
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<Entry>> {
        self.write(key, value, move |inner, sealed| {
            inner.put(key, sealed, expected, ttl)
        })
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, Result<Entry>> {
        self.write(key, value, move |inner, sealed| {
            inner.replace(key, sealed, expected)
        })
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<(Revision, Entry)>> {
        async move {
            // It cannot be done again, so it keeps the keys, as a write does.
            let Current { writes, .. } = self.shared.current();
            let deleted = self.inner.delete(key, expected).await;
            let encryption = self.encryption();
            let result = match deleted {
                Ok((revision, entry)) => open(&encryption, entry).map(|entry| (revision, entry)),
                Err(error) => Err(refusal(&encryption, key, error)),
            };
            drop(writes);
            result
        }
        .boxed()
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Events>>>> {
        async move {
            let shared = Arc::clone(&self.shared);
            let sealed = self.inner.watch(prefix, after).await?;
            let opened = sealed.map(move |batch| {
                let Events { events, revision } = batch?;
                let Current { encryption, .. } = shared.current();
                let events = events
                    .into_iter()
                    .map(|event| open_event(&encryption, event));
                Ok(Events {
                    events: events.collect::<Result<_>>()?,
                    revision,
                })
            });
            Ok(opened.boxed())
        }
        .boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        self.inner.revision()
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<()>> {
        self.inner.compact(revision)
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        self.inner.size()
    }
}
