//! What each finding asks for: a repair, or the reason why there is none.

use super::{Named, Repair, namespaces, pods, reasons, versions};
use crate::audit::{self, Report};
use crate::finding::{Finding, Severity};
use manifest_edit::{Change, Edit, Group, Step};
use model::Value;
use pod_security::Level;
use serde::Serialize;
use snapshot::{Location, Object, Snapshot};
use std::cell::RefCell;
use std::collections::HashMap;

/// How repairs are chosen.
#[derive(Debug, Clone, Copy)]
pub struct Options<'s> {
    /// How the audit runs whose findings are repaired.
    pub audit: audit::Options<'s>,
    /// The level of the Pod Security Standards that all pods are meant to reach, if somebody said
    /// so: what it asks for is then set, also where a program might not like it.
    pub level: Option<Level>,
}

/// A finding that is left.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The check.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The object.
    pub object: Named,
    /// The container, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The path of the field.
    pub field: String,
    /// What was found.
    pub message: String,
    /// Why it is not repaired.
    pub unclear: String,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Refused {
    pub(super) fn new(finding: &Finding<'_>, unclear: String) -> Self {
        Self {
            id: finding.check.id,
            severity: finding.severity,
            object: Named::of(finding.object),
            container: finding.container.map(str::to_owned),
            field: finding.field.clone(),
            message: finding.message.clone().into_owned(),
            unclear,
            location: finding.location.clone(),
        }
    }
}

/// What is to be done about a finding.
pub(super) enum Decision<'a> {
    /// It has one safe repair.
    Repair(Proposal<'a>),
    /// It has none: why.
    Unclear(String),
}

impl Decision<'_> {
    pub(super) fn unclear(why: impl Into<String>) -> Self {
        Self::Unclear(why.into())
    }
}

/// A repair that is proposed.
pub(super) struct Proposal<'a> {
    id: &'static str,
    object: &'a Object,
    container: Option<&'a str>,
    field: String,
    why: String,
    findings: usize,
    /// Whether it waits until nothing else is proposed.
    pub(super) is_last: bool,
    /// The file, by its place among all.
    pub(super) file: usize,
    pub(super) group: Group,
}

impl<'a> Proposal<'a> {
    /// A proposal for a field of an object; `None` if the object stands in no file.
    pub(super) fn new(
        id: &'static str,
        object: &'a Object,
        field: String,
        change: Change,
        why: impl Into<String>,
    ) -> Option<Self> {
        let source = object.source.as_ref()?;
        let mut path = steps(&source.base);
        path.extend(steps(&field));
        Some(Self {
            id,
            object,
            container: None,
            why: why.into(),
            findings: 0,
            is_last: false,
            file: source.file.index(),
            group: Group {
                document: usize::try_from(source.document).unwrap_or(usize::MAX),
                edits: vec![Edit { path, change }],
            },
            field,
        })
    }

    pub(super) fn in_container(self, name: Option<&'a str>) -> Self {
        Self {
            container: name,
            ..self
        }
    }

    pub(super) fn last(self) -> Self {
        Self {
            is_last: true,
            ..self
        }
    }

    /// What tells it from other proposals.
    pub(super) fn key(&self) -> String {
        let paths: Vec<&[Step]> = self.group.edits.iter().map(|e| e.path.as_slice()).collect();
        format!("{} {} {paths:?}", self.file, self.group.document)
    }

    /// The repair that it becomes.
    pub(super) fn made(&self) -> Repair {
        Repair {
            id: self.id,
            object: Named::of(self.object),
            container: self.container.map(str::to_owned),
            field: self.field.clone(),
            change: told(&self.group.edits),
            why: self.why.clone(),
            findings: self.findings,
            location: None,
        }
    }
}

/// Edits in YAML's words.
fn told(edits: &[Edit]) -> String {
    let all: Vec<String> = edits
        .iter()
        .map(|edit| {
            // The last two keys tell what it is: `capabilities.drop`.
            let keys: Vec<&str> = edit
                .path
                .iter()
                .rev()
                .map_while(|step| match step {
                    Step::Key(key) => Some(key.as_str()),
                    Step::Index(_) => None,
                })
                .take(2)
                .collect();
            let key = keys.into_iter().rev().collect::<Vec<_>>().join(".");
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match &edit.change {
                Change::Set(value) => format!("{key}: {}", text(value)),
                Change::Append(value) => format!("{key}: + {}", text(value)),
            }
        })
        .collect();
    all.join(", ")
}

/// A field path as steps: `spec.containers[0].image`, `metadata.labels[a.b/c]`.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some((key, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            steps.push(match key.parse::<usize>() {
                Ok(index) => index.into(),
                Err(_) => key.into(),
            });
            rest = after;
            continue;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        let end = rest.find(['.', '[']).unwrap_or(rest.len()).max(1);
        let Some((key, after)) = rest.split_at_checked(end) else {
            break;
        };
        steps.push(key.into());
        rest = after;
    }
    steps
}

/// What decisions rest on.
pub(super) struct Situation<'a> {
    pub(super) snapshot: &'a Snapshot,
    level: Option<Level>,
    /// By namespace, the binding that gives its account `default` rights.
    bindings: RefCell<HashMap<&'a str, Option<String>>>,
}

/// A decision with the findings that it is about.
pub(super) type Decided<'a, 'f> = (Vec<&'f Finding<'a>>, Decision<'a>);

/// Decides about every finding. Findings that one repair repairs come together.
pub(super) fn all<'a, 'f>(
    snapshot: &'a Snapshot,
    report: &'f Report<'a>,
    level: Option<Level>,
) -> Vec<Decided<'a, 'f>> {
    let situation = Situation {
        snapshot,
        level,
        bindings: RefCell::default(),
    };
    let mut decided: Vec<Decided<'a, 'f>> = Vec::new();
    let mut by_key: HashMap<String, usize> = HashMap::new();
    for finding in &report.findings {
        let mut decision = situation.decide(finding);
        if let Decision::Repair(proposal) = &mut decision {
            proposal.findings = 1;
            let next = decided.len();
            let at = *by_key.entry(proposal.key()).or_insert(next);
            if let Some((findings, Decision::Repair(same))) = decided.get_mut(at) {
                findings.push(finding);
                same.findings += 1;
                continue;
            }
        }
        decided.push((vec![finding], decision));
    }
    decided
}

impl<'a> Situation<'a> {
    fn decide(&self, finding: &Finding<'a>) -> Decision<'a> {
        let id = finding.check.id;
        if finding.object.source.is_none() {
            return Decision::unclear("no file that was read defines it");
        }
        match id {
            "RMP-POD-003" => pods::may_run_as_root(self, finding),
            "RMP-POD-004" => pods::escalation(self, finding),
            "RMP-POD-005" => pods::capabilities(self, finding),
            "RMP-POD-008" => pods::not_held(self, finding),
            "RMP-ISO-001" => pods::seccomp_off(self, finding),
            "RMP-ISO-002" => pods::seccomp_missing(self, finding),
            "RMP-SA-001" => pods::token(self, finding),
            "RMP-NS-003" => namespaces::level(self, finding),
            "RMP-API-001" | "RMP-API-002" => versions::version(finding),
            _ => Decision::unclear(reasons::of(id)),
        }
    }

    /// Whether the level that was asked for is at least this one.
    pub(super) fn asks_for(&self, level: Level) -> bool {
        self.level.is_some_and(|asked| asked >= level)
    }

    /// A binding that gives the account `default` of a namespace rights.
    pub(super) fn binding_of_default(&self, namespace: &'a str) -> Option<String> {
        let mut known = self.bindings.borrow_mut();
        let found = || pods::binding_of_default(self.snapshot, namespace);
        known.entry(namespace).or_insert_with(found).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_steps() {
        let key = |text: &str| Step::Key(text.to_owned());
        assert_eq!(
            steps("items[3].metadata.labels[a.b/c]"),
            [
                key("items"),
                Step::Index(3),
                key("metadata"),
                key("labels"),
                key("a.b/c")
            ]
        );
        assert_eq!(steps(""), []);
        for odd in ["[", "a..b", ".", "a]", "[x"] {
            let _ = steps(odd);
        }
    }
}
