//! JUnit's XML: a test case per finding, and one per check that found nothing.

use super::{Shown, subject};
use analysis::checks;
use std::collections::BTreeSet;

/// Renders findings that count as failures, others as passed with a note.
pub(crate) fn render(s: &Shown<'_>) -> String {
    let report = s.report;
    let mut cases = String::new();
    let (mut tests, mut failures, mut errors, mut skipped) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for finding in &report.findings {
        found.insert(finding.check.id);
        tests += 1;
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
        cases.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\"{file}>\n",
            finding.check.id,
            xml(&name)
        ));
        if finding.severity >= s.fail_on {
            failures += 1;
            cases.push_str(&format!(
                "      <failure type=\"{}\" message=\"{}\">{}</failure>\n",
                finding.severity,
                xml(&format!("{}: {}", finding.check.title, finding.message)),
                xml(&body)
            ));
        } else {
            let note = format!("{}: {}\n{body}", finding.severity, finding.check.title);
            cases.push_str(&format!("      <system-out>{}</system-out>\n", xml(&note)));
        }
        cases.push_str("    </testcase>\n");
    }
    for suppressed in &report.suppressed {
        tests += 1;
        skipped += 1;
        found.insert(suppressed.finding.check.id);
        cases.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\">\n      <skipped message=\"{}\"/>\n    </testcase>\n",
            suppressed.finding.check.id,
            xml(&subject(&suppressed.finding)),
            xml(&suppressed.reason)
        ));
    }
    for problem in s.problems {
        if problem.severity >= snapshot::Severity::Incomplete {
            tests += 1;
            errors += 1;
            let place = problem.location.as_ref().map(ToString::to_string);
            cases.push_str(&format!(
                "    <testcase classname=\"input\" name=\"{}\">\n      <error message=\"{}\"/>\n    </testcase>\n",
                xml(place.as_deref().unwrap_or("input")),
                xml(&problem.message)
            ));
        }
    }
    for check in checks::all().filter(|check| !found.contains(check.id)) {
        tests += 1;
        cases.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\"/>\n",
            check.id,
            xml(check.title)
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"rampart audit\" \
         tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\">\n\
         {cases}  </testsuite>\n</testsuites>\n"
    )
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
