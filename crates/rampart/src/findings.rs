//! Findings, written for people and for other programs: one file per form.

mod excerpts;
pub(crate) mod html;
pub(crate) mod human;
pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod sarif;

use crate::output::Colour;
use analysis::audit::Report;
use analysis::finding::{Finding, Severity};
use inputs::Texts;
use snapshot::Problem;

/// What is written.
pub(crate) struct Shown<'s> {
    pub(crate) report: &'s Report<'s>,
    pub(crate) problems: &'s [Problem],
    pub(crate) texts: &'s Texts,
    /// How bad a finding must be to count.
    pub(crate) fail_on: Severity,
    /// Whether there was a baseline, so that findings are known or new.
    pub(crate) has_baseline: bool,
}

/// The colour of a severity.
pub(crate) fn colour(severity: Severity) -> Colour {
    match severity {
        Severity::Critical | Severity::High => Colour::Bad,
        Severity::Medium => Colour::Attention,
        Severity::Low => Colour::Strong,
        Severity::Info => Colour::Faint,
    }
}

/// Whom a finding is about: `Pod default/web, container app`.
pub(crate) fn subject(finding: &Finding<'_>) -> String {
    let title = finding.object.title();
    match finding.container {
        Some(container) => format!("{title}, container {container}"),
        None => title,
    }
}
