//! How the server reaches a webhook: `clientConfig` of admission webhooks and of conversions.

use super::core::fill;
use super::workload::field;
use crate::field::ErrorList;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, int, text};
use crate::{Map, Value};

const FORM: &str = "; desired format: https://host[/path]";

/// Fills in the `clientConfig` of a webhook.
pub(crate) fn default(webhook: &mut Map) {
    let config = fill::map(webhook, "clientConfig");
    if let Some(service) = config.and_then(|config| fill::map(config, "service")) {
        fill::absent(service, "port", 443);
    }
}

/// Reports what is wrong with a `clientConfig`.
pub(crate) fn validate(config: &Value, at: &At<'_>, errors: &mut ErrorList) {
    match (get(config, "url"), get(config, "service")) {
        (Some(_), Some(_)) | (None, None) => {
            errors.required(at, "exactly one of url or service is required");
        }
        (Some(url), None) => {
            let url = url.as_str().unwrap_or_default();
            validate_url(url, &at.child("url"), errors);
        }
        (None, Some(service)) => validate_service(service, &at.child("service"), errors),
    }
}

fn validate_url(url: &str, at: &At<'_>, errors: &mut ErrorList) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme != "https" {
        let why = format!("'https' is the only allowed URL scheme{FORM}");
        errors.invalid(at, scheme, why);
    }
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = rest.split('/').next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if host.is_empty() || scheme.is_empty() {
        errors.invalid(at, "", format!("host must be specified{FORM}"));
    }
    for (part, what) in [
        (user, "user information is"),
        (fragment, "fragments are"),
        (query, "query parameters are"),
    ] {
        if !part.is_empty() {
            // What stands there may be a password.
            errors.invalid(at, "", format!("{what} not permitted in the URL"));
        }
    }
}

fn validate_service(service: &Value, at: &At<'_>, errors: &mut ErrorList) {
    for key in ["name", "namespace"] {
        if text(service, key).is_empty() {
            errors.required(&at.child(key), format!("service {key} is required"));
        }
    }
    let port = int(service, "port").unwrap_or(0);
    for why in names::port_number(port) {
        errors.invalid(&at.child("port"), port, format!("port is not valid: {why}"));
    }
    if let Some(path) = field(service, "path").as_str() {
        validate_path(path, &at.child("path"), errors);
    }
}

fn validate_path(path: &str, at: &At<'_>, errors: &mut ErrorList) {
    if matches!(path, "" | "/") {
        return;
    }
    if path == "//" {
        errors.invalid(at, path, "segment[0] may not be empty");
        return;
    }
    if !path.starts_with('/') {
        errors.invalid(at, path, "must start with a '/'");
    }
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    for (i, segment) in inner.split('/').enumerate() {
        if segment.is_empty() {
            errors.invalid(at, path, format!("segment[{i}] may not be empty"));
            continue;
        }
        for why in names::dns1123_subdomain(segment) {
            errors.invalid(at, path, format!("segment[{i}]: {why}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules() {
        let service = |path: &str| json!({"service": {"name": "s", "namespace": "n", "port": 443, "path": path}});
        let cases = [
            (json!({"url": "https://a.b/c"}), ""),
            (service("/a/b"), ""),
            (
                json!({}),
                "c: Required value: exactly one of url or service is required",
            ),
            (
                json!({"url": "http://a.b"}),
                "c.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired format: https://host[/path]",
            ),
            (
                json!({"url": "https:///x"}),
                "c.url: Invalid value: \"\": host must be specified; desired format: https://host[/path]",
            ),
            (
                json!({"url": "https://u:p@a.b?q"}),
                "c.url: Invalid value: \"\": user information is not permitted in the URL; c.url: Invalid value: \"\": query parameters are not permitted in the URL",
            ),
            (
                json!({"service": {"port": 443}}),
                "c.service.name: Required value: service name is required; c.service.namespace: Required value: service namespace is required",
            ),
            (
                service("a"),
                "c.service.path: Invalid value: \"a\": must start with a '/'",
            ),
            (
                service("/a//b"),
                "c.service.path: Invalid value: \"/a//b\": segment[1] may not be empty",
            ),
        ];
        for (config, want) in cases {
            let mut errors = ErrorList::new();
            validate(&config, &At::of("c"), &mut errors);
            let got: Vec<_> = errors.iter().map(ToString::to_string).collect();
            assert_eq!(got.join("; "), want, "{config}");
        }
    }
}
