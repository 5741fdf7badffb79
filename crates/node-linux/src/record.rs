//! What is kept of a container on disk. Its spec is not: the environment may hold secrets.

use crate::files;
use jiff::Timestamp;
use node_api::Container;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::Path;

/// A container and what the runtime needs to know of it without its helper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) container: Container,
    /// Its control group, from the root.
    pub(crate) cgroup: String,
    /// What could not be done as asked.
    pub(crate) notes: Vec<String>,
}

/// The time, in nanoseconds since 1970.
pub(crate) fn now() -> i64 {
    i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

/// All records in a directory, oldest first.
pub(crate) fn read_all(directory: &Path) -> io::Result<Vec<Record>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        result => result?,
    };
    let mut records: Vec<Record> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json")
            && let Some(record) = files::read_json_if_there(&path)?
        {
            records.push(record);
        }
    }
    records.sort_by_key(|r| r.container.created_at);
    Ok(records)
}
