//! A Markdown page, for pull requests.

use super::{Shown, subject};
use crate::output::Sink;
use analysis::finding::{Finding, Severity};
use std::io::{self, Write};

/// Writes all findings, the worst first.
pub(crate) fn write(s: &Shown<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
    let report = s.report;
    let mut text = "# Audit\n\n".to_owned();
    let looked_at = report.looked_at;
    text.push_str(&format!(
        "{} objects, {} pod templates, {} checks",
        looked_at.objects, looked_at.pod_templates, looked_at.checks
    ));
    if !report.suppressed.is_empty() {
        text.push_str(&format!("; {} findings excused", report.suppressed.len()));
    }
    if s.has_baseline {
        text.push_str(&format!("; {} in the baseline", report.known.len()));
    }
    text.push_str("\n\n| severity | findings |\n| --- | --- |\n");
    let of = |severity: Severity| -> Vec<&Finding<'_>> {
        let all = report.findings.iter();
        all.filter(|f| f.severity == severity).collect()
    };
    for severity in Severity::WORST_FIRST {
        text.push_str(&format!("| {severity} | {} |\n", of(severity).len()));
    }
    if !s.problems.is_empty() {
        text.push_str("\n## What was not understood\n\n");
        for problem in s.problems {
            text.push_str(&format!("- {}\n", cell(&problem.to_string())));
        }
    }
    sink.text(&text)?;
    for severity in Severity::WORST_FIRST {
        let findings = of(severity);
        if findings.is_empty() {
            continue;
        }
        sink.text(&format!(
            "\n## {severity}\n\n| check | object | where | why | fix |\n| --- | --- | --- | --- | --- |\n"
        ))?;
        sink.each(&findings, |_, finding, out| row(finding, out))?;
    }
    Ok(())
}

fn row(finding: &Finding<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let place = finding.location.as_ref().map(ToString::to_string);
    writeln!(
        out,
        "| {} {} | {} | {} | {} | {} |",
        finding.check.id,
        cell(finding.check.title),
        cell(&subject(finding)),
        cell(&place.unwrap_or_else(|| finding.field.clone())),
        cell(&finding.message),
        cell(&finding.fix)
    )
}

/// Text in a cell of a table, where it means nothing but itself.
pub(crate) fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '@' => escaped.push_str("&#64;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_stay_cells() {
        assert_eq!(cell("a|b\n<img> @me *x*"), "a\\|b &lt;img> &#64;me \\*x\\*");
    }
}
