//! One file per command.

pub(crate) mod access_matrix;
mod audit;
mod backup;
mod can_i;
mod completion;
pub(crate) mod diff;
mod encryption;
mod explain;
pub(crate) mod fix;
pub(crate) mod graph;
mod kubeconfig;
mod netpol;
pub(crate) mod paths;
mod psp;
mod pss;
mod qos;
pub(crate) mod report;
pub(crate) mod schedule;
mod score;
mod serviceaccount_keys;
mod snapshot;
mod up;
mod who_can;

use crate::arguments::{Arguments, Command};
use anyhow::Result;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use kubeconfig::CLUSTER;

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Kubeconfig(arguments) => kubeconfig::run(&arguments),
        Command::Backup(arguments) => backup::backup(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Encryption(arguments) => encryption::run(&arguments),
        Command::ServiceaccountKeys(arguments) => serviceaccount_keys::run(&arguments),
        Command::Snapshot(arguments) => snapshot::run(&arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Fix(arguments) => fix::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Score(arguments) => score::run(&arguments),
        Command::CanI(arguments) => can_i::run(&arguments),
        Command::WhoCan(arguments) => who_can::run(&arguments),
        Command::Pss(arguments) => pss::run(&arguments),
        Command::Psp(arguments) => psp::run(&arguments),
        Command::Qos(arguments) => qos::run(&arguments),
        Command::Schedule(arguments) => schedule::run(&arguments),
        Command::AccessMatrix(arguments) => access_matrix::run(&arguments),
        Command::Graph(arguments) => graph::run(&arguments),
        Command::Paths(arguments) => paths::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Netpol(arguments) => netpol::run(&arguments),
        Command::Completion { shell } => completion::completion(shell),
        Command::Manual { directory } => completion::manual(&directory),
    }
}

/// The time in seconds since the Unix epoch.
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .unwrap_or_default()
}
