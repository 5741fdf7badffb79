//! Requests for subresources, one handler per kind of subresource.

use super::{binding, eviction, not_allowed, patch, read, scale, update, virtual_create};
use crate::context::{BodySource, Context};
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use model::resource::{Subresource, SubresourceKind};
use model::status::Status;

/// Carries out a request for a subresource.
pub async fn dispatch(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let name = ctx.info.subresource.clone();
    let sub: Subresource = served
        .resource
        .subresource(&name)
        .cloned()
        .ok_or_else(Status::no_such_path)?;
    if sub.kind == SubresourceKind::Connect {
        return Err(no_streams(&served, &name));
    }
    if !sub.verbs.iter().any(|v| v == ctx.info.verb) {
        return Err(not_allowed());
    }
    let full = format!("{}/{name}", served.resource.plural);
    if let Some(answer) = server.find_virtual(&served.resource.group, &full) {
        let answer = answer.clone();
        return virtual_create(server, ctx, &served, sub.body.as_ref(), answer, body).await;
    }
    match (sub.kind, ctx.info.verb) {
        (SubresourceKind::Status | SubresourceKind::Update, "get") => {
            read::get(server, ctx, served).await
        }
        (SubresourceKind::Status | SubresourceKind::Update, "update") => {
            update::update(server, ctx, served, &name, body).await
        }
        (SubresourceKind::Status | SubresourceKind::Update, "patch") => {
            patch::patch(server, ctx, served, &name, body).await
        }
        (SubresourceKind::Scale, "get") => scale::get(server, ctx, &served).await,
        (SubresourceKind::Scale, "update") => scale::update(server, ctx, &served, body).await,
        (SubresourceKind::Scale, "patch") => scale::patch(server, ctx, &served, body).await,
        (SubresourceKind::Binding, "create") => binding::create(server, ctx, &served, body).await,
        (SubresourceKind::Eviction, "create") => eviction::create(server, ctx, &served, body).await,
        _ => Err(not_allowed()),
    }
}

/// 501: what would stream to or through a node.
fn no_streams(served: &Served, name: &str) -> Status {
    Status::new(
        501,
        "NotImplemented",
        format!(
            "{}/{name} needs a node that runs containers; this cluster has none",
            served.resource.plural
        ),
    )
}
