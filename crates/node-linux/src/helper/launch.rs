//! The launcher: makes one container, or runs one process in it, and ends. What it makes becomes
//! the helper's child.

use super::executor::{Last, Lent};
use crate::files;
use crate::seccomp::compile;
use caps::{CapSet, Capability, CapsHashSet};
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::error::LibcontainerError;
use libcontainer::syscall::syscall::SyscallType;
use oci_spec::runtime::{
    Capabilities, Capability as SpecCapability, LinuxCapabilities, Process, Spec,
};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What to launch, left in a file for the launcher; its standard streams are the process'.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// The container.
    pub(crate) id: String,
    /// `libcontainer`'s state.
    pub(crate) engine: PathBuf,
    /// What the container is to be.
    pub(crate) spec: PathBuf,
    /// The OCI bundle, whose spec is written here, adapted.
    pub(crate) bundle: PathBuf,
    /// Where to send the terminal.
    pub(crate) console: Option<PathBuf>,
    /// A process to run in the container that is there, instead of making it.
    pub(crate) process: Option<Box<Process>>,
    /// Where to leave the [`Launched`].
    pub(crate) result: PathBuf,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Launched {
    /// The process runs, or ran.
    Running {
        /// Its number.
        pid: i32,
        /// What could not be done as asked, where that is no danger.
        notes: Vec<String>,
    },
    /// It does not run.
    Failed(String),
}

/// Does what the request in the file says.
pub(crate) fn main(request: &Path) -> io::Result<()> {
    let launch: Launch = files::read_json(request)?;
    let result = launch.result.clone();
    let mut notes = Vec::new();
    let launched = match run(launch, &mut notes) {
        Ok(pid) => Launched::Running { pid, notes },
        Err(message) => Launched::Failed(message),
    };
    files::write_json(&result, &launched)
}

fn run(launch: Launch, notes: &mut Vec<String>) -> Result<i32, String> {
    let config = launch.bundle.join("config.json");
    let original = &launch.spec;
    let mut spec: Spec = files::read_json(original).map_err(|e| format!("{original:?}: {e}"))?;
    let of_container = launch.process.is_none();
    let mut process = match launch.process {
        Some(process) => *process,
        None => spec.process().clone().ok_or("the spec has no process")?,
    };
    let filter = match spec.linux().as_ref().and_then(|l| l.seccomp().as_ref()) {
        Some(profile) => Some(compile(profile).map_err(|error| error.to_string())?),
        None => None,
    };
    let available = caps::read(None, CapSet::Permitted).map_err(|e| e.to_string())?;
    let mut capabilities = process.capabilities().clone().unwrap_or_else(none);
    restrict(&mut capabilities, &available, notes);
    let lent = match &filter {
        Some(_) if process.no_new_privileges() != Some(true) => Some(lend(&mut capabilities)),
        _ => None,
    };
    process.set_capabilities(Some(capabilities));
    if let Some(score) = process.oom_score_adj() {
        process.set_oom_score_adj(None);
        oom_score(score, notes);
    }
    let builder = ContainerBuilder::new(launch.id, SyscallType::default())
        .with_executor(Last { filter, lent })
        .with_console_socket(launch.console)
        .with_root_path(&launch.engine)
        .map_err(explain)?;
    if of_container {
        spec.set_process(Some(process));
        files::write_json(&config, &spec).map_err(|e| format!("{config:?}: {e}"))?;
        let mut container = builder
            .as_init(&launch.bundle)
            .with_systemd(false)
            .build()
            .map_err(explain)?;
        let pid = container.pid().ok_or("the container has no process")?;
        container.start().map_err(explain)?;
        Ok(pid.as_raw())
    } else {
        let file = launch.result.with_extension("process");
        files::write_json(&file, &process).map_err(|e| format!("{file:?}: {e}"))?;
        let pid = builder
            .as_tenant()
            .with_process(Some(&file))
            .with_detach(true)
            .build()
            .map_err(explain);
        // It may hold secrets, and nobody needs it any more.
        let _ = fs::remove_file(&file);
        Ok(pid?.as_raw())
    }
}

/// The whole chain of an error: `libcontainer`'s outermost says little.
fn explain(error: LibcontainerError) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !words.last().is_some_and(|last| last.ends_with(&text)) {
            words.push(text);
        }
        source = error.source();
    }
    // What the container's process said is what the user did wrong.
    let said = words.iter().find_map(|text| {
        let at = text.find("exec: \"")?;
        text.get(at..).map(str::to_owned)
    });
    said.unwrap_or_else(|| words.join(": "))
}

fn none() -> LinuxCapabilities {
    let mut none = LinuxCapabilities::default();
    let empty = || Some(Capabilities::new());
    none.set_bounding(empty())
        .set_effective(empty())
        .set_permitted(empty())
        .set_inheritable(empty())
        .set_ambient(empty());
    none
}

fn known(capability: SpecCapability) -> Option<Capability> {
    let name = caps::to_canonical(&capability.to_string());
    Capability::from_str(&name).ok()
}

/// Takes out what this process does not have and so cannot give.
fn restrict(
    capabilities: &mut LinuxCapabilities,
    available: &CapsHashSet,
    notes: &mut Vec<String>,
) {
    let mut missing = Capabilities::new();
    let mut reduce = |set: &Option<Capabilities>| {
        let (kept, gone): (Capabilities, Capabilities) = set
            .iter()
            .flatten()
            .partition(|c| known(**c).is_some_and(|c| available.contains(&c)));
        missing.extend(gone);
        Some(kept)
    };
    let (bounding, effective, permitted, inheritable, ambient) = (
        reduce(capabilities.bounding()),
        reduce(capabilities.effective()),
        reduce(capabilities.permitted()),
        reduce(capabilities.inheritable()),
        reduce(capabilities.ambient()),
    );
    capabilities
        .set_bounding(bounding)
        .set_effective(effective)
        .set_permitted(permitted)
        .set_inheritable(inheritable)
        .set_ambient(ambient);
    for capability in missing {
        notes.push(format!("the node does not have {capability:?} to give"));
    }
}

fn set(capabilities: &Option<Capabilities>) -> CapsHashSet {
    capabilities
        .iter()
        .flatten()
        .filter_map(|c| known(*c))
        .collect()
}

/// Installing a filter without no-new-privileges takes `CAP_SYS_ADMIN`, and to give that up again
/// takes `CAP_SETPCAP`. The filter must permit what gives them up, as with `runc`.
fn lend(capabilities: &mut LinuxCapabilities) -> Lent {
    let loan = [SpecCapability::SysAdmin, SpecCapability::Setpcap];
    let lent = Lent {
        bounding: loan
            .iter()
            .filter(|c| !capabilities.bounding().iter().flatten().any(|b| b == *c))
            .filter_map(|c| known(*c))
            .collect(),
        effective: set(capabilities.effective()),
        permitted: set(capabilities.permitted()),
    };
    let with = |set: &Option<Capabilities>| {
        let mut set = set.clone().unwrap_or_default();
        set.extend(loan);
        Some(set)
    };
    let (bounding, effective, permitted) = (
        with(capabilities.bounding()),
        with(capabilities.effective()),
        with(capabilities.permitted()),
    );
    capabilities
        .set_bounding(bounding)
        .set_effective(effective)
        .set_permitted(permitted);
    lent
}

/// Sets the score that the process inherits. Lowering it takes `CAP_SYS_RESOURCE`; without that
/// the process runs with the node's own.
fn oom_score(score: i32, notes: &mut Vec<String>) {
    if let Err(error) = fs::write("/proc/self/oom_score_adj", score.to_string()) {
        notes.push(format!("oom_score_adj {score}: {error}"));
    }
}
