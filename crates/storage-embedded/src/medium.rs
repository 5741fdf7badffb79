//! The file below the database: made readable to its owner alone, and open to injected failures.
//! The exclusive lock on the data directory stands for locks on the file.

use crate::options::{FileOperation, Interpose};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

pub(crate) struct Medium {
    file: File,
    interpose: Option<Interpose>,
}

impl Medium {
    pub(crate) fn open(path: &Path, interpose: Option<Interpose>) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { file, interpose })
    }

    fn ask(&self, operation: FileOperation) -> io::Result<()> {
        self.interpose
            .as_ref()
            .map_or(Ok(()), |interpose| interpose(operation))
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Medium")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl redb::StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.ask(FileOperation::Read(out.len()))?;
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.ask(FileOperation::SetLength(length))?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(FileOperation::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ask(FileOperation::Write(data.len()))?;
        self.file.write_all_at(data, offset)
    }
}

/// Bytes that the file at `path` takes on its medium; less than its length if it has holes.
pub(crate) fn allocated(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.blocks().saturating_mul(512))
}
