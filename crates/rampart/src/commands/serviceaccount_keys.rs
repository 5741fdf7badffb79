//! `rampart serviceaccount-keys`: the keys of service-account tokens.

use crate::arguments::ServiceaccountKeys;
use crate::control::{Order, give};
use crate::data_dir::DataDir;
use anyhow::Result;
use std::process::ExitCode;

/// Runs the subcommand.
pub(crate) fn run(arguments: &ServiceaccountKeys) -> Result<ExitCode> {
    let (data, order) = match arguments {
        ServiceaccountKeys::Rotate { data } => (data, Order::RotateTokenKeys),
        ServiceaccountKeys::Status { data } => (data, Order::TokenKeys),
    };
    println!("{}", give(&DataDir::of(data)?, &order)?);
    Ok(ExitCode::SUCCESS)
}
