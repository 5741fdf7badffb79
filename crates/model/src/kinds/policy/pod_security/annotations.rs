//! The annotations by which a policy speaks of seccomp and AppArmor profiles.

use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::{Value, meta};

pub(super) fn validate(policy: &Value, errors: &mut ErrorList) {
    let annotations = meta::annotations(policy);
    let at = At::of("metadata.annotations");
    let given = |key| annotations.get(key).copied().unwrap_or_default();

    let key = "apparmor.security.beta.kubernetes.io/defaultProfileName";
    let profile = given(key);
    if !profile.is_empty() {
        app_armor(profile, profile, &at.key(key), errors);
    }
    let key = "apparmor.security.beta.kubernetes.io/allowedProfileNames";
    let all = given(key);
    for profile in all.split(',').filter(|_| !all.is_empty()) {
        app_armor(profile, all, &at.key(key), errors);
    }
    let key = "seccomp.security.alpha.kubernetes.io/defaultProfileName";
    let profile = given(key);
    if !profile.is_empty() {
        seccomp(profile, &at.key(key), errors);
    }
    let key = "seccomp.security.alpha.kubernetes.io/allowedProfileNames";
    let all = given(key);
    for profile in all.split(',').filter(|p| !all.is_empty() && *p != "*") {
        seccomp(profile, &at.key(key), errors);
    }
}

fn app_armor(profile: &str, shown: &str, at: &At<'_>, errors: &mut ErrorList) {
    let known = matches!(profile, "" | "runtime/default" | "unconfined");
    if !known && !profile.starts_with("localhost/") {
        errors.invalid(
            at,
            shown,
            format!("invalid AppArmor profile name: {profile:?}"),
        );
    }
}

fn seccomp(profile: &str, at: &At<'_>, errors: &mut ErrorList) {
    if matches!(profile, "runtime/default" | "docker/default" | "unconfined") {
        return;
    }
    let Some(path) = profile.strip_prefix("localhost/") else {
        errors.invalid(at, profile, "must be a valid seccomp profile");
        return;
    };
    if path.starts_with('/') {
        errors.invalid(at, path, "must be a relative path");
    }
    if path.split('/').any(|part| part == "..") {
        errors.invalid(at, path, "must not contain '..'");
    }
}
