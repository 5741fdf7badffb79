//! Ingresses.

use super::ingress_class::typed_reference;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::net::{parse_ip, valid_ip};
use crate::validation::read::{get, int, list, text, texts};
use crate::{Value, meta};

const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// What may stay as it is because it was let in once.
#[derive(Default)]
struct Lenience {
    secret_names: bool,
    wildcard_rules: bool,
}

/// Reports what is wrong with a new ingress.
pub(super) fn validate_create(ingress: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    validate(ingress, &Lenience::default(), &mut errors);
    let annotation = meta::annotations(ingress).get(CLASS_ANNOTATION).copied();
    let class = meta::at(ingress, &["spec", "ingressClassName"]).and_then(Value::as_str);
    if let (Some(annotation), Some(class)) = (annotation, class)
        && annotation != class
    {
        errors.invalid(
            &At::of("annotations").child(CLASS_ANNOTATION),
            annotation,
            "must match `ingressClassName` when both are specified",
        );
    }
    errors
}

/// Reports what is wrong with a changed ingress or its status.
pub(super) fn validate_update(ingress: &Value, old: &Value, subresource: &str) -> ErrorList {
    let mut errors = ErrorList::new();
    if subresource == "status" {
        status(ingress, &mut errors);
        return errors;
    }
    let secret_names = meta::list(old, &["spec", "tls"])
        .iter()
        .any(|tls| !secret_name_faults(text(tls, "secretName")).is_empty());
    let wildcard_rules = meta::list(old, &["spec", "rules"]).iter().any(|one| {
        let mut found = ErrorList::new();
        rule_value(one, &At::root(), &mut found);
        text(one, "host").contains('*') && !found.is_empty()
    });
    let lenience = Lenience {
        secret_names,
        wildcard_rules,
    };
    validate(ingress, &lenience, &mut errors);
    errors
}

/// Upstream's warning for the annotation that the field has replaced.
pub(super) fn warnings(ingress: &Value, old: Option<&Value>) -> Vec<String> {
    let annotated = meta::annotations(ingress).contains_key(CLASS_ANNOTATION);
    if old.is_none() && annotated {
        vec![format!(
            "annotation {CLASS_ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' \
             instead"
        )]
    } else {
        Vec::new()
    }
}

fn validate(ingress: &Value, lenience: &Lenience, errors: &mut ErrorList) {
    let none = Value::Null;
    let spec = ingress.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    let (rules, default) = (list(spec, "rules"), get(spec, "defaultBackend"));
    if rules.is_empty() && default.is_none() {
        errors.invalid(
            &at,
            rules.to_vec(),
            "either `defaultBackend` or `rules` must be specified",
        );
    }
    if let Some(default) = default {
        backend(default, &at.child("defaultBackend"), errors);
    }
    let rules_at = at.child("rules");
    for (i, one) in rules.iter().enumerate() {
        rule(one, lenience, &rules_at.index(i), errors);
    }
    let tls_at = at.child("tls");
    for (i, tls) in list(spec, "tls").iter().enumerate() {
        let at = tls_at.index(i);
        let hosts_at = at.child("hosts");
        for (j, name) in texts(tls, "hosts").enumerate() {
            host(name, &hosts_at.index(j), errors);
        }
        if !lenience.secret_names {
            let name = text(tls, "secretName");
            errors.invalid_each(&at.child("secretName"), name, secret_name_faults(name));
        }
    }
    if let Some(class) = get(spec, "ingressClassName").and_then(Value::as_str) {
        let faults = names::dns1123_subdomain(class);
        errors.invalid_each(&at.child("ingressClassName"), class, faults);
    }
}

fn secret_name_faults(name: &str) -> Vec<String> {
    if name.is_empty() {
        Vec::new()
    } else {
        names::dns1123_subdomain(name)
    }
}

fn host(host: &str, at: &At<'_>, errors: &mut ErrorList) {
    let faults = if host.contains('*') {
        names::wildcard_dns1123_subdomain(host)
    } else {
        names::dns1123_subdomain(host)
    };
    errors.invalid_each(at, host, faults);
}

fn rule(rule: &Value, lenience: &Lenience, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(rule, "host");
    if !name.is_empty() {
        let at = at.child("host");
        if parse_ip(name).is_some() {
            errors.invalid(&at, name, "must be a DNS name, not an IP address");
        }
        host(name, &at, errors);
    }
    if !name.contains('*') || !lenience.wildcard_rules {
        rule_value(rule, at, errors);
    }
}

fn rule_value(rule: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(http) = get(rule, "http") else {
        return;
    };
    let at = at.child("http");
    let at = at.child("paths");
    let paths = list(http, "paths");
    if paths.is_empty() {
        errors.required(&at, "");
    }
    for (i, one) in paths.iter().enumerate() {
        path(one, &at.index(i), errors);
    }
}

fn path(path: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if get(path, "pathType").is_none() {
        errors.required(&at.child("pathType"), "pathType must be specified");
        return;
    }
    let prefix = text(path, "path");
    let path_at = at.child("path");
    let absolute = prefix.starts_with('/');
    match text(path, "pathType") {
        "Exact" | "Prefix" => {
            if !absolute {
                errors.invalid(&path_at, prefix, "must be an absolute path");
            }
            for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
                if prefix.contains(sequence) {
                    errors.invalid(&path_at, prefix, format!("must not contain '{sequence}'"));
                }
            }
            for suffix in ["/..", "/."] {
                if prefix.ends_with(suffix) {
                    errors.invalid(&path_at, prefix, format!("cannot end with '{suffix}'"));
                }
            }
        }
        "ImplementationSpecific" => {
            if !prefix.is_empty() && !absolute {
                errors.invalid(&path_at, prefix, "must be an absolute path");
            }
        }
        other => errors.not_supported(
            &at.child("pathType"),
            other,
            &["Exact", "ImplementationSpecific", "Prefix"],
        ),
    }
    let none = Value::Null;
    let target = path.get("backend").unwrap_or(&none);
    backend(target, &at.child("backend"), errors);
}

fn backend(backend: &Value, at: &At<'_>, errors: &mut ErrorList) {
    match (get(backend, "resource"), get(backend, "service")) {
        (Some(_), Some(_)) => {
            errors.invalid(at, "", "cannot set both resource and service backends");
        }
        (Some(resource), None) => typed_reference(resource, &at.child("resource"), errors),
        (None, Some(target)) => service(target, at, errors),
        (None, None) => errors.invalid(at, "", "resource or service backend is required"),
    }
}

/// Reports what is wrong with the service of the backend at `at`.
fn service(service: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let service_at = at.child("service");
    let name = text(service, "name");
    if name.is_empty() {
        errors.required(&service_at.child("name"), "");
    } else {
        let faults = names::dns1035_label(name);
        errors.invalid_each(&service_at.child("name"), name, faults);
    }
    let none = Value::Null;
    let port = service.get("port").unwrap_or(&none);
    let port_at = service_at.child("port");
    match (text(port, "name"), int(port, "number").unwrap_or(0)) {
        ("", 0) => errors.required(at, "port name or number is required"),
        ("", number) => {
            for fault in names::port_number(number) {
                errors.invalid(&port_at.child("number"), number, fault);
            }
        }
        (name, 0) => errors.invalid_each(&port_at.child("name"), name, names::port_name(name)),
        _ => errors.invalid(at, "", "cannot set both port name & port number"),
    }
}

fn status(ingress: &Value, errors: &mut ErrorList) {
    let at = At::of("status.loadBalancer.ingress");
    let points = meta::list(ingress, &["status", "loadBalancer", "ingress"]);
    for (i, point) in points.iter().enumerate() {
        let at = at.index(i);
        let (ip, name) = (text(point, "ip"), text(point, "hostname"));
        if !ip.is_empty() {
            valid_ip(ip, &at.child("ip"), errors);
        }
        if !name.is_empty() {
            let at = at.child("hostname");
            errors.invalid_each(&at, name, names::dns1123_subdomain(name));
            if parse_ip(name).is_some() {
                errors.invalid(&at, name, "must be a DNS name, not an IP address");
            }
        }
    }
}
