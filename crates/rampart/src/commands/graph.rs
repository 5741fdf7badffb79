//! `rampart graph`: roles and bindings as a picture.

use crate::access;
use crate::input::InputArguments;
use crate::output::{Format, Outcome, answer, tell, write};
use crate::page::{Page, Picture, Widget};
use analysis::graph::{Filter, Graph, dot, graph, mermaid, svg};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.graph/v1";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart graph ./manifests > rbac.dot\n  rampart graph -o html \
    --with-rules --live > rbac.html\n  rampart graph -o mermaid --subject jane --verb delete \
    ./manifests"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Only what this subject is given (repeatable): a user, a group, or NAMESPACE/NAME of a
    /// service account
    #[arg(long = "subject", value_name = "NAME")]
    subjects: Vec<String>,
    /// Only bindings of this role (repeatable)
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
    /// Only roles that allow this verb (repeatable)
    #[arg(long = "verb", value_name = "VERB")]
    verbs: Vec<String>,
    /// Also what every cluster has
    #[arg(long)]
    with_given: bool,
    /// Also the rules of the roles
    #[arg(long)]
    with_rules: bool,
    /// How the picture is written
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Form::Dot)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For Graphviz
    Dot,
    /// For mermaid
    Mermaid,
    /// A picture
    Svg,
    /// One HTML page with search and zoom
    Html,
    /// One JSON document with a schemaVersion
    Json,
    /// The same document as YAML
    Yaml,
}

/// Reads the roles and draws them.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let input = arguments.input.load(wanted)?;
    tell(input.snapshot.problems(), &input.texts);
    let filter = Filter {
        subjects: arguments.subjects.clone(),
        namespace: arguments.input.source.namespace.clone(),
        roles: arguments.roles.clone(),
        verbs: arguments.verbs.clone(),
        with_given: arguments.with_given,
        with_rules: arguments.with_rules,
    };
    let graph = graph(&input.snapshot, &filter);
    let document = |format| -> Result<()> {
        let problems = input.snapshot.problems();
        answer(
            format,
            SCHEMA,
            document(arguments, &graph)?,
            problems,
            |_| String::new(),
        )
    };
    match arguments.output {
        Form::Dot => write(&dot(&graph))?,
        Form::Mermaid => write(&mermaid(&graph))?,
        Form::Svg => write(&svg(&graph))?,
        Form::Html => write(&page(&graph))?,
        Form::Json => document(Format::Json)?,
        Form::Yaml => document(Format::Yaml)?,
    }
    Ok(Outcome::Good.status(access::worst_problem(&input.snapshot)))
}

fn page(graph: &Graph) -> String {
    let mut page = Page::new("Roles and bindings");
    page.fill_window();
    page.widget("graph", Widget::Picture(Picture::of(graph)));
    page.render()
}

/// Service accounts too: a binding may name one that is not there.
fn wanted(group: &str, plural: &str) -> bool {
    access::wanted(group, plural) || (group.is_empty() && plural == "serviceaccounts")
}

fn document(arguments: &Arguments, graph: &Graph) -> Result<Map<String, Value>> {
    let mut document = Map::new();
    let question = json!({
        "subjects": arguments.subjects,
        "roles": arguments.roles,
        "verbs": arguments.verbs,
        "namespace": arguments.input.source.namespace,
    });
    document.insert("question".into(), question);
    if let Value::Object(parts) = serde_json::to_value(graph)? {
        document.extend(parts);
    }
    Ok(document)
}
