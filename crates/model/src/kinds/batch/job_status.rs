//! The status of jobs: what a controller may say of one, and what it may not take back.
//!
//! Most rules hold only when something that they speak of changes, so that what older controllers
//! wrote can still be carried on.

use super::indexes;
use crate::Value;
use crate::field::{ErrorList, FieldError};
use crate::kinds::workload::{counts, field};
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, is_true, list, same_field, text};

/// Reports what is wrong with a change of a job's status.
pub(super) fn validate_update(job: &Value, old: &Value) -> ErrorList {
    let change = Change::new(job, old);
    let mut errors = ErrorList::new();
    change.numbers(&mut errors);
    change.conditions(&mut errors);
    change.completion(&mut errors);
    change.finish(&mut errors);
    change.indexes(&mut errors);
    change.success(&mut errors);
    change.not_taken_back(&mut errors);
    errors
}

/// A job's status before and after, with the questions that the rules ask.
struct Change<'a> {
    spec: &'a Value,
    new: &'a Value,
    old: &'a Value,
    at: At<'static>,
}

fn condition(status: &Value, kind: &str) -> bool {
    list(status, "conditions")
        .iter()
        .any(|c| text(c, "type") == kind && text(c, "status") == "True")
}

fn finished(status: &Value) -> bool {
    condition(status, "Complete") || condition(status, "Failed")
}

impl<'a> Change<'a> {
    fn new(job: &'a Value, old: &'a Value) -> Self {
        Self {
            spec: field(job, "spec"),
            new: field(job, "status"),
            old: field(old, "status"),
            at: At::of("status"),
        }
    }

    /// Whether one of the fields changes.
    fn moves(&self, keys: &[&str]) -> bool {
        keys.iter()
            .any(|key| match (int(self.new, key), int(self.old, key)) {
                (None, None) => !same_field(self.new, self.old, key),
                (new, old) => new.unwrap_or(0) != old.unwrap_or(0),
            })
    }

    /// Whether one of the conditions turns true or ceases to be.
    fn turns(&self, kinds: &[&str]) -> bool {
        kinds
            .iter()
            .any(|kind| condition(self.new, kind) != condition(self.old, kind))
    }

    /// Whether the job finishes, or ceases to be finished.
    fn turns_finished(&self) -> bool {
        finished(self.new) != finished(self.old)
    }

    fn is(&self, kind: &str) -> bool {
        condition(self.new, kind)
    }

    fn was(&self, kind: &str) -> bool {
        condition(self.old, kind)
    }

    fn wrong_conditions(&self, why: impl Into<String>, errors: &mut ErrorList) {
        let at = self.at.child("conditions");
        errors.add(FieldError::invalid_unshown(&at.path(), why));
    }

    fn numbers(&self, errors: &mut ErrorList) {
        let keys = ["active", "succeeded", "failed", "ready", "terminating"];
        counts(self.new, &keys, &self.at, errors);
        let at = self.at.child("uncountedTerminatedPods");
        let mut seen = Vec::new();
        for key in ["succeeded", "failed"] {
            let at = at.child(key);
            let uncounted = field(self.new, "uncountedTerminatedPods");
            for (i, uid) in list(uncounted, key).iter().enumerate() {
                if uid == "" {
                    errors.invalid(&at.index(i), "", "must not be empty");
                } else if seen.contains(&uid) {
                    errors.duplicate(&at.index(i), uid.clone());
                } else {
                    seen.push(uid);
                }
            }
        }
    }

    fn conditions(&self, errors: &mut ErrorList) {
        for other in ["Failed", "FailureTarget"] {
            if self.turns(&["Complete", other]) && self.is("Complete") && self.is(other) {
                // Upstream writes one of them in another case.
                let shown = if other == "Failed" {
                    "Failed=true"
                } else {
                    "FailureTarget=true"
                };
                let why = format!("cannot set Complete=True and {shown} conditions");
                self.wrong_conditions(why, errors);
            }
        }
    }

    fn completion(&self, errors: &mut ErrorList) {
        let at = self.at.child("completionTime");
        let time = |key: &str| get(self.new, key).and_then(Value::as_str);
        let (start, end) = (time("startTime"), time("completionTime"));
        if self.turns(&["Complete"]) || self.moves(&["completionTime"]) {
            match end {
                Some(end) if !self.is("Complete") => errors.invalid(
                    &at,
                    end,
                    "cannot set completionTime when there is no Complete=True condition",
                ),
                None if self.is("Complete") => {
                    errors.required(&at, "completionTime is required for Complete jobs");
                }
                _ => {}
            }
        }
        // Times are kept in UTC and in one format, so they sort as texts.
        if self.moves(&["startTime", "completionTime"])
            && let (Some(start), Some(end)) = (start, end)
            && end < start
        {
            errors.invalid(&at, end, "completionTime cannot be set before startTime");
        }
    }

    fn finish(&self, errors: &mut ErrorList) {
        if self.turns(&["Failed", "FailureTarget"])
            && self.is("Failed")
            && !self.is("FailureTarget")
        {
            let why = "cannot set Failed=True condition without the FailureTarget=true condition";
            self.wrong_conditions(why, errors);
        }
        if self.turns(&["Complete", "SuccessCriteriaMet"])
            && self.is("Complete")
            && !self.is("SuccessCriteriaMet")
        {
            let why =
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition";
            self.wrong_conditions(why, errors);
        }
        if !finished(self.new) {
            return;
        }
        let now = self.turns_finished();
        let active = int(self.new, "active").unwrap_or(0);
        if active > 0 && (now || self.moves(&["active"])) {
            let at = self.at.child("active");
            errors.invalid(&at, active, "active>0 is invalid for finished job");
        }
        if get(self.new, "startTime").is_none() && (now || self.moves(&["startTime"])) {
            let at = self.at.child("startTime");
            errors.required(&at, "startTime is required for finished job");
        }
        let uncounted = field(self.new, "uncountedTerminatedPods");
        let some =
            !list(uncounted, "failed").is_empty() || !list(uncounted, "succeeded").is_empty();
        if some && (now || self.moves(&["uncountedTerminatedPods"])) {
            let at = self.at.child("uncountedTerminatedPods");
            let why = "uncountedTerminatedPods needs to be empty for finished job";
            errors.invalid(&at, uncounted.clone(), why);
        }
    }

    fn indexes(&self, errors: &mut ErrorList) {
        let (done_at, failed_at) = (
            self.at.child("completedIndexes"),
            self.at.child("failedIndexes"),
        );
        let done = text(self.new, "completedIndexes");
        let failed = get(self.new, "failedIndexes").and_then(Value::as_str);
        let (done_moves, failed_moves) = (
            self.moves(&["completedIndexes"]),
            failed != get(self.old, "failedIndexes").and_then(Value::as_str),
        );
        let completions = int(self.spec, "completions");
        let per_index = get(self.spec, "backoffLimitPerIndex").is_some();
        if done_moves
            && let Some(completions) = completions
            && let Err(why) = indexes::count(done, completions)
        {
            errors.invalid(
                &done_at,
                done,
                format!("error parsing completedIndexes: {why}"),
            );
        }
        if failed_moves
            && per_index
            && let (Some(completions), Some(failed)) = (completions, failed)
            && let Err(why) = indexes::count(failed, completions)
        {
            errors.invalid(
                &failed_at,
                failed,
                format!("error parsing failedIndexes: {why}"),
            );
        }
        if done_moves && !done.is_empty() && text(self.spec, "completionMode") != "Indexed" {
            let why = "cannot set non-empty completedIndexes when non-indexed completion mode";
            errors.invalid(&done_at, done, why);
        }
        let Some(failed) = failed else { return };
        if failed_moves && !per_index {
            let why = "cannot set non-null failedIndexes when backoffLimitPerIndex is null";
            errors.invalid(&failed_at, failed, why);
        }
        if (done_moves || failed_moves)
            && let Some(completions) = completions
            && let Some(both) = indexes::common(done, failed, completions)
        {
            let why = format!("failedIndexes and completedIndexes overlap at index: {both}");
            errors.invalid(&failed_at, failed, why);
        }
    }

    fn success(&self, errors: &mut ErrorList) {
        let terminating = int(self.new, "terminating").unwrap_or(0);
        if finished(self.new)
            && terminating > 0
            && (self.turns_finished() || self.moves(&["terminating"]))
        {
            let at = self.at.child("terminating");
            errors.invalid(
                &at,
                terminating,
                "terminating>0 is invalid for finished job",
            );
        }
        let ready = int(self.new, "ready").unwrap_or(0);
        if self.moves(&["ready", "active"]) && ready > int(self.new, "active").unwrap_or(0) {
            let at = self.at.child("ready");
            errors.invalid(&at, ready, "cannot set more ready pods than active");
        }
        let met = self.is("SuccessCriteriaMet");
        for (other, shown) in [
            ("Failed", "Failed=true"),
            ("FailureTarget", "FailureTarget=true"),
        ] {
            if met && self.is(other) {
                let why = format!("cannot set SuccessCriteriaMet=True and {shown} conditions");
                self.wrong_conditions(why, errors);
            }
        }
        if get(self.spec, "successPolicy").is_some() && !met && self.is("Complete") {
            let why = "cannot set Complete=True for Job with SuccessPolicy unless \
                       SuccessCriteriaMet=True";
            self.wrong_conditions(why, errors);
        }
    }

    fn not_taken_back(&self, errors: &mut ErrorList) {
        for kind in ["Failed", "Complete", "FailureTarget"] {
            if self.was(kind) && !self.is(kind) {
                let why = format!("cannot disable the terminal {kind}=True condition");
                self.wrong_conditions(why, errors);
            }
        }
        // An indexed job whose two numbers go together may be made smaller.
        let shrinks = text(self.spec, "completionMode") == "Indexed"
            && same_number(self.spec, "completions", "parallelism");
        for (key, may_shrink) in [("failed", false), ("succeeded", shrinks)] {
            let (new, old) = (
                int(self.new, key).unwrap_or(0),
                int(self.old, key).unwrap_or(0),
            );
            if new < old && !may_shrink {
                let why = format!("cannot decrease the {key} counter");
                errors.invalid(&self.at.child(key), new, why);
            }
        }
        let both = |key: &str| Some((get(self.new, key)?, get(self.old, key)?));
        if let Some((new, old)) = both("completionTime")
            && new != old
        {
            let at = self.at.child("completionTime");
            errors.invalid(&at, new.clone(), "completionTime cannot be mutated");
        }
        let started = get(self.old, "startTime").is_some();
        if started && self.moves(&["startTime"]) && !is_true(self.spec, "suspend") {
            let at = self.at.child("startTime");
            errors.required(&at, "startTime cannot be removed for unsuspended job");
        }
        let (met, was_met) = (
            self.is("SuccessCriteriaMet"),
            self.was("SuccessCriteriaMet"),
        );
        if was_met && !met {
            let why = "cannot disable the SuccessCriteriaMet=True condition";
            self.wrong_conditions(why, errors);
        }
        if self.was("Complete") && !was_met && met {
            let why = "cannot set SuccessCriteriaMet=True for Job already has Complete=true \
                       conditions";
            self.wrong_conditions(why, errors);
        }
    }
}

fn same_number(spec: &Value, one: &str, other: &str) -> bool {
    int(spec, one) == int(spec, other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const START: &str = "2024-01-01T00:00:00Z";
    const END: &str = "2024-01-01T00:01:00Z";

    fn conditions(kinds: &[&str]) -> Value {
        kinds
            .iter()
            .map(|kind| json!({"type": kind, "status": "True"}))
            .collect()
    }

    fn check(spec: &Value, old: &Value, new: &Value) -> String {
        let of = |status: &Value| json!({"spec": spec, "status": status});
        let errors = validate_update(&of(new), &of(old));
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn the_life_of_a_job() {
        let spec = json!({"completions": 3, "parallelism": 1, "completionMode": "NonIndexed"});
        let done = json!({
            "startTime": START, "completionTime": END, "succeeded": 3,
            "conditions": conditions(&["SuccessCriteriaMet", "Complete"]),
        });
        let failed = json!({
            "startTime": START, "failed": 7, "succeeded": 1, "conditions": conditions(&["FailureTarget", "Failed"]),
        });
        let running = json!({"startTime": START, "active": 1, "ready": 1, "succeeded": 1});
        for (old, new) in [
            (json!({}), running.clone()),
            (running.clone(), done.clone()),
            (running.clone(), failed.clone()),
            (done.clone(), done.clone()),
            // What was wrong before may stay.
            (
                json!({"active": 1, "conditions": conditions(&["Complete"])}),
                json!({"active": 1, "ready": 0, "conditions": conditions(&["Complete"])}),
            ),
        ] {
            assert_eq!(check(&spec, &old, &new), "", "{new}");
        }
        let with = |base: &Value, key: &str, value: Value| {
            let mut changed = base.clone();
            changed[key] = value;
            changed
        };
        let cases = [
            (
                &running,
                with(&running, "active", json!(-1)),
                "status.active: Invalid value: -1: must be greater than or equal to 0; status.ready: Invalid value: 1: cannot set more ready pods than active",
            ),
            (
                &running,
                with(&running, "completionTime", json!(END)),
                "status.completionTime: Invalid value: \"2024-01-01T00:01:00Z\": cannot set completionTime when there is no Complete=True condition",
            ),
            (
                &running,
                with(&done, "completionTime", Value::Null),
                "status.completionTime: Required value: completionTime is required for Complete jobs",
            ),
            (
                &running,
                with(&done, "completionTime", json!("2023-01-01T00:00:00Z")),
                "status.completionTime: Invalid value: \"2023-01-01T00:00:00Z\": completionTime cannot be set before startTime",
            ),
            (
                &done,
                with(&done, "completionTime", json!("2024-01-01T00:02:00Z")),
                "status.completionTime: Invalid value: \"2024-01-01T00:02:00Z\": completionTime cannot be mutated",
            ),
            (
                &running,
                with(&done, "active", json!(1)),
                "status.active: Invalid value: 1: active>0 is invalid for finished job",
            ),
            (
                &running,
                with(&done, "terminating", json!(2)),
                "status.terminating: Invalid value: 2: terminating>0 is invalid for finished job",
            ),
            (
                &running,
                with(&done, "uncountedTerminatedPods", json!({"failed": ["u"]})),
                "status.uncountedTerminatedPods: Invalid value: {\"failed\":[\"u\"]}: uncountedTerminatedPods needs to be empty for finished job",
            ),
            (
                &running,
                with(
                    &running,
                    "uncountedTerminatedPods",
                    json!({"succeeded": ["", "u", "u"]}),
                ),
                "status.uncountedTerminatedPods.succeeded[0]: Invalid value: \"\": must not be empty; status.uncountedTerminatedPods.succeeded[2]: Duplicate value: \"u\"",
            ),
            (
                &running,
                with(&done, "conditions", conditions(&["Complete"])),
                "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
            ),
            (
                &running,
                with(&failed, "conditions", conditions(&["Failed"])),
                "status.conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition",
            ),
            (
                &done,
                with(&done, "conditions", conditions(&["Complete"])),
                "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition; status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition",
            ),
            (
                &failed,
                with(&failed, "conditions", conditions(&["FailureTarget"])),
                "status.conditions: Invalid value: cannot disable the terminal Failed=True condition",
            ),
            (
                &failed,
                with(&failed, "failed", json!(1)),
                "status.failed: Invalid value: 1: cannot decrease the failed counter",
            ),
            (
                &running,
                with(&running, "succeeded", json!(0)),
                "status.succeeded: Invalid value: 0: cannot decrease the succeeded counter",
            ),
            (
                &running,
                with(&running, "startTime", json!(END)),
                "status.startTime: Required value: startTime cannot be removed for unsuspended job",
            ),
            (
                &running,
                with(&running, "ready", json!(2)),
                "status.ready: Invalid value: 2: cannot set more ready pods than active",
            ),
            (
                &running,
                with(&running, "completedIndexes", json!("1")),
                "status.completedIndexes: Invalid value: \"1\": cannot set non-empty completedIndexes when non-indexed completion mode",
            ),
            (
                &running,
                with(&running, "failedIndexes", json!("1")),
                "status.failedIndexes: Invalid value: \"1\": cannot set non-null failedIndexes when backoffLimitPerIndex is null",
            ),
        ];
        for (old, new, want) in cases {
            assert_eq!(check(&spec, old, &new), want, "{new}");
        }
        let both = json!({
            "startTime": START, "completionTime": END,
            "conditions": conditions(&["SuccessCriteriaMet", "FailureTarget", "Complete", "Failed"]),
        });
        assert_eq!(
            check(&spec, &running, &both)
                .matches("status.conditions: Invalid value: cannot")
                .count(),
            4
        );
    }

    #[test]
    fn indexed_jobs() {
        let spec = json!({
            "completions": 5, "parallelism": 5, "completionMode": "Indexed",
            "backoffLimitPerIndex": 1,
        });
        let old = json!({"startTime": START, "succeeded": 2, "completedIndexes": "0,1"});
        let status = |done: &str, failed: &str| {
            json!({"startTime": START, "succeeded": 2, "completedIndexes": done,
                "failedIndexes": failed})
        };
        let cases = [
            (status("0,1", "2-4"), ""),
            (
                status("0,7", "2"),
                "status.completedIndexes: Invalid value: \"0,7\": error parsing completedIndexes: too large index: \"7\"",
            ),
            (
                status("0,1", "x"),
                "status.failedIndexes: Invalid value: \"x\": error parsing failedIndexes: cannot convert string to integer for index: \"x\"",
            ),
            (
                status("0-3", "2"),
                "status.failedIndexes: Invalid value: \"2\": failedIndexes and completedIndexes overlap at index: 2",
            ),
        ];
        for (new, want) in cases {
            assert_eq!(check(&spec, &old, &new), want, "{new}");
        }
        // It may be made smaller.
        assert_eq!(
            check(&spec, &old, &json!({"startTime": START, "succeeded": 1})),
            ""
        );
    }
}
