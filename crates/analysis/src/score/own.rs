//! Rampart's own score: 0 to 100 for every pod template, and for every other object in which the
//! audit found something.
//!
//! Everything starts with 100. Each check that found something takes points by its worst finding
//! there, once, however many containers it is about: more containers do not make a pod worse. No
//! points are given for anything, and the worst finding caps the score, so that nothing makes up
//! for it. The overall score is the lowest: whoever breaks in does so where it is easiest.
//!
//! Removing a finding never lowers a score; adding one never raises it.

use crate::finding::{Finding, Severity};
use snapshot::{Location, Object, PodTemplate, Snapshot, Standing};
use std::collections::BTreeMap;

/// The best score.
pub const BEST: u32 = 100;

/// The points that a finding takes.
pub fn points(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 50,
        Severity::High => 20,
        Severity::Medium => 6,
        Severity::Low => 2,
        Severity::Info => 1,
    }
}

/// The highest score that something may have whose worst finding is of that severity.
pub fn cap(severity: Severity) -> u32 {
    match severity {
        Severity::Critical => 10,
        Severity::High => 50,
        Severity::Medium => 80,
        Severity::Low => 95,
        Severity::Info => BEST,
    }
}

/// What one check takes.
#[derive(Debug, Clone)]
pub struct Deduction<'f, 'a> {
    /// The points, by the worst of the findings.
    pub points: u32,
    /// What the check found in the object, worst first; at least one.
    pub findings: Vec<&'f Finding<'a>>,
}

/// The score of one object.
#[derive(Debug, Clone)]
pub struct Score<'f, 'a> {
    /// The object.
    pub object: &'a Object,
    /// Whether pods are made from it.
    pub has_pods: bool,
    /// 0 to 100.
    pub score: u32,
    /// What the points alone would have left, before the cap.
    pub uncapped: u32,
    /// The worst finding; `None` if there is none.
    pub worst: Option<Severity>,
    /// What took points: the most first.
    pub deductions: Vec<Deduction<'f, 'a>>,
    /// Where the object stands.
    pub location: Option<Location>,
}

/// Scores the pod templates of a snapshot, and the other objects that findings are about: the
/// lowest score first.
pub fn score<'f, 'a>(snapshot: &'a Snapshot, findings: &'f [Finding<'a>]) -> Vec<Score<'f, 'a>> {
    let mut by_object: BTreeMap<Key<'a>, (&'a Object, Vec<&'f Finding<'a>>)> = BTreeMap::new();
    let is_scored = |t: &PodTemplate<'_>| t.owner.standing == Standing::Written && t.is_outermost();
    for template in snapshot.pod_templates().filter(is_scored) {
        by_object.insert(key(template.owner), (template.owner, Vec::new()));
    }
    for finding in findings {
        let entry = by_object.entry(key(finding.object));
        let (_, found) = entry.or_insert_with(|| (finding.object, Vec::new()));
        found.push(finding);
    }
    let mut scores: Vec<Score<'f, 'a>> = by_object
        .into_values()
        .map(|(object, found)| {
            let deductions = deductions(found);
            let worst = deductions
                .iter()
                .flat_map(|d| d.findings.iter().map(|f| f.severity))
                .max();
            let taken: u32 = deductions.iter().map(|d| d.points).sum();
            let uncapped = BEST.saturating_sub(taken);
            Score {
                object,
                has_pods: snapshot.pod_template(object).is_some(),
                score: uncapped.min(worst.map_or(BEST, cap)),
                uncapped,
                worst,
                deductions,
                location: snapshot.locate(object, ""),
            }
        })
        .collect();
    // What has the same score stays in the order of the objects.
    scores.sort_by_key(|score| score.score);
    scores
}

/// The overall score: the lowest; `None` of nothing.
pub fn overall(scores: &[Score<'_, '_>]) -> Option<u32> {
    scores.iter().map(|score| score.score).min()
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

fn deductions<'f, 'a>(found: Vec<&'f Finding<'a>>) -> Vec<Deduction<'f, 'a>> {
    let mut by_check: BTreeMap<&str, Vec<&'f Finding<'a>>> = BTreeMap::new();
    for finding in found {
        by_check.entry(finding.check.id).or_default().push(finding);
    }
    let mut deductions: Vec<Deduction<'f, 'a>> = by_check
        .into_values()
        .map(|mut findings| {
            findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
            let worst = findings.first().map_or(0, |f| points(f.severity));
            Deduction {
                points: worst,
                findings,
            }
        })
        .collect();
    deductions.sort_by_key(|deduction| std::cmp::Reverse(deduction.points));
    deductions
}

#[cfg(test)]
mod tests;
