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
    apt_get(
        &["install", "-qy", "--no-install-recommends", "chromium"],
        &root(),
    )?;
    on_path("chromium").context("apt-get install left no chromium on PATH")
}

/// Debian's `kubectl` (1.20). An error says why it could not be had.
pub(crate) fn debian_kubectl() -> Result<PathBuf> {
    of_package("kubernetes-client", &["usr/bin/kubectl"])
}

/// Debian's `busybox`, of which tests make images. An error says why it could not be had.
pub(crate) fn busybox() -> Result<PathBuf> {
    of_package("busybox-static", &["bin/busybox", "usr/bin/busybox"])
}

/// A file of a Debian package, at the first of `places` that the package has. The package is
/// fetched into `target/tools` with apt and not installed, so that it stands beside any other.
fn of_package(package: &str, places: &[&str]) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let files = tools.join("debian");
    let found = || {
        let mut all = places.iter().map(|place| files.join(place));
        all.find(|file| file.is_file())
    };
    if let Some(found) = found() {
        return Ok(found);
    }
    let fetch = tools.join("fetch").join(package);
    std::fs::create_dir_all(&fetch)?;
    apt_get(&["download", "-q", package], &fetch)?;
    let archive = std::fs::read_dir(&fetch)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .context("apt-get download left no package")?;
    run(Command::new("dpkg").arg("-x").arg(archive).arg(&files))?;
    found().with_context(|| format!("Debian's {package} has none of {places:?}"))
}

/// Runs `apt-get`, and once more with new package lists if it fails: a fresh machine has none.
fn apt_get(arguments: &[&str], directory: &Path) -> Result<()> {
    let attempt = || {
        Command::new("apt-get")
            .args(arguments)
            .current_dir(directory)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .context("apt-get is not on this machine")
    };
    if attempt()?.status.success() {
        return Ok(());
    }
    run(Command::new("apt-get").args(["update", "-q"]))?;
    let output = attempt()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("apt-get {}: {}", arguments.join(" "), said.trim());
    }
    Ok(())
}
