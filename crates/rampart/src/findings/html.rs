//! A page for people, with filters.

use super::excerpts::Excerpts;
use super::{Shown, subject};
use crate::page::table::Column;
use crate::page::{Html, Page, Table, Widget};
use analysis::finding::{Finding, Severity};
use snapshot::{Problem, Snapshot};
use std::collections::BTreeMap;

/// How many problems are listed.
const PROBLEMS: usize = 500;

/// Renders all findings.
pub(crate) fn render(s: &Shown<'_>, snapshot: &Snapshot) -> String {
    let mut page = Page::new("Audit");
    page.section("summary", "Summary");
    let looked_at = s.report.looked_at;
    let out = page.body();
    out.raw("<p>").count(looked_at.objects).raw(" objects, ");
    out.count(looked_at.pod_templates).raw(" pod templates, ");
    out.count(looked_at.checks).raw(" checks</p>\n");
    out.raw("<ul class=\"tiles\">");
    severities(out, s.report.findings.iter());
    excused(out, s);
    out.raw("</ul>\n");
    problems(out, s.problems);
    by_check(out, &s.report.findings);
    findings(&mut page, s, snapshot);
    page.render()
}

/// A tile for each severity, which chooses its findings.
pub(crate) fn severities<'f, 'a: 'f>(
    out: &mut Html,
    findings: impl Iterator<Item = &'f Finding<'a>>,
) {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    for severity in Severity::WORST_FIRST {
        let word = severity.as_str();
        let count = counts.get(&severity).copied().unwrap_or_default();
        out.raw("<li class=\"");
        out.raw(if count == 0 { "none" } else { word });
        out.raw("\"><a href=\"#findings\" data-list=\"findings\" data-column=\"Severity\" ");
        out.raw("data-value=\"")
            .raw(word)
            .raw("\"><b>")
            .count(count);
        out.raw("</b>").raw(word).raw("</a></li>\n");
    }
}

/// Tiles of what was found and does not count.
pub(crate) fn excused(out: &mut Html, s: &Shown<'_>) {
    if !s.report.suppressed.is_empty() {
        out.raw("<li class=\"none\"><b>")
            .count(s.report.suppressed.len());
        out.raw("</b>excused</li>\n");
    }
    if s.has_baseline {
        out.raw("<li class=\"none\"><b>")
            .count(s.report.known.len());
        out.raw("</b>in the baseline</li>\n");
    }
}

/// What could not be read or evaluated, where nobody overlooks it.
pub(crate) fn problems(out: &mut Html, problems: &[Problem]) {
    use snapshot::Severity;
    let (grave, others): (Vec<&Problem>, Vec<&Problem>) = problems
        .iter()
        .partition(|p| p.severity >= Severity::Incomplete);
    if !grave.is_empty() {
        out.raw("<div class=\"box bad\" id=\"problems\"><p><strong>");
        out.count(grave.len()).raw(if grave.len() == 1 {
            " thing"
        } else {
            " things"
        });
        out.raw(" could not be read or evaluated, and may hide more than is told here:");
        out.raw("</strong></p>\n");
        list(out, &grave);
        out.raw("</div>\n");
    }
    if !others.is_empty() {
        out.raw("<details class=\"box warn\"><summary>")
            .count(others.len());
        out.raw(if others.len() == 1 { " note" } else { " notes" });
        out.raw(" on how the input was understood</summary>\n");
        list(out, &others);
        out.raw("</details>\n");
    }
}

fn list(out: &mut Html, problems: &[&Problem]) {
    out.raw("<ul>\n");
    for problem in problems.iter().take(PROBLEMS) {
        out.raw("<li><code>").text(&problem.to_string());
        out.raw("</code></li>\n");
    }
    if problems.len() > PROBLEMS {
        out.raw("<li>and ").count(problems.len() - PROBLEMS);
        out.raw(" more</li>\n");
    }
    out.raw("</ul>\n");
}

/// How often each check found something, the worst first.
pub(crate) fn by_check(out: &mut Html, findings: &[Finding<'_>]) {
    let mut counts: BTreeMap<&str, (Severity, &'static str, &'static str, usize)> = BTreeMap::new();
    for finding in findings {
        let check = finding.check;
        let entry = counts
            .entry(check.id)
            .or_insert((finding.severity, check.id, check.title, 0));
        entry.0 = entry.0.max(finding.severity);
        entry.3 += 1;
    }
    if counts.is_empty() {
        out.raw("<p class=\"good\">The audit found nothing.</p>\n");
        return;
    }
    let mut all: Vec<_> = counts.into_values().collect();
    all.sort_by_key(|(severity, id, _, count)| {
        (std::cmp::Reverse(*severity), std::cmp::Reverse(*count), *id)
    });
    out.raw("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">Worst</th>");
    out.raw("<th scope=\"col\">Check</th><th scope=\"col\">What</th>");
    out.raw("<th scope=\"col\" class=\"number\">Findings</th></tr></thead>\n<tbody>\n");
    for (severity, id, title, count) in all {
        out.raw("<tr><td>").badge(severity.as_str());
        out.raw("</td><td class=\"code\"><a href=\"#findings\" data-list=\"findings\" ");
        out.raw("data-column=\"Check\" data-value=\"").raw(id);
        out.raw("\">").raw(id).raw("</a></td><td>").text(title);
        out.raw("</td><td class=\"number\">").count(count);
        out.raw("</td></tr>\n");
    }
    out.raw("</tbody></table></div>\n");
}

/// The section of all findings.
pub(crate) fn findings(page: &mut Page, s: &Shown<'_>, snapshot: &Snapshot) {
    let mut table = Table::new(&[
        Column::badge("Severity").filtered(),
        Column::id("Check").filtered(),
        Column::text("Finding"),
        Column::text("Kind").filtered(),
        Column::code("Namespace").filtered(),
        Column::code("Name"),
        Column::code("Where"),
        Column::text("Found"),
        Column::source("Source"),
        Column::code("Field").in_detail(),
        Column::text("Why it matters").in_detail(),
        Column::text("Fix").in_detail(),
        Column::code("Follows from").in_detail(),
        Column::text("References").in_detail(),
    ]);
    let mut excerpts = Excerpts::new(snapshot, s.report, s.texts);
    for finding in &s.report.findings {
        let check = finding.check;
        let name = match finding.container {
            Some(container) => format!("{}, container {container}", finding.object.name()),
            None => finding.object.name().to_owned(),
        };
        let place = finding.location.as_ref();
        let source = place.map(|at| excerpts.of(at)).unwrap_or_default();
        let lines = |texts: Vec<String>| texts.join("\n");
        table.row(&[
            finding.severity.as_str(),
            check.id,
            check.title,
            &finding.object.kind.kind,
            finding.object.namespace(),
            &name,
            &place.map(ToString::to_string).unwrap_or_default(),
            &finding.message,
            &source,
            &finding.field,
            check.why,
            &finding.fix,
            &lines(finding.because.iter().map(ToString::to_string).collect()),
            &lines(check.references.iter().map(ToString::to_string).collect()),
        ]);
    }
    let out = page.section("findings", "Findings");
    if table.is_empty() {
        out.raw("<p class=\"good\">Nothing was found.</p>\n");
    } else {
        out.raw("<p class=\"faint\">A row opens into the source, the reason and the fix.</p>\n");
        page.widget("findings", Widget::Table(table));
    }
    if s.report.suppressed.is_empty() {
        return;
    }
    let out = page.body();
    out.raw("<details><summary>")
        .count(s.report.suppressed.len());
    out.raw(" findings are excused</summary>\n<ul>\n");
    for suppressed in &s.report.suppressed {
        out.raw("<li><code>")
            .raw(suppressed.finding.check.id)
            .raw(" ");
        out.text(&subject(&suppressed.finding)).raw("</code>: ");
        out.text(&suppressed.reason).raw("</li>\n");
    }
    out.raw("</ul></details>\n");
}
