//! Knots in the composition: tokens are checked against objects that the server caches, and the
//! server needs the token check to be built.

use identity::{ObjectState, Objects, PodState, SecretState};
use std::sync::{Arc, OnceLock};

/// Objects that are known once the server is there. Until then there are none, so every token is
/// refused.
#[derive(Default)]
pub(crate) struct LateObjects(OnceLock<Arc<dyn Objects>>);

impl LateObjects {
    /// Says where the objects are. Only the first word counts.
    pub(crate) fn set(&self, objects: Arc<dyn Objects>) {
        let _ = self.0.set(objects);
    }
}

impl Objects for LateObjects {
    fn service_account(&self, namespace: &str, name: &str) -> Option<ObjectState> {
        self.0.get()?.service_account(namespace, name)
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<PodState> {
        self.0.get()?.pod(namespace, name)
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<SecretState> {
        self.0.get()?.secret(namespace, name)
    }

    fn node(&self, name: &str) -> Option<ObjectState> {
        self.0.get()?.node(name)
    }
}
