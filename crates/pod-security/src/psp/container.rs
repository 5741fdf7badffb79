//! What policies refuse of single containers.

use crate::containers::{Container, Pod, get};
use crate::psp::Refusal;
use crate::psp::policy::{Policy, UserRule, show_ranges};
use crate::psp::validate;
use model::field::{FieldError, Path};
use model::{Value, meta};

pub(super) fn check(
    policy: &Policy,
    pod: &Pod<'_>,
    container: &Container<'_>,
    refusals: &mut Vec<Refusal>,
) {
    let own = Path::new(&container.own_path());
    let at = own.child("securityContext");
    let effective = |key| container.setting(key).or_else(|| pod.setting(key));
    let place = |key: &str| {
        let inherited = container.setting(key).is_none() && pod.setting(key).is_some();
        if inherited {
            Pod::path(key)
        } else {
            container.path(key)
        }
    };
    refusals.extend(user(policy, &at, &effective, &place));
    let group = effective("runAsGroup").and_then(Value::as_i64);
    validate::groups(
        &policy.group,
        &at,
        group.map(|group| vec![group]),
        (&place("runAsGroup"), "spec.runAsGroup"),
        refusals,
    );
    validate::selinux(
        policy,
        &at.child("seLinuxOptions"),
        effective("seLinuxOptions"),
        &place("seLinuxOptions"),
        refusals,
    );
    refusals.extend(policy.app_armor.check(pod, container));
    refusals.extend(policy.seccomp.check_container(pod, container));
    let mut refuse = |key: &str, value: Value, detail: &str, control: &str| {
        let error = FieldError::invalid(&at.child(key), value, detail);
        refusals.push(Refusal::new(error, container.path(key), control));
    };
    if !policy.privileged && container.setting("privileged") == Some(&Value::Bool(true)) {
        let detail = "Privileged containers are not allowed";
        refuse("privileged", true.into(), detail, "spec.privileged");
    }
    let mount = container.setting("procMount").and_then(Value::as_str);
    let mount = mount.unwrap_or("Default");
    let is_allowed = match policy.proc_mounts.as_slice() {
        [] => mount == "Default",
        allowed => allowed.iter().any(|allowed| allowed == mount),
    };
    if !is_allowed {
        let control = "spec.allowedProcMountTypes";
        refuse(
            "procMount",
            mount.into(),
            "ProcMountType is not allowed",
            control,
        );
    }
    capabilities(policy, &at.child("capabilities"), container, refusals);
    host_ports(policy, &own, container, refusals);
    let mut refuse = |key: &str, value: Option<&Value>, detail: &str, control: &str| {
        let value = value.cloned().unwrap_or_default();
        let error = FieldError::invalid(&at.child(key), value, detail);
        refusals.push(Refusal::new(error, container.path(key), control));
    };
    if policy.read_only_root {
        let key = "readOnlyRootFilesystem";
        let value = container.setting(key);
        let detail = match value {
            None => "ReadOnlyRootFilesystem may not be nil and must be set to true",
            Some(_) => "ReadOnlyRootFilesystem must be set to true",
        };
        if value != Some(&Value::Bool(true)) {
            refuse(key, value, detail, "spec.readOnlyRootFilesystem");
        }
    }
    let key = "allowPrivilegeEscalation";
    let value = container.setting(key);
    if !policy.escalation && value != Some(&Value::Bool(false)) {
        let detail = "Allowing privilege escalation for containers is not allowed";
        refuse(key, value, detail, "spec.allowPrivilegeEscalation");
    }
}

fn user<'a>(
    policy: &Policy,
    at: &Path,
    effective: &dyn Fn(&'static str) -> Option<&'a Value>,
    place: &dyn Fn(&str) -> String,
) -> Option<Refusal> {
    const USER: &str = "runAsUser";
    const NON_ROOT: &str = "runAsNonRoot";
    let user = effective(USER).and_then(Value::as_i64);
    let refuse =
        |error: FieldError, key: &str| Some(Refusal::new(error, place(key), "spec.runAsUser"));
    match &policy.user {
        UserRule::Any => None,
        UserRule::Within(ranges) => {
            let at = at.child(USER);
            let Some(user) = user else {
                return refuse(FieldError::required(&at, ""), USER);
            };
            if ranges.has(user) {
                return None;
            }
            let detail = format!("must be in the ranges: {}", show_ranges(&ranges.all));
            refuse(FieldError::invalid(&at, user, detail), USER)
        }
        UserRule::NonRoot => {
            let non_root = effective(NON_ROOT).and_then(Value::as_bool);
            match (non_root, user) {
                (None, None) => {
                    let error = FieldError::required(&at.child(NON_ROOT), "must be true");
                    refuse(error, NON_ROOT)
                }
                (Some(false), _) => {
                    let error = FieldError::invalid(&at.child(NON_ROOT), false, "must be true");
                    refuse(error, NON_ROOT)
                }
                (_, Some(0)) => {
                    let detail = "running with the root UID is forbidden";
                    refuse(FieldError::invalid(&at.child(USER), 0, detail), USER)
                }
                _ => None,
            }
        }
    }
}

fn capabilities(
    policy: &Policy,
    at: &Path,
    container: &Container<'_>,
    refusals: &mut Vec<Refusal>,
) {
    let Some(own) = container.setting("capabilities") else {
        if !(policy.default_add.is_empty() && policy.required_drop.is_empty()) {
            let detail = "required capabilities are not set on the securityContext";
            refusals.push(Refusal::new(
                FieldError::invalid(at, Value::Null, detail),
                container.path("capabilities"),
                "spec.requiredDropCapabilities",
            ));
        }
        return;
    };
    let has = |list: &[String], name: &str| list.iter().any(|other| other == name);
    if has(&policy.allowed_add, "*") {
        return;
    }
    for (i, added) in meta::list(own, &["add"]).iter().enumerate() {
        let name = added.as_str().unwrap_or_default();
        if !has(&policy.default_add, name) && !has(&policy.allowed_add, name) {
            refusals.push(Refusal::new(
                FieldError::invalid(&at.child("add"), name, "capability may not be added"),
                container.path(&format!("capabilities.add[{i}]")),
                "spec.allowedCapabilities",
            ));
        }
    }
    let dropped = get(own, "drop").and_then(Value::as_array);
    for required in &policy.required_drop {
        let is_dropped = dropped
            .into_iter()
            .flatten()
            .any(|drop| drop.as_str() == Some(required));
        if is_dropped {
            continue;
        }
        // Upstream shows the list as Go does.
        let shown = match dropped {
            None => "(nil)".to_owned(),
            Some(dropped) => {
                let all: Vec<String> = dropped
                    .iter()
                    .map(|d| model::go::quoted(d.as_str().unwrap_or_default()))
                    .collect();
                format!("{{{}}}", all.join(", "))
            }
        };
        let detail = format!(
            "[]core.Capability{shown}: {required} is required to be dropped but was not found"
        );
        refusals.push(Refusal::new(
            FieldError::invalid_unshown(&at.child("drop"), detail),
            container.path("capabilities.drop"),
            "spec.requiredDropCapabilities",
        ));
    }
}

fn host_ports(policy: &Policy, at: &Path, container: &Container<'_>, refusals: &mut Vec<Refusal>) {
    for (i, port) in meta::list(container.value, &["ports"]).iter().enumerate() {
        let number = get(port, "hostPort").and_then(Value::as_i64).unwrap_or(0);
        if number <= 0 || policy.host_ports.iter().any(|range| range.has(number)) {
            continue;
        }
        let allowed: Vec<String> = policy
            .host_ports
            .iter()
            .map(|range| match range.min == range.max {
                true => range.min.to_string(),
                false => format!("{}-{}", range.min, range.max),
            })
            .collect();
        let detail = format!(
            "Host port {number} is not allowed to be used. Allowed ports: [{}]",
            allowed.join(",")
        );
        refusals.push(Refusal::new(
            FieldError::invalid(&at.child("hostPort"), number, detail),
            container.field(&format!("ports[{i}].hostPort")),
            "spec.hostPorts",
        ));
    }
}
