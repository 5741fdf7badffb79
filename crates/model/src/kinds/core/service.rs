//! Services: defaults, and what follows from their type when they are created or changed.
//! Addresses and node ports are handed out by the API server's allocators, not here.

use super::{fill, service_rules};
use crate::kinds::neutral;
use crate::meta;
use crate::resource::Behavior;
use crate::validation::names;
use crate::validation::net;
use crate::validation::read::{get, int, list, same_field, text, texts};
use crate::{Map, Value};
use serde_json::json;

/// The rules of services.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        prepare_create,
        prepare_update,
        validate_create: service_rules::validate_create,
        validate_update: service_rules::validate_update,
        validate_name: names::object_label_1035,
        ..neutral()
    }
}

/// Whether a service of this spec gets addresses of the cluster.
pub fn needs_cluster_ip(spec: &Value) -> bool {
    matches!(
        text(spec, "type"),
        "ClusterIP" | "NodePort" | "LoadBalancer"
    )
}

/// Whether a service of this spec gets ports on every node.
pub fn needs_node_ports(spec: &Value) -> bool {
    match text(spec, "type") {
        "NodePort" => true,
        "LoadBalancer" => {
            crate::validation::read::flag(spec, "allocateLoadBalancerNodePorts") != Some(false)
        }
        _ => false,
    }
}

/// Whether a service of this spec gets a port for health checks of its load balancer.
pub fn needs_health_check(spec: &Value) -> bool {
    text(spec, "type") == "LoadBalancer" && text(spec, "externalTrafficPolicy") == "Local"
}

/// Whether a service of this spec can be reached from outside.
pub(crate) fn externally_accessible(spec: &Value) -> bool {
    match text(spec, "type") {
        "NodePort" | "LoadBalancer" => true,
        "ClusterIP" => !list(spec, "externalIPs").is_empty(),
        _ => false,
    }
}

/// Whether a service of this spec has no address of its own.
pub(crate) fn is_headless(spec: &Value) -> bool {
    match texts(spec, "clusterIPs").next() {
        Some(first) => list(spec, "clusterIPs").len() == 1 && first == "None",
        None => text(spec, "clusterIP") == "None",
    }
}

fn default(_version: &str, service: &mut Value) {
    let Some(service) = service.as_object_mut() else {
        return;
    };
    fill::empty_map(service, "spec");
    let Some(spec) = fill::map(service, "spec") else {
        return;
    };
    fill::text(spec, "sessionAffinity", "None");
    match fill::get(spec, "sessionAffinity") {
        "None" => drop(spec.remove("sessionAffinityConfig")),
        "ClientIP" => {
            fill::empty_map(spec, "sessionAffinityConfig");
            if let Some(config) = fill::map(spec, "sessionAffinityConfig") {
                fill::empty_map(config, "clientIP");
                if let Some(client) = fill::map(config, "clientIP") {
                    fill::absent(client, "timeoutSeconds", 10800);
                }
            }
        }
        _ => {}
    }
    fill::text(spec, "type", "ClusterIP");
    for port in fill::maps(spec, "ports") {
        fill::text(port, "protocol", "TCP");
        let unset = match port.get("targetPort") {
            None | Some(Value::Null) => true,
            Some(Value::String(name)) => name.is_empty(),
            Some(number) => number.as_i64() == Some(0),
        };
        if unset && let Some(number) = port.get("port").cloned() {
            port.insert("targetPort".to_owned(), number);
        }
    }
    let view = Value::Object(std::mem::take(spec));
    let (outside, inside) = (externally_accessible(&view), needs_cluster_ip(&view));
    if let Value::Object(map) = view {
        *spec = map;
    }
    if outside {
        fill::text(spec, "externalTrafficPolicy", "Cluster");
    }
    if inside {
        fill::absent(spec, "internalTrafficPolicy", "Cluster");
    }
    let balanced = fill::get(spec, "type") == "LoadBalancer";
    if balanced {
        fill::absent(spec, "allocateLoadBalancerNodePorts", true);
    }
    fill::empty_map(service, "status");
    if let Some(status) = fill::map(service, "status") {
        fill::empty_map(status, "loadBalancer");
        if balanced && let Some(balancer) = fill::map(status, "loadBalancer") {
            for ingress in fill::maps(balancer, "ingress") {
                if !fill::get(ingress, "ip").is_empty() {
                    fill::absent(ingress, "ipMode", "VIP");
                }
            }
        }
    }
}

fn prepare_create(service: &mut Value) {
    meta::set(service, &["status"], json!({"loadBalancer": {}}));
    let Some(spec) = service.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    list_cluster_ip(spec);
    default_ip_families(spec);
}

/// `clusterIPs` starts with `clusterIP`.
fn list_cluster_ip(spec: &mut Map) {
    let ip = fill::get(spec, "clusterIP").to_owned();
    let empty = crate::validation::read::is_blank(spec.get("clusterIPs"));
    if !ip.is_empty() && empty {
        spec.insert("clusterIPs".to_owned(), json!([ip]));
    }
}

/// One family, the one of the given address or else IPv4, unless the client says more.
fn default_ip_families(spec: &mut Map) {
    if fill::get(spec, "type") == "ExternalName" {
        return;
    }
    fill::absent(spec, "ipFamilyPolicy", "SingleStack");
    if crate::validation::read::is_blank(spec.get("ipFamilies")) {
        let v6 = net::parse_ip(fill::get(spec, "clusterIP")).is_some_and(|ip| ip.is_ipv6());
        let family = if v6 { "IPv6" } else { "IPv4" };
        spec.insert("ipFamilies".to_owned(), json!([family]));
    }
}

fn prepare_update(service: &mut Value, old: &Value, subresource: &str) {
    if subresource == "status" {
        return;
    }
    let null = Value::Null;
    let old_spec = old.get("spec").unwrap_or(&null);
    let Some(spec_value) = service.get_mut("spec") else {
        return;
    };
    drop_what_the_type_lost(spec_value, old_spec);
    keep_allocated(spec_value, old_spec);
    if let Some(spec) = spec_value.as_object_mut() {
        // A change of one of the two views of the addresses is meant for both.
        let cleared = fill::get(spec, "clusterIP").is_empty()
            && !text(old_spec, "clusterIP").is_empty()
            && spec.get("clusterIPs") == old_spec.get("clusterIPs");
        if cleared {
            spec.remove("clusterIPs");
        }
        list_cluster_ip(spec);
        default_ip_families(spec);
    }
}

/// What a client left out of a full update is what was allocated before.
fn keep_allocated(spec: &mut Value, old: &Value) {
    if needs_cluster_ip(spec) && needs_cluster_ip(old) {
        let none = text(spec, "clusterIP").is_empty() && list(spec, "clusterIPs").is_empty();
        if none {
            copy(spec, old, "clusterIP");
            copy(spec, old, "clusterIPs");
        }
        for key in ["ipFamilies", "ipFamilyPolicy"] {
            if get(spec, key).is_none() {
                copy(spec, old, key);
            }
        }
    }
    if needs_node_ports(spec) && needs_node_ports(old) {
        let used: Vec<i64> = list(spec, "ports")
            .iter()
            .filter_map(|p| int(p, "nodePort").filter(|n| *n != 0))
            .collect();
        let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten() {
            if int(port, "nodePort").unwrap_or(0) != 0 {
                continue;
            }
            let before = list(old, "ports").iter().find(|o| {
                int(o, "port") == int(port, "port") && text(o, "protocol") == text(port, "protocol")
            });
            let number = before.and_then(|o| int(o, "nodePort")).unwrap_or(0);
            if number != 0 && !used.contains(&number) {
                meta::set(port, &["nodePort"], number);
            }
        }
    }
    if needs_health_check(spec)
        && needs_health_check(old)
        && int(spec, "healthCheckNodePort").unwrap_or(0) == 0
    {
        copy(spec, old, "healthCheckNodePort");
    }
}

fn copy(spec: &mut Value, old: &Value, key: &str) {
    if let Some(value) = old.get(key) {
        meta::set(spec, &[key], value.clone());
    }
}

/// When the type changes, fields that the old type had and the new one does not go, unless the
/// client changed them in the same step.
fn drop_what_the_type_lost(spec: &mut Value, old: &Value) {
    let lost = |needs: fn(&Value) -> bool, spec: &Value| needs(old) && !needs(spec);
    let balanced: fn(&Value) -> bool = |spec| text(spec, "type") == "LoadBalancer";
    let mut doomed: Vec<&str> = Vec::new();
    if lost(needs_cluster_ip, spec) {
        doomed.extend(["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]);
        doomed.push("internalTrafficPolicy");
    }
    if lost(needs_health_check, spec) {
        doomed.push("healthCheckNodePort");
    }
    if lost(balanced, spec) {
        doomed.extend(["allocateLoadBalancerNodePorts", "loadBalancerClass"]);
    }
    if lost(externally_accessible, spec) {
        doomed.push("externalTrafficPolicy");
    }
    doomed.retain(|key| same_field(spec, old, key));
    let node_ports = lost(needs_node_ports, spec)
        && list(spec, "ports").iter().all(|port| {
            let number = int(port, "nodePort");
            number.is_none_or(|n| n == 0)
                || list(old, "ports")
                    .iter()
                    .any(|o| int(o, "nodePort") == number)
        });
    if let Some(spec) = spec.as_object_mut() {
        for key in doomed {
            spec.remove(key);
        }
        if node_ports {
            for port in fill::maps(spec, "ports") {
                port.remove("nodePort");
            }
        }
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
