//! What can go wrong behind the port, by what the caller can do about it.

use serde::{Deserialize, Serialize};

/// The result of runtime calls.
pub type Result<T> = std::result::Result<T, Error>;

/// A runtime's failure. The agent turns it into a waiting reason by the call it made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Error {
    /// What was asked for does not exist (any more).
    #[error("{kind} {id:?} not found")]
    NotFound {
        /// `sandbox`, `container` or `image`.
        kind: String,
        /// Its identifier or name.
        id: String,
    },
    /// Its state does not allow that now.
    #[error("{0}")]
    Conflict(String),
    /// What was asked for makes no sense; trying again changes nothing.
    #[error("{0}")]
    Invalid(String),
    /// The machine or this runtime cannot do it, and it must not run without it.
    #[error("not supported here: {0}")]
    Unsupported(String),
    /// A registry refused the credentials, or wants some.
    #[error("{0}")]
    Unauthorized(String),
    /// Nobody answers (a registry, a helper); it may work later.
    #[error("{0}")]
    Unavailable(String),
    /// What arrived is not what its digest says.
    #[error("{what}: expected {expected}, found {found}")]
    Corrupt {
        /// What was verified.
        what: String,
        /// The digest that was asked for.
        expected: String,
        /// The digest of what arrived.
        found: String,
    },
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// A missing thing of `kind`.
    pub fn not_found(kind: &str, id: impl Into<String>) -> Self {
        Self::NotFound {
            kind: kind.into(),
            id: id.into(),
        }
    }

    /// Whether the thing asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }
}
