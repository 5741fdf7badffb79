//! The store port: a revisioned key-value store with compare-and-swap, range reads at a revision
//! and watches from a revision. Its semantics are those of etcd v3's KV and Watch services, so
//! that etcd can implement it unchanged; [`contract`] holds the suite every implementation passes.
//!
//! One revision counter covers the whole store. Every successful put or delete raises it by
//! exactly one and is durable before its future resolves. Watch streams deliver every change
//! after their start, in revision order, exactly once.

pub mod contract;

use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use std::sync::Arc;
use std::time::Duration;

/// The store's logical clock. An empty store is at revision 1 (as etcd's is, so that a list of
/// nothing has a revision that a watch can start from); its first write has revision 2.
pub type Revision = u64;

/// A key with its value and the revisions that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, such as `/registry/pods/default/web-0`.
    pub key: Arc<str>,
    /// The value; opaque to the store.
    pub value: Bytes,
    /// The revision at which the key came to be.
    pub create_revision: Revision,
    /// The revision of its last change.
    pub mod_revision: Revision,
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The key does not exist.
    Absent,
    /// The key exists and was last changed at this revision.
    At(Revision),
    /// No condition.
    Any,
}

/// The answer to a range read.
#[derive(Debug, Clone)]
pub struct Range {
    /// Entries in key order.
    pub entries: Vec<Entry>,
    /// The revision at which the range was read.
    pub revision: Revision,
    /// How many further entries match beyond the limit; 0 means the range is complete.
    pub remaining: u64,
}

/// One change, as watchers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A key was created or changed.
    Put {
        /// The key after the change.
        entry: Entry,
        /// The key before the change, unless it was created or its history is compacted.
        previous: Option<Entry>,
    },
    /// A key was deleted.
    Delete {
        /// The key before the deletion, unless its history is compacted.
        previous: Option<Entry>,
        /// The key.
        key: Arc<str>,
        /// The revision of the deletion.
        revision: Revision,
    },
}

impl Event {
    /// The revision of the change.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put { entry, .. } => entry.mod_revision,
            Self::Delete { revision, .. } => *revision,
        }
    }

    /// The key that changed.
    pub fn key(&self) -> &Arc<str> {
        match self {
            Self::Put { entry, .. } => &entry.key,
            Self::Delete { key, .. } => key,
        }
    }
}

/// Everything below a prefix.
pub struct Scan<'a> {
    /// The revision as of which the entries are.
    pub revision: Revision,
    /// The entries, in pieces, each key once.
    pub entries: BoxStream<'a, Result<Vec<Entry>>>,
}

/// A batch of changes in revision order. An empty batch is progress: everything up to `revision`
/// has been delivered.
#[derive(Debug, Clone)]
pub struct Events {
    /// The changes.
    pub events: Vec<Event>,
    /// The store's revision up to which this stream has now seen everything.
    pub revision: Revision,
}

/// Why the store refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The expectation did not hold; `current` is the entry as it is, if there is one.
    #[error("the entry was changed by another writer")]
    Conflict {
        /// The entry at the time of the refusal.
        current: Option<Entry>,
    },
    /// The revision is older than the history that is kept.
    #[error("revision {requested} has been compacted, the oldest kept is {oldest}")]
    Compacted {
        /// The revision asked for.
        requested: Revision,
        /// The oldest revision that can still be read.
        oldest: Revision,
    },
    /// The revision has not happened yet.
    #[error("revision {requested} is in the future, the newest is {newest}")]
    Future {
        /// The revision asked for.
        requested: Revision,
        /// The store's revision.
        newest: Revision,
    },
    /// The value is larger than the store takes.
    #[error("the value has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The medium is full; nothing was written.
    #[error("no space is left for the store: {0}")]
    Full(String),
    /// A stored value could not be read back as it was written.
    #[error("the stored value of {key} is damaged: {why}")]
    Damaged {
        /// The key.
        key: String,
        /// What is wrong; holds no part of the value.
        why: String,
    },
    /// The store cannot be reached or has failed.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// The result of store calls.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The store port. All methods may be called concurrently.
pub trait Store: Send + Sync + 'static {
    /// The entry at `key` now, or as of revision `at`, with the revision at which it was read
    /// (`at` if that is given). [`StoreError::Compacted`] and [`StoreError::Future`] if the store
    /// cannot tell what was or will be at `at`.
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<(Option<Entry>, Revision)>>;

    /// The entries whose key starts with `prefix`, in key order, from the first key greater than
    /// or equal to `start` (the whole prefix if `None`), at most `limit` of them (0: no limit),
    /// now or as of revision `at`.
    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<Range>>;

    /// All entries whose key starts with `prefix`, as of one revision, in pieces and in whatever
    /// order the store reads them fastest. For filling caches. A store that has no better way
    /// reads ranges: [`scan_by_ranges`].
    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Scan<'a>>>;

    /// Writes `value` at `key` if `expected` holds; durable once the future resolves. With `ttl`
    /// the entry is deleted (as a delete of its own, with its own revision) some time after that
    /// long, unless it is written again before; a put without `ttl` makes it permanent.
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<Entry>>;

    /// Puts `value` at `key` if that was last changed at `expected`, and leaves the time to live of
    /// the entry as it is (etcd's put with `IgnoreLease`). For writing anew what means the same,
    /// as when encryption keys are rotated.
    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, Result<Entry>>;

    /// Deletes `key` if `expected` holds ([`Expected::Absent`] never does for an existing key).
    /// Returns the revision of the deletion and the entry that was deleted. Deleting a key that
    /// does not exist is a conflict with no current entry.
    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<(Revision, Entry)>>;

    /// All changes below `prefix` with a revision greater than `after`, then those that come. The
    /// stream ends with an error if it cannot go on (the consumer fell too far behind, the store
    /// closed); it never skips. [`StoreError::Compacted`] if `after` is older than the history.
    ///
    /// Once the changes that were there at the start are delivered, and within a second or so of
    /// any write elsewhere, the stream tells its progress: the `revision` of a batch, empty if
    /// need be, reaches the store's.
    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Events>>>>;

    /// The newest revision: every write that was acknowledged before this call has at most it.
    fn revision(&self) -> BoxFuture<'_, Result<Revision>>;

    /// Forgets all history before `revision`: reads at revisions before it fail with
    /// [`StoreError::Compacted`], as do watches that would have to deliver changes from before it
    /// (those whose `after + 1` is less than `revision`); the newest version of every key is
    /// always kept. Compacting to a revision that is compacted already does nothing;
    /// [`StoreError::Future`] if it has not happened yet.
    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<()>>;

    /// Bytes that the store takes on its medium, for metrics.
    fn size(&self) -> BoxFuture<'_, Result<u64>>;
}

/// Entries that [`scan_by_ranges`] asks for at once.
const SCAN_PAGE: usize = 2000;

/// [`Store::scan`] for stores that read ranges and nothing else: page after page in key order, all
/// at the revision that is the newest when it begins.
pub fn scan_by_ranges<'a, S: Store + ?Sized>(
    store: &'a S,
    prefix: &'a str,
) -> BoxFuture<'a, Result<Scan<'a>>> {
    async move {
        let revision = store.revision().await?;
        let pages = futures::stream::try_unfold(Some(None::<String>), move |next| async move {
            let Some(start) = next else {
                return Ok(None);
            };
            let range = store
                .range(prefix, start.as_deref(), SCAN_PAGE, Some(revision))
                .await?;
            // The key after the last one: the least text greater than it.
            let last = range.entries.last();
            let next = last.filter(|_| range.remaining > 0);
            let next = next.map(|last| Some(format!("{}\0", last.key)));
            Ok(Some((range.entries, next)))
        });
        let entries = pages.boxed();
        Ok(Scan { revision, entries })
    }
    .boxed()
}
