//! What somebody reads who reads nothing else.

use super::attack::Way;
use crate::findings::{Shown, html};
use crate::page::table::Column;
use crate::page::{Page, Table, Widget};
use analysis::finding::Severity;
use analysis::score::own::{self, Score};

/// What the page says of itself.
pub(super) struct About<'p> {
    pub(super) note: Option<&'p str>,
    pub(super) source: String,
    pub(super) ways: &'p [Way],
    pub(super) scores: &'p [Score<'p, 'p>],
}

/// Writes the summary.
pub(super) fn write(page: &mut Page, s: &Shown<'_>, about: &About<'_>) {
    let out = page.section("summary", "Summary");
    if let Some(note) = about.note {
        out.element("p", note);
    }
    let looked_at = s.report.looked_at;
    out.raw("<p>")
        .count(looked_at.objects)
        .raw(" objects with ");
    out.count(looked_at.pod_templates)
        .raw(" pod templates, from <bdi>");
    out.text(&about.source).raw("</bdi>; ");
    out.count(looked_at.checks).raw(" checks.</p>\n");
    html::problems(out, s.problems);
    out.raw("<ul class=\"tiles\">");
    if let Some(overall) = own::overall(about.scores) {
        let worst = about.scores.iter().filter_map(|score| score.worst).max();
        out.raw("<li class=\"");
        out.raw(worst.map_or("good", Severity::as_str));
        out.raw("\"><a href=\"#scores\"><b>").number(overall);
        out.raw("</b>score of 100</a></li>\n");
    }
    html::severities(out, s.report.findings.iter());
    html::excused(out, s);
    for way in about.ways {
        let count = way.found.paths.len();
        out.raw("<li class=\"");
        out.raw(match (count, way.is_worst) {
            (0, _) => "good",
            (_, true) => "critical",
            (_, false) => "high",
        });
        out.raw("\"><a href=\"#paths\"><b>").count(count);
        out.raw(if way.found.truncated { "+" } else { "" });
        out.raw("</b>").raw(way.tile).raw("</a></li>\n");
    }
    out.raw("</ul>\n");
    html::by_check(out, &s.report.findings);
    for notice in &s.report.notices {
        out.raw("<p class=\"faint\">Note: ")
            .text(notice)
            .raw("</p>\n");
    }
}

/// The section of all scores.
pub(super) fn scores(page: &mut Page, scores: &[Score<'_, '_>]) {
    let out = page.section("scores", "Scores");
    let Some(overall) = own::overall(scores) else {
        out.raw("<p>There is nothing to score: no pods, and no findings.</p>\n");
        return;
    };
    out.raw("<p>").number(overall).raw(" of ").number(own::BEST);
    out.raw(" overall: the lowest, as whoever breaks in does so where it is easiest.</p>\n");
    let mut table = Table::new(&[
        Column::number("Score"),
        Column::badge("Worst finding").filtered(),
        Column::text("Kind").filtered(),
        Column::code("Namespace").filtered(),
        Column::code("Name"),
        Column::code("Where"),
        Column::source("Points"),
    ]);
    for score in scores {
        let mut points: Vec<String> = score
            .deductions
            .iter()
            .filter_map(|deduction| {
                let check = deduction.findings.first()?.check;
                let points = format!("-{}", deduction.points);
                Some(format!("{points:>4}  {} {}", check.id, check.title))
            })
            .collect();
        if let Some(worst) = score.worst.filter(|_| score.uncapped > score.score) {
            let most = own::cap(worst);
            points.push(format!(
                "      with a finding that is {worst}, at most {most}"
            ));
        }
        let place = score.location.as_ref().map(ToString::to_string);
        table.row(&[
            &*score.score.to_string(),
            score.worst.map_or("", Severity::as_str),
            &score.object.kind.kind,
            score.object.namespace(),
            score.object.name(),
            &place.unwrap_or_default(),
            &points.join("\n"),
        ]);
    }
    page.widget("scores", Widget::Table(table));
}
