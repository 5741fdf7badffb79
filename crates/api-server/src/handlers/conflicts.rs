//! What a client is told of an apply that was refused.

use crate::served::Served;
use model::apply::{ApplyError, Conflict};
use model::status::{Cause, Status};
use std::fmt::Write;

/// The refusal in upstream's words.
pub fn status(served: &Served, name: &str, error: ApplyError) -> Status {
    match error {
        ApplyError::Malformed(why) => Status::bad_request(why),
        ApplyError::Conflicts(conflicts) => {
            let mut status = Status::new(409, "Conflict", message(&conflicts));
            status.details.name = name.to_owned();
            status.details.group = served.resource.group.clone().into_owned();
            status.details.kind = served.resource.plural.clone().into_owned();
            status.details.causes = conflicts
                .into_iter()
                .map(|c| Cause {
                    reason: "FieldManagerConflict".to_owned(),
                    message: format!("conflict with {}", c.manager),
                    field: c.field,
                })
                .collect();
            status
        }
    }
}

/// One line for one conflict; else one paragraph per manager with its fields.
fn message(conflicts: &[Conflict]) -> String {
    let count = conflicts.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut out = format!("Apply failed with {count} conflict{plural}: ");
    if let [one] = conflicts {
        let _ = write!(out, "conflict with {}: {}", one.manager, one.field);
        return out;
    }
    let mut managers: Vec<&str> = Vec::new();
    for conflict in conflicts {
        if !managers.contains(&conflict.manager.as_str()) {
            managers.push(&conflict.manager);
        }
    }
    for (i, manager) in managers.into_iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let _ = write!(out, "conflicts with {manager}:");
        for conflict in conflicts.iter().filter(|c| c.manager == manager) {
            let _ = write!(out, "\n- {}", conflict.field);
        }
    }
    out
}
