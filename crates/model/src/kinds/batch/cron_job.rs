//! CronJobs.

use super::{job_policies, job_spec, schedule, zones};
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::kinds::neutral;
use crate::kinds::workload::{self, counts, field};
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, is_true, text};
use crate::{Value, meta};

/// The longest name: jobs are named after it, with a suffix of eleven characters.
const NAME_MAX: usize = names::LABEL_MAX - 11;

/// The rules of cron jobs.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        validate_create: |job| {
            let mut errors = validate_spec(job, None);
            let name = meta::name(job);
            if name.len() > NAME_MAX {
                let at = At::of("metadata.name");
                errors.invalid(&at, name, "must be no more than 52 characters");
            }
            errors
        },
        validate_update: |job, old, subresource| match subresource {
            "status" => ErrorList::new(),
            _ => validate_spec(job, Some(old)),
        },
        warnings: |job, old| {
            workload::warnings(job, old, &["spec", "jobTemplate", "spec", "template"])
        },
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, job: &mut Value) {
    let Some(spec) = workload::spec_mut(job) else {
        return;
    };
    fill::text(spec, "concurrencyPolicy", "Allow");
    fill::absent(spec, "suspend", false);
    fill::absent(spec, "successfulJobsHistoryLimit", 3);
    fill::absent(spec, "failedJobsHistoryLimit", 1);
    fill::empty_map(spec, "jobTemplate");
    if let Some(template) = fill::map(spec, "jobTemplate") {
        fill::empty_map(template, "metadata");
        fill::empty_map(template, "spec");
        if let Some(spec) = fill::map(template, "spec") {
            // The job itself gets its defaults when it is made.
            job_policies::default(spec);
            workload::default_template(spec);
        }
    }
}

fn validate_spec(job: &Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(job, "spec");
    let old = old.map(|old| field(old, "spec"));
    let at = At::of("spec");
    validate_schedule(spec, old, &at.child("schedule"), &mut errors);
    counts(spec, &["startingDeadlineSeconds"], &at, &mut errors);
    let zone = get(spec, "timeZone").and_then(Value::as_str);
    let old_zone = old.map(|old| get(old, "timeZone").and_then(Value::as_str));
    if old_zone.is_none_or(|old| old != zone) {
        time_zone(zone, &at.child("timeZone"), &mut errors);
    }
    let policy_at = at.child("concurrencyPolicy");
    match text(spec, "concurrencyPolicy") {
        "Allow" | "Forbid" | "Replace" => {}
        "" => errors.required(&policy_at, ""),
        other => errors.not_supported(&policy_at, other, &["Allow", "Forbid", "Replace"]),
    }
    let template = field(field(spec, "jobTemplate"), "spec");
    validate_template(
        template,
        &at.child("jobTemplate").child("spec"),
        &mut errors,
    );
    let limits = ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"];
    counts(spec, &limits, &at, &mut errors);
    errors
}

fn validate_schedule(spec: &Value, old: Option<&Value>, at: &At<'_>, errors: &mut ErrorList) {
    let schedule = text(spec, "schedule");
    if schedule.is_empty() {
        errors.required(at, "");
        return;
    }
    if let Err(why) = schedule::check(schedule) {
        errors.invalid(at, schedule, why);
    }
    if !schedule.contains("TZ") {
        return;
    }
    // Once it could be written so, and what is stored may stay.
    let tolerated = old.is_some_and(|old| text(old, "schedule").contains("TZ"));
    if !tolerated {
        let why = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
        errors.invalid(at, schedule, why);
    } else if get(spec, "timeZone").is_some() {
        let why = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
        errors.invalid(at, schedule, why);
    }
}

/// Reports what is not the name of a time zone.
fn time_zone(zone: Option<&str>, at: &At<'_>, errors: &mut ErrorList) {
    let Some(zone) = zone else { return };
    if zone.is_empty() {
        errors.invalid(at, zone, "timeZone must be nil or non-empty string");
        return;
    }
    let odd = |part: &str| {
        matches!(part, "." | "..")
            || part.starts_with('-')
            || part.is_empty()
            || part.len() > 14
            || !part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_+".contains(&b))
    };
    if zone.split('/').any(odd) {
        errors.invalid(at, zone, format!("unknown time zone {zone}"));
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        errors.invalid(
            at,
            zone,
            "timeZone must be an explicit time zone as defined in \
             https://www.iana.org/time-zones",
        );
    }
    if let Err(why) = zones::check(zone) {
        errors.invalid(at, zone, why);
    }
}

fn validate_template(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    job_spec::validate(spec, at, errors);
    // Jobs that are made from a template always get a selector of their own.
    if let Some(selector) = get(spec, "selector") {
        let at = at.child("selector");
        errors.invalid(&at, selector.clone(), "`selector` will be auto-generated");
    }
    if is_true(spec, "manualSelector") {
        errors.not_supported_in_order(&at.child("manualSelector"), true, &["nil", "false"]);
    }
}
