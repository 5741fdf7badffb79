//! Changing keys while the store is in use.
//!
//! As when upstream's users rewrite their secrets, each value that is encrypted anew gets a new
//! revision, and watchers see a change that changes nothing.

use crate::encryption::Encryption;
use crate::key_file::{KeyFile, KeyFileError};
use crate::store::EncryptedStore;
use futures::{StreamExt, stream};
use std::task::Poll;
use storage_api::{Entry, Store, StoreError};

/// Entries that are looked at between two reports.
const PAGE: usize = 256;
/// Entries that are rewritten at the same time: enough to share commits, few enough to leave room
/// for other writers in them.
const AT_ONCE: usize = 16;

/// How far a rotation has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries looked at, over all passes.
    pub examined: u64,
    /// Entries encrypted anew.
    pub rewritten: u64,
    /// Entries still to look at in this pass.
    pub remaining: u64,
}

/// Why a rotation was not finished. It can be begun again: what is done stays done, and all keys
/// that are still needed are kept.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The store refused.
    #[error("the store: {0}")]
    Store(#[from] StoreError),
    /// The key file could not be written.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
}

/// Encrypts everything anew that is not as the store's [`Encryption`] would write it now, and then
/// forgets the history, which is encrypted with the former keys. `report` hears of every page.
/// Concurrent writers are not disturbed; what they write meanwhile is left as they write it.
///
/// Afterwards former keys are needed for nothing in the store, except for what its medium may have
/// left over (the embedded store's `vacuum` removes that).
///
/// # Errors
/// If the store refuses, or a value cannot be read.
pub async fn rotate<S: Store + ?Sized>(
    store: &EncryptedStore<S>,
    mut report: impl FnMut(Progress),
) -> Result<Progress, RotationError> {
    let mut progress = Progress::default();
    loop {
        let former_writes = store.has_former_writes();
        let before = progress.rewritten;
        pass(store, &mut progress, &mut report).await?;
        // A pass that found nothing, with no write under way that began before the change.
        if progress.rewritten == before && !former_writes {
            break;
        }
        // A store that answers at once would leave such a write no turn.
        yield_now().await;
    }
    let revision = store.revision().await?;
    store.compact(revision).await?;
    Ok(progress)
}

async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn pass<S: Store + ?Sized>(
    store: &EncryptedStore<S>,
    progress: &mut Progress,
    report: &mut impl FnMut(Progress),
) -> Result<(), RotationError> {
    let inner: &S = store.inner();
    let mut start: Option<String> = None;
    loop {
        let page = inner.range("", start.as_deref(), PAGE, None).await?;
        let next = page.entries.last().map(|last| format!("{}\0", last.key));
        progress.examined += page.entries.len() as u64;
        let encryption = store.encryption();
        let stale = page
            .entries
            .into_iter()
            .filter(|e| encryption.is_stale(&e.key, &e.value));
        let mut rewrites = stream::iter(stale.map(|entry| rewrite(inner, &encryption, entry)))
            .buffer_unordered(AT_ONCE);
        while let Some(rewritten) = rewrites.next().await {
            progress.rewritten += u64::from(rewritten?);
        }
        progress.remaining = page.remaining;
        report(*progress);
        if page.remaining == 0 || next.is_none() {
            return Ok(());
        }
        start = next;
    }
}

/// Whether the entry was written; it is not if somebody else has written or deleted it meanwhile,
/// and a further pass looks at it again.
async fn rewrite<S: Store + ?Sized>(
    inner: &S,
    encryption: &Encryption,
    entry: Entry,
) -> Result<bool, StoreError> {
    let Entry {
        key,
        value,
        mod_revision,
        ..
    } = entry;
    let plain = encryption.open(&key, value)?;
    let sealed = encryption.seal(&key, &plain)?;
    match inner.replace(&key, sealed, mod_revision).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces the key of the key file: puts a new one in front, encrypts everything anew with it, and
/// drops the old ones, which then open nothing. `encryption` makes the store's encryption from the
/// key file: [`Encryption::envelope`], or one from a configuration.
///
/// # Errors
/// As [`rotate`]. If that fails, old and new keys stay in the file.
pub async fn rotate_key_file<S: Store + ?Sized>(
    store: &EncryptedStore<S>,
    keys: &mut KeyFile,
    encryption: impl Fn(&KeyFile) -> Encryption,
    report: impl FnMut(Progress),
) -> Result<Progress, RotationError> {
    keys.add_key()?;
    store.set_encryption(encryption(keys));
    let progress = rotate(store, report).await?;
    keys.drop_old_keys()?;
    store.set_encryption(encryption(keys));
    Ok(progress)
}
