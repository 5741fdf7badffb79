//! The log of changes on disk: a table from revision to record, which grows at its end and is
//! thinned out by compaction, and a table of marks. The only module that knows the database crate.

use crate::medium::Medium;
use crate::options::{OpenError, Options};
use crate::record::{Lease, Record};
use bytes::Bytes;
use redb::{Database, ReadOnlyTable, ReadableDatabase, TableDefinition};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage_api::{Entry, Revision, StoreError};

const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
const COMPACTED: &str = "compacted";
const SWEPT: &str = "swept";

/// How far compaction has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Nothing before this revision can be read.
    pub(crate) compacted: Revision,
    /// Versions replaced up to this revision are removed from the file.
    pub(crate) swept: Revision,
}

/// What one commit changes.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    /// Encoded records by revision.
    pub(crate) puts: Vec<(Revision, Vec<u8>)>,
    /// Revisions whose records go.
    pub(crate) removals: Vec<Revision>,
    /// The marks, if they move.
    pub(crate) marks: Option<Marks>,
}

/// The open log.
#[derive(Debug)]
pub(crate) struct Log {
    database: Database,
    medium: Medium,
    path: PathBuf,
}

/// The log as it was after one commit, unchanged by later ones.
#[derive(Clone)]
pub(crate) struct Snapshot(Arc<ReadOnlyTable<u64, &'static [u8]>>);

impl Log {
    /// Opens the log at `path`, or makes it. After a crash the database goes back to its last
    /// commit, which reads the whole file. Nothing is written to the file before it is
    /// [accepted](Self::accept).
    pub(crate) fn open(path: &Path, options: &Options, verify: bool) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        let medium = Medium::open(path, options.interpose.clone()).map_err(io)?;
        let mut builder = Database::builder();
        builder
            .set_cache_size(options.cache_bytes)
            .set_check_integrity_on_open(verify);
        // The crate checks itself with debug assertions where release builds return an error;
        // a damaged file must be told alike in both.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            builder.create_with_backend(medium.clone())
        }));
        let damaged = |why: String| OpenError::Damaged {
            path: path.to_owned(),
            why,
        };
        let database = match opened {
            Ok(Ok(database)) => database,
            Ok(Err(redb::DatabaseError::Storage(redb::StorageError::Io(source)))) => {
                return Err(match source.kind() {
                    ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                        damaged(source.to_string())
                    }
                    _ => io(source),
                });
            }
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(_) => return Err(damaged("its structure is inconsistent".to_owned())),
        };
        Ok(Self {
            database,
            medium,
            path: path.to_owned(),
        })
    }

    /// Makes a log at `path`, where there is none yet.
    pub(crate) fn create(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let log = Self::open(path, options, false)?;
        log.accept()?;
        Ok(log)
    }

    /// Writes to the file what opening it changed, and all that follows.
    pub(crate) fn accept(&self) -> Result<(), OpenError> {
        self.medium.accept().map_err(|source| OpenError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Makes `commit` durable, whole or not at all. After an error the log must be opened anew:
    /// only that tells whether the commit took place.
    pub(crate) fn commit(&mut self, commit: &Commit) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            for (revision, record) in &commit.puts {
                log.insert(revision, record.as_slice())?;
            }
            for revision in &commit.removals {
                log.remove(revision)?;
            }
        }
        if let Some(marks) = commit.marks {
            let mut table = transaction.open_table(MARKS)?;
            table.insert(COMPACTED, marks.compacted)?;
            table.insert(SWEPT, marks.swept)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// The log as of the last commit.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, redb::Error> {
        let table = self.database.begin_read()?.open_table(LOG)?;
        Ok(Snapshot(Arc::new(table)))
    }

    pub(crate) fn marks(&self) -> Result<Marks, redb::Error> {
        let table = self.database.begin_read()?.open_table(MARKS)?;
        let mark = |name| {
            table
                .get(name)
                .map(|mark| mark.map_or(0, |mark| mark.value()))
        };
        Ok(Marks {
            compacted: mark(COMPACTED)?,
            swept: mark(SWEPT)?,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Snapshot {
    /// The entry that the change of `key` at `revision` made.
    pub(crate) fn entry(&self, key: &Arc<str>, revision: Revision) -> storage_api::Result<Entry> {
        let damaged = |why: &str| damaged(key, why);
        let found = self
            .0
            .get(revision)
            .map_err(|error| read_error(&error.into()))?;
        let guard = found.ok_or_else(|| damaged("its record is missing"))?;
        let record = Record::decode(revision, guard.value()).map_err(damaged)?;
        entry_of(key, revision, record)
    }

    /// How long the entry that the change of `key` at `revision` made is to live.
    pub(crate) fn lease(
        &self,
        key: &str,
        revision: Revision,
    ) -> storage_api::Result<Option<Lease>> {
        let damaged = |why: &str| damaged(key, why);
        let found = self
            .0
            .get(revision)
            .map_err(|error| read_error(&error.into()))?;
        let guard = found.ok_or_else(|| damaged("its record is missing"))?;
        Ok(Record::decode(revision, guard.value())
            .map_err(damaged)?
            .lease)
    }

    /// The entries at `wanted`, in the same order.
    pub(crate) fn entries(
        &self,
        wanted: &[(Arc<str>, Revision)],
    ) -> storage_api::Result<Vec<Entry>> {
        // Neighbouring revisions share pages, keys do not.
        let mut order: Vec<(Revision, usize)> = wanted
            .iter()
            .enumerate()
            .map(|(at, (_, revision))| (*revision, at))
            .collect();
        order.sort_unstable();
        let mut entries: Vec<(usize, Entry)> = Vec::with_capacity(wanted.len());
        let (first, last) = match (order.first(), order.last()) {
            (Some((first, _)), Some((last, _))) => (*first, *last),
            _ => return Ok(Vec::new()),
        };
        // Walking over a few records that are not wanted costs less than looking each up.
        let dense = wanted.len() > 16 && (last - first) / 4 < wanted.len() as u64;
        if dense {
            let mut next = order.iter().peekable();
            let mut problem = None;
            self.records(first, last, |revision, bytes| {
                let Some((_, at)) = next.next_if(|(wanted, _)| *wanted == revision) else {
                    return true;
                };
                let Some((key, _)) = wanted.get(*at) else {
                    return true;
                };
                let entry = Record::decode(revision, bytes)
                    .map_err(|why| damaged(key, why))
                    .and_then(|record| entry_of(key, revision, record));
                match entry {
                    Ok(entry) => entries.push((*at, entry)),
                    Err(error) => problem = Some(error),
                }
                problem.is_none()
            })?;
            if let Some(error) = problem {
                return Err(error);
            }
            if let Some((key, _)) = next.next().and_then(|(_, at)| wanted.get(*at)) {
                return Err(damaged(key, "its record is missing"));
            }
        } else {
            for (revision, at) in order {
                if let Some((key, _)) = wanted.get(at) {
                    entries.push((at, self.entry(key, revision)?));
                }
            }
        }
        entries.sort_unstable_by_key(|(at, _)| *at);
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Calls `each` with every record from `first` to `last`, in order, until it returns `false`.
    pub(crate) fn scan(
        &self,
        first: Revision,
        last: Revision,
        mut each: impl FnMut(Revision, Record<'_>) -> bool,
    ) -> storage_api::Result<()> {
        let mut problem = None;
        self.records(first, last, |revision, bytes| {
            match Record::decode(revision, bytes) {
                Ok(record) => each(revision, record),
                Err(why) => {
                    problem = Some(damaged(&format!("revision {revision}"), why));
                    false
                }
            }
        })?;
        problem.map_or(Ok(()), Err)
    }

    /// As [`Self::scan`], with the records as they are stored.
    pub(crate) fn records(
        &self,
        first: Revision,
        last: Revision,
        mut each: impl FnMut(Revision, &[u8]) -> bool,
    ) -> storage_api::Result<()> {
        if first > last {
            return Ok(());
        }
        for row in self
            .0
            .range(first..=last)
            .map_err(|error| read_error(&error.into()))?
        {
            let (revision, bytes) = row.map_err(|error| read_error(&error.into()))?;
            if !each(revision.value(), bytes.value()) {
                break;
            }
        }
        Ok(())
    }

    /// Copies this snapshot with `marks` into a new log at `path`, leaving out `removals`.
    pub(crate) fn copy_to(
        &self,
        path: &Path,
        options: &Options,
        marks: Marks,
        removals: &BTreeSet<Revision>,
    ) -> Result<(), OpenError> {
        let damaged = |error: &dyn std::fmt::Display| OpenError::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut log = Log::create(path, options)?;
        let mut commit = Commit {
            marks: Some(marks),
            ..Commit::default()
        };
        let mut bytes = 0;
        let rows = self.0.range(0..).map_err(|error| damaged(&error))?;
        for row in rows {
            let (revision, record) = row.map_err(|error| damaged(&error))?;
            if removals.contains(&revision.value()) {
                continue;
            }
            bytes += record.value().len();
            commit
                .puts
                .push((revision.value(), record.value().to_vec()));
            if bytes > 4 << 20 {
                log.commit(&commit)
                    .map_err(|error| open_error(path, error))?;
                commit = Commit::default();
                bytes = 0;
            }
        }
        log.commit(&commit).map_err(|error| open_error(path, error))
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

fn entry_of(key: &Arc<str>, revision: Revision, record: Record<'_>) -> storage_api::Result<Entry> {
    if record.key != &**key {
        return Err(damaged(key, "its record is of another key"));
    }
    let value = record
        .value
        .ok_or_else(|| damaged(key, "its record is a deletion"))?;
    Ok(Entry {
        key: Arc::clone(key),
        value: Bytes::copy_from_slice(value),
        create_revision: record.create,
        mod_revision: revision,
    })
}

fn damaged(key: &str, why: &str) -> StoreError {
    StoreError::Damaged {
        key: key.to_owned(),
        why: why.to_owned(),
    }
}

/// Whether the medium refused for lack of space.
fn no_space(error: &std::io::Error) -> bool {
    use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What a failed write means to a caller.
pub(crate) fn write_error(error: &redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) if no_space(error) => StoreError::Full(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// What a failed read means to a caller.
pub(crate) fn read_error(error: &redb::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// What a failed operation means while opening.
pub(crate) fn open_error(path: &Path, error: redb::Error) -> OpenError {
    match error {
        redb::Error::Io(source) => OpenError::Io {
            path: path.to_owned(),
            source,
        },
        error => OpenError::Damaged {
            path: path.to_owned(),
            why: error.to_string(),
        },
    }
}
