//! The agent's side: sandboxes and containers through their helpers.

mod sandboxes;

use crate::cgroup;
use crate::client;
use crate::files;
use crate::layout::PodDirs;
use crate::network::{Bridge, NetworkConfig};
use crate::protocol::{Reply, Request};
use crate::record::{Record, now, read_all};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use node_api::{
    AttachConfig, Connection, Container, ContainerConfig, ContainerId, ContainerState, Error,
    Event, ExecConfig, Exit, Result, Runtime, Sandbox, SandboxConfig, SandboxId, Session, Stats,
};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast;

/// What to execute as a pod's helper: it is called with `pod-helper` and the helper's own
/// arguments, which it passes to [`crate::helper_main`].
#[derive(Debug, Clone)]
pub struct HelperProgram(pub PathBuf);

impl Default for HelperProgram {
    /// This program.
    fn default() -> Self {
        Self("/proc/self/exe".into())
    }
}

/// Where things go and how pods are connected.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// What outlives a restart of the machine, on disk.
    pub state: PathBuf,
    /// What does not, and what must not reach the disk: a tmpfs is mounted here.
    pub run: PathBuf,
    /// What to execute as a helper.
    pub helper: HelperProgram,
    /// How pods are connected.
    pub network: NetworkConfig,
}

/// Why the runtime cannot work here.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It takes root.
    #[error("pods can be run by root only")]
    NotRoot,
    /// A directory or mount failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs pods on this machine.
pub struct LinuxRuntime {
    config: RuntimeConfig,
    bridge: Bridge,
    /// In which sandbox a container is.
    index: Mutex<HashMap<ContainerId, SandboxId>>,
    events: broadcast::Sender<Event>,
    roots: Arc<dyn Roots>,
}

/// Gives containers their root file systems.
pub(crate) trait Roots: Send + Sync {
    /// Mounts one made of an image; the image's id and where it is mounted.
    fn mount<'a>(
        &'a self,
        container: &'a ContainerId,
        image: &'a str,
    ) -> BoxFuture<'a, Result<(String, PathBuf)>>;

    /// Unmounts and removes it; fine if there is none.
    fn unmount<'a>(&'a self, container: &'a ContainerId) -> BoxFuture<'a, Result<()>>;

    /// Bytes and files in its writable layer.
    fn usage<'a>(&'a self, container: &'a ContainerId) -> BoxFuture<'a, Result<(u64, u64)>>;
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Failed(format!("{what}: {error}"))
}

fn unexpected<T>(reply: &Reply) -> Result<T> {
    Err(Error::Failed(format!(
        "the pod's helper answered {reply:?}"
    )))
}

impl LinuxRuntime {
    /// Starts, and adopts the pods that run. Containers with an image get their root file system
    /// from `images`.
    pub async fn open(
        config: RuntimeConfig,
        images: Arc<crate::ImageStore>,
    ) -> std::result::Result<Self, StartError> {
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| StartError::Io { what, source }
        };
        if !rustix::process::geteuid().is_root() {
            return Err(StartError::NotRoot);
        }
        files::make_dir(&config.state.join("sandboxes")).map_err(io("the state directory"))?;
        crate::mounts::private_tmpfs(&config.run).map_err(io("the run directory"))?;
        let bridge = Bridge::open(config.network.clone(), &config.state.join("network"))
            .map_err(io("the pod network"))?;
        let runtime = Self {
            config,
            bridge,
            index: Mutex::default(),
            events: broadcast::Sender::new(1024),
            roots: images,
        };
        let known = runtime.sandbox_ids().map_err(io("the state directory"))?;
        for id in known {
            let dirs = runtime.dirs(&id);
            let records = read_all(&dirs.containers()).map_err(io("a pod's records"))?;
            runtime
                .index()
                .extend(records.into_iter().map(|r| (r.container.id, id.clone())));
            if client::connect(&dirs).await.is_ok() {
                runtime.watch(id);
            }
        }
        Ok(runtime)
    }

    fn index(&self) -> MutexGuard<'_, HashMap<ContainerId, SandboxId>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dirs(&self, id: &SandboxId) -> PodDirs {
        PodDirs::new(&self.config.state, &self.config.run, &id.0)
    }

    /// A container's sandbox and directories.
    fn place(&self, id: &ContainerId) -> Result<(SandboxId, PodDirs)> {
        let sandbox = self
            .index()
            .get(id)
            .cloned()
            .ok_or_else(|| Error::not_found("container", &id.0))?;
        let dirs = self.dirs(&sandbox);
        Ok((sandbox, dirs))
    }

    fn record(&self, id: &ContainerId) -> Result<Record> {
        let (_, dirs) = self.place(id)?;
        files::read_json_if_there(&dirs.record(&id.0))
            .map_err(failed("a container's record"))?
            .ok_or_else(|| Error::not_found("container", &id.0))
    }

    /// Tells listeners what a pod's helper tells, until it ends.
    fn watch(&self, id: SandboxId) {
        let dirs = self.dirs(&id);
        let events = self.events.clone();
        tokio::spawn(async move {
            if let Ok(mut ends) = client::events(&dirs).await {
                while let Some((container, exit)) = ends.next().await {
                    // Nobody may be listening.
                    let _ = events.send(Event::Exited {
                        sandbox: id.clone(),
                        container,
                        exit,
                    });
                }
            }
            let _ = events.send(Event::SandboxLost(id));
        });
    }

    async fn create(&self, id: &SandboxId, mut config: ContainerConfig) -> Result<Container> {
        let dirs = self.dirs(id);
        if !dirs.sandbox().exists() {
            return Err(Error::not_found("sandbox", &id.0));
        }
        let container = ContainerId(uuid::Uuid::new_v4().simple().to_string());
        let given = config.spec.root().as_ref().map(|root| root.path().clone());
        let (image, root) = match (config.image.is_empty(), given) {
            (false, _) => self.roots.mount(&container, &config.image).await?,
            (true, Some(root)) => (String::new(), root),
            (true, None) => {
                return Err(Error::Invalid(
                    "a container without an image or root".into(),
                ));
            }
        };
        config.image.clone_from(&image);
        let request = Request::Create {
            id: container.clone(),
            image,
            config: Box::new(config),
            root,
        };
        let made = client::ask(&dirs, &request).await;
        let result = match made {
            Ok(Reply::Container(made)) => {
                self.index().insert(container, id.clone());
                return Ok(*made);
            }
            Ok(other) => unexpected(&other),
            Err(error) => Err(error),
        };
        self.roots.unmount(&container).await?;
        result
    }

    /// A container whose helper may be gone.
    async fn current(&self, record: Record, dirs: &PodDirs) -> Container {
        let mut container = record.container;
        let lost = match container.state {
            ContainerState::Running | ContainerState::Created => {
                client::connect(dirs).await.is_err()
            }
            _ => false,
        };
        if lost {
            container.state = ContainerState::Unknown;
            container.pid = None;
        }
        container
    }

    async fn list(&self, of: Option<&SandboxId>) -> Result<Vec<Container>> {
        let ids = match of {
            Some(id) => vec![id.clone()],
            None => self.sandbox_ids().map_err(failed("the state directory"))?,
        };
        let mut found = Vec::new();
        for id in ids {
            let dirs = self.dirs(&id);
            for record in read_all(&dirs.containers()).map_err(failed("a pod's records"))? {
                found.push(self.current(record, &dirs).await);
            }
        }
        found.sort_by_key(|container| container.created_at);
        Ok(found)
    }

    async fn wait(&self, id: &ContainerId) -> Result<Exit> {
        let (_, dirs) = self.place(id)?;
        let answer = client::ask(&dirs, &Request::Wait(id.clone())).await;
        match answer {
            Ok(Reply::Exit(exit)) => Ok(exit),
            Ok(other) => unexpected(&other),
            // The helper is gone; it noted the end if it saw it.
            Err(error @ Error::Unavailable(_)) => match self.record(id)?.container.state {
                ContainerState::Exited(exit) => Ok(exit),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn remove(&self, id: &ContainerId) -> Result<()> {
        let Ok((_, dirs)) = self.place(id) else {
            return Ok(());
        };
        match client::tell(&dirs, &Request::Remove(id.clone())).await {
            Err(Error::Unavailable(_)) => {
                if let Ok(record) = self.record(id) {
                    cgroup::kill(&record.cgroup);
                    cgroup::remove(&record.cgroup).map_err(failed("control group"))?;
                }
                for path in [dirs.container_run(&id.0), dirs.engine().join(&id.0)] {
                    files::remove_dir(&path).map_err(failed("container"))?;
                }
                match fs::remove_file(dirs.record(&id.0)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(failed("container")(error));
                    }
                    _ => (),
                }
            }
            result => result?,
        }
        self.roots.unmount(id).await?;
        self.index().remove(id);
        Ok(())
    }

    fn sandbox_ids(&self) -> io::Result<Vec<SandboxId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(self.config.state.join("sandboxes"))? {
            if let Ok(name) = entry?.file_name().into_string() {
                ids.push(SandboxId(name));
            }
        }
        ids.sort();
        Ok(ids)
    }
}

impl Runtime for LinuxRuntime {
    fn create_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<Sandbox>> {
        Box::pin(self.make_sandbox(config))
    }

    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.end_sandbox(id))
    }

    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.drop_sandbox(id))
    }

    fn sandboxes(&self) -> BoxFuture<'_, Result<Vec<Sandbox>>> {
        Box::pin(self.list_sandboxes())
    }

    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<Container>> {
        Box::pin(self.create(sandbox, config))
    }

    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (_, dirs) = self.place(id)?;
            client::tell(&dirs, &Request::Start(id.clone())).await
        })
    }

    fn signal_container<'a>(
        &'a self,
        id: &'a ContainerId,
        signal: i32,
        all: bool,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (_, dirs) = self.place(id)?;
            let request = Request::Signal {
                id: id.clone(),
                signal,
                all,
            };
            client::tell(&dirs, &request).await
        })
    }

    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Exit>> {
        Box::pin(self.wait(id))
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.remove(id))
    }

    fn container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Container>> {
        Box::pin(async move {
            let (_, dirs) = self.place(id)?;
            Ok(self.current(self.record(id)?, &dirs).await)
        })
    }

    fn containers<'a>(
        &'a self,
        sandbox: Option<&'a SandboxId>,
    ) -> BoxFuture<'a, Result<Vec<Container>>> {
        Box::pin(self.list(sandbox))
    }

    fn stats<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Stats>> {
        Box::pin(async move {
            let record = self.record(id)?;
            let mut stats = cgroup::stats(&record.cgroup, now());
            if !record.container.image.is_empty() {
                (stats.disk_bytes, stats.disk_inodes) = self.roots.usage(id).await?;
            }
            Ok(stats)
        })
    }

    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        config: ExecConfig,
    ) -> BoxFuture<'a, Result<Session>> {
        Box::pin(async move {
            let (_, dirs) = self.place(id)?;
            client::session(&dirs, &Request::Exec(id.clone(), config)).await
        })
    }

    fn attach<'a>(
        &'a self,
        id: &'a ContainerId,
        config: AttachConfig,
    ) -> BoxFuture<'a, Result<Session>> {
        Box::pin(async move {
            let (_, dirs) = self.place(id)?;
            client::session(&dirs, &Request::Attach(id.clone(), config)).await
        })
    }

    fn port_forward<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Connection>> {
        Box::pin(async move { client::forward(&self.dirs(sandbox), port).await })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let receiver = self.events.subscribe();
        stream::unfold(receiver, |mut receiver| async move {
            loop {
                match receiver.recv().await {
                    Ok(event) => return Some((event, receiver)),
                    Err(broadcast::error::RecvError::Lagged(_)) => (),
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        })
        .boxed()
    }
}

/// What a helper said before it gave up, if anything.
fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    match text.trim() {
        "" => "it ended without a word".into(),
        said => said.to_owned(),
    }
}
