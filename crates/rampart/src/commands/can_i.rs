//! `rampart can-i`: whether somebody may do something, and why.

use crate::access::{self, Question};
use crate::arguments;
use crate::input::Input;
use crate::output::{Colour, Outcome, Style, answer, shown, tell};
use anyhow::{Result, bail};
use model::user::{MASTERS, NODES, UserInfo};
use rbac::rule::compact_rules;
use rbac::{Index, Rule};
use serde_json::{Map, Value, json};
use snapshot::{Citation, Severity};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

/// The version of the answer's form, and of the list's.
const SCHEMA: &str = "rampart.can-i/v1";
const LIST_SCHEMA: &str = "rampart.can-i-list/v1";

/// Reads the roles and answers.
pub(crate) fn run(arguments: &arguments::CanI) -> Result<ExitCode> {
    let mut source = arguments.input.clone();
    if arguments.list {
        // There is no verb and no resource: what stands there are paths.
        let words = [&arguments.verb, &arguments.resource];
        let paths: Vec<PathBuf> = words.into_iter().flatten().map(PathBuf::from).collect();
        if !paths.is_empty() && (source.source.live || source.source.snapshot.is_some()) {
            bail!("--list takes no verb and no resource");
        }
        source.paths.splice(0..0, paths);
    }
    let input = source.load(access::wanted)?;
    let user = asked_user(arguments, &input)?;
    let namespace = if source.source.all_namespaces {
        ""
    } else {
        &input.namespace
    };
    tell(input.snapshot.problems(), &input.texts);
    if arguments.list {
        return list(arguments, &input, &user, namespace);
    }
    let (Some(verb), Some(resource)) = (&arguments.verb, &arguments.resource) else {
        bail!("say what is asked: VERB RESOURCE[/NAME]");
    };
    let subresource = arguments.subresource.as_deref();
    let kinds = input.snapshot.kinds();
    let (question, notes) = Question::parse(verb, resource, subresource, namespace, kinds);
    for note in notes {
        eprintln!(
            "{}: {}",
            Style::stderr().paint(Colour::Attention, "note"),
            shown(&note)
        );
    }
    let decided = decide(&input, &question, &user);
    let mut document = Map::new();
    document.insert("question".into(), asked(&question, &user)?);
    document.insert("allowed".into(), decided.allowed.into());
    document.insert("reason".into(), decided.reason.as_str().into());
    document.insert("because".into(), serde_json::to_value(&decided.because)?);
    let problems = input.snapshot.problems();
    answer(
        arguments.output.output,
        SCHEMA,
        document,
        problems,
        |style| decided.human(style),
    )?;
    let outcome = if decided.allowed {
        Outcome::Good
    } else {
        Outcome::Bad
    };
    let unknown = decided.is_incomplete.then_some(Severity::Incomplete);
    Ok(outcome.status(access::worst_problem(&input.snapshot).max(unknown)))
}

/// Who is asked about: the user that was named, else with a live cluster whoever it takes us for.
fn asked_user(arguments: &arguments::CanI, input: &Input) -> Result<UserInfo> {
    if let Some(name) = &arguments.user {
        return access::user(name, &arguments.groups);
    }
    if !arguments.groups.is_empty() {
        return access::user("", &arguments.groups);
    }
    match &input.live {
        Some(live) => Ok(live.wait(live.client().whoami())?),
        None => bail!("say who: --as USER, --as-group GROUP"),
    }
}

fn asked(question: &Question, user: &UserInfo) -> Result<Value> {
    let mut asked = serde_json::to_value(question)?;
    if let Some(map) = asked.as_object_mut() {
        map.insert("user".into(), user.name.as_str().into());
        map.insert("groups".into(), user.groups.clone().into());
    }
    Ok(asked)
}

/// An answer.
struct Decided {
    allowed: bool,
    reason: String,
    because: Vec<Citation>,
    /// Whether something else than roles may allow it.
    is_incomplete: bool,
}

fn decide(input: &Input, question: &Question, user: &UserInfo) -> Decided {
    // As in an API server, before anything else.
    if user.in_group(MASTERS) {
        return Decided {
            allowed: true,
            reason: format!("members of {MASTERS} may do everything, whatever the roles say"),
            because: Vec::new(),
            is_incomplete: false,
        };
    }
    let attributes = question.attributes(user);
    let ruling = input.snapshot.rbac().decide(&attributes);
    let because = ruling
        .because()
        .map(|because| input.snapshot.because(&because));
    let is_node = user.in_group(NODES) && !ruling.allowed();
    Decided {
        allowed: ruling.allowed(),
        reason: if is_node {
            "no role allows it; what the Node authorizer allows to this node is not evaluated"
                .to_owned()
        } else {
            ruling.reason()
        },
        because: because.unwrap_or_default(),
        is_incomplete: is_node,
    }
}

impl Decided {
    fn human(&self, style: Style) -> String {
        let mut text = if self.allowed {
            style.paint(Colour::Good, "yes")
        } else {
            style.paint(Colour::Bad, "no")
        };
        if !self.reason.is_empty() && self.because.is_empty() {
            text.push_str(" - ");
            text.push_str(&shown(&self.reason));
        }
        text.push('\n');
        for citation in &self.because {
            text.push_str("  ");
            text.push_str(&shown(&citation.to_string()));
            text.push('\n');
        }
        text
    }
}

fn list(
    arguments: &arguments::CanI,
    input: &Input,
    user: &UserInfo,
    namespace: &str,
) -> Result<ExitCode> {
    let index: &Index = input.snapshot.rbac();
    let found = index.rules_for(user, namespace);
    let mut rules = found.rules;
    if user.in_group(MASTERS) {
        rules.push(Rule::on(["*"], ["*"], ["*"]));
        rules.push(Rule::on_urls(["*"], ["*"]));
    }
    let mut rules = compact_rules(rules.into_iter().flat_map(|rule| single(&rule)));
    for rule in &mut rules {
        let mut seen = BTreeSet::new();
        rule.verbs.retain(|verb| seen.insert(verb.clone()));
    }
    let mut document = Map::new();
    document.insert(
        "question".into(),
        json!({"user": user.name, "groups": user.groups, "namespace": namespace}),
    );
    document.insert("rules".into(), serde_json::to_value(&rules)?);
    document.insert("errors".into(), found.errors.clone().into());
    let problems = input.snapshot.problems();
    let form = arguments.output.output;
    answer(form, LIST_SCHEMA, document, problems, |_| table(&rules))?;
    for error in &found.errors {
        eprintln!(
            "{}: {}",
            Style::stderr().paint(Colour::Attention, "warning"),
            shown(error)
        );
    }
    Ok(Outcome::Good.status(access::worst_problem(&input.snapshot)))
}

/// A rule as rules about one resource each.
fn single(rule: &Rule) -> Vec<Rule> {
    let mut all = Vec::new();
    for group in &rule.api_groups {
        for resource in &rule.resources {
            all.push(Rule {
                api_groups: vec![group.clone()],
                resources: vec![resource.clone()],
                non_resource_urls: Vec::new(),
                ..rule.clone()
            });
        }
    }
    if !rule.non_resource_urls.is_empty() {
        all.push(Rule {
            non_resource_urls: rule.non_resource_urls.clone(),
            verbs: rule.verbs.clone(),
            ..Rule::default()
        });
    }
    all
}

/// kubectl's table: resources by name, then paths.
fn table(rules: &[Rule]) -> String {
    let quoted = |texts: &[String]| {
        let unique: Vec<&str> = {
            let mut seen = BTreeSet::new();
            let texts = texts.iter().map(String::as_str);
            texts.filter(|text| seen.insert(*text)).collect()
        };
        format!("[{}]", unique.join(" "))
    };
    let mut rows: Vec<[String; 4]> = rules
        .iter()
        .map(|rule| {
            let group = rule.api_groups.first().map_or("", String::as_str);
            let resource = match rule.resources.first() {
                Some(resource) if group.is_empty() => resource.clone(),
                Some(resource) => format!("{resource}.{group}"),
                None => String::new(),
            };
            let verbs = quoted(&rule.verbs);
            [
                resource,
                quoted(&rule.non_resource_urls),
                quoted(&rule.resource_names),
                verbs,
            ]
        })
        .collect();
    rows.sort_by(|a, b| {
        let is_path = |row: &[String; 4]| row.first().is_some_and(String::is_empty);
        is_path(a).cmp(&is_path(b)).then_with(|| a.cmp(b))
    });
    let head = ["Resources", "Non-Resource URLs", "Resource Names", "Verbs"].map(str::to_owned);
    rows.insert(0, head);
    columns(&rows)
}

/// Rows in columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0_usize; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let cell = shown(cell);
            let missing = width.saturating_sub(cell.chars().count());
            line.push_str(&cell);
            line.push_str(&" ".repeat(missing + 3));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
