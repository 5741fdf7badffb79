//! What the server does for each verb. Handlers know objects, not HTTP.

pub mod binding;
pub(crate) mod budget;
pub mod change;
pub mod continuation;
pub mod create;
pub mod decode;
pub mod delete;
pub mod eviction;
pub mod list_options;
pub mod patch;
pub mod read;
pub mod scale;
pub mod strategy;
pub mod subresource;
pub mod update;
pub mod watch;
pub mod write;
pub mod write_options;

use crate::context::{BodySource, Context};
use crate::plugin::{Call, Virtual};
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use decode::Expected;
use model::resource::GroupVersionKind;
use model::status::Status;
use std::sync::Arc;

/// Carries out a request for API objects.
pub async fn dispatch(
    server: &Server,
    ctx: &mut Context,
    body: BodySource,
) -> Result<Reply, Status> {
    let info = &ctx.info;
    let registry = &server.services.registry;
    let served = Served::find(registry, &info.group, &info.version, &info.resource)
        .ok_or_else(Status::no_such_path)?;
    if let Some(text) = served
        .resource
        .version(&served.version)
        .and_then(|v| v.deprecation.clone())
    {
        ctx.warnings.push(text.into_owned());
    }
    let info = &ctx.info;
    check_place(&served, ctx)?;
    if !info.subresource.is_empty() {
        return subresource::dispatch(server, ctx, served, body).await;
    }
    if !served.resource.verbs.iter().any(|v| v == info.verb) {
        return Err(not_allowed());
    }
    if let Some(answer) = server.find_virtual(&served.resource.group, &served.resource.plural) {
        return virtual_create(server, ctx, &served, None, answer.clone(), body).await;
    }
    if info.resource == "bindings" && info.group.is_empty() {
        let pods = Served::find(registry, "", "v1", "pods").ok_or_else(Status::no_such_path)?;
        return binding::create(server, ctx, &pods, body).await;
    }
    match info.verb {
        "get" => read::get(server, ctx, served).await,
        "list" => read::list(server, ctx, served).await,
        "watch" => watch::watch(server, ctx, served).await,
        "create" => create::create(server, ctx, served, body).await,
        "update" => update::update(server, ctx, served, "", body).await,
        "patch" => patch::patch(server, ctx, served, "", body).await,
        "delete" => delete::delete(server, ctx, served, body).await,
        "deletecollection" => delete::collection(server, ctx, served, body).await,
        _ => Err(not_allowed()),
    }
}

/// 405: the path exists, but not with this method.
pub(crate) fn not_allowed() -> Status {
    Status::new(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
}

/// Whether the path is one of the resource's: namespaced or not, with a name or not.
fn check_place(served: &Served, ctx: &Context) -> Result<(), Status> {
    let info = &ctx.info;
    let namespaced = served.resource.namespaced();
    for part in [&info.namespace, &info.name] {
        if part.contains('/') || matches!(part.as_str(), "." | "..") {
            return Err(Status::bad_request(format!(
                "invalid resource name \"{part}\": [may not be '.' or '..', or contain '/']"
            )));
        }
    }
    // The path of a namespace names itself as one.
    let itself = info.resource == "namespaces" && info.group.is_empty();
    let in_namespace = !itself && !info.namespace.is_empty();
    if in_namespace && !namespaced {
        return Err(Status::no_such_path());
    }
    if namespaced && !in_namespace {
        // All namespaces at once can be read, not written.
        return match info.verb {
            "list" | "watch" => Ok(()),
            "create" | "deletecollection" => Err(not_allowed()),
            _ => Err(Status::no_such_path()),
        };
    }
    let needs_name = matches!(info.verb, "get" | "update" | "patch" | "delete");
    if needs_name && info.name.is_empty() {
        return Err(not_allowed());
    }
    if info.verb == "create" && info.subresource.is_empty() && !info.name.is_empty() {
        return Err(not_allowed());
    }
    Ok(())
}

/// Puts a question to a virtual resource or, with a `body` of its own, subresource.
async fn virtual_create(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    kind: Option<&GroupVersionKind>,
    answer: Arc<dyn Virtual>,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = write_options::WriteOptions::parse(ctx, "CreateOptions", false)?;
    let expected = match kind {
        None => Expected::of(served),
        Some(kind) => Expected {
            schema: schema_of(server, kind),
            kind: kind.clone(),
        },
    };
    let mut object = decode::body(server, ctx, &expected, options.validation, body).await?;
    if kind.is_none() {
        create::set_namespace(ctx, served, &mut object)?;
        (served.resource.behavior.default)(&served.version, &mut object);
    } else {
        // A post to a stored object: a node, say, may ask for the tokens of its own pods only.
        let (name, sub) = (ctx.info.name.clone(), ctx.info.subresource.clone());
        object = binding::admit(server, ctx, served, (&name, &sub), object, options.dry_run)?;
    }
    let value = answer
        .create(Call {
            user: &ctx.user,
            info: &ctx.info,
            object,
            dry_run: options.dry_run,
            notes: &mut ctx.audit_annotations,
            services: &server.services,
        })
        .await?;
    Ok(Reply::Value { code: 201, value })
}

/// The type's name in the schema of a kind that is no resource of its own.
fn schema_of(server: &Server, kind: &GroupVersionKind) -> String {
    let group = match kind.group.as_ref() {
        "" => "core",
        group => group.split('.').next().unwrap_or(group),
    };
    let name = format!("io.k8s.api.{group}.{}.{}", kind.version, kind.kind);
    if server.schema.get(&name).is_some() {
        name
    } else {
        String::new()
    }
}
