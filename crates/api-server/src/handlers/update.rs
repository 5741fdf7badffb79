//! update: an object replaced as a whole.

use super::change::{Change, Outcome, commit};
use super::create::{self, Terms};
use super::decode::{self, Expected};
use super::read::find;
use super::strategy;
use super::write_options::WriteOptions;
use crate::context::{BodySource, Context};
use crate::reply::{Object, Reply};
use crate::served::Served;
use crate::server::Server;
use model::Value;
use model::field::{FieldError, Path};
use model::meta;
use model::status::Status;

/// How often a write is tried that nobody pinned to a version.
pub const ATTEMPTS: usize = 5;

/// Replaces an object, or through `subresource` a part of it.
pub async fn update(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    subresource: &str,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = WriteOptions::parse(ctx, "UpdateOptions", false)?;
    let mut object = decode::body(
        server,
        ctx,
        &Expected::of(&served),
        options.validation,
        body,
    )
    .await?;
    check_name(ctx, &object)?;
    create::set_namespace(ctx, &served, &mut object)?;
    (served.resource.behavior.default)(&served.version, &mut object);
    let wanted = meta::resource_version(&object).to_owned();
    let api_version = served.api_version();
    let change = Change {
        options: &options,
        api_version: &api_version,
        subresource,
        managed: false,
    };
    let object = served.to_stored(object);
    let name = ctx.info.name.clone();
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = match find(server, &served, &ctx.info.namespace, &name) {
            Ok(current) => current,
            Err(status) => {
                let creates = subresource.is_empty() && strategy::creates_on_update(&served.stored);
                if !creates || !wanted.is_empty() && wanted != "0" {
                    return Err(status);
                }
                let terms = Terms {
                    options: &options,
                    api_version: &api_version,
                    managed: false,
                };
                return create::store_new(server, ctx, served, object, &terms).await;
            }
        };
        check_version(&served, &name, &wanted, current.revision)?;
        match commit(server, ctx, &served, &current, object.clone(), &change).await? {
            Outcome::Raced if wanted.is_empty() => {}
            Outcome::Raced => return Err(served.stale(&name)),
            outcome => return Ok(reply(200, served, outcome)),
        }
    }
    Err(served.stale(&name))
}

/// The answer to a write that went through.
pub fn reply(code: u16, served: Served, outcome: Outcome) -> Reply {
    let object = match outcome {
        Outcome::Written(object) => Object::Cached(object),
        Outcome::Done(value) => Object::Value(served.from_stored(value)),
        Outcome::Raced => Object::Value(Value::Null),
    };
    Reply::Object {
        code,
        served,
        object,
    }
}

/// The name in the body must be the one in the path.
pub fn check_name(ctx: &Context, object: &Value) -> Result<(), Status> {
    let url = &ctx.info.name;
    let name = meta::name(object);
    if name.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({url} based on URL) was undeterminable: name must be provided"
        )));
    }
    if name != url {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({url})"
        )));
    }
    let (here, there) = (meta::namespace(object), &ctx.info.namespace);
    if !there.is_empty() && !here.is_empty() && here != there && ctx.info.resource != "namespaces" {
        return Err(Status::bad_request(format!(
            "the namespace of the object ({here}) does not match the namespace on the request \
             ({there})"
        )));
    }
    Ok(())
}

fn check_version(served: &Served, name: &str, wanted: &str, current: u64) -> Result<(), Status> {
    let resource = &served.resource;
    let path = Path::new("metadata").child("resourceVersion");
    let invalid =
        |error: FieldError| Status::invalid(&resource.group, &resource.kind, name, &vec![error]);
    if wanted.is_empty() || wanted == "0" {
        if strategy::updates_unconditionally(&served.stored) {
            return Ok(());
        }
        let detail = "must be specified for an update";
        return Err(invalid(FieldError::invalid(&path, 0, detail)));
    }
    match wanted.parse::<u64>() {
        Ok(wanted) if wanted == current => Ok(()),
        Ok(_) => Err(served.stale(name)),
        Err(_) => Err(invalid(FieldError::invalid(
            &path,
            wanted,
            "must be a number",
        ))),
    }
}
