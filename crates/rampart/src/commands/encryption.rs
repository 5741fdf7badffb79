//! `rampart encryption`: the keys of stored objects.

use crate::arguments::Encryption;
use crate::control::{Order, give};
use crate::data_dir::DataDir;
use anyhow::Result;
use std::process::ExitCode;

/// Runs the subcommand.
pub(crate) fn run(arguments: &Encryption) -> Result<ExitCode> {
    let (data, order) = match arguments {
        Encryption::Rotate { data } => (data, Order::Rotate),
        Encryption::Status { data } => (data, Order::Keys),
    };
    println!("{}", give(&DataDir::of(data)?, &order)?);
    Ok(ExitCode::SUCCESS)
}
