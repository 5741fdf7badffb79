//! Rules of a pod's status.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, list, text};
use crate::validation::{names, net};
use std::collections::BTreeSet;

/// Reports what is wrong with a change of a pod's status.
pub(crate) fn validate(pod: &Value, old_pod: &Value, errors: &mut ErrorList) {
    let null = Value::Null;
    let part = |pod: &'_ Value, key: &str| pod.get(key).cloned().unwrap_or_default();
    let status = pod.get("status").unwrap_or(&null);
    let old = old_pod.get("status").unwrap_or(&null);
    let spec = part(old_pod, "spec");
    let at = At::of("status");
    conditions(status, &at.child("conditions"), errors);
    let nominated = text(status, "nominatedNodeName");
    if !nominated.is_empty() && nominated != text(old, "nominatedNodeName") {
        let messages = names::dns1123_subdomain(nominated);
        errors.invalid_each(&at.child("nominatedNodeName"), nominated, messages);
    }
    if text(&part(pod, "spec"), "nodeName") != text(&spec, "nodeName") {
        errors.forbidden(&at.child("nodeName"), "may not be changed directly");
    }
    pod_ips(status, &at.child("podIPs"), errors);
    host_ips(status, old, &at.child("hostIPs"), errors);
    for (key, containers) in [
        ("containerStatuses", "containers"),
        ("initContainerStatuses", "initContainers"),
        ("ephemeralContainerStatuses", "ephemeralContainers"),
    ] {
        transitions(
            status,
            old,
            &spec,
            (key, containers),
            &at.child(key),
            errors,
        );
    }
    if let Some(class) = get(old, "qosClass")
        && get(status, "qosClass").is_some_and(|now| now != class)
    {
        errors.invalid(
            &at.child("qosClass"),
            status.get("qosClass").cloned().unwrap_or_default(),
            "field is immutable",
        );
    }
}

/// Conditions that are not Kubernetes' own need a qualified name.
fn conditions(status: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    for (i, condition) in list(status, "conditions").iter().enumerate() {
        let kind = text(condition, "type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            // The capital is upstream's.
            let at = list_at.index(i);
            errors.invalid_each(&at.child("Type"), kind, names::qualified_name(kind));
        }
    }
}

fn host_ips(status: &Value, old: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let ips = list(status, "hostIPs");
    let known: BTreeSet<&str> = list(old, "hostIPs")
        .iter()
        .map(|ip| text(ip, "ip"))
        .collect();
    for (i, entry) in ips.iter().enumerate() {
        let ip = text(entry, "ip");
        if i == 0 && ip != text(status, "hostIP") {
            let at = at.index(0);
            errors.invalid(&at.child("ip"), ip, "must be equal to `hostIP`");
        }
        if !known.contains(ip) {
            net::valid_ip(ip, &at.index(i), errors);
        }
    }
    one_of_each_family(ips, at, errors);
}

fn pod_ips(status: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let ips = list(status, "podIPs");
    let mut seen = BTreeSet::new();
    for (i, entry) in ips.iter().enumerate() {
        let ip = text(entry, "ip");
        net::valid_ip(ip, &at.index(i), errors);
        if !seen.insert(ip) {
            errors.duplicate(&at.index(i), ip);
        }
    }
    one_of_each_family(ips, at, errors);
}

fn one_of_each_family(ips: &[Value], at: &At<'_>, errors: &mut ErrorList) {
    if ips.len() < 2 {
        return;
    }
    let families: BTreeSet<bool> = ips
        .iter()
        .filter_map(|entry| net::parse_ip(text(entry, "ip")))
        .map(|ip| ip.is_ipv4())
        .collect();
    if ips.len() > 2 || families.len() < 2 {
        errors.invalid(
            at,
            ips.to_vec(),
            "may specify no more than one IP for each IP family",
        );
    }
}

/// A container that terminated for good may not come back to life.
fn transitions(
    status: &Value,
    old: &Value,
    spec: &Value,
    (key, containers): (&str, &str),
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let policy = text(spec, "restartPolicy");
    let sidecars: BTreeSet<&str> = list(spec, "initContainers")
        .iter()
        .filter(|c| text(c, "restartPolicy") == "Always")
        .map(|c| text(c, "name"))
        .collect();
    for (i, was) in list(old, key).iter().enumerate() {
        let Some(terminated) = get(was, "state").and_then(|s| get(s, "terminated")) else {
            continue;
        };
        let name = text(was, "name");
        let failed = terminated.get("exitCode").and_then(Value::as_i64) != Some(0);
        let restartable = match containers {
            "containers" => policy == "Always" || (policy == "OnFailure" && failed),
            "initContainers" => sidecars.contains(name) || (policy != "Never" && failed),
            _ => false,
        };
        let revived = list(status, key).iter().any(|now| {
            text(now, "name") == name
                && get(now, "state").is_some_and(|s| get(s, "terminated").is_none())
        });
        if revived && !restartable {
            let at = at.index(i);
            errors.forbidden(
                &at.child("state"),
                "may not be transitioned to non-terminated state",
            );
        }
    }
}
