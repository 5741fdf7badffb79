//! Taints and tolerations (KEP-166).

use model::{Value, meta};

/// Whether one toleration covers a taint, as upstream's `ToleratesTaint`.
fn covers(toleration: &Value, taint: &Value) -> bool {
    let effect = meta::text(toleration, &["effect"]);
    let key = meta::text(toleration, &["key"]);
    let same_effect = effect.is_empty() || effect == meta::text(taint, &["effect"]);
    let same_key = key.is_empty() || key == meta::text(taint, &["key"]);
    let same_value = match meta::text(toleration, &["operator"]) {
        "" | "Equal" => meta::text(toleration, &["value"]) == meta::text(taint, &["value"]),
        "Exists" => true,
        _ => false,
    };
    same_effect && same_key && same_value
}

/// The first taint with one of the effects that `pod` does not tolerate.
pub(crate) fn untolerated<'a>(
    pod: &Value,
    taints: &'a [Value],
    effects: &[&str],
) -> Option<&'a Value> {
    let tolerations = meta::list(pod, &["spec", "tolerations"]);
    taints.iter().find(|taint| {
        effects.contains(&meta::text(taint, &["effect"]))
            && !tolerations
                .iter()
                .any(|toleration| covers(toleration, taint))
    })
}

/// How many `PreferNoSchedule` taints the pod does not tolerate.
pub(crate) fn disliked(pod: &Value, taints: &[Value]) -> usize {
    taints
        .iter()
        .filter(|t| untolerated(pod, std::slice::from_ref(t), &["PreferNoSchedule"]).is_some())
        .count()
}
