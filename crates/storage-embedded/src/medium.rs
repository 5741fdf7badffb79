//! The file below the database: made readable to its owner alone, and open to injected failures.
//! The exclusive lock on the data directory stands for locks on the file.

use crate::options::{FileOperation, Interpose};
use crate::trial::Trial;
use parking_lot::RwLock;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

/// A file that is not touched before what was found in it is accepted: opening a database repairs
/// it, and a file that turns out to be damaged must stay as it is, for those who may know better.
#[derive(Clone)]
pub(crate) struct Medium(Arc<Shared>);

struct Shared {
    file: File,
    interpose: Option<Interpose>,
    /// What was written and is not in the file yet; `None` once the file was accepted.
    trial: RwLock<Option<Trial>>,
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
        let trial = RwLock::new(Some(Trial::of(file.metadata()?.len())));
        Ok(Self(Arc::new(Shared {
            file,
            interpose,
            trial,
        })))
    }

    /// Does to the file what was done so far, in the same order, and everything else at once.
    pub(crate) fn accept(&self) -> io::Result<()> {
        let mut trial = self.0.trial.write();
        if let Some(done) = trial.as_ref() {
            done.repeat(&*self.0)?;
            *trial = None;
        }
        Ok(())
    }
}

impl Shared {
    fn ask(&self, operation: FileOperation) -> io::Result<()> {
        self.interpose
            .as_ref()
            .map_or(Ok(()), |interpose| interpose(operation))
    }

    /// Changes the file in memory alone, if it is not accepted yet.
    fn on_trial(&self, change: impl FnOnce(&mut Trial)) -> bool {
        // Once it is accepted, nobody waits for others here.
        if self.trial.read().is_none() {
            return false;
        }
        self.trial.write().as_mut().map(change).is_some()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.ask(FileOperation::Read(out.len()))?;
        self.file.read_exact_at(out, offset)
    }
}

/// What changes a file.
pub(crate) trait Change {
    fn set_len(&self, length: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
}

impl Change for Shared {
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

impl std::fmt::Debug for Medium {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Medium")
            .field("file", &self.0.file)
            .finish_non_exhaustive()
    }
}

impl redb::StorageBackend for Medium {
    fn len(&self) -> io::Result<u64> {
        match &*self.0.trial.read() {
            Some(trial) => Ok(trial.len()),
            None => Ok(self.0.file.metadata()?.len()),
        }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &*self.0.trial.read() {
            Some(trial) => trial.read(offset, out, |offset, out| self.0.read(offset, out)),
            None => self.0.read(offset, out),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if self.0.on_trial(|trial| trial.set_len(length)) {
            return Ok(());
        }
        self.0.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.on_trial(|trial| trial.sync()) {
            return Ok(());
        }
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.0.on_trial(|trial| trial.write(offset, data)) {
            return Ok(());
        }
        self.0.write(offset, data)
    }
}

/// Bytes that the file at `path` takes on its medium; less than its length if it has holes.
pub(crate) fn allocated(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.blocks().saturating_mul(512))
}
