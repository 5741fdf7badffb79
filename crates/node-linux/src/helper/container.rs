//! A container as its helper holds it.

use super::output::Outputs;
use super::process::Stdin;
use crate::files;
use crate::layout::PodDirs;
use crate::record::Record;
use node_api::{ContainerState, Error, Exit, PidMode, Result};
use rustix::process::{Signal, pidfd_send_signal};
use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use tokio::sync::watch;

/// A container, its streams and how it is doing.
pub(crate) struct Held {
    pub(crate) record: RefCell<Record>,
    path: PathBuf,
    pub(crate) outputs: Outputs,
    pub(crate) stdin: RefCell<Stdin>,
    pub(crate) tty: bool,
    pub(crate) wants_stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) pid_mode: PidMode,
    /// Who the process runs as.
    pub(crate) owner: (u32, u32),
    /// Whether a start was tried.
    pub(crate) begun: Cell<bool>,
    /// The first process, while it is not collected: its number alone may be given again.
    pub(crate) process: RefCell<Option<OwnedFd>>,
    ended: watch::Sender<Option<Exit>>,
}

/// What a container is made of.
pub(crate) struct Parts {
    pub(crate) record: Record,
    pub(crate) outputs: Outputs,
    pub(crate) tty: bool,
    pub(crate) wants_stdin: bool,
    pub(crate) stdin_once: bool,
    pub(crate) pid_mode: PidMode,
    pub(crate) owner: (u32, u32),
}

impl Held {
    /// Notes a container on disk and holds it.
    pub(crate) fn new(dirs: &PodDirs, parts: Parts) -> Result<Self> {
        let held = Self {
            path: dirs.record(&parts.record.container.id.0),
            record: RefCell::new(parts.record),
            outputs: parts.outputs,
            stdin: RefCell::new(Stdin::None),
            tty: parts.tty,
            wants_stdin: parts.wants_stdin,
            stdin_once: parts.stdin_once,
            pid_mode: parts.pid_mode,
            owner: parts.owner,
            begun: Cell::new(false),
            process: RefCell::default(),
            ended: watch::Sender::new(None),
        };
        held.save()?;
        Ok(held)
    }

    /// Changes the record, on disk first in the order that a reader sees.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Record)) -> Result<()> {
        change(&mut self.record.borrow_mut());
        self.save()
    }

    fn save(&self) -> Result<()> {
        files::write_json(&self.path, &*self.record.borrow())
            .map_err(|error| Error::Failed(format!("{}: {error}", self.path.display())))
    }

    /// Notes the end and wakes who waits for it. The end is told even if it cannot be noted.
    pub(crate) fn end(&self, exit: &Exit) {
        self.process.borrow_mut().take();
        *self.stdin.borrow_mut() = Stdin::None;
        let saved = self.change(|record| {
            record.container.state = ContainerState::Exited(exit.clone());
            record.container.pid = None;
        });
        if let Err(error) = saved {
            eprintln!("pod-helper: {error}");
        }
        self.ended.send_replace(Some(exit.clone()));
    }

    /// Waits for its end; it may never have been started.
    pub(crate) async fn wait(&self) -> Result<Exit> {
        let mut ended = self.ended.subscribe();
        let exit = ended
            .wait_for(Option::is_some)
            .await
            .map_err(|_| Error::Failed("the container is gone".into()))?;
        exit.clone()
            .ok_or_else(|| Error::Failed("the container is gone".into()))
    }

    pub(crate) fn is_running(&self) -> bool {
        self.record.borrow().container.state == ContainerState::Running
    }

    /// Fails unless it runs.
    pub(crate) fn running(&self) -> Result<()> {
        if self.is_running() {
            return Ok(());
        }
        let id = self.record.borrow().container.id.clone();
        Err(Error::Conflict(format!("container {id} is not running")))
    }

    /// Sends a signal to its first process; one that ended needs none.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match self.process.borrow().as_ref() {
            Some(process) => match pidfd_send_signal(process, signal) {
                Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
                Err(error) => Err(Error::Failed(format!("signal: {error}"))),
            },
            None => Ok(()),
        }
    }
}
