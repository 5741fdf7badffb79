//! `rampart completion` and the manual pages, from the command line's own definitions.

use crate::arguments::Arguments;
use anyhow::{Context, Result};
use clap::CommandFactory;
use std::path::Path;
use std::process::ExitCode;

/// Prints a completion script.
pub(crate) fn completion(shell: clap_complete::Shell) -> Result<ExitCode> {
    clap_complete::generate(
        shell,
        &mut Arguments::command(),
        "rampart",
        &mut std::io::stdout(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes one page per command.
pub(crate) fn manual(directory: &Path) -> Result<ExitCode> {
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), directory))
        .with_context(|| format!("cannot write the manual to {}", directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
