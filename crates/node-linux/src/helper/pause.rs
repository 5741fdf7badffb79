//! A pod's shared process namespace: a first process that reaps orphans and does nothing else.

use nix::sched::{CloneFlags, unshare};
use rustix::process::{WaitOptions, wait};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use tokio::signal::unix::{SignalKind, signal};

/// Makes the namespace, starts its first process in it and leaves that process' number in a file.
pub(crate) fn make(pid_file: &Path) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWPID)?;
    let child = Command::new("/proc/self/exe")
        .args(["pod-helper", "pause"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    crate::files::write(pid_file, child.id().to_string().as_bytes())
}

/// Is that first process. The kernel delivers it no signal that it does not handle, so only a
/// kill from outside ends it, and with it everything in the namespace.
pub(crate) fn hold() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let mut children = signal(SignalKind::child())?;
        loop {
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
            if children.recv().await.is_none() {
                return Ok(());
            }
        }
    })
}
