//! Where things are.

use std::path::{Path, PathBuf};

/// The directories of one pod.
#[derive(Debug, Clone)]
pub(crate) struct PodDirs {
    /// On disk.
    pub(crate) state: PathBuf,
    /// On the tmpfs.
    pub(crate) run: PathBuf,
}

impl PodDirs {
    pub(crate) fn new(state: &Path, run: &Path, sandbox: &str) -> Self {
        Self {
            state: state.join("sandboxes").join(sandbox),
            run: run.join(sandbox),
        }
    }

    /// What the sandbox is.
    pub(crate) fn sandbox(&self) -> PathBuf {
        self.state.join("sandbox.json")
    }

    /// The records of its containers.
    pub(crate) fn containers(&self) -> PathBuf {
        self.state.join("containers")
    }

    /// What one container is and how it ended.
    pub(crate) fn record(&self, container: &str) -> PathBuf {
        self.containers().join(format!("{container}.json"))
    }

    /// The helper's process number.
    pub(crate) fn pid(&self) -> PathBuf {
        self.run.join("pid")
    }

    /// What the helper has to say about itself when things go wrong.
    pub(crate) fn helper_log(&self) -> PathBuf {
        self.state.join("helper.log")
    }

    /// The pod's `/dev/shm`.
    pub(crate) fn shm(&self) -> PathBuf {
        self.run.join("shm")
    }

    /// `libcontainer`'s own state.
    pub(crate) fn engine(&self) -> PathBuf {
        self.run.join("engine")
    }

    /// A container's bundle and sockets.
    pub(crate) fn container_run(&self, container: &str) -> PathBuf {
        self.run.join("c").join(container)
    }

    /// The OCI bundle.
    pub(crate) fn bundle(&self, container: &str) -> PathBuf {
        self.container_run(container).join("bundle")
    }
}

/// The helper's socket, in the pod's directory; short, for a socket's path is limited.
pub(crate) const SOCKET: &str = "s";
