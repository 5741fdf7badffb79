//! The rules of a job's spec, as it stands in jobs and in cron jobs.

use super::job_policies;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::pod_template;
use crate::kinds::workload::{counts, field};
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, text};

/// The most pods of an indexed job that may run at once.
const PARALLEL_MAX: i64 = 100_000;
/// Above so many completions, a job that counts failures per index has narrower limits.
const COMPLETIONS_HIGH: i64 = 100_000;
/// Those limits: of pods at once, and of indexes that may fail.
const LIMIT_WHEN_HIGH: i64 = 10_000;
const MANAGER_MAX: usize = 63;

/// Reports what is wrong with a job's spec, but for its selector.
pub(super) fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let numbers = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    counts(spec, &numbers, at, errors);
    let has = |key: &str| get(spec, key).is_some();
    if has("maxFailedIndexes") && !has("backoffLimitPerIndex") {
        let at = at.child("backoffLimitPerIndex");
        errors.required(&at, "when maxFailedIndexes is specified");
    }
    if has("managedBy") {
        manager(text(spec, "managedBy"), &at.child("managedBy"), errors);
    }
    completion_mode(spec, at, errors);
    if let Some(policy) = get(spec, "podFailurePolicy") {
        let at = at.child("podFailurePolicy");
        job_policies::failure(spec, policy, &at, errors);
    }
    if let Some(policy) = get(spec, "successPolicy") {
        let at = at.child("successPolicy");
        if text(spec, "completionMode") == "Indexed" {
            job_policies::success(spec, policy, &at, errors);
        } else {
            errors.invalid(&at, policy.clone(), "requires indexed completion mode");
        }
    }
    if has("podReplacementPolicy") {
        let policy = text(spec, "podReplacementPolicy");
        let supported: &[&str] = if has("podFailurePolicy") {
            &["Failed"]
        } else {
            &["Failed", "TerminatingOrFailed"]
        };
        if !supported.contains(&policy) {
            errors.not_supported(&at.child("podReplacementPolicy"), policy, supported);
        }
    }
    let template_at = at.child("template");
    pod_template::validate(field(spec, "template"), &template_at, errors);
    restart_policy(spec, &template_at.child("spec"), errors);
}

/// The pods of a job end, so they cannot be restarted for ever.
fn restart_policy(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("restartPolicy");
    let pod = field(field(spec, "template"), "spec");
    match text(pod, "restartPolicy") {
        // `Always` is what it reads after defaulting if the client said nothing.
        "" | "Always" => errors.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" if get(spec, "podFailurePolicy").is_some() => errors.invalid(
            &at,
            "OnFailure",
            "only \"Never\" is supported when podFailurePolicy is specified",
        ),
        "OnFailure" | "Never" => {}
        other => errors.not_supported_in_order(&at, other, &["OnFailure", "Never"]),
    }
}

fn manager(name: &str, at: &At<'_>, errors: &mut ErrorList) {
    if name.is_empty() {
        errors.required(at, "");
    } else {
        match name.split_once('/') {
            Some((domain, path)) if !domain.is_empty() && !path.is_empty() => {
                errors.invalid_each(at, domain, names::dns1123_subdomain(domain));
                if !names::is_http_path(path) {
                    let why =
                        names::regex_error("Invalid path", r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", &[]);
                    errors.invalid(at, path, why);
                }
            }
            _ => errors.invalid(
                at,
                name,
                "must be a domain-prefixed path (such as \"acme.io/foo\")",
            ),
        }
    }
    if name.len() > MANAGER_MAX {
        errors.too_long(at, MANAGER_MAX);
    }
}

fn completion_mode(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let mode = text(spec, "completionMode");
    if !matches!(mode, "" | "Indexed" | "NonIndexed") {
        let supported = ["NonIndexed", "Indexed"];
        errors.not_supported_in_order(&at.child("completionMode"), mode, &supported);
    }
    match mode {
        "Indexed" => indexed(spec, at, errors),
        "" | "NonIndexed" => {
            for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
                if let Some(number) = get(spec, key) {
                    let why = "requires indexed completion mode";
                    errors.invalid(&at.child(key), number.clone(), why);
                }
            }
        }
        _ => {}
    }
}

fn indexed(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let (completions_at, parallel_at) = (at.child("completions"), at.child("parallelism"));
    let failed_at = at.child("maxFailedIndexes");
    let completions = int(spec, "completions");
    let parallelism = int(spec, "parallelism").unwrap_or(0);
    let failed = int(spec, "maxFailedIndexes");
    if completions.is_none() {
        errors.required(&completions_at, "when completion mode is Indexed");
    }
    if parallelism > PARALLEL_MAX {
        errors.invalid(
            &parallel_at,
            parallelism,
            format!("must be less than or equal to {PARALLEL_MAX} when completion mode is Indexed"),
        );
    }
    let Some(completions) = completions else {
        return;
    };
    if let Some(failed) = failed.filter(|failed| *failed > completions) {
        let why = "must be less than or equal to completions";
        errors.invalid(&failed_at, failed, why);
    }
    if completions <= COMPLETIONS_HIGH || get(spec, "backoffLimitPerIndex").is_none() {
        return;
    }
    let limit = format!(
        "must be less than or equal to {LIMIT_WHEN_HIGH} when completions are above \
         {COMPLETIONS_HIGH} and used with backoff limit per index"
    );
    match failed {
        None => errors.required(
            &failed_at,
            format!("must be specified when completions is above {COMPLETIONS_HIGH}"),
        ),
        Some(failed) if failed > LIMIT_WHEN_HIGH => {
            errors.invalid(&failed_at, failed, limit.as_str());
        }
        Some(_) => {}
    }
    if parallelism > LIMIT_WHEN_HIGH {
        errors.invalid(&parallel_at, parallelism, limit);
    }
}
