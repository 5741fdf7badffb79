//! The sysctls that a policy allows and forbids: names, or beginnings of names followed by `*`.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::texts;

const LENGTH_MAX: usize = 253;
const PATTERN: &str = r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?\.)*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]";

pub(super) fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let allowed: Vec<_> = texts(spec, "allowedUnsafeSysctls").collect();
    let forbidden: Vec<_> = texts(spec, "forbiddenSysctls").collect();
    let allowed_at = at.child("allowedUnsafeSysctls");
    let forbidden_at = at.child("forbiddenSysctls");
    patterns(&allowed, &allowed_at, errors);
    patterns(&forbidden, &forbidden_at, errors);
    for (i, yes) in allowed.iter().enumerate() {
        for (j, no) in forbidden.iter().enumerate() {
            // The more special of two that overlap is the one complained about.
            if covers(no, yes) {
                let detail = format!("sysctl overlaps with {no}");
                errors.invalid(&allowed_at.index(i), *yes, detail);
            } else if covers(yes, no) {
                let detail = format!("sysctl overlaps with {yes}");
                errors.invalid(&forbidden_at.index(j), *no, detail);
            }
        }
    }
}

/// Whether everything that `inner` names is named by `outer`.
fn covers(outer: &str, inner: &str) -> bool {
    match outer.strip_suffix('*') {
        Some(prefix) => inner.strip_suffix('*').unwrap_or(inner).starts_with(prefix),
        None => outer == inner,
    }
}

fn patterns(sysctls: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    for (i, sysctl) in sysctls.iter().enumerate() {
        if sysctl.is_empty() {
            errors.invalid(&at.index(i), *sysctl, "empty sysctl not allowed");
        } else if sysctl.len() > LENGTH_MAX || !is_pattern(sysctl) {
            let detail =
                format!("must have at most {LENGTH_MAX} characters and match regex {PATTERN}");
            errors.invalid(&at.index(i), *sysctl, detail);
        }
    }
    if sysctls.len() > 1 && sysctls.contains(&"*") {
        errors.forbidden(
            &at.child("items"),
            "if '*' is present, must not specify other sysctls",
        );
    }
}

fn is_pattern(sysctl: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = |c: char| edge(c) || matches!(c, '-' | '_');
    let (parents, last) = match sysctl.rfind('.') {
        Some(at) => (sysctl.get(..at), sysctl.get(at + 1..).unwrap_or_default()),
        None => (None, sysctl),
    };
    let parent_ok =
        |part: &str| part.starts_with(edge) && part.ends_with(edge) && part.chars().all(inner);
    let last_ok = match last.strip_suffix('*') {
        Some(stem) => stem.is_empty() || (stem.starts_with(edge) && stem.chars().all(inner)),
        None => parent_ok(last),
    };
    last_ok && parents.is_none_or(|parents| parents.split('.').all(parent_ok))
}
