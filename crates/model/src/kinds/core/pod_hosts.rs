//! Rules of how a pod meets the network and the host: DNS, host aliases, host network, user
//! namespaces.

use super::container;
use super::pod_spec::uses_host_network;
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{flag, get, int, is_true, list, text, texts};
use crate::validation::{names, net};

/// On the host's network, a port of a container is a port of the host. In templates it may be
/// left out, as pods get it filled in.
pub(crate) fn host_network_ports(spec: &Value, is_pod: bool, at: &At<'_>, errors: &mut ErrorList) {
    if !uses_host_network(spec) {
        return;
    }
    // Upstream looks at regular containers only.
    let list_at = at.child("containers");
    for (i, container) in list(spec, "containers").iter().enumerate() {
        let container_at = list_at.index(i);
        let ports_at = container_at.child("ports");
        for (j, port) in list(container, "ports").iter().enumerate() {
            let host = int(port, "hostPort").unwrap_or(0);
            let own = int(port, "containerPort").unwrap_or(0);
            if (is_pod || host != 0) && host != own {
                errors.invalid(
                    &ports_at.index(j).child("hostPort"),
                    host,
                    "must match `containerPort` when `hostNetwork` is true",
                );
            }
        }
    }
}

/// Reports an unknown `dnsPolicy`.
pub(crate) fn validate_dns_policy(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let policies = &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    container::one_of(spec, "dnsPolicy", policies, at, errors);
}

/// Reports what is wrong with `dnsConfig`.
pub(crate) fn validate_dns_config(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let config = get(spec, "dnsConfig");
    let servers_at = at.child("nameservers");
    if text(spec, "dnsPolicy") == "None" {
        match config {
            None => {
                errors.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
                return;
            }
            Some(config) if list(config, "nameservers").is_empty() => {
                errors.required(
                    &servers_at,
                    "must provide at least one DNS nameserver when `dnsPolicy` is None",
                );
                return;
            }
            Some(_) => {}
        }
    }
    let Some(config) = config else {
        return;
    };
    let servers = list(config, "nameservers");
    if servers.len() > 3 {
        errors.invalid(
            &servers_at,
            servers.to_vec(),
            "must not have more than 3 nameservers",
        );
    }
    for (i, server) in texts(config, "nameservers").enumerate() {
        net::valid_ip(server, &servers_at.index(i), errors);
    }
    dns_searches(config, &at.child("searches"), errors);
    let options_at = at.child("options");
    for (i, option) in list(config, "options").iter().enumerate() {
        if text(option, "name").is_empty() {
            errors.required(&options_at.index(i), "must not be empty");
        }
    }
}

fn dns_searches(config: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let searches = list(config, "searches");
    if searches.len() > 32 {
        errors.invalid(
            at,
            searches.to_vec(),
            "must not have more than 32 search paths",
        );
    }
    let length: usize = texts(config, "searches").map(|s| s.len() + 1).sum();
    if length.saturating_sub(1) > 2048 {
        errors.invalid(
            at,
            searches.to_vec(),
            "must not have more than 2048 characters (including spaces) in the search list",
        );
    }
    for (i, search) in texts(config, "searches").enumerate() {
        // A trailing dot, or nothing but one, is fine.
        if search != "." {
            let search = search.strip_suffix('.').unwrap_or(search);
            let messages = names::dns1123_subdomain_with_underscore(search);
            errors.invalid_each(&at.index(i), search, messages);
        }
    }
}

/// Reports what is wrong with `hostAliases`.
pub(crate) fn host_aliases(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    for (i, alias) in list(spec, "hostAliases").iter().enumerate() {
        net::valid_ip(text(alias, "ip"), &list_at.index(i).child("ip"), errors);
        let at = list_at.index(i);
        let names_at = at.child("hostnames");
        for (j, hostname) in texts(alias, "hostnames").enumerate() {
            let messages = names::dns1123_subdomain(hostname);
            errors.invalid_each(&names_at.index(j), hostname, messages);
        }
    }
}

/// A pod in a user namespace of its own may not share the host's other namespaces.
pub(crate) fn host_users(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if flag(spec, "hostUsers") != Some(false) {
        return;
    }
    let detail = "when `pod.Spec.HostUsers` is false";
    // The capitals are upstream's.
    for (key, name) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if is_true(spec, key) {
            errors.forbidden(&at.child(name), detail);
        }
    }
    for key in ["containers", "initContainers", "ephemeralContainers"] {
        let list_at = at.child(key);
        for (i, container) in list(spec, key).iter().enumerate() {
            if !list(container, "volumeDevices").is_empty() {
                errors.forbidden(&list_at.index(i).child("volumeDevices"), detail);
            }
        }
    }
}
