//! Rules of containers: regular, init (also as sidecars) and ephemeral.

use super::container_mounts::{self, Volumes};
use super::{container_env, container_probe, resources, security};
use crate::Value;
use crate::field::{ErrorList, FieldError};
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, is_blank, list, text};
use std::collections::BTreeSet;

/// What the rules of a container need to know of its pod.
pub(crate) struct PodView<'a> {
    /// Volumes without faults, by name.
    pub(crate) volumes: Volumes<'a>,
    /// Names of the pod's resource claims.
    pub(crate) claims: BTreeSet<&'a str>,
    /// `terminationGracePeriodSeconds`.
    pub(crate) grace: Option<i64>,
    /// `restartPolicy`.
    pub(crate) restart_policy: &'a str,
    /// Whether the host's user namespace is shared.
    pub(crate) host_users: bool,
}

/// The rules of all containers of a pod spec.
pub(crate) fn validate_all(spec: &Value, pod: &PodView<'_>, at: &At<'_>, errors: &mut ErrorList) {
    regular(spec, pod, &at.child("containers"), errors);
    init(spec, pod, &at.child("initContainers"), errors);
    ephemeral(spec, pod, &at.child("ephemeralContainers"), errors);
}

fn regular(spec: &Value, pod: &PodView<'_>, list_at: &At<'_>, errors: &mut ErrorList) {
    let containers = list(spec, "containers");
    if containers.is_empty() {
        errors.required(list_at, "");
        return;
    }
    let mut names = BTreeSet::new();
    for (i, container) in containers.iter().enumerate() {
        let at = list_at.index(i);
        common(container, pod, &at, errors);
        let name = text(container, "name");
        if !names.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        hooks_and_probes(container, pod, &at, errors);
        if get(container, "restartPolicy").is_some() {
            errors.forbidden(
                &at.child("restartPolicy"),
                "may not be set for non-init containers",
            );
        }
    }
    host_port_conflicts(containers.iter().enumerate(), list_at, errors);
}

fn init(spec: &Value, pod: &PodView<'_>, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut names: BTreeSet<&str> = container_names(spec, "containers").collect();
    for (i, container) in list(spec, "initContainers").iter().enumerate() {
        let at = list_at.index(i);
        common(container, pod, &at, errors);
        let restart = get(container, "restartPolicy").and_then(Value::as_str);
        if let Some(policy) = restart
            && policy != "Always"
        {
            errors.not_supported(&at.child("restartPolicy"), policy, &["Always"]);
        }
        let name = text(container, "name");
        if !names.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        // They run one after the other, so only conflicts within one of them matter.
        host_port_conflicts(std::iter::once((i, container)), list_at, errors);
        if restart == Some("Always") {
            hooks_and_probes(container, pod, &at, errors);
            continue;
        }
        for key in [
            "lifecycle",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
        ] {
            if get(container, key).is_some() {
                errors.forbidden(
                    &at.child(key),
                    "may not be set for init containers without restartPolicy=Always",
                );
            }
        }
        if let Some(policy) = get(container, "resizePolicy").filter(|p| !is_blank(Some(p))) {
            errors.invalid(
                &at.child("resizePolicy"),
                policy.clone(),
                "must not be set for init containers",
            );
        }
    }
}

fn ephemeral(spec: &Value, pod: &PodView<'_>, list_at: &At<'_>, errors: &mut ErrorList) {
    let containers = list(spec, "ephemeralContainers");
    if containers.is_empty() {
        return;
    }
    let others: BTreeSet<&str> = container_names(spec, "containers")
        .chain(container_names(spec, "initContainers"))
        .collect();
    let mut names = others.clone();
    for (i, container) in containers.iter().enumerate() {
        let at = list_at.index(i);
        common(container, pod, &at, errors);
        only_for_pods(container, &at, errors);
        let name = text(container, "name");
        if !names.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        let target = text(container, "targetContainerName");
        if !target.is_empty() && !others.contains(target) {
            errors.not_found(&at.child("targetContainerName"), target);
        }
        for key in [
            "ports",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
            "resources",
            "resizePolicy",
            "restartPolicy",
        ] {
            if !is_blank(container.get(key)) {
                errors.forbidden(&at.child(key), "cannot be set for an Ephemeral Container");
            }
        }
        let mounts_at = at.child("volumeMounts");
        for (j, mount) in list(container, "volumeMounts").iter().enumerate() {
            for key in ["subPath", "subPathExpr"] {
                if !text(mount, key).is_empty() {
                    errors.forbidden(
                        &mounts_at.index(j).child(key),
                        "cannot be set for an Ephemeral Container",
                    );
                }
            }
        }
    }
}

fn container_names<'a>(spec: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    list(spec, key).iter().map(|c| text(c, "name"))
}

/// The rules that hold for containers of pods, but for compatibility not for those of templates.
pub(crate) fn only_for_pods(container: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let image = text(container, "image");
    if image.trim() != image {
        errors.invalid(
            &at.child("image"),
            image,
            "must not have leading or trailing whitespace",
        );
    }
}

fn hooks_and_probes(container: &Value, pod: &PodView<'_>, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(lifecycle) = get(container, "lifecycle") {
        container_probe::validate_lifecycle(lifecycle, pod.grace, &at.child("lifecycle"), errors);
    }
    container_probe::validate_probes(container, at, errors);
}

/// The rules of every kind of container.
fn common(container: &Value, pod: &PodView<'_>, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(container, "name");
    if name.is_empty() {
        errors.required(&at.child("name"), "");
    } else {
        errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
    }
    if text(container, "image").is_empty() {
        errors.required(&at.child("image"), "");
    }
    one_of(
        container,
        "terminationMessagePolicy",
        &["File", "FallbackToLogsOnError"],
        at,
        errors,
    );
    ports(container, &at.child("ports"), errors);
    container_env::validate_env(container, at, errors);
    container_env::validate_env_from(container, at, errors);
    container_mounts::validate(container, &pod.volumes, at, errors);
    let policies = &["Always", "IfNotPresent", "Never"];
    one_of(container, "imagePullPolicy", policies, at, errors);
    if let Some(requirements) = get(container, "resources") {
        let at = at.child("resources");
        let names = resources::validate_container_name;
        resources::validate_requirements(requirements, names, &pod.claims, &at, errors);
    }
    resize_policy(
        container,
        pod.restart_policy,
        &at.child("resizePolicy"),
        errors,
    );
    if let Some(context) = get(container, "securityContext") {
        let at = at.child("securityContext");
        security::validate_container(context, pod.host_users, &at, errors);
    }
}

/// Reports a required text that is missing or outside its set.
pub(crate) fn one_of(
    holder: &Value,
    key: &str,
    supported: &[&str],
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let value = text(holder, key);
    if value.is_empty() {
        errors.required(&at.child(key), "");
    } else if !supported.contains(&value) {
        errors.not_supported_in_order(&at.child(key), value, supported);
    }
}

fn ports(container: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, port) in list(container, "ports").iter().enumerate() {
        let at = list_at.index(i);
        let name = text(port, "name");
        if !name.is_empty() {
            let messages = names::port_name(name);
            if !messages.is_empty() {
                errors.invalid_each(&at.child("name"), name, messages);
            } else if !seen.insert(name) {
                errors.duplicate(&at.child("name"), name);
            }
        }
        let number = int(port, "containerPort").unwrap_or(0);
        if number == 0 {
            errors.required(&at.child("containerPort"), "");
        } else {
            port_number(number, &at.child("containerPort"), errors);
        }
        let host = int(port, "hostPort").unwrap_or(0);
        if host != 0 {
            port_number(host, &at.child("hostPort"), errors);
        }
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, errors);
    }
}

/// Reports a number that is no port.
pub(crate) fn port_number(number: i64, at: &At<'_>, errors: &mut ErrorList) {
    for message in names::port_number(number) {
        errors.invalid(at, number, message);
    }
}

fn host_port_conflicts<'a>(
    containers: impl Iterator<Item = (usize, &'a Value)>,
    list_at: &At<'_>,
    errors: &mut ErrorList,
) {
    let mut taken = BTreeSet::new();
    for (i, container) in containers {
        for (j, port) in list(container, "ports").iter().enumerate() {
            let number = int(port, "hostPort").unwrap_or(0);
            if number == 0 {
                continue;
            }
            let (protocol, ip) = (text(port, "protocol"), text(port, "hostIP"));
            if !taken.insert((protocol, ip, number)) {
                let at = list_at.index(i);
                errors.duplicate(
                    &at.child("ports").index(j).child("hostPort"),
                    format!("{protocol}/{ip}/{number}"),
                );
            }
        }
    }
}

fn resize_policy(container: &Value, restart: &str, list_at: &At<'_>, errors: &mut ErrorList) {
    let mut seen = BTreeSet::new();
    for (i, policy) in list(container, "resizePolicy").iter().enumerate() {
        let resource = text(policy, "resourceName");
        if !seen.insert(resource) {
            errors.add(FieldError::duplicate(&list_at.index(i).path(), resource).bare());
        }
        match resource {
            "cpu" | "memory" => {}
            "" => errors.required(list_at, ""),
            other => {
                let names = ["cpu", "memory"];
                errors
                    .add(FieldError::not_supported_in_order(&list_at.path(), other, &names).bare());
            }
        }
        let on_resize = text(policy, "restartPolicy");
        match on_resize {
            "NotRequired" | "RestartContainer" => {}
            "" => errors.required(list_at, ""),
            other => errors.not_supported(list_at, other, &["NotRequired", "RestartContainer"]),
        }
        if restart == "Never" && on_resize != "NotRequired" {
            errors.invalid(
                list_at,
                on_resize,
                "must be 'NotRequired' when `restartPolicy` is 'Never'",
            );
        }
    }
}
