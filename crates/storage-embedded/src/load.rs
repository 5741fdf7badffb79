//! Reading a log back into memory.

use crate::index::Index;
use crate::lease::Leases;
use crate::log::{Commit, Log, open_error};
use crate::options::OpenError;
use crate::view::View;
use std::collections::HashMap;
use std::sync::Arc;
use storage_api::Revision;

/// An open log with everything that is held in memory about it.
pub(crate) struct Loaded {
    pub(crate) log: Log,
    pub(crate) view: View,
    pub(crate) leases: Leases,
    pub(crate) swept: Revision,
}

/// Reads all of `log`, whose tables are made if they are not there, and accepts it if it is whole
/// and reaches the revision `at_least`.
pub(crate) fn load(mut log: Log, at_least: Revision) -> Result<Loaded, OpenError> {
    let path = log.path().to_owned();
    let fail = |error| open_error(&path, error);
    let (marks, snapshot) = match (log.marks(), log.snapshot()) {
        (Ok(marks), Ok(snapshot)) => (marks, snapshot),
        (Err(redb::Error::TableDoesNotExist(_)), _)
        | (_, Err(redb::Error::TableDoesNotExist(_))) => {
            let commit = Commit {
                marks: Some(crate::log::Marks::default()),
                ..Commit::default()
            };
            log.commit(&commit).map_err(fail)?;
            (log.marks().map_err(fail)?, log.snapshot().map_err(fail)?)
        }
        (Err(error), _) | (_, Err(error)) => return Err(fail(error)),
    };
    let mut index = Index::default();
    let mut leased = HashMap::new();
    let mut revision = marks.compacted.max(1);
    let scanned = snapshot.scan(0, Revision::MAX, |at, record| {
        let key = match index.shared_key(record.key) {
            Some(key) => Arc::clone(key),
            None => Arc::from(record.key),
        };
        match record.lease {
            Some(lease) => {
                leased.insert(Arc::clone(&key), (at, lease));
            }
            None if leased.is_empty() => {}
            None => {
                leased.remove(&key);
            }
        }
        index.apply(key, at, record.create, record.value.is_none());
        revision = revision.max(at);
        true
    });
    scanned.map_err(|error| OpenError::Damaged {
        path: path.clone(),
        why: error.to_string(),
    })?;
    if revision < at_least {
        let why = format!("it ends at revision {revision}, but was closed at {at_least}");
        return Err(OpenError::Damaged { path, why });
    }
    log.accept()?;
    let mut leases = Leases::default();
    for (key, (at, lease)) in leased {
        leases.add(key, at, lease);
    }
    let view = View {
        index,
        revision,
        compacted: marks.compacted,
        snapshot: Some(snapshot),
    };
    Ok(Loaded {
        log,
        view,
        leases,
        swept: marks.swept,
    })
}
