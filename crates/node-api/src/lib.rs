//! The port through which the node agent runs pods. It follows the shape of Kubernetes' container
//! runtime interface, so that a runtime behind a CRI socket can stand behind it too, but what a
//! container is to be is said by an OCI runtime spec, which the agent's plan computes.
//!
//! Two ports: [`Runtime`] (sandboxes, containers and their streams) and [`Images`]. Both are
//! object-safe and know no async runtime. [`fake`] holds recording stand-ins for tests of what
//! uses them.
//!
//! Identifiers are chosen by the runtime. Everything a runtime reports outlives the agent: after
//! a restart the agent lists sandboxes and containers and finds its own again by their labels.

mod container;
mod error;
pub mod fake;
mod image;
mod sandbox;
mod session;

pub use container::{
    Container, ContainerConfig, ContainerId, ContainerState, Exit, ExitReason, LogLimits, PidMode,
    Stats,
};
pub use error::{Error, Result};
pub use image::{Credentials, Image, ImageConfig, ImageUser, Images, Usage};
pub use sandbox::{Network, Sandbox, SandboxConfig, SandboxId, SandboxState};
pub use session::{
    AttachConfig, Connection, ExecConfig, Input, InputSink, Output, Session, TerminalSize,
};

use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Something that happened in a runtime without the agent asking for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A container's first process ended.
    Exited {
        /// The pod's sandbox.
        sandbox: SandboxId,
        /// The container.
        container: ContainerId,
        /// How it ended.
        exit: Exit,
    },
    /// A sandbox stopped working: its namespaces' holder died.
    SandboxLost(SandboxId),
}

/// Runs pods.
///
/// Every call is safe to repeat: stopping what is stopped and removing what is gone succeed.
/// Asking for something that does not exist is [`Error::NotFound`].
pub trait Runtime: Send + Sync + 'static {
    /// Makes a pod's sandbox (its cgroup, namespaces and network) and returns it ready.
    fn create_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<Sandbox>>;

    /// Kills what still runs in the sandbox and gives its network back. Its containers can still
    /// be asked for, and their logs stay.
    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>>;

    /// Removes a sandbox with all its containers, stopping it first.
    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>>;

    /// All sandboxes, also those that an earlier agent made.
    fn sandboxes(&self) -> BoxFuture<'_, Result<Vec<Sandbox>>>;

    /// Prepares a container, up to the point where its process waits to be started.
    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<Container>>;

    /// Starts a created container. A command that cannot be executed is [`Error::Failed`], and
    /// the container is then [`ContainerState::Exited`].
    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>>;

    /// Sends a signal (its number) to a container's first process, or with `all` to every process
    /// of the container.
    fn signal_container<'a>(
        &'a self,
        id: &'a ContainerId,
        signal: i32,
        all: bool,
    ) -> BoxFuture<'a, Result<()>>;

    /// Waits until a container has ended.
    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Exit>>;

    /// Removes a container that does not run; [`Error::Conflict`] if it does.
    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>>;

    /// One container.
    fn container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Container>>;

    /// The containers of one sandbox, or of all, oldest first.
    fn containers<'a>(
        &'a self,
        sandbox: Option<&'a SandboxId>,
    ) -> BoxFuture<'a, Result<Vec<Container>>>;

    /// What a running container uses.
    fn stats<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Stats>>;

    /// Runs one more process in a running container, under the container's own restrictions.
    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        config: ExecConfig,
    ) -> BoxFuture<'a, Result<Session>>;

    /// Connects to the streams of a running container's first process. Any number may be attached
    /// at once; output from before is in the log.
    fn attach<'a>(
        &'a self,
        id: &'a ContainerId,
        config: AttachConfig,
    ) -> BoxFuture<'a, Result<Session>>;

    /// Connects to a TCP port on the loopback address of the pod's network.
    fn port_forward<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Connection>>;

    /// What happens from now on. Events may be lost across a restart of either side, so who needs
    /// certainty lists as well.
    fn events(&self) -> BoxStream<'static, Event>;
}
