//! Attack paths, as they are read without a script: one after the other, and what cuts them.

use super::html::Html;
use analysis::paths::{CutSet, Path, Paths};

/// How many are open from the start.
const OPEN: usize = 3;

/// How many goals that cannot be cut off are named.
const UNAVOIDABLE: usize = 20;

/// Writes the paths, and the smallest cut.
pub(crate) fn write(out: &mut Html, found: &Paths) {
    if found.paths.is_empty() {
        out.raw("<p class=\"good\">There is no way.</p>\n");
        return;
    }
    cut(out, &found.cut);
    for (index, each) in found.paths.iter().enumerate() {
        path(out, each, index < OPEN);
    }
    if found.truncated {
        out.raw("<p class=\"faint\">There are more ways than are listed here.</p>\n");
    }
}

fn path(out: &mut Html, path: &Path, open: bool) {
    out.raw(if open {
        "<details class=\"path\" open><summary><bdi>"
    } else {
        "<details class=\"path\"><summary><bdi>"
    });
    out.text(&path.from)
        .raw("</bdi> <span class=\"arrow\">\u{2192}</span> <bdi>");
    out.text(&path.to).raw("</bdi> <span class=\"faint\">");
    out.number(path.length);
    out.raw(if path.length == 1 { " step" } else { " steps" });
    out.raw(if path.certain { "" } else { ", may fail" });
    out.raw("</span></summary>\n<ol>\n");
    for step in &path.steps {
        out.raw("<li>").text(&step.text);
        out.raw(" <span class=\"arrow\">\u{2192}</span> <bdi>");
        out.text(&step.to).raw("</bdi>");
        if !step.certain {
            out.raw(" <span class=\"faint\">(may fail)</span>");
        }
        out.raw("<ul>");
        for citation in &step.because {
            out.raw("<li><code>").text(&citation.to_string());
            out.raw("</code></li>");
        }
        if step.alternatives > 0 {
            out.raw("<li class=\"faint\">and ").count(step.alternatives);
            out.raw(" more grants that allow the same</li>");
        }
        out.raw("</ul></li>\n");
    }
    out.raw("</ol></details>\n");
}

fn cut(out: &mut Html, cut: &CutSet) {
    // What pods have cannot be taken away with a grant; the second box tells of it.
    let ways = if cut.unavoidable.is_empty() {
        "every way"
    } else {
        "every way that grants open"
    };
    if !cut.grants.is_empty() {
        out.raw("<div class=\"box good\"><p><strong>");
        match (cut.exact, cut.grants.len()) {
            (true, 1) => out.raw("Taking away this grant cuts ").raw(ways).raw(":"),
            (true, many) => {
                out.raw("Taking away these ").count(many);
                out.raw(" grants, and no fewer, cuts ").raw(ways).raw(":")
            }
            (false, many) => {
                out.raw("Taking away these ").count(many);
                out.raw(" grants cuts ").raw(ways).raw(" (at least ");
                out.count(cut.at_least).raw(" are needed):")
            }
        };
        out.raw("</strong></p>\n<ul>\n");
        for grant in &cut.grants {
            out.raw("<li><code>").text(&grant.text).raw("</code>");
            let place = grant.binding.as_ref().and_then(|b| b.location.as_ref());
            if let Some(place) = place {
                out.raw(" <span class=\"faint\">").text(&place.to_string());
                out.raw("</span>");
            }
            out.raw("</li>\n");
        }
        out.raw("</ul></div>\n");
    }
    if !cut.unavoidable.is_empty() {
        out.raw("<div class=\"box warn\"><p>Whatever grant is taken away, these stay within ");
        out.raw("reach, through what pods have or what every cluster allows: ");
        for (at, goal) in cut.unavoidable.iter().take(UNAVOIDABLE).enumerate() {
            out.raw(if at == 0 { "<code>" } else { ", <code>" });
            out.text(goal).raw("</code>");
        }
        let more = cut.unavoidable.len().saturating_sub(UNAVOIDABLE);
        if more > 0 {
            out.raw(" and ").count(more).raw(" more");
        }
        out.raw(".</p></div>\n");
    }
}
