//! Pods as a cluster would have them, of whatever they were written as.

use admission::{Lookup, Operation, Plugin, Priority, Request};
use model::Value;
use model::registry::Registry;
use model::user::UserInfo;
use serde_json::json;
use snapshot::{PodTemplate, Snapshot};
use std::borrow::Cow;
use std::sync::Arc;

/// Whether the pods of a cluster cannot be known without a kind: those that hold templates of pods,
/// and the one that makes other kinds known.
pub(crate) fn makes_pods(group: &str, plural: &str) -> bool {
    snapshot::holds_pods(group, plural)
        || (group, plural) == ("apiextensions.k8s.io", "customresourcedefinitions")
}

/// The name of what makes a pod, with the part of it that does, if there are several.
pub(crate) fn title<'n>(name: &'n str, part: &str) -> Cow<'n, str> {
    match part {
        "" => Cow::Borrowed(name),
        part => Cow::Owned(format!("{name} ({part})")),
    }
}

/// A pod that was made of a template, and what admission has to say against it.
pub(crate) struct Pod<'a> {
    pub(crate) template: PodTemplate<'a>,
    /// The pod with its defaults and its priority.
    pub(crate) value: Value,
    /// Why no such pod would be admitted, as far as its priority goes.
    pub(crate) refusal: Option<String>,
}

/// The pods of a snapshot: those that are there, and one for each workload that no other made.
pub(crate) fn pods<'a>(
    snapshot: &'a Snapshot,
    registry: &'a Registry,
) -> impl Iterator<Item = Pod<'a>> {
    snapshot
        .pod_templates()
        .filter(|template| template.path.is_empty() || template.is_outermost())
        .map(move |template| admitted(template, registry))
}

/// The pod of a template, defaulted and given its priority as at creation.
fn admitted<'a>(template: PodTemplate<'a>, registry: &Registry) -> Pod<'a> {
    let metadata = template.metadata;
    let mut value = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": if metadata.is_object() { metadata.clone() } else { json!({}) },
        "spec": template.spec,
    });
    let mut refusal = None;
    if let Some(resource) = registry.by_path("", "v1", "pods") {
        (resource.behavior.default)("v1", &mut value);
        let user = UserInfo::default();
        let mut request = Request {
            operation: Operation::Create,
            resource,
            subresource: "",
            namespace: template.namespace(),
            name: template.owner.name(),
            object: value,
            old_object: None,
            user: &user,
            dry_run: true,
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
        };
        let cluster = Classes(template.snapshot());
        refusal = Priority.mutate(&mut request, &cluster).err();
        value = request.object;
    }
    Pod {
        template,
        value,
        refusal: refusal.map(|status| status.message),
    }
}

/// A snapshot as admission looks at it.
struct Classes<'a>(&'a Snapshot);

impl Lookup for Classes<'_> {
    fn get(&self, group: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let found = self.0.find(group, resource, namespace, name)?;
        Some(Arc::clone(&found.value))
    }

    fn list(&self, group: &str, resource: &str, namespace: &str) -> Vec<Arc<Value>> {
        let found = if namespace.is_empty() {
            self.0.of(group, resource)
        } else {
            self.0.of_namespace(group, resource, namespace)
        };
        found
            .iter()
            .map(|object| Arc::clone(&object.value))
            .collect()
    }
}
