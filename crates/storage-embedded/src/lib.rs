//! The embedded store: [`storage_api::Store`] in one directory, on the `redb` crate.
//!
//! The file holds a log of changes by revision; an index in memory knows which versions each key
//! has. One writer thread commits what has queued up, so that concurrent writers share an fsync.
//! `docs/storage.md` has the reasons and the figures.

mod backup;
mod batch;
mod directory;
mod index;
mod lease;
mod load;
mod log;
mod medium;
mod options;
mod record;
mod shared;
mod store;
mod trial;
mod view;
mod watch;
mod writer;

pub use backup::{BackupReport, RestoreError, restore};
pub use options::{FileOperation, Interpose, OpenError, Options};
pub use store::EmbeddedStore;
