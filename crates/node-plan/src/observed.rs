//! What is known of a pod on its node: the containers that were made for it, and what became of
//! them.

use jiff::Timestamp;
use std::collections::BTreeMap;

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Made, and not started.
    Created,
    /// Running since then.
    Running(Timestamp),
    /// Ended.
    Exited(Exit),
    /// Nobody can tell.
    Unknown,
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; of a signal, 128 and the signal's number.
    pub code: i64,
    /// In one word, if the runtime knows better than `Completed` and `Error` (`OOMKilled`,
    /// `ContainerCannotRun`, `StartError` …); empty otherwise.
    pub reason: String,
    /// Its last words.
    pub message: String,
    /// When it had started; `None` if it never did.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Timestamp,
}

/// A container that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its ID with the runtime, such as `rampart://0123…`.
    pub id: String,
    /// The image as the runtime knows it.
    pub image: String,
    /// The image's ID, `NAME@DIGEST`.
    pub image_id: String,
    /// How often the container had been made before in this pod.
    pub restarts: i64,
    /// Whether the pod's spec says something else now than when it was made.
    pub changed: bool,
    /// Where it is.
    pub state: State,
}

impl Made {
    /// How it ended, if it has.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.state {
            State::Exited(exit) => Some(exit),
            _ => None,
        }
    }

    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }
}

/// The sandbox of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sandbox {
    /// Whether it is up.
    pub ready: bool,
    /// Its addresses; none on the node's network.
    pub addresses: Vec<String>,
    /// How many were made before it.
    pub attempt: u32,
}

/// A pod on its node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// The newest sandbox.
    pub sandbox: Option<Sandbox>,
    /// The containers by name, the newest first. Those of earlier sandboxes count too.
    pub containers: BTreeMap<String, Vec<Made>>,
}

impl Observed {
    /// The newest container of that name.
    pub fn container(&self, name: &str) -> Option<&Made> {
        self.containers.get(name)?.first()
    }

    /// Whether one of that name is running.
    pub fn runs(&self, name: &str) -> bool {
        self.container(name).is_some_and(Made::is_running)
    }
}
