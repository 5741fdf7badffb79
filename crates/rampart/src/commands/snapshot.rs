//! `rampart snapshot`: the objects of a cluster, in one file that every analysis reads.

use crate::arguments;
use crate::input::{ALL, InputArguments, Live, SourceArguments};
use crate::output::{Outcome, tell};
use anyhow::{Context, Result};
use inputs::{Texts, write_snapshot};
use model::registry::Registry;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// Reads everything and writes the file.
pub(crate) fn run(arguments: &arguments::Snapshot) -> Result<ExitCode> {
    let (snapshot, texts) = if arguments.paths.is_empty() {
        let live = Live::connect(&arguments.cluster)?;
        let own = live.client().namespace();
        let namespace = arguments.namespace.as_deref().unwrap_or(own);
        let snapshot = live.read(Arc::new(Registry::builtin()), namespace, Vec::new(), ALL)?;
        (snapshot, Texts::default())
    } else {
        let input = InputArguments {
            paths: arguments.paths.clone(),
            source: SourceArguments {
                manifest_namespace: arguments.namespace.clone(),
                ..SourceArguments::default()
            },
        };
        let input = input.load(ALL)?;
        (input.snapshot, input.texts)
    };
    tell(snapshot.problems(), &texts);
    if arguments.output == Path::new("-") {
        let mut out = std::io::stdout().lock();
        out.write_all(&snapshot.to_json()?)?;
        out.write_all(b"\n")?;
    } else {
        let path = &arguments.output;
        write_snapshot(path, &snapshot).with_context(|| path.display().to_string())?;
        eprintln!(
            "wrote {}: {} objects, {} problems",
            path.display(),
            snapshot
                .objects()
                .iter()
                .filter(|o| !snapshot.is_added(o))
                .count(),
            snapshot.problems().len()
        );
    }
    Ok(Outcome::Good.status(snapshot.worst_problem()))
}
