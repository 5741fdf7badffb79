//! Structured logs on standard error.

use crate::arguments::LogFormat;
use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

/// Starts logging; a filter that cannot be read is an error.
pub(crate) fn start(filter: &str, format: LogFormat) -> Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("--log {filter:?} is no level and no filter"))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            use std::io::IsTerminal;
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(colour).init();
        }
        LogFormat::Json => lines.json().init(),
    }
    Ok(())
}
