//! Addresses and node ports of services: handed out, kept, refused.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use admission::{Lookup, Operation, Plugin, Request, ServiceAddresses};
use model::registry::Registry;
use model::user::UserInfo;
use model::{Value, meta};
use serde_json::json;
use std::net::Ipv4Addr;
use std::sync::Arc;

struct Services(Vec<Arc<Value>>);

impl Lookup for Services {
    fn get(&self, _: &str, _: &str, _: &str, _: &str) -> Option<Arc<Value>> {
        None
    }

    fn list(&self, _: &str, _: &str, _: &str) -> Vec<Arc<Value>> {
        self.0.clone()
    }
}

fn run(name: &str, spec: Value, old: Option<&Value>, others: &[Value]) -> Result<Value, String> {
    let registry = Registry::builtin();
    let resource = registry.by_path("", "v1", "services").expect("registered");
    let mut object = json!({"metadata": {"name": name, "namespace": "n"}, "spec": spec});
    (resource.behavior.default)("v1", &mut object);
    let user = UserInfo::default();
    let mut request = Request {
        operation: match old {
            None => Operation::Create,
            Some(_) => Operation::Update,
        },
        resource,
        subresource: "",
        namespace: "n",
        name,
        object,
        old_object: old,
        user: &user,
        dry_run: false,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    let services = Services(others.iter().cloned().map(Arc::new).collect());
    ServiceAddresses::new(Ipv4Addr::new(10, 96, 0, 1), 12)
        .mutate(&mut request, &services)
        .map_err(|status| status.to_string())?;
    Ok(request.object)
}

fn port(service: &Value, i: usize) -> i64 {
    service["spec"]["ports"][i]["nodePort"]
        .as_i64()
        .expect("a node port")
}

#[test]
fn new_services_get_what_is_free() {
    let ports = json!([{"name": "a", "port": 80}, {"name": "b", "port": 81}]);
    let spec = json!({"type": "NodePort", "ports": ports});
    let first = run("a", spec.clone(), None, &[]).expect("admitted");
    let ip = meta::text(&first, &["spec", "clusterIP"]).to_owned();
    assert!(
        ip.parse::<Ipv4Addr>().is_ok_and(|ip| ip.octets()[0] == 10),
        "{ip}"
    );
    assert_eq!(first["spec"]["clusterIPs"], json!([ip]));
    assert!((30000..=32767).contains(&port(&first, 0)));
    assert_ne!(port(&first, 0), port(&first, 1));
    // The same name elsewhere starts its search at the same place, and finds the next.
    let mut other = first.clone();
    meta::set(&mut other, &["metadata", "name"], "b");
    let second = run("a", spec, None, &[other]).expect("admitted");
    assert_ne!(second["spec"]["clusterIP"], first["spec"]["clusterIP"]);
    assert!(port(&second, 0) != port(&first, 0) && port(&second, 0) != port(&first, 1));
}

#[test]
fn some_need_none() {
    for spec in [
        json!({"clusterIP": "None"}),
        json!({"type": "ExternalName", "externalName": "example.com"}),
    ] {
        let service = run("a", spec.clone(), None, &[]).expect("admitted");
        assert_eq!(service["spec"]["clusterIP"], spec["clusterIP"]);
    }
}

#[test]
fn updates_keep_what_was_handed_out() {
    let spec = json!({"type": "NodePort", "ports": [{"port": 80}]});
    let old = run("a", spec.clone(), None, &[]).expect("admitted");
    let new = run("a", spec, Some(&old), std::slice::from_ref(&old)).expect("admitted");
    assert_eq!(new["spec"]["clusterIP"], old["spec"]["clusterIP"]);
    assert_eq!(port(&new, 0), port(&old, 0));
    let plain = run("b", json!({"ports": [{"port": 80}]}), None, &[]).expect("admitted");
    let grown = json!({"type": "LoadBalancer", "externalTrafficPolicy": "Local",
        "ports": [{"port": 80}]});
    let grown = run("b", grown, Some(&plain), &[]).expect("admitted");
    assert_eq!(grown["spec"]["clusterIP"], plain["spec"]["clusterIP"]);
    assert!((30000..=32767).contains(&port(&grown, 0)));
    assert_ne!(
        grown["spec"]["healthCheckNodePort"].as_i64(),
        Some(port(&grown, 0))
    );
}

#[test]
fn what_others_have_is_refused() {
    let taken = json!({"metadata": {"name": "x", "namespace": "n"}, "spec": {
        "clusterIPs": ["10.96.0.10"], "ports": [{"protocol": "TCP", "nodePort": 30001}]}});
    let cases = [
        (
            json!({"clusterIP": "10.96.0.10", "ports": [{"port": 80}]}),
            "Service \"a\" is invalid: spec.clusterIPs: Invalid value: []string{\"10.96.0.10\"}: failed \
             to allocate IP 10.96.0.10: provided IP is already allocated",
        ),
        (
            json!({"clusterIP": "192.168.0.1", "ports": [{"port": 80}]}),
            "Service \"a\" is invalid: spec.clusterIPs: Invalid value: []string{\"192.168.0.1\"}: failed \
             to allocate IP 192.168.0.1: the provided IP (192.168.0.1) is not in the valid range. \
             The range of valid IPs is 10.96.0.0/12",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]}),
            "Service \"a\" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided \
             port is already allocated",
        ),
        (
            json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]}),
            "Service \"a\" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port \
             is not in the valid range. The range of valid ports is 30000-32767",
        ),
        (
            json!({"ipFamilies": ["IPv6"], "ports": [{"port": 80}]}),
            "Service \"a\" is invalid: spec.ipFamilies[0]: Invalid value: \"IPv6\": not \
             configured on this cluster",
        ),
    ];
    for (spec, want) in cases {
        let got = run("a", spec, None, std::slice::from_ref(&taken));
        assert_eq!(got.expect_err("refused"), want);
    }
    let udp = json!({"type": "NodePort",
        "ports": [{"port": 80, "protocol": "UDP", "nodePort": 30001}]});
    assert!(run("a", udp, None, &[taken]).is_ok());
}

#[test]
fn a_full_range_is_said_to_be_full() {
    let tiny = ServiceAddresses::new(Ipv4Addr::new(10, 0, 0, 0), 30);
    let others: Vec<Arc<Value>> = (1..=2)
        .map(|i| {
            Arc::new(json!({"metadata": {"name": format!("s{i}")},
                "spec": {"clusterIPs": [format!("10.0.0.{i}")]}}))
        })
        .collect();
    let registry = Registry::builtin();
    let resource = registry.by_path("", "v1", "services").expect("registered");
    let user = UserInfo::default();
    let request = |others: Vec<Arc<Value>>| {
        let mut request = Request {
            operation: Operation::Create,
            resource,
            subresource: "",
            namespace: "n",
            name: "a",
            object: json!({"spec": {"type": "ClusterIP"}}),
            old_object: None,
            user: &user,
            dry_run: false,
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
        };
        let result = tiny.mutate(&mut request, &Services(others));
        (result, request.object)
    };
    let (result, _) = request(others.clone());
    assert!(
        result
            .expect_err("refused")
            .message
            .contains("range is full")
    );
    let (result, object) = request(others[1..].to_vec());
    assert!(result.is_ok());
    assert_eq!(object["spec"]["clusterIP"], "10.0.0.1");
}
