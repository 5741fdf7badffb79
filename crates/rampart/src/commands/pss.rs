//! `rampart pss`: the strictest level of the Pod Security Standards that admits each pod, and what
//! keeps stricter ones from it.

use crate::arguments;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use crate::pods::{self, makes_pods};
use crate::refused;
use anyhow::Result;
use model::Value;
use model::registry::Registry;
use pod_security::{Level, LevelVersion, Version, Violation, evaluate, standards, strictest};
use serde::Serialize;
use serde_json::{Map, json};
use snapshot::{Citation, PodTemplate};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.pss/v1";

/// One pod's answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// The kind of what makes the pod, or `Pod`.
    kind: String,
    namespace: String,
    name: String,
    /// Which of its templates, of a custom kind with several.
    #[serde(skip_serializing_if = "String::is_empty")]
    part: String,
    /// The strictest level that admits it.
    level: &'static str,
    /// Whether the level that was asked for admits it.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<bool>,
    /// What the API server would say.
    reason: String,
    /// The strictest level at every version, if none was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    levels: Vec<Stretch>,
    because: Vec<Because>,
    #[serde(skip)]
    violations: Vec<Violation>,
}

/// Versions at which the same level is the strictest one.
#[derive(Debug, Serialize)]
struct Stretch {
    level: &'static str,
    from: String,
    to: String,
}

/// A field that breaks a rule.
#[derive(Debug, Serialize)]
struct Because {
    check: &'static str,
    control: &'static str,
    /// The loosest level that makes the check.
    level: &'static str,
    reason: String,
    #[serde(flatten)]
    citation: Citation,
}

/// Reads the pods and answers.
pub(crate) fn run(arguments: &arguments::Pss) -> Result<ExitCode> {
    let input = arguments.input.load(makes_pods)?;
    let problems = refused::with_refused(&input.snapshot);
    tell(&problems, &input.texts);
    let registry = Registry::builtin();
    let only = arguments.input.source.namespace.as_deref();
    let entries: Vec<Entry> = input
        .snapshot
        .pod_templates()
        .filter(PodTemplate::is_outermost)
        .filter(|template| only.is_none_or(|namespace| template.namespace() == namespace))
        .map(|template| {
            let pod = pods::held(&template, &registry);
            entry(&template, &pod, arguments.level, arguments.version)
        })
        .collect();
    let asked_version = arguments.version.unwrap_or(Version::Latest);
    let mut question = Map::new();
    question.insert("version".into(), asked_version.to_string().into());
    if let Some(level) = arguments.level {
        question.insert("level".into(), level.as_str().into());
    }
    let mut document = Map::new();
    document.insert("question".into(), json!(question));
    let refused = entries.iter().any(|entry| entry.allowed == Some(false));
    if arguments.level.is_some() {
        document.insert("allowed".into(), (!refused).into());
    }
    document.insert("pods".into(), serde_json::to_value(&entries)?);
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        &problems,
        |style| human(&entries, style),
    )?;
    let outcome = if refused { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(input.snapshot.worst_problem()))
}

fn entry(
    template: &PodTemplate<'_>,
    pod: &Value,
    asked: Option<Level>,
    version: Option<Version>,
) -> Entry {
    let owner = template.owner;
    let of = |key| pod.get(key).unwrap_or(&Value::Null);
    let (metadata, spec) = (of("metadata"), of("spec"));
    let at = version.unwrap_or(Version::Latest);
    let policy = LevelVersion::new(asked.unwrap_or(Level::Restricted), at);
    let violations = evaluate(policy, metadata, spec);
    let because = violations.iter().flat_map(|violation| {
        violation.fields.iter().map(|field| Because {
            check: violation.check,
            control: violation.control,
            level: violation.level.as_str(),
            reason: violation.to_string(),
            citation: cite(template, &field.path),
        })
    });
    Entry {
        kind: owner.kind.kind.to_string(),
        namespace: owner.namespace().to_owned(),
        name: owner.name().to_owned(),
        part: template.part.to_owned(),
        level: strictest(at, metadata, spec).as_str(),
        allowed: asked.map(|_| violations.is_empty()),
        reason: if violations.is_empty() {
            format!("complies with PodSecurity \"{policy}\"")
        } else {
            standards::refusal(policy, &violations)
        },
        levels: match version {
            Some(_) => Vec::new(),
            None => levels(metadata, spec),
        },
        because: because.collect(),
        violations,
    }
}

/// Names a field of a pod, by its path in the pod, where it is in the owner of the template.
pub(super) fn cite(template: &PodTemplate<'_>, field: &str) -> Citation {
    let path = match field.strip_prefix("metadata.") {
        Some(rest) => template.metadata_field(rest),
        None => template.field(field.strip_prefix("spec.").unwrap_or(field)),
    };
    template.snapshot().cite(template.owner, &path)
}

fn levels(metadata: &Value, spec: &Value) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for version in Version::all() {
        let level = strictest(version, metadata, spec).as_str();
        match stretches.last_mut().filter(|last| last.level == level) {
            Some(last) => last.to = version.to_string(),
            None => stretches.push(Stretch {
                level,
                from: version.to_string(),
                to: version.to_string(),
            }),
        }
    }
    stretches
}

/// A level in the colour of its strictness.
pub(super) fn painted(style: Style, level: &str, text: &str) -> String {
    let colour = match level {
        "restricted" => Colour::Good,
        "baseline" => Colour::Attention,
        _ => Colour::Bad,
    };
    style.paint(colour, text)
}

fn human(entries: &[Entry], style: Style) -> String {
    if entries.is_empty() {
        return "There are no pods.\n".to_owned();
    }
    let mut text = String::new();
    for entry in entries {
        let name = pods::title(&entry.name, &entry.part);
        let pod = format!("{} {}/{name}", entry.kind, entry.namespace);
        let level = painted(style, entry.level, &format!("{:<10}", entry.level));
        text.push_str(&format!("{level}  {}\n", shown(&pod)));
        for violation in &entry.violations {
            let level = violation.level.as_str();
            let what = shown(&violation.to_string());
            text.push_str(&format!("  not {}: {what}\n", painted(style, level, level)));
            let own = entry.because.iter().filter(|b| b.check == violation.check);
            for because in own {
                let field = &because.citation.field;
                let place = match &because.citation.location {
                    Some(location) => format!("{location}: {field}"),
                    None => field.clone(),
                };
                let place = style.paint(Colour::Faint, &shown(&place));
                text.push_str(&format!("    {place}\n"));
            }
        }
        if entry.levels.len() > 1 {
            let all: Vec<String> = entry.levels.iter().map(stretch).collect();
            text.push_str(&format!("  by version: {}\n", all.join(", ")));
        }
    }
    text
}

fn stretch(stretch: &Stretch) -> String {
    let Stretch { level, from, to } = stretch;
    if from == to {
        format!("{level} at {from}")
    } else {
        format!("{level} from {from} to {to}")
    }
}
