//! Streams into containers and pods.

use crate::container::Exit;
use crate::error::{Error, Result};
use bytes::Bytes;
use futures::Sink;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::pin::Pin;

/// A terminal's size in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A process to run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExecConfig {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Whether to feed its standard input; otherwise it reads end of file.
    pub stdin: bool,
    /// Whether it gets a terminal; all output then is [`Output::Stdout`].
    pub tty: bool,
    /// The terminal's first size.
    pub size: Option<TerminalSize>,
}

/// How to attach to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttachConfig {
    /// Whether to feed its standard input.
    pub stdin: bool,
    /// The terminal's first size.
    pub size: Option<TerminalSize>,
}

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Bytes for standard input.
    Stdin(Bytes),
    /// The end of standard input.
    CloseStdin,
    /// The terminal's new size.
    Resize(TerminalSize),
}

/// What a process sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// From standard output, or from the terminal.
    Stdout(Bytes),
    /// From standard error.
    Stderr(Bytes),
    /// How it ended; nothing follows.
    Exited(Exit),
}

/// The way in.
pub type InputSink<T> = Pin<Box<dyn Sink<T, Error = Error> + Send>>;

/// The streams of a process. Dropping both ends leaves: an attached container runs on, an executed
/// process is sent the hang-up signal.
pub struct Session {
    /// Into the process.
    pub input: InputSink<Input>,
    /// From the process, until [`Output::Exited`].
    pub output: BoxStream<'static, Result<Output>>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// A connection into a pod's network.
pub struct Connection {
    /// Towards the pod; an empty piece ends that direction.
    pub input: InputSink<Bytes>,
    /// From the pod, until it closes.
    pub output: BoxStream<'static, Result<Bytes>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
