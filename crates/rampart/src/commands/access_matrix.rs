//! `rampart access-matrix`: who may do what, as a table.

use crate::access;
use crate::findings;
use crate::input::{Input, InputArguments};
use crate::output::{Format, Outcome, answer, shown, tell, write};
use crate::page::table::Column;
use crate::page::{self, Page, Widget};
use analysis::access::{Access, Cells, Matrix, Resource, VERBS, differences, of_user, resources};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use model::user::{MASTERS, UserInfo};
use serde_json::{Map, Value, json};
use snapshot::{Problem, Severity, Snapshot};
use std::path::PathBuf;
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.access-matrix/v1";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart access-matrix --as jane ./manifests\n  \
    rampart access-matrix --resource secrets -A --live\n  \
    rampart access-matrix --as jane --against john ./manifests\n  \
    rampart access-matrix --as jane --against-snapshot old.json.gz --live\n\n\
    Without --as and --resource: every subject on every resource. Exit status of comparisons: 1 \
    if something differs, 0 if not."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// One subject over all resources: a user, also serviceaccount/NAMESPACE/NAME
    #[arg(long = "as", value_name = "USER", conflicts_with = "resource")]
    user: Option<String>,
    /// A group of the user (repeatable); the groups that everybody is in are added
    #[arg(long = "as-group", value_name = "GROUP", requires = "user")]
    groups: Vec<String>,
    /// One resource over all subjects
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// The subresource, such as exec, log, scale or status
    #[arg(long, value_name = "NAME", requires = "resource")]
    subresource: Option<String>,
    /// Compare with another user
    #[arg(long, value_name = "USER", requires = "user")]
    against: Option<String>,
    /// Compare with the same user in a file that `rampart snapshot` wrote
    #[arg(
        long,
        value_name = "FILE",
        requires = "user",
        conflicts_with = "against"
    )]
    against_snapshot: Option<PathBuf>,
    /// How the answer is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Human)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Human,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
    /// Comma-separated values
    Csv,
    /// One HTML page
    Html,
}

/// A table of texts, and the same as a document.
struct Table {
    title: String,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    document: Map<String, Value>,
    differs: bool,
    /// Why roles and bindings do not matter, if they do not.
    note: Option<String>,
}

/// Reads the roles and answers.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let input = arguments.input.load(access::wanted)?;
    tell(input.snapshot.problems(), &input.texts);
    let everywhere = arguments.input.source.all_namespaces;
    let namespace = if everywhere { "" } else { &input.namespace };
    let mut worst = access::worst_problem(&input.snapshot);
    let table = match &arguments.user {
        Some(user) => {
            let user = access::user(user, &arguments.groups)?;
            match second(arguments, &input, &user)? {
                Some((other, problem)) => {
                    worst = worst.max(problem);
                    compared(&input, &user, namespace, &other)?
                }
                None => one_user(&input, &user, namespace)?,
            }
        }
        None if arguments.output == Form::Html && arguments.resource.is_none() => {
            write(&grid(&input.snapshot, (!everywhere).then_some(namespace)))?;
            return Ok(Outcome::Good.status(worst));
        }
        None => all_subjects(arguments, &input, everywhere)?,
    };
    let format = match arguments.output {
        Form::Csv => {
            write(&csv(&table))?;
            None
        }
        Form::Html => {
            write(&html(&table, input.snapshot.problems()))?;
            None
        }
        Form::Human => Some(Format::Human),
        Form::Json => Some(Format::Json),
        Form::Yaml => Some(Format::Yaml),
    };
    let differs = table.differs;
    if let Some(format) = format {
        let document = table.document.clone();
        let problems = input.snapshot.problems();
        answer(format, SCHEMA, document, problems, |_| human(&table))?;
    }
    let outcome = if differs { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(worst))
}

/// The other side of a comparison.
struct Other {
    user: UserInfo,
    input: Option<Input>,
}

fn second(
    arguments: &Arguments,
    input: &Input,
    user: &UserInfo,
) -> Result<Option<(Other, Option<Severity>)>> {
    if let Some(name) = &arguments.against {
        let user = access::user(name, &[])?;
        return Ok(Some((Other { user, input: None }, None)));
    }
    let Some(path) = &arguments.against_snapshot else {
        return Ok(None);
    };
    let mut source = InputArguments::default();
    source.source.snapshot = Some(path.clone());
    source.source.namespace = Some(input.namespace.clone());
    source.source.without_defaults = arguments.input.source.without_defaults;
    let other = source.load(access::wanted)?;
    tell(other.snapshot.problems(), &other.texts);
    let worst = access::worst_problem(&other.snapshot);
    let other = Other {
        user: user.clone(),
        input: Some(other),
    };
    Ok(Some((other, worst)))
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Yes => "yes",
        Access::Named => "names",
        Access::No => "-",
    }
}

/// The verbs to show: the usual ones, and those of the rest that somebody has.
fn shown_verbs<'a>(cells: impl Iterator<Item = &'a Cells>) -> Vec<usize> {
    let mut any = [false; VERBS.len()];
    for cells in cells {
        for (at, any) in any.iter_mut().enumerate() {
            *any |= cells.access(at) != Access::No;
        }
    }
    any.iter()
        .enumerate()
        .filter(|(at, any)| *at < 8 || **any)
        .map(|(at, _)| at)
        .collect()
}

fn verb_names(verbs: &[usize]) -> impl Iterator<Item = String> {
    verbs
        .iter()
        .filter_map(|at| VERBS.get(*at))
        .map(|verb| (*verb).to_owned())
}

fn cells_document(cells: Cells) -> Value {
    let verbs = cells.allowed().map(|(verb, access)| {
        let access = if access == Access::Named {
            "named"
        } else {
            "yes"
        };
        (verb.to_owned(), Value::from(access))
    });
    Value::Object(verbs.collect())
}

fn place(namespace: &str) -> String {
    if namespace.is_empty() {
        "in the whole cluster".to_owned()
    } else {
        format!("in namespace {namespace}")
    }
}

fn resource_document(resource: &Resource) -> Result<Map<String, Value>> {
    match serde_json::to_value(resource)? {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

fn one_user(input: &Input, user: &UserInfo, namespace: &str) -> Result<Table> {
    let all = resources(&input.snapshot);
    let found = of_user(&input.snapshot, user, namespace, &all);
    let verbs = shown_verbs(found.iter().map(|(_, cells)| cells));
    let mut entries = Vec::new();
    for (resource, cells) in &found {
        let mut entry = resource_document(resource)?;
        entry.insert("verbs".into(), cells_document(*cells));
        entries.push(Value::Object(entry));
    }
    let mut document = Map::new();
    document.insert(
        "question".into(),
        json!({"user": user, "namespace": namespace}),
    );
    document.insert("resources".into(), entries.into());
    Ok(Table {
        title: format!("What {} may do {}", user.name, place(namespace)),
        header: std::iter::once("RESOURCE".to_owned())
            .chain(verb_names(&verbs))
            .collect(),
        rows: found
            .iter()
            .map(|(resource, cells)| {
                let cells = verbs.iter().map(|at| word(cells.access(*at)).to_owned());
                std::iter::once(resource.to_string()).chain(cells).collect()
            })
            .collect(),
        document,
        differs: false,
        note: masters_note(user),
    })
}

fn masters_note(user: &UserInfo) -> Option<String> {
    user.in_group(MASTERS)
        .then(|| format!("Members of {MASTERS} may do everything, whatever the roles say."))
}

fn compared(input: &Input, user: &UserInfo, namespace: &str, other: &Other) -> Result<Table> {
    let second = other
        .input
        .as_ref()
        .map_or(&input.snapshot, |i| &i.snapshot);
    let mut all = resources(&input.snapshot);
    all.extend(resources(second));
    all.sort_unstable();
    all.dedup();
    // An older snapshot is what was before; another user is what is held against the first.
    let own = of_user(&input.snapshot, user, namespace, &all);
    let others = of_user(second, &other.user, namespace, &all);
    let (names, before, after) = if other.input.is_some() {
        (["BEFORE".to_owned(), "NOW".to_owned()], others, own)
    } else {
        ([user.name.clone(), other.user.name.clone()], own, others)
    };
    let differences = differences(&before, &after);
    let mut document = Map::new();
    document.insert(
        "question".into(),
        json!({"user": user, "against": other.user, "namespace": namespace}),
    );
    document.insert("differences".into(), serde_json::to_value(&differences)?);
    let [first_name, second_name] = names;
    Ok(Table {
        title: format!(
            "What {first_name} and {second_name} may do differently {}",
            place(namespace)
        ),
        header: vec!["RESOURCE".into(), "VERB".into(), first_name, second_name],
        rows: differences
            .iter()
            .map(|d| {
                vec![
                    d.resource.to_string(),
                    d.verb.to_owned(),
                    word(d.before).to_owned(),
                    word(d.after).to_owned(),
                ]
            })
            .collect(),
        document,
        differs: !differences.is_empty(),
        note: masters_note(user).or_else(|| masters_note(&other.user)),
    })
}

fn all_subjects(arguments: &Arguments, input: &Input, everywhere: bool) -> Result<Table> {
    let snapshot = &input.snapshot;
    let all = match &arguments.resource {
        None => resources(snapshot),
        Some(name) => {
            let subresource = arguments.subresource.as_deref();
            let (question, notes) =
                access::Question::parse("get", name, subresource, "", snapshot.kinds());
            for note in notes {
                eprintln!("note: {}", shown(&note));
            }
            if question.resource.is_empty() || !question.name.is_empty() {
                bail!(
                    "--resource takes the name of a resource, such as secrets or deployments.apps"
                );
            }
            vec![Resource {
                group: question.group.unwrap_or_default(),
                resource: question.resource,
                subresource: question.subresource,
            }]
        }
    };
    let namespace = (!everywhere).then_some(input.namespace.as_str());
    let matrix = Matrix::of(snapshot, all, namespace);
    let verbs = shown_verbs(matrix.rows.iter().flat_map(|row| row.cells.values()));
    let mut rows = Vec::new();
    let mut entries = Vec::new();
    for row in &matrix.rows {
        let (kind, name) = page::matrix::named(&row.subject);
        let mut held = Vec::new();
        for (at, cells) in &row.cells {
            let Some(resource) = matrix.resources.get(*at) else {
                continue;
            };
            let mut entry = resource_document(resource)?;
            entry.insert("verbs".into(), cells_document(*cells));
            held.push(Value::Object(entry));
            let place = if row.namespace.is_empty() {
                "*"
            } else {
                &row.namespace
            };
            let texts = [
                format!("{kind} {name}"),
                place.to_owned(),
                resource.to_string(),
            ];
            let cells = verbs.iter().map(|at| word(cells.access(*at)).to_owned());
            rows.push(texts.into_iter().chain(cells).collect());
        }
        let because: Vec<Value> = row
            .bindings
            .iter()
            .filter_map(|id| snapshot.get(*id))
            .map(|binding| serde_json::to_value(snapshot.cite(binding, "")))
            .collect::<Result<_, _>>()?;
        entries.push(json!({
            "kind": kind,
            "name": name,
            "namespace": row.namespace,
            "resources": held,
            "because": because,
        }));
    }
    let mut document = Map::new();
    document.insert(
        "question".into(),
        json!({"resource": arguments.resource, "namespace": namespace}),
    );
    document.insert("subjects".into(), entries.into());
    Ok(Table {
        title: "Who may do what".to_owned(),
        header: ["SUBJECT", "NAMESPACE", "RESOURCE"]
            .map(str::to_owned)
            .into_iter()
            .chain(verb_names(&verbs))
            .collect(),
        rows,
        document,
        differs: false,
        note: Some(groups_note()),
    })
}

fn human(table: &Table) -> String {
    let mut widths: Vec<usize> = table
        .header
        .iter()
        .map(|cell| cell.chars().count())
        .collect();
    for row in &table.rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = format!("{}\n", shown(&table.title));
    for row in std::iter::once(&table.header).chain(&table.rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            let missing = width.saturating_sub(cell.chars().count());
            line.push_str(&shown(cell));
            line.push_str(&" ".repeat(missing + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    if table.rows.is_empty() {
        out.push_str("(nothing)\n");
    }
    if let Some(note) = &table.note {
        out.push_str(&shown(note));
        out.push('\n');
    }
    out
}

/// As RFC 4180 has it. Cells that spreadsheets would take for formulas are marked as text.
fn csv(table: &Table) -> String {
    let cell = |text: &String| {
        let text = if text != "-" && text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{text}")
        } else {
            text.clone()
        };
        if text.contains(['"', ',', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    let lines = std::iter::once(&table.header).chain(&table.rows);
    lines
        .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n")
        .collect()
}

/// What all subjects may do on everything: of many there would be too many lines.
fn grid(snapshot: &Snapshot, namespace: Option<&str>) -> String {
    let matrix = Matrix::of(snapshot, resources(snapshot), namespace);
    let mut page = Page::new("Who may do what");
    findings::html::problems(page.body(), snapshot.problems());
    page.body().element("p", &groups_note());
    let grid = page::Matrix::of(snapshot, &matrix);
    page.widget("access", Widget::Matrix(grid));
    page.render()
}

fn groups_note() -> String {
    format!("Members of {MASTERS} may do everything; members of a group what the group may.")
}

fn html(table: &Table, problems: &[Problem]) -> String {
    let verbs = table
        .header
        .iter()
        .map(|title| (title.to_lowercase(), title));
    let columns = verbs.map(|(title, own)| {
        let column = match own.as_str() {
            "SUBJECT" | "RESOURCE" => Column::code(""),
            "NAMESPACE" | "VERB" => Column::code("").filtered(),
            _ => Column::access(""),
        };
        (title, column)
    });
    let mut list = page::Table::titled(columns);
    for row in &table.rows {
        list.row(row);
    }
    let mut page = Page::new(table.title.as_str());
    findings::html::problems(page.body(), problems);
    if let Some(note) = &table.note {
        page.body().element("p", note);
    }
    if list.is_empty() {
        page.body().raw("<p>Nothing.</p>\n");
    } else {
        page.widget("access", Widget::Table(list));
    }
    page.render()
}
