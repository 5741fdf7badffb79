//! create: from a body to a stored object.

use super::budget::{self, Taken};
use super::decode::{self, Expected};
use super::strategy;
use super::write::{self, Turn};
use super::write_options::WriteOptions;
use crate::clock;
use crate::context::{BodySource, Context};
use crate::encoding;
use crate::key;
use crate::reply::{Object, Reply};
use crate::served::Served;
use crate::server::{Server, store_status};
use admission::Operation;
use model::Value;
use model::apply::{Manager, track_update};
use model::meta;
use model::status::Status;
use model::validation;
use std::time::Duration;
use storage_api::{Expected as Expectation, StoreError};

/// Upstream's alphabet for generated names: no vowels and nothing that looks alike.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX: usize = 5;
/// The longest name that a suffix is added to.
const BASE_MAX: usize = 63 - SUFFIX;
const ATTEMPTS: usize = 8;
/// How long a request waits for what a controller is about to make.
const PATIENCE: Duration = Duration::from_secs(1);

/// Creates an object from a request's body.
pub async fn create(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = WriteOptions::parse(ctx, "CreateOptions", false)?;
    let mut object = decode::body(
        server,
        ctx,
        &Expected::of(&served),
        options.validation,
        body,
    )
    .await?;
    set_namespace(ctx, &served, &mut object)?;
    (served.resource.behavior.default)(&served.version, &mut object);
    let object = served.to_stored(object);
    let api_version = served.api_version();
    let terms = Terms {
        options: &options,
        api_version: &api_version,
        managed: false,
    };
    store_new(server, ctx, served, object, &terms).await
}

/// How an object is to be stored for the first time.
pub struct Terms<'a> {
    /// How the write is meant.
    pub options: &'a WriteOptions,
    /// The `apiVersion` of the request.
    pub api_version: &'a str,
    /// Whether the managed fields are right already, as after an apply.
    pub managed: bool,
}

/// Puts the request's namespace into an object that has none; another one is refused.
pub fn set_namespace(ctx: &Context, served: &Served, object: &mut Value) -> Result<(), Status> {
    if !served.resource.namespaced() {
        meta::remove(object, &["metadata", "namespace"]);
        return Ok(());
    }
    let here = meta::namespace(object);
    if here.is_empty() {
        meta::set(
            object,
            &["metadata", "namespace"],
            ctx.info.namespace.as_str(),
        );
        return Ok(());
    }
    if here == ctx.info.namespace {
        return Ok(());
    }
    Err(Status::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

/// Admits, completes, validates and stores a new object, given in its storage version.
pub async fn store_new(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    object: Value,
    terms: &Terms<'_>,
) -> Result<Reply, Status> {
    if !matches!(meta::resource_version(&object), "" | "0") {
        return Err(Status::new(
            500,
            "",
            "resourceVersion should not be set on objects to be created",
        ));
    }
    let generated = meta::name(&object).is_empty()
        && !meta::text(&object, &["metadata", "generateName"]).is_empty();
    let attempts = if generated { ATTEMPTS } else { 1 };
    let dry_run = terms.options.dry_run;
    let mut turn = write::turn(server, &served).await;
    let mut object = object;
    if !terms.managed {
        own(server, &served, &mut object, terms);
    }
    let mut object = admit(server, ctx, &served, object, dry_run).await?;
    reset(&served, &mut object);
    if strategy::records_requestor(&served.stored) {
        model::kinds::certificates::set_requestor(&mut object, &ctx.user);
    }
    if strategy::has_old_annotations(&served.stored) {
        let warnings = model::kinds::core::app_armor::warnings(&object);
        ctx.warnings.extend(warnings);
    }
    // What follows from the name follows from each attempt's own.
    let unnamed = generated.then(|| object.clone());
    let mut taken = None;
    for _ in 0..attempts {
        if let Some(unnamed) = &unnamed {
            object.clone_from(unnamed);
            let base = meta::text(&object, &["metadata", "generateName"]);
            let name = generate(base);
            meta::set(&mut object, &["metadata", "name"], name);
            // Some defaults follow from the name, such as the label of namespaces.
            let stored = &served.stored;
            (stored.behavior.default)(&stored.storage_version, &mut object);
        }
        (served.stored.behavior.prepare_create)(&mut object);
        if strategy::times_phase(&served.stored) {
            let now = clock::timestamp(clock::now());
            model::kinds::core::persistent_volume::stamp_phase(&mut object, None, &now);
        }
        complete(server, ctx, &served, &mut object, terms)?;
        let charged = charge(server, ctx, &served, &mut object, dry_run).await?;
        let object = std::mem::take(&mut object);
        match put(server, &served, object, dry_run, &mut turn).await? {
            Ok(reply) => return Ok(reply),
            Err(status) => {
                budget::refund(server, charged).await;
                taken = Some(status);
            }
        }
    }
    Err(taken.unwrap_or_else(Status::no_such_path))
}

/// Waits until no admission plugin waits for the cluster any more, or for as long as it takes to
/// lose patience.
async fn settle(server: &Server, request: &admission::Request<'_>) {
    let lookup = server.services.lookup.as_ref();
    if !server.admission.waits(request, lookup) {
        return;
    }
    let mut changes = server.cache().changes();
    let patience = tokio::time::sleep(PATIENCE);
    tokio::pin!(patience);
    while server.admission.waits(request, lookup) {
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = &mut patience => return,
        }
    }
}

/// Runs the mutating half of admission.
async fn admit(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    object: Value,
    dry_run: bool,
) -> Result<Value, Status> {
    let name = meta::name(&object).to_owned();
    let mut request = admission::Request {
        operation: Operation::Create,
        resource: &served.stored,
        subresource: "",
        namespace: &ctx.info.namespace,
        name: &name,
        object,
        old_object: None,
        user: &ctx.user,
        dry_run,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    settle(server, &request).await;
    let verdict = server
        .admission
        .mutate(&mut request, server.services.lookup.as_ref());
    let mut object = request.object;
    ctx.warnings.append(&mut request.warnings);
    ctx.audit_annotations.append(&mut request.audit_annotations);
    verdict?;
    // What a plugin added gets its defaults too.
    (served.stored.behavior.default)(&served.stored.storage_version, &mut object);
    Ok(object)
}

/// Sets what a client may not choose of any kind.
fn reset(served: &Served, object: &mut Value) {
    let resource = &served.stored;
    for field in [
        "resourceVersion",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "generation",
    ] {
        meta::remove(object, &["metadata", field]);
    }
    let metadata = meta::map_mut(object, &["metadata"]);
    metadata.insert(
        "uid".to_owned(),
        uuid::Uuid::new_v4().hyphenated().to_string().into(),
    );
    metadata.insert(
        "creationTimestamp".to_owned(),
        clock::timestamp(clock::now()).into(),
    );
    if resource.generation {
        metadata.insert("generation".to_owned(), 1.into());
    }
    if resource.has_status()
        && !strategy::begins_with_status(resource)
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
}

/// Validates an object that has its name.
fn complete(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    object: &mut Value,
    terms: &Terms<'_>,
) -> Result<(), Status> {
    let resource = &served.stored;
    server.schema.complete(&served.stored_schema, object);
    let errors = validation::validate_create(resource, served.shows(), object);
    if !errors.is_empty() {
        return Err(Status::invalid(
            &served.resource.group,
            &served.resource.kind,
            meta::name(object),
            &errors,
        ));
    }
    for warning in (resource.behavior.warnings)(object, None) {
        if !ctx.warnings.contains(&warning) {
            ctx.warnings.push(warning);
        }
    }
    let name = meta::name(object).to_owned();
    let mut request = admission::Request {
        operation: Operation::Create,
        resource,
        subresource: "",
        namespace: &ctx.info.namespace,
        name: &name,
        object: std::mem::take(object),
        old_object: None,
        user: &ctx.user,
        dry_run: terms.options.dry_run,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    let verdict = server
        .admission
        .validate(&mut request, server.services.lookup.as_ref());
    *object = request.object;
    ctx.warnings.append(&mut request.warnings);
    ctx.audit_annotations.append(&mut request.audit_annotations);
    verdict
}

/// Makes the client the owner of what it sent and of the defaults that follow from it. What
/// admission adds after that belongs to nobody.
fn own(server: &Server, served: &Served, object: &mut Value, terms: &Terms<'_>) {
    server.schema.complete(&served.stored_schema, object);
    meta::remove(object, &["metadata", "managedFields"]);
    let manager = Manager {
        name: &terms.options.manager,
        api_version: terms.api_version,
        subresource: "",
        time: &clock::timestamp(clock::now()),
    };
    track_update(server.schema, &served.stored_schema, None, object, &manager);
}

/// Takes from quotas what the object uses; there must be room for it also if its name is taken.
async fn charge(
    server: &Server,
    ctx: &Context,
    served: &Served,
    object: &mut Value,
    dry_run: bool,
) -> Result<Taken, Status> {
    let cache = server.objects(served)?;
    let name = meta::name(object).to_owned();
    let key = key::of_object(&cache.prefix, meta::namespace(object), &name);
    let is_taken = cache.get(&key).is_some();
    let request = admission::Request {
        operation: Operation::Create,
        resource: &served.stored,
        subresource: "",
        namespace: &ctx.info.namespace,
        name: &name,
        object: std::mem::take(object),
        old_object: None,
        user: &ctx.user,
        dry_run,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    let charged = if is_taken {
        budget::check(server, &request).map(|()| Taken::default())
    } else {
        budget::settle(server, &request).await
    };
    *object = request.object;
    charged
}

/// Stores the object; the inner error says that the name is taken.
async fn put(
    server: &Server,
    served: &Served,
    object: Value,
    dry_run: bool,
    turn: &mut Turn,
) -> Result<Result<Reply, Status>, Status> {
    let cache = server.objects(served)?;
    let name = meta::name(&object).to_owned();
    let key = key::of_object(&cache.prefix, meta::namespace(&object), &name);
    let exists = || Status::already_exists(&served.resource.group, &served.resource.plural, &name);
    if cache.get(&key).is_some() {
        // It may have been deleted by somebody of whom the cache has not heard yet.
        server.fresh().await?;
        if cache.get(&key).is_some() {
            return Ok(Err(exists()));
        }
    }
    if dry_run {
        return Ok(Ok(Reply::Object {
            code: 201,
            served: served.clone(),
            object: Object::Value(served.from_stored(object)),
        }));
    }
    let stored = encoding::to_stored(&object);
    let ttl = strategy::ttl(&served.stored);
    match write::put(server, turn, &key, stored, Expectation::Absent, ttl).await {
        Ok(entry) => {
            let object = write::written(server, served, cache, entry).await?;
            Ok(Ok(Reply::Object {
                code: 201,
                served: served.clone(),
                object: Object::Cached(object),
            }))
        }
        Err(StoreError::Conflict { .. }) => Ok(Err(exists())),
        Err(error) => Err(store_status(&error)),
    }
}

/// A name that begins with `base`.
fn generate(base: &str) -> String {
    let mut end = base.len().min(BASE_MAX);
    while !base.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = base.get(..end).unwrap_or_default().to_owned();
    let random = uuid::Uuid::new_v4().into_bytes();
    // The first bytes of a version 4 UUID are all random.
    for byte in random.iter().take(SUFFIX) {
        let letter = ALPHABET.get(usize::from(*byte) % ALPHABET.len());
        name.push(char::from(letter.copied().unwrap_or(b'x')));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_names_keep_within_the_limit() {
        let name = generate("web-");
        assert_eq!(name.len(), 9);
        assert!(name.starts_with("web-"));
        assert!(name.bytes().skip(4).all(|b| ALPHABET.contains(&b)));
        assert_eq!(generate(&"a".repeat(100)).len(), 63);
        assert_ne!(generate("a"), generate("a"));
    }
}
