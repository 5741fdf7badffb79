//! Findings that somebody answers for: by configuration, by annotation, or by the override labels
//! of kubeaudit.
//!
//! Annotations stand on the object, or on the pod template in it:
//! `rampart.dev/ignore-RMP-POD-001: why` for all findings of a check, and
//! `container.rampart.dev/NAME.ignore-RMP-POD-001: why` for those about one container. A reason
//! may end in `(until 2027-01-31)`; without a reason nothing is excused.

use super::Settings;
use crate::finding::Finding;
use model::{Value, meta};
use serde::{Deserialize, Serialize};
use snapshot::{Object, Snapshot};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

/// What is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no day: write YYYY-MM-DD")]
pub struct DateError(String);

impl Date {
    /// The day, in UTC, of a number of seconds after the beginning of 1970; the last days of the
    /// calendar for what is out of it.
    pub fn of_epoch_seconds(seconds: i64) -> Self {
        // Years that begin in March, so that leap days are last: every 400 of them have 146,097
        // days. 0000-03-01 is 719,468 days before 1970.
        let days = seconds
            .div_euclid(86_400)
            .saturating_add(719_468)
            .clamp(0, 3_652_424);
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = days / 146_097 * 400 + year_of_era + i64::from(month <= 2);
        Self {
            year: u16::try_from(year).unwrap_or(u16::MAX),
            month: u8::try_from(month).unwrap_or(12),
            day: u8::try_from(day).unwrap_or(31),
        }
    }
}

impl FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let wrong = || DateError(text.to_owned());
        let digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts.as_slice() else {
            return Err(wrong());
        };
        if !digits || (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return Err(wrong());
        }
        let date = Self {
            year: year.parse().map_err(|_| wrong())?,
            month: month.parse().map_err(|_| wrong())?,
            day: day.parse().map_err(|_| wrong())?,
        };
        let leap = date.year.is_multiple_of(4)
            && (!date.year.is_multiple_of(100) || date.year.is_multiple_of(400));
        let days = match date.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return Err(wrong()),
        };
        if (1..=days).contains(&date.day) {
            Ok(date)
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What the configuration excuses. Names may hold `*` for any characters; what is not said fits
/// everything.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Suppression {
    /// The check's ID; `*` for all.
    pub check: String,
    /// The kind.
    pub kind: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The container.
    pub container: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Option<Date>,
}

impl Suppression {
    fn fits(&self, finding: &Finding<'_>) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|p| matches(p, text))
        };
        (self.check == "*" || self.check.eq_ignore_ascii_case(finding.check.id))
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(&finding.object.kind.kind))
            && fits(&self.namespace, finding.object.namespace())
            && fits(&self.name, finding.object.name())
            && fits(&self.container, finding.container.unwrap_or_default())
    }
}

/// Whether a text is what a pattern with `*` says. Takes no longer than the product of their
/// lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(after) = rest.strip_prefix(first) else {
        return false;
    };
    rest = after;
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Where a finding was excused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// In the configuration file.
    Configuration,
    /// By an annotation.
    Annotation,
    /// By an override label of kubeaudit.
    KubeauditLabel,
}

/// A finding that is excused.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppressed<'a> {
    /// What was found.
    pub finding: Finding<'a>,
    /// Why that is well.
    pub reason: String,
    /// Where that is said.
    pub source: Source,
}

/// Findings, sorted by whether they are excused.
pub(super) struct Sorted<'a> {
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) suppressed: Vec<Suppressed<'a>>,
    pub(super) notices: Vec<String>,
}

/// What an object says about findings on it.
enum Word {
    Excused(String, Source),
    /// It would excuse it, and does not: with what is wrong.
    Void(String),
}

pub(super) fn sort<'a>(
    snapshot: &Snapshot,
    settings: &Settings,
    today: Date,
    mut findings: Vec<Finding<'a>>,
) -> Sorted<'a> {
    let mut used = vec![false; settings.suppressions.len()];
    let mut notices: Vec<String> = Vec::new();
    let mut reasons = Vec::new();
    let speaking = speaking(snapshot);
    let mut excuse = |finding: &Finding<'a>| -> Option<(String, Source)> {
        for (suppression, used) in settings.suppressions.iter().zip(&mut used) {
            if suppression.fits(finding) {
                *used = true;
                if suppression.expires.is_none_or(|last| today <= last) {
                    return Some((suppression.reason.clone(), Source::Configuration));
                }
            }
        }
        if !speaking.contains(&std::ptr::from_ref(finding.object)) {
            return None;
        }
        match said_by_object(snapshot, finding, today)? {
            Word::Excused(reason, source) => Some((reason, source)),
            Word::Void(notice) => {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
                None
            }
        }
    };
    // Mostly none is excused, and all stay where they are.
    let excused: Vec<Finding<'a>> = findings
        .extract_if(.., |finding| {
            let said = excuse(finding);
            let is_excused = said.is_some();
            reasons.extend(said);
            is_excused
        })
        .collect();
    let suppressed = excused
        .into_iter()
        .zip(reasons)
        .map(|(finding, (reason, source))| Suppressed {
            finding,
            reason,
            source,
        })
        .collect();
    for (index, (suppression, used)) in settings.suppressions.iter().zip(used).enumerate() {
        let expired = suppression.expires.filter(|last| *last < today);
        let what = format!("suppression {index} of {}", suppression.check);
        match (used, expired) {
            (true, Some(last)) => notices.push(format!("{what} expired on {last}")),
            (false, _) => notices.push(format!("{what} excuses nothing: remove it")),
            (true, None) => {}
        }
    }
    Sorted {
        findings,
        suppressed,
        notices,
    }
}

/// The objects that say anything about findings, on themselves or on their pod template: few, so
/// that the findings of all others need not be asked for it.
fn speaking(snapshot: &Snapshot) -> HashSet<*const Object> {
    const MARKS: [&str; 3] = ["rampart.dev/", "kubeaudit.io/", "audit.kubernetes.io/"];
    let speaks = |metadata: &Value| {
        ["labels", "annotations"]
            .into_iter()
            .filter_map(|field| metadata.get(field)?.as_object())
            .flat_map(|map| map.keys())
            .any(|key| MARKS.iter().any(|mark| key.contains(mark)))
    };
    let own = snapshot.objects().iter().filter(|object| {
        let metadata = object.value.get("metadata");
        metadata.is_some_and(speaks)
    });
    let templates = snapshot
        .pod_templates()
        .filter(|template| speaks(template.metadata))
        .map(|template| template.owner);
    own.chain(templates).map(std::ptr::from_ref).collect()
}

fn said_by_object(snapshot: &Snapshot, finding: &Finding<'_>, today: Date) -> Option<Word> {
    let object = finding.object;
    let own = meta::at(&object.value, &["metadata"]);
    // Of several templates, the one that the finding is about.
    let template = snapshot
        .pod_templates_of(object)
        .find(|template| finding.field.starts_with(template.path))
        .or_else(|| snapshot.pod_template(object))
        .map(|template| template.metadata);
    let metadata = [own, template];
    for metadata in metadata.into_iter().flatten() {
        let annotations = meta::strings(metadata, &["annotations"]);
        if let Some(word) = by_annotation(&annotations, finding, today) {
            return Some(word);
        }
    }
    for metadata in metadata.into_iter().flatten() {
        let labels = meta::strings(metadata, &["labels"]);
        if let Some(word) = by_label(&labels, finding) {
            return Some(word);
        }
    }
    None
}

fn by_annotation(
    annotations: &BTreeMap<&str, &str>,
    finding: &Finding<'_>,
    today: Date,
) -> Option<Word> {
    let id = finding.check.id;
    let whole = format!("rampart.dev/ignore-{id}");
    let container = finding
        .container
        .map(|name| format!("container.rampart.dev/{name}.ignore-{id}"));
    let (key, text) = [Some(whole), container]
        .into_iter()
        .flatten()
        .find_map(|key| annotations.get(key.as_str()).map(|text| (key, *text)))?;
    let text = text.trim();
    let (reason, until) = match text
        .strip_suffix(')')
        .and_then(|t| t.rsplit_once("(until "))
    {
        Some((reason, until)) => (reason.trim(), Some(until)),
        None => (text, None),
    };
    let title = title(finding.object);
    if reason.is_empty() {
        return Some(Word::Void(format!(
            "{title}: the annotation {key} gives no reason"
        )));
    }
    match until.map(str::parse::<Date>) {
        Some(Err(error)) => Some(Word::Void(format!(
            "{title}: the annotation {key}: {error}"
        ))),
        Some(Ok(last)) if last < today => Some(Word::Void(format!(
            "{title}: the annotation {key} expired on {last}"
        ))),
        _ => Some(Word::Excused(reason.to_owned(), Source::Annotation)),
    }
}

fn title(object: &Object) -> String {
    object.title()
}

/// The prefixes of kubeaudit's override labels, old and new: for containers, and for the whole
/// pod or namespace.
const CONTAINER_LABELS: [&str; 2] = ["container.audit.kubernetes.io/", "container.kubeaudit.io/"];
const WHOLE_LABELS: [&str; 3] = [
    "audit.kubernetes.io/pod.",
    "audit.kubernetes.io/namespace.",
    "kubeaudit.io/",
];

fn by_label(labels: &BTreeMap<&str, &str>, finding: &Finding<'_>) -> Option<Word> {
    let identifier = &*finding.excused_by;
    if identifier.is_empty() {
        return None;
    }
    let (key, value) = labels.iter().find(|(key, _)| {
        let whole = WHOLE_LABELS
            .iter()
            .any(|prefix| key.strip_prefix(prefix) == Some(identifier));
        let container = CONTAINER_LABELS
            .iter()
            .filter_map(|prefix| key.strip_prefix(prefix)?.split_once('.'))
            .any(|(container, said)| {
                // A label for any container speaks for what the pod's containers share.
                said == identifier && finding.container.is_none_or(|name| name == container)
            });
        whole || container
    })?;
    let reason = if value.is_empty() {
        format!("label {key}")
    } else {
        format!("{value} (label {key})")
    };
    Some(Word::Excused(reason, Source::KubeauditLabel))
}

#[cfg(test)]
mod tests {
    use super::{Date, matches};

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*e", "abcde", true),
            ("a*b*b", "ab", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn seconds_fall_on_days() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_399, "2000-02-28"),
            (951_782_400, "2000-02-29"),
            (1_798_761_599, "2026-12-31"),
            (1_798_761_600, "2027-01-01"),
            (-1, "1969-12-31"),
        ] {
            assert_eq!(Date::of_epoch_seconds(seconds).to_string(), day);
        }
    }

    #[test]
    fn days_are_days() {
        let day = |text: &str| text.parse::<Date>().is_ok();
        assert!(day("2028-02-29"));
        for wrong in [
            "2027-02-29",
            "2027-13-01",
            "2027-1-1",
            "tomorrow",
            "2027-04-31",
            "+027-01-01",
        ] {
            assert!(!day(wrong), "{wrong}");
        }
        let (a, b) = ("2027-01-31".parse::<Date>(), "2027-02-01".parse::<Date>());
        assert!(a.expect("a day") < b.expect("a day"));
    }
}
