//! Entries with a time to live, in the order in which they expire.

use crate::record::Lease;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use storage_api::Revision;

/// What expires when. An entry that was written again stays here until its time has come and is
/// then found to have another revision.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    heap: BinaryHeap<Reverse<(Instant, Revision, Arc<str>)>>,
}

impl Lease {
    /// A lease of `ttl` from now.
    pub(crate) fn starting_now(ttl: Duration) -> Self {
        let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Self {
            expires_at: now().saturating_add(ttl),
            ttl,
        }
    }

    /// What is left of it by the wall clock, but never more than it had at first.
    fn left(self) -> Duration {
        Duration::from_millis(self.expires_at.saturating_sub(now()).min(self.ttl))
    }
}

impl Leases {
    /// Notes that `key` as written at `revision` expires with `lease`.
    pub(crate) fn add(&mut self, key: Arc<str>, revision: Revision, lease: Lease) {
        // A time beyond what the clock can tell never comes.
        if let Some(deadline) = Instant::now().checked_add(lease.left()) {
            self.heap.push(Reverse((deadline, revision, key)));
        }
    }

    /// When the next entry expires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((deadline, ..))| *deadline)
    }

    /// The next entry, if it has expired.
    pub(crate) fn pop_due(&mut self) -> Option<(Arc<str>, Revision)> {
        if self.next()? > Instant::now() {
            return None;
        }
        self.heap
            .pop()
            .map(|Reverse((_, revision, key))| (key, revision))
    }
}

fn now() -> u64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
