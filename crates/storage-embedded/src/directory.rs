//! The data directory: who owns it, what it holds, who may read it.

use crate::options::OpenError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const FORMAT: &str = "rampart embedded store, format 1\n";
const FORMAT_FILE: &str = "FORMAT";
const LOCK_FILE: &str = "LOCK";
const CLEAN_FILE: &str = "CLEAN";
const STORE_FILE: &str = "store.redb";

/// A data directory that this process holds alone, until it is dropped.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Takes the directory, making and marking it if it is new or empty.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io)?;
        let known = path.join(FORMAT_FILE).exists();
        if !known && !only_ours(path).map_err(io)? {
            return Err(OpenError::Foreign {
                path: path.to_owned(),
            });
        }
        let lock = lock(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(io)?;
        let directory = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        directory.check_format()?;
        // What an interrupted rewrite of the file has left.
        match std::fs::remove_file(directory.new_store_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(error)),
            _ => Ok(directory),
        }
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let path = self.path.join(FORMAT_FILE);
        match std::fs::read(&path) {
            Ok(found) if found == FORMAT.as_bytes() => Ok(()),
            Ok(found) => Err(OpenError::Format {
                path: self.path.clone(),
                found: String::from_utf8_lossy(found.get(..80).unwrap_or(&found))
                    .trim()
                    .to_owned(),
                expected: FORMAT.trim_ascii_end(),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.write_file(FORMAT_FILE, FORMAT.as_bytes())
            }
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Where the store's file is.
    pub(crate) fn store_file(&self) -> PathBuf {
        self.path.join(STORE_FILE)
    }

    /// Where a new store's file is put together before it replaces the old one.
    pub(crate) fn new_store_file(&self) -> PathBuf {
        self.path.join("store.redb.new")
    }

    /// Puts the new file into the place of the old one, durably.
    pub(crate) fn replace_store_file(&self) -> std::io::Result<()> {
        std::fs::rename(self.new_store_file(), self.store_file())?;
        File::open(&self.path)?.sync_all()
    }

    /// Whether a store was opened here before: then its file holds something.
    pub(crate) fn opened_before(&self) -> bool {
        self.path.join(CLEAN_FILE).exists()
    }

    /// Notes a revision that the store has certainly reached: the one at which it was opened first
    /// or closed in order.
    pub(crate) fn note_clean(&self, revision: u64) -> Result<(), OpenError> {
        self.write_file(CLEAN_FILE, format!("{revision}\n").as_bytes())
    }

    /// A revision that the store had certainly reached; 0 if none is known.
    pub(crate) fn clean_revision(&self) -> u64 {
        let noted = std::fs::read_to_string(self.path.join(CLEAN_FILE)).unwrap_or_default();
        noted.trim().parse().unwrap_or(0)
    }

    /// Writes a small file so that it is there either as before or completely.
    fn write_file(&self, name: &str, content: &[u8]) -> Result<(), OpenError> {
        let path = self.path.join(name);
        let next = self.path.join(format!("{name}.new"));
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&next)?;
            file.write_all(content)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(|source| OpenError::Io {
            path: path.clone(),
            source,
        })
    }
}

/// Whether a directory without a format file holds nothing but what an interrupted first start
/// leaves, or what a file system puts into its root.
fn only_ours(path: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name();
        if !["LOCK", "FORMAT.new", "lost+found"]
            .iter()
            .any(|ours| name == *ours)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn lock(directory: &Path) -> Result<File, OpenError> {
    let path = directory.join(LOCK_FILE);
    let io = |source| OpenError::Io {
        path: path.clone(),
        source,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(io)?;
            file.rewind().map_err(io)?;
            writeln!(file, "process {}", std::process::id()).map_err(io)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder may be just about to write its name; the refusal stands without it.
            let _ = file.take(100).read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                holder => holder.to_owned(),
            };
            Err(OpenError::InUse {
                path: directory.to_owned(),
                holder,
            })
        }
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}
