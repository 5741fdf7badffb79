//! What readers see: the index and the snapshot of the last durable commit.

use crate::index::Index;
use crate::log::Snapshot;
use storage_api::{Result, Revision, StoreError};

/// The state after the last durable commit. Readers hold its lock only to look up revisions and
/// take the snapshot; values are read from the snapshot afterwards.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) index: Index,
    pub(crate) revision: Revision,
    pub(crate) compacted: Revision,
    /// `None` while the log could not be opened again after a failure, and once it is closed.
    pub(crate) snapshot: Option<Snapshot>,
}

impl View {
    /// The revision to read at.
    pub(crate) fn readable(&self, at: Option<Revision>) -> Result<Revision> {
        let newest = self.revision;
        match at {
            None => Ok(newest),
            Some(requested) if requested > newest => Err(StoreError::Future { requested, newest }),
            Some(requested) if requested < self.compacted => Err(StoreError::Compacted {
                requested,
                oldest: self.compacted,
            }),
            Some(requested) => Ok(requested),
        }
    }

    /// The snapshot to read values from.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        self.snapshot.clone().ok_or_else(unavailable)
    }
}

/// The answer while there is no log to read from or write to.
pub(crate) fn unavailable() -> StoreError {
    StoreError::Unavailable("the store is closed or its medium has failed".to_owned())
}
