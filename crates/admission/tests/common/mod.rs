//! What the tests of plugins share: a small cluster, and requests to it.

#![allow(dead_code, reason = "every test binary uses its own part")]

use admission::{Lookup, Operation, Plugin, Request};
use model::registry::Registry;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
use serde_json::json;
use std::sync::{Arc, LazyLock};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);

pub(crate) fn resource(group: &str, version: &str, plural: &str) -> &'static Resource {
    REGISTRY
        .by_path(group, version, plural)
        .expect("registered")
}

/// Objects by plural name.
#[derive(Default)]
pub(crate) struct Cluster(Vec<(&'static str, Arc<Value>)>);

impl Cluster {
    /// A cluster with one namespace that has these labels.
    pub(crate) fn with_labels(labels: Value) -> Self {
        Self::default().and(
            "namespaces",
            json!({ "metadata": { "name": "n", "labels": labels } }),
        )
    }

    pub(crate) fn and(mut self, plural: &'static str, object: Value) -> Self {
        self.0.push((plural, Arc::new(object)));
        self
    }
}

impl Lookup for Cluster {
    fn get(&self, _: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0
            .iter()
            .find(|(plural, o)| {
                *plural == resource && meta::namespace(o) == namespace && meta::name(o) == name
            })
            .map(|(_, o)| Arc::clone(o))
    }

    fn list(&self, _: &str, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        self.0
            .iter()
            .filter(|(p, o)| *p == resource && ["", meta::namespace(o)].contains(&namespace))
            .map(|(_, o)| Arc::clone(o))
            .collect()
    }
}

/// A request, and what became of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) verdict: Result<(), Status>,
    pub(crate) object: Value,
    pub(crate) warnings: Vec<String>,
    pub(crate) notes: Vec<(String, String)>,
}

impl Done {
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        let found = self.notes.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn message(&self) -> &str {
        match &self.verdict {
            Ok(()) => "",
            Err(status) => &status.message,
        }
    }
}

/// A request that is being put together.
pub(crate) struct Ask<'a> {
    pub(crate) resource: &'static Resource,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) user: UserInfo,
    pub(crate) old: Option<Value>,
    pub(crate) object: Value,
}

impl Ask<'_> {
    /// A create in the namespace `n`.
    pub(crate) fn create(resource: &'static Resource, object: Value) -> Self {
        Self {
            resource,
            subresource: "",
            namespace: if resource.namespaced() { "n" } else { "" },
            user: UserInfo::new("jane", ["dev"]),
            old: None,
            object,
        }
    }

    pub(crate) fn update(resource: &'static Resource, old: Value, object: Value) -> Self {
        Self {
            old: Some(old),
            ..Self::create(resource, object)
        }
    }

    /// Runs both halves of the plugin.
    pub(crate) fn of(self, plugin: &dyn Plugin, cluster: &dyn Lookup) -> Done {
        let name = meta::name(&self.object).to_owned();
        let mut request = Request {
            operation: match self.old {
                Some(_) => Operation::Update,
                None => Operation::Create,
            },
            resource: self.resource,
            subresource: self.subresource,
            namespace: self.namespace,
            name: &name,
            object: self.object,
            old_object: self.old.as_ref(),
            user: &self.user,
            dry_run: false,
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
        };
        let verdict = plugin
            .mutate(&mut request, cluster)
            .and_then(|()| plugin.validate(&mut request, cluster));
        Done {
            verdict,
            object: request.object,
            warnings: request.warnings,
            notes: request.audit_annotations,
        }
    }
}
