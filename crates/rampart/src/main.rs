//! Rampart: Kubernetes security in one binary.

mod arguments;
mod cluster;
mod commands;
mod control;
mod data_dir;
mod store;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(arguments::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
