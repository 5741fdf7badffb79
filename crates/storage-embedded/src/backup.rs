//! Backups: everything that is there at one revision, in one stream with checksums.
//!
//! `"rampart backup 1\n" · revision (8) · entries (8)`, then for each entry in the order of their
//! revisions `revision (8) · length (4) · record`, then the SHA-256 of all that; integers
//! little-endian, records as in the log. Values are as they are stored: encrypted ones stay so, and
//! the key is not in the backup.

use crate::directory::Directory;
use crate::log::{Commit, Log, Marks, Snapshot, open_error};
use crate::options::{OpenError, Options};
use crate::record::Record;
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use std::io::{self, Read, Write};
use std::path::Path;
use storage_api::{Revision, StoreError};

const MAGIC: &[u8] = b"rampart backup 1\n";
/// Larger than any record; what claims to be longer is damaged.
const RECORD_LIMIT: u32 = 256 << 20;
/// By how much the revision is raised on restore, as etcd's `--bump-revision` is used: revisions
/// that were given out after the backup was taken do not come again with another meaning, and
/// watches from them are told to list anew.
const BUMP: Revision = 1_000_000;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// The revision of which it is.
    pub revision: Revision,
    /// Entries in it.
    pub entries: u64,
    /// Its length.
    pub bytes: u64,
}

/// Why a backup was not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The directory cannot take it.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was given is no backup of a version that is known.
    #[error("this is not a backup of this store")]
    NotABackup,
    /// The backup is not as it was written; nothing was restored.
    #[error("the backup is damaged: {0}; nothing was restored")]
    Damaged(&'static str),
    /// The backup cannot be read.
    #[error("the backup cannot be read: {0}; nothing was restored")]
    Read(#[source] io::Error),
}

/// Writes the records of `snapshot` at `live`, which is in order.
pub(crate) fn write(
    snapshot: &Snapshot,
    revision: Revision,
    live: &[Revision],
    out: impl Write,
) -> Result<BackupReport, StoreError> {
    let failed = |error: io::Error| {
        StoreError::Unavailable(format!("the backup cannot be written: {error}"))
    };
    let mut out = Summed {
        inner: io::BufWriter::new(out),
        sum: Context::new(&SHA256),
        bytes: 0,
    };
    let entries = live.len() as u64;
    out.write_all(MAGIC).map_err(failed)?;
    out.write_all(&revision.to_le_bytes()).map_err(failed)?;
    out.write_all(&entries.to_le_bytes()).map_err(failed)?;
    let mut wanted = live.iter().copied().peekable();
    let mut problem = None;
    let last = live.last().copied().unwrap_or(0);
    snapshot.records(live.first().copied().unwrap_or(1), last, |at, record| {
        if wanted.next_if_eq(&at).is_none() {
            return true;
        }
        let written = u32::try_from(record.len())
            .map_err(io::Error::other)
            .and_then(|length| {
                out.write_all(&at.to_le_bytes())?;
                out.write_all(&length.to_le_bytes())?;
                out.write_all(record)
            });
        problem = written.err();
        problem.is_none()
    })?;
    if let Some(error) = problem {
        return Err(failed(error));
    }
    if let Some(missing) = wanted.next() {
        let (key, why) = (
            format!("revision {missing}"),
            "its record is missing".to_owned(),
        );
        return Err(StoreError::Damaged { key, why });
    }
    let Summed {
        mut inner,
        sum,
        bytes,
    } = out;
    inner
        .write_all(sum.finish().as_ref())
        .and_then(|()| inner.flush())
        .map_err(failed)?;
    Ok(BackupReport {
        revision,
        entries,
        bytes: bytes + SHA256_OUTPUT_LEN as u64,
    })
}

/// Makes a store in `directory`, which must not hold one, from the backup that `input` gives. Its
/// revision is that of the backup and a million more, and what was before counts as compacted.
///
/// # Errors
/// If the directory or the backup is not as it should be; the directory then holds no store.
pub fn restore(input: impl Read, directory: &Path) -> Result<BackupReport, RestoreError> {
    let directory = Directory::take(directory)?;
    let place = directory.store_file();
    if place.exists() {
        let path = place.parent().unwrap_or(&place).to_owned();
        return Err(OpenError::NotEmpty { path }.into());
    }
    let new = directory.new_store_file();
    let report = read_into(input, &new).inspect_err(|_| {
        // What was restored so far is of no use; a later restore would remove it as well.
        let _ = std::fs::remove_file(&new);
    })?;
    directory
        .replace_store_file()
        .map_err(|source| OpenError::Io {
            path: place,
            source,
        })?;
    Ok(report)
}

fn read_into(input: impl Read, path: &Path) -> Result<BackupReport, RestoreError> {
    let mut input = Input {
        inner: io::BufReader::new(input),
        sum: Context::new(&SHA256),
        bytes: 0,
    };
    let mut magic = [0; MAGIC.len()];
    if input.fill(&mut magic).is_err() || magic != MAGIC {
        return Err(RestoreError::NotABackup);
    }
    let revision = u64::from_le_bytes(input.array()?);
    let entries = u64::from_le_bytes(input.array()?);
    let compacted = revision.saturating_add(BUMP);
    // Half of the range is what the index can hold.
    if compacted > u64::MAX / 2 {
        return Err(RestoreError::Damaged("its revision is impossible"));
    }
    let mut log = Log::create(path, &Options::default())?;
    let fail = |error| RestoreError::Open(open_error(path, error));
    let marks = Some(Marks {
        compacted,
        swept: compacted,
    });
    let mut commit = Commit {
        marks,
        ..Commit::default()
    };
    let mut pending = 0;
    let mut last = 0;
    for _ in 0..entries {
        let at = u64::from_le_bytes(input.array()?);
        let length = u32::from_le_bytes(input.array()?);
        if at <= last || at > revision {
            return Err(RestoreError::Damaged("its entries are not in order"));
        }
        if length > RECORD_LIMIT {
            return Err(RestoreError::Damaged("an entry is impossibly long"));
        }
        last = at;
        let record = input.record(length)?;
        match Record::decode(at, &record) {
            Ok(Record { value: Some(_), .. }) => {}
            Ok(_) => return Err(RestoreError::Damaged("an entry is a deletion")),
            Err(_) => return Err(RestoreError::Damaged("an entry is not as it was written")),
        }
        pending += record.len();
        commit.puts.push((at, record));
        if pending > 4 << 20 {
            log.commit(&commit).map_err(fail)?;
            commit = Commit::default();
            pending = 0;
        }
    }
    let bytes = input.bytes + SHA256_OUTPUT_LEN as u64;
    let sum = input.sum.clone().finish();
    if input.array::<SHA256_OUTPUT_LEN>()? != sum.as_ref() {
        return Err(RestoreError::Damaged("its checksum does not match"));
    }
    log.commit(&commit).map_err(fail)?;
    Ok(BackupReport {
        revision,
        entries,
        bytes,
    })
}

struct Summed<W> {
    inner: W,
    sum: Context,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.inner.write_all(bytes)
    }
}

struct Input<R> {
    inner: R,
    sum: Context,
    bytes: u64,
}

impl<R: Read> Input<R> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RestoreError> {
        self.inner
            .read_exact(out)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => RestoreError::Damaged("it is cut short"),
                _ => RestoreError::Read(error),
            })?;
        self.sum.update(out);
        self.bytes += out.len() as u64;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let mut out = [0; N];
        self.fill(&mut out)?;
        Ok(out)
    }

    /// Memory is taken only for what is really there.
    fn record(&mut self, length: u32) -> Result<Vec<u8>, RestoreError> {
        let mut record = Vec::new();
        let read = self
            .inner
            .by_ref()
            .take(u64::from(length))
            .read_to_end(&mut record);
        if read.map_err(RestoreError::Read)? as u64 != u64::from(length) {
            return Err(RestoreError::Damaged("it is cut short"));
        }
        self.sum.update(&record);
        self.bytes += record.len() as u64;
        Ok(record)
    }
}
