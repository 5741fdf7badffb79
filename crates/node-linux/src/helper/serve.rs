//! A pod's helper: sets itself up, then answers the agent until it is told to stop.

use super::pod::{Pod, stdin};
use super::process::Stdin;
use super::reaper::Reaper;
use crate::files;
use crate::layout::{PodDirs, SOCKET};
use crate::protocol::{Kind, Reply, Request, Setup, receive, receive_json, send, send_json};
use bytes::Bytes;
use nix::sched::{CloneFlags, unshare};
use node_api::{AttachConfig, ContainerId, Error, ExecConfig, Network, Result, TerminalSize};
use rustix::process::{getpid, set_child_subreaper, setsid};
use std::fs;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::spawn_local;

/// Starts the helper as a process of nobody's: it outlives who started it, and leaves nothing to
/// collect behind.
pub(crate) fn detach() -> io::Result<()> {
    Command::new("/proc/self/exe")
        .args(["pod-helper", "hold"])
        .spawn()
        .map(|_| ())
}

/// Runs until the pod is stopped.
pub(crate) fn main() -> io::Result<()> {
    let mut setup = Vec::new();
    io::stdin().read_to_end(&mut setup)?;
    let setup: Setup = serde_json::from_slice(&setup)?;
    let dirs = PodDirs::new(&setup.state, &setup.run, &setup.id.0);
    // Fails for the leader of a group, which has a session of its own then.
    let _ = setsid();
    set_child_subreaper(Some(getpid()))?;
    std::env::set_current_dir(&dirs.run)?;
    namespaces(&setup)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    runtime.block_on(local.run_until(serve(setup, dirs)))
}

/// Leaves the node's namespaces for the pod's own.
fn namespaces(setup: &Setup) -> io::Result<()> {
    let mut flags = CloneFlags::empty();
    if setup.config.network == Network::Pod {
        flags |= CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWUTS;
    }
    if !setup.config.host_ipc {
        flags |= CloneFlags::CLONE_NEWIPC;
    }
    unshare(flags)?;
    if setup.config.network == Network::Pod && !setup.config.hostname.is_empty() {
        rustix::system::sethostname(setup.config.hostname.as_bytes())?;
    }
    for (name, value) in &setup.config.sysctls {
        let namespaced = match name.split(['.', '/']).next() {
            Some("net") => setup.config.network == Network::Pod,
            Some("kernel" | "fs") => !setup.config.host_ipc,
            _ => false,
        };
        if !namespaced || name.contains("..") {
            return Err(io::Error::other(format!(
                "the pod has no namespace of its own for sysctl {name}"
            )));
        }
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        fs::write(path, value)
            .map_err(|error| io::Error::other(format!("sysctl {name}: {error}")))?;
    }
    Ok(())
}

/// Makes the pod's shared process namespace; its first process.
async fn shared_pids(reaper: &Reaper) -> io::Result<i32> {
    let launching = reaper.launching();
    let child = Command::new("/proc/self/exe")
        .args(["pod-helper", "pids", "pause"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let child = i32::try_from(child.id()).map_err(io::Error::other)?;
    let status = reaper.ended(child).await?;
    drop(launching);
    if status.exit_status() != Some(0) {
        return Err(io::Error::other("the pod's process namespace"));
    }
    fs::read_to_string("pause")?
        .trim()
        .parse()
        .map_err(io::Error::other)
}

async fn serve(setup: Setup, dirs: PodDirs) -> io::Result<()> {
    let reaper = Reaper::default();
    spawn_local(reaper.clone().run());
    if setup.config.network == Network::Pod {
        crate::network::loopback_up().await?;
    }
    let pause = match setup.config.shared_pid {
        true => Some(shared_pids(&reaper).await?),
        false => None,
    };
    let listener = UnixListener::bind(SOCKET)?;
    fs::set_permissions(SOCKET, fs::Permissions::from_mode(0o600))?;
    files::write(&dirs.pid(), std::process::id().to_string().as_bytes())?;
    let pod = Rc::new(Pod::new(setup, dirs, reaper, pause));
    // The agent waits for this line; after it the helper has nothing of the agent's.
    io::stdout().write_all(b"ready\n")?;
    io::stdout().flush()?;
    let null = fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    let null = fs::File::options().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    let (stop, mut stopped) = mpsc::channel::<()>(1);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let (pod, stop) = (Rc::clone(&pod), stop.clone());
                spawn_local(async move {
                    // A client that left is its own business.
                    let _ = connection(pod, stream, stop).await;
                });
            }
            _ = stopped.recv() => return Ok(()),
        }
    }
}

fn reply<T>(result: Result<T>, ok: impl FnOnce(T) -> Reply) -> Reply {
    match result {
        Ok(value) => ok(value),
        Err(error) => Reply::Failed(error),
    }
}

async fn connection(pod: Rc<Pod>, stream: UnixStream, stop: mpsc::Sender<()>) -> io::Result<()> {
    let (mut from, mut to) = stream.into_split();
    let done = |()| Reply::Done;
    let answer = match receive_json::<Request>(&mut from).await? {
        Request::Network(interface) => {
            let result = crate::network::configure(&interface).await;
            reply(result.map_err(|e| Error::Failed(e.to_string())), done)
        }
        Request::Create {
            id,
            image,
            config,
            root,
        } => reply(pod.create(id, image, *config, &root), |container| {
            Reply::Container(Box::new(container))
        }),
        Request::Start(id) => reply(pod.start(&id).await, done),
        Request::Signal { id, signal, all } => reply(pod.signal(&id, signal, all), done),
        Request::Wait(id) => match pod.held(&id) {
            // Waiting ends when the agent leaves.
            Ok(held) => tokio::select! {
                exit = held.wait() => reply(exit, Reply::Exit),
                _ = receive(&mut from) => return Ok(()),
            },
            Err(error) => Reply::Failed(error),
        },
        Request::Remove(id) => reply(pod.remove(&id), done),
        Request::List => Reply::Containers(pod.list()),
        Request::Exec(id, config) => return exec(&pod, &id, config, from, to).await,
        Request::Attach(id, config) => return attach(&pod, &id, config, from, to).await,
        Request::Forward(port) => return forward(port, from, to).await,
        Request::Events => return events(&pod, from, to).await,
        Request::Stop => {
            pod.stop().await;
            send_json(&mut to, &Reply::Done).await?;
            // Nobody else is asked to stop.
            let _ = stop.send(()).await;
            return Ok(());
        }
    };
    send_json(&mut to, &answer).await
}

/// Feeds a process from a client until the client leaves or ends the input.
async fn feed(from: &mut OwnedReadHalf, stdin: &Stdin) -> io::Result<()> {
    while let Some((kind, payload)) = receive(from).await? {
        match kind {
            Kind::Stdin => stdin.write(&payload).await,
            Kind::Close => stdin.close().await,
            Kind::Resize => stdin.resize(serde_json::from_slice::<TerminalSize>(&payload)?),
            _ => return Err(io::Error::other("a frame that was not expected")),
        }
    }
    Ok(())
}

fn kind(stream: super::log::Stream) -> Kind {
    match stream {
        super::log::Stream::Stdout => Kind::Stdout,
        super::log::Stream::Stderr => Kind::Stderr,
    }
}

async fn exec(
    pod: &Pod,
    id: &ContainerId,
    config: ExecConfig,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let process = match pod.exec(id, &config).await {
        Ok(process) => process,
        Err(error) => return send_json(&mut to, &Reply::Failed(error)).await,
    };
    send_json(&mut to, &Reply::Done).await?;
    let stdin = process.stdin.clone();
    let pid = rustix::process::Pid::from_raw(process.pid);
    let hold = pid.and_then(|pid| {
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
    });
    let (sender, mut receiver) = mpsc::channel::<(super::log::Stream, Bytes)>(16);
    let run = spawn_local(process.run(move |stream, bytes| {
        let sender = sender.clone();
        async move {
            // The client left; the process is told below.
            let _ = sender.send((stream, bytes)).await;
        }
    }));
    let passing = async {
        while let Some((stream, bytes)) = receiver.recv().await {
            send(&mut to, kind(stream), &bytes).await?;
        }
        let exit = run.await.map_err(io::Error::other)?;
        send_json(&mut to, &Reply::Exit(exit)).await
    };
    let left = tokio::select! {
        result = passing => result.is_err(),
        _ = feed(&mut from, &stdin) => true,
    };
    if left && let Some(process) = hold {
        // It may have ended.
        let _ = rustix::process::pidfd_send_signal(process, rustix::process::Signal::HUP);
    }
    Ok(())
}

async fn attach(
    pod: &Pod,
    id: &ContainerId,
    config: AttachConfig,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let held = match pod.held(id).and_then(|held| held.running().map(|()| held)) {
        Ok(held) => held,
        Err(error) => return send_json(&mut to, &Reply::Failed(error)).await,
    };
    let mut outputs = held.outputs.attach();
    let way_in = match config.stdin {
        true => stdin(&held),
        false => Stdin::None,
    };
    let terminal = stdin(&held);
    if let Some(size) = config.size {
        terminal.resize(size);
    }
    send_json(&mut to, &Reply::Done).await?;
    let passing = async {
        while let Some((stream, bytes)) = outputs.recv().await {
            send(&mut to, kind(stream), &bytes).await?;
        }
        match held.wait().await {
            Ok(exit) => send_json(&mut to, &Reply::Exit(exit)).await,
            Err(error) => send_json(&mut to, &Reply::Failed(error)).await,
        }
    };
    let feeding = async {
        while let Some((kind, payload)) = receive(&mut from).await? {
            match kind {
                Kind::Stdin => way_in.write(&payload).await,
                // Others may attach later, unless the container wants only one.
                Kind::Close if held.stdin_once => way_in.close().await,
                Kind::Close => (),
                Kind::Resize => terminal.resize(serde_json::from_slice(&payload)?),
                _ => return Err(io::Error::other("a frame that was not expected")),
            }
        }
        io::Result::Ok(())
    };
    tokio::select! {
        _ = passing => (),
        _ = feeding => (),
    }
    if config.stdin && held.stdin_once {
        way_in.close().await;
    }
    Ok(())
}

/// Connects within the pod's network, in which this process is.
async fn forward(port: u16, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let stream = match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(stream) => stream,
        Err(error) => {
            let error = Error::Unavailable(format!("port {port}: {error}"));
            return send_json(&mut to, &Reply::Failed(error)).await;
        }
    };
    send_json(&mut to, &Reply::Done).await?;
    let (mut read, mut write) = stream.into_split();
    let out = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = read.read(&mut buffer).await?;
            if count == 0 {
                return send(&mut to, Kind::Close, &[]).await;
            }
            send(
                &mut to,
                Kind::Stdout,
                buffer.get(..count).unwrap_or_default(),
            )
            .await?;
        }
    };
    let into = async {
        while let Some((kind, payload)) = receive(&mut from).await? {
            match kind {
                Kind::Stdin => write.write_all(&payload).await?,
                Kind::Close => write.shutdown().await?,
                _ => return Err(io::Error::other("a frame that was not expected")),
            }
        }
        io::Result::Ok(())
    };
    // The pod's end decides when it is over; a client that left ends it too.
    tokio::select! {
        result = out => result,
        result = into => result,
    }
}

async fn events(pod: &Pod, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
    let mut events = pod.events.subscribe();
    send_json(&mut to, &Reply::Done).await?;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok((id, exit)) => send_json(&mut to, &Reply::Event(id, exit)).await?,
                // Who needs certainty lists.
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => (),
                Err(_) => return Ok(()),
            },
            _ = receive(&mut from) => return Ok(()),
        }
    }
}
