//! Warnings on the ports of a pod, which all of its containers share.

use crate::Value;
use crate::validation::at::At;
use crate::validation::read::{int, list, text};
use std::collections::BTreeMap;

struct Port<'a> {
    path: String,
    number: i64,
    host: i64,
    host_ip: &'a str,
    protocol: &'a str,
    name: &'a str,
}

/// Warns of ports that stand twice, overlap, or go by a name that another has.
pub(super) fn of_pod(spec: &Value, at: &At<'_>, warnings: &mut Vec<String>) {
    let mut ports: Vec<Port<'_>> = Vec::new();
    for key in super::CONTAINER_LISTS {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            let container_at = list_at.index(i);
            let ports_at = container_at.child("ports");
            for (j, port) in list(container, "ports").iter().enumerate() {
                ports.push(Port {
                    path: ports_at.index(j).path().to_string(),
                    number: int(port, "containerPort").unwrap_or(0),
                    host: int(port, "hostPort").unwrap_or(0),
                    host_ip: text(port, "hostIP"),
                    protocol: text(port, "protocol"),
                    name: text(port, "name"),
                });
            }
        }
    }
    let mut seen: BTreeMap<(i64, &str), Vec<&Port<'_>>> = BTreeMap::new();
    for port in &ports {
        if !port.host_ip.is_empty() && port.host == 0 {
            warnings.push(format!(
                "{}: hostIP set without hostPort: {{Name:{} HostPort:{} ContainerPort:{} \
                 Protocol:{} HostIP:{}}}",
                port.path, port.name, port.host, port.number, port.protocol, port.host_ip
            ));
        }
        let others = seen.entry((port.number, port.protocol)).or_default();
        for other in others.iter() {
            if let Some(how) = clash(port, other) {
                warnings.push(format!(
                    "{}: {how} port definition with {}",
                    port.path, other.path
                ));
            }
        }
        others.push(port);
    }
    let mut named: BTreeMap<&str, &str> = BTreeMap::new();
    for port in ports.iter().filter(|port| !port.name.is_empty()) {
        match named.get(port.name) {
            Some(other) => warnings.push(format!(
                "{}: duplicate port name {:?} with {other}, services and probes that select ports \
                 by name will use {other}",
                port.path, port.name
            )),
            None => drop(named.insert(port.name, &port.path)),
        }
    }
}

/// How two definitions of one port get into each other's way.
fn clash(port: &Port<'_>, other: &Port<'_>) -> Option<&'static str> {
    if (port.host, port.host_ip) == (other.host, other.host_ip) {
        Some("duplicate")
    } else if port.host == 0 || other.host == 0 {
        Some("overlapping")
    } else if port.host == other.host && port.host_ip.is_empty() != other.host_ip.is_empty() {
        Some("dangerously ambiguous")
    } else {
        None
    }
}
