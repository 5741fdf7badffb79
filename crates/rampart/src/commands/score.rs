//! `rampart score`: how well pods are guarded, with the reason for every point.

use crate::arguments::{self, Profile};
use crate::auditing::{self, worst};
use crate::findings::colour;
use crate::input::{ALL, Input};
use crate::output::{Colour, Outcome, Style, answer, foreign, shown, tell};
use analysis::audit::Settings;
use analysis::finding::Severity;
use analysis::score::{kubesec, own};
use anyhow::{Result, bail};
use serde_json::{Map, Value, json};
use snapshot::Location;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.score/v1";

/// Reads, scores, and writes the scores with their reasons.
pub(crate) fn run(arguments: &arguments::Score) -> Result<ExitCode> {
    let is_kubesec = arguments.profile == Profile::Kubesec;
    if is_kubesec && (arguments.config.is_some() || arguments.fail_on.is_some()) {
        bail!("kubesec's rules have no settings and no severities: use --fail-below");
    }
    let settings = auditing::settings(arguments.config.as_deref(), &[], &[])?;
    let input = arguments.input.load_with(&settings.pod_templates, ALL)?;
    tell(input.snapshot.problems(), &input.texts);
    let outcome = if is_kubesec {
        by_kubesec(arguments, &input)?
    } else {
        by_findings(arguments, &input, &settings)?
    };
    Ok(outcome.status(worst(&input.snapshot)))
}

fn by_kubesec(arguments: &arguments::Score, input: &Input) -> Result<Outcome> {
    let only = arguments.input.source.namespace.as_deref();
    let reports = kubesec::score(&input.snapshot, only);
    foreign(arguments.output.output, &reports, |style| {
        let texts: Vec<String> = reports.iter().map(|r| kubesec_report(r, style)).collect();
        texts.join("\n")
    })?;
    let least = arguments.fail_below.unwrap_or(1);
    let is_bad = reports.iter().any(|report| report.is_bad(least));
    Ok(if is_bad { Outcome::Bad } else { Outcome::Good })
}

fn by_findings(
    arguments: &arguments::Score,
    input: &Input,
    settings: &Settings,
) -> Result<Outcome> {
    let only = arguments.input.source.namespace.as_deref();
    let report = auditing::audit(&input.snapshot, settings, None, only);
    let stderr = Style::stderr();
    for notice in &report.notices {
        let word = stderr.paint(Colour::Attention, "note");
        eprintln!("{word}: {}", shown(notice));
    }
    let mut scores = own::score(&input.snapshot, &report.findings);
    scores.retain(|score| only.is_none_or(|namespace| score.object.is_within(namespace)));
    let overall = own::overall(&scores);
    let fail_on = arguments.fail_on.map_or(settings.fail_on, Severity::from);
    let document = document(&scores, fail_on, report.suppressed.len())?;
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        input.snapshot.problems(),
        |style| human(&scores, report.suppressed.len(), style),
    )?;
    let is_low = overall.is_some_and(|overall| {
        let least = arguments.fail_below.unwrap_or(0);
        i64::from(overall) < least
    });
    let is_bad = is_low || report.findings.iter().any(|f| f.severity >= fail_on);
    Ok(if is_bad { Outcome::Bad } else { Outcome::Good })
}

fn document(
    scores: &[own::Score<'_, '_>],
    fail_on: Severity,
    excused: usize,
) -> Result<Map<String, Value>> {
    let mut list = Vec::new();
    for score in scores {
        let mut object = Map::new();
        object.insert("group".into(), score.object.group().into());
        object.insert("kind".into(), score.object.kind.kind.clone().into());
        if !score.object.namespace().is_empty() {
            object.insert("namespace".into(), score.object.namespace().into());
        }
        object.insert("name".into(), score.object.name().into());
        let mut deductions = Vec::new();
        for deduction in &score.deductions {
            let Some(first) = deduction.findings.first() else {
                continue;
            };
            deductions.push(json!({
                "id": first.check.id,
                "title": first.check.title,
                "severity": first.severity,
                "points": deduction.points,
                "findings": serde_json::to_value(&deduction.findings)?,
            }));
        }
        let mut entry = Map::new();
        entry.insert("object".into(), object.into());
        entry.insert("hasPods".into(), score.has_pods.into());
        entry.insert("score".into(), score.score.into());
        if let Some(worst) = score.worst {
            entry.insert("worst".into(), worst.as_str().into());
            entry.insert("atMost".into(), own::cap(worst).into());
        }
        entry.insert("deductions".into(), deductions.into());
        if let Some(at) = &score.location {
            entry.insert("location".into(), serde_json::to_value(at)?);
        }
        list.push(Value::Object(entry));
    }
    let mut document = Map::new();
    document.insert("profile".into(), "rampart".into());
    document.insert("overall".into(), own::overall(scores).into());
    document.insert("failOn".into(), fail_on.as_str().into());
    document.insert("excused".into(), excused.into());
    document.insert("scores".into(), list.into());
    Ok(document)
}

fn place(location: Option<&Location>) -> String {
    location.map_or_else(String::new, |at| format!(" ({})", shown(&at.to_string())))
}

fn human(scores: &[own::Score<'_, '_>], excused: usize, style: Style) -> String {
    let Some(overall) = own::overall(scores) else {
        return "nothing to score: no pods, and no findings".to_owned();
    };
    let pods = scores.iter().filter(|score| score.has_pods).count();
    let mut text = format!(
        "{} of {} overall: the lowest of {pods} with pods and {} others that findings are about",
        style.paint(Colour::Strong, &overall.to_string()),
        own::BEST,
        scores.len() - pods,
    );
    if excused > 0 {
        text.push_str(&format!("; {excused} findings are excused"));
    }
    text.push('\n');
    for score in scores {
        let number = format!("{:>3}", score.score);
        let hue = score.worst.map_or(Colour::Good, colour);
        text.push_str(&format!(
            "\n{}  {}{}\n",
            style.paint(hue, &number),
            style.paint(Colour::Strong, &shown(&score.object.title())),
            place(score.location.as_ref()),
        ));
        for deduction in &score.deductions {
            let Some(first) = deduction.findings.first() else {
                continue;
            };
            let severity = format!("{:<8}", first.severity.as_str());
            text.push_str(&format!(
                "     {:>4}  {} {}: {}\n",
                format!("-{}", deduction.points),
                style.paint(colour(first.severity), &severity),
                first.check.id,
                first.check.title,
            ));
            for finding in &deduction.findings {
                text.push_str(&format!(
                    "           {}{}: {}\n",
                    shown(&finding.field),
                    place(finding.location.as_ref()),
                    shown(&finding.message)
                ));
            }
        }
        if let Some(worst) = score.worst.filter(|_| score.uncapped > score.score) {
            text.push_str(&format!(
                "           with a finding that is {worst}, at most {}\n",
                own::cap(worst)
            ));
        }
    }
    text
}

fn kubesec_report(report: &kubesec::Report, style: Style) -> String {
    let hue = if report.is_bad(1) {
        Colour::Bad
    } else {
        Colour::Good
    };
    let number = format!("{:>3}", report.score);
    let mut text = format!(
        "{}  {}{}: {}\n",
        style.paint(hue, &number),
        style.paint(Colour::Strong, &shown(&report.object)),
        place(report.location.as_ref()),
        shown(&report.message)
    );
    let scoring = &report.scoring;
    for (word, hue, list) in [
        ("critical", Colour::Bad, &scoring.critical),
        ("passed", Colour::Good, &scoring.passed),
        ("advise", Colour::Attention, &scoring.advise),
    ] {
        for judgement in list {
            text.push_str(&format!(
                "     {:>+4}  {} {}: {}\n",
                judgement.points,
                style.paint(hue, &format!("{word:<8}")),
                judgement.id,
                judgement.reason
            ));
            for (path, location) in &judgement.found {
                let path = shown(path);
                text.push_str(&format!("           {path}{}\n", place(location.as_ref())));
            }
        }
    }
    text
}
