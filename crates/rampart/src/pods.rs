//! Pods as a cluster would have them, of whatever they were written as.

use admission::{
    Chain, DefaultTolerationSeconds, LimitRanger, Lookup, Operation, Priority, Request,
    RuntimeClass,
};
use model::registry::Registry;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
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

/// What admission makes of pods depends on these kinds too.
pub(crate) fn shapes_pods(group: &str, plural: &str) -> bool {
    matches!(
        (group, plural),
        ("scheduling.k8s.io", "priorityclasses")
            | ("node.k8s.io", "runtimeclasses")
            | ("", "limitranges")
    )
}

/// A pod that was made of a template, and what admission has to say against it.
pub(crate) struct Pod<'a> {
    pub(crate) template: PodTemplate<'a>,
    /// The pod with its defaults, and with what admission fills in: limits, a priority, what its
    /// runtime class asks for.
    pub(crate) value: Value,
    /// Why no such pod would be admitted, as far as these and its own fields go.
    pub(crate) refusal: Option<String>,
}

/// The pods of a snapshot: those that are there, and one for each workload that no other made.
pub(crate) fn pods<'a>(
    snapshot: &'a Snapshot,
    registry: &'a Registry,
) -> impl Iterator<Item = Pod<'a>> {
    // As the API server orders them.
    let chain = Chain::new(vec![
        Box::new(LimitRanger),
        Box::new(Priority),
        Box::new(DefaultTolerationSeconds),
        Box::new(RuntimeClass),
    ]);
    snapshot
        .pod_templates()
        .filter(|template| template.path.is_empty() || template.is_outermost())
        .map(move |template| admitted(template, registry, &chain))
}

/// The pod of a template, defaulted and admitted as at creation. A pod that a cluster holds was
/// admitted when it was created: it is what it is, whatever classes and limits there are by now.
fn admitted<'a>(template: PodTemplate<'a>, registry: &Registry, chain: &Chain) -> Pod<'a> {
    let mut value = written(&template);
    let mut refusal = None;
    if let Some(resource) = registry.by_path("", "v1", "pods") {
        (resource.behavior.default)("v1", &mut value);
        let is_admitted = template.path.is_empty() && !meta::uid(&value).is_empty();
        if !is_admitted {
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
            let cluster = Objects(template.snapshot());
            let mutated = chain.mutate(&mut request, &cluster);
            let validated = mutated.and_then(|()| {
                (resource.behavior.prepare_create)(&mut request.object);
                let errors = (resource.behavior.validate_create)(&request.object);
                match errors.is_empty() {
                    true => Ok(()),
                    false => Err(Status::invalid("", "Pod", request.name, &errors)),
                }
            });
            let verdict = validated.and_then(|()| chain.validate(&mut request, &cluster));
            refusal = verdict.err().map(|status| status.message);
            value = request.object;
        }
    }
    Pod {
        template,
        value,
        refusal,
    }
}

/// The pod of a template as the API server holds it to levels, once admission has changed what it
/// changes: with defaults, and with what it keeps in step (old annotations and their fields).
pub(crate) fn held(template: &PodTemplate<'_>, registry: &Registry) -> Value {
    let mut pod = written(template);
    if let Some(resource) = registry.by_path("", "v1", "pods") {
        (resource.behavior.default)("v1", &mut pod);
        (resource.behavior.prepare_create)(&mut pod);
    }
    pod
}

/// The pod of a template as somebody would have written it.
fn written(template: &PodTemplate<'_>) -> Value {
    let metadata = template.metadata;
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": if metadata.is_object() { metadata.clone() } else { json!({}) },
        "spec": template.spec,
    })
}

/// A snapshot as admission looks at it.
struct Objects<'a>(&'a Snapshot);

impl Lookup for Objects<'_> {
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
