//! Rules of security contexts, of pods and of containers.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{flag, get, int, is_true, list, text, texts};
use std::collections::BTreeSet;

/// Reports what is wrong with a container's security context. `host_users` tells whether the pod
/// shares the host's user namespace.
pub(crate) fn validate_container(
    context: &Value,
    host_users: bool,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    ids(context, &["runAsUser", "runAsGroup"], at, errors);
    if let Some(proc_mount) = get(context, "procMount").and_then(Value::as_str) {
        let at = at.child("procMount");
        if !matches!(proc_mount, "Default" | "Unmasked") {
            errors.not_supported(&at, proc_mount, &["Default", "Unmasked"]);
        }
        if host_users && proc_mount == "Unmasked" {
            errors.invalid(
                &at,
                proc_mount,
                "`hostUsers` must be false to use `Unmasked`",
            );
        }
    }
    seccomp(context, at, errors);
    if flag(context, "allowPrivilegeEscalation") == Some(false) {
        if is_true(context, "privileged") {
            errors.invalid(
                at,
                context.clone(),
                "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
            );
        }
        let added = get(context, "capabilities").unwrap_or(&Value::Null);
        if texts(added, "add").any(|c| c == "CAP_SYS_ADMIN") {
            errors.invalid(
                at,
                context.clone(),
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` \
                 CAP_SYS_ADMIN",
            );
        }
    }
    windows(context, at, errors);
    app_armor(context, at, errors);
}

fn ids(context: &Value, keys: &[&str], at: &At<'_>, errors: &mut ErrorList) {
    for key in keys {
        if let Some(id) = int(context, key) {
            for message in names::user_id(id) {
                errors.invalid(&at.child(key), id, message);
            }
        }
    }
}

/// Reports what is wrong with a pod's security context and the host namespaces beside it.
pub(crate) fn validate_pod(spec: &Value, spec_at: &At<'_>, errors: &mut ErrorList) {
    let at = spec_at.child("securityContext");
    let Some(context) = get(spec, "securityContext") else {
        share_process_namespace(spec, &at, errors);
        return;
    };
    ids(
        context,
        &["fsGroup", "runAsUser", "runAsGroup"],
        &at,
        errors,
    );
    for (i, group) in list(context, "supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or(0);
        for message in names::user_id(group) {
            errors.invalid(&at.child("supplementalGroups").index(i), group, message);
        }
    }
    share_process_namespace(spec, &at, errors);
    sysctls(spec, context, &at.child("sysctls"), errors);
    let policies: [(&str, &[&str]); 3] = [
        ("fsGroupChangePolicy", &["Always", "OnRootMismatch"]),
        ("supplementalGroupsPolicy", &["Merge", "Strict"]),
        // The other one, `MountOption`, is behind a gate that is off by default.
        ("seLinuxChangePolicy", &["Recursive"]),
    ];
    for (key, supported) in policies {
        if let Some(policy) = get(context, key).and_then(Value::as_str)
            && !supported.contains(&policy)
        {
            errors.not_supported(&at.child(key), policy, supported);
        }
    }
    seccomp(context, &at, errors);
    windows(context, &at, errors);
    app_armor(context, &at, errors);
}

fn share_process_namespace(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if is_true(spec, "shareProcessNamespace") && is_true(spec, "hostPID") {
        errors.invalid(
            &at.child("shareProcessNamespace"),
            true,
            "ShareProcessNamespace and HostPID cannot both be enabled",
        );
    }
}

fn sysctls(spec: &Value, context: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, sysctl) in list(context, "sysctls").iter().enumerate() {
        let at = at.index(i);
        let name = text(sysctl, "name");
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        } else if !is_sysctl(name) {
            errors.invalid(
                &at.child("name"),
                name,
                "must have at most 253 characters and match regex \
                 ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
            );
        } else if !seen.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        let name = dotted(name);
        let ipc = ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|p| name.starts_with(p))
            || name == "kernel.sem";
        for (shared, key) in [(name.starts_with("net."), "hostNetwork"), (ipc, "hostIPC")] {
            if shared && is_true(spec, key) {
                let detail = format!("may not be specified when '{key}' is true");
                errors.invalid(&at.child("name"), name.as_str(), detail);
            }
        }
    }
}

/// Whichever of `.` and `/` comes first separates; slashes read as dots and the reverse.
fn dotted(name: &str) -> String {
    match name.find(['.', '/']).and_then(|at| name.get(at..=at)) {
        Some("/") => name
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                other => other,
            })
            .collect(),
        _ => name.to_owned(),
    }
}

fn is_sysctl(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 253
        && name.split(['.', '/']).all(|part| {
            let bytes = part.as_bytes();
            bytes.first().is_some_and(|b| word(*b))
                && bytes.last().is_some_and(|b| word(*b))
                && bytes.iter().all(|b| word(*b) || matches!(b, b'-' | b'_'))
        })
}

fn seccomp(context: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(profile) = get(context, "seccompProfile") else {
        return;
    };
    let at = at.child("seccompProfile");
    let kind = text(profile, "type");
    profile_type(kind, "seccompProfile", &at, errors);
    let local = get(profile, "localhostProfile").and_then(Value::as_str);
    match (kind, local) {
        ("Localhost", None) => errors.required(
            &at.child("localhostProfile"),
            "must be set when seccomp type is Localhost",
        ),
        ("Localhost", Some(path)) => {
            super::paths::descending(path, &at.child("localhostProfile"), errors);
        }
        (_, Some(_)) => errors.invalid(
            &at.child("localhostProfile"),
            profile.clone(),
            "can only be set when seccomp type is Localhost",
        ),
        (_, None) => {}
    }
}

fn profile_type(kind: &str, field: &str, at: &At<'_>, errors: &mut ErrorList) {
    let supported = &["Localhost", "RuntimeDefault", "Unconfined"];
    if kind.is_empty() {
        errors.required(
            &at.child("type"),
            format!("type is required when {field} is set"),
        );
    } else if !supported.contains(&kind) {
        errors.not_supported(&at.child("type"), kind, supported);
    }
}

fn app_armor(context: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(profile) = get(context, "appArmorProfile") {
        app_armor_profile(profile, &at.child("appArmorProfile"), errors);
    }
}

/// Reports what is wrong with an AppArmor profile.
pub(super) fn app_armor_profile(profile: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let kind = text(profile, "type");
    profile_type(kind, "appArmorProfile", at, errors);
    let local_at = at.child("localhostProfile");
    match (
        kind,
        get(profile, "localhostProfile").and_then(Value::as_str),
    ) {
        ("Localhost", Some(local)) if local.trim() != local => {
            errors.invalid(&local_at, local, "must not be padded with whitespace");
        }
        ("Localhost", None | Some("")) => {
            errors.required(&local_at, "must be set when AppArmor type is Localhost");
        }
        ("Localhost", Some(local)) if local.len() > 4095 => errors.too_long(&local_at, 4095),
        ("RuntimeDefault" | "Unconfined", Some(local)) => errors.invalid(
            &local_at,
            local,
            "can only be set when AppArmor type is Localhost",
        ),
        _ => {}
    }
}

fn windows(context: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(options) = get(context, "windowsOptions") else {
        return;
    };
    let at = at.child("windowsOptions");
    let option = |key: &str| get(options, key).and_then(Value::as_str);
    if let Some(name) = option("gmsaCredentialSpecName") {
        let messages = names::dns1123_subdomain(name);
        errors.invalid_each(&at.child("gmsaCredentialSpecName"), name, messages);
    }
    if let Some(spec) = option("gmsaCredentialSpec") {
        let at = at.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid(&at, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > 64 << 10 {
            errors.invalid(&at, spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(name) = option("runAsUserName")
        && let Some(problem) = windows_user(name)
    {
        errors.invalid(&at.child("runAsUserName"), name, problem);
    }
}

/// What is wrong with `DOMAIN\USER` or `USER`.
fn windows_user(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("runAsUserName cannot be an empty string");
    }
    if name.chars().any(char::is_control) {
        return Some("runAsUserName cannot contain control characters");
    }
    let (domain, user) = match name.split_once('\\') {
        None => (None, name),
        Some((_, user)) if user.contains('\\') => {
            return Some("runAsUserName cannot contain more than one backslash");
        }
        Some((domain, user)) => (Some(domain), user),
    };
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            return Some("runAsUserName's Domain length must be under 256 characters");
        }
        let net_bios = !domain.is_empty()
            && domain.len() <= 15
            && !domain.starts_with('.')
            && !domain.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|']);
        let dns = names::dns1123_subdomain(&domain.to_lowercase()).is_empty();
        if !net_bios && !dns {
            return Some("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        return Some("runAsUserName's User cannot be empty");
    }
    if user.len() > 104 {
        return Some("runAsUserName's User length must not be longer than 104 characters");
    }
    if user.chars().all(|c| c == '.' || c == ' ') {
        return Some("runAsUserName's User cannot contain only periods or spaces");
    }
    user.contains([
        '"', '/', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']',
    ])
    .then_some("runAsUserName's User cannot contain the following characters: \"/:;|=,+*?<>@[]")
}
