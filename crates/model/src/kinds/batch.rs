//! `batch`: jobs, and the schedules that make them.

mod cron_job;
mod indexes;
mod job;
mod job_policies;
mod job_spec;
mod job_status;
mod schedule;
mod zones;

use crate::resource::Behavior;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    Some(match plural {
        "cronjobs" => cron_job::behavior(),
        "jobs" => job::behavior(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
