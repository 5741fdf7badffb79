//! The stand-in for [`Runtime`].

use super::{Call, Record, lock};
use crate::container::{Container, ContainerConfig, ContainerId, ContainerState, Exit, Stats};
use crate::error::{Error, Result};
use crate::sandbox::{Network, Sandbox, SandboxConfig, SandboxId, SandboxState};
use crate::session::{AttachConfig, Connection, ExecConfig, Output, Session};
use crate::{Event, Runtime};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, ready};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, SinkExt, StreamExt, sink};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

/// A runtime that runs nothing. Time is a counter; addresses count up from 10.244.0.2.
#[derive(Debug, Default)]
pub struct FakeRuntime {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    record: Record,
    clock: i64,
    sandboxes: BTreeMap<SandboxId, Sandbox>,
    containers: BTreeMap<ContainerId, (Container, ContainerConfig)>,
    waiting: Vec<(ContainerId, oneshot::Sender<Exit>)>,
    outputs: VecDeque<Vec<Output>>,
    connections: VecDeque<Vec<Bytes>>,
    listeners: Vec<mpsc::UnboundedSender<Event>>,
    stats: BTreeMap<ContainerId, Stats>,
}

impl State {
    fn tick(&mut self) -> i64 {
        self.clock = self.clock.saturating_add(1);
        self.clock
    }

    fn container(&mut self, id: &ContainerId) -> Result<&mut Container> {
        self.containers
            .get_mut(id)
            .map(|(container, _)| container)
            .ok_or_else(|| Error::not_found("container", &id.0))
    }

    fn running(&mut self, id: &ContainerId) -> Result<()> {
        match self.container(id)?.state {
            ContainerState::Running => Ok(()),
            _ => Err(Error::Conflict(format!("container {id} is not running"))),
        }
    }

    fn exit(&mut self, id: &ContainerId, exit: &Exit) {
        let Ok(container) = self.container(id) else {
            return;
        };
        container.state = ContainerState::Exited(exit.clone());
        container.pid = None;
        let sandbox = container.sandbox.clone();
        for (_, waiter) in self.waiting.extract_if(.., |(waited, _)| waited == id) {
            // Nobody waits any more, which is their right.
            let _ = waiter.send(exit.clone());
        }
        let event = Event::Exited {
            sandbox,
            container: id.clone(),
            exit: exit.clone(),
        };
        self.listeners
            .retain(|listener| listener.unbounded_send(event.clone()).is_ok());
    }
}

impl FakeRuntime {
    /// Ends a container, as if its process had.
    pub fn exit(&self, id: &ContainerId, exit: &Exit) {
        lock(&self.state).exit(id, exit);
    }

    /// Makes the next call of `verb` fail.
    pub fn fail(&self, verb: &'static str, error: Error) {
        lock(&self.state).record.failures.push_back((verb, error));
    }

    /// What the next exec or attach sends.
    pub fn next_output(&self, output: Vec<Output>) {
        lock(&self.state).outputs.push_back(output);
    }

    /// What the next forwarded connection sends.
    pub fn next_connection(&self, bytes: Vec<Bytes>) {
        lock(&self.state).connections.push_back(bytes);
    }

    /// What a container uses from now on.
    pub fn set_stats(&self, id: &ContainerId, stats: Stats) {
        lock(&self.state).stats.insert(id.clone(), stats);
    }

    /// The calls made so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).record.calls.clone()
    }

    /// What a container was made from.
    pub fn container_config(&self, id: &ContainerId) -> Option<ContainerConfig> {
        lock(&self.state).containers.get(id).map(|(_, c)| c.clone())
    }

    fn answer<T: Send + 'static>(
        &self,
        verb: &'static str,
        subject: impl Into<String>,
        act: impl FnOnce(&mut State) -> Result<T>,
    ) -> BoxFuture<'static, Result<T>> {
        let mut state = lock(&self.state);
        let result = match state.record.call(verb, subject) {
            Ok(()) => act(&mut state),
            Err(error) => Err(error),
        };
        ready(result).boxed()
    }
}

/// Takes what it is given.
fn swallow<T: Send + 'static>() -> crate::session::InputSink<T> {
    Box::pin(sink::drain().sink_map_err(|never| match never {}))
}

fn session(state: &mut State) -> Session {
    let output = state.outputs.pop_front().unwrap_or_default();
    Session {
        input: swallow(),
        output: stream::iter(output.into_iter().map(Ok)).boxed(),
    }
}

impl Runtime for FakeRuntime {
    fn create_sandbox(&self, config: SandboxConfig) -> BoxFuture<'_, Result<Sandbox>> {
        let subject = format!("{}/{}", config.namespace, config.name);
        self.answer("create_sandbox", subject, |state| {
            let created_at = state.tick();
            let host = u8::try_from(created_at % 250)
                .unwrap_or(0)
                .saturating_add(2);
            let addresses = match config.network {
                Network::Pod => vec![IpAddr::V4(Ipv4Addr::new(10, 244, 0, host))],
                Network::Host => Vec::new(),
            };
            let sandbox = Sandbox {
                id: SandboxId(format!("sandbox-{created_at}")),
                state: SandboxState::Ready,
                created_at,
                addresses,
                config,
            };
            state.sandboxes.insert(sandbox.id.clone(), sandbox.clone());
            Ok(sandbox)
        })
    }

    fn stop_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        self.answer("stop_sandbox", &id.0, |state| {
            if let Some(sandbox) = state.sandboxes.get_mut(id) {
                sandbox.state = SandboxState::NotReady;
            }
            let inside: Vec<_> = state
                .containers
                .values()
                .filter(|(c, _)| c.sandbox == *id && c.state == ContainerState::Running)
                .map(|(c, _)| c.id.clone())
                .collect();
            for container in inside {
                let finished_at = state.tick();
                state.exit(&container, &Exit::by_signal(9, finished_at));
            }
            Ok(())
        })
    }

    fn remove_sandbox<'a>(&'a self, id: &'a SandboxId) -> BoxFuture<'a, Result<()>> {
        self.answer("remove_sandbox", &id.0, |state| {
            state.sandboxes.remove(id);
            state.containers.retain(|_, (c, _)| c.sandbox != *id);
            Ok(())
        })
    }

    fn sandboxes(&self) -> BoxFuture<'_, Result<Vec<Sandbox>>> {
        self.answer("sandboxes", "", |state| {
            Ok(state.sandboxes.values().cloned().collect())
        })
    }

    fn create_container<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        config: ContainerConfig,
    ) -> BoxFuture<'a, Result<Container>> {
        self.answer("create_container", config.name.clone(), |state| {
            let parent = state
                .sandboxes
                .get(sandbox)
                .ok_or_else(|| Error::not_found("sandbox", &sandbox.0))?;
            if parent.state != SandboxState::Ready {
                return Err(Error::Conflict(format!("sandbox {sandbox} is not ready")));
            }
            let log_path = parent.config.log_directory.join(&config.log_path);
            let created_at = state.tick();
            let container = Container {
                id: ContainerId(format!("container-{created_at}")),
                sandbox: sandbox.clone(),
                name: config.name.clone(),
                attempt: config.attempt,
                image: config.image.clone(),
                state: ContainerState::Created,
                pid: None,
                created_at,
                started_at: None,
                log_path,
                labels: config.labels.clone(),
                annotations: config.annotations.clone(),
            };
            state
                .containers
                .insert(container.id.clone(), (container.clone(), config));
            Ok(container)
        })
    }

    fn start_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        self.answer("start_container", &id.0, |state| {
            let now = state.tick();
            let container = state.container(id)?;
            if container.state != ContainerState::Created {
                return Err(Error::Conflict(format!(
                    "container {id} was started before"
                )));
            }
            container.state = ContainerState::Running;
            container.started_at = Some(now);
            Ok(())
        })
    }

    fn signal_container<'a>(
        &'a self,
        id: &'a ContainerId,
        signal: i32,
        _all: bool,
    ) -> BoxFuture<'a, Result<()>> {
        self.answer("signal_container", format!("{id} {signal}"), |state| {
            if signal == 9 && state.running(id).is_ok() {
                let finished_at = state.tick();
                state.exit(id, &Exit::by_signal(9, finished_at));
            }
            state.container(id).map(|_| ())
        })
    }

    fn wait_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Exit>> {
        let mut state = lock(&self.state);
        let known = state
            .record
            .call("wait_container", &id.0)
            .and_then(|()| state.container(id).map(|c| c.state.clone()));
        match known {
            Err(error) => ready(Err(error)).boxed(),
            Ok(ContainerState::Exited(exit)) => ready(Ok(exit)).boxed(),
            Ok(_) => {
                let (sender, receiver) = oneshot::channel();
                state.waiting.push((id.clone(), sender));
                let gone = Error::not_found("container", &id.0);
                async move { receiver.await.map_err(|_| gone) }.boxed()
            }
        }
    }

    fn remove_container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<()>> {
        self.answer("remove_container", &id.0, |state| {
            if state.running(id).is_ok() {
                return Err(Error::Conflict(format!("container {id} is running")));
            }
            state.containers.remove(id);
            state.waiting.retain(|(waited, _)| waited != id);
            Ok(())
        })
    }

    fn container<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Container>> {
        self.answer("container", &id.0, |state| state.container(id).cloned())
    }

    fn containers<'a>(
        &'a self,
        sandbox: Option<&'a SandboxId>,
    ) -> BoxFuture<'a, Result<Vec<Container>>> {
        self.answer("containers", "", |state| {
            let mut found: Vec<_> = state
                .containers
                .values()
                .filter(|(c, _)| sandbox.is_none_or(|s| c.sandbox == *s))
                .map(|(c, _)| c.clone())
                .collect();
            found.sort_by_key(|c| c.created_at);
            Ok(found)
        })
    }

    fn stats<'a>(&'a self, id: &'a ContainerId) -> BoxFuture<'a, Result<Stats>> {
        self.answer("stats", &id.0, |state| {
            state.running(id)?;
            Ok(state.stats.get(id).copied().unwrap_or_default())
        })
    }

    fn exec<'a>(
        &'a self,
        id: &'a ContainerId,
        config: ExecConfig,
    ) -> BoxFuture<'a, Result<Session>> {
        let subject = format!("{id} {}", config.command.join(" "));
        self.answer("exec", subject, |state| {
            state.running(id)?;
            Ok(session(state))
        })
    }

    fn attach<'a>(
        &'a self,
        id: &'a ContainerId,
        _config: AttachConfig,
    ) -> BoxFuture<'a, Result<Session>> {
        self.answer("attach", &id.0, |state| {
            state.running(id)?;
            Ok(session(state))
        })
    }

    fn port_forward<'a>(
        &'a self,
        sandbox: &'a SandboxId,
        port: u16,
    ) -> BoxFuture<'a, Result<Connection>> {
        self.answer("port_forward", format!("{sandbox} {port}"), |state| {
            if !state.sandboxes.contains_key(sandbox) {
                return Err(Error::not_found("sandbox", &sandbox.0));
            }
            let bytes = state.connections.pop_front().unwrap_or_default();
            Ok(Connection {
                input: swallow(),
                output: stream::iter(bytes.into_iter().map(Ok)).boxed(),
            })
        })
    }

    fn events(&self) -> BoxStream<'static, Event> {
        let (sender, receiver) = mpsc::unbounded();
        lock(&self.state).listeners.push(sender);
        receiver.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fake's futures are ready as soon as they can be.
    fn block_on<F: Future>(future: F) -> F::Output {
        future.now_or_never().unwrap()
    }

    fn started(runtime: &FakeRuntime) -> (SandboxId, ContainerId) {
        let sandbox = block_on(runtime.create_sandbox(SandboxConfig::default())).unwrap();
        let container =
            block_on(runtime.create_container(&sandbox.id, ContainerConfig::default())).unwrap();
        block_on(runtime.start_container(&container.id)).unwrap();
        (sandbox.id, container.id)
    }

    #[test]
    fn a_waiter_and_a_listener_hear_of_an_exit() {
        let runtime = FakeRuntime::default();
        let (sandbox, container) = started(&runtime);
        let mut events = runtime.events();
        let waiting = runtime.wait_container(&container);
        let exit = Exit::by_status(3, 100);
        runtime.exit(&container, &exit);
        assert_eq!(block_on(waiting), Ok(exit.clone()));
        assert_eq!(
            block_on(events.next()),
            Some(Event::Exited {
                sandbox,
                container: container.clone(),
                exit: exit.clone()
            })
        );
        let state = block_on(runtime.container(&container)).unwrap().state;
        assert_eq!(state, ContainerState::Exited(exit));
    }

    #[test]
    fn a_running_container_is_not_removed_and_a_stopped_sandbox_takes_no_more() {
        let runtime = FakeRuntime::default();
        let (sandbox, container) = started(&runtime);
        assert!(matches!(
            block_on(runtime.remove_container(&container)),
            Err(Error::Conflict(_))
        ));
        block_on(runtime.stop_sandbox(&sandbox)).unwrap();
        assert_eq!(
            block_on(runtime.wait_container(&container)).unwrap().code,
            137
        );
        block_on(runtime.remove_container(&container)).unwrap();
        block_on(runtime.remove_container(&container)).unwrap();
        let more = block_on(runtime.create_container(&sandbox, ContainerConfig::default()));
        assert!(matches!(more, Err(Error::Conflict(_))));
    }

    #[test]
    fn a_prepared_failure_happens_once_and_is_recorded() {
        let runtime = FakeRuntime::default();
        runtime.fail("create_sandbox", Error::Unavailable("not yet".into()));
        let config = SandboxConfig {
            namespace: "default".into(),
            name: "web".into(),
            ..SandboxConfig::default()
        };
        assert!(block_on(runtime.create_sandbox(config.clone())).is_err());
        assert!(block_on(runtime.create_sandbox(config)).is_ok());
        let call = Call {
            verb: "create_sandbox",
            subject: "default/web".into(),
        };
        assert_eq!(runtime.calls(), [call.clone(), call]);
    }
}
