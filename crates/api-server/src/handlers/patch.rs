//! patch: JSON, merge and strategic merge patches, and server-side apply.

use super::change::{Change, Outcome, commit};
use super::create::{self, Terms};
use super::decode::{self, Expected};
use super::read::find;
use super::update::{ATTEMPTS, check_name, reply};
use super::write_options::{FieldValidation, WriteOptions};
use crate::clock;
use crate::context::{BodySource, Context, Payload};
use crate::negotiation::media_type;
use crate::reply::Reply;
use crate::served::Served;
use crate::server::Server;
use model::Value;
use model::apply::{Manager, apply};
use model::decode::{Format, decode as parse};
use model::field::{ErrorList, FieldError, Path};
use model::go::go_text;
use model::meta;
use model::patch::{PatchError, json_patch, merge_patch, strategic_merge};
use model::status::Status;

/// The media types of patches, as messages list them.
const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, \
     application/strategic-merge-patch+json, application/apply-patch+yaml";

/// How a patch is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// RFC 6902.
    Json,
    /// RFC 7386.
    Merge,
    /// Kubernetes' strategic merge.
    Strategic,
    /// Server-side apply.
    Apply,
}

impl Kind {
    /// The kind of a patch with that `Content-Type`.
    pub fn of(content_type: &str) -> Result<Self, Status> {
        match media_type(content_type) {
            "application/json-patch+json" => Ok(Self::Json),
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Ok(Self::Apply),
            _ => Err(Status::unsupported_media_type(ACCEPTED)),
        }
    }
}

/// A patch that was read.
struct Patch {
    kind: Kind,
    value: Value,
    duplicates: Vec<String>,
}

/// Patches an object, or through `subresource` a part of it.
pub async fn patch(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    subresource: &str,
    body: BodySource,
) -> Result<Reply, Status> {
    let kind = Kind::of(&ctx.content_type)?;
    let options = WriteOptions::parse(ctx, "PatchOptions", kind == Kind::Apply)?;
    let patch = read(kind, ctx.read(body, server.limits.body).await?)?;
    let name = ctx.info.name.clone();
    let api_version = served.api_version();
    let change = Change {
        options: &options,
        api_version: &api_version,
        subresource,
        managed: kind == Kind::Apply,
    };
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = match find(server, &served, &ctx.info.namespace, &name) {
            Ok(current) => Some(current),
            Err(status) if kind == Kind::Apply && subresource.is_empty() => {
                if !meta::uid(&patch.value).is_empty() {
                    return Err(served.conflict(
                        &name,
                        format!(
                            "uid mismatch: the provided object specified uid {}, and no existing \
                             object was found",
                            meta::uid(&patch.value)
                        ),
                    ));
                }
                let _ = status;
                None
            }
            Err(status) => return Err(status),
        };
        let live = current.as_ref().map(|c| served.read(c)).transpose()?;
        let mut object = patched(server, ctx, &served, live.as_ref(), &patch, &change)?;
        check_name(ctx, &object)?;
        create::set_namespace(ctx, &served, &mut object)?;
        (served.resource.behavior.default)(&served.version, &mut object);
        let Some(current) = current else {
            let terms = Terms {
                options: &options,
                api_version: &api_version,
                managed: true,
            };
            let object = served.to_stored(object);
            return create::store_new(server, ctx, served, object, &terms).await;
        };
        let wanted = meta::resource_version(&object);
        if !wanted.is_empty() && wanted != current.revision.to_string() {
            return Err(served.stale(&name));
        }
        let object = served.to_stored(object);
        match commit(server, ctx, &served, &current, object, &change).await? {
            Outcome::Raced => {}
            outcome => return Ok(reply(200, served, outcome)),
        }
    }
    Err(served.stale(&name))
}

fn read(kind: Kind, payload: Payload) -> Result<Patch, Status> {
    let format = if kind == Kind::Apply {
        Format::Yaml
    } else {
        Format::Json
    };
    let (value, duplicates) = match payload {
        Payload::Value(value) => (value, Vec::new()),
        Payload::Bytes(bytes) => {
            let what = if kind == Kind::Apply { "YAML" } else { "patch" };
            let decoded = parse(&bytes, format)
                .map_err(|e| Status::bad_request(format!("error decoding {what}: {e}")))?;
            (decoded.value, decoded.duplicates)
        }
    };
    Ok(Patch {
        kind,
        value,
        duplicates,
    })
}

/// The object as the patch makes it, in the request's version.
fn patched(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    live: Option<&Value>,
    patch: &Patch,
    change: &Change<'_>,
) -> Result<Value, Status> {
    if patch.kind == Kind::Apply {
        return applied(server, ctx, served, live, patch, change);
    }
    let live = live.ok_or_else(|| served.not_found(&ctx.info.name))?;
    let result = match patch.kind {
        Kind::Json => json_patch(live, &patch.value),
        Kind::Merge => merge_patch(live, &patch.value),
        Kind::Strategic | Kind::Apply => {
            strategic_merge(server.schema, &served.schema, live, &patch.value)
        }
    };
    let secret = served.resource.group.is_empty() && served.resource.kind == "Secret";
    let mut object = result.map_err(|e| match e {
        // These quote the patch.
        PatchError::Unsupported(_) if secret => Status::new(500, "", "unsupported patch"),
        other => other.to_status(),
    })?;
    decode::fit(
        server.schema,
        ctx,
        &Expected::of(served),
        change.options.validation,
        &mut object,
        patch.duplicates.clone(),
    )
    .map_err(|why| {
        // Upstream quotes the object that came of it, or the strategic patch as Go prints maps.
        let quoted = match patch.kind {
            _ if secret => "(not shown)".to_owned(),
            Kind::Strategic => go_text(&patch.value),
            Kind::Json | Kind::Merge | Kind::Apply => object.to_string(),
        };
        let error = FieldError::invalid(&Path::new("patch"), quoted, why);
        Status::invalid("", "", "", &ErrorList::from([error]))
    })?;
    // A patch changes neither what the object is nor in which version it is spoken of.
    for field in ["apiVersion", "kind"] {
        if object.get(field) != live.get(field) {
            return Err(Status::bad_request(format!(
                "the {field} of the object cannot be changed by a patch"
            )));
        }
    }
    Ok(object)
}

fn applied(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    live: Option<&Value>,
    patch: &Patch,
    change: &Change<'_>,
) -> Result<Value, Status> {
    let mut config = patch.value.clone();
    if !config.is_object() {
        return Err(Status::bad_request(
            "error decoding YAML: the applied configuration is no object",
        ));
    }
    for (field, want) in [
        ("apiVersion", change.api_version),
        ("kind", &served.resource.kind),
    ] {
        let got = meta::text(&config, &[field]);
        if got != want {
            return Err(Status::bad_request(format!(
                "incorrect object: its {field} is \"{got}\" and not \"{want}\""
            )));
        }
    }
    check_name(ctx, &config)?;
    duplicates(ctx, change.options.validation, &patch.duplicates)?;
    if live.is_none() {
        create::set_namespace(ctx, served, &mut config)?;
    }
    let manager = Manager {
        name: &change.options.manager,
        api_version: change.api_version,
        subresource: change.subresource,
        time: &clock::timestamp(clock::now()),
    };
    let force = change.options.force;
    let mut object = apply(
        server.schema,
        &served.schema,
        live,
        &config,
        &manager,
        force,
    )
    .map_err(|e| e.to_status())?;
    // Unknown fields were refused by the apply itself: nobody can own them.
    let expected = Expected::of(served);
    let ignore = FieldValidation::Ignore;
    decode::conform(
        server.schema,
        ctx,
        &expected,
        ignore,
        &mut object,
        Vec::new(),
    )?;
    Ok(object)
}

/// Fields that stand twice in a configuration.
fn duplicates(
    ctx: &mut Context,
    validation: FieldValidation,
    fields: &[String],
) -> Result<(), Status> {
    let texts: Vec<String> = fields
        .iter()
        .map(|field| format!("duplicate field \"{field}\""))
        .collect();
    match validation {
        _ if texts.is_empty() => {}
        FieldValidation::Ignore => {}
        FieldValidation::Warn => ctx.warnings.extend(texts),
        FieldValidation::Strict => {
            return Err(Status::bad_request(format!(
                "error decoding YAML: {}",
                texts.join(", ")
            )));
        }
    }
    Ok(())
}
