//! The rules that services are checked against.

use super::container::{one_of, port_number};
use super::container_probe::port_or_name;
use super::service::{externally_accessible, is_headless, needs_cluster_ip, needs_health_check};
use crate::Value;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, is_blank, list, same_field, text, texts};
use crate::validation::{names, net, object_meta};
use serde_json::json;
use std::collections::BTreeSet;

const TYPES: &[&str] = &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

pub(super) fn validate_create(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = service.get("spec").unwrap_or(&Value::Null);
    let at = At::of("spec");
    let kind = text(spec, "type");
    let headless = is_headless(spec);
    if list(spec, "ports").is_empty() && !headless && kind != "ExternalName" {
        errors.required(&at.child("ports"), "");
    }
    by_type(spec, headless, &at, &mut errors);
    ports(spec, &at.child("ports"), &mut errors);
    object_meta::labels(spec, "selector", &at, &mut errors);
    session_affinity(spec, &at, &mut errors);
    if kind != "ExternalName" {
        addresses(spec, &at, &mut errors);
    }
    for (i, ip) in texts(spec, "externalIPs").enumerate() {
        let list_at = at.child("externalIPs");
        let at = list_at.index(i);
        let before = errors.len();
        net::valid_ip(ip, &at, &mut errors);
        if errors.len() == before {
            net::not_special_ip(ip, &at, &mut errors);
        }
    }
    one_of(spec, "type", TYPES, &at, &mut errors);
    port_conflicts(spec, &at.child("ports"), &mut errors);
    load_balancer(spec, &at, &mut errors);
    traffic_policies(spec, &at, &mut errors);
    errors
}

fn by_type(spec: &Value, headless: bool, at: &At<'_>, errors: &mut ErrorList) {
    let kind = text(spec, "type");
    match kind {
        "LoadBalancer" | "NodePort" => {
            let ports_at = at.child("ports");
            for (i, port) in list(spec, "ports").iter().enumerate() {
                if kind == "LoadBalancer" && int(port, "port") == Some(10250) {
                    errors.invalid(
                        &ports_at.index(i),
                        10250,
                        "may not expose port 10250 externally since it is used by kubelet",
                    );
                }
            }
            if headless {
                errors.invalid(
                    &at.child("clusterIPs").index(0),
                    "None",
                    format!("may not be set to 'None' for {kind} services"),
                );
            }
        }
        "ExternalName" => {
            for key in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
                if !is_blank(spec.get(key)) {
                    errors.forbidden(&at.child(key), "may not be set for ExternalName services");
                }
            }
            // A trailing dot marks a name as complete.
            let name = text(spec, "externalName");
            let name = name.strip_suffix('.').unwrap_or(name);
            let at = at.child("externalName");
            if name.is_empty() {
                errors.required(&at, "");
            } else {
                errors.invalid_each(&at, name, names::dns1123_subdomain(name));
            }
        }
        _ => {}
    }
}

fn ports(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let ports = list(spec, "ports");
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = list_at.index(i);
        let name = text(port, "name");
        if name.is_empty() {
            if ports.len() > 1 {
                errors.required(&at.child("name"), "");
            }
        } else {
            errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
            if !seen.insert(name) {
                errors.duplicate(&at.child("name"), name);
            }
        }
        port_number(int(port, "port").unwrap_or(0), &at.child("port"), errors);
        one_of(port, "protocol", &["SCTP", "TCP", "UDP"], &at, errors);
        port_or_name(port.get("targetPort"), &at.child("targetPort"), errors);
        if let Some(protocol) = get(port, "appProtocol").and_then(Value::as_str) {
            let messages = names::qualified_name(protocol);
            errors.invalid_each(&at.child("appProtocol"), protocol, messages);
        }
    }
}

fn port_conflicts(spec: &Value, list_at: &At<'_>, errors: &mut ErrorList) {
    let (mut node_ports, mut own) = (BTreeSet::new(), BTreeSet::new());
    for (i, port) in list(spec, "ports").iter().enumerate() {
        let at = list_at.index(i);
        let protocol = text(port, "protocol");
        let node_port = int(port, "nodePort").unwrap_or(0);
        if node_port != 0 {
            if text(spec, "type") == "ClusterIP" {
                errors.forbidden(
                    &at.child("nodePort"),
                    "may not be used when `type` is 'ClusterIP'",
                );
            }
            if !node_ports.insert((protocol, node_port)) {
                errors.duplicate(&at.child("nodePort"), node_port);
            }
        }
        let number = int(port, "port").unwrap_or(0);
        if !own.insert((protocol, number)) {
            errors.duplicate(&at, json!({"protocol": protocol, "port": number}));
        }
    }
}

fn session_affinity(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    one_of(spec, "sessionAffinity", &["ClientIP", "None"], at, errors);
    let config = get(spec, "sessionAffinityConfig");
    let config_at = at.child("sessionAffinityConfig");
    match text(spec, "sessionAffinity") {
        "None" if config.is_some() => {
            errors.forbidden(&config_at, "must not be set when session affinity is None");
        }
        "ClientIP" => {
            let detail = "when session affinity type is ClientIP";
            let client_at = config_at.child("clientIP");
            let Some(config) = config else {
                errors.required(&config_at, detail);
                return;
            };
            let Some(client) = get(config, "clientIP") else {
                errors.required(&client_at, detail);
                return;
            };
            let at = client_at.child("timeoutSeconds");
            match int(client, "timeoutSeconds") {
                None => errors.required(&at, detail),
                Some(seconds) if seconds <= 0 || seconds > 86400 => {
                    errors.invalid(&at, seconds, "must be greater than 0 and less than 86400")
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
}

fn addresses(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let ips_at = at.child("clusterIPs");
    let ips = list(spec, "clusterIPs");
    let first = text(spec, "clusterIP");
    if ips.is_empty() && !first.is_empty() {
        errors.required(&ips_at, "");
    }
    if !ips.is_empty() && texts(spec, "clusterIPs").next() != Some(first) {
        errors.invalid(&ips_at, ips.to_vec(), "first value must match `clusterIP`");
    }
    let families_at = at.child("ipFamilies");
    let mut seen = BTreeSet::new();
    for (i, family) in texts(spec, "ipFamilies").enumerate() {
        if !matches!(family, "IPv4" | "IPv6") {
            errors.not_supported(&families_at.index(i), family, &["IPv4", "IPv6"]);
        }
        if !seen.insert(family) {
            errors.duplicate(&families_at.index(i), family);
        }
    }
    if let Some(policy) = get(spec, "ipFamilyPolicy").and_then(Value::as_str) {
        let policies = &["PreferDualStack", "RequireDualStack", "SingleStack"];
        if !policies.contains(&policy) {
            errors.not_supported(&at.child("ipFamilyPolicy"), policy, policies);
        }
    }
    if ips.len() > 2 {
        errors.invalid(&ips_at, ips.to_vec(), "may only hold up to 2 values");
    }
    let families: Vec<&str> = texts(spec, "ipFamilies").collect();
    let mut taken = BTreeSet::new();
    for (i, ip) in texts(spec, "clusterIPs").enumerate() {
        let at = ips_at.index(i);
        if ip == "None" {
            if i > 0 || ips.len() > 1 {
                errors.invalid(&at, ip, "'None' must be the first and only value");
            }
            continue;
        }
        let before = errors.len();
        net::valid_ip(ip, &at, errors);
        if errors.len() > before {
            continue;
        }
        let family = match net::parse_ip(ip) {
            Some(ip) if ip.is_ipv6() => "IPv6",
            _ => "IPv4",
        };
        match families.get(i) {
            Some(expected) if *expected != family => errors.invalid(
                &at,
                ip,
                format!("expected an {expected} value as indicated by `ipFamilies[{i}]`"),
            ),
            _ => {}
        }
        if !taken.insert(family) {
            errors.invalid(
                &ips_at,
                ips.to_vec(),
                "may specify no more than one IP for each IP family",
            );
        }
    }
}

fn load_balancer(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let balanced = text(spec, "type") == "LoadBalancer";
    let ranges_at = at.child("loadBalancerSourceRanges");
    if !list(spec, "loadBalancerSourceRanges").is_empty() && !balanced {
        errors.forbidden(&ranges_at, ONLY_BALANCED);
    }
    for (i, range) in texts(spec, "loadBalancerSourceRanges").enumerate() {
        net::valid_cidr(range.trim(), &ranges_at.index(i), errors);
    }
    match get(spec, "allocateLoadBalancerNodePorts") {
        Some(_) if !balanced => {
            errors.forbidden(&at.child("allocateLoadBalancerNodePorts"), ONLY_BALANCED);
        }
        None if balanced => errors.required(&at.child("allocateLoadBalancerNodePorts"), ""),
        _ => {}
    }
    if let Some(class) = get(spec, "loadBalancerClass").and_then(Value::as_str) {
        let at = at.child("loadBalancerClass");
        if !balanced {
            errors.forbidden(&at, ONLY_BALANCED);
        }
        errors.invalid_each(&at, class, names::qualified_name(class));
    }
}

fn traffic_policies(spec: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let policies = &["Cluster", "Local"];
    let external = text(spec, "externalTrafficPolicy");
    if externally_accessible(spec) {
        one_of(spec, "externalTrafficPolicy", policies, at, errors);
    } else if !external.is_empty() {
        errors.invalid(
            &at.child("externalTrafficPolicy"),
            external,
            "may only be set for externally-accessible services",
        );
    }
    let port = int(spec, "healthCheckNodePort").unwrap_or(0);
    if port != 0 {
        let at = at.child("healthCheckNodePort");
        if needs_health_check(spec) {
            port_number(port, &at, errors);
        } else {
            errors.invalid(
                &at,
                port,
                "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is \
                 'Local'",
            );
        }
    }
    match get(spec, "internalTrafficPolicy").and_then(Value::as_str) {
        None if needs_cluster_ip(spec) => {
            errors.required(&at.child("internalTrafficPolicy"), "");
        }
        Some(policy) if !policies.contains(&policy) => {
            errors.not_supported(&at.child("internalTrafficPolicy"), policy, policies);
        }
        _ => {}
    }
    if let Some(distribution) = get(spec, "trafficDistribution").and_then(Value::as_str)
        && distribution != "PreferClose"
    {
        let at = at.child("trafficDistribution");
        errors.not_supported(&at, distribution, &["PreferClose"]);
    }
}

pub(super) fn validate_update(service: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    let null = Value::Null;
    let spec = service.get("spec").unwrap_or(&null);
    if subresource == "status" {
        ingress(service, spec, &mut errors);
        return errors;
    }
    let was = old.get("spec").unwrap_or(&null);
    let at = At::of("spec");
    if needs_cluster_ip(spec) && needs_cluster_ip(was) {
        for key in ["clusterIPs", "ipFamilies"] {
            let (now, before) = (list(spec, key), list(was, key));
            if !before.is_empty() && now.first() != before.first() {
                errors.invalid(
                    &at.child(key).index(0),
                    now.to_vec(),
                    "may not change once set",
                );
            }
        }
    }
    let balanced = |spec: &Value| text(spec, "type") == "LoadBalancer";
    if balanced(spec) && balanced(was) && !same_field(spec, was, "loadBalancerClass") {
        errors.invalid(
            &at.child("loadBalancerClass"),
            spec.get("loadBalancerClass").cloned().unwrap_or_default(),
            "may not change once set",
        );
    }
    errors.extend(validate_create(service));
    errors
}

fn ingress(service: &Value, spec: &Value, errors: &mut ErrorList) {
    let list_at = At::of("status.loadBalancer.ingress");
    let balancer = crate::meta::at(service, &["status", "loadBalancer"]).unwrap_or(&Value::Null);
    let entries = list(balancer, "ingress");
    if !entries.is_empty() && text(spec, "type") != "LoadBalancer" {
        errors.forbidden(
            &list_at,
            "may only be used when `spec.type` is LoadBalancer",
        );
    }
    for (i, entry) in entries.iter().enumerate() {
        let at = list_at.index(i);
        let ip = text(entry, "ip");
        if !ip.is_empty() {
            net::valid_ip(ip, &at.child("ip"), errors);
        }
        match get(entry, "ipMode").and_then(Value::as_str) {
            Some(_) if ip.is_empty() => {
                errors.forbidden(
                    &at.child("ipMode"),
                    "may not be specified when `ip` is not set",
                );
            }
            Some(mode) if !matches!(mode, "Proxy" | "VIP") => {
                errors.not_supported(&at.child("ipMode"), mode, &["Proxy", "VIP"]);
            }
            None if !ip.is_empty() => {
                errors.required(&at.child("ipMode"), "must be specified when `ip` is set");
            }
            _ => {}
        }
        let hostname = text(entry, "hostname");
        if !hostname.is_empty() {
            let at = at.child("hostname");
            errors.invalid_each(&at, hostname, names::dns1123_subdomain(hostname));
            if net::parse_ip(hostname).is_some() {
                errors.invalid(&at, hostname, "must be a DNS name, not an IP address");
            }
        }
    }
}
