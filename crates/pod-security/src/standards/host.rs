//! What of its node a pod may share.

use super::Finding;
use crate::containers::{Place, Pod, get};
use crate::level::Version;
use crate::wording::{Setters, containers, plural, quoted};
use model::{Value, meta};
use std::collections::BTreeSet;

pub(super) fn namespaces(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let shared: Vec<&str> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|key| get(pod.spec, key) == Some(&Value::Bool(true)))
        .collect();
    if shared.is_empty() {
        return None;
    }
    let details: Vec<String> = shared.iter().map(|key| format!("{key}=true")).collect();
    let fields = shared
        .iter()
        .map(|key| Place::of_pod(format!("spec.{key}")))
        .collect();
    Finding::new("host namespaces", details.join(", "), fields)
}

pub(super) fn ports(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut users = Vec::new();
    let mut forbidden = BTreeSet::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        let mut is_bad = false;
        for (i, port) in meta::list(container.value, &["ports"]).iter().enumerate() {
            let Some(number) = get(port, "hostPort").filter(|n| n.as_i64() != Some(0)) else {
                continue;
            };
            is_bad = true;
            // Upstream orders them as texts.
            forbidden.insert(model::go::go_text(number));
            fields.push(container.field_place(&format!("ports[{i}].hostPort")));
        }
        if is_bad {
            users.push(container.name);
        }
    }
    if users.is_empty() {
        return None;
    }
    let numbers: Vec<&str> = forbidden.iter().map(String::as_str).collect();
    let detail = format!(
        "{} {} {} {}",
        containers(&users),
        plural(users.len(), "uses", "use"),
        plural(numbers.len(), "hostPort", "hostPorts"),
        numbers.join(", ")
    );
    Finding::new("hostPort", detail, fields)
}

/// Sysctls that change nothing outside the pod, which the newest version allows.
pub const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// The minor version since which one of them is allowed.
fn safe_since(name: &str) -> u64 {
    match name {
        "net.ipv4.ip_local_reserved_ports" => 27,
        "net.ipv4.tcp_fin_timeout"
        | "net.ipv4.tcp_keepalive_intvl"
        | "net.ipv4.tcp_keepalive_probes"
        | "net.ipv4.tcp_keepalive_time" => 29,
        "net.ipv4.tcp_rmem" | "net.ipv4.tcp_wmem" => 32,
        _ => 0,
    }
}

pub(super) fn sysctls(pod: &Pod<'_>, version: Version) -> Option<Finding> {
    let mut forbidden = Vec::new();
    let mut fields = Vec::new();
    let all = pod
        .context
        .map_or(&[][..], |context| meta::list(context, &["sysctls"]));
    for (i, sysctl) in all.iter().enumerate() {
        let name = meta::text(sysctl, &["name"]);
        let is_safe = SAFE_SYSCTLS.contains(&name) && version.has(safe_since(name));
        if !is_safe {
            forbidden.push(name);
            fields.push(Pod::place(&format!("sysctls[{i}].name")));
        }
    }
    if forbidden.is_empty() {
        return None;
    }
    Finding::new("forbidden sysctls", forbidden.join(", "), fields)
}

/// Where containers name a host that the kubelet is to connect to, in the order of upstream.
const CONNECTIONS: [[&str; 2]; 5] = [
    ["livenessProbe", ""],
    ["readinessProbe", ""],
    ["startupProbe", ""],
    ["lifecycle", "postStart"],
    ["lifecycle", "preStop"],
];

/// Hosts of probes and of lifecycle hooks, which Kubernetes 1.34 forbids.
pub(super) fn connections(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    let mut users = BTreeSet::new();
    let mut hosts = BTreeSet::new();
    let mut fields = Vec::new();
    for container in &pod.containers {
        for [first, second] in CONNECTIONS {
            for action in ["httpGet", "tcpSocket"] {
                let path = [first, second, action, "host"];
                let path: Vec<&str> = path.into_iter().filter(|s| !s.is_empty()).collect();
                let host = meta::text(container.value, &path);
                if !host.is_empty() {
                    users.insert(container.name);
                    hosts.insert(host);
                    fields.push(container.field_place(&path.join(".")));
                }
            }
        }
    }
    if users.is_empty() {
        return None;
    }
    let users: Vec<&str> = users.into_iter().collect();
    let detail = format!(
        "{} {} {} {}",
        containers(&users),
        plural(users.len(), "uses", "use"),
        plural(
            hosts.len(),
            "probe or lifecycle host",
            "probe or lifecycle hosts"
        ),
        quoted(&hosts)
    );
    Finding::new("probe or lifecycle host", detail, fields)
}

pub(super) fn process(pod: &Pod<'_>, _: Version) -> Option<Finding> {
    const FIELD: &str = "windowsOptions.hostProcess";
    let sets = |options: Option<&Value>| {
        options.and_then(|o| get(o, "hostProcess")) == Some(&Value::Bool(true))
    };
    let mut setters = Setters::default();
    let mut fields = Vec::new();
    if sets(pod.setting("windowsOptions")) {
        setters.pod = true;
        fields.push(Pod::place(FIELD));
    }
    for container in &pod.containers {
        if sets(container.setting("windowsOptions")) {
            setters.containers.push(container.name);
            fields.push(container.place(FIELD));
        }
    }
    if setters.is_empty() {
        return None;
    }
    let detail = format!(
        "{} must not set securityContext.windowsOptions.hostProcess=true",
        setters.text(None)
    );
    Finding::new("hostProcess", detail, fields)
}
