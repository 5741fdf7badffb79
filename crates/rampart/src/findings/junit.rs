//! JUnit's XML: a test case per finding, and one per check that found nothing.

use super::{Shown, subject};
use crate::output::Sink;
use analysis::checks::{self, Check};
use analysis::finding::{Finding, Severity};
use snapshot::Problem;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Writes findings that count as failures, others as passed with a note.
pub(crate) fn write(s: &Shown<'_>, sink: &mut Sink<'_>) -> io::Result<()> {
    let report = s.report;
    let errors: Vec<&Problem> = s
        .problems
        .iter()
        .filter(|problem| problem.severity >= snapshot::Severity::Incomplete)
        .collect();
    let found: BTreeSet<&str> = report
        .findings
        .iter()
        .chain(report.suppressed.iter().map(|s| &s.finding))
        .map(|finding| finding.check.id)
        .collect();
    let passed: Vec<&Check> = checks::all().filter(|c| !found.contains(c.id)).collect();
    let counts = report.findings.iter().filter(|f| f.severity >= s.fail_on);
    let skipped = report.suppressed.len();
    sink.text(&format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"rampart audit\" \
         tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\">\n",
        report.findings.len() + skipped + errors.len() + passed.len(),
        counts.count(),
        errors.len(),
    ))?;
    sink.each(&report.findings, |_, finding, out| {
        case(finding, s.fail_on, out)
    })?;
    sink.each(&report.suppressed, |_, suppressed, out| {
        write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
            suppressed.finding.check.id,
            xml(&subject(&suppressed.finding)),
            xml(&suppressed.reason)
        )
    })?;
    sink.each(&errors, |_, problem, out| {
        let place = problem.location.as_ref().map(ToString::to_string);
        write!(
            out,
            "    <testcase classname=\"input\" name=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>\n",
            xml(place.as_deref().unwrap_or("input")),
            xml(&problem.message)
        )
    })?;
    sink.each(&passed, |_, check, out| {
        let title = xml(check.title);
        writeln!(
            out,
            "    <testcase classname=\"{}\" name=\"{title}\"/>",
            check.id
        )
    })?;
    sink.text("  </testsuite>\n</testsuites>\n")
}

/// A finding as a test case.
fn case(finding: &Finding<'_>, fail_on: Severity, out: &mut Vec<u8>) -> io::Result<()> {
    let place = finding.location.as_ref().map(ToString::to_string);
    let name = format!("{}: {}", subject(finding), finding.field);
    let body = format!(
        "{}\n{}\nfix: {}",
        place.as_deref().unwrap_or("no file"),
        finding.message,
        finding.fix
    );
    let file = finding.location.as_ref().map_or(String::new(), |at| {
        format!(" file=\"{}\" line=\"{}\"", xml(&at.file), at.line)
    });
    writeln!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\"{file}>",
        finding.check.id,
        xml(&name)
    )?;
    if finding.severity >= fail_on {
        writeln!(
            out,
            "      <failure type=\"{}\" message=\"{}\">{}</failure>",
            finding.severity,
            xml(&format!("{}: {}", finding.check.title, finding.message)),
            xml(&body)
        )?;
    } else {
        let note = format!("{}: {}\n{body}", finding.severity, finding.check.title);
        writeln!(out, "      <system-out>{}</system-out>", xml(&note))?;
    }
    out.write_all(b"    </testcase>\n")
}

/// Text as XML: what cannot be in XML at all is replaced.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::xml;

    #[test]
    fn text_cannot_leave_its_place() {
        assert_eq!(xml("a<b>\"&\u{1}\n"), "a&lt;b&gt;&quot;&amp;\u{fffd}&#10;");
    }
}
