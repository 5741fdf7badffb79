//! IngressClasses, and references to objects of any kind.

use crate::Value;
use crate::field::ErrorList;
use crate::kinds::core::fill;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::object_meta::immutable_field;
use crate::validation::read::{get, text};

const CONTROLLER_MAX: usize = 250;

/// Fills in the defaults: parameters belong to the cluster.
pub(super) fn default(_version: &str, class: &mut Value) {
    let spec = class.as_object_mut().and_then(|c| fill::map(c, "spec"));
    if let Some(parameters) = spec.and_then(|s| fill::map(s, "parameters")) {
        fill::absent(parameters, "scope", "Cluster");
    }
}

/// Reports what is wrong with a class.
pub(super) fn validate(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    let spec = class.get("spec").unwrap_or(&none);
    let at = At::of("spec");
    let controller = text(spec, "controller");
    let controller_at = at.child("controller");
    if controller.len() > CONTROLLER_MAX {
        errors.too_long(&controller_at, CONTROLLER_MAX);
    }
    domain_prefixed_path(controller, &controller_at, &mut errors);
    if let Some(parameters) = get(spec, "parameters") {
        self::parameters(parameters, &at.child("parameters"), &mut errors);
    }
    errors
}

/// Reports what is wrong with a changed class.
pub(super) fn validate_update(class: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let none = Value::Null;
    immutable_field(
        class.get("spec").unwrap_or(&none),
        old.get("spec").unwrap_or(&none),
        "controller",
        &At::of("spec"),
        &mut errors,
    );
    errors.extend(validate(class));
    errors
}

fn parameters(parameters: &Value, at: &At<'_>, errors: &mut ErrorList) {
    typed_reference(parameters, at, errors);
    let namespace = get(parameters, "namespace").and_then(Value::as_str);
    let namespace_at = at.child("namespace");
    if get(parameters, "scope").is_none() {
        errors.required(&at.child("scope"), "");
        return;
    }
    match (text(parameters, "scope"), namespace) {
        ("Namespace", None) => {
            errors.required(&namespace_at, "`parameters.scope` is set to 'Namespace'")
        }
        ("Namespace", Some(name)) => {
            errors.invalid_each(&namespace_at, name, names::dns1123_label(name));
        }
        ("Cluster", Some(_)) => {
            errors.forbidden(&namespace_at, "`parameters.scope` is set to 'Cluster'")
        }
        ("Cluster", None) => {}
        (other, _) => errors.not_supported(&at.child("scope"), other, &["Cluster", "Namespace"]),
    }
}

/// Reports what is wrong with a reference by API group, kind and name.
pub(super) fn typed_reference(reference: &Value, at: &At<'_>, errors: &mut ErrorList) {
    if let Some(group) = get(reference, "apiGroup").and_then(Value::as_str) {
        errors.invalid_each(
            &at.child("apiGroup"),
            group,
            names::dns1123_subdomain(group),
        );
    }
    for (key, missing) in [("kind", "kind is required"), ("name", "name is required")] {
        let value = text(reference, key);
        if value.is_empty() {
            errors.required(&at.child(key), missing);
        } else {
            errors.invalid_each(&at.child(key), value, names::path_segment(value));
        }
    }
}

/// Reports a text that is no domain followed by a path, such as `example.com/foo`.
fn domain_prefixed_path(value: &str, at: &At<'_>, errors: &mut ErrorList) {
    if value.is_empty() {
        errors.required(at, "");
        return;
    }
    match value.split_once('/') {
        Some((host, path)) if !host.is_empty() && !path.is_empty() => {
            errors.invalid_each(at, host, names::dns1123_subdomain(host));
            if !names::is_http_path(path) {
                let regex = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
                errors.invalid(at, path, names::regex_error("Invalid path", regex, &[]));
            }
        }
        _ => errors.invalid(
            at,
            value,
            "must be a domain-prefixed path (such as \"acme.io/foo\")",
        ),
    }
}
