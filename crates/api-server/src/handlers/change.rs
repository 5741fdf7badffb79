//! A change of an existing object, whoever asks for it: completed, admitted, validated, and
//! written if nobody else was faster.

use super::budget::{self, Taken};
use super::strategy;
use super::write::{self, Turn};
use super::write_options::WriteOptions;
use crate::cache::{CachedObject, ResourceCache};
use crate::clock;
use crate::context::Context;
use crate::encoding;
use crate::served::Served;
use crate::server::{Server, store_status};
use admission::Operation;
use model::Value;
use model::apply::{Manager, track_update};
use model::generation;
use model::meta;
use model::status::Status;
use model::validation;
use std::sync::Arc;
use storage_api::{Expected, StoreError};

/// How a change is meant.
pub struct Change<'a> {
    /// The request's parameters.
    pub options: &'a WriteOptions,
    /// The `apiVersion` of the request's object.
    pub api_version: &'a str,
    /// The subresource, or empty.
    pub subresource: &'a str,
    /// Whether the managed fields are right already, as after an apply.
    pub managed: bool,
}

/// What became of a change.
pub enum Outcome {
    /// The object as it is now, or would be.
    Done(Value),
    /// The object as it was written.
    Written(Arc<CachedObject>),
    /// Somebody else changed the object meanwhile.
    Raced,
}

/// Replaces `current` by `new` (both in storage version).
pub async fn commit(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    current: &Arc<CachedObject>,
    new: Value,
    change: &Change<'_>,
) -> Result<Outcome, Status> {
    let old = current.encoded.parse().map_err(Status::internal)?;
    let mut new = shape(served, new, &old, change.subresource);
    carry(served, &mut new, &old)?;
    let mut turn = write::turn(server, served).await;
    // Before admission: what it changes belongs to nobody.
    if !change.managed {
        let schema = &served.stored_schema;
        server.schema.complete(schema, &mut new);
        let manager = Manager {
            name: &change.options.manager,
            api_version: change.api_version,
            subresource: change.subresource,
            time: &clock::timestamp(clock::now()),
        };
        track_update(server.schema, schema, Some(&old), &mut new, &manager);
    }
    new = admit(server, ctx, served, new, &old, change)?;
    (served.stored.behavior.prepare_update)(&mut new, &old, change.subresource);
    if strategy::records_requestor(&served.stored) && !change.subresource.is_empty() {
        let now = clock::timestamp(clock::now());
        model::kinds::certificates::stamp_conditions(&mut new, &old, &now);
    }
    if strategy::times_phase(&served.stored) && change.subresource == "status" {
        let now = clock::timestamp(clock::now());
        model::kinds::core::persistent_volume::stamp_phase(&mut new, Some(&old), &now);
    }
    server.schema.complete(&served.stored_schema, &mut new);
    if let Some(raised) = generation::raised(&served.stored, &new, &old, change.subresource) {
        meta::set(&mut new, &["metadata", "generation"], raised);
    }
    let errors = validation::validate_update(
        &served.stored,
        served.shows(),
        &new,
        &old,
        change.subresource,
    );
    if !errors.is_empty() {
        let resource = &served.resource;
        let name = meta::name(&old);
        return Err(Status::invalid(
            &resource.group,
            &resource.kind,
            name,
            &errors,
        ));
    }
    for warning in (served.stored.behavior.warnings)(&new, Some(&old)) {
        if !ctx.warnings.contains(&warning) {
            ctx.warnings.push(warning);
        }
    }
    new = accept(server, ctx, served, new, &old, change)?;
    if new == old {
        return Ok(Outcome::Written(current.clone()));
    }
    let cache = server.objects(served)?;
    if ends_deletion(served, &new, &old) {
        return remove(server, cache, current, new, change.options.dry_run).await;
    }
    let (new, taken) = charge(server, ctx, served, new, &old, change).await?;
    if change.options.dry_run {
        return Ok(Outcome::Done(new));
    }
    let outcome = put_in_turn(server, served, cache, current, &new, &mut turn).await?;
    if matches!(outcome, Outcome::Raced) {
        budget::refund(server, taken).await;
    }
    Ok(outcome)
}

/// Writes a new version of `current`.
pub async fn put(
    server: &Server,
    served: &Served,
    cache: &ResourceCache,
    current: &CachedObject,
    new: &Value,
) -> Result<Outcome, Status> {
    put_in_turn(server, served, cache, current, new, &mut None).await
}

async fn put_in_turn(
    server: &Server,
    served: &Served,
    cache: &ResourceCache,
    current: &CachedObject,
    new: &Value,
    turn: &mut Turn,
) -> Result<Outcome, Status> {
    let stored = encoding::to_stored(new);
    let expected = Expected::At(current.revision);
    let ttl = strategy::ttl(&served.stored);
    match write::put(server, turn, &current.key, stored, expected, ttl).await {
        Ok(entry) => {
            let object = write::written(server, served, cache, entry).await?;
            Ok(Outcome::Written(object))
        }
        Err(StoreError::Conflict { .. }) => Ok(Outcome::Raced),
        Err(error) => Err(store_status(&error)),
    }
}

/// Deletes `current`; `last` is what the client is told of it.
pub async fn remove(
    server: &Server,
    cache: &ResourceCache,
    current: &CachedObject,
    mut last: Value,
    dry_run: bool,
) -> Result<Outcome, Status> {
    let mut revision = current.revision;
    if !dry_run {
        let expected = Expected::At(current.revision);
        match server.store.delete(&current.key, expected).await {
            Ok((deleted, _)) => revision = deleted,
            Err(StoreError::Conflict { .. }) => return Ok(Outcome::Raced),
            Err(error) => return Err(store_status(&error)),
        }
        server.cache().reached(revision).await;
        debug_assert!(
            cache
                .get(&current.key)
                .is_none_or(|o| o.revision > revision)
        );
    }
    meta::set(
        &mut last,
        &["metadata", "resourceVersion"],
        revision.to_string(),
    );
    Ok(Outcome::Done(last))
}

/// Keeps what the written part of the object does not cover: on the object itself its status, on
/// `status` everything else.
fn shape(served: &Served, mut new: Value, old: &Value, subresource: &str) -> Value {
    match subresource {
        "status" => {
            let mut whole = old.clone();
            let status = new.get_mut("status").map(Value::take);
            let metadata = new.get_mut("metadata").map(Value::take);
            if let Some(map) = whole.as_object_mut() {
                match status {
                    Some(status) if !status.is_null() => {
                        map.insert("status".to_owned(), status);
                    }
                    _ => {
                        map.remove("status");
                    }
                }
                if let Some(metadata) = metadata {
                    map.insert("metadata".to_owned(), metadata);
                }
            }
            keep(&mut whole, old, &["metadata", "ownerReferences"]);
            whole
        }
        "" if served.stored.has_status() => {
            keep(&mut new, old, &["status"]);
            new
        }
        _ => new,
    }
}

/// Makes the field at `path` what it is in `old`.
fn keep(new: &mut Value, old: &Value, path: &[&str]) {
    match meta::at(old, path) {
        Some(value) => meta::set(new, path, value.clone()),
        None => {
            meta::remove(new, path);
        }
    }
}

/// Carries over the metadata that no client may change.
fn carry(served: &Served, new: &mut Value, old: &Value) -> Result<(), Status> {
    let uid = meta::uid(new);
    if !uid.is_empty() && uid != meta::uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            meta::uid(old)
        );
        return Err(served.conflict(meta::name(old), why));
    }
    meta::remove(new, &["metadata", "selfLink"]);
    for field in ["uid", "generation", "resourceVersion", "creationTimestamp"] {
        keep(new, old, &["metadata", field]);
    }
    // An absent value keeps the old one; another one is a matter for validation.
    for field in ["name", "namespace"] {
        if meta::at(new, &["metadata", field]).is_none() {
            keep(new, old, &["metadata", field]);
        }
    }
    // Deletion is asked for in one way only, and never taken back.
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        keep(new, old, &["metadata", field]);
    }
    Ok(())
}

fn request<'a>(
    ctx: &'a Context,
    served: &'a Served,
    object: Value,
    old: &'a Value,
    change: &'a Change<'_>,
) -> admission::Request<'a> {
    admission::Request {
        operation: Operation::Update,
        resource: &served.stored,
        subresource: change.subresource,
        namespace: &ctx.info.namespace,
        name: meta::name(old),
        object,
        old_object: Some(old),
        user: &ctx.user,
        dry_run: change.options.dry_run,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    }
}

fn admit(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    object: Value,
    old: &Value,
    change: &Change<'_>,
) -> Result<Value, Status> {
    let mut request = request(ctx, served, object, old, change);
    let verdict = server
        .admission
        .mutate(&mut request, server.services.lookup.as_ref());
    let (mut warnings, mut notes) = (request.warnings, request.audit_annotations);
    let mut object = request.object;
    ctx.warnings.append(&mut warnings);
    ctx.audit_annotations.append(&mut notes);
    verdict?;
    (served.stored.behavior.default)(&served.stored.storage_version, &mut object);
    Ok(object)
}

fn accept(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    object: Value,
    old: &Value,
    change: &Change<'_>,
) -> Result<Value, Status> {
    let mut request = request(ctx, served, object, old, change);
    let verdict = server
        .admission
        .validate(&mut request, server.services.lookup.as_ref());
    let (mut warnings, mut notes) = (request.warnings, request.audit_annotations);
    let object = request.object;
    ctx.warnings.append(&mut warnings);
    ctx.audit_annotations.append(&mut notes);
    verdict?;
    Ok(object)
}

/// Takes from quotas what the object uses more than before.
async fn charge(
    server: &Server,
    ctx: &Context,
    served: &Served,
    object: Value,
    old: &Value,
    change: &Change<'_>,
) -> Result<(Value, Taken), Status> {
    let request = request(ctx, served, object, old, change);
    let taken = budget::settle(server, &request).await?;
    Ok((request.object, taken))
}

/// Whether the change takes away the last thing that held back the object's deletion.
fn ends_deletion(served: &Served, new: &Value, old: &Value) -> bool {
    let deleting = meta::at(old, &["metadata", "deletionTimestamp"]).is_some();
    let grace = meta::at(old, &["metadata", "deletionGracePeriodSeconds"])
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let held = !meta::list(new, &["metadata", "finalizers"]).is_empty()
        || (strategy::terminates(&served.stored)
            && !meta::list(new, &["spec", "finalizers"]).is_empty());
    deleting && grace == 0 && !held
}
