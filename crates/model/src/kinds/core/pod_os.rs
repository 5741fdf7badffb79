//! Rules that follow from a pod's operating system (`spec.os`), and of Windows host processes.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{flag, get, is_blank, is_true, list, text};

/// Reports an unknown OS, and fields that the given one does not have.
pub(crate) fn validate(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(os) = get(spec, "os") else {
        return;
    };
    let os_at = at.child("os");
    match text(os, "name") {
        "" => errors.required(&os_at.child("name"), "cannot be empty"),
        "linux" => linux(spec, at, errors),
        "windows" => windows(spec, at, errors),
        other => errors.not_supported(&os_at, other, &["linux", "windows"]),
    }
}

const CONTAINER_LISTS: &[&str] = &["initContainers", "containers", "ephemeralContainers"];

fn security(holder: &Value) -> &Value {
    holder.get("securityContext").unwrap_or(&Value::Null)
}

fn linux(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let detail = "windows options cannot be set for a linux pod";
    if get(security(spec), "windowsOptions").is_some() {
        errors.forbidden(&at.child("securityContext").child("windowsOptions"), detail);
    }
    for key in CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            if get(security(container), "windowsOptions").is_some() {
                let at = list_at.index(i);
                errors.forbidden(&at.child("securityContext").child("windowsOptions"), detail);
            }
        }
    }
}

fn windows(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let detail = "cannot be set for a windows pod";
    for key in ["hostPID", "hostIPC"] {
        if is_true(spec, key) {
            errors.forbidden(&at.child(key), detail);
        }
    }
    if get(spec, "hostUsers").is_some() {
        errors.forbidden(&at.child("hostUsers"), detail);
    }
    if get(spec, "shareProcessNamespace").is_some() {
        errors.forbidden(&at.child("shareProcessNamespace"), detail);
    }
    let context_at = at.child("securityContext");
    for key in [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "fsGroup",
        "fsGroupChangePolicy",
        "sysctls",
        "runAsUser",
        "runAsGroup",
        "supplementalGroups",
        "supplementalGroupsPolicy",
        "seLinuxChangePolicy",
    ] {
        let value = get(security(spec), key);
        let list_like = matches!(key, "sysctls" | "supplementalGroups");
        if value.is_some() && !(list_like && is_blank(value)) {
            errors.forbidden(&context_at.child(key), detail);
        }
    }
    for key in CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            let container_at = list_at.index(i);
            let at = container_at.child("securityContext");
            for key in [
                "appArmorProfile",
                "capabilities",
                "readOnlyRootFilesystem",
                "privileged",
                "allowPrivilegeEscalation",
                "procMount",
                "runAsUser",
                "runAsGroup",
                "seLinuxOptions",
                "seccompProfile",
            ] {
                if get(security(container), key).is_some() {
                    errors.forbidden(&at.child(key), detail);
                }
            }
        }
    }
}

/// Reports pods of which only some containers run as Windows host processes, or without the
/// host's network.
pub(crate) fn host_process(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let wanted = |holder: &Value| {
        get(security(holder), "windowsOptions").and_then(|o| flag(o, "hostProcess"))
    };
    let of_pod = wanted(spec);
    let (mut all, mut host) = (0, 0);
    for key in CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            all += 1;
            let own = wanted(container);
            if let (Some(pod), Some(own)) = (of_pod, own)
                && pod != own
            {
                let container_at = list_at.index(i);
                let context_at = container_at.child("securityContext");
                errors.invalid(
                    &context_at.child("windowsOptions").child("hostProcess"),
                    own,
                    format!(
                        "pod hostProcess value must be identical if both are specified, was {pod}"
                    ),
                );
            }
            if own.or(of_pod) == Some(true) {
                host += 1;
            }
        }
    }
    if host == 0 {
        return;
    }
    if host != all {
        errors.invalid(
            at,
            "",
            "If pod contains any hostProcess containers then all containers must be HostProcess \
             containers",
        );
    }
    if !super::pod_spec::uses_host_network(spec) {
        errors.invalid(
            &at.child("hostNetwork"),
            false,
            "hostNetwork must be true if pod contains any hostProcess containers",
        );
    }
}
