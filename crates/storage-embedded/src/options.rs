//! How a store is opened, and why it cannot be.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// An operation on the store's file, as [`Options::interpose`] sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileOperation {
    /// Reading that many bytes.
    Read(usize),
    /// Writing that many bytes.
    Write(usize),
    /// Setting the length of the file.
    SetLength(u64),
    /// Making everything written durable.
    Sync,
}

/// Asked before each operation on the store's file; an error is that operation's result.
pub type Interpose = Arc<dyn Fn(FileOperation) -> io::Result<()> + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Bytes of the file that are cached in memory. The kernel's page cache comes on top and is
    /// given back under pressure, so this stays small.
    pub cache_bytes: usize,
    /// The largest value that is taken, in bytes; as etcd's default, 1.5 MiB.
    pub value_limit: usize,
    /// Bytes of free space on the medium below which puts are refused as
    /// [`storage_api::StoreError::Full`] while deletes and compaction still work.
    pub reserve_bytes: u64,
    /// Whether the checksum of every page is verified while opening. Without it a file that was
    /// altered is noticed when the altered place is read.
    pub verify: bool,
    /// Changes buffered for each watcher; one that falls further behind is served from the file
    /// until it has caught up.
    pub watch_buffer: usize,
    /// For tests of failing media.
    pub interpose: Option<Interpose>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache_bytes: 8 << 20,
            value_limit: 1_572_864,
            reserve_bytes: 4 << 20,
            verify: true,
            watch_buffer: 1024,
            interpose: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("value_limit", &self.value_limit)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("verify", &self.verify)
            .field("watch_buffer", &self.watch_buffer)
            .finish_non_exhaustive()
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process (or another store of this one) has the directory open.
    #[error("the data directory {} is in use by {holder}", path.display())]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// Who has it, such as `process 4711`.
        holder: String,
    },
    /// The directory holds something else.
    #[error(
        "{} is not empty and was not made by this store; give an empty or a new directory",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The directory was made by a version of this store that is too new (or never was).
    #[error("the data directory {} has format {found:?}, this version reads {expected:?}", path.display())]
    Format {
        /// The data directory.
        path: PathBuf,
        /// What its format file says.
        found: String,
        /// What it should say.
        expected: &'static str,
    },
    /// The file is not as it was written.
    #[error("the store in {} is damaged: {why}; restore it from a backup", path.display())]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong; holds no part of any value.
        why: String,
    },
    /// The directory of a restore already holds a store.
    #[error("{} already holds a store; restore into an empty or a new directory", path.display())]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// The medium failed or refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}
