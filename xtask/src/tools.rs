//! Finding and fetching the tools that the end-to-end tests drive.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map_or_else(PathBuf::new, Path::to_path_buf)
}

/// Runs a command, its output shown; an error if it does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command
        .status()
        .with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// The `kubectl` on PATH, if there is one.
pub(crate) fn kubectl_on_path() -> Option<PathBuf> {
    on_path("kubectl")
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The Chromium on PATH, else Debian's, installed with apt: it needs too many libraries to stand
/// beside the system. An error says why it could not be had.
pub(crate) fn chromium() -> Result<PathBuf> {
    if let Some(found) = on_path("chromium") {
        return Ok(found);
    }
    let install = || {
        Command::new("apt-get")
            .args(["install", "-qy", "--no-install-recommends", "chromium"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .context("apt-get is not on this machine")
    };
    if !install()?.status.success() {
        // A fresh machine has no package lists yet.
        run(Command::new("apt-get").args(["update", "-q"]))?;
        let output = install()?;
        if !output.status.success() {
            bail!(
                "apt-get install: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    on_path("chromium").context("apt-get install left no chromium on PATH")
}

/// Debian's `kubectl` (1.20), fetched into `target/tools` with apt and not installed, so that it
/// stands beside any other. An error says why it could not be had.
pub(crate) fn debian_kubectl() -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let kubectl = tools.join("debian/usr/bin/kubectl");
    if kubectl.is_file() {
        return Ok(kubectl);
    }
    let fetch = tools.join("fetch");
    std::fs::create_dir_all(&fetch)?;
    let download = || {
        Command::new("apt-get")
            .args(["download", "-q", "kubernetes-client"])
            .current_dir(&fetch)
            .output()
            .context("apt-get is not on this machine")
    };
    if !download()?.status.success() {
        // A fresh machine has no package lists yet.
        run(Command::new("apt-get").args(["update", "-q"]))?;
        let output = download()?;
        if !output.status.success() {
            bail!(
                "apt-get download: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
    }
    let package = std::fs::read_dir(&fetch)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .context("apt-get download left no package")?;
    run(Command::new("dpkg")
        .arg("-x")
        .arg(package)
        .arg(tools.join("debian")))?;
    Ok(kubectl)
}
