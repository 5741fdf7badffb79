//! The last step of a container's process, in place of `libcontainer`'s own: it finds the command
//! as the OCI runtimes do, puts the process under its seccomp filter (also for `exec`, where
//! `libcontainer` forgets it) and executes the command.

use crate::seccomp::{Filter, install};
use caps::{CapSet, Capability, CapsHashSet};
use libcontainer::oci_spec::runtime::Spec;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a command without a slash is looked for if the container has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Capabilities lent to a process so that it can install its filter, and what it keeps.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lent {
    pub(crate) bounding: Vec<Capability>,
    pub(crate) effective: CapsHashSet,
    pub(crate) permitted: CapsHashSet,
}

/// What is done before the command is executed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Last {
    pub(crate) filter: Option<Filter>,
    pub(crate) lent: Option<Lent>,
}

impl Last {
    fn confine(&self) -> io::Result<()> {
        if let Some(filter) = &self.filter {
            install(filter)?;
        }
        let Some(lent) = &self.lent else {
            return Ok(());
        };
        for capability in &lent.bounding {
            caps::drop(None, CapSet::Bounding, *capability).map_err(io::Error::other)?;
        }
        caps::set(None, CapSet::Effective, &lent.effective).map_err(io::Error::other)?;
        caps::set(None, CapSet::Permitted, &lent.permitted).map_err(io::Error::other)
    }
}

/// The command and its arguments; the path that its name stands for.
fn resolve(spec: &Spec) -> Result<(PathBuf, Vec<String>), String> {
    let process = spec.process().as_ref().ok_or("the spec has no process")?;
    let args = process.args().clone().unwrap_or_default();
    let name = args.first().cloned().unwrap_or_default();
    if name.is_empty() {
        return Err("no command specified".into());
    }
    let path = process
        .env()
        .iter()
        .flatten()
        .rev()
        .find_map(|variable| variable.strip_prefix("PATH="))
        .unwrap_or(DEFAULT_PATH);
    let found = if name.contains('/') {
        executable(Path::new(&name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("exec: {name:?}: stat {name}: no such file or directory")
            }
            _ => format!("exec: {name:?}: permission denied"),
        })?;
        PathBuf::from(&name)
    } else {
        path.split(':')
            .map(|directory| Path::new(directory).join(&name))
            .find(|candidate| executable(candidate).is_ok())
            .ok_or_else(|| format!("exec: {name:?}: executable file not found in $PATH"))?
    };
    Ok((found, args))
}

/// Whether a path is a file that this process may execute.
fn executable(path: &Path) -> io::Result<()> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?)
}

impl Executor for Last {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let (path, args) = resolve(spec).map_err(ExecutorError::Other)?;
        let mut command = Command::new(path);
        if let Some((name, rest)) = args.split_first() {
            command.arg0(name).args(rest);
        }
        // Nothing is executed outside its filter.
        self.confine()
            .map_err(|error| ExecutorError::Other(format!("seccomp: {error}")))?;
        // The standard library gives back the signal dispositions that it changed, and passes the
        // environment that `setup_envs` made.
        Err(ExecutorError::Execution(Box::new(command.exec())))
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        resolve(spec)
            .map(|_| ())
            .map_err(ExecutorValidationError::ArgValidationError)
    }
}
