//! `rampart fix`: repairs manifests.

mod diff;
mod report;
mod write;

use crate::arguments::SeverityArgument;
use crate::auditing;
use crate::input::{ALL, InputArguments};
use crate::output::{self, Colour, Format, Outcome, Style, answer, shown, tell};
use analysis::finding::Severity;
use analysis::fix::{self, File, Options};
use anyhow::{Result, bail};
use clap::Args;
use model::registry::Registry;
use pod_security::Level;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// The version of the answer's form.
const SCHEMA: &str = "rampart.fix/v1";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  rampart fix ./manifests | git apply\n  rampart fix --in-place --level \
    restricted ./manifests\n  helm template ./chart | rampart fix -o - - | kubectl apply -f -"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: InputArguments,
    /// Print what would change, for `git apply` and `patch -p1` [default]
    #[arg(long, conflicts_with_all = ["in_place", "output"])]
    diff: bool,
    /// Write the repaired files in the place of the old ones
    #[arg(long, conflicts_with = "output")]
    in_place: bool,
    /// Write all files into a directory; `-` prints the text of one file
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The level of the Pod Security Standards that all pods are meant to reach: what it asks for
    /// is set, also where a program might not like it
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Settings of the checks, and what is excused (YAML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Repair findings of this check only (repeatable)
    #[arg(long, value_name = "ID")]
    check: Vec<String>,
    /// Do not repair findings of this check (repeatable)
    #[arg(long, value_name = "ID")]
    skip: Vec<String>,
    /// How bad a finding that is left must be for exit status 1 [default: high]
    #[arg(long, value_enum, value_name = "SEVERITY")]
    fail_on: Option<SeverityArgument>,
    /// How the report is written
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Format::Human)]
    format: Format,
}

/// What is done with the repaired texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target<'a> {
    Diff,
    InPlace,
    Directory(&'a Path),
    StandardOutput,
}

impl Target<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Diff => "diff",
            Self::InPlace => "inPlace",
            Self::Directory(_) => "directory",
            Self::StandardOutput => "text",
        }
    }
}

/// A file, as it was and as it is now.
struct Changed {
    name: String,
    old: Arc<[u8]>,
    new: Arc<[u8]>,
    diff: diff::Diff,
}

impl Changed {
    fn is_changed(&self) -> bool {
        self.old != self.new
    }
}

/// Reads, repairs and writes.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let source = &arguments.input.source;
    if source.live || source.snapshot.is_some() {
        bail!(
            "fix repairs manifests: name files or directories, or `-` for standard input (a live \
             cluster or a snapshot has no text to repair)"
        );
    }
    let target = match &arguments.output {
        Some(path) if path == Path::new("-") => Target::StandardOutput,
        Some(path) => Target::Directory(path),
        None if arguments.in_place => Target::InPlace,
        None => Target::Diff,
    };
    let reads_stdin = arguments.input.paths.iter().any(|p| p == Path::new("-"));
    if reads_stdin && matches!(target, Target::InPlace | Target::Directory(_)) {
        bail!("standard input has no place to be written to: use -o - or --diff");
    }
    if target == Target::StandardOutput && arguments.format != Format::Human {
        bail!("-o - prints the repaired text: --format goes with --diff, --in-place and -o DIR");
    }
    let settings = auditing::settings(
        arguments.config.as_deref(),
        &arguments.check,
        &arguments.skip,
    )?;
    let input = arguments.input.load_with(&settings.pod_templates, ALL)?;
    tell(input.snapshot.problems(), &input.texts);
    let problems = input.snapshot.problems().to_vec();
    let worst = auditing::worst(&input.snapshot);
    let named: Vec<(String, Arc<[u8]>)> = input
        .snapshot
        .files()
        .map(|(id, name)| (name.to_owned(), Arc::from(input.texts.bytes(id))))
        .collect();
    if target == Target::StandardOutput && named.len() != 1 {
        bail!(
            "-o - prints one file, and there are {}: use -o DIR",
            named.len()
        );
    }
    let files: Vec<File<'_>> = named
        .iter()
        .map(|(name, text)| File { name, text })
        .collect();
    let reading = source.reading(&settings.pod_templates);
    let options = Options {
        audit: auditing::options(&settings, None),
        level: arguments.level,
    };
    let registry = Arc::new(Registry::builtin());
    let fixed = fix::run(input.snapshot, &files, &registry, &reading, options);
    let style = Style::stderr();
    for notice in &fixed.notices {
        let note = style.paint(Colour::Attention, "note");
        eprintln!("{note}: {}", shown(notice));
    }
    let changed: Vec<Changed> = named
        .into_iter()
        .zip(&fixed.texts)
        .map(|((name, old), new)| Changed {
            diff: diff::Diff::new(&name, &old, new),
            name,
            old,
            new: Arc::clone(new),
        })
        .collect();
    let failures = match target {
        Target::Diff | Target::StandardOutput => Vec::new(),
        Target::InPlace => write::in_place(&changed),
        Target::Directory(directory) => {
            write::into_directory(&arguments.input.paths, &changed, directory)?
        }
    };
    let fail_on = arguments.fail_on.map_or(settings.fail_on, Severity::from);
    let report = report::Report {
        fixed: &fixed,
        changed: &changed,
        target: target.name(),
        fail_on,
    };
    match (arguments.format, target) {
        (Format::Json | Format::Yaml, _) => {
            let document = report.document()?;
            answer(arguments.format, SCHEMA, document, &problems, |_| {
                String::new()
            })?;
        }
        // What can be piped on goes to standard output alone.
        (Format::Human, Target::Diff) => {
            eprint!("{}", report.human(style));
            let diffs: String = changed.iter().map(|c| c.diff.text.as_str()).collect();
            output::write(&diffs)?;
        }
        (Format::Human, Target::StandardOutput) => {
            eprint!("{}", report.human(style));
            let text = changed.first().map(|c| &*c.new).unwrap_or_default();
            write::print(text)?;
        }
        (Format::Human, _) => output::write(&report.human(Style::stdout()))?,
    }
    for failure in &failures {
        eprintln!("{}: {failure:#}", style.paint(Colour::Bad, "error"));
    }
    if !failures.is_empty() {
        return Ok(ExitCode::from(2));
    }
    let is_bad = fixed.left.iter().any(|(s, n)| *s >= fail_on && *n > 0);
    let outcome = if is_bad { Outcome::Bad } else { Outcome::Good };
    Ok(outcome.status(worst))
}
