//! `discovery.k8s.io`: endpoint slices.

use super::core::fill;
use super::neutral;
use super::workload::field;
use crate::Value;
use crate::field::ErrorList;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::object_meta::{immutable_field, labels};
use crate::validation::read::{get, list, map, text, texts};
use crate::validation::{names, net};
use std::collections::BTreeSet;
use std::net::IpAddr;

const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const TOPOLOGY_MAX: usize = 16;
const ZONES_MAX: usize = 8;
const ADDRESS_TYPES: [&str; 3] = ["FQDN", "IPv4", "IPv6"];
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// The rules of `plural`, if it is a kind of this group.
pub fn behavior(plural: &str) -> Option<Behavior> {
    (plural == "endpointslices").then(|| Behavior {
        default,
        validate_create: validate,
        validate_update: |slice, old, _| {
            let mut errors = validate(slice);
            immutable_field(slice, old, "addressType", &At::root(), &mut errors);
            errors
        },
        validate_name: names::object_subdomain,
        ..neutral()
    })
}

fn default(_version: &str, slice: &mut Value) {
    let Some(slice) = slice.as_object_mut() else {
        return;
    };
    for port in fill::maps(slice, "ports") {
        fill::absent(port, "name", "");
        fill::absent(port, "protocol", "TCP");
    }
}

fn validate(slice: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let kind = text(slice, "addressType");
    let at = At::of("addressType");
    if kind.is_empty() {
        errors.required(&at, "");
    } else if !ADDRESS_TYPES.contains(&kind) {
        errors.not_supported(&at, kind, &ADDRESS_TYPES);
    }
    let endpoints = list(slice, "endpoints");
    let at = At::of("endpoints");
    if endpoints.len() > ENDPOINTS_MAX {
        errors.too_many(&at, endpoints.len(), ENDPOINTS_MAX);
    } else {
        for (i, one) in endpoints.iter().enumerate() {
            endpoint(one, kind, &at.index(i), &mut errors);
        }
    }
    ports(list(slice, "ports"), &At::of("ports"), &mut errors);
    errors
}

fn endpoint(endpoint: &Value, kind: &str, at: &At<'_>, errors: &mut ErrorList) {
    let addresses = list(endpoint, "addresses");
    let list_at = at.child("addresses");
    if addresses.is_empty() {
        errors.required(&list_at, "must contain at least 1 address");
    } else if addresses.len() > ADDRESSES_MAX {
        errors.too_many(&list_at, addresses.len(), ADDRESSES_MAX);
    }
    for (i, one) in texts(endpoint, "addresses").enumerate() {
        address(one, kind, &list_at.index(i), errors);
    }
    if let Some(node) = get(endpoint, "nodeName").and_then(Value::as_str) {
        errors.invalid_each(&at.child("nodeName"), node, names::dns1123_subdomain(node));
    }
    let topology = map(endpoint, "deprecatedTopology");
    let topology_at = at.child("deprecatedTopology");
    labels(endpoint, "deprecatedTopology", at, errors);
    if let Some(topology) = topology {
        if topology.len() > TOPOLOGY_MAX {
            errors.too_many(&topology_at, topology.len(), TOPOLOGY_MAX);
        }
        if topology.contains_key("topology.kubernetes.io/zone") {
            let at = topology_at.key("topology.kubernetes.io/zone");
            let why = "may not set topology.kubernetes.io/zone in deprecatedTopology, use zone \
                       instead";
            errors.invalid(&at, "topology.kubernetes.io/zone", why);
        }
    }
    if let Some(host) = get(endpoint, "hostname").and_then(Value::as_str) {
        errors.invalid_each(&at.child("hostname"), host, names::dns1123_label(host));
    }
    if let Some(hints) = get(endpoint, "hints") {
        let at = at.child("hints");
        for (key, rule) in [
            ("forZones", names::label_value as fn(&str) -> Vec<String>),
            ("forNodes", names::dns1123_subdomain),
        ] {
            hint(list(hints, key), rule, &at.child(key), errors);
        }
    }
}

fn hint(places: &[Value], rule: fn(&str) -> Vec<String>, at: &At<'_>, errors: &mut ErrorList) {
    if places.len() > ZONES_MAX {
        errors.too_many(at, places.len(), ZONES_MAX);
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, place) in places.iter().enumerate() {
        let name = text(place, "name");
        let at = at.index(i);
        let at = at.child("name");
        if !seen.insert(name) {
            errors.duplicate(&at, name);
        }
        errors.invalid_each(&at, name, rule(name));
    }
}

fn address(text: &str, kind: &str, at: &At<'_>, errors: &mut ErrorList) {
    let fits = match (kind, net::parse_ip(text)) {
        ("FQDN", _) => {
            if let Some(why) = names::fully_qualified(text) {
                errors.invalid(at, text, why);
            }
            return;
        }
        ("IPv4", Some(IpAddr::V4(_))) | ("IPv6", Some(IpAddr::V6(_))) => true,
        ("IPv4" | "IPv6", _) => false,
        _ => return,
    };
    if fits {
        net::not_special_ip(text, at, errors);
    } else {
        errors.invalid(at, text, format!("must be a valid {kind} address"));
    }
}

fn ports(ports: &[Value], at: &At<'_>, errors: &mut ErrorList) {
    if ports.len() > PORTS_MAX {
        errors.too_many(at, ports.len(), PORTS_MAX);
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, port) in ports.iter().enumerate() {
        let at = at.index(i);
        let name = text(port, "name");
        if !name.is_empty() {
            errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
        }
        if !seen.insert(name) {
            errors.duplicate(&at.child("name"), name);
        }
        match field(port, "protocol").as_str() {
            None => errors.required(&at.child("protocol"), ""),
            Some(known) if PROTOCOLS.contains(&known) => {}
            Some(other) => errors.not_supported(&at.child("protocol"), other, &PROTOCOLS),
        }
        if let Some(protocol) = get(port, "appProtocol").and_then(Value::as_str) {
            let faults = names::qualified_name(protocol);
            errors.invalid_each(&at.child("appProtocol"), protocol, faults);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kinds::check::{create, defaulted, update};
    use serde_json::json;

    const KIND: (&str, &str) = ("discovery.k8s.io", "endpointslices");

    #[test]
    fn rules() {
        let one = |endpoint| json!({"addressType": "IPv4", "endpoints": [endpoint]});
        let cases = [
            (
                json!({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}),
                "",
            ),
            (json!({}), "addressType: Required value"),
            (
                json!({"addressType": "x"}),
                "addressType: Unsupported value: \"x\": supported values: \"FQDN\", \"IPv4\", \"IPv6\"",
            ),
            (
                one(json!({"addresses": []})),
                "endpoints[0].addresses: Required value: must contain at least 1 address",
            ),
            (
                one(json!({"addresses": ["::1"]})),
                "endpoints[0].addresses[0]: Invalid value: \"::1\": must be a valid IPv4 address",
            ),
            (
                one(json!({"addresses": ["127.0.0.1"]})),
                "endpoints[0].addresses[0]: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
            ),
            (
                json!({"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}]}),
                "",
            ),
            (
                json!({"addressType": "FQDN", "endpoints": [{"addresses": ["example.com"]}]}),
                "endpoints[0].addresses[0]: Invalid value: \"example.com\": should be a domain with at least three segments separated by dots",
            ),
            (
                one(
                    json!({"addresses": ["10.0.0.1"], "hints": {"forZones": [{"name": "a"}, {"name": "a"}]}}),
                ),
                "endpoints[0].hints.forZones[1].name: Duplicate value: \"a\"",
            ),
            (
                json!({"addressType": "IPv4", "ports": [{"name": "a", "protocol": "x"}, {"name": "a"}]}),
                "ports[0].protocol: Unsupported value: \"x\": supported values: \"SCTP\", \"TCP\", \"UDP\"; ports[1].name: Duplicate value: \"a\"",
            ),
        ];
        for (slice, want) in cases {
            let slice = defaulted(KIND.0, KIND.1, "v1", &slice);
            assert_eq!(create(KIND.0, KIND.1, &slice).join("; "), want, "{slice}");
        }
        let many = vec![json!({"addresses": ["10.0.0.1"]}); 1001];
        let slice = json!({"addressType": "IPv4", "endpoints": many});
        assert_eq!(
            create(KIND.0, KIND.1, &slice),
            ["endpoints: Too many: 1001: must have at most 1000 items"]
        );
    }

    #[test]
    fn address_types_stay() {
        let (old, new) = (
            json!({"addressType": "IPv4"}),
            json!({"addressType": "IPv6"}),
        );
        assert_eq!(
            update(KIND.0, KIND.1, &new, &old, ""),
            ["addressType: Invalid value: \"IPv6\": field is immutable"]
        );
    }
}
