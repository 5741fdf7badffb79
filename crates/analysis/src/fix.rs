//! Repair of manifests: what has one safe repair gets it, what has not is told with the reason.
//!
//! [`run`] goes in rounds. Each audits the manifests, proposes a repair for every finding that has
//! one, edits the texts (see [`manifest_edit`]) and reads and audits them again: repairs that would
//! raise a finding that was not there, or break a document, are taken back. It ends when nothing is
//! left to repair, so that a second run changes nothing.

mod namespaces;
mod pods;
mod propose;
mod reasons;
mod texts;
mod versions;

pub use propose::{Options, Refused};
pub use texts::File;

use crate::audit;
use crate::finding::Severity;
use manifest_edit::{Group, apply};
use model::registry::Registry;
use pod_security::{Level, Version, strictest};
use propose::{Decision, Proposal};
use serde::Serialize;
use snapshot::{Location, Snapshot, Standing};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// How many rounds there are at most. A repair that follows from another is made one round later.
const ROUNDS: usize = 6;

/// A repair that was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// The check whose findings it repairs.
    pub id: &'static str,
    /// The object.
    pub object: Named,
    /// The container, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The path of the field in the object.
    pub field: String,
    /// What became of it, in YAML's words: `runAsNonRoot: true`.
    pub change: String,
    /// Why it is safe, or what it rests on.
    pub why: String,
    /// How many findings it repairs.
    pub findings: usize,
    /// Where the field stands in the repaired file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// An object, by its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The namespace; empty for kinds of the whole cluster.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl Named {
    fn of(object: &snapshot::Object) -> Self {
        Self {
            group: object.group().to_owned(),
            kind: object.kind.kind.to_string(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
        }
    }
}

impl std::fmt::Display for Named {
    /// `Kind namespace/name`, or `Kind name`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// The strictest level of the Pod Security Standards that admits a pod, before and after.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodLevel {
    /// What makes the pod.
    pub object: Named,
    /// The level as it was.
    pub before: &'static str,
    /// The level after the repairs.
    pub after: &'static str,
    /// Whether it reaches the level that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaches: Option<bool>,
    /// What keeps it from that level, in the API server's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub because: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Fixed {
    /// The texts of the files, in the order in which they were given.
    pub texts: Vec<Arc<[u8]>>,
    /// The repairs.
    pub repairs: Vec<Repair>,
    /// The findings that are left, each with the reason.
    pub refused: Vec<Refused>,
    /// The levels of the pods.
    pub pods: Vec<PodLevel>,
    /// How many findings there were, by severity, worst first.
    pub before: BTreeMap<Severity, usize>,
    /// How many are left.
    pub left: BTreeMap<Severity, usize>,
    /// What is wrong with suppressions.
    pub notices: Vec<String>,
    /// The objects as they are now.
    pub snapshot: Snapshot,
}

/// Repairs manifests. `snapshot` is what was read from `files`, which are in its order.
pub fn run(
    snapshot: Snapshot,
    files: &[File<'_>],
    registry: &Arc<Registry>,
    reading: &snapshot::Options,
    options: Options<'_>,
) -> Fixed {
    let mut state = State {
        texts: files.iter().map(|file| Arc::from(file.text)).collect(),
        snapshot,
        repairs: Vec::new(),
        blocked: HashMap::new(),
    };
    let old_levels = levels(&state.snapshot);
    let before = count(&audit::run(&state.snapshot, options.audit).findings);
    for _ in 0..ROUNDS {
        if !state.round(files, registry, reading, options) {
            break;
        }
    }
    let report = audit::run(&state.snapshot, options.audit);
    let left = count(&report.findings);
    let refused = propose::all(&state.snapshot, &report, options.level)
        .into_iter()
        .flat_map(|(findings, decision)| {
            let reason = match decision {
                Decision::Unclear(reason) => reason,
                Decision::Repair(proposal) => match state.blocked.get(&proposal.key()) {
                    Some(reason) => reason.clone(),
                    None => "not all repairs could be made in one run: run again".to_owned(),
                },
            };
            findings
                .into_iter()
                .map(move |finding| Refused::new(finding, reason.clone()))
        })
        .collect();
    let pods = pod_levels(&old_levels, &state.snapshot, options.level);
    let notices = report.notices;
    let mut repairs = state.repairs;
    locate(&state.snapshot, &mut repairs);
    Fixed {
        texts: state.texts,
        repairs,
        refused,
        pods,
        before,
        left,
        notices,
        snapshot: state.snapshot,
    }
}

/// The manifests between two rounds.
struct State {
    texts: Vec<Arc<[u8]>>,
    snapshot: Snapshot,
    repairs: Vec<Repair>,
    /// Repairs that cannot be made, with the reason.
    blocked: HashMap<String, String>,
}

impl State {
    /// Makes the repairs that can be made now; whether there were any.
    fn round(
        &mut self,
        files: &[File<'_>],
        registry: &Arc<Registry>,
        reading: &snapshot::Options,
        options: Options<'_>,
    ) -> bool {
        let report = audit::run(&self.snapshot, options.audit);
        let mut proposals: Vec<Proposal<'_>> = propose::all(&self.snapshot, &report, options.level)
            .into_iter()
            .filter_map(|(_, decision)| match decision {
                Decision::Repair(proposal) => Some(proposal),
                Decision::Unclear(_) => None,
            })
            .filter(|proposal| !self.blocked.contains_key(&proposal.key()))
            .collect();
        // What rests on the state of pods waits until that is settled.
        if proposals.iter().any(|proposal| !proposal.is_last) {
            proposals.retain(|proposal| !proposal.is_last);
        }
        let known = Known::new(&self.snapshot, &report.findings);
        let (texts, snapshot, made) = loop {
            if proposals.is_empty() {
                return false;
            }
            let texts = edit(&self.texts, &mut proposals, &mut self.blocked);
            if proposals.is_empty() {
                return false;
            }
            let snapshot = texts::read(files, &texts, registry, reading);
            let after = audit::run(&snapshot, options.audit);
            let worse = known.worse(&snapshot, &after.findings);
            let Some((file, reason)) = worse else {
                let made: Vec<Repair> = proposals.iter().map(Proposal::made).collect();
                drop(after);
                break (texts, snapshot, made);
            };
            // Whoever is to blame is in the file where it shows, if anybody there is.
            let is_to_blame = |proposal: &Proposal<'_>| Some(proposal.file) == file;
            let somebody = proposals.iter().any(is_to_blame);
            proposals.retain(|proposal| {
                let goes = !somebody || is_to_blame(proposal);
                if goes {
                    self.blocked.insert(proposal.key(), reason.clone());
                }
                !goes
            });
        };
        drop(proposals);
        drop(report);
        self.texts = texts;
        self.snapshot = snapshot;
        self.repairs.extend(made);
        true
    }
}

/// Makes the edits of the proposals; those that are refused leave the list.
fn edit(
    texts: &[Arc<[u8]>],
    proposals: &mut Vec<Proposal<'_>>,
    blocked: &mut HashMap<String, String>,
) -> Vec<Arc<[u8]>> {
    let mut new = texts.to_vec();
    let mut by_file: BTreeMap<usize, Vec<&Proposal<'_>>> = BTreeMap::new();
    for proposal in proposals.iter() {
        by_file.entry(proposal.file).or_default().push(proposal);
    }
    let mut refused = HashSet::new();
    for (file, of_file) in by_file {
        let Some(text) = new.get_mut(file) else {
            continue;
        };
        let groups: Vec<Group> = of_file.iter().map(|p| p.group.clone()).collect();
        let outcome = apply(text, &groups);
        for (index, refusal) in outcome.refused {
            if let Some(proposal) = of_file.get(index) {
                blocked.insert(proposal.key(), refusal.to_string());
                refused.insert(proposal.key());
            }
        }
        *text = outcome.text.into();
    }
    proposals.retain(|proposal| !refused.contains(&proposal.key()));
    new
}

/// What was found and what was wrong before.
struct Known {
    findings: HashMap<String, usize>,
    problems: HashMap<String, usize>,
}

impl Known {
    fn new(snapshot: &Snapshot, findings: &[crate::finding::Finding<'_>]) -> Self {
        let mut known = Self {
            findings: HashMap::new(),
            problems: HashMap::new(),
        };
        for finding in findings {
            *known.findings.entry(finding.fingerprint()).or_default() += 1;
        }
        for problem in snapshot.problems() {
            *known.problems.entry(without_digits(problem)).or_default() += 1;
        }
        known
    }

    /// Something that was not there before: the file where it shows, and what it is.
    fn worse(
        &self,
        snapshot: &Snapshot,
        findings: &[crate::finding::Finding<'_>],
    ) -> Option<(Option<usize>, String)> {
        let mut left = self.findings.clone();
        for finding in findings {
            let count = left.entry(finding.fingerprint()).or_default();
            if *count == 0 {
                let source = finding.object.source.as_ref();
                let reason = format!("the repair would raise {}", finding.check.id);
                return Some((source.map(|source| source.file.index()), reason));
            }
            *count -= 1;
        }
        let mut left = self.problems.clone();
        for problem in snapshot.problems() {
            let count = left.entry(without_digits(problem)).or_default();
            if *count == 0 {
                let named = problem.location.as_ref().map(|at| &at.file);
                let file = named.and_then(|name| {
                    let found = snapshot.files().find(|(_, file)| **file == **name);
                    found.map(|(id, _)| id.index())
                });
                let reason = format!("the object would then be refused: {}", problem.message);
                return Some((file, reason));
            }
            *count -= 1;
        }
        None
    }
}

/// What a problem says, without the lines and columns that edits move.
fn without_digits(problem: &snapshot::Problem) -> String {
    let digit = |c: &char| !c.is_ascii_digit();
    problem.message.chars().filter(digit).collect()
}

fn count(findings: &[crate::finding::Finding<'_>]) -> BTreeMap<Severity, usize> {
    let mut counts: BTreeMap<Severity, usize> =
        Severity::WORST_FIRST.iter().map(|s| (*s, 0)).collect();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    counts
}

/// The levels of pods that somebody wrote, and that no other object of the files makes.
fn levels(snapshot: &Snapshot) -> Vec<(Named, Level)> {
    snapshot
        .pod_templates()
        .filter(|t| t.owner.standing == Standing::Written && t.is_outermost())
        .map(|t| {
            let level = strictest(Version::Latest, t.metadata, t.spec);
            (Named::of(t.owner), level)
        })
        .collect()
}

fn pod_levels(old: &[(Named, Level)], snapshot: &Snapshot, asked: Option<Level>) -> Vec<PodLevel> {
    let mut before: HashMap<&Named, Level> = HashMap::new();
    for (object, level) in old {
        before.insert(object, *level);
    }
    snapshot
        .pod_templates()
        .filter(|t| t.owner.standing == Standing::Written && t.is_outermost())
        .map(|t| {
            let object = Named::of(t.owner);
            let after = strictest(Version::Latest, t.metadata, t.spec);
            let violations = asked.map(|level| {
                let policy = pod_security::LevelVersion::new(level, Version::Latest);
                pod_security::evaluate(policy, t.metadata, t.spec)
            });
            PodLevel {
                before: before.get(&object).map_or(after, |level| *level).as_str(),
                after: after.as_str(),
                reaches: violations.as_ref().map(Vec::is_empty),
                because: violations
                    .map(|violations| pod_security::standards::details(&violations))
                    .unwrap_or_default(),
                object,
            }
        })
        .collect()
}

/// Finds out where the repaired fields stand now.
fn locate(snapshot: &Snapshot, repairs: &mut [Repair]) {
    let objects: HashMap<Named, &snapshot::Object> = snapshot
        .written()
        .map(|object| (Named::of(object), object))
        .collect();
    for repair in repairs {
        let object = objects.get(&repair.object);
        repair.location = object.and_then(|object| snapshot.locate(object, &repair.field));
    }
}
