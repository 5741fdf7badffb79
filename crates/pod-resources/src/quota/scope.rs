//! Which objects the scopes of a quota select.

use super::Kind;
use super::usage::is_terminating;
use model::kinds::core::pod_qos::{QosClass, class};
use model::{Value, meta};

/// Whether all scopes of a quota select an object. Only pods can be selected.
pub(super) fn matches(quota: &Value, kind: Kind<'_>, object: &Value) -> bool {
    let mut plain = meta::list(quota, &["spec", "scopes"]).iter();
    let mut chosen = expressions(quota).iter();
    plain.all(|scope| selects_plainly(scope, kind, object))
        && chosen.all(|expression| selects(expression, kind, object))
}

/// The names of the scopes of a quota that select an object.
pub(super) fn selecting<'a>(
    quota: &'a Value,
    kind: Kind<'_>,
    object: &Value,
) -> impl Iterator<Item = &'a str> {
    let plain = meta::list(quota, &["spec", "scopes"]).iter();
    let plain = plain.filter(move |scope| selects_plainly(scope, kind, object));
    let chosen = expressions(quota).iter();
    let chosen = chosen.filter(move |expression| selects(expression, kind, object));
    { plain.filter_map(Value::as_str) }
        .chain(chosen.map(|expression| meta::text(expression, &["scopeName"])))
}

fn expressions(quota: &Value) -> &[Value] {
    meta::list(quota, &["spec", "scopeSelector", "matchExpressions"])
}

fn selects_plainly(scope: &Value, kind: Kind<'_>, object: &Value) -> bool {
    let scope = scope.as_str().unwrap_or_default();
    kind.is("pods") && matches_one(object, scope, "Exists", &[])
}

/// Whether one expression of a `scopeSelector` selects an object.
pub(super) fn selects(expression: &Value, kind: Kind<'_>, object: &Value) -> bool {
    let text = |key| meta::text(expression, &[key]);
    let values = meta::list(expression, &["values"]);
    kind.is("pods") && matches_one(object, text("scopeName"), text("operator"), values)
}

fn matches_one(pod: &Value, scope: &str, operator: &str, values: &[Value]) -> bool {
    let terminating = || is_terminating(pod);
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
