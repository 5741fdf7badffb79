//! The status of PodDisruptionBudgets: how many of the pods that a budget covers are healthy, how
//! many have to be, and so how many may go.

mod pod;

pub use pod::{CoveredPod, Owner, STALE_CONDITION, settled};

use model::selector::LabelSelector;
use model::{Value, meta};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How long an eviction that was granted counts as on its way, in seconds.
pub const DELETION_TIMEOUT: i64 = 2 * 60;

/// What a budget covers: those pods of its namespace. One that cannot be read covers none.
pub fn selector(budget: &Value) -> LabelSelector {
    let selector = meta::at(budget, &["spec", "selector"]).unwrap_or(&Value::Null);
    LabelSelector::from_value(selector).unwrap_or_else(|_| LabelSelector::nothing())
}

/// Whether it must be known how many pods their controllers want: not if `minAvailable` is a
/// number.
pub fn is_relative(budget: &Value) -> bool {
    let amount = |field: &str| meta::at(budget, &["spec", field]);
    amount("maxUnavailable").is_some() || amount("minAvailable").is_some_and(Value::is_string)
}

/// Why a status cannot be worked out; upstream's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisruptionError {
    /// The controller of a pod is not known.
    #[error("found no controllers for pod \"{0}\"")]
    NoController(String),
    /// The controller's kind does not say how many pods it wants.
    #[error("{0} does not implement the scale subresource")]
    NoScale(String),
    /// The controller's kind, in that version, is not known.
    #[error("no matches for kind \"{0}\" in version \"{1}\"")]
    NoKind(String, String),
    /// The controller could not be asked.
    #[error("{0}")]
    Unanswered(String),
    /// A percentage that is none.
    #[error("invalid value for IntOrString: {0}")]
    Amount(String),
}

/// How many pods something wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Whose number it is: a ReplicaSet's may be its Deployment's.
    pub uid: String,
    /// The number.
    pub replicas: i64,
}

/// What each owner wants; none if there is no such owner.
pub type Scales = BTreeMap<Owner, Result<Option<Scale>, DisruptionError>>;

/// What is to be said of a budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its status.
    pub status: Value,
    /// When to look again although nothing changed, in seconds since the epoch.
    pub again: Option<i64>,
    /// Whether pods have no controller although it would have to be asked.
    pub has_unmanaged: bool,
    /// Pods that were granted eviction and are still there.
    pub not_deleted: Vec<String>,
}

/// The new status. `now` and the times that `when` reads are in seconds since the epoch, and
/// `written` is now as the API writes it.
pub fn report(
    budget: &Value,
    pods: &[&CoveredPod],
    scales: &Scales,
    now: i64,
    written: &str,
    when: impl Fn(&str) -> Option<i64>,
) -> Result<Report, DisruptionError> {
    let (expected, desired) = wanted(budget, pods, scales)?;
    let mut again: Option<i64> = None;
    let mut not_deleted = Vec::new();
    let mut disrupted: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, time) in meta::strings(budget, &["status", "disruptedPods"]) {
        let is_there = pods.iter().any(|pod| pod.name == name && !pod.is_going);
        let Some(end) = when(time).map(|time| time.saturating_add(DELETION_TIMEOUT)) else {
            continue;
        };
        if is_there && end > now {
            again = Some(again.map_or(end, |other| other.min(end)));
            disrupted.insert(name, time);
        } else if is_there {
            not_deleted.push(name.to_owned());
        }
    }
    let healthy = pods
        .iter()
        .filter(|pod| !pod.is_going && pod.is_ready)
        .filter(|pod| !disrupted.contains_key(pod.name.as_str()))
        .count();
    let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
    // A budget that covers no pod allows nothing, so that it is safe when its first pods appear.
    let allowed = if expected > 0 {
        healthy.saturating_sub(desired).max(0)
    } else {
        0
    };
    let (word, reason) = if allowed > 0 {
        ("True", "SufficientPods")
    } else {
        ("False", "InsufficientPods")
    };
    let generation = meta::at(budget, &["metadata", "generation"]);
    let mut status = json!({
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": generation,
        "conditions": conditions(budget, word, reason, "", generation, written),
    });
    if !disrupted.is_empty() {
        meta::set(&mut status, &["disruptedPods"], json!(disrupted));
    }
    Ok(Report {
        status,
        again,
        has_unmanaged: is_relative(budget) && pods.iter().any(|pod| pod.owner.is_none()),
        not_deleted,
    })
}

/// The status of a budget whose numbers cannot be worked out: nothing is allowed, and why.
pub fn failed(budget: &Value, error: &DisruptionError, written: &str) -> Value {
    let mut status = meta::at(budget, &["status"])
        .cloned()
        .unwrap_or_else(|| json!({ "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0 }));
    let observed = meta::at(budget, &["status", "observedGeneration"]);
    let why = error.to_string();
    let conditions = conditions(budget, "False", "SyncFailed", &why, observed, written);
    meta::set(&mut status, &["disruptionsAllowed"], 0);
    meta::set(&mut status, &["conditions"], conditions);
    status
}

/// How many pods there should be, and how many of them healthy.
fn wanted(
    budget: &Value,
    pods: &[&CoveredPod],
    scales: &Scales,
) -> Result<(i64, i64), DisruptionError> {
    let amount = |field: &str| meta::at(budget, &["spec", field]);
    if let Some(most) = amount("maxUnavailable") {
        let expected = scale(pods, scales)?;
        let most = scaled(most, expected)?;
        return Ok((expected, expected.saturating_sub(most).max(0)));
    }
    match amount("minAvailable") {
        Some(least) if least.is_string() => {
            let expected = scale(pods, scales)?;
            Ok((expected, scaled(least, expected)?))
        }
        Some(least) => {
            let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
            Ok((count, scaled(least, count)?))
        }
        None => Ok((0, 0)),
    }
}

/// The sum of what the controllers of the pods want, each counted once. Pods without one are not
/// counted.
fn scale(pods: &[&CoveredPod], scales: &Scales) -> Result<i64, DisruptionError> {
    let mut wanted: BTreeMap<&str, i64> = BTreeMap::new();
    for pod in pods {
        let Some(owner) = &pod.owner else {
            continue;
        };
        match scales.get(owner) {
            Some(Ok(Some(scale))) => wanted.insert(&scale.uid, scale.replicas),
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(None)) | None => return Err(DisruptionError::NoController(pod.name.clone())),
        };
    }
    Ok(wanted
        .values()
        .fold(0, |sum: i64, scale| sum.saturating_add(*scale)))
}

/// A number, or a percentage of `of`, rounded up.
fn scaled(amount: &Value, of: i64) -> Result<i64, DisruptionError> {
    if let Some(number) = amount.as_i64() {
        return Ok(number);
    }
    let text = amount.as_str().unwrap_or_default();
    let percent: Option<i64> = text
        .strip_suffix('%')
        .and_then(|number| number.parse().ok());
    match percent.and_then(|percent| percent.checked_mul(of)?.checked_add(99)) {
        Some(hundredths) => Ok(hundredths.div_euclid(100)),
        None => Err(DisruptionError::Amount(text.to_owned())),
    }
}

/// The conditions with the one that is ours; its time changes only with its status.
fn conditions(
    budget: &Value,
    word: &str,
    reason: &str,
    message: &str,
    generation: Option<&Value>,
    written: &str,
) -> Value {
    const OURS: &str = "DisruptionAllowed";
    let mut conditions = meta::list(budget, &["status", "conditions"]).to_vec();
    let place = conditions
        .iter_mut()
        .find(|c| meta::text(c, &["type"]) == OURS);
    let before = place
        .as_deref()
        .filter(|c| meta::text(c, &["status"]) == word)
        .map(|c| meta::text(c, &["lastTransitionTime"]).to_owned());
    let mut fresh = json!({
        "type": OURS,
        "status": word,
        "reason": reason,
        "message": message,
        "lastTransitionTime": before.as_deref().unwrap_or(written),
    });
    if let Some(generation) = generation {
        meta::set(&mut fresh, &["observedGeneration"], generation.clone());
    }
    match place {
        Some(place) => *place = fresh,
        None => conditions.push(fresh),
    }
    conditions.into()
}

/// What the event says of a budget that covers pods without a controller.
pub fn unmanaged(budget: &Value) -> String {
    let selector = printed(meta::at(budget, &["spec", "selector"]));
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be \
         unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may \
         result in undefined behavior. To account for these pods please set \
         \".spec.minAvailable\" field of the PDB to an integer value."
    )
}

/// A label selector as upstream's texts show it.
fn printed(selector: Option<&Value>) -> String {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else {
        return "nil".to_owned();
    };
    // Writing to a String does not fail.
    let mut text = "&LabelSelector{MatchLabels:map[string]string{".to_owned();
    for (key, value) in meta::strings(selector, &["matchLabels"]) {
        let _ = write!(text, "{key}: {value},");
    }
    text.push_str("},MatchExpressions:[]LabelSelectorRequirement{");
    for expression in meta::list(selector, &["matchExpressions"]) {
        let values: Vec<&str> = meta::list(expression, &["values"])
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let _ = write!(
            text,
            "LabelSelectorRequirement{{Key:{},Operator:{},Values:[{}],}},",
            meta::text(expression, &["key"]),
            meta::text(expression, &["operator"]),
            values.join(" "),
        );
    }
    text.push_str("},}");
    text
}

#[cfg(test)]
mod tests;
