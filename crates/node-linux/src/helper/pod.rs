//! A pod as its helper holds it: what the agent asks for, carried out.

use super::container::{Held, Parts};
use super::launch::Launch;
use super::log::Log;
use super::output::Outputs;
use super::process::{self, Plan, Process, Stdin};
use super::reaper::Reaper;
use crate::cgroup;
use crate::files;
use crate::layout::PodDirs;
use crate::protocol::Setup;
use crate::record::{Record, now};
use node_api::{
    Container, ContainerConfig, ContainerId, ContainerState, Error, ExecConfig, Exit, ExitReason,
    Network, PidMode, Result,
};
use oci_spec::runtime::{
    LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Mount, MountBuilder,
    Process as OciProcess, Spec,
};
use rustix::process::{Pid, Signal, pidfd_open};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tokio::sync::broadcast;

/// A pod.
pub(crate) struct Pod {
    pub(crate) setup: Setup,
    pub(crate) dirs: PodDirs,
    pub(crate) reaper: Reaper,
    pub(crate) events: broadcast::Sender<(ContainerId, Exit)>,
    /// The first process of the shared process namespace.
    pub(crate) pause: Option<i32>,
    containers: RefCell<BTreeMap<ContainerId, Rc<Held>>>,
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Failed(format!("{what}: {error}"))
}

/// The original spec: what `libcontainer` gets may be adapted for the launcher's own use.
fn spec_file(dirs: &PodDirs, id: &ContainerId) -> PathBuf {
    dirs.container_run(&id.0).join("spec.json")
}

impl Pod {
    pub(crate) fn new(setup: Setup, dirs: PodDirs, reaper: Reaper, pause: Option<i32>) -> Self {
        Self {
            setup,
            dirs,
            reaper,
            events: broadcast::Sender::new(256),
            pause,
            containers: RefCell::default(),
        }
    }

    pub(crate) fn held(&self, id: &ContainerId) -> Result<Rc<Held>> {
        self.containers
            .borrow()
            .get(id)
            .cloned()
            .ok_or_else(|| Error::not_found("container", &id.0))
    }

    pub(crate) fn list(&self) -> Vec<Container> {
        self.containers
            .borrow()
            .values()
            .map(|held| held.record.borrow().container.clone())
            .collect()
    }

    /// Notes a container and writes its bundle.
    pub(crate) fn create(
        &self,
        id: ContainerId,
        image: String,
        config: ContainerConfig,
        root: &Path,
    ) -> Result<Container> {
        if self.containers.borrow().contains_key(&id) {
            return Err(Error::Conflict(format!("container {id} exists")));
        }
        let spec = self.complete(config.spec, &config.pid, root, config.tty)?;
        let user = spec.process().as_ref().map(OciProcess::user);
        let owner = user.map_or((0, 0), |user| (user.uid(), user.gid()));
        let cgroup = spec
            .linux()
            .as_ref()
            .and_then(|linux| linux.cgroups_path().as_ref())
            .map(|path| path.to_string_lossy().into_owned())
            .ok_or_else(|| Error::Invalid("the spec names no control group".into()))?;
        files::make_dir(&self.dirs.bundle(&id.0)).map_err(failed("bundle"))?;
        files::write_json(&spec_file(&self.dirs, &id), &spec).map_err(failed("bundle"))?;
        let (log_path, log) = if config.log_path.as_os_str().is_empty() {
            (PathBuf::new(), None)
        } else {
            let path = self.setup.config.log_directory.join(&config.log_path);
            let log = Log::open(&path, config.log_limits).map_err(failed("log"))?;
            (path, Some(log))
        };
        let container = Container {
            id: id.clone(),
            sandbox: self.setup.id.clone(),
            name: config.name,
            attempt: config.attempt,
            image,
            state: ContainerState::Created,
            pid: None,
            created_at: now(),
            started_at: None,
            log_path,
            labels: config.labels,
            annotations: config.annotations,
        };
        let parts = Parts {
            record: Record {
                container: container.clone(),
                cgroup,
                notes: Vec::new(),
            },
            outputs: Outputs::new(log),
            tty: config.tty,
            wants_stdin: config.stdin,
            stdin_once: config.stdin_once,
            pid_mode: config.pid,
            owner,
        };
        let held = Held::new(&self.dirs, parts)?;
        self.containers.borrow_mut().insert(id, Rc::new(held));
        Ok(container)
    }

    /// Sets what the runtime decides in a spec: root, namespaces, terminal, `/dev/shm`.
    fn complete(&self, mut spec: Spec, pid: &PidMode, root: &Path, tty: bool) -> Result<Spec> {
        let mut oci_root = spec.root().clone().unwrap_or_default();
        oci_root.set_path(root.to_owned());
        spec.set_root(Some(oci_root));
        let mut process = spec
            .process()
            .clone()
            .ok_or_else(|| Error::Invalid("the spec has no process".into()))?;
        process.set_terminal(Some(tty));
        spec.set_process(Some(process));
        let mut linux = spec.linux().clone().unwrap_or_default();
        linux.set_namespaces(Some(self.namespaces(pid)?));
        spec.set_linux(Some(linux));
        if !self.setup.config.host_ipc {
            let mounts = spec.mounts().clone().unwrap_or_default();
            let mounts: Result<Vec<Mount>> = mounts
                .into_iter()
                .map(|mount| match is_shm(&mount) {
                    true => shared_memory(&self.dirs.shm()),
                    false => Ok(mount),
                })
                .collect();
            spec.set_mounts(Some(mounts?));
        }
        // The sandbox's namespace has it already.
        spec.set_hostname(None);
        Ok(spec)
    }

    fn namespaces(&self, pid: &PidMode) -> Result<Vec<LinuxNamespace>> {
        use LinuxNamespaceType::{Cgroup, Ipc, Mount, Network as Net, Pid as PidNs, Uts};
        let helper = std::process::id();
        let own = |kind: &str| Some(PathBuf::from(format!("/proc/{helper}/ns/{kind}")));
        let mut namespaces = vec![(Mount, None), (Cgroup, None)];
        if self.setup.config.network == Network::Pod {
            namespaces.push((Net, own("net")));
            namespaces.push((Uts, own("uts")));
        }
        if !self.setup.config.host_ipc {
            namespaces.push((Ipc, own("ipc")));
        }
        let of = |pid: i32| Some(PathBuf::from(format!("/proc/{pid}/ns/pid")));
        match pid {
            PidMode::Container => namespaces.push((PidNs, None)),
            PidMode::Node => (),
            PidMode::Pod => {
                let pause = self.pause.ok_or_else(|| {
                    Error::Invalid("the sandbox has no shared process namespace".into())
                })?;
                namespaces.push((PidNs, of(pause)));
            }
            PidMode::Target(target) => {
                let held = self.held(target)?;
                let pid = held.record.borrow().container.pid;
                let pid = pid
                    .and_then(|pid| i32::try_from(pid).ok())
                    .ok_or_else(|| Error::Conflict(format!("container {target} is not running")))?;
                namespaces.push((PidNs, of(pid)));
            }
        }
        namespaces
            .into_iter()
            .map(|(kind, path)| {
                let builder = LinuxNamespaceBuilder::default().typ(kind);
                let builder = match path {
                    Some(path) => builder.path(path),
                    None => builder,
                };
                builder.build().map_err(|e| Error::Invalid(e.to_string()))
            })
            .collect()
    }

    fn launch_of(&self, id: &ContainerId, process: Option<OciProcess>) -> Launch {
        Launch {
            id: id.0.clone(),
            engine: self.dirs.engine(),
            spec: spec_file(&self.dirs, id),
            bundle: self.dirs.bundle(&id.0),
            console: None,
            process: process.map(Box::new),
            result: PathBuf::new(),
        }
    }

    /// Runs a container.
    pub(crate) async fn start(self: &Rc<Self>, id: &ContainerId) -> Result<()> {
        let held = self.held(id)?;
        if held.begun.replace(true) {
            return Err(Error::Conflict(format!(
                "container {id} was started before"
            )));
        }
        let plan = Plan {
            launch: self.launch_of(id, None),
            tty: held.tty,
            stdin: held.wants_stdin,
            size: None,
            owner: held.owner,
            directory: Path::new("c").join(&id.0),
        };
        let process = match process::launch(&self.reaper, plan).await {
            Ok(process) => process,
            Err(error) => {
                let exit = Exit {
                    code: 128,
                    signal: 0,
                    reason: ExitReason::StartError,
                    message: error.to_string(),
                    finished_at: now(),
                };
                held.end(&exit);
                return Err(error);
            }
        };
        *held.stdin.borrow_mut() = process.stdin.clone();
        // A process that ended already has none, and is collected by the reaper.
        *held.process.borrow_mut() = Pid::from_raw(process.pid)
            .and_then(|pid| pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok());
        let noted = held.change(|record| {
            record.container.state = ContainerState::Running;
            record.container.pid = u32::try_from(process.pid).ok();
            record.container.started_at = Some(now());
            record.notes.extend(process.notes.iter().cloned());
        });
        let pod = Rc::clone(self);
        tokio::task::spawn_local(async move { pod.follow(held, process).await });
        noted
    }

    /// Passes on a container's output until it ends, then notes the end.
    async fn follow(self: Rc<Self>, held: Rc<Held>, process: Process) {
        let to = Rc::clone(&held);
        let mut exit = process
            .run(move |stream, bytes| {
                let to = Rc::clone(&to);
                async move { to.outputs.publish(stream, bytes).await }
            })
            .await;
        let (id, cgroup) = {
            let record = held.record.borrow();
            (record.container.id.clone(), record.cgroup.clone())
        };
        if cgroup::oom_kills(&cgroup) > 0 {
            exit.reason = ExitReason::OomKilled;
        }
        // With a process namespace of its own everything ended with the first process.
        if held.pid_mode != PidMode::Container {
            cgroup::kill(&cgroup);
        }
        if let Some(error) = held.outputs.finish() {
            eprintln!("pod-helper: the log of {id}: {error}");
        }
        held.end(&exit);
        // Nobody may be listening.
        let _ = self.events.send((id, exit));
    }

    /// Sends a signal to a container's first process, or to all of them.
    pub(crate) fn signal(&self, id: &ContainerId, signal: i32, all: bool) -> Result<()> {
        let held = self.held(id)?;
        let signal = Signal::from_named_raw(signal)
            .ok_or_else(|| Error::Invalid(format!("signal {signal} cannot be sent")))?;
        if all && held.is_running() {
            cgroup::signal_all(&held.record.borrow().cgroup, signal);
            return Ok(());
        }
        held.signal(signal)
    }

    /// Runs one more process in a container.
    pub(crate) async fn exec(&self, id: &ContainerId, config: &ExecConfig) -> Result<Process> {
        let held = self.held(id)?;
        held.running()?;
        let spec: Spec =
            files::read_json(&spec_file(&self.dirs, id)).map_err(failed("the container's spec"))?;
        let mut process = spec
            .process()
            .clone()
            .ok_or_else(|| Error::Invalid("the spec has no process".into()))?;
        process.set_args(Some(config.command.clone()));
        process.set_terminal(Some(config.tty));
        let plan = Plan {
            launch: self.launch_of(id, Some(process)),
            tty: config.tty,
            stdin: config.stdin,
            size: config.size,
            owner: held.owner,
            directory: Path::new("c").join(&id.0),
        };
        process::launch(&self.reaper, plan).await
    }

    /// Forgets a container that does not run.
    pub(crate) fn remove(&self, id: &ContainerId) -> Result<()> {
        let Ok(held) = self.held(id) else {
            return Ok(());
        };
        if held.is_running() {
            return Err(Error::Conflict(format!("container {id} is running")));
        }
        let cgroup = held.record.borrow().cgroup.clone();
        cgroup::kill(&cgroup);
        cgroup::remove(&cgroup).map_err(failed("control group"))?;
        for directory in [
            self.dirs.engine().join(&id.0),
            self.dirs.container_run(&id.0),
        ] {
            files::remove_dir(&directory).map_err(failed("container"))?;
        }
        match std::fs::remove_file(self.dirs.record(&id.0)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("container")(error));
            }
            _ => (),
        }
        self.containers.borrow_mut().remove(id);
        Ok(())
    }

    /// Kills everything that runs and waits for its end.
    pub(crate) async fn stop(&self) {
        let held: Vec<_> = self.containers.borrow().values().cloned().collect();
        for container in held.iter().filter(|c| c.is_running()) {
            cgroup::signal_all(&container.record.borrow().cgroup, Signal::KILL);
            if container.signal(Signal::KILL).is_ok() {
                // It ends, and its end is noted.
                let _ = container.wait().await;
            }
        }
        if let Some(pause) = self.pause.and_then(Pid::from_raw) {
            // It may be dead already.
            let _ = rustix::process::kill_process(pause, Signal::KILL);
        }
    }
}

/// The way into a container's first process.
pub(crate) fn stdin(held: &Held) -> Stdin {
    held.stdin.borrow().clone()
}

fn is_shm(mount: &Mount) -> bool {
    mount.destination() == Path::new("/dev/shm")
        && mount.typ().as_deref().is_none_or(|kind| kind == "tmpfs")
}

/// The pod's shared memory in place of one of the container's own.
fn shared_memory(from: &Path) -> Result<Mount> {
    let options = ["rbind", "rw", "nosuid", "nodev", "noexec"];
    MountBuilder::default()
        .destination("/dev/shm")
        .typ("bind")
        .source(from)
        .options(options.map(str::to_owned))
        .build()
        .map_err(|error| Error::Invalid(error.to_string()))
}
