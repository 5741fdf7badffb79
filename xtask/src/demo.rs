//! `cargo xtask demo`: a cluster comes up and kubectl walks through the workshop on it.

use crate::tools;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Ends the cluster with the demo, however the demo ends.
struct Cluster(Child);

impl Drop for Cluster {
    fn drop(&mut self) {
        // SIGTERM is `rampart up`'s way to stop; the standard library can only kill.
        let pid = self.0.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// Builds Rampart, starts it on a free port with a data directory of its own, and shows kubectl.
pub(crate) fn run() -> Result<()> {
    let root = tools::root();
    tools::run(
        Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--package", "rampart"])
            .current_dir(&root),
    )?;
    let kubectl = match tools::kubectl_on_path() {
        Some(kubectl) => kubectl,
        None => tools::debian_kubectl().context("no kubectl on PATH")?,
    };
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root.join("target"), std::path::PathBuf::from);
    let directory = target.join("demo");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let kubeconfig = directory.join("kubeconfig");
    let started = Instant::now();
    let mut cluster = Cluster(
        Command::new(target.join("release/rampart"))
            .args([
                "up",
                "--listen",
                "127.0.0.1:0",
                "--node",
                "simulated",
                "--data-dir",
            ])
            .arg(directory.join("data"))
            .arg("--kubeconfig-out")
            .arg(&kubeconfig)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(directory.join("log"))?)
            .spawn()
            .context("rampart up")?,
    );
    let output = cluster
        .0
        .stdout
        .take()
        .context("rampart up has no output")?;
    let mut lines = BufReader::new(output).lines();
    loop {
        let Some(line) = lines.next().transpose()? else {
            bail!(
                "rampart up ended early:\n{}",
                std::fs::read_to_string(directory.join("log"))?
            );
        };
        println!("{line}");
        if line.contains("ready") {
            break;
        }
    }
    println!("\nready after {} ms\n", started.elapsed().as_millis());
    let workshop = root.join("crates/rampart/tests/workshop");
    let show = |arguments: &[&str]| show(&kubectl, &kubeconfig, arguments);
    let mut files: Vec<_> = std::fs::read_dir(&workshop)?
        .filter_map(|e| e.ok().map(|e| e.path()))
        .collect();
    files.sort();
    for file in &files {
        show(&["apply", "-f", &file.display().to_string()])?;
    }
    show(&[
        "wait",
        "--for=condition=Ready",
        "pods",
        "--all",
        "-A",
        "--timeout=30s",
    ])?;
    show(&["get", "nodes,pods", "-A", "-o", "wide"])?;
    let qos = "custom-columns=POD:.metadata.name,QOS:.status.qosClass,PRIORITY:.spec.priority";
    show(&["get", "pods", "-A", "-o", qos])?;
    let account = "system:serviceaccount:default:rbac-example";
    show(&["auth", "can-i", "--list", "--as", account])?;
    println!("the cluster stops with this demo; `rampart up` keeps one running");
    Ok(())
}

fn show(kubectl: &Path, kubeconfig: &Path, arguments: &[&str]) -> Result<()> {
    println!("$ kubectl {}", arguments.join(" "));
    tools::run(
        Command::new(kubectl)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments),
    )?;
    println!();
    Ok(())
}
