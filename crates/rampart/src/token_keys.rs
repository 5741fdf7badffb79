//! The keys of service-account tokens, as the operator sees them.

use crate::data_dir::DataDir;
use anyhow::Result;
use identity::{ServiceAccountKeys, TokenIssuer};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The keys of a cluster, and whoever signs with them.
pub(crate) struct TokenKeys {
    directory: PathBuf,
    issuer: Option<TokenIssuer>,
    /// One rotation at a time.
    turn: Mutex<()>,
}

impl TokenKeys {
    /// Those of a cluster that does not run.
    pub(crate) fn at_rest(data: &DataDir) -> Self {
        Self {
            directory: data.pki(),
            issuer: None,
            turn: Mutex::new(()),
        }
    }

    /// Those of a running cluster, whose tokens come from `issuer`.
    pub(crate) fn in_use(data: &DataDir, issuer: TokenIssuer) -> Self {
        Self {
            issuer: Some(issuer),
            ..Self::at_rest(data)
        }
    }

    /// Signs with a new key from now on; tokens of the old one are accepted as before.
    pub(crate) fn rotate(&self) -> Result<String> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = ServiceAccountKeys::rotate(&self.directory)?;
        let text = describe(&keys);
        if let Some(issuer) = &self.issuer {
            issuer.replace_keys(Arc::new(keys));
        }
        Ok(text)
    }

    /// Names the keys.
    pub(crate) fn names(&self) -> Result<String> {
        match &self.issuer {
            Some(issuer) => Ok(describe(&issuer.keys())),
            None => Ok(describe(&ServiceAccountKeys::open(&self.directory)?)),
        }
    }
}

fn describe(keys: &ServiceAccountKeys) -> String {
    let mut lines = Vec::new();
    for (i, key) in keys.verification_keys().iter().enumerate() {
        let role = if i == 0 { "signs" } else { "verifies" };
        lines.push(format!("{} ({}) {role}", key.id(), key.algorithm().name()));
    }
    lines.join("\n")
}
