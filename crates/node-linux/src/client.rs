//! The agent's side of a helper's socket.

use crate::layout::{PodDirs, SOCKET};
use crate::protocol::{Kind, Reply, Request, receive, receive_json, send, send_json, send_size};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, sink};
use node_api::{Connection, ContainerId, Error, Exit, Input, Output, Result, Session};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// A helper that does not answer is gone.
fn gone(error: io::Error) -> Error {
    Error::Unavailable(format!("the pod's helper: {error}"))
}

/// Connects to a pod's helper. The socket is named through its directory, as a socket's path is
/// limited to a hundred-odd bytes.
pub(crate) async fn connect(dirs: &PodDirs) -> io::Result<UnixStream> {
    let directory = File::open(&dirs.run)?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
    UnixStream::connect(path).await
}

/// Asks, and gives the connection on with a good answer.
async fn open(dirs: &PodDirs, request: &Request) -> Result<(OwnedReadHalf, OwnedWriteHalf, Reply)> {
    let (mut from, mut to) = connect(dirs).await.map_err(gone)?.into_split();
    send_json(&mut to, request).await.map_err(gone)?;
    match receive_json(&mut from).await.map_err(gone)? {
        Reply::Failed(error) => Err(error),
        reply => Ok((from, to, reply)),
    }
}

/// Asks what has one answer.
pub(crate) async fn ask(dirs: &PodDirs, request: &Request) -> Result<Reply> {
    open(dirs, request).await.map(|(_, _, reply)| reply)
}

/// Asks what is only done.
pub(crate) async fn tell(dirs: &PodDirs, request: &Request) -> Result<()> {
    ask(dirs, request).await.map(|_| ())
}

/// Opens the streams of a process.
pub(crate) async fn session(dirs: &PodDirs, request: &Request) -> Result<Session> {
    let (from, to, _) = open(dirs, request).await?;
    let input = sink::unfold(to, |mut to, input: Input| async move {
        match input {
            Input::Stdin(bytes) => send(&mut to, Kind::Stdin, &bytes).await,
            Input::CloseStdin => send(&mut to, Kind::Close, &[]).await,
            Input::Resize(size) => send_size(&mut to, size).await,
        }
        .map_err(gone)?;
        Ok(to)
    });
    let output = stream::unfold(Some(from), |from| async move {
        let mut from = from?;
        let item = output(&mut from).await;
        let last = !matches!(item, Ok(Output::Stdout(_) | Output::Stderr(_)));
        Some((item, (!last).then_some(from)))
    });
    Ok(Session {
        input: Box::pin(input),
        output: output.boxed(),
    })
}

async fn output(from: &mut OwnedReadHalf) -> Result<Output> {
    match receive(from).await.map_err(gone)? {
        Some((Kind::Stdout, bytes)) => Ok(Output::Stdout(bytes)),
        Some((Kind::Stderr, bytes)) => Ok(Output::Stderr(bytes)),
        Some((Kind::Json, payload)) => match serde_json::from_slice(&payload) {
            Ok(Reply::Exit(exit)) => Ok(Output::Exited(exit)),
            Ok(Reply::Failed(error)) => Err(error),
            Ok(_) => Err(gone(io::Error::other("a reply that was not expected"))),
            Err(error) => Err(gone(error.into())),
        },
        Some(_) => Err(gone(io::Error::other("a frame that was not expected"))),
        None => Err(gone(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// Opens a connection into the pod.
pub(crate) async fn forward(dirs: &PodDirs, port: u16) -> Result<Connection> {
    let (from, to, _) = open(dirs, &Request::Forward(port)).await?;
    let input = sink::unfold(to, |mut to, bytes: Bytes| async move {
        let kind = match bytes.is_empty() {
            true => Kind::Close,
            false => Kind::Stdin,
        };
        send(&mut to, kind, &bytes).await.map_err(gone)?;
        Ok(to)
    });
    let output = stream::unfold(from, |mut from| async move {
        match receive(&mut from).await {
            Ok(Some((Kind::Stdout, bytes))) => Some((Ok(bytes), from)),
            Ok(_) => None,
            Err(error) => Some((Err(gone(error)), from)),
        }
    });
    Ok(Connection {
        input: Box::pin(input),
        output: output.boxed(),
    })
}

/// Containers that end from now on, until the helper does.
pub(crate) async fn events(dirs: &PodDirs) -> Result<BoxStream<'static, (ContainerId, Exit)>> {
    let (from, to, _) = open(dirs, &Request::Events).await?;
    // The write half is held: closing it would end the subscription.
    let stream = stream::unfold((from, to), |(mut from, to)| async move {
        match receive_json(&mut from).await {
            Ok(Reply::Event(id, exit)) => Some(((id, exit), (from, to))),
            _ => None,
        }
    });
    Ok(stream.boxed())
}
