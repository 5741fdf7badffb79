//! `rampart paths`: the ways from a subject to a goal.

use crate::findings;
use crate::input::{ALL, InputArguments};
use crate::output::{Colour, Format, Outcome, Style, answer, shown, tell, write};
use crate::page::Page;
use analysis::paths::{self, From, Goal, Path, Paths, Query};
use anyhow::Result;
use clap::{Args, ValueEnum};
use pod_security::{Level, NamespacePolicy};
use serde_json::{Map, Value, json};
use snapshot::{Problem, Snapshot};
use std::fmt::Write;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.paths/v1";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart paths --from serviceaccount/default/robot --to \
    secret/default/mysecret ./manifests\n  rampart paths --from 'pod/*' --to cluster-admin --live\n  \
    rampart paths --from user/jane --group dev --to '*' --snapshot cluster.json.gz\n\n\
    A path is a finding: exit status 1 if there is one, 0 if there is none."
)]
pub(crate) struct Arguments {
    /// Where an attacker begins: serviceaccount/NAMESPACE/NAME, user/NAME, group/NAME,
    /// pod/NAMESPACE/NAME (or another kind with pods), pod/* for any pod, * for anything
    #[arg(long, value_name = "START")]
    from: From,
    /// What the attacker wants: secret/NAMESPACE/NAME, serviceaccount/NAMESPACE/NAME, node/NAME,
    /// node/*, cluster-admin, or * for whatever is worth having
    #[arg(long, value_name = "GOAL")]
    to: Goal,
    /// A group that the user is in (repeatable), beside those that follow from the name
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// List all paths of at most so many steps, instead of the shortest
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..=64))]
    max_length: Option<u32>,
    /// How many paths are listed at most
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    limit: usize,
    /// Whether pods are held to PodSecurityPolicies: auto means yes if some pod carries the name of
    /// the policy that admitted it
    #[arg(long, value_enum, value_name = "WHETHER", default_value_t = Policing::Auto)]
    psp: Policing,
    #[command(flatten)]
    input: InputArguments,
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Human)]
    output: Form,
}

/// Whether pods are held to PodSecurityPolicies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policing {
    /// As far as can be seen
    Auto,
    /// They are
    On,
    /// They are not
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
    /// A graph for Graphviz
    Dot,
    /// One HTML page
    Html,
}

/// Reads the objects and looks for paths.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let input = arguments.input.load(ALL)?;
    tell(input.snapshot.problems(), &input.texts);
    let query = Query {
        from: arguments.from.clone(),
        groups: arguments.groups.clone(),
        to: arguments.to.clone(),
        max_length: arguments.max_length,
        most: arguments.limit,
        policies_in_force: match arguments.psp {
            Policing::Auto => None,
            Policing::On => Some(true),
            Policing::Off => Some(false),
        },
    };
    let snapshot = &input.snapshot;
    let admits = |namespace: &str| admits_privileged(snapshot, namespace);
    let found = paths::find(snapshot, &query, &admits)?;
    let format = match arguments.output {
        Form::Human => Some(Format::Human),
        Form::Json => Some(Format::Json),
        Form::Yaml => Some(Format::Yaml),
        Form::Dot => {
            write(&paths::dot(&found))?;
            None
        }
        Form::Html => {
            write(&html(&query, &found, snapshot.problems()))?;
            None
        }
    };
    match format {
        None => {}
        Some(format) => {
            let document = document(arguments, &found)?;
            answer(format, SCHEMA, document, snapshot.problems(), |style| {
                human(&query, &found, style)
            })?;
        }
    }
    let outcome = if found.paths.is_empty() {
        Outcome::Good
    } else {
        Outcome::Bad
    };
    Ok(outcome.status(snapshot.worst_problem()))
}

/// Whether the namespace's Pod Security labels let a privileged pod in.
pub(super) fn admits_privileged(snapshot: &Snapshot, namespace: &str) -> bool {
    let labels = snapshot.namespace_labels(namespace);
    let label = |key: &str| labels.get(key).copied();
    let (policy, _) = NamespacePolicy::default().with_labels(label);
    policy.enforce.level == Level::Privileged
}

fn document(arguments: &Arguments, found: &Paths) -> Result<Map<String, Value>> {
    let mut document = Map::new();
    let question = json!({
        "from": arguments.from.to_string(),
        "to": arguments.to.to_string(),
        "groups": arguments.groups,
        "maxLength": arguments.max_length,
    });
    document.insert("question".into(), question);
    document.insert("found".into(), (!found.paths.is_empty()).into());
    let because: Vec<Value> = found
        .paths
        .first()
        .into_iter()
        .flat_map(|path| &path.steps)
        .flat_map(|step| &step.because)
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    document.insert("because".into(), because.into());
    document.insert("reason".into(), reason(arguments, found).into());
    if let Value::Object(parts) = serde_json::to_value(found)? {
        document.extend(parts);
    }
    Ok(document)
}

fn reason(arguments: &Arguments, found: &Paths) -> String {
    match found.paths.first() {
        None => format!("no way from {} to {}", arguments.from, arguments.to),
        Some(path) => path
            .steps
            .iter()
            .map(|step| step.text.as_str())
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn html(query: &Query, found: &Paths, problems: &[Problem]) -> String {
    let mut page = Page::new(format!("Ways from {} to {}", query.from, query.to));
    findings::html::problems(page.body(), problems);
    crate::page::paths::write(page.body(), found);
    page.render()
}

fn human(query: &Query, found: &Paths, style: Style) -> String {
    let mut out = String::new();
    if found.paths.is_empty() {
        let text = format!("No way from {} to {}.", query.from, query.to);
        return style.paint(Colour::Good, &shown(&text));
    }
    for (index, path) in found.paths.iter().enumerate() {
        path_for_people(index + 1, path, style, &mut out);
    }
    if found.truncated {
        out.push_str("There are more: --limit shows more of them.\n");
    }
    cut_for_people(found, style, &mut out);
    out
}

fn path_for_people(number: usize, path: &Path, style: Style, out: &mut String) {
    let unsure = if path.certain { "" } else { ", may fail" };
    let steps = if path.length == 1 { "step" } else { "steps" };
    let title = format!(
        "{number}. {} -> {} ({} {steps}{unsure})",
        path.from, path.to, path.length
    );
    // Writing to a text cannot fail, here and below.
    let _ = writeln!(out, "{}", style.paint(Colour::Bad, &shown(&title)));
    for step in &path.steps {
        let mark = if step.certain { "" } else { " (may fail)" };
        let text = format!("{}{mark} -> {}", step.text, step.to);
        let _ = writeln!(out, "   {}", style.paint(Colour::Strong, &shown(&text)));
        for citation in &step.because {
            let text = shown(&citation.to_string());
            let _ = writeln!(out, "     {}", style.paint(Colour::Faint, &text));
        }
        if step.alternatives > 0 {
            let text = format!("and {} more grants that allow the same", step.alternatives);
            let _ = writeln!(out, "     {}", style.paint(Colour::Faint, &text));
        }
    }
    out.push('\n');
}

fn cut_for_people(found: &Paths, style: Style, out: &mut String) {
    let cut = &found.cut;
    if !cut.grants.is_empty() {
        let what = match (cut.exact, cut.grants.len()) {
            (true, 1) => "Taking away this grant cuts every way:".to_owned(),
            (true, many) => {
                format!("Taking away these {many} grants, and no fewer, cuts every way:")
            }
            (false, many) => format!(
                "Taking away these {many} grants cuts every way (at least {} are needed):",
                cut.at_least
            ),
        };
        let _ = writeln!(out, "{}", style.paint(Colour::Good, &what));
        for grant in &cut.grants {
            let place = grant.binding.as_ref().and_then(|b| b.location.as_ref());
            let place = place.map(|at| format!(" ({at})")).unwrap_or_default();
            let _ = writeln!(out, "   {}", shown(&format!("{}{place}", grant.text)));
        }
    }
    if !cut.unavoidable.is_empty() {
        let some: Vec<&str> = cut.unavoidable.iter().take(5).map(String::as_str).collect();
        let more = match cut.unavoidable.len().saturating_sub(some.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "Whatever grant is taken away, {}{more} can be reached: through what pods have, or what \
             every cluster allows.",
            some.join(", ")
        );
        let _ = writeln!(out, "{}", style.paint(Colour::Attention, &shown(&text)));
    }
}
