//! Which objects the scopes of a quota select.

use super::Kind;
use model::kinds::core::pod_qos::{QosClass, class};
use model::{Value, meta};

/// Whether all scopes of a quota select an object. Only pods can be selected.
pub(super) fn matches(quota: &Value, kind: Kind<'_>, object: &Value) -> bool {
    let selects = |scope: &str, operator: &str, values: &[Value]| {
        kind.is("pods") && matches_one(object, scope, operator, values)
    };
    let plain = meta::list(quota, &["spec", "scopes"]).iter();
    let chosen = meta::list(quota, &["spec", "scopeSelector", "matchExpressions"]).iter();
    plain
        .filter_map(Value::as_str)
        .all(|scope| selects(scope, "Exists", &[]))
        && { chosen }.all(|expression| {
            let text = |key| meta::text(expression, &[key]);
            let values = meta::list(expression, &["values"]);
            selects(text("scopeName"), text("operator"), values)
        })
}

fn matches_one(pod: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let terminating = || {
        meta::at(pod, &["spec", "activeDeadlineSeconds"])
            .and_then(Value::as_i64)
            .is_some_and(|seconds| seconds >= 0)
    };
    let best_effort = || class(pod) == QosClass::BestEffort;
    match scope {
        "Terminating" => terminating(),
        "NotTerminating" => !terminating(),
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => {
            let name = meta::text(pod, &["spec", "priorityClassName"]);
            let is_listed = || values.iter().any(|value| value.as_str() == Some(name));
            match operator {
                "In" => is_listed(),
                "NotIn" => !is_listed(),
                "DoesNotExist" => name.is_empty(),
                _ => !name.is_empty(),
            }
        }
        "CrossNamespacePodAffinity" => crosses_namespaces(pod),
        _ => false,
    }
}

/// Whether the pod's affinity looks at pods of other namespaces.
fn crosses_namespaces(pod: &Value) -> bool {
    let crosses = |term: &Value| {
        !meta::list(term, &["namespaces"]).is_empty()
            || meta::at(term, &["namespaceSelector"]).is_some_and(|s| !s.is_null())
    };
    ["podAffinity", "podAntiAffinity"].into_iter().any(|kind| {
        let terms = |list| meta::list(pod, &["spec", "affinity", kind, list]).iter();
        terms("requiredDuringSchedulingIgnoredDuringExecution").any(crosses)
            || terms("preferredDuringSchedulingIgnoredDuringExecution")
                .filter_map(|weighted| weighted.get("podAffinityTerm"))
                .any(crosses)
    })
}
