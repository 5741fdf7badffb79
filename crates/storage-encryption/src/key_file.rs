//! The key file: the keys that wrap the data keys, one to a line, the one that writes first.
//!
//! Whoever has it and the store has the secrets; whoever has only the store has nothing. It is made
//! at the first start, readable to its owner alone, and must be backed up apart from the store.

use crate::provider::Provider;
use crate::secret::{NoRandomness, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

const HEADING: &str = "\
# Keys of the encryption at rest: `NAME BASE64`, the first one encrypts, all of them decrypt.
# Without this file the store cannot be read. Keep a copy of it, but not beside copies of the store.
";

/// The keys of a key file.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    keys: Vec<(String, Secret)>,
}

/// Why there are no keys. Holds no key material.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is not there.
    #[error("the key file {} is missing; without it what is encrypted cannot be read", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others could read or change the keys.
    #[error("the key file {} must be accessible to its owner only (its mode is {mode:o}, not 600)", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A line is not a name and a key of 32 bytes.
    #[error("line {line} of the key file {} is not `NAME BASE64` with a key of 32 bytes", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The file has no key, or two of the same name.
    #[error("the key file {} must hold keys of different names", path.display())]
    Names {
        /// The file.
        path: PathBuf,
    },
    /// No key can be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl KeyFile {
    /// Reads the key file at `path`.
    ///
    /// # Errors
    /// If it is missing, accessible to others, or not a key file.
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let io = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing {
                path: path.to_owned(),
            },
            _ => KeyFileError::Io {
                path: path.to_owned(),
                source,
            },
        };
        let mode = std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(io)?);
        let mut keys: Vec<(String, Secret)> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line_text = line.trim();
            if line_text.is_empty() || line_text.starts_with('#') {
                continue;
            }
            let malformed = || KeyFileError::Malformed {
                path: path.to_owned(),
                line: at + 1,
            };
            let (name, secret) = line_text.split_once(' ').ok_or_else(malformed)?;
            let bytes = STANDARD.decode(secret.trim()).map_err(|_| malformed())?;
            let secret = Secret::new(bytes);
            if secret.bytes().len() != 32 || name.contains(':') {
                return Err(malformed());
            }
            keys.push((name.to_owned(), secret));
        }
        let mut names: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if keys.is_empty() || names.len() != keys.len() {
            return Err(KeyFileError::Names {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
            keys,
        })
    }

    /// Makes a key file with one new key.
    ///
    /// # Errors
    /// If there is one already, or it cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let file = Self {
            path: path.to_owned(),
            keys: vec![("key1".to_owned(), Secret::generate()?)],
        };
        file.write(true)?;
        Ok(file)
    }

    /// Reads the key file at `path`; makes it if it is missing and `first_start` says that nothing
    /// can have been encrypted with it yet.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::create`].
    pub fn open_or_create(path: &Path, first_start: bool) -> Result<Self, KeyFileError> {
        match Self::open(path) {
            Err(KeyFileError::Missing { .. }) if first_start => Self::create(path),
            opened => opened,
        }
    }

    /// The names of the keys, that of the one which encrypts first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(name, _)| name.as_str())
    }

    /// Puts a new key in front, durably.
    ///
    /// # Errors
    /// If the file cannot be written; it is then as before.
    pub fn add_key(&mut self) -> Result<(), KeyFileError> {
        let number = |name: &str| name.strip_prefix("key")?.parse::<u64>().ok();
        let last = self.names().filter_map(number).max().unwrap_or(0);
        let mut next = self.clone();
        next.keys.insert(
            0,
            (
                format!("key{}", last.saturating_add(1)),
                Secret::generate()?,
            ),
        );
        next.write(false)?;
        *self = next;
        Ok(())
    }

    /// Forgets all keys but the first, durably.
    ///
    /// # Errors
    /// If the file cannot be written; it is then as before.
    pub fn drop_old_keys(&mut self) -> Result<(), KeyFileError> {
        let mut next = self.clone();
        next.keys.truncate(1);
        next.write(false)?;
        *self = next;
        Ok(())
    }

    pub(crate) fn providers(&self) -> Vec<Arc<Provider>> {
        let provider = |(name, key): &(String, Secret)| Provider::envelope(name, key);
        self.keys
            .iter()
            .filter_map(provider)
            .map(Arc::new)
            .collect()
    }

    fn write(&self, new: bool) -> Result<(), KeyFileError> {
        let mut text = Zeroizing::new(HEADING.to_owned());
        for (name, key) in &self.keys {
            let encoded = Zeroizing::new(STANDARD.encode(key.bytes()));
            text.push_str(&format!("{name} {}\n", *encoded));
        }
        let next = self.path.with_extension("new");
        let write = || {
            // What an interrupted change has left; nobody uses it.
            match std::fs::remove_file(&next) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&next)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            if new {
                // Unlike a rename this does not replace a file that somebody else has just made.
                std::fs::hard_link(&next, &self.path)?;
                std::fs::remove_file(&next)?;
            } else {
                std::fs::rename(&next, &self.path)?;
            }
            let directory = self
                .path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|source| KeyFileError::Io {
            path: self.path.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_read_and_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        assert!(matches!(
            KeyFile::open_or_create(&path, false),
            Err(KeyFileError::Missing { .. })
        ));
        let made = KeyFile::open_or_create(&path, true).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(KeyFile::create(&path).is_err(), "keys are not overwritten");
        let mut file = KeyFile::open(&path).unwrap();
        assert_eq!(file.keys, made.keys);
        file.add_key().unwrap();
        assert_eq!(
            KeyFile::open(&path).unwrap().names().collect::<Vec<_>>(),
            ["key2", "key1"]
        );
        file.drop_old_keys().unwrap();
        assert_eq!(
            KeyFile::open(&path).unwrap().names().collect::<Vec<_>>(),
            ["key2"]
        );
        assert_ne!(file.keys[0].1, made.keys[0].1);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let key = STANDARD.encode([7; 32]);
        let cases = [
            (String::new(), "different names"),
            ("# nothing\n".to_owned(), "different names"),
            (format!("a {key}\na {key}\n"), "different names"),
            (format!("{key}\n"), "line 1"),
            (format!("# keys\na {key}\nb !\n"), "line 3"),
            ("a AAAA\n".to_owned(), "line 1"),
        ];
        for (text, expected) in cases {
            std::fs::write(&path, &text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = KeyFile::open(&path).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains(&key), "{error}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            KeyFile::open(&path),
            Err(KeyFileError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn keys_do_not_show() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let file = KeyFile::create(&path).unwrap();
        let shown = format!("{file:?} {:?}", file.providers());
        let text = std::fs::read_to_string(&path).unwrap();
        let key = text
            .lines()
            .last()
            .unwrap()
            .split_once(' ')
            .unwrap()
            .1
            .to_owned();
        assert!(
            !shown.contains(&key) && shown.contains("Secret(…)"),
            "{shown}"
        );
    }
}
