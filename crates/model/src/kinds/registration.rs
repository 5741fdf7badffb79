//! `apiregistration.k8s.io`: API services.

use super::core::fill;
use super::neutral;
use super::workload::{self, field};
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, is_true, list, text};
use crate::{Value, meta};

const GROUP_PRIORITY_MAX: i64 = 20_000;
const VERSION_PRIORITY_MAX: i64 = 1000;

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "apiservices").then(|| Behavior {
        default: |_, service| {
            let spec = workload::spec_mut(service);
            if let Some(target) = spec.and_then(|spec| fill::map(spec, "service")) {
                fill::absent(target, "port", 443);
            }
        },
        validate_create: validate,
        validate_update: |service, _, subresource| match subresource {
            "status" => validate_status(service),
            _ => validate(service),
        },
        ..neutral()
    })
}

fn validate(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = field(service, "spec");
    let at = At::of("spec");
    let (group, version) = (text(spec, "group"), text(spec, "version"));
    let (name, wanted) = (meta::name(service), format!("{version}.{group}"));
    if name != wanted {
        let why = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.invalid(&At::of("metadata.name"), name, why);
    }
    if !group.is_empty() {
        let faults = names::dns1123_subdomain(group);
        if !faults.is_empty() {
            errors.invalid(&at.child("group"), group, faults.join(","));
        }
    }
    let faults = names::dns1035_label(version);
    if !faults.is_empty() {
        errors.invalid(&at.child("version"), version, faults.join(","));
    }
    for (key, most) in [
        ("groupPriorityMinimum", GROUP_PRIORITY_MAX),
        ("versionPriority", VERSION_PRIORITY_MAX),
    ] {
        let priority = int(spec, key).unwrap_or(0);
        if !(1..=most).contains(&priority) {
            let why = format!("must be positive and less than {most}");
            errors.invalid(&at.child(key), priority, why);
        }
    }
    target(spec, &at, &mut errors);
    errors
}

fn target(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let bundle = text(spec, "caBundle");
    let insecure = is_true(spec, "insecureSkipTLSVerify");
    let Some(service) = get(spec, "service") else {
        if !bundle.is_empty() {
            // Four characters of base64 are three bytes.
            let size = bundle.trim_end_matches('=').len().saturating_mul(3) / 4;
            let why = "local APIServices may not have a caBundle";
            errors.invalid(&at.child("caBundle"), format!("{size} bytes"), why);
        }
        if insecure {
            let why = "local APIServices may not have insecureSkipTLSVerify";
            errors.invalid(&at.child("insecureSkipTLSVerify"), true, why);
        }
        return;
    };
    let service_at = at.child("service");
    for key in ["namespace", "name"] {
        if text(service, key).is_empty() {
            errors.required(&service_at.child(key), "");
        }
    }
    let port = int(service, "port").unwrap_or(0);
    for why in names::port_number(port) {
        let why = format!("port is not valid: {why}");
        errors.invalid(&service_at.child("port"), port, why);
    }
    if insecure && !bundle.is_empty() {
        let why = "may not be true if caBundle is present";
        errors.invalid(&at.child("insecureSkipTLSVerify"), true, why);
    }
}

fn validate_status(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let list_at = At::of("status.conditions");
    for (i, condition) in list(field(service, "status"), "conditions")
        .iter()
        .enumerate()
    {
        let status = text(condition, "status");
        if !matches!(status, "True" | "False" | "Unknown") {
            let at = list_at.index(i);
            errors.not_supported(&at.child("status"), status, &["False", "True", "Unknown"]);
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use crate::Value;
    use crate::kinds::check::{create, defaulted};
    use crate::patch::merge_patch;
    use serde_json::json;

    const KIND: (&str, &str) = ("apiregistration.k8s.io", "apiservices");

    fn service(spec: &Value) -> Value {
        let given = json!({"metadata": {"name": "v1.a.b"}, "spec": {"group": "a.b", "version": "v1",
            "groupPriorityMinimum": 100, "versionPriority": 10}});
        let given = merge_patch(&given, &json!({"spec": spec})).unwrap();
        defaulted(KIND.0, KIND.1, "v1", &given)
    }

    #[test]
    fn rules() {
        let cases = [
            (json!({}), ""),
            (
                json!({"service": {"namespace": "n", "name": "s"}, "insecureSkipTLSVerify": true}),
                "",
            ),
            (
                json!({"version": "v2"}),
                "metadata.name: Invalid value: \"v1.a.b\": must be `spec.version+\".\"+spec.group`: \"v2.a.b\"",
            ),
            (
                json!({"groupPriorityMinimum": 0, "versionPriority": 1001}),
                "spec.groupPriorityMinimum: Invalid value: 0: must be positive and less than 20000; spec.versionPriority: Invalid value: 1001: must be positive and less than 1000",
            ),
            (
                json!({"insecureSkipTLSVerify": true}),
                "spec.insecureSkipTLSVerify: Invalid value: true: local APIServices may not have insecureSkipTLSVerify",
            ),
            (
                json!({"service": {"name": "s"}, "insecureSkipTLSVerify": true, "caBundle": "eA=="}),
                "spec.service.namespace: Required value; spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present",
            ),
        ];
        for (spec, want) in cases {
            assert_eq!(
                create(KIND.0, KIND.1, &service(&spec)).join("; "),
                want,
                "{spec}"
            );
        }
        let filled = service(&json!({"service": {"namespace": "n", "name": "s"}}));
        assert_eq!(filled["spec"]["service"]["port"], 443);
    }
}
