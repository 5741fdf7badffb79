//! What changed in findings from one audit to another.

use crate::checks;
use crate::finding::{Finding, Severity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A finding as documents of audits hold it: of this audit, or of an earlier one whose objects are
/// gone. Fields are sorted by name, as everywhere in answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Recorded {
    /// Other objects that it follows from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<Value>,
    /// The container, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The path of the field.
    pub field: String,
    /// What tells it from others.
    pub fingerprint: String,
    /// What to do about it.
    pub fix: String,
    /// The check.
    pub id: String,
    /// Where it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Place>,
    /// Why it was found.
    pub message: String,
    /// The object.
    pub object: Named,
    /// Rules of others that say the same.
    #[serde(default)]
    pub references: Vec<Value>,
    /// How bad it is.
    pub severity: Severity,
    /// The check's title.
    pub title: String,
}

/// An object's name in a recorded finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Named {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The namespace; absent for kinds of the whole cluster.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// Where a recorded finding stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The column, counted from 1.
    pub column: u32,
    /// The column after the last character.
    pub end_column: u32,
    /// The line of the end.
    pub end_line: u32,
    /// The file.
    pub file: String,
    /// The line, counted from 1; 0 if only the file is known.
    pub line: u32,
}

impl std::fmt::Display for Place {
    /// `FILE:LINE:COLUMN`, as compilers write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

impl Recorded {
    /// The finding as a document holds it.
    pub fn of(finding: &Finding<'_>) -> Self {
        let object = finding.object;
        let value = |value: serde_json::Result<Value>| value.unwrap_or_default();
        Self {
            because: finding
                .because
                .iter()
                .map(|citation| value(serde_json::to_value(citation)))
                .collect(),
            container: finding.container.map(str::to_owned),
            field: finding.field.clone(),
            fingerprint: finding.fingerprint(),
            fix: finding.fix.clone().into_owned(),
            id: finding.check.id.to_owned(),
            location: finding.location.as_ref().map(|at| Place {
                column: at.column,
                end_column: at.end_column,
                end_line: at.end_line,
                file: at.file.to_string(),
                line: at.line,
            }),
            message: finding.message.clone().into_owned(),
            object: Named {
                group: object.group().to_owned(),
                kind: object.kind.kind.clone().into_owned(),
                name: object.name().to_owned(),
                namespace: object.namespace().to_owned(),
            },
            references: finding
                .check
                .references
                .iter()
                .map(|reference| value(serde_json::to_value(reference)))
                .collect(),
            severity: finding.severity,
            title: finding.check.title.to_owned(),
        }
    }

    /// Whom it is about: `Pod default/web, container app`.
    pub fn subject(&self) -> String {
        let Named {
            kind,
            namespace,
            name,
            ..
        } = &self.object;
        let separator = if namespace.is_empty() { "" } else { "/" };
        let container = match &self.container {
            Some(container) => format!(", container {container}"),
            None => String::new(),
        };
        format!("{kind} {namespace}{separator}{name}{container}")
    }

    /// Whether this version has the check at all: what an older one found may be gone with it.
    pub fn is_known_check(&self) -> bool {
        checks::find(&self.id).is_some()
    }
}

/// An audit as a document: what of it is compared.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// What was found.
    pub findings: Vec<Recorded>,
    /// What was found and stands in that audit's baseline.
    #[serde(default)]
    pub known: Vec<Recorded>,
    /// What was found and is excused.
    #[serde(default)]
    pub suppressed: Vec<RecordedSuppression>,
    /// What that audit could not understand.
    #[serde(default)]
    pub problems: Vec<snapshot::Problem>,
}

/// An excused finding of a document.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedSuppression {
    /// What was found.
    pub finding: Recorded,
}

/// What a comparison looks at of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What tells it from others.
    pub fingerprint: String,
    /// How bad it is.
    pub severity: Severity,
}

/// What differs between two lists of findings, by their places in the lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// Findings of the second that the first has not, in their order.
    pub new: Vec<usize>,
    /// Findings of the first that the second has not.
    pub gone: Vec<usize>,
    /// Findings of both whose severity is another: their places in the first and the second.
    pub changed: Vec<(usize, usize)>,
    /// How many are the same in both.
    pub same: usize,
}

/// Compares findings by fingerprint. Of several that look alike each is matched with one of the
/// other side, those of equal severity first.
pub fn compare(old: &[Mark], new: &[Mark]) -> Difference {
    let mut left: HashMap<&str, Vec<usize>> = HashMap::with_capacity(old.len());
    // Taken from the end, so that the first of those that look alike is matched first.
    for (at, mark) in old.iter().enumerate().rev() {
        left.entry(&mark.fingerprint).or_default().push(at);
    }
    let mut difference = Difference::default();
    let mut matched: HashSet<usize> = HashSet::with_capacity(old.len());
    let mut others = Vec::new();
    for (at, mark) in new.iter().enumerate() {
        let alike = left.get_mut(mark.fingerprint.as_str());
        let equal = alike.and_then(|alike| {
            let is_equal = |old_at: &usize| {
                old.get(*old_at)
                    .is_some_and(|old| old.severity == mark.severity)
            };
            let place = alike.iter().rposition(is_equal)?;
            Some(alike.remove(place))
        });
        match equal {
            Some(old_at) => {
                matched.insert(old_at);
                difference.same += 1;
            }
            None => others.push((at, mark)),
        }
    }
    for (at, mark) in others {
        match left.get_mut(mark.fingerprint.as_str()).and_then(Vec::pop) {
            Some(old_at) => {
                matched.insert(old_at);
                difference.changed.push((old_at, at));
            }
            None => difference.new.push(at),
        }
    }
    difference.gone = (0..old.len()).filter(|at| !matched.contains(at)).collect();
    difference
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(name: &str, severity: Severity) -> Mark {
        Mark {
            fingerprint: name.to_owned(),
            severity,
        }
    }

    #[test]
    fn findings_are_matched_by_fingerprint() {
        let (low, high) = (Severity::Low, Severity::High);
        let old = [
            mark("a", low),
            mark("b", low),
            mark("c", low),
            mark("c", high),
        ];
        let new = [
            mark("b", high),
            mark("d", low),
            mark("c", high),
            mark("a", low),
        ];
        let difference = compare(&old, &new);
        assert_eq!(
            difference,
            Difference {
                new: vec![1],
                gone: vec![2],
                changed: vec![(1, 0)],
                same: 2,
            }
        );
    }

    fn marks() -> impl Strategy<Value = Vec<Mark>> {
        let severity = prop::sample::select(Severity::WORST_FIRST.to_vec());
        prop::collection::vec(
            ("[a-c]", severity).prop_map(|(name, severity)| mark(&name, severity)),
            0..12,
        )
    }

    proptest! {
        #[test]
        fn every_finding_is_told_once(old in marks(), new in marks()) {
            let there = compare(&old, &new);
            prop_assert_eq!(there.same + there.changed.len() + there.new.len(), new.len());
            prop_assert_eq!(there.same + there.changed.len() + there.gone.len(), old.len());
            for (before, after) in &there.changed {
                prop_assert_eq!(&old[*before].fingerprint, &new[*after].fingerprint);
                prop_assert_ne!(old[*before].severity, new[*after].severity);
            }
            // Backwards, what was new is gone.
            let back = compare(&new, &old);
            prop_assert_eq!(back.same, there.same);
            prop_assert_eq!(back.new.len(), there.gone.len());
            prop_assert_eq!(compare(&old, &old).same, old.len());
        }
    }
}
