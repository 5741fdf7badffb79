//! One object of a snapshot.

use crate::kinds::Kind;
use crate::source::Source;
use model::resource::GroupVersionKind;
use model::{Value, meta};
use std::sync::Arc;

/// An object of a snapshot; ids follow the snapshot's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId(pub(crate) u32);

/// Whose object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Somebody wrote it, or a controller made it for something that somebody wrote.
    Written,
    /// Every cluster has it; nobody is to be blamed for it.
    Given,
    /// No document defines it, but others cannot be without it: the namespace they live in.
    Implied,
}

/// An object, in the form in which an API server would hold it.
#[derive(Debug, Clone)]
pub struct Object {
    /// The object. Secrets have no values, and nothing has managed fields.
    pub value: Arc<Value>,
    /// The `apiVersion` and `kind` that were written. Those of `value` are the stored ones.
    pub written: GroupVersionKind,
    /// Its kind.
    pub kind: Arc<Kind>,
    /// Whose object it is.
    pub standing: Standing,
    /// Where it was written, if in a file.
    pub source: Option<Source>,
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Object {
    /// Whether it is an object of that namespace, or the namespace itself.
    pub fn is_within(&self, namespace: &str) -> bool {
        self.namespace() == namespace || (self.is("", "namespaces") && self.name() == namespace)
    }

    /// The namespace; empty for kinds of the whole cluster.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name; of an object that has its name yet to be made, the prefix of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the name is yet to be made from `metadata.generateName`.
    pub fn is_name_generated(&self) -> bool {
        meta::name(&self.value).is_empty()
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        &self.kind.group
    }

    /// The plural name, such as `deployments`.
    pub fn resource(&self) -> &str {
        &self.kind.plural
    }

    /// Whether it is of that group and plural name.
    pub fn is(&self, group: &str, plural: &str) -> bool {
        *self.kind.group == *group && *self.kind.plural == *plural
    }

    /// `Kind namespace/name`, or `Kind name`.
    pub fn title(&self) -> String {
        if self.namespace.is_empty() {
            format!("{} {}", self.kind.kind, self.name)
        } else {
            format!("{} {}/{}", self.kind.kind, self.namespace, self.name)
        }
    }

    /// The owner reference of the controller that made this object, if one did.
    pub fn controller(&self) -> Option<&Value> {
        meta::list(&self.value, &["metadata", "ownerReferences"])
            .iter()
            .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
    }

    /// What snapshots are sorted by.
    pub(crate) fn order(&self) -> (&str, &str, &str, &str) {
        (
            &self.kind.group,
            &self.kind.plural,
            &self.namespace,
            &self.name,
        )
    }
}
