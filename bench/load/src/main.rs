//! Loads the API server of a kubeconfig with fixed work over TLS connections and prints one table
//! of rates and latencies. Blocking threads and a bare HTTP/1.1 client keep its own share of the
//! machine small and the same for every server.

mod client;
mod kubeconfig;
mod work;

use anyhow::{Context, Result};
use clap::Parser;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

/// Load for a Kubernetes API server.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// The server's kubeconfig (client certificate or token, embedded)
    #[arg(long)]
    kubeconfig: PathBuf,
    /// TLS connections
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Seconds per kind of work
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// ClusterRoleBindings that exist for the second round of SubjectAccessReviews
    #[arg(long, default_value_t = 55_000)]
    bindings: usize,
    /// The server's process, for its resident memory
    #[arg(long)]
    pid: Option<u32>,
}

/// What one kind of work came to.
struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
    failures: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let target = Arc::new(kubeconfig::Target::read(&arguments.kubeconfig)?);
    let idle = resident(arguments.pid);
    let mut setup = client::Connection::open(&target)?;
    work::prepare(&mut setup)?;
    println!("| work | per second | p50 | p99 | failures |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let limit = Duration::from_secs_f64(arguments.seconds);
    let measure = |name: &str, request: work::Request| -> Result<()> {
        let figures = run(&target, arguments.connections, limit, request)?;
        println!(
            "| {name} | {:.0} | {:.2} ms | {:.2} ms | {} |",
            figures.per_second,
            figures.p50.as_secs_f64() * 1e3,
            figures.p99.as_secs_f64() * 1e3,
            figures.failures
        );
        Ok(())
    };
    measure("create a configmap of 512 bytes", work::create)?;
    let loaded = resident(arguments.pid);
    measure("get a configmap", work::get)?;
    measure("list 500 configmaps", work::list)?;
    measure("SubjectAccessReview", work::review)?;
    if arguments.bindings > 0 {
        let left = AtomicUsize::new(arguments.bindings);
        let next = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        std::thread::scope(|scope| -> Result<()> {
            let fill = || -> Result<()> {
                let mut connection = client::Connection::open(&target)?;
                while let Ok(n) = next() {
                    work::bind(&mut connection, n)?;
                }
                Ok(())
            };
            let threads: Vec<_> = (0..arguments.connections)
                .map(|_| scope.spawn(fill))
                .collect();
            for thread in threads {
                thread
                    .join()
                    .map_err(|_| anyhow::anyhow!("a worker panicked"))??;
            }
            Ok(())
        })?;
        let name = format!("SubjectAccessReview, {} bindings", arguments.bindings);
        measure(&name, work::review)?;
    }
    if let (Some(idle), Some(loaded)) = (idle, loaded) {
        println!("\nresident: {idle} MiB idle, {loaded} MiB after the creates");
    }
    Ok(())
}

/// Resident memory of a process in MiB.
fn resident(pid: Option<u32>) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid?)).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

/// Sends requests on all connections until the time is over.
fn run(
    target: &Arc<kubeconfig::Target>,
    connections: usize,
    limit: Duration,
    request: work::Request,
) -> Result<Figures> {
    let barrier = Arc::new(Barrier::new(connections));
    let threads: Vec<_> = (0..connections)
        .map(|worker| {
            let (target, barrier) = (Arc::clone(target), Arc::clone(&barrier));
            std::thread::spawn(move || -> Result<(Vec<Duration>, usize, Duration)> {
                let opened = client::Connection::open(&target);
                barrier.wait();
                let mut connection = opened?;
                let start = Instant::now();
                let (mut latencies, mut failures, mut n) = (Vec::new(), 0, 0);
                while start.elapsed() < limit {
                    let sent = Instant::now();
                    let ok = request(&mut connection, worker, n)?;
                    latencies.push(sent.elapsed());
                    failures += usize::from(!ok);
                    n += 1;
                }
                Ok((latencies, failures, start.elapsed()))
            })
        })
        .collect();
    let mut latencies = Vec::new();
    let (mut failures, mut longest) = (0, Duration::ZERO);
    for thread in threads {
        let result = thread
            .join()
            .map_err(|_| anyhow::anyhow!("a worker panicked"))?;
        let (mut own, failed, elapsed) = result?;
        latencies.append(&mut own);
        failures += failed;
        longest = longest.max(elapsed);
    }
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies
            .get(index.min(latencies.len().saturating_sub(1)))
            .copied()
    };
    Ok(Figures {
        per_second: latencies.len() as f64 / longest.as_secs_f64(),
        p50: at(0.5).context("no request was answered")?,
        p99: at(0.99).context("no request was answered")?,
        failures,
    })
}
