//! Server-side apply (KEP-555) and the managed fields that every write keeps.
//!
//! The semantics are those of structured-merge-diff: which parts of an object are owned one by
//! one and which as a whole follows from the schema. Managed fields are compared as they stand,
//! whatever API version their entry names: upstream converts between versions first, which makes
//! a difference only where versions of one kind call a field differently.

mod compare;
mod configuration;
mod element;
mod extract;
mod field_set;
mod last_applied;
mod managed;
mod merge;
mod remove;
mod track;
mod validate;

pub use configuration::apply;
pub use field_set::{FieldSet, FieldSetError};
pub use track::track_update;

use crate::status::{Cause, Status};
use std::fmt::Write;

/// Who writes, and how.
#[derive(Debug, Clone)]
pub struct Manager<'a> {
    /// The field manager's name.
    pub name: &'a str,
    /// The `apiVersion` of the request's object.
    pub api_version: &'a str,
    /// The subresource written to, or empty.
    pub subresource: &'a str,
    /// The time of the write, RFC 3339 in seconds.
    pub time: &'a str,
}

/// A field that another manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The field, as upstream writes it: `.spec.replicas`.
    pub field: String,
    /// The owner as upstream describes it: `"kubectl" using apps/v1`.
    pub manager: String,
}

/// Why an apply was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own fields that the configuration would change (409 upstream).
    #[error("{}", conflict_message(.0))]
    Conflicts(Vec<Conflict>),
    /// The configuration is not acceptable (400 upstream).
    #[error("{0}")]
    Malformed(String),
    /// The configuration does not fit the type (500 without a reason upstream).
    #[error("{0}")]
    Mistyped(String),
}

impl ApplyError {
    /// The error as upstream's PATCH handler reports it.
    pub fn to_status(&self) -> Status {
        match self {
            Self::Conflicts(conflicts) => {
                let mut status = Status::new(409, "Conflict", self.to_string());
                status.details.causes = conflicts
                    .iter()
                    .map(|conflict| Cause {
                        reason: "FieldManagerConflict".to_owned(),
                        message: format!("conflict with {}", conflict.manager),
                        field: conflict.field.clone(),
                    })
                    .collect();
                status
            }
            Self::Malformed(why) => Status::bad_request(why.clone()),
            Self::Mistyped(why) => Status::new(500, "", why.clone()),
        }
    }
}

fn conflict_message(conflicts: &[Conflict]) -> String {
    if let [only] = conflicts {
        return format!(
            "Apply failed with 1 conflict: conflict with {}: {}",
            only.manager, only.field
        );
    }
    let mut text = format!("Apply failed with {} conflicts:", conflicts.len());
    let mut managers: Vec<&str> = conflicts.iter().map(|c| c.manager.as_str()).collect();
    managers.sort_unstable();
    managers.dedup();
    for (at, manager) in managers.into_iter().enumerate() {
        let space = if at == 0 { ' ' } else { '\n' };
        // Writing to a text does not fail.
        let _ = write!(text, "{space}conflicts with {manager}:");
        for conflict in conflicts.iter().filter(|c| c.manager == manager) {
            let _ = write!(text, "\n- {}", conflict.field);
        }
    }
    text
}

#[cfg(test)]
mod tests;
