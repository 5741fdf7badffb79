//! Events (`v1` Event): what happened to an object, told to people.

use model::{Value, meta};
use serde_json::json;

/// Whether an event reports normal working or something to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Normal working.
    Normal,
    /// Something to look at.
    Warning,
}

/// An event about `object`. `now` is RFC 3339; `unique` makes the name unique (upstream takes the
/// time in nanoseconds, in hexadecimal).
pub fn event(
    object: &Value,
    component: &str,
    severity: Severity,
    reason: &str,
    message: &str,
    now: &str,
    unique: u64,
) -> Value {
    let namespace = match meta::namespace(object) {
        "" => "default",
        namespace => namespace,
    };
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{}.{unique:x}", meta::name(object)),
            "namespace": namespace,
        },
        "involvedObject": {
            "apiVersion": meta::text(object, &["apiVersion"]),
            "kind": meta::text(object, &["kind"]),
            "namespace": meta::namespace(object),
            "name": meta::name(object),
            "uid": meta::uid(object),
            "resourceVersion": meta::resource_version(object),
        },
        "type": match severity {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        },
        "reason": reason,
        "message": message,
        "source": { "component": component },
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    })
}
