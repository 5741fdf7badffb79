//! `pods/binding`: a pod is assigned to a node, once.

use super::change::{Outcome, put};
use super::decode::{self, Expected};
use super::read::find;
use super::update::ATTEMPTS;
use super::write_options::WriteOptions;
use crate::clock;
use crate::context::{BodySource, Context};
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use admission::Operation;
use model::Value;
use model::field::{ErrorList, FieldError, Path};
use model::meta;
use model::resource::GroupVersionKind;
use model::status::Status;
use serde_json::json;

fn expected() -> Expected {
    Expected {
        kind: GroupVersionKind {
            group: "".into(),
            version: "v1".into(),
            kind: "Binding".into(),
        },
        schema: "io.k8s.api.core.v1.Binding".to_owned(),
    }
}

/// Binds the pod of the path, or for the resource `bindings` the one that the body names.
pub async fn create(
    server: &Server,
    ctx: &mut Context,
    pods: &Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = WriteOptions::parse(ctx, "CreateOptions", false)?;
    let mut binding = decode::body(server, ctx, &expected(), options.validation, body).await?;
    super::create::set_namespace(ctx, pods, &mut binding)?;
    let name = if ctx.info.resource == "bindings" {
        meta::name(&binding).to_owned()
    } else {
        ctx.info.name.clone()
    };
    let body_name = meta::name(&binding);
    if body_name != name {
        return Err(Status::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    check(&name, &binding)?;
    let binding = admit(
        server,
        ctx,
        pods,
        (&name, "binding"),
        binding,
        options.dry_run,
    )?;
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = find(server, pods, &ctx.info.namespace, &name)?;
        let mut pod = current.encoded.parse().map_err(Status::internal)?;
        assign(&name, &mut pod, &binding)?;
        if options.dry_run {
            return Ok(success());
        }
        let cache = server.objects(pods)?;
        match put(server, pods, cache, &current, &pod).await? {
            Outcome::Raced => {}
            Outcome::Done(_) | Outcome::Written(_) => return Ok(success()),
        }
    }
    Err(pods.stale(&name))
}

fn success() -> Reply {
    Reply::Value {
        code: 201,
        value: json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "code": 201,
        }),
    }
}

fn check(name: &str, binding: &Value) -> Result<(), Status> {
    let target = Path::new("target");
    let mut errors = ErrorList::new();
    let kind = meta::text(binding, &["target", "kind"]);
    if !matches!(kind, "" | "Node") {
        let known = ["Node", "<empty>"];
        errors.push(FieldError::not_supported(
            &target.child("kind"),
            kind,
            &known,
        ));
    }
    if meta::text(binding, &["target", "name"]).is_empty() {
        errors.push(FieldError::required(&target.child("name"), ""));
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid("", "Binding", name, &errors))
    }
}

/// What admission makes of a post to the subresource `about.1` of the object called `about.0`.
pub(super) fn admit(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    about: (&str, &str),
    object: Value,
    dry_run: bool,
) -> Result<Value, Status> {
    let mut request = admission::Request {
        operation: Operation::Create,
        resource: &served.stored,
        subresource: about.1,
        namespace: &ctx.info.namespace,
        name: about.0,
        object,
        old_object: None,
        user: &ctx.user,
        dry_run,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    let lookup = server.services.lookup.as_ref();
    let verdict = server
        .admission
        .mutate(&mut request, lookup)
        .and_then(|()| server.admission.validate(&mut request, lookup));
    let (mut warnings, mut notes) = (request.warnings, request.audit_annotations);
    let object = request.object;
    ctx.warnings.append(&mut warnings);
    ctx.audit_annotations.append(&mut notes);
    verdict.map(|()| object)
}

/// Writes the binding into the pod.
fn assign(name: &str, pod: &mut Value, binding: &Value) -> Result<(), Status> {
    let conflict = |why: String| Err(Status::conflict("", "pods/binding", name, why));
    for (field, read) in [
        ("uid", meta::uid as fn(&Value) -> &str),
        ("resourceVersion", meta::resource_version),
    ] {
        let (wanted, real) = (read(binding), read(pod));
        if !wanted.is_empty() && wanted != real {
            return conflict(format!(
                "Precondition failed: {field} in precondition: {wanted}, {field} in object meta: \
                 {real}"
            ));
        }
    }
    meta::remove(pod, &["metadata", "resourceVersion"]);
    if meta::at(pod, &["metadata", "deletionTimestamp"]).is_some() {
        return conflict(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        ));
    }
    let node = meta::text(pod, &["spec", "nodeName"]);
    if !node.is_empty() {
        return conflict(format!("pod {name} is already assigned to node \"{node}\""));
    }
    if !meta::list(pod, &["spec", "schedulingGates"]).is_empty() {
        return conflict(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    let node = meta::text(binding, &["target", "name"]);
    meta::set(pod, &["spec", "nodeName"], node);
    for (key, value) in meta::annotations(binding) {
        meta::set(pod, &["metadata", "annotations", key], value);
    }
    let condition = json!({
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": null,
        "lastTransitionTime": clock::timestamp(clock::now()),
    });
    let mut conditions = meta::list(pod, &["status", "conditions"]).to_vec();
    conditions.retain(|c| meta::text(c, &["type"]) != "PodScheduled");
    conditions.push(condition);
    meta::set(pod, &["status", "conditions"], conditions);
    Ok(())
}
