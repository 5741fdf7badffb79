//! Rules of probes and lifecycle hooks.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, list, text};

/// Reports what is wrong with the three probes of a container.
pub(crate) fn validate_probes(container: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = get(container, key) else {
            continue;
        };
        let at = at.child(key);
        validate_probe(probe, &at, errors);
        if key == "readinessProbe" {
            if let Some(grace) = get(probe, "terminationGracePeriodSeconds") {
                errors.invalid(
                    &at.child("terminationGracePeriodSeconds"),
                    grace.clone(),
                    "must not be set for readinessProbes",
                );
            }
        } else {
            let threshold = int(probe, "successThreshold").unwrap_or(0);
            if threshold != 1 {
                errors.invalid(&at.child("successThreshold"), threshold, "must be 1");
            }
        }
    }
}

fn validate_probe(probe: &Value, at: &At<'_>, errors: &mut ErrorList) {
    handler(probe, PROBE_HANDLERS, None, at, errors);
    for key in [
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ] {
        errors.non_negative(&at.child(key), int(probe, key).unwrap_or(0));
    }
    if let Some(grace) = int(probe, "terminationGracePeriodSeconds")
        && grace <= 0
    {
        errors.invalid(
            &at.child("terminationGracePeriodSeconds"),
            grace,
            "must be greater than 0",
        );
    }
}

/// Reports what is wrong with the hooks of a container. `grace` is the pod's grace period.
pub(crate) fn validate_lifecycle(
    lifecycle: &Value,
    grace: Option<i64>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    for key in ["postStart", "preStop"] {
        if let Some(hook) = get(lifecycle, key) {
            handler(hook, HOOK_HANDLERS, grace, &at.child(key), errors);
        }
    }
}

const PROBE_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: &[&str] = &["exec", "httpGet", "tcpSocket", "sleep"];

fn handler(
    holder: &Value,
    kinds: &[&str],
    grace: Option<i64>,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let mut found = false;
    for kind in kinds {
        let Some(action) = get(holder, kind) else {
            continue;
        };
        let at = at.child(kind);
        if found {
            errors.forbidden(&at, "may not specify more than 1 handler type");
            continue;
        }
        found = true;
        match *kind {
            "exec" => {
                if list(action, "command").is_empty() {
                    errors.required(&at.child("command"), "");
                }
            }
            "httpGet" => http_get(action, &at, errors),
            "sleep" => sleep(action, grace, &at, errors),
            _ => port(action, &at, errors),
        }
    }
    if !found {
        errors.required(at, "must specify a handler type");
    }
}

fn http_get(action: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if text(action, "path").is_empty() {
        errors.required(&at.child("path"), "");
    }
    port(action, at, errors);
    let scheme = text(action, "scheme");
    if !matches!(scheme, "HTTP" | "HTTPS") {
        errors.not_supported(&at.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in list(action, "httpHeaders") {
        let name = text(header, "name");
        errors.invalid_each(
            &at.child("httpHeaders"),
            name,
            names::http_header_name(name),
        );
    }
}

fn sleep(action: &Value, grace: Option<i64>, at: &At<'_>, errors: &mut ErrorList) {
    let seconds = int(action, "seconds").unwrap_or(0);
    if let Some(grace) = grace
        && (seconds < 0 || seconds > grace)
    {
        errors.invalid(
            at,
            seconds,
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})"),
        );
    }
}

fn port(action: &Value, at: &At<'_>, errors: &mut ErrorList) {
    port_or_name(action.get("port"), &at.child("port"), errors);
}

/// Reports a value that is neither a port number nor a port name.
pub(crate) fn port_or_name(value: Option<&Value>, at: &At<'_>, errors: &mut ErrorList) {
    match value {
        Some(Value::String(name)) => errors.invalid_each(at, name, names::port_name(name)),
        other => {
            let number = other.and_then(Value::as_i64).unwrap_or(0);
            for message in names::port_number(number) {
                errors.invalid(at, number, message);
            }
        }
    }
}
