//! The status of PodDisruptionBudgets: how many of the pods that a budget covers are healthy, how
//! many have to be, and so how many may go.

use model::selector::LabelSelector;
use model::{Value, meta};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// How long an eviction that was granted counts as on its way, in seconds.
pub const DELETION_TIMEOUT: i64 = 2 * 60;

/// What makes pods, as a pod names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// `apiVersion` of the owner.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
}

/// The pods among `pods` that the budget covers: those of its namespace that its selector matches.
/// Pods that have ended are not asked for.
pub fn covered<'a>(budget: &Value, pods: &'a [Value]) -> Vec<&'a Value> {
    let selector = meta::at(budget, &["spec", "selector"]).unwrap_or(&Value::Null);
    let selector = LabelSelector::from_value(selector).unwrap_or_else(|_| LabelSelector::nothing());
    pods.iter()
        .filter(|pod| meta::namespace(pod) == meta::namespace(budget))
        .filter(|pod| selector.matches_object(pod))
        .collect()
}

/// The controllers whose wanted numbers of pods must be known for the budget's status; none if its
/// `minAvailable` is a number.
pub fn owners(budget: &Value, pods: &[&Value]) -> BTreeSet<Owner> {
    if !is_relative(budget) {
        return BTreeSet::new();
    }
    pods.iter().filter_map(|pod| owner(pod)).collect()
}

fn is_relative(budget: &Value) -> bool {
    let amount = |field: &str| meta::at(budget, &["spec", field]);
    amount("maxUnavailable").is_some() || amount("minAvailable").is_some_and(Value::is_string)
}

fn owner(pod: &Value) -> Option<Owner> {
    let owners = meta::list(pod, &["metadata", "ownerReferences"]);
    let owner = owners
        .iter()
        .find(|owner| meta::at(owner, &["controller"]).and_then(Value::as_bool) == Some(true))?;
    let text = |field: &str| meta::text(owner, &[field]).to_owned();
    Some(Owner {
        api_version: text("apiVersion"),
        kind: text("kind"),
        name: text("name"),
        uid: text("uid"),
    })
}

/// Why a status cannot be worked out; upstream's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisruptionError {
    /// The controller of a pod is not known.
    #[error("found no controllers for pod \"{0}\"")]
    NoController(String),
    /// A percentage that is none.
    #[error("invalid value for IntOrString: {0}")]
    Amount(String),
}

/// The new status and when to look again although nothing changed, in seconds since the epoch.
/// `scales` says how many pods each owner wants; `now` and the times that `when` reads are in
/// seconds since the epoch, and `written` is now as the API writes it.
pub fn status(
    budget: &Value,
    pods: &[&Value],
    scales: &BTreeMap<Owner, i64>,
    now: i64,
    written: &str,
    when: impl Fn(&str) -> Option<i64>,
) -> Result<(Value, Option<i64>), DisruptionError> {
    let (expected, desired) = wanted(budget, pods, scales)?;
    let mut again: Option<i64> = None;
    let before = meta::strings(budget, &["status", "disruptedPods"]);
    let disrupted: BTreeMap<&str, &str> = before
        .into_iter()
        .filter(|(name, time)| {
            let is_there = pods
                .iter()
                .any(|pod| meta::name(pod) == *name && !is_going(pod));
            let Some(end) = when(time).map(|time| time.saturating_add(DELETION_TIMEOUT)) else {
                return false;
            };
            let counts = is_there && end > now;
            if counts {
                again = Some(again.map_or(end, |other| other.min(end)));
            }
            counts
        })
        .collect();
    let healthy = pods
        .iter()
        .filter(|pod| !is_going(pod) && is_ready(pod))
        .filter(|pod| !disrupted.contains_key(meta::name(pod)))
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
    let mut status = json!({
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "disruptionsAllowed": allowed,
        "observedGeneration": meta::at(budget, &["metadata", "generation"]),
        "conditions": conditions(budget, word, reason, "", written),
    });
    if !disrupted.is_empty() {
        meta::set(&mut status, &["disruptedPods"], json!(disrupted));
    }
    Ok((status, again))
}

/// The status of a budget whose numbers cannot be worked out: nothing is allowed, and why.
pub fn failed(budget: &Value, error: &DisruptionError, written: &str) -> Value {
    let mut status = meta::at(budget, &["status"])
        .cloned()
        .unwrap_or_else(|| json!({ "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0 }));
    let conditions = conditions(budget, "False", "SyncFailed", &error.to_string(), written);
    meta::set(&mut status, &["disruptionsAllowed"], 0);
    meta::set(&mut status, &["conditions"], conditions);
    status
}

/// How many pods there should be, and how many of them healthy.
fn wanted(
    budget: &Value,
    pods: &[&Value],
    scales: &BTreeMap<Owner, i64>,
) -> Result<(i64, i64), DisruptionError> {
    let amount = |field: &str| meta::at(budget, &["spec", field]);
    if let Some(most) = amount("maxUnavailable") {
        let expected = scale(pods, scales)?;
        return Ok((expected, (expected - scaled(most, expected)?).max(0)));
    }
    let count = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    match amount("minAvailable") {
        Some(least) if least.is_string() => {
            let expected = scale(pods, scales)?;
            Ok((expected, scaled(least, expected)?))
        }
        Some(least) => Ok((count, scaled(least, count)?)),
        None => Ok((count, 0)),
    }
}

/// The sum of what the controllers of the pods want. Pods without one are not counted.
fn scale(pods: &[&Value], scales: &BTreeMap<Owner, i64>) -> Result<i64, DisruptionError> {
    let mut seen = BTreeMap::new();
    for pod in pods {
        if let Some(owner) = owner(pod) {
            let Some(scale) = scales.get(&owner) else {
                return Err(DisruptionError::NoController(meta::name(pod).to_owned()));
            };
            seen.insert(owner, *scale);
        }
    }
    Ok(seen
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

fn is_going(pod: &Value) -> bool {
    meta::at(pod, &["metadata", "deletionTimestamp"]).is_some()
}

fn is_ready(pod: &Value) -> bool {
    meta::list(pod, &["status", "conditions"])
        .iter()
        .any(|c| meta::text(c, &["type"]) == "Ready" && meta::text(c, &["status"]) == "True")
}

/// The conditions with the one that is ours; its time changes only with its status.
fn conditions(budget: &Value, word: &str, reason: &str, message: &str, written: &str) -> Value {
    const OURS: &str = "DisruptionAllowed";
    let mut conditions = meta::list(budget, &["status", "conditions"]).to_vec();
    let before = conditions
        .iter()
        .find(|c| meta::text(c, &["type"]) == OURS)
        .filter(|c| meta::text(c, &["status"]) == word)
        .map(|c| meta::text(c, &["lastTransitionTime"]).to_owned());
    let fresh = json!({
        "type": OURS,
        "status": word,
        "reason": reason,
        "message": message,
        "observedGeneration": meta::at(budget, &["metadata", "generation"]),
        "lastTransitionTime": before.as_deref().unwrap_or(written),
    });
    match conditions
        .iter_mut()
        .find(|c| meta::text(c, &["type"]) == OURS)
    {
        Some(place) => *place = fresh,
        None => conditions.push(fresh),
    }
    conditions.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, ready: bool, extra: Value) -> Value {
        let mut pod = json!({
            "metadata": { "name": name, "namespace": "n", "labels": { "app": "web" },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u",
                    "controller": true,
                }] },
            "status": { "conditions": [
                { "type": "Ready", "status": if ready { "True" } else { "False" } },
            ] },
        });
        for (key, value) in extra.as_object().cloned().unwrap_or_default() {
            meta::set(&mut pod, &["metadata", &key], value);
        }
        pod
    }

    fn budget(spec: Value, status: Value) -> Value {
        let mut budget = json!({
            "metadata": { "name": "b", "namespace": "n", "generation": 3 },
            "spec": { "selector": { "matchLabels": { "app": "web" } } },
            "status": status,
        });
        for (key, value) in spec.as_object().cloned().unwrap_or_default() {
            meta::set(&mut budget, &["spec", &key], value);
        }
        budget
    }

    fn ask(
        budget: &Value,
        pods: &[Value],
        scale: i64,
    ) -> Result<(Value, Option<i64>), DisruptionError> {
        let covered = covered(budget, pods);
        let owners = owners(budget, &covered);
        let scales = owners.into_iter().map(|owner| (owner, scale)).collect();
        status(budget, &covered, &scales, 1_000, "now", |text| {
            text.parse().ok()
        })
    }

    #[test]
    fn numbers_follow_from_the_spec() {
        let pods = [
            pod("a", true, json!({})),
            pod("b", true, json!({})),
            pod("c", false, json!({})),
            pod("d", true, json!({ "deletionTimestamp": "t" })),
            pod("e", true, json!({ "labels": { "app": "other" } })),
            pod("f", true, json!({ "namespace": "other" })),
        ];
        // expected, desired, allowed; the controller wants five.
        for (spec, expected, desired, allowed) in [
            (json!({ "minAvailable": 1 }), 4, 1, 1),
            (json!({ "minAvailable": 2 }), 4, 2, 0),
            (json!({ "minAvailable": "20%" }), 5, 1, 1),
            (json!({ "minAvailable": "21%" }), 5, 2, 0),
            (json!({ "maxUnavailable": 4 }), 5, 1, 1),
            (json!({ "maxUnavailable": 9 }), 5, 0, 2),
            (json!({ "maxUnavailable": "50%" }), 5, 2, 0),
        ] {
            let (status, _) = ask(&budget(spec.clone(), json!({})), &pods, 5).unwrap();
            assert_eq!(
                [
                    &status["expectedPods"],
                    &status["desiredHealthy"],
                    &status["disruptionsAllowed"]
                ],
                [expected, desired, allowed],
                "{spec}"
            );
            assert_eq!(status["currentHealthy"], 2);
            assert_eq!(status["observedGeneration"], 3);
            let reason = if allowed > 0 {
                "SufficientPods"
            } else {
                "InsufficientPods"
            };
            assert_eq!(status["conditions"][0]["reason"], reason);
        }
    }

    #[test]
    fn a_budget_without_pods_allows_nothing() {
        let (status, _) = ask(&budget(json!({ "minAvailable": 0 }), json!({})), &[], 0).unwrap();
        assert_eq!(status["disruptionsAllowed"], 0);
    }

    #[test]
    fn granted_evictions_count_until_they_should_have_happened() {
        let pods = [pod("a", true, json!({})), pod("b", true, json!({}))];
        let granted = json!({ "disruptedPods": { "a": "990", "b": "800", "gone": "990" } });
        let (status, again) =
            ask(&budget(json!({ "minAvailable": 1 }), granted), &pods, 2).unwrap();
        assert_eq!(status["disruptedPods"], json!({ "a": "990" }));
        assert_eq!(
            (&status["currentHealthy"], &status["disruptionsAllowed"]),
            (&1.into(), &0.into())
        );
        assert_eq!(again, Some(990 + DELETION_TIMEOUT));
    }

    #[test]
    fn what_cannot_be_known_allows_nothing() {
        let budget = budget(
            json!({ "maxUnavailable": 1 }),
            json!({ "disruptionsAllowed": 3 }),
        );
        let pods = [pod("a", true, json!({}))];
        let covered = covered(&budget, &pods);
        let error = status(&budget, &covered, &BTreeMap::new(), 0, "now", |_| None).unwrap_err();
        assert_eq!(error.to_string(), "found no controllers for pod \"a\"");
        let status = failed(&budget, &error, "now");
        assert_eq!(status["disruptionsAllowed"], 0);
        assert_eq!(status["conditions"][0]["reason"], "SyncFailed");
        assert_eq!(status["conditions"][0]["message"], error.to_string());
    }

    #[test]
    fn a_condition_keeps_its_time_while_it_says_the_same() {
        let before = json!({ "conditions": [{
            "type": "DisruptionAllowed", "status": "False", "lastTransitionTime": "then",
        }] });
        let (status, _) = ask(&budget(json!({ "minAvailable": 1 }), before), &[], 0).unwrap();
        assert_eq!(status["conditions"][0]["lastTransitionTime"], "then");
    }
}
