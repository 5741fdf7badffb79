//! Node selectors and node affinity.

use crate::Node;
use model::{Value, meta};

/// Whether the node has what `spec.nodeSelector` and required node affinity ask for.
pub(crate) fn required(pod: &Value, node: &Node) -> bool {
    let selected = meta::strings(pod, &["spec", "nodeSelector"])
        .iter()
        .all(|(key, value)| node.labels.get(*key).is_some_and(|v| v == value));
    let affinity = &[
        "spec",
        "affinity",
        "nodeAffinity",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ];
    selected
        && meta::at(pod, affinity).is_none_or(|selector| {
            // Terms are alternatives; an empty list matches nothing.
            meta::list(selector, &["nodeSelectorTerms"])
                .iter()
                .any(|term| matches(term, node))
        })
}

/// The sum of the weights of the preferred terms that the node matches.
pub(crate) fn preferred(pod: &Value, node: &Node) -> i64 {
    let affinity = &[
        "spec",
        "affinity",
        "nodeAffinity",
        "preferredDuringSchedulingIgnoredDuringExecution",
    ];
    meta::list(pod, affinity)
        .iter()
        .filter(|term| meta::at(term, &["preference"]).is_some_and(|p| matches(p, node)))
        .filter_map(|term| meta::at(term, &["weight"])?.as_i64())
        .sum()
}

/// All requirements of a term must hold; a term without any matches nothing.
fn matches(term: &Value, node: &Node) -> bool {
    let expressions = meta::list(term, &["matchExpressions"]);
    let fields = meta::list(term, &["matchFields"]);
    if expressions.is_empty() && fields.is_empty() {
        return false;
    }
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    let field = |key: &str| (key == "metadata.name").then_some(node.name.as_str());
    expressions
        .iter()
        .all(|e| holds(e, label(meta::text(e, &["key"]))))
        && fields
            .iter()
            .all(|e| holds(e, field(meta::text(e, &["key"]))))
}

fn holds(requirement: &Value, actual: Option<&str>) -> bool {
    let values = meta::list(requirement, &["values"]);
    let among = |actual: &str| values.iter().any(|v| v == actual);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = values.first().and_then(Value::as_str).and_then(number);
    match meta::text(requirement, &["operator"]) {
        "In" => actual.is_some_and(among),
        "NotIn" => !actual.is_some_and(among),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => actual
            .and_then(number)
            .zip(bound)
            .is_some_and(|(a, b)| a > b),
        "Lt" => actual
            .and_then(number)
            .zip(bound)
            .is_some_and(|(a, b)| a < b),
        _ => false,
    }
}
