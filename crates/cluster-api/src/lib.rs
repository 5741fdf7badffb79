//! The port through which controllers, the scheduler and the node agent see a cluster. The API
//! server implements it in process (each caller under an identity of its own, through the same
//! authorization, admission and audit as a request from outside); a client of a remote cluster
//! can implement it unchanged.
//!
//! Objects arrive as encoded JSON ([`Bytes`]), shared with the server's cache, so that a
//! controller that needs metadata only parses no more than that.

mod follow;
mod record;

pub use follow::{Pause, Update, follow};
pub use record::{Severity, event};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use model::Value;
use model::status::Status;
use serde::Deserialize;

/// A resource in one version, such as `apps/v1` `deployments`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResourceRef {
    /// The API group; empty for the core group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The plural name, optionally with a subresource: `pods/status`.
    pub resource: String,
}

impl ResourceRef {
    /// A resource of `group` and `version`; `resource` may name a subresource as `pods/binding`.
    pub fn new(group: &str, version: &str, resource: &str) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
        }
    }

    /// A resource of the core group's `v1`.
    pub fn core(resource: &str) -> Self {
        Self::new("", "v1", resource)
    }
}

/// Which objects a list or watch returns.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// A label selector in its text form; empty selects all.
    pub labels: String,
    /// A field selector in its text form; empty selects all.
    pub fields: String,
}

/// A list: encoded items and the resource version from which a watch goes on without a gap.
#[derive(Debug, Clone)]
pub struct List {
    /// The encoded objects.
    pub items: Vec<Bytes>,
    /// Where to watch from.
    pub resource_version: String,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// The object is new to this watch.
    Added(Bytes),
    /// The object changed.
    Modified(Bytes),
    /// The object is gone (or no longer selected); its last state.
    Deleted(Bytes),
    /// Nothing changed up to this resource version.
    Bookmark(String),
}

/// Options of a deletion.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Delete only the object with this UID.
    pub uid: Option<String>,
    /// Delete only the object at this resource version.
    pub resource_version: Option<String>,
    /// `Foreground`, `Background` or `Orphan`.
    pub propagation: Option<&'static str>,
    /// Seconds until the object is removed.
    pub grace_seconds: Option<i64>,
}

/// How a patch is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchType {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge.
    Strategic,
    /// Server-side apply under a field manager.
    Apply {
        /// The field manager.
        manager: String,
        /// Whether to take fields that others own.
        force: bool,
    },
}

/// The result of cluster calls.
pub type Result<T> = std::result::Result<T, Status>;

/// A cluster, as seen by one identity. `namespace` is `None` for cluster-scoped resources, and in
/// `list` and `watch` for all namespaces.
pub trait Cluster: Send + Sync + 'static {
    /// One object.
    fn get<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Bytes>>;

    /// All selected objects.
    fn list<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        selection: &'a Selection,
    ) -> BoxFuture<'a, Result<List>>;

    /// Changes after `resource_version`, without gap or duplicate, until the stream ends; a
    /// watch that cannot go on ends with an error, after which the caller lists again.
    fn watch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        selection: &'a Selection,
        resource_version: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Change>>>>;

    /// Creates an object, or posts to a subresource of `name` (`pods/binding`,
    /// `serviceaccounts/token`). Returns what the server answered.
    fn create<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: Option<&'a str>,
        object: Value,
    ) -> BoxFuture<'a, Result<Value>>;

    /// Replaces an object (or a subresource of it); its `resourceVersion`, if set, must match.
    fn update<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        object: Value,
    ) -> BoxFuture<'a, Result<Value>>;

    /// Patches an object (or a subresource of it).
    fn patch<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        patch: Value,
        kind: PatchType,
    ) -> BoxFuture<'a, Result<Value>>;

    /// Deletes an object.
    fn delete<'a>(
        &'a self,
        resource: &'a ResourceRef,
        namespace: Option<&'a str>,
        name: &'a str,
        options: DeleteOptions,
    ) -> BoxFuture<'a, Result<()>>;

    /// Every resource that can be listed and watched, as `(reference, namespaced)`: what the
    /// namespace and garbage collectors walk.
    fn resources(&self) -> BoxFuture<'_, Result<Vec<(ResourceRef, bool)>>>;
}

/// The parts of an object that most controllers look at first. Unknown fields are passed over.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Head {
    /// The object's API version.
    pub api_version: String,
    /// The object's kind.
    pub kind: String,
    /// The object's metadata.
    pub metadata: HeadMeta,
}

/// The parts of metadata that controllers look at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeadMeta {
    /// The name.
    pub name: String,
    /// The namespace; empty if none.
    pub namespace: String,
    /// The UID.
    pub uid: String,
    /// The resource version.
    pub resource_version: String,
    /// When deletion was asked for; empty if it was not.
    pub deletion_timestamp: String,
    /// Who must act before the object goes.
    pub finalizers: Vec<String>,
    /// What the object belongs to.
    pub owner_references: Vec<OwnerReference>,
    /// Labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// An owner reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// The owner's API version.
    pub api_version: String,
    /// The owner's kind.
    pub kind: String,
    /// The owner's name.
    pub name: String,
    /// The owner's UID.
    pub uid: String,
    /// Whether this is the managing controller.
    pub controller: bool,
    /// Whether foreground deletion of the owner waits for this object.
    pub block_owner_deletion: bool,
}

impl Head {
    /// Reads the head of an encoded object.
    pub fn parse(object: &[u8]) -> Result<Self> {
        serde_json::from_slice(object)
            .map_err(|e| Status::internal(format!("an object from the API cannot be read: {e}")))
    }
}
