//! ResourceQuotas: what objects use, which quotas count them, and whether there is room.

mod scope;
mod usage;

pub use usage::{count_name, evaluates, is_over, of_object};

use crate::effective::{self, Resources};
use model::kinds::core::pod_amounts::has_pod_level;
use model::quantity::Quantity;
use model::{Map, Value, meta};
use std::collections::BTreeMap;

/// Resources that every container must name, if a quota limits them.
const NAMED: [&str; 6] = [
    "cpu",
    "limits.cpu",
    "limits.memory",
    "memory",
    "requests.cpu",
    "requests.memory",
];

/// The kind of an object, as quotas know kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind<'a> {
    /// The API group.
    pub group: &'a str,
    /// The plural name.
    pub plural: &'a str,
}

impl Kind<'_> {
    fn is(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }
}

/// Why a quota does not admit an object. The texts are upstream's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Containers do not name what the quota limits.
    #[error("failed quota: {quota}: must specify {missing}")]
    Unnamed {
        /// The quota's name.
        quota: String,
        /// What is missing, and where.
        missing: String,
    },
    /// What was used before is not known yet.
    #[error("status unknown for quota: {quota}, resources: {resources}")]
    Unknown {
        /// The quota's name.
        quota: String,
        /// The resources.
        resources: String,
    },
    /// There is no room.
    #[error("exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}")]
    Exceeded {
        /// The quota's name.
        quota: String,
        /// What is asked for.
        requested: String,
        /// What was used before.
        used: String,
        /// What may be used.
        limited: String,
    },
    /// The object asks for less than nothing.
    #[error("quota usage is negative for resource(s): {0}")]
    Negative(String),
}

/// Whether a quota limits anything that objects of this kind use.
pub fn limits(quota: &Value, kind: Kind<'_>) -> bool {
    let hard = effective::of(quota, &["spec", "hard"]);
    hard.keys().any(|name| usage::concerns(kind, name))
}

/// Whether a quota counts an object of this kind.
pub fn counts(quota: &Value, kind: Kind<'_>, object: &Value) -> bool {
    limits(quota, kind) && scope::matches(quota, kind, object)
}

/// What a new object, or a change of one, takes from a quota: the quota's usage with it, or nothing
/// if the quota does not change.
///
/// # Errors
///
/// Why the quota does not admit the object.
pub fn charge(
    quota: &Value,
    kind: Kind<'_>,
    object: &Value,
    old: Option<&Value>,
) -> Result<Option<Resources>, Refusal> {
    let hard = effective::of(quota, &["status", "hard"]);
    let concerned: Vec<&str> = hard
        .keys()
        .map(String::as_str)
        .filter(|name| usage::concerns(kind, name))
        .collect();
    if concerned.is_empty() || !scope::matches(quota, kind, object) {
        return Ok(None);
    }
    let name = || meta::name(quota).to_owned();
    if kind.is("pods") {
        let missing = unnamed(&concerned, object);
        if !missing.is_empty() {
            return Err(Refusal::Unnamed {
                quota: name(),
                missing,
            });
        }
    }
    let used = effective::of(quota, &["status", "used"]);
    if concerned.iter().any(|name| !used.contains_key(*name)) {
        return Err(Refusal::Unknown {
            quota: name(),
            resources: concerned.join(","),
        });
    }
    let mut delta = of_object(kind, object);
    let negative: Vec<&str> = delta
        .iter()
        .filter(|(_, amount)| amount.is_negative())
        .map(|(name, _)| name.as_str())
        .collect();
    if !negative.is_empty() {
        return Err(Refusal::Negative(negative.join(",")));
    }
    for (name, before) in old.map(|old| of_object(kind, old)).unwrap_or_default() {
        let entry = delta.entry(name).or_insert(Quantity::ZERO);
        *entry = entry.minus(before);
    }
    delta.retain(|name, amount| !amount.is_zero() && hard.contains_key(name));
    if delta.is_empty() {
        return Ok(None);
    }
    let mut after = used.clone();
    effective::add(&mut after, &delta);
    let exceeded = |name: &String| match (after.get(name), hard.get(name)) {
        (Some(after), Some(hard)) => after > hard,
        _ => false,
    };
    let over: Vec<&String> = delta.keys().filter(|name| exceeded(name)).collect();
    if over.is_empty() {
        return Ok(Some(after));
    }
    Err(Refusal::Exceeded {
        quota: name(),
        requested: show(&over, &delta),
        used: show(&over, &used),
        limited: show(&over, &hard),
    })
}

/// What all objects of a namespace use of a quota: every resource that it limits.
pub fn recount<'a>(
    quota: &Value,
    objects: impl IntoIterator<Item = (Kind<'a>, &'a Value)>,
) -> Resources {
    let hard = effective::of(quota, &["spec", "hard"]);
    let mut used: Resources = hard
        .keys()
        .map(|name| (name.clone(), Quantity::ZERO))
        .collect();
    for (kind, object) in objects {
        if !scope::matches(quota, kind, object) {
            continue;
        }
        let mut own = of_object(kind, object);
        own.retain(|name, _| hard.contains_key(name));
        effective::add(&mut used, &own);
    }
    used
}

/// Amounts as an object has them.
pub fn to_value(resources: &Resources) -> Value {
    let all = resources.iter();
    let all: Map = all
        .map(|(name, amount)| (name.clone(), amount.to_string().into()))
        .collect();
    all.into()
}

/// `cpu=2,memory=1Gi`.
fn show(names: &[&String], of: &Resources) -> String {
    let all: Vec<String> = names
        .iter()
        .filter_map(|name| Some(format!("{name}={}", of.get(*name)?)))
        .collect();
    all.join(",")
}

/// What containers of a pod do not name and must: `limits.cpu for: a,b; memory for: a`.
fn unnamed(concerned: &[&str], pod: &Value) -> String {
    // A pod that says what all of them need together need not say it of each.
    if pod.get("spec").is_some_and(has_pod_level) {
        return String::new();
    }
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for list in ["containers", "initContainers"] {
        for container in meta::list(pod, &["spec", list]) {
            let of = |key| effective::of(container, &["resources", key]);
            let named = usage::of_compute(&of("requests"), &of("limits"));
            for name in NAMED {
                if concerned.contains(&name) && !named.contains_key(name) {
                    let who = missing.entry(name).or_default();
                    who.push(meta::text(container, &["name"]));
                }
            }
        }
    }
    let all: Vec<String> = missing
        .into_iter()
        .map(|(name, mut who)| {
            who.sort_unstable();
            format!("{name} for: {}", who.join(","))
        })
        .collect();
    all.join("; ")
}

#[cfg(test)]
mod tests;
