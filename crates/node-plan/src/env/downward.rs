//! The downward API: what a container may be told of its own pod.

use crate::containers::{self, Container, Role};
use model::quantity::{Format, Quantity};
use model::validation::names;
use model::validation::read::{get, text};
use model::{Value, go, meta};
use pod_resources::Resources;
use thiserror::Error;

/// A `fieldRef` or `resourceFieldRef` that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DownwardError {
    /// Its `apiVersion` is not `v1`.
    #[error("unsupported pod version: {0}")]
    Version(String),
    /// The field is none that may be asked for.
    #[error("field label not supported: {0}")]
    Label(String),
    /// The field has no keys.
    #[error("field label does not support subscript: {0}")]
    Subscript(String),
    /// The key is no name of a label or annotation.
    #[error("invalid key subscript in {path}: {messages}")]
    Key {
        /// The whole field path.
        path: String,
        /// What is wrong with the key.
        messages: String,
    },
    /// The field may be asked for by clients, but not here.
    #[error("unsupported fieldPath: {0}")]
    Path(String),
    /// The pod has no such container.
    #[error("container {0} not found")]
    Container(String),
    /// Not an amount that may be asked for.
    #[error("unsupported container resource : {0}")]
    Resource(String),
}

/// What is known of a pod beyond its object.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The pod's addresses, the one of the node's preferred family first; empty until it has any.
    pub pod_ips: &'a [String],
    /// The node's addresses, the preferred one first.
    pub host_ips: &'a [String],
    /// What the node can give to pods, which is the limit of a container without one.
    pub allocatable: Option<&'a Resources>,
}

/// The value of a `fieldRef` of an environment variable.
pub fn variable_field(
    reference: &Value,
    pod: &Value,
    facts: &Facts<'_>,
) -> Result<String, DownwardError> {
    let version = text(reference, "apiVersion");
    if version != "v1" {
        return Err(DownwardError::Version(version.to_owned()));
    }
    let path = text(reference, "fieldPath");
    if let Some((of, _)) = subscript(path)
        && !matches!(of, "metadata.annotations" | "metadata.labels")
    {
        return Err(DownwardError::Subscript(path.to_owned()));
    }
    let first = |ips: &[String]| ips.first().cloned().unwrap_or_default();
    Ok(match path {
        "spec.nodeName" | "spec.host" => meta::text(pod, &["spec", "nodeName"]).to_owned(),
        "spec.serviceAccountName" => meta::text(pod, &["spec", "serviceAccountName"]).to_owned(),
        "status.hostIP" => first(facts.host_ips),
        "status.hostIPs" => facts.host_ips.join(","),
        "status.podIP" => first(facts.pod_ips),
        "status.podIPs" => facts.pod_ips.join(","),
        // Known labels of the API that kubelet has no value for.
        "spec.restartPolicy" | "spec.schedulerName" | "status.phase" => {
            return Err(DownwardError::Path(path.to_owned()));
        }
        _ => metadata_field(path, pod).map_err(|error| match error {
            DownwardError::Path(path) => DownwardError::Label(path),
            other => other,
        })?,
    })
}

/// The value of a field of the pod's metadata, as `fieldRef` of a volume names it.
pub fn metadata_field(path: &str, pod: &Value) -> Result<String, DownwardError> {
    if let Some((of, key)) = subscript(path) {
        let (field, errors) = match of {
            "metadata.annotations" => ("annotations", names::qualified_name(&key.to_lowercase())),
            "metadata.labels" => ("labels", names::qualified_name(key)),
            _ => return Err(DownwardError::Subscript(path.to_owned())),
        };
        if !errors.is_empty() {
            return Err(DownwardError::Key {
                path: path.to_owned(),
                messages: errors.join(";"),
            });
        }
        return Ok(meta::text(pod, &["metadata", field, key]).to_owned());
    }
    Ok(match path {
        "metadata.annotations" => lines(pod, "annotations"),
        "metadata.labels" => lines(pod, "labels"),
        "metadata.name" => meta::name(pod).to_owned(),
        "metadata.namespace" => meta::namespace(pod).to_owned(),
        "metadata.uid" => meta::uid(pod).to_owned(),
        _ => return Err(DownwardError::Path(path.to_owned())),
    })
}

/// `KEY="VALUE"` lines, by key.
fn lines(pod: &Value, field: &str) -> String {
    let lines: Vec<String> = meta::strings(pod, &["metadata", field])
        .iter()
        .map(|(key, value)| format!("{key}={}", go::quoted(value)))
        .collect();
    lines.join("\n")
}

/// `metadata.labels['app']` in its parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (of, key) = path.strip_suffix("']")?.split_once("['")?;
    (!of.is_empty()).then_some((of, key))
}

/// The value of a `resourceFieldRef` of an environment variable of the container `own`.
pub fn variable_resource(
    reference: &Value,
    pod: &Value,
    own: &Value,
    allocatable: Option<&Resources>,
) -> Result<String, DownwardError> {
    let named = text(reference, "containerName");
    if named.is_empty() {
        return resource(reference, own, allocatable);
    }
    let container = container(pod, named)?;
    // Upstream does not give init containers the node's limits when another one asks.
    let allocatable = allocatable.filter(|_| container.role == Role::Regular);
    resource(reference, container.spec, allocatable)
}

/// The value of a `resourceFieldRef` of a volume, which must name its container.
pub fn file_resource(
    reference: &Value,
    pod: &Value,
    allocatable: Option<&Resources>,
) -> Result<String, DownwardError> {
    let container = container(pod, text(reference, "containerName"))?;
    resource(reference, container.spec, allocatable)
}

/// Regular containers come before init containers.
fn container<'a>(pod: &'a Value, name: &str) -> Result<Container<'a>, DownwardError> {
    containers::regular(pod)
        .chain(containers::init(pod))
        .find(|container| container.name() == name)
        .ok_or_else(|| DownwardError::Container(name.to_owned()))
}

/// An amount of a container, rounded up to whole divisors; `allocatable` is the limit where it has
/// none.
fn resource(
    reference: &Value,
    container: &Value,
    allocatable: Option<&Resources>,
) -> Result<String, DownwardError> {
    let resource = text(reference, "resource");
    let unsupported = || DownwardError::Resource(resource.to_owned());
    let (kind, name) = resource.split_once('.').ok_or_else(unsupported)?;
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage");
    if !matches!(kind, "limits" | "requests") || !(known || name.starts_with("hugepages-")) {
        return Err(unsupported());
    }
    let amount = meta::at(container, &["resources", kind, name])
        .and_then(|value| Quantity::from_value(value).ok())
        .unwrap_or(Quantity::ZERO);
    let of_node = allocatable.filter(|_| known && kind == "limits");
    let amount = match of_node.and_then(|all| all.get(name)) {
        Some(most) if amount.is_zero() => *most,
        _ => amount,
    };
    let divisor = get(reference, "divisor")
        .and_then(|value| Quantity::from_value(value).ok())
        .filter(|divisor| !divisor.is_zero())
        .unwrap_or_else(|| Quantity::from_units(1, Format::DecimalSI));
    let (amount, divisor) = if name == "cpu" {
        (amount.milli_value(), divisor.milli_value())
    } else {
        (amount.value(), divisor.value())
    };
    let whole = amount.checked_div(divisor).unwrap_or_default();
    let rest = amount.checked_rem(divisor).unwrap_or_default();
    Ok(whole.saturating_add(i64::from(rest > 0)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({
            "metadata": {"name": "p", "namespace": "ns", "uid": "u-1",
                "labels": {"b": "2", "a": "x\"y"}, "annotations": {"Example.com/K": "v\nw"}},
            "spec": {"nodeName": "n", "serviceAccountName": "sa",
                "containers": [{"name": "c", "resources": {
                    "requests": {"cpu": "1500m", "memory": "100"}, "limits": {"memory": "3Mi"}}}],
                "initContainers": [{"name": "i"}]},
        })
    }

    #[test]
    fn fields() {
        let ips = ["10.1.0.2".to_owned(), "fd00::2".to_owned()];
        let hosts = ["192.0.2.1".to_owned()];
        let facts = Facts {
            pod_ips: &ips,
            host_ips: &hosts,
            allocatable: None,
        };
        for (path, want) in [
            ("metadata.name", "p"),
            ("metadata.namespace", "ns"),
            ("metadata.uid", "u-1"),
            ("metadata.labels", "a=\"x\\\"y\"\nb=\"2\""),
            ("metadata.annotations", "Example.com/K=\"v\\nw\""),
            ("metadata.labels['b']", "2"),
            ("metadata.labels['none']", ""),
            ("metadata.annotations['Example.com/K']", "v\nw"),
            ("spec.nodeName", "n"),
            ("spec.host", "n"),
            ("spec.serviceAccountName", "sa"),
            ("status.podIP", "10.1.0.2"),
            ("status.podIPs", "10.1.0.2,fd00::2"),
            ("status.hostIP", "192.0.2.1"),
            ("status.hostIPs", "192.0.2.1"),
        ] {
            let reference = json!({"apiVersion": "v1", "fieldPath": path});
            let value = variable_field(&reference, &pod(), &facts);
            assert_eq!(value.as_deref(), Ok(want), "{path}");
        }
    }

    #[test]
    fn fields_that_say_nothing() {
        for (version, path, want) in [
            ("v2", "metadata.name", "unsupported pod version: v2"),
            ("v1", "spec.x", "field label not supported: spec.x"),
            ("v1", "status.phase", "unsupported fieldPath: status.phase"),
            (
                "v1",
                "spec['a']",
                "field label does not support subscript: spec['a']",
            ),
            ("v1", "['a']", "field label not supported: ['a']"),
        ] {
            let reference = json!({"apiVersion": version, "fieldPath": path});
            let error = variable_field(&reference, &pod(), &Facts::default()).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
        let reference = json!({"apiVersion": "v1", "fieldPath": "metadata.labels['']"});
        let error = variable_field(&reference, &pod(), &Facts::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("invalid key subscript in metadata.labels['']: ")
        );
    }

    #[test]
    fn amounts_are_rounded_up_to_divisors() {
        let pod = pod();
        let own = &pod["spec"]["containers"][0];
        let allocatable: Resources = [("cpu", "4"), ("memory", "8Gi")]
            .into_iter()
            .map(|(name, amount)| (name.to_owned(), Quantity::parse(amount).unwrap()))
            .collect();
        for (container, resource, divisor, want) in [
            ("", "requests.cpu", "0", "2"),
            ("", "requests.cpu", "1m", "1500"),
            ("", "limits.cpu", "1", "4"),
            ("", "limits.memory", "1Mi", "3"),
            ("", "limits.memory", "2Mi", "2"),
            ("", "requests.memory", "1", "100"),
            ("", "requests.memory", "1Ki", "1"),
            ("", "requests.ephemeral-storage", "1", "0"),
            ("", "limits.hugepages-2Mi", "1", "0"),
            ("c", "limits.cpu", "1m", "4000"),
            ("i", "limits.cpu", "1m", "0"),
        ] {
            let reference =
                json!({"containerName": container, "resource": resource, "divisor": divisor});
            let value = variable_resource(&reference, &pod, own, Some(&allocatable));
            assert_eq!(value.as_deref(), Ok(want), "{reference}");
        }
        let reference = json!({"containerName": "i", "resource": "limits.cpu"});
        let of_file = file_resource(&reference, &pod, Some(&allocatable));
        assert_eq!(of_file.as_deref(), Ok("4"));
        for (container, resource, want) in [
            ("x", "limits.cpu", "container x not found"),
            (
                "",
                "limits.gpu",
                "unsupported container resource : limits.gpu",
            ),
            ("", "cpu", "unsupported container resource : cpu"),
        ] {
            let reference = json!({"containerName": container, "resource": resource});
            let error = variable_resource(&reference, &pod, own, None).unwrap_err();
            assert_eq!(error.to_string(), want);
        }
    }
}
