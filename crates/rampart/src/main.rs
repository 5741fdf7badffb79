//! Rampart: Kubernetes security in one binary.

mod access;
mod arguments;
mod auditing;
mod cluster;
mod commands;
mod control;
mod data_dir;
mod findings;
mod input;
mod output;
mod page;
mod pods;
mod refused;
mod store;
mod token_keys;
mod usage;

use clap::Parser;
use std::process::ExitCode;

/// Requests allocate and free many small values on two or more threads; measured against the
/// system's allocator in `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match commands::run(arguments::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
