//! ResourceQuotas: what objects use, which quotas count them, and whether there is room.

mod limited;
mod scope;
mod usage;

pub use limited::Limited;
pub use usage::{changes, count_name, is_over, of_object, standing, varies};

use crate::effective::{self, Resources};
use limited::Covered;
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
    /// No quota covers what needs one.
    #[error("insufficient quota to consume: {0}")]
    Uncovered(String),
    /// No quota has the scopes that need one.
    #[error("insufficient quota to match these scopes: {0}")]
    UncoveredScopes(String),
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

/// What a request takes from one quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The place of the quota among those that were asked.
    pub quota: usize,
    /// What is used of the quota with it.
    pub used: Resources,
    /// By how much that is more than before.
    pub taken: Resources,
}

/// What an object, or a change of one (`old` is what it was), takes from the quotas of its
/// namespace; those that do not change are left out. Of quotas for which `settled` says yes the
/// request has been given its share already; they are only looked at for what they cover.
///
/// Less is never given back here: whoever counts anew finds out.
///
/// # Errors
///
/// Why a quota does not admit the object, or that there is none for what is `limited`.
pub fn charge(
    quotas: &[&Value],
    kind: Kind<'_>,
    object: &Value,
    old: Option<&Value>,
    limited: &[Limited],
    settled: &dyn Fn(&Value) -> bool,
) -> Result<Vec<Share>, Refusal> {
    let mut interesting = Vec::new();
    let mut covered = Covered::default();
    for (place, quota) in quotas.iter().enumerate() {
        covered.scopes(quota, kind, object);
        let hard = effective::of(quota, &["status", "hard"]);
        if let Some(hard) = concerned(quota, hard, kind, object)? {
            covered.resources(&hard, kind);
            interesting.push((place, *quota, hard));
        }
    }
    let usage = of_object(kind, object);
    let negative: Vec<&str> = usage
        .iter()
        .filter(|(_, amount)| amount.is_negative())
        .map(|(name, _)| name.as_str())
        .collect();
    if !negative.is_empty() {
        return Err(Refusal::Negative(negative.join(",")));
    }
    let more = match old {
        Some(old) => more_than(&usage, &of_object(kind, old)),
        None => usage.clone(),
    };
    let delta_of = |quota: &Value| {
        // Of a quota that did not count the object before it takes all.
        let counted = old.is_none_or(|old| scope::matches(quota, kind, old));
        if counted { &more } else { &usage }
    };
    let changes = |delta: &Resources| delta.values().any(|amount| !amount.is_zero());
    let is_charged = if interesting.is_empty() {
        changes(&more)
    } else {
        { interesting.iter() }.any(|(_, quota, _)| changes(delta_of(quota)))
    };
    if !is_charged {
        return Ok(Vec::new());
    }
    covered.check(limited, kind, object, &usage)?;
    let mut shares = Vec::new();
    for (place, quota, hard) in interesting {
        if settled(quota) {
            continue;
        }
        let mut taken = delta_of(quota).clone();
        taken.retain(|name, amount| !amount.is_zero() && hard.contains_key(name));
        if let Some(used) = room(quota, &hard, &taken)? {
            shares.push(Share {
                quota: place,
                used,
                taken,
            });
        }
    }
    Ok(shares)
}

/// What the quota limits of what the object uses, if it counts the object.
fn concerned(
    quota: &Value,
    hard: Resources,
    kind: Kind<'_>,
    object: &Value,
) -> Result<Option<Resources>, Refusal> {
    let named: Vec<&str> = hard
        .keys()
        .map(String::as_str)
        .filter(|name| usage::concerns(kind, name))
        .collect();
    if named.is_empty() || !scope::matches(quota, kind, object) {
        return Ok(None);
    }
    let name = || meta::name(quota).to_owned();
    if kind.is("pods") {
        let missing = unnamed(&named, object);
        if !missing.is_empty() {
            return Err(Refusal::Unnamed {
                quota: name(),
                missing,
            });
        }
    }
    let used = meta::at(quota, &["status", "used"]);
    if { named.iter() }.any(|name| used.and_then(|used| used.get(*name)).is_none()) {
        return Err(Refusal::Unknown {
            quota: name(),
            resources: named.join(","),
        });
    }
    Ok(Some(hard))
}

/// The amounts by which `now` is more than `before`; what is not more is nothing.
fn more_than(now: &Resources, before: &Resources) -> Resources {
    let mut more = now.clone();
    for (name, amount) in &mut more {
        if let Some(before) = before.get(name) {
            let rest = amount.minus(*before);
            *amount = if rest.is_negative() {
                Quantity::ZERO
            } else {
                rest
            };
        }
    }
    more
}

/// What is used of the quota with `taken`, if there is room for it; nothing if it takes nothing.
fn room(quota: &Value, hard: &Resources, taken: &Resources) -> Result<Option<Resources>, Refusal> {
    if taken.is_empty() {
        return Ok(None);
    }
    let used = effective::of(quota, &["status", "used"]);
    let mut after = used.clone();
    effective::add(&mut after, taken);
    let exceeded = |name: &String| match (after.get(name), hard.get(name)) {
        (Some(after), Some(hard)) => after > hard,
        _ => false,
    };
    let over: Vec<&String> = taken.keys().filter(|name| exceeded(name)).collect();
    if over.is_empty() {
        return Ok(Some(after));
    }
    Err(Refusal::Exceeded {
        quota: meta::name(quota).to_owned(),
        requested: show(&over, taken),
        used: show(&over, &used),
        limited: show(&over, hard),
    })
}

/// What is used of a quota once `taken` is given back; never less than nothing.
pub fn give_back(used: &Value, taken: &Resources) -> Value {
    let mut after = effective::of(used, &[]);
    for (name, amount) in &mut after {
        if let Some(taken) = taken.get(name) {
            let rest = amount.minus(*taken);
            *amount = if rest.is_negative() {
                Quantity::ZERO
            } else {
                rest
            };
        }
    }
    to_value(&after)
}

/// What all objects of a namespace use of a quota: every resource that it limits and that objects
/// of these kinds use. Of others what was known stays.
pub fn recount<'a>(
    quota: &Value,
    kinds: &[Kind<'_>],
    objects: impl IntoIterator<Item = (Kind<'a>, &'a Value)>,
) -> Resources {
    let hard = effective::of(quota, &["spec", "hard"]);
    let mut used = effective::of(quota, &["status", "used"]);
    used.retain(|name, _| hard.contains_key(name));
    for name in hard.keys() {
        if kinds.iter().any(|kind| usage::concerns(*kind, name)) {
            used.insert(name.clone(), Quantity::ZERO);
        }
    }
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
