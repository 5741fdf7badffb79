//! `cargo xtask test`: every test of the workspace.

use crate::tools;
use anyhow::{Result, bail};
use std::process::Command;

/// Runs the layer check and `cargo test --workspace` with every kubectl that can be had, Chromium and
/// a busybox; `arguments` go to `cargo test`. On CI a test that would be skipped is an error.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    crate::layers::check()?;
    let on_ci = std::env::var_os("CI").is_some();
    let mut kubectls = Vec::new();
    if let Some(kubectl) = tools::kubectl_on_path() {
        kubectls.push(kubectl);
    }
    match tools::debian_kubectl() {
        Ok(kubectl) => kubectls.push(kubectl),
        Err(why) if on_ci => bail!("Debian's kubectl could not be had: {why:#}"),
        Err(why) => eprintln!("SKIP: tests with Debian's kubectl 1.20: {why:#}"),
    }
    if kubectls.is_empty() {
        bail!("no kubectl: install one, or run where apt can fetch Debian's kubernetes-client");
    }
    let wanted = [
        (
            "RAMPART_TEST_CHROMIUM",
            "pages are not opened in a browser",
            tools::chromium(),
        ),
        (
            "RAMPART_TEST_BUSYBOX",
            "no containers are run",
            tools::busybox(),
        ),
    ];
    let joined = std::env::join_paths(&kubectls)?;
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--workspace", "--locked"])
        .args(arguments)
        .env("RAMPART_TEST_KUBECTLS", joined)
        .current_dir(tools::root());
    for (variable, without, found) in wanted {
        match found {
            Ok(tool) => {
                command.env(variable, tool);
            }
            Err(why) if on_ci => bail!("{without}: {why:#}"),
            Err(why) => eprintln!("SKIP: {without}: {why:#}"),
        }
    }
    tools::run(&mut command)
}
