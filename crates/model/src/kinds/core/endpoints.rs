//! Endpoints: the addresses behind a service, in their old form.

use super::container::{one_of, port_number};
use super::fill;
use crate::Value;
use crate::field::ErrorList;
use crate::kinds::neutral;
use crate::resource::Behavior;
use crate::validation::at::{At, Report};
use crate::validation::read::{get, int, list, text};
use crate::validation::{names, net};

/// The rules of endpoints.
pub(super) fn behavior() -> Behavior {
    Behavior {
        default,
        validate_create,
        validate_update: |endpoints, _, _| validate_create(endpoints),
        validate_name: names::object_subdomain,
        ..neutral()
    }
}

fn default(_version: &str, endpoints: &mut Value) {
    let Some(endpoints) = endpoints.as_object_mut() else {
        return;
    };
    for subset in fill::maps(endpoints, "subsets") {
        for port in fill::maps(subset, "ports") {
            fill::text(port, "protocol", "TCP");
        }
    }
}

fn validate_create(endpoints: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let list_at = At::of("subsets");
    for (i, subset) in list(endpoints, "subsets").iter().enumerate() {
        let at = list_at.index(i);
        let keys = ["addresses", "notReadyAddresses"];
        if keys.iter().all(|key| list(subset, key).is_empty()) {
            errors.required(&at, "must specify `addresses` or `notReadyAddresses`");
        }
        for key in keys {
            let list_at = at.child(key);
            for (j, entry) in list(subset, key).iter().enumerate() {
                address(entry, &list_at.index(j), &mut errors);
            }
        }
        let ports = list(subset, "ports");
        let ports_at = at.child("ports");
        for (j, entry) in ports.iter().enumerate() {
            port(entry, ports.len() > 1, &ports_at.index(j), &mut errors);
        }
    }
    errors
}

fn address(entry: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let ip = text(entry, "ip");
    let before = errors.len();
    net::valid_ip(ip, &at.child("ip"), errors);
    let hostname = text(entry, "hostname");
    if !hostname.is_empty() {
        let messages = names::dns1123_label(hostname);
        errors.invalid_each(&at.child("hostname"), hostname, messages);
    }
    if let Some(node) = get(entry, "nodeName").and_then(Value::as_str) {
        errors.invalid_each(&at.child("nodeName"), node, names::dns1123_subdomain(node));
    }
    if errors.len() == before {
        net::not_special_ip(ip, &at.child("ip"), errors);
    }
}

fn port(entry: &Value, named: bool, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(entry, "name");
    if !name.is_empty() {
        errors.invalid_each(&at.child("name"), name, names::dns1123_label(name));
    } else if named {
        errors.required(&at.child("name"), "");
    }
    port_number(int(entry, "port").unwrap_or(0), &at.child("port"), errors);
    one_of(entry, "protocol", &["SCTP", "TCP", "UDP"], at, errors);
    if let Some(protocol) = get(entry, "appProtocol").and_then(Value::as_str) {
        let messages = names::qualified_name(protocol);
        errors.invalid_each(&at.child("appProtocol"), protocol, messages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules() {
        let cases: Vec<(Value, Vec<&str>)> = vec![
            (json!([]), vec![]),
            (
                json!([{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]),
                vec![],
            ),
            (
                json!([{}]),
                vec!["subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`"],
            ),
            (
                json!([{"addresses": [{"ip": "127.0.0.1"}]}]),
                vec!["subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the"],
            ),
            (
                json!([{"addresses": [{"ip": "x"}]}]),
                vec!["subsets[0].addresses[0].ip: Invalid value: \"x\": must be a valid IP"],
            ),
            (
                json!([{"addresses": [{"ip": "10.0.0.1"}],
                "ports": [{"port": 80}, {"port": 0, "name": "a"}]}]),
                vec![
                    "subsets[0].ports[0].name: Required value",
                    "subsets[0].ports[1].port: Invalid value: 0",
                ],
            ),
        ];
        for (subsets, want) in cases {
            let mut endpoints = json!({"subsets": subsets});
            default("v1", &mut endpoints);
            let got: Vec<_> = validate_create(&endpoints)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(got.len(), want.len(), "{endpoints}: {got:?}");
            for (got, want) in got.iter().zip(want) {
                assert!(got.starts_with(want), "{got}");
            }
        }
    }
}
