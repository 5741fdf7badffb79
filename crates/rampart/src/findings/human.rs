//! Findings for people: the worst first, those of one check together.

use super::{Shown, colour, subject};
use crate::output::{Colour, Style, excerpt, shown};
use analysis::finding::{Finding, Severity};
use std::collections::BTreeMap;

/// Up to how many findings of a check are shown with their source; of more only the first is.
const WITH_SOURCE: usize = 3;

/// How many further places are listed.
const PLACES: usize = 6;

/// The findings of one check with one severity.
struct Group<'f, 'a> {
    findings: Vec<&'f Finding<'a>>,
}

/// Renders findings at least as bad as `least`.
pub(crate) fn render(s: &Shown<'_>, least: Severity, all: bool, style: Style) -> String {
    let mut text = String::new();
    let mut groups: BTreeMap<(Severity, &str), Group<'_, '_>> = BTreeMap::new();
    for finding in s.report.findings.iter().filter(|f| f.severity >= least) {
        groups
            .entry((finding.severity, finding.check.id))
            .or_insert_with(|| Group {
                findings: Vec::new(),
            })
            .findings
            .push(finding);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    // What stands alone says more than what is the same everywhere.
    groups.sort_by_key(|((severity, id), group)| {
        (std::cmp::Reverse(*severity), group.findings.len(), *id)
    });
    text.push_str(&summary(s, least, style));
    for (_, group) in &groups {
        text.push('\n');
        group.render(&mut text, s, all, style);
    }
    if groups.is_empty() && s.report.findings.is_empty() {
        let nothing = style.paint(Colour::Good, "nothing found");
        text.push_str(&format!("\n{nothing}\n"));
    } else if !groups.is_empty() {
        text.push_str("\n`rampart explain ID` says more about a check, and how to excuse it\n");
    }
    text
}

fn summary(s: &Shown<'_>, least: Severity, style: Style) -> String {
    let report = s.report;
    let looked_at = report.looked_at;
    let mut text = format!(
        "{} objects, {} pod templates, {} checks\n",
        looked_at.objects, looked_at.pod_templates, looked_at.checks
    );
    let counts: Vec<String> = Severity::WORST_FIRST
        .iter()
        .map(|severity| {
            let count = report.findings.iter().filter(|f| f.severity == *severity);
            let count = count.count();
            let words = format!("{count} {severity}");
            let hidden = if *severity < least && count > 0 {
                " (not shown)"
            } else {
                ""
            };
            let words = if count == 0 {
                style.paint(Colour::Faint, &words)
            } else {
                style.paint(colour(*severity), &words)
            };
            words + hidden
        })
        .collect();
    text.push_str(&counts.join("  "));
    if !report.suppressed.is_empty() {
        text.push_str(&format!("  {} excused", report.suppressed.len()));
    }
    if s.has_baseline {
        text.push_str(&format!("  {} in the baseline", report.known.len()));
    }
    text.push('\n');
    text
}

impl Group<'_, '_> {
    fn render(&self, text: &mut String, s: &Shown<'_>, all: bool, style: Style) {
        let Some(first) = self.findings.first() else {
            return;
        };
        let count = match self.findings.len() {
            1 => String::new(),
            more => format!(" ({more})"),
        };
        text.push_str(&format!(
            "{} {} {}{count}\n",
            style.paint(colour(first.severity), first.severity.as_str()),
            style.paint(Colour::Faint, first.check.id),
            style.paint(Colour::Strong, first.check.title),
        ));
        let with_source = if all {
            usize::MAX
        } else if self.findings.len() <= WITH_SOURCE {
            WITH_SOURCE
        } else {
            1
        };
        for finding in self.findings.iter().take(with_source) {
            let place = place(finding);
            text.push_str(&format!(
                "  {}: {}{place}\n",
                shown(&subject(finding)),
                shown(&finding.message)
            ));
            if !finding.is_secret
                && let Some(location) = &finding.location
                && let Some(excerpt) = excerpt(location, s.texts, style)
            {
                for line in excerpt.lines() {
                    text.push_str(&format!("  {line}\n"));
                }
            }
        }
        let rest: Vec<_> = self.findings.iter().skip(with_source).collect();
        for finding in rest.iter().take(PLACES) {
            text.push_str(&format!(
                "  {}{}\n",
                shown(&subject(finding)),
                place(finding)
            ));
        }
        if rest.len() > PLACES {
            let more = rest.len() - PLACES;
            text.push_str(&format!("  and {more} more (--all shows them)\n"));
        }
        let fix = shown(&first.fix);
        text.push_str(&format!("  {}: {fix}\n", style.paint(Colour::Good, "fix")));
    }
}

fn place(finding: &Finding<'_>) -> String {
    match &finding.location {
        Some(location) => format!(" ({})", shown(&location.to_string())),
        None => String::new(),
    }
}
