//! `rampart backup` and `rampart restore`.

use crate::arguments::{Backup, Restore};
use crate::control::{Order, give};
use crate::data_dir::DataDir;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// Copies the store into a file.
pub(crate) fn backup(arguments: &Backup) -> Result<ExitCode> {
    let data = DataDir::of(&arguments.data)?;
    let file = std::path::absolute(&arguments.output)?;
    println!("{}", give(&data, &Order::Backup(file))?);
    Ok(ExitCode::SUCCESS)
}

/// Brings the store back to a backup.
pub(crate) fn restore(arguments: &Restore) -> Result<ExitCode> {
    let data = DataDir::of(&arguments.data)?;
    let file = std::path::absolute(&arguments.backup)
        .with_context(|| arguments.backup.display().to_string())?;
    let done = if crate::store::exists(&data) {
        give(&data, &Order::Restore(file))?
    } else {
        crate::store::restore_new(&data, &file)?
    };
    println!("{done}");
    Ok(ExitCode::SUCCESS)
}
