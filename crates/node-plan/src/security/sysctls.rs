//! Kernel parameters of a pod: which it may set, and which of them would reach beyond it.

use model::Value;
use model::validation::read::{get, is_true, list, text};
use pod_security::standards::SAFE_SYSCTLS;
use std::collections::BTreeMap;
use thiserror::Error;

/// The reason with which a pod is refused by the node.
pub const FORBIDDEN: &str = "SysctlForbidden";

/// Parameters of the IPC namespace, besides `fs.mqueue.*`.
const OF_IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// A parameter that the pod may not set; the message of its refusal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SysctlError {
    /// Neither safe nor allowed by the node.
    #[error("forbidden sysctl: \"{0}\" not allowlisted")]
    NotAllowed(String),
    /// The node's own would be changed.
    #[error("forbidden sysctl: \"{name}\" not allowed with host {namespace} enabled")]
    Host {
        /// The parameter.
        name: String,
        /// `IPC` or `Net`.
        namespace: &'static str,
    },
}

/// The parameters of a pod by name, with dots between its parts. `unsafe_allowed` are names, or
/// prefixes that end in `*`, that the node allows besides the safe ones.
pub fn sysctls(
    pod: &Value,
    unsafe_allowed: &[String],
) -> Result<BTreeMap<String, String>, SysctlError> {
    let spec = get(pod, "spec").unwrap_or(&Value::Null);
    let context = get(spec, "securityContext").unwrap_or(&Value::Null);
    let mut found = BTreeMap::new();
    for sysctl in list(context, "sysctls") {
        let name = with_dots(text(sysctl, "name"));
        let allowed = SAFE_SYSCTLS.contains(&name.as_str())
            || unsafe_allowed.iter().any(|pattern| {
                let pattern = with_dots(pattern);
                pattern
                    .strip_suffix('*')
                    .map_or(pattern == name, |prefix| name.starts_with(prefix))
            });
        let of_ipc = OF_IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.");
        let of_net = name.starts_with("net.");
        // What belongs to neither namespace belongs to the node, whoever allowed it.
        if !allowed || !(of_ipc || of_net) {
            return Err(SysctlError::NotAllowed(name));
        }
        for (reaches, host, namespace) in
            [(of_ipc, "hostIPC", "IPC"), (of_net, "hostNetwork", "Net")]
        {
            if reaches && is_true(spec, host) {
                return Err(SysctlError::Host { name, namespace });
            }
        }
        found.insert(name, text(sysctl, "value").to_owned());
    }
    Ok(found)
}

/// A name whose parts are divided by slashes, as in `/proc/sys`, has its dots and slashes changed
/// for each other; one that starts with a dotted part is as it should be.
fn with_dots(name: &str) -> String {
    match name.find(['.', '/']).and_then(|at| name.get(at..)) {
        Some(rest) if rest.starts_with('/') => name
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_pod_may_set() {
        let allowed = [
            "net.core.*".to_owned(),
            "kernel.msgmax".to_owned(),
            "vm.swappiness".to_owned(),
        ];
        for (name, spec, want) in [
            ("net.ipv4.tcp_rmem", json!({}), Ok("net.ipv4.tcp_rmem")),
            ("net/ipv4/tcp_rmem", json!({}), Ok("net.ipv4.tcp_rmem")),
            ("net.core.somaxconn", json!({}), Ok("net.core.somaxconn")),
            ("kernel.msgmax", json!({}), Ok("kernel.msgmax")),
            (
                "kernel.msgmnb",
                json!({}),
                Err("\"kernel.msgmnb\" not allowlisted"),
            ),
            (
                "vm.swappiness",
                json!({}),
                Err("\"vm.swappiness\" not allowlisted"),
            ),
            (
                "net.ipv4.tcp_rmem",
                json!({"hostNetwork": true}),
                Err("\"net.ipv4.tcp_rmem\" not allowed with host Net enabled"),
            ),
            (
                "kernel.shm_rmid_forced",
                json!({"hostIPC": true}),
                Err("\"kernel.shm_rmid_forced\" not allowed with host IPC enabled"),
            ),
            (
                "kernel.shm_rmid_forced",
                json!({"hostNetwork": true}),
                Ok("kernel.shm_rmid_forced"),
            ),
        ] {
            let mut pod = json!({"spec": spec});
            pod["spec"]["securityContext"] = json!({"sysctls": [{"name": name, "value": "1"}]});
            let answer = sysctls(&pod, &allowed)
                .map(|found| found.into_keys().next().unwrap())
                .map_err(|error| error.to_string());
            let want = want
                .map(str::to_owned)
                .map_err(|text| format!("forbidden sysctl: {text}"));
            assert_eq!(answer, want, "{pod}");
        }
    }
}
