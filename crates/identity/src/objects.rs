//! What token checks ask of the cluster. The answers must be live: a token dies with the object
//! that it is bound to, so nothing here may be cached by the asker.

use crate::Sensitive;

/// An object's identity and whether it is on its way out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectState {
    /// The UID.
    pub uid: String,
    /// `metadata.deletionTimestamp` in seconds since the Unix epoch, if set.
    pub deletion_timestamp: Option<i64>,
}

/// A pod, as tokens see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodState {
    /// Identity and deletion.
    pub object: ObjectState,
    /// `spec.serviceAccountName`.
    pub service_account: String,
    /// `spec.nodeName`; empty while unbound.
    pub node: String,
}

/// A secret, as tokens see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecretState {
    /// Identity and deletion.
    pub object: ObjectState,
    /// `type`.
    pub kind: String,
    /// The decoded `data.token`, if the secret is of type `kubernetes.io/service-account-token`.
    pub token: Option<Sensitive>,
    /// The label `kubernetes.io/legacy-token-invalid-since`, if set and not empty.
    pub invalid_since: Option<String>,
}

/// Lookups of single objects, answered synchronously from the server's cache.
pub trait Objects: Send + Sync {
    /// The service account, if it exists.
    fn service_account(&self, namespace: &str, name: &str) -> Option<ObjectState>;
    /// The pod, if it exists.
    fn pod(&self, namespace: &str, name: &str) -> Option<PodState>;
    /// The secret, if it exists.
    fn secret(&self, namespace: &str, name: &str) -> Option<SecretState>;
    /// The node, if it exists.
    fn node(&self, name: &str) -> Option<ObjectState>;
}

/// A cluster without objects: every service-account token is refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObjects;

impl Objects for NoObjects {
    fn service_account(&self, _: &str, _: &str) -> Option<ObjectState> {
        None
    }
    fn pod(&self, _: &str, _: &str) -> Option<PodState> {
        None
    }
    fn secret(&self, _: &str, _: &str) -> Option<SecretState> {
        None
    }
    fn node(&self, _: &str) -> Option<ObjectState> {
        None
    }
}
