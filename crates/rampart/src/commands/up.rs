//! `rampart up`: a cluster in the foreground.

use crate::arguments::Up;
use crate::cluster::{Cluster, start_logging};
use anyhow::{Context, Result};
use std::io::Write;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(arguments: &Up) -> Result<ExitCode> {
    start_logging(&arguments.log, arguments.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let cluster = Cluster::start(arguments).await?;
        announce(&cluster).context("cannot write to standard output")?;
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        tracing::info!("stopping");
        cluster.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

fn announce(cluster: &Cluster) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "kubeconfig: {}", cluster.kubeconfig.display())?;
    writeln!(
        out,
        "try: kubectl --kubeconfig {} get nodes",
        cluster.kubeconfig.display()
    )?;
    writeln!(out, "rampart is ready at {}", cluster.url)?;
    out.flush()
}
