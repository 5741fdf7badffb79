//! Which changes raise `metadata.generation`, the number by which controllers see that what is
//! wanted has changed.

use crate::resource::Resource;
use crate::validation::read::same_field;
use crate::{Value, meta};

/// The fields of a CSI driver that count; the rest of its spec does not change.
const DRIVER_FIELDS: [&str; 3] = ["tokenRequests", "requiresRepublish", "seLinuxMount"];

/// The generation of `new`, which replaces `old` through `subresource` (empty for the object
/// itself), if the change raises it.
///
/// As upstream's strategies (`PrepareForUpdate`): of most kinds every change outside of
/// `metadata` and `status` counts; of Deployments a change of the annotations does too, of
/// EndpointSlices one of the labels; PriorityClasses have a generation that never rises, and
/// CSIDrivers one that new objects lack. Missing, null and empty fields are the same.
pub fn raised(resource: &Resource, new: &Value, old: &Value, subresource: &str) -> Option<i64> {
    if subresource == "status" || !counts(resource, new, old) {
        return None;
    }
    let before = meta::at(old, &["metadata", "generation"]).and_then(Value::as_i64);
    Some(before.unwrap_or(0).saturating_add(1))
}

fn counts(resource: &Resource, new: &Value, old: &Value) -> bool {
    let differs = |part: &str, keys: &[&str]| {
        let none = Value::Null;
        let (new, old) = (
            new.get(part).unwrap_or(&none),
            old.get(part).unwrap_or(&none),
        );
        keys.iter().any(|key| !same_field(new, old, key))
    };
    match (resource.group.as_ref(), resource.plural.as_ref()) {
        ("storage.k8s.io", "csidrivers") => differs("spec", &DRIVER_FIELDS),
        ("scheduling.k8s.io", "priorityclasses") => false,
        _ if !resource.generation => false,
        ("apps", "deployments") => {
            wanted_differs(new, old) || differs("metadata", &["annotations"])
        }
        ("discovery.k8s.io", "endpointslices") => {
            wanted_differs(new, old) || differs("metadata", &["labels"])
        }
        _ => wanted_differs(new, old),
    }
}

/// Whether the objects differ outside of what is not wanted but is.
fn wanted_differs(new: &Value, old: &Value) -> bool {
    let keys = |object: &Value| -> Vec<String> {
        let fields = object.as_object().into_iter().flatten();
        fields.map(|(key, _)| key.clone()).collect()
    };
    let mut all = keys(new);
    all.extend(keys(old));
    all.iter()
        .filter(|key| !matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "status"))
        .any(|key| !same_field(new, old, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;
    use serde_json::json;

    #[test]
    fn what_counts() {
        let registry = Registry::builtin();
        let old = json!({
            "metadata": {"name": "a", "generation": 4, "labels": {"a": "b"}},
            "spec": {"replicas": 1, "list": []},
            "status": {"replicas": 1},
            "value": 1,
        });
        let spec = json!({"spec": {"replicas": 2}});
        let same_spec = json!({"spec": {"replicas": 1, "other": null}});
        let status = json!({"status": {"replicas": 2}});
        let labels = json!({"metadata": {"generation": 4, "labels": {"a": "c"}}});
        let annotations = json!({"metadata": {"generation": 4, "labels": {"a": "b"},
            "annotations": {"x": "y"}}});
        let top = json!({"value": 2});
        let driver = json!({"spec": {"replicas": 1, "requiresRepublish": true}});
        let cases = [
            ("apps", "deployments", &spec, "", Some(5)),
            ("apps", "deployments", &spec, "scale", Some(5)),
            ("apps", "deployments", &spec, "status", None),
            ("apps", "deployments", &same_spec, "", None),
            ("apps", "deployments", &annotations, "", Some(5)),
            ("apps", "deployments", &labels, "", None),
            ("apps", "deployments", &status, "", None),
            ("apps", "replicasets", &annotations, "", None),
            ("apps", "statefulsets", &spec, "", Some(5)),
            ("batch", "cronjobs", &spec, "", Some(5)),
            ("batch", "jobs", &spec, "", Some(5)),
            ("", "pods", &spec, "resize", Some(5)),
            ("", "pods", &labels, "", None),
            ("", "services", &spec, "", None),
            ("autoscaling", "horizontalpodautoscalers", &spec, "", None),
            ("policy", "poddisruptionbudgets", &spec, "", Some(5)),
            ("discovery.k8s.io", "endpointslices", &top, "", Some(5)),
            ("discovery.k8s.io", "endpointslices", &labels, "", Some(5)),
            ("discovery.k8s.io", "endpointslices", &annotations, "", None),
            ("scheduling.k8s.io", "priorityclasses", &top, "", None),
            ("storage.k8s.io", "csidrivers", &spec, "", None),
            ("storage.k8s.io", "csidrivers", &driver, "", Some(5)),
        ];
        for (group, plural, change, subresource, want) in cases {
            let found = registry
                .all()
                .iter()
                .find(|r| r.group == group && r.plural == plural);
            let resource = found.unwrap();
            let mut new = old.clone();
            for (key, value) in change.as_object().unwrap() {
                new[key] = value.clone();
            }
            let got = raised(resource, &new, &old, subresource);
            assert_eq!(got, want, "{plural}/{subresource} {change}");
        }
    }
}
