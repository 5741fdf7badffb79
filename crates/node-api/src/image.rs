//! Images: what a container's file system and defaults come from.

use crate::error::Result;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// A user and password or a token for one registry, from a pull secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credentials {
    /// Basic authentication.
    Basic {
        /// The user.
        username: String,
        /// The password or access token.
        password: String,
    },
    /// A bearer token (`registrytoken` of a docker configuration).
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// What an image says about running it, where a container does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageConfig {
    /// The user, as `user`, `uid`, `user:group` or `uid:gid`; empty for root.
    pub user: String,
    /// Environment, as `NAME=value`.
    pub env: Vec<String>,
    /// What to run.
    pub entrypoint: Vec<String>,
    /// Its default arguments.
    pub cmd: Vec<String>,
    /// The working directory; empty for `/`.
    pub working_dir: String,
    /// The signal that asks it to stop, as `SIGTERM` or `15`; empty for `SIGTERM`.
    pub stop_signal: String,
    /// Paths it declares as volumes.
    pub volumes: BTreeSet<String>,
    /// Ports it declares, as `80/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// An image on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The digest of its configuration, `sha256:…`.
    pub id: String,
    /// The names it has, in full: `docker.io/library/busybox:1.36`.
    pub names: Vec<String>,
    /// The manifests it was pulled by, in full: `docker.io/library/busybox@sha256:…`.
    pub digests: Vec<String>,
    /// Bytes on disk, unpacked.
    pub size: u64,
    /// What it says about running it.
    pub config: ImageConfig,
    /// When it was last pulled or used, in nanoseconds since 1970.
    pub used_at: i64,
}

/// A user resolved against an image's `/etc/passwd` and `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ImageUser {
    /// The user id.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The groups the image lists the user in.
    pub additional_gids: Vec<u32>,
    /// Whether the image knows the user by name (a bare number need not be listed).
    pub listed: bool,
}

/// Disk space that images take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Bytes of images and containers' writable layers.
    pub bytes: u64,
    /// Files.
    pub inodes: u64,
}

/// Images of a node. References are normalised as Docker does: `busybox` is
/// `docker.io/library/busybox:latest`.
pub trait Images: Send + Sync + 'static {
    /// Pulls an image and names it so. What is already there is not fetched again, but a tag is
    /// always looked up. With several credentials each is tried in turn, as kubelet does, and
    /// none at last only if there were none.
    fn pull<'a>(
        &'a self,
        reference: &'a str,
        credentials: &'a [Credentials],
    ) -> BoxFuture<'a, Result<Image>>;

    /// The image with this name, digest reference or id.
    fn image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Image>>>;

    /// All images.
    fn images(&self) -> BoxFuture<'_, Result<Vec<Image>>>;

    /// Removes a name, and with the last name, or given an id, the image. An image that a
    /// container uses is [`crate::Error::Conflict`].
    fn remove_image<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Reads images from an OCI layout (directory or tar) or a docker archive.
    fn import<'a>(&'a self, path: &'a Path) -> BoxFuture<'a, Result<Vec<Image>>>;

    /// Removes data that belongs to no image and no container; the bytes freed.
    fn collect_garbage(&self) -> BoxFuture<'_, Result<u64>>;

    /// Disk space in use.
    fn usage(&self) -> BoxFuture<'_, Result<Usage>>;

    /// Resolves a user as [`ImageConfig::user`] gives it in the image's own files. An unknown
    /// name is [`crate::Error::Invalid`].
    fn resolve_user<'a>(
        &'a self,
        image: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<ImageUser>>;
}
