//! Rules of a container's environment (`env`, `envFrom`) and of the references to fields and
//! resources that environment variables and downward-API volumes share.

use crate::Value;
use crate::field::ErrorList;
use crate::validation::amounts::Amount;
use crate::validation::at::{At, Report};
use crate::validation::names;
use crate::validation::read::{get, list, text};

/// Reports what is wrong with `env` of a container.
pub(crate) fn validate_env(container: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("env");
    for (i, variable) in list(container, "env").iter().enumerate() {
        let at = at.index(i);
        let name = text(variable, "name");
        if name.is_empty() {
            errors.required(&at.child("name"), "");
        } else {
            errors.invalid_each(&at.child("name"), name, names::env_var(name));
        }
        value_from(variable, &at.child("valueFrom"), errors);
    }
}

fn value_from(variable: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let Some(source) = get(variable, "valueFrom") else {
        return;
    };
    let mut sources = 0;
    if let Some(field) = get(source, "fieldRef") {
        sources += 1;
        field_selector(field, ENV_FIELDS, &at.child("fieldRef"), errors);
    }
    if let Some(resource) = get(source, "resourceFieldRef") {
        sources += 1;
        resource_selector(resource, false, &at.child("resourceFieldRef"), errors);
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        if let Some(reference) = get(source, key) {
            sources += 1;
            key_selector(reference, &at.child(key), errors);
        }
    }
    if sources == 0 {
        errors.invalid(
            at,
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or \
             `secretKeyRef`",
        );
    }
    if !text(variable, "value").is_empty() {
        if sources != 0 {
            errors.invalid(at, "", "may not be specified when `value` is not empty");
        }
    } else if sources > 1 {
        errors.invalid(
            at,
            "",
            "may not have more than one field specified at a time",
        );
    }
}

fn key_selector(reference: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let name = text(reference, "name");
    errors.invalid_each(&at.child("name"), name, names::dns1123_subdomain(name));
    let key = text(reference, "key");
    if key.is_empty() {
        errors.required(&at.child("key"), "");
    } else {
        errors.invalid_each(&at.child("key"), key, names::config_key(key));
    }
}

/// Reports what is wrong with `envFrom` of a container.
pub(crate) fn validate_env_from(container: &Value, at: &At<'_>, errors: &mut ErrorList) {
    let at = at.child("envFrom");
    for (i, source) in list(container, "envFrom").iter().enumerate() {
        let item = at.index(i);
        let prefix = text(source, "prefix");
        if !prefix.is_empty() {
            errors.invalid_each(&item.child("prefix"), prefix, names::env_var(prefix));
        }
        let mut sources = 0;
        for key in ["configMapRef", "secretRef"] {
            if let Some(reference) = get(source, key) {
                sources += 1;
                let (key_at, name) = (item.child(key), text(reference, "name"));
                if name.is_empty() {
                    errors.required(&key_at.child("name"), "");
                } else {
                    let messages = names::dns1123_subdomain(name);
                    errors.invalid_each(&key_at.child("name"), name, messages);
                }
            }
        }
        if sources == 0 {
            errors.invalid(
                &at,
                "",
                "must specify one of: `configMapRef` or `secretRef`",
            );
        } else if sources > 1 {
            errors.invalid(
                &at,
                "",
                "may not have more than one field specified at a time",
            );
        }
    }
}

/// The fields that environment variables may refer to.
pub(crate) const ENV_FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];

/// The fields that files of a downward-API volume may refer to.
pub(crate) const VOLUME_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];

/// Reports what is wrong with a reference to a field of the pod.
pub(crate) fn field_selector(
    selector: &Value,
    supported: &[&str],
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let version = text(selector, "apiVersion");
    let path = text(selector, "fieldPath");
    if version.is_empty() {
        errors.required(&at.child("apiVersion"), "");
        return;
    }
    if path.is_empty() {
        errors.required(&at.child("fieldPath"), "");
        return;
    }
    let subscripted = path
        .strip_suffix("']")
        .and_then(|p| p.split_once("['"))
        .filter(|(field, _)| !field.is_empty());
    let problem = if version != "v1" {
        Some(format!("unsupported pod version: {version}"))
    } else {
        match subscripted {
            Some(("metadata.annotations" | "metadata.labels", _)) => None,
            Some(_) => Some(format!("field label does not support subscript: {path}")),
            None if KNOWN_FIELDS.contains(&path) => None,
            None => Some(format!("field label not supported: {path}")),
        }
    };
    if let Some(problem) = problem {
        let detail = format!("error converting fieldPath: {problem}");
        errors.invalid(&at.child("fieldPath"), path, detail);
        return;
    }
    match subscripted {
        Some(("metadata.annotations", key)) => {
            errors.invalid_each(at, key, names::qualified_name(&key.to_lowercase()));
        }
        Some((_, key)) => errors.invalid_each(at, key, names::qualified_name(key)),
        None => {
            let path = if path == "spec.host" {
                "spec.nodeName"
            } else {
                path
            };
            if !supported.contains(&path) {
                errors.not_supported(&at.child("fieldPath"), path, supported);
            }
        }
    }
}

/// The fields that a pod's field selectors know.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.host",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.phase",
    "status.podIP",
    "status.podIPs",
];

const RESOURCE_FIELDS: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// Reports what is wrong with a reference to a container's request or limit. Files of a volume
/// must name the container, environment variables mean their own.
pub(crate) fn resource_selector(
    selector: &Value,
    volume: bool,
    at: &At<'_>,
    errors: &mut ErrorList,
) {
    let resource = text(selector, "resource");
    let huge = |r: &str| r.starts_with("limits.hugepages-") || r.starts_with("requests.hugepages-");
    if volume && text(selector, "containerName").is_empty() {
        errors.required(&at.child("containerName"), "");
    } else if resource.is_empty() {
        errors.required(&at.child("resource"), "");
    } else if !RESOURCE_FIELDS.contains(&resource) && !huge(resource) {
        errors.not_supported(&at.child("resource"), resource, RESOURCE_FIELDS);
    }
    let Some(divisor) = get(selector, "divisor").and_then(Amount::of) else {
        return;
    };
    if divisor == Amount::ZERO {
        return;
    }
    const SIZES: &[&str] = &[
        "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
    ];
    let (allowed, what): (&[&str], &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu"),
        "limits.memory" | "requests.memory" => (SIZES, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (SIZES, "local ephemeral storage")
        }
        other if huge(other) => (SIZES, "hugepages"),
        _ => return,
    };
    if !allowed.iter().any(|a| Amount::parse(a) == Some(divisor)) {
        let list = if what == "cpu" {
            "1m and 1".to_owned()
        } else {
            SIZES.join(", ")
        };
        errors.invalid(
            &at.child("divisor"),
            resource,
            format!("only divisor's values {list} are supported with the {what} resource"),
        );
    }
}
