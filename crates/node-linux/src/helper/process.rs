//! Launching a process, with its streams.

use super::launch::{Launch, Launched};
use super::log::Stream;
use super::reaper::Reaper;
use super::terminal::{Console, Terminal};
use crate::files;
use crate::record::now;
use bytes::Bytes;
use node_api::{Error, Exit, Result, TerminalSize};
use rustix::fs::{Gid, Uid, fchown};
use rustix::process::{Pid, Signal, WaitStatus, kill_process};
use std::fs;
use std::future::Future;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long making a container may take.
const LAUNCH_LIMIT: Duration = Duration::from_secs(120);
/// How long output is waited for after a process ended: something it left behind may hold its
/// streams for ever.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// The way into a process.
#[derive(Clone)]
pub(crate) enum Stdin {
    /// There is none.
    None,
    /// A pipe, until it is closed.
    Pipe(Rc<tokio::sync::Mutex<Option<pipe::Sender>>>),
    /// A terminal.
    Terminal(Rc<Terminal>),
}

impl Stdin {
    /// Writes; a process that no longer reads is no error.
    pub(crate) async fn write(&self, bytes: &[u8]) {
        let _ = match self {
            Self::None => Ok(()),
            Self::Pipe(pipe) => match pipe.lock().await.as_mut() {
                Some(pipe) => pipe.write_all(bytes).await,
                None => Ok(()),
            },
            Self::Terminal(terminal) => terminal.write_all(bytes).await,
        };
    }

    /// Ends a pipe; a terminal has no such end.
    pub(crate) async fn close(&self) {
        if let Self::Pipe(pipe) = self {
            pipe.lock().await.take();
        }
    }

    pub(crate) fn resize(&self, size: TerminalSize) {
        if let Self::Terminal(terminal) = self {
            // A terminal whose processes ended cannot be resized and need not.
            let _ = terminal.resize(size);
        }
    }
}

/// What a process writes to.
enum Sources {
    Pipes(pipe::Receiver, pipe::Receiver),
    Terminal(Rc<Terminal>),
}

/// A launched process.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) notes: Vec<String>,
    pub(crate) stdin: Stdin,
    sources: Sources,
    ended: Pin<Box<dyn Future<Output = io::Result<WaitStatus>>>>,
}

/// What to launch and how to talk to it.
pub(crate) struct Plan {
    pub(crate) launch: Launch,
    pub(crate) tty: bool,
    pub(crate) stdin: bool,
    pub(crate) size: Option<TerminalSize>,
    /// Who owns the streams, so that the process may open them again by name.
    pub(crate) owner: (u32, u32),
    /// Where to put files for the launcher, relative to the working directory.
    pub(crate) directory: PathBuf,
}

fn failed(what: &str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Failed(format!("{what}: {error}"))
}

/// A pipe of which a process gets one end.
fn piped(owner: (u32, u32)) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
    fchown(reader.as_fd(), Some(uid), Some(gid))?;
    Ok((reader.into(), writer.into()))
}

/// Launches.
pub(crate) async fn launch(reaper: &Reaper, plan: Plan) -> Result<Process> {
    let token = uuid::Uuid::new_v4().simple().to_string();
    let request = plan.directory.join(&token);
    let console = plan.directory.join(format!("{token}.tty"));
    let result = spawn(reaper, plan, &request, &console).await;
    for path in [&request, &console] {
        // The console is there for terminals only.
        let _ = fs::remove_file(path);
    }
    result
}

async fn spawn(reaper: &Reaper, mut plan: Plan, request: &Path, console: &Path) -> Result<Process> {
    let io = failed("cannot launch");
    let here = std::env::current_dir().map_err(&io)?;
    plan.launch.result = here.join(request).with_extension("result");
    let mut command = Command::new("/proc/self/exe");
    command.args(["pod-helper", "launch"]).arg(request);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let (mut stdin, mut outputs, mut waiting) = (Stdin::None, None, None);
    if plan.tty {
        waiting = Some(Console::listen(console).map_err(&io)?);
        plan.launch.console = Some(here.join(console));
    } else {
        if plan.stdin {
            let (reader, writer) = piped(plan.owner).map_err(&io)?;
            command.stdin(reader);
            let writer = pipe::Sender::from_owned_fd(writer).map_err(&io)?;
            stdin = Stdin::Pipe(Rc::new(tokio::sync::Mutex::new(Some(writer))));
        }
        let (stdout, stdout_end) = piped(plan.owner).map_err(&io)?;
        let (stderr, stderr_end) = piped(plan.owner).map_err(&io)?;
        command.stdout(stdout_end).stderr(stderr_end);
        let receiver = |fd| pipe::Receiver::from_owned_fd(fd).map_err(&io);
        outputs = Some((receiver(stdout)?, receiver(stderr)?));
    }
    files::write_json(request, &plan.launch).map_err(&io)?;
    let launching = reaper.launching();
    let child = command.spawn().map_err(&io)?;
    // The write ends: the process' own must be the last.
    drop(command);
    let launcher = i32::try_from(child.id()).unwrap_or(i32::MAX);
    let launched = finish(reaper, launcher, &plan.launch.result).await;
    let _ = fs::remove_file(&plan.launch.result);
    let (pid, notes) = launched?;
    let ended = Box::pin(reaper.ended(pid));
    drop(launching);
    let sources = match (waiting, outputs) {
        (Some(console), _) => {
            let terminal = Rc::new(console.receive().await.map_err(failed("terminal"))?);
            if let Some(size) = plan.size {
                terminal.resize(size).map_err(failed("terminal"))?;
            }
            stdin = Stdin::Terminal(Rc::clone(&terminal));
            Sources::Terminal(terminal)
        }
        (None, Some((stdout, stderr))) => Sources::Pipes(stdout, stderr),
        (None, None) => return Err(Error::Failed("a process without streams".into())),
    };
    Ok(Process {
        pid,
        notes,
        stdin,
        sources,
        ended,
    })
}

/// Waits for the launcher and reads what came of it.
async fn finish(reaper: &Reaper, launcher: i32, result: &Path) -> Result<(i32, Vec<String>)> {
    match timeout(LAUNCH_LIMIT, reaper.ended(launcher)).await {
        Ok(Ok(status)) if status.exit_status() == Some(0) => (),
        Ok(Ok(status)) => {
            return Err(Error::Failed(format!("the launcher ended with {status:?}")));
        }
        Ok(Err(error)) => return Err(failed("launcher")(error)),
        Err(_) => {
            if let Some(pid) = Pid::from_raw(launcher) {
                // It may have ended at last.
                let _ = kill_process(pid, Signal::KILL);
            }
            return Err(Error::Failed(format!(
                "the container was not made within {} s",
                LAUNCH_LIMIT.as_secs()
            )));
        }
    }
    match files::read_json(result).map_err(failed("launcher"))? {
        Launched::Running { pid, notes } => Ok((pid, notes)),
        Launched::Failed(message) => Err(Error::Failed(message)),
    }
}

impl Process {
    /// Passes its output on until it ended and its output did, and says how it ended.
    pub(crate) async fn run<P, F>(self, publish: P) -> Exit
    where
        P: Fn(Stream, Bytes) -> F + Clone + 'static,
        F: Future<Output = ()> + 'static,
    {
        let mut pumps: Vec<JoinHandle<()>> = match self.sources {
            Sources::Terminal(terminal) => {
                let publish = publish.clone();
                vec![tokio::task::spawn_local(async move {
                    let mut buffer = vec![0; 16 * 1024];
                    while let Ok(read @ 1..) = terminal.read(&mut buffer).await {
                        let bytes = buffer.get(..read).unwrap_or_default();
                        publish(Stream::Stdout, Bytes::copy_from_slice(bytes)).await;
                    }
                })]
            }
            Sources::Pipes(stdout, stderr) => [(Stream::Stdout, stdout), (Stream::Stderr, stderr)]
                .into_iter()
                .map(|(stream, mut source)| {
                    let publish = publish.clone();
                    tokio::task::spawn_local(async move {
                        let mut buffer = vec![0; 16 * 1024];
                        while let Ok(read @ 1..) = source.read(&mut buffer).await {
                            let bytes = buffer.get(..read).unwrap_or_default();
                            publish(stream, Bytes::copy_from_slice(bytes)).await;
                        }
                    })
                })
                .collect(),
        };
        let status = self.ended.await;
        let drain = async {
            for pump in &mut pumps {
                // A pump does not fail.
                let _ = pump.await;
            }
        };
        if timeout(DRAIN_LIMIT, drain).await.is_err() {
            for pump in pumps {
                pump.abort();
            }
        }
        exit(status)
    }
}

fn exit(status: io::Result<WaitStatus>) -> Exit {
    match status {
        Ok(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::by_status(code, now()),
            (None, Some(signal)) => Exit::by_signal(signal, now()),
            (None, None) => Exit::by_status(255, now()),
        },
        Err(error) => Exit {
            message: error.to_string(),
            ..Exit::by_status(255, now())
        },
    }
}
