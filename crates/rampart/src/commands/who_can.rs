//! `rampart who-can`: who may do something, and why.

use super::can_i::columns;
use crate::access::{self, Question};
use crate::arguments;
use crate::input::Input;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use anyhow::Result;
use model::user::{MASTERS, UserInfo};
use rbac::{Because, SubjectRef};
use serde::Serialize;
use serde_json::Map;
use snapshot::Citation;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.who-can/v1";

/// A subject that may do it, through one binding.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    /// `User`, `Group` or `ServiceAccount`.
    kind: &'static str,
    /// The namespace of a service account.
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    name: String,
    /// The only namespace in which it may; absent where it may wherever the question asks.
    #[serde(skip_serializing_if = "String::is_empty")]
    only_in: String,
    /// Whether every cluster allows it.
    given: bool,
    reason: String,
    because: Vec<Citation>,
}

/// Reads the roles and answers.
pub(crate) fn run(arguments: &arguments::WhoCan) -> Result<ExitCode> {
    let input = arguments.input.load(access::wanted)?;
    let everywhere = arguments.input.source.all_namespaces;
    let namespace = if everywhere { "" } else { &input.namespace };
    tell(input.snapshot.problems(), &input.texts);
    let (question, notes) = Question::parse(
        &arguments.verb,
        &arguments.resource,
        arguments.subresource.as_deref(),
        namespace,
        input.snapshot.kinds(),
    );
    for note in notes {
        eprintln!(
            "{}: {}",
            Style::stderr().paint(Colour::Attention, "note"),
            shown(&note)
        );
    }
    let entries = entries(&input, &question, everywhere);
    let mut document = Map::new();
    document.insert("question".into(), serde_json::to_value(&question)?);
    document.insert("allowed".into(), (!entries.is_empty()).into());
    document.insert(
        "reason".into(),
        format!(
            "{} bindings allow it",
            entries.iter().filter(|e| !e.because.is_empty()).count()
        )
        .into(),
    );
    document.insert("subjects".into(), serde_json::to_value(&entries)?);
    let problems = input.snapshot.problems();
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        problems,
        |style| human(&question, &entries, everywhere, style),
    )?;
    // There is always somebody: whether the answer suits is not for this command to say.
    Ok(Outcome::Good.status(access::worst_problem(&input.snapshot)))
}

fn entries(input: &Input, question: &Question, everywhere: bool) -> Vec<Entry> {
    let index = input.snapshot.rbac();
    let nobody = UserInfo::default();
    let mut entries: Vec<Entry> = index
        .who_can(&question.attributes(&nobody))
        .map(|grant| entry(input, &grant, ""))
        .collect();
    if everywhere && question.path.is_empty() {
        for namespace in index.binding_namespaces() {
            let there = Question {
                namespace: namespace.to_owned(),
                ..question.clone()
            };
            let grants = index.who_can(&there.attributes(&nobody));
            let own = grants.filter(|grant| !grant.binding_namespace.is_empty());
            entries.extend(own.map(|grant| entry(input, &grant, namespace)));
        }
    }
    if !entries
        .iter()
        .any(|e| e.kind == "Group" && e.name == MASTERS)
    {
        entries.push(Entry {
            kind: "Group",
            namespace: String::new(),
            name: MASTERS.to_owned(),
            only_in: String::new(),
            given: true,
            reason: format!("members of {MASTERS} may do everything, whatever the roles say"),
            because: Vec::new(),
        });
    }
    // What this cluster's owners decided comes first.
    entries.sort_by_key(|entry| entry.given);
    entries
}

fn entry(input: &Input, grant: &Because<'_>, only_in: &str) -> Entry {
    let (kind, namespace, name) = match grant.subject {
        SubjectRef::User(name) => ("User", "", name),
        SubjectRef::Group(name) => ("Group", "", name),
        SubjectRef::ServiceAccount { namespace, name } => ("ServiceAccount", namespace, name),
    };
    let because = input.snapshot.because(grant);
    Entry {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        only_in: only_in.to_owned(),
        given: because.first().is_some_and(|binding| binding.given),
        reason: format!("RBAC: allowed by {grant}"),
        because,
    }
}

fn human(question: &Question, entries: &[Entry], everywhere: bool, style: Style) -> String {
    let place = if everywhere { " in some namespace" } else { "" };
    let mut text = style.paint(Colour::Strong, &format!("Who can {question}{place}?"));
    text.push('\n');
    let mut rows = vec![["SUBJECT", "WHERE", "THROUGH"].map(str::to_owned)];
    rows.extend(entries.iter().map(|entry| {
        let subject = if entry.namespace.is_empty() {
            format!("{} {}", entry.kind, entry.name)
        } else {
            format!("{} {}/{}", entry.kind, entry.namespace, entry.name)
        };
        let place = if entry.only_in.is_empty() {
            String::new()
        } else {
            format!("only in {}", entry.only_in)
        };
        let through: Vec<String> = entry.because.iter().map(ToString::to_string).collect();
        let through = if through.is_empty() {
            entry.reason.clone()
        } else {
            through.join(" -> ")
        };
        [subject, place, through]
    }));
    text.push_str(&columns(&rows));
    text
}
