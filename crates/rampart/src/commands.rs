//! One file per command.

mod completion;
mod kubeconfig;

use crate::arguments::{Arguments, Command};
use anyhow::Result;
use std::process::ExitCode;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Up(up) => up::run(*up),
        Command::Kubeconfig(kubeconfig) => kubeconfig::run(&kubeconfig),
        Command::Backup(backup) => backup::backup(&backup),
        Command::Restore(restore) => backup::restore(&restore),
        Command::Encryption(encryption) => encryption::run(&encryption),
        Command::Completion { shell } => completion::completion(shell),
        Command::Manual { directory } => completion::manual(&directory),
    }
}
