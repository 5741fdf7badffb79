//! What the agent and a pod's helper say to each other: one request per connection, as a frame of
//! JSON, answered by a frame of JSON; for streams, frames go on in both directions after that.

use bytes::Bytes;
use node_api::{
    AttachConfig, Container, ContainerConfig, ContainerId, Error, ExecConfig, Exit, SandboxId,
    TerminalSize,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a helper is started with, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) id: SandboxId,
    pub(crate) state: PathBuf,
    pub(crate) run: PathBuf,
    pub(crate) config: node_api::SandboxConfig,
}

/// What the agent asks.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Bring up the pod's end of its network.
    Network(Interface),
    /// Note a container; its root file system is mounted at `root`.
    Create {
        id: ContainerId,
        image: String,
        config: Box<ContainerConfig>,
        root: PathBuf,
    },
    /// Run it.
    Start(ContainerId),
    /// Send it a signal.
    Signal {
        id: ContainerId,
        signal: i32,
        all: bool,
    },
    /// Answer when it ended.
    Wait(ContainerId),
    /// Forget it.
    Remove(ContainerId),
    /// All containers.
    List,
    /// Run a process in it; streams follow.
    Exec(ContainerId, ExecConfig),
    /// Join its streams.
    Attach(ContainerId, AttachConfig),
    /// Connect to a port in the pod; bytes follow.
    Forward(u16),
    /// Frames for containers that end follow.
    Events,
    /// Kill everything and end.
    Stop,
}

/// The pod's end of its network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    /// Addresses with their prefix lengths.
    pub(crate) addresses: Vec<(std::net::IpAddr, u8)>,
    pub(crate) gateways: Vec<std::net::IpAddr>,
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Done,
    Container(Box<Container>),
    Containers(Vec<Container>),
    Exit(Exit),
    Event(ContainerId, Exit),
    Failed(Error),
}

/// The largest frame: a container's spec fits well.
const LIMIT: u32 = 16 << 20;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request or reply.
    Json,
    /// To standard input, or towards a forwarded port.
    Stdin,
    /// From standard output, or from a forwarded port.
    Stdout,
    /// From standard error.
    Stderr,
    /// A terminal's size.
    Resize,
    /// The end of one direction.
    Close,
}

impl Kind {
    fn code(self) -> u8 {
        self as u8
    }

    fn from_code(code: u8) -> io::Result<Self> {
        [
            Self::Json,
            Self::Stdin,
            Self::Stdout,
            Self::Stderr,
            Self::Resize,
            Self::Close,
        ]
        .into_iter()
        .find(|kind| kind.code() == code)
        .ok_or_else(|| io::Error::other(format!("unknown kind of frame {code}")))
    }
}

/// Sends a frame.
pub(crate) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    kind: Kind,
    payload: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(payload.len())
        .ok()
        .filter(|length| *length <= LIMIT)
        .ok_or_else(|| io::Error::other("a frame is too large"))?;
    let mut frame = Vec::with_capacity(payload.len().saturating_add(5));
    frame.push(kind.code());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(payload);
    to.write_all(&frame).await
}

/// Sends a value.
pub(crate) async fn send_json<T: Serialize>(
    to: &mut (impl AsyncWrite + Unpin),
    value: &T,
) -> io::Result<()> {
    send(to, Kind::Json, &serde_json::to_vec(value)?).await
}

/// Sends a terminal's size.
pub(crate) async fn send_size(
    to: &mut (impl AsyncWrite + Unpin),
    size: TerminalSize,
) -> io::Result<()> {
    send(to, Kind::Resize, &serde_json::to_vec(&size)?).await
}

/// Receives a frame; `None` once the other side is gone.
pub(crate) async fn receive(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(Kind, Bytes)>> {
    let code = match from.read_u8().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        result => result?,
    };
    let kind = Kind::from_code(code)?;
    let length = from.read_u32_le().await?;
    if length > LIMIT {
        return Err(io::Error::other("a frame is too large"));
    }
    let mut payload = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    from.read_exact(&mut payload).await?;
    Ok(Some((kind, payload.into())))
}

/// Receives a value.
pub(crate) async fn receive_json<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    match receive(from).await? {
        Some((Kind::Json, payload)) => Ok(serde_json::from_slice(&payload)?),
        Some(_) => Err(io::Error::other("a frame that was not expected")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
