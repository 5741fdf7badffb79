//! The score as kubesec (v2) counts it: points of the rules that hold, added up.
//!
//! A rule holds if it does for at least one container; it then counts once. Only fields that were
//! written count, not those that an API server would default. As in kubesec, positive rules that
//! do not hold are advice, and objects of kinds that no rule is about have the score 0. Unlike
//! kubesec, a CronJob's pods are looked at too: kubesec looks for them where a CronJob has none.

mod rules;

use rules::{RULES, Rule, Subject};
use serde::Serialize;
use snapshot::{Location, Object, ProblemKind, Snapshot};
use std::cmp::Reverse;
use std::collections::HashMap;

/// What is said of one object, with the fields and in the order in which kubesec prints them.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// `Kind/name.namespace`; the namespace is `default` where there is none, and the name
    /// `undefined` where it is yet to be generated.
    pub object: String,
    /// Whether the object is what its kind allows. If not, it is not scored.
    pub valid: bool,
    /// The file; empty if the object was read from none.
    pub file_name: String,
    /// What came out, as kubesec words it.
    pub message: String,
    /// The points, added up.
    pub score: i64,
    /// Which rules hold, and which do not.
    pub scoring: Scoring,
    /// How many rules are about this kind.
    #[serde(skip)]
    pub applied: usize,
    /// Where the object stands.
    #[serde(skip)]
    pub location: Option<Location>,
}

impl Report {
    /// Whether a pipeline should stop: the object is invalid, something critical was found, or it
    /// has fewer points than `least`. Objects that kubesec has nothing to praise in (no rule is
    /// about them, or only rules that take points) need no points.
    pub fn is_bad(&self, least: i64) -> bool {
        let is_measured = !self.scoring.passed.is_empty() || !self.scoring.advise.is_empty();
        !self.valid || !self.scoring.critical.is_empty() || (is_measured && self.score < least)
    }
}

/// The rules of a report; lists that are empty are left out, as in kubesec.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Scoring {
    /// Rules that hold and take points: those that take most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<Judgement>,
    /// Rules that hold and give points: those that give most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed: Vec<Judgement>,
    /// Rules that would give points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advise: Vec<Judgement>,
}

/// A rule, and where it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// kubesec's ID of the rule.
    pub id: &'static str,
    /// kubesec's selector.
    pub selector: &'static str,
    /// Why it counts.
    pub reason: &'static str,
    /// The points.
    pub points: i64,
    /// The paths of the fields for which it holds, with their places.
    #[serde(skip)]
    pub found: Vec<(String, Option<Location>)>,
}

/// Scores every object that somebody wrote, but for those that a controller made of another one,
/// and for nodes: a cluster has them and its manifests do not. In the order of the snapshot; of one
/// namespace, if one is given.
pub fn score(snapshot: &Snapshot, namespace: Option<&str>) -> Vec<Report> {
    let complaints = complaints(snapshot);
    snapshot
        .authored()
        .filter(|object| namespace.is_none_or(|namespace| object.is_within(namespace)))
        .map(|object| report(snapshot, object, complaints.get(&key(object))))
        .collect()
}

fn report(snapshot: &Snapshot, object: &Object, complaints: Option<&String>) -> Report {
    let location = snapshot.locate(object, "");
    let mut report = Report {
        object: title(object),
        valid: true,
        file_name: location
            .as_ref()
            .map_or_else(String::new, |at| at.file.to_string()),
        message: String::new(),
        score: 0,
        scoring: Scoring::default(),
        applied: 0,
        location,
    };
    if let Some(complaints) = complaints {
        report.valid = false;
        report.message.clone_from(complaints);
        return report;
    }
    let applied: Vec<&Rule> = RULES.iter().filter(|rule| rule.is_about(object)).collect();
    report.applied = applied.len();
    if applied.is_empty() {
        report.message = "This resource kind is not supported by kubesec".to_owned();
        return report;
    }
    let Some(template) = snapshot.pod_template(object) else {
        report.valid = false;
        report.message = "it has no pod template".to_owned();
        return report;
    };
    let subject = Subject::new(template);
    for rule in applied {
        let found = (rule.found)(&subject);
        let holds = !found.is_empty();
        let list = match (holds, rule.points < 0) {
            (true, true) => &mut report.scoring.critical,
            (true, false) => &mut report.scoring.passed,
            (false, false) => &mut report.scoring.advise,
            (false, true) => continue,
        };
        if holds {
            report.score += rule.points;
        }
        list.push(Judgement {
            id: rule.id,
            selector: rule.selector,
            reason: rule.reason,
            points: rule.points,
            found: found
                .into_iter()
                .map(|path| {
                    let place = snapshot.locate(object, &path);
                    (path, place)
                })
                .collect(),
        });
    }
    let scoring = &mut report.scoring;
    scoring.critical.sort_by_key(|j| (j.points, j.selector));
    for list in [&mut scoring.passed, &mut scoring.advise] {
        list.sort_by_key(|j| (Reverse(j.points), j.selector));
    }
    let verdict = if report.score < 0 { "Failed" } else { "Passed" };
    report.message = format!("{verdict} with a score of {} points", report.score);
    report
}

fn title(object: &Object) -> String {
    let name = if object.is_name_generated() {
        "undefined"
    } else {
        object.name()
    };
    let namespace = match object.namespace() {
        "" => "default",
        namespace => namespace,
    };
    format!("{}/{name}.{namespace}", object.kind.kind)
}

type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

fn key(object: &Object) -> Key<'_> {
    (
        object.group(),
        object.resource(),
        object.namespace(),
        object.name(),
    )
}

/// What of each object its kind does not allow: a problem belongs to the last object of its file
/// that begins before it.
fn complaints(snapshot: &Snapshot) -> HashMap<Key<'_>, String> {
    let mut starts: HashMap<&str, Vec<(u32, &Object)>> = HashMap::new();
    let files: HashMap<_, _> = snapshot.files().collect();
    for object in snapshot.written() {
        if let Some(source) = &object.source
            && let Some(file) = files.get(&source.file)
        {
            let starts = starts.entry(file).or_default();
            starts.push((source.start.line, object));
        }
    }
    for starts in starts.values_mut() {
        starts.sort_by_key(|(line, _)| *line);
    }
    let mut complaints: HashMap<Key<'_>, String> = HashMap::new();
    for problem in snapshot.problems() {
        use ProblemKind::{DuplicateField, InvalidField, UnknownField};
        if !matches!(problem.kind, DuplicateField | InvalidField | UnknownField) {
            continue;
        }
        let Some(place) = &problem.location else {
            continue;
        };
        let Some(starts) = starts.get(&*place.file) else {
            continue;
        };
        let before = starts.partition_point(|(line, _)| *line <= place.line);
        let Some((_, object)) = before.checked_sub(1).and_then(|at| starts.get(at)) else {
            continue;
        };
        let message = complaints.entry(key(object)).or_default();
        if !message.is_empty() {
            message.push_str("; ");
        }
        message.push_str(&problem.message);
    }
    complaints
}

#[cfg(test)]
mod tests;
