//! What can be wrong with the PKI directory, and what to do about it.

use std::path::{Path, PathBuf};

/// A file of the PKI that cannot be used, or a certificate that cannot be issued. The texts name
/// the file and the remedy, and never hold key material.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The operating system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file's content is not what it should be.
    #[error("{} is damaged ({what}); {remedy}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A private key that other users of the machine can read.
    #[error(
        "{} can be read by others (mode {mode:04o}); if nobody has copied the key, run \
         `chmod 600` on it", path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Two files that should belong together and do not.
    #[error("{} does not belong to {}; {remedy}", path.display(), other.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The file it should fit.
        other: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file that cannot be made anew is not there.
    #[error("{} is missing; {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A certificate is past its end.
    #[error("{} has expired; {remedy}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// The caller asked for a certificate that cannot be issued.
    #[error("{0}")]
    Request(String),
    /// The cryptographic library refused.
    #[error("cannot make a key or certificate: {0}")]
    Crypto(String),
}

impl PkiError {
    pub(crate) fn io(doing: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn crypto(error: impl std::fmt::Display) -> Self {
        Self::Crypto(error.to_string())
    }
}
