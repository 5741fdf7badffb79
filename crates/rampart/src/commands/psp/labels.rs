//! The Pod Security labels that can take the place of the policies: those that no pod breaks, and
//! what changes with them.

use super::super::pss::{cite, painted};
use crate::output::{Because, Colour, Style, shown};
use model::Value;
use pod_security::psp::{Decision, Policies, Policy};
use pod_security::{
    Comparison, Difference, Level, LevelVersion, Version, compare, evaluate, labels, strictest,
};
use serde::Serialize;
use snapshot::{Citation, PodTemplate};
use std::collections::BTreeMap;

/// What is said once of all namespaces.
const NOTE: &str = "The levels admit every pod as it is stored, with what policies have filled in, \
    and every template as it is written: policies fill settings into pods, never into templates, \
    and no level fills in anything.";

/// The version that is proposed: a later one may refuse what this one admits.
const VERSION: Version = Version::Minor(Version::NEWEST);

/// What a namespace could ask of its pods.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proposal {
    namespace: String,
    /// The strictest level that all its pods and templates keep to.
    enforce: &'static str,
    /// The labels that say so.
    labels: BTreeMap<&'static str, String>,
    /// The policies that may be used for its pods.
    policies: Vec<String>,
    /// What keeps it from the next stricter level.
    held_back_by: Vec<Because>,
    /// The level that is reached once templates say what policies fill in, if it is a stricter one.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_filling: Option<AfterFilling>,
    /// What the level admits and the policies refuse.
    looser: Vec<Changed>,
    /// What the level refuses and a policy admits.
    tighter: Vec<Changed>,
}

#[derive(Debug, Serialize)]
struct AfterFilling {
    enforce: &'static str,
    /// What to write into which templates.
    write: Vec<Write>,
}

#[derive(Debug, Serialize)]
struct Write {
    value: Value,
    #[serde(flatten)]
    citation: Citation,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Changed {
    control: &'static str,
    field: &'static str,
    policy_fields: &'static [&'static str],
    checks: &'static [&'static str],
    /// The values that are admitted, or refused, now; of those that were tried.
    values: Vec<String>,
    /// Whether a policy fills in the field where a pod says nothing.
    filled: bool,
}

impl From<Difference> for Changed {
    fn from(difference: Difference) -> Self {
        Self {
            control: difference.control,
            field: difference.field,
            policy_fields: difference.policy,
            checks: difference.checks,
            values: difference.values,
            filled: difference.filled,
        }
    }
}

/// A pod or template of a namespace with what was decided on it.
pub(super) struct Decided<'d, 'a> {
    pub(super) template: PodTemplate<'a>,
    /// What the policies decided, of what no controller made.
    pub(super) decision: Option<&'d Decision>,
    /// The policies that may be used for it.
    pub(super) usable: &'d [String],
}

/// The labels for each namespace with pods.
pub(super) fn proposals(decided: &[Decided<'_, '_>], policies: &Policies) -> Vec<Proposal> {
    let mut by_namespace: BTreeMap<&str, Vec<&Decided<'_, '_>>> = BTreeMap::new();
    for one in decided {
        let own = by_namespace.entry(one.template.namespace()).or_default();
        own.push(one);
    }
    let mut compared: BTreeMap<(Level, Vec<String>), Comparison> = BTreeMap::new();
    by_namespace
        .into_iter()
        .map(|(namespace, pods)| {
            let level =
                |template: &PodTemplate<'_>| strictest(VERSION, template.metadata, template.spec);
            let all = pods.iter().map(|pod| level(&pod.template));
            let enforce = all.min().unwrap_or(Level::Privileged);
            let in_force: Vec<&Policy> = policies
                .iter()
                .filter(|p| {
                    pods.iter()
                        .any(|pod| pod.usable.iter().any(|u| u == p.name()))
                })
                .collect();
            let names: Vec<String> = in_force.iter().map(|p| p.name().to_owned()).collect();
            // Where no policy may be used, no pod was admitted: there is nothing to lose.
            let comparison = compared
                .entry((enforce, names.clone()))
                .or_insert_with(|| match in_force.as_slice() {
                    [] => Comparison::default(),
                    all => compare(LevelVersion::new(enforce, VERSION), all),
                })
                .clone();
            Proposal {
                namespace: namespace.to_owned(),
                enforce: enforce.as_str(),
                labels: wanted(enforce),
                policies: names,
                held_back_by: held_back_by(enforce, &pods),
                after_filling: after_filling(enforce, &pods),
                looser: comparison.looser.into_iter().map(Changed::from).collect(),
                tighter: comparison.tighter.into_iter().map(Changed::from).collect(),
            }
        })
        .collect()
}

/// The labels that enforce a level, and warn of what the strictest would refuse.
fn wanted(enforce: Level) -> BTreeMap<&'static str, String> {
    let mut all = BTreeMap::from([
        (labels::ENFORCE, enforce.to_string()),
        (labels::ENFORCE_VERSION, VERSION.to_string()),
    ]);
    if enforce != Level::Restricted {
        all.insert(labels::WARN, Level::Restricted.to_string());
    }
    all
}

fn held_back_by(enforce: Level, pods: &[&Decided<'_, '_>]) -> Vec<Because> {
    let Some(next) = Level::ALL.into_iter().find(|level| *level > enforce) else {
        return Vec::new();
    };
    let next = LevelVersion::new(next, VERSION);
    pods.iter()
        .flat_map(|pod| {
            let template = pod.template;
            let violations = evaluate(next, template.metadata, template.spec);
            violations.into_iter().flat_map(move |violation| {
                let reason = violation.to_string();
                violation.fields.into_iter().map(move |place| Because {
                    reason: reason.clone(),
                    citation: cite(&template, &place.path),
                })
            })
        })
        .collect()
}

/// What the templates would have to say for the level that their pods reach by what policies fill
/// in.
fn after_filling(enforce: Level, pods: &[&Decided<'_, '_>]) -> Option<AfterFilling> {
    let mut reached = Level::Restricted;
    let mut write = Vec::new();
    for pod in pods {
        let Some(decision) = pod.decision else {
            continue;
        };
        let template = &pod.template;
        let own = strictest(VERSION, template.metadata, template.spec);
        let filled = match decision {
            // A pod has been filled in already.
            Decision::Admitted {
                pod: Some(value),
                changes,
                ..
            } if !template.path.is_empty() => {
                let of = |key| value.get(key).unwrap_or(&Value::Null);
                let level = strictest(VERSION, of("metadata"), of("spec"));
                if level > own {
                    write.extend(changes.iter().map(|change| Write {
                        value: change.value.clone(),
                        citation: cite(template, &change.field()),
                    }));
                }
                level.max(own)
            }
            _ => own,
        };
        reached = reached.min(filled);
    }
    (reached > enforce).then(|| AfterFilling {
        enforce: reached.as_str(),
        write,
    })
}

/// The proposals for people.
pub(super) fn human(proposals: &[Proposal], has_policies: bool, style: Style) -> String {
    let mut text = "\nPod Security labels that no pod of these would break:\n".to_owned();
    for proposal in proposals {
        let enforce = painted(style, proposal.enforce, proposal.enforce);
        text.push_str(&format!(
            "  namespace {}: {}={enforce}\n",
            shown(&proposal.namespace),
            labels::ENFORCE
        ));
        let held: Vec<String> = proposal
            .held_back_by
            .iter()
            .map(|because| shown(&because.citation.to_string()))
            .collect();
        if !held.is_empty() {
            text.push_str(&format!("    no stricter: {}\n", some_of(&held)));
        }
        if let Some(after) = &proposal.after_filling {
            let level = painted(style, after.enforce, after.enforce);
            text.push_str(&format!(
                "    {level}, once templates say what policies fill in:\n"
            ));
            for write in &after.write {
                let what = format!("{} = {}", write.citation, write.value);
                text.push_str(&format!("      {}\n", shown(&what)));
            }
        }
        if proposal.policies.is_empty() {
            if has_policies {
                text.push_str("    no policy may be used for its pods: none was admitted\n");
            }
            continue;
        }
        let policies = shown(&proposal.policies.join(", "));
        text.push_str(&format!("    compared with {policies}:\n"));
        if proposal.looser.is_empty() && proposal.tighter.is_empty() {
            text.push_str("      the same\n");
        }
        for (word, colour, all) in [
            ("looser", Colour::Attention, &proposal.looser),
            ("tighter", Colour::Good, &proposal.tighter),
        ] {
            for changed in all {
                let filled = if changed.filled {
                    " (a policy fills it in)"
                } else {
                    ""
                };
                text.push_str(&format!(
                    "      {}: {}: {}{filled}\n        {}\n",
                    style.paint(colour, word),
                    changed.control,
                    shown(&some_of(&changed.values)),
                    style.paint(Colour::Faint, changed.field)
                ));
            }
        }
    }
    text.push_str(&format!("{NOTE}\n"));
    text
}

/// At most three texts, and how many more.
fn some_of(texts: &[String]) -> String {
    let first: Vec<&str> = texts.iter().take(3).map(String::as_str).collect();
    let first = first.join(", ");
    match texts.len().saturating_sub(3) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// What is said once of all namespaces.
pub(super) fn note() -> &'static str {
    NOTE
}
