//! The file below the database: made readable to its owner alone, and open to injected failures.
//! The exclusive lock on the data directory stands for locks on the file.

use crate::options::{FileOperation, Interpose};
use parking_lot::Mutex;
use rustix::fs::SeekFrom;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Bytes that are zeroed ahead of the last one written. Writing into a hole makes the file system
/// find room for it, and note that durably, with every sync; writing over zeros does not.
const AHEAD: usize = 1 << 20;
static ZEROS: [u8; AHEAD] = [0; AHEAD];

pub(crate) struct Medium {
    file: File,
    interpose: Option<Interpose>,
    /// Nothing has ever been written at or after this offset.
    untouched: Mutex<u64>,
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
        let untouched = Mutex::new(end_of_data(&file)?);
        Ok(Self {
            file,
            interpose,
            untouched,
        })
    }

    /// Writes past everything written so far, and zeroes what is likely to come next. That it
    /// cannot be zeroed (the disk is full, say) is for the write that needs the room to say.
    fn write_further(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // Held to the end, so that nobody writes where zeros are about to go.
        let mut untouched = self.untouched.lock();
        self.file.write_all_at(data, offset)?;
        let end = offset.saturating_add(data.len() as u64);
        if end <= *untouched {
            return Ok(());
        }
        *untouched = end;
        let left = self.file.metadata()?.len().saturating_sub(end);
        let room = usize::try_from(left).unwrap_or(AHEAD).min(AHEAD);
        if let Some(zeros) = ZEROS.get(..room)
            && self.file.write_all_at(zeros, end).is_ok()
        {
            *untouched = end.saturating_add(room as u64);
        }
        Ok(())
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
        let mut untouched = self.untouched.lock();
        self.file.set_len(length)?;
        *untouched = length.min(*untouched);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.ask(FileOperation::Sync)?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.ask(FileOperation::Write(data.len()))?;
        let end = offset.saturating_add(data.len() as u64);
        if end > *self.untouched.lock() {
            return self.write_further(offset, data);
        }
        self.file.write_all_at(data, offset)
    }
}

/// Where the last bytes end that the file has on its medium. Where the file system does not tell,
/// that is the end of the file.
fn end_of_data(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut end = 0;
    while end < length {
        let data = match rustix::fs::seek(file, SeekFrom::Data(end)) {
            Ok(data) => data,
            // The rest is a hole.
            Err(rustix::io::Errno::NXIO) => break,
            Err(_) => return Ok(length),
        };
        match rustix::fs::seek(file, SeekFrom::Hole(data)) {
            Ok(hole) if hole > data => end = hole,
            _ => return Ok(length),
        }
    }
    Ok(end.min(length))
}

/// Bytes that the file at `path` takes on its medium; less than its length if it has holes.
pub(crate) fn allocated(path: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata(path)?.blocks().saturating_mul(512))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::StorageBackend;

    #[test]
    fn zeros_ahead_never_reach_what_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let medium = Medium::open(&path, None).unwrap();
        let length = 5 * AHEAD as u64;
        medium.set_len(length).unwrap();
        let mut want = vec![0; usize::try_from(length).unwrap()];
        let mut put = |medium: &Medium, offset: usize, byte: u8| {
            medium.write(offset as u64, &[byte; 4096]).unwrap();
            want[offset..offset + 4096].fill(byte);
            let mut found = vec![1; want.len()];
            medium.read(0, &mut found).unwrap();
            assert!(found == want, "after writing {byte} at {offset}");
        };
        put(&medium, 0, 1);
        put(&medium, 3 * AHEAD, 2);
        put(&medium, 4096, 3);
        put(&medium, 2 * AHEAD, 4);
        put(&medium, 5 * AHEAD - 4096, 5);
        drop(medium);
        let medium = Medium::open(&path, None).unwrap();
        put(&medium, 4 * AHEAD, 6);
        assert_eq!(medium.len().unwrap(), length);
    }

    #[test]
    fn a_file_that_ends_in_a_hole_is_known_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let medium = Medium::open(&path, None).unwrap();
        medium.set_len(8 * AHEAD as u64).unwrap();
        medium.write(0, &[1; 4096]).unwrap();
        let untouched = *medium.untouched.lock();
        assert_eq!(untouched, 4096 + AHEAD as u64);
        drop(medium);
        let medium = Medium::open(&path, None).unwrap();
        // Where the file system does not tell of holes, nothing is zeroed.
        let found = *medium.untouched.lock();
        assert!(found == 8 * AHEAD as u64 || found.abs_diff(untouched) <= AHEAD as u64);
    }
}
