//! Services and what stands before, behind and between them.

use super::cells::{
    AGE, NAME, NONE, UNKNOWN, UNSET, age_of, cells, int, joined, labels, or, selector, text, wide,
    with_more,
};
use crate::resource::Column;
use crate::{Value, meta};
use std::collections::BTreeSet;

pub(super) const SERVICE: &[Column] = &[
    NAME,
    text("Type", "How the service is reached."),
    text("Cluster-IP", "The address inside the cluster."),
    text("External-IP", "The addresses from outside."),
    text("Port(s)", "The ports, with their node ports."),
    AGE,
    wide("Selector", "The labels of the pods behind the service."),
];

pub(super) fn service(object: &Value, now: i64) -> Vec<Value> {
    let ip = meta::list(object, &["spec", "clusterIPs"])
        .first()
        .and_then(Value::as_str)
        .unwrap_or(meta::text(object, &["spec", "clusterIP"]));
    let ports: Vec<_> = meta::list(object, &["spec", "ports"])
        .iter()
        .map(|port| {
            let (number, protocol) = (int(port, &["port"]), meta::text(port, &["protocol"]));
            match int(port, &["nodePort"]) {
                node if node > 0 => format!("{number}:{node}/{protocol}"),
                _ => format!("{number}/{protocol}"),
            }
        })
        .collect();
    cells![
        meta::name(object),
        meta::text(object, &["spec", "type"]),
        or(ip, NONE),
        external(object),
        or(&ports.join(","), NONE),
        age_of(object, now),
        labels(object, &["spec", "selector"]),
    ]
}

fn external(service: &Value) -> String {
    let own = joined(service, &["spec", "externalIPs"], ",");
    match meta::text(service, &["spec", "type"]) {
        "ClusterIP" | "NodePort" => or(&own, NONE).to_owned(),
        "LoadBalancer" => {
            let given = balancer(service);
            match (given.is_empty(), own.is_empty()) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => own,
                (false, true) => given,
                (false, false) => format!("{given},{own}"),
            }
        }
        "ExternalName" => meta::text(service, &["spec", "externalName"]).to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The addresses that a load balancer was given.
fn balancer(object: &Value) -> String {
    let addresses: BTreeSet<_> = meta::list(object, &["status", "loadBalancer", "ingress"])
        .iter()
        .map(|i| or(meta::text(i, &["ip"]), meta::text(i, &["hostname"])))
        .filter(|address| !address.is_empty())
        .collect();
    let addresses: Vec<_> = addresses.into_iter().collect();
    addresses.join(",")
}

pub(super) const ENDPOINTS: &[Column] = &[
    NAME,
    text("Endpoints", "The addresses behind the service."),
    AGE,
];

pub(super) fn endpoints(object: &Value, now: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for subset in meta::list(object, &["subsets"]) {
        let ports = meta::list(subset, &["ports"]);
        let addresses = || {
            meta::list(subset, &["addresses"])
                .iter()
                .map(|address| meta::text(address, &["ip"]))
        };
        if ports.is_empty() {
            all.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let port = int(port, &["port"]);
            all.extend(addresses().map(|ip| {
                if ip.contains(':') {
                    format!("[{ip}]:{port}")
                } else {
                    format!("{ip}:{port}")
                }
            }));
        }
    }
    let none = if meta::list(object, &["subsets"]).is_empty() {
        NONE
    } else {
        ""
    };
    cells![
        meta::name(object),
        with_more(&all, 3, none),
        age_of(object, now)
    ]
}

pub(super) const SLICE: &[Column] = &[
    NAME,
    text("AddressType", "What the addresses are."),
    text("Ports", "The ports of every endpoint."),
    text("Endpoints", "The addresses."),
    AGE,
];

pub(super) fn slice(object: &Value, now: i64) -> Vec<Value> {
    let ports: Vec<_> = meta::list(object, &["ports"])
        .iter()
        .map(
            |port| match (meta::at(port, &["port"]), meta::at(port, &["name"])) {
                (Some(number), _) => number.to_string(),
                (None, Some(name)) => name.as_str().unwrap_or_default().to_owned(),
                (None, None) => "*".to_owned(),
            },
        )
        .collect();
    let addresses: Vec<_> = meta::list(object, &["endpoints"])
        .iter()
        .flat_map(|endpoint| meta::list(endpoint, &["addresses"]))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    cells![
        meta::name(object),
        meta::text(object, &["addressType"]),
        with_more(&ports, 3, UNSET),
        with_more(&addresses, 3, UNSET),
        age_of(object, now),
    ]
}

pub(super) const INGRESS: &[Column] = &[
    NAME,
    text(
        "Class",
        "The name of the IngressClass resource that should be used for additional configuration",
    ),
    text(
        "Hosts",
        "Hosts that incoming requests are matched against before the ingress rule",
    ),
    text(
        "Address",
        "Address is a list containing ingress points for the load-balancer",
    ),
    text("Ports", "Ports of TLS configurations that open"),
    AGE,
];

pub(super) fn ingress(object: &Value, now: i64) -> Vec<Value> {
    let secure = !meta::list(object, &["spec", "tls"]).is_empty();
    let class = meta::at(object, &["spec", "ingressClassName"]).and_then(Value::as_str);
    cells![
        meta::name(object),
        class.unwrap_or(NONE),
        hosts(object),
        balancer(object),
        if secure { "80, 443" } else { "80" },
        age_of(object, now),
    ]
}

fn hosts(ingress: &Value) -> String {
    let rules = meta::list(ingress, &["spec", "rules"]);
    let mut shown = Vec::new();
    let mut more = false;
    for rule in rules {
        let host = meta::text(rule, &["host"]);
        if shown.len() == 3 {
            more = true;
        } else if !host.is_empty() {
            shown.push(host);
        }
    }
    let text = shown.join(",");
    if more {
        format!("{text} + {} more...", rules.len().saturating_sub(3))
    } else {
        or(&text, "*").to_owned()
    }
}

pub(super) const CLASS: &[Column] = &[
    NAME,
    text(
        "Controller",
        "Controller that is responsible for handling this class",
    ),
    text(
        "Parameters",
        "A reference to a resource with additional parameters",
    ),
    AGE,
];

pub(super) fn class(object: &Value, now: i64) -> Vec<Value> {
    let parameters = meta::at(object, &["spec", "parameters"]).map_or(NONE.to_owned(), |p| {
        let (kind, name) = (meta::text(p, &["kind"]), meta::text(p, &["name"]));
        match meta::at(p, &["apiGroup"]).and_then(Value::as_str) {
            Some(group) => format!("{kind}.{group}/{name}"),
            None => format!("{kind}/{name}"),
        }
    });
    cells![
        meta::name(object),
        meta::text(object, &["spec", "controller"]),
        parameters,
        age_of(object, now),
    ]
}

pub(super) const POLICY: &[Column] = &[
    NAME,
    text("Pod-Selector", "The pods that the policy is for."),
    AGE,
];

pub(super) fn policy(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        selector(object, &["spec", "podSelector"]),
        age_of(object, now),
    ]
}

pub(super) const CIDR: &[Column] = &[NAME, text("CIDRs", "The ranges of addresses."), AGE];

pub(super) fn cidr(object: &Value, now: i64) -> Vec<Value> {
    cells![
        meta::name(object),
        joined(object, &["spec", "cidrs"], ","),
        age_of(object, now)
    ]
}

pub(super) const ADDRESS: &[Column] = &[NAME, text("ParentRef", "What the address is for."), AGE];

pub(super) fn address(object: &Value, now: i64) -> Vec<Value> {
    let parent = meta::at(object, &["spec", "parentRef"]).map_or(NONE.to_owned(), |parent| {
        let part = |key| meta::text(parent, &[key]);
        let mut text = crate::status::qualified(part("group"), part("resource")).to_lowercase();
        for name in [part("namespace"), part("name")] {
            if !name.is_empty() {
                text.push('/');
                text.push_str(name);
            }
        }
        text
    });
    cells![meta::name(object), parent, age_of(object, now)]
}
