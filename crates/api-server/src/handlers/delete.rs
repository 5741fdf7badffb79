//! delete and deletecollection: preconditions, finalizers, grace, and what becomes of dependents.

use super::change::{self, Outcome};
use super::decode::parse;
use super::list_options::ListOptions;
use super::read::{filter, find};
use super::strategy;
use super::update::ATTEMPTS;
use super::write_options::dry_run;
use crate::cache::CachedObject;
use crate::clock;
use crate::context::{BodySource, Context};
use crate::reply::{List, Object, Reply};
use crate::served::Served;
use crate::server::Server;
use admission::Operation;
use model::Value;
use model::field::{ErrorList, FieldError, Path};
use model::meta;
use model::status::Status;
use serde_json::json;
use std::sync::Arc;

const ORPHAN: &str = "orphan";
const FOREGROUND: &str = "foregroundDeletion";
const DEFAULT_GRACE: i64 = 30;

/// What becomes of what an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Propagation {
    Orphan,
    Background,
    Foreground,
}

/// How a deletion is meant (`meta/v1` DeleteOptions).
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    dry_run: bool,
    grace: Option<i64>,
    uid: Option<String>,
    revision: Option<String>,
    propagation: Option<Propagation>,
    /// Whether admission has let it through already, as what it is really asked for.
    is_admitted: bool,
}

impl DeleteOptions {
    /// Reads the options from the body, or if there is none from the parameters.
    pub async fn read(
        server: &Server,
        ctx: &mut Context,
        body: BodySource,
    ) -> Result<Self, Status> {
        let payload = ctx.read(body, server.limits.body).await?;
        let mut errors = ErrorList::new();
        let mut options = if payload.is_empty() {
            Self::from_query(ctx, &mut errors)?
        } else {
            let (value, _) = parse(ctx, payload, "DeleteOptions")?;
            Self::from_value(&value, &mut errors)?
        };
        options.dry_run |= dry_run(ctx.query.all("dryRun"), &mut errors);
        if !errors.is_empty() {
            return Err(Status::invalid("meta.k8s.io", "DeleteOptions", "", &errors));
        }
        Ok(options)
    }

    /// Options as they stand in an eviction.
    pub fn from_value(value: &Value, errors: &mut ErrorList) -> Result<Self, Status> {
        let kind = meta::text(value, &["kind"]);
        if !matches!(kind, "" | "DeleteOptions") {
            return Err(Status::bad_request(format!(
                "{kind} cannot be handled as a DeleteOptions"
            )));
        }
        let text = |path: &[&str]| {
            Some(meta::text(value, path))
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
        };
        let orphan = value.get("orphanDependents").and_then(Value::as_bool);
        let policy = meta::text(value, &["propagationPolicy"]);
        let modes = meta::list(value, &["dryRun"]);
        Ok(Self {
            dry_run: dry_run(modes.iter().filter_map(Value::as_str), errors),
            grace: value.get("gracePeriodSeconds").and_then(Value::as_i64),
            uid: text(&["preconditions", "uid"]),
            revision: text(&["preconditions", "resourceVersion"]),
            propagation: propagation(policy, orphan, errors),
            is_admitted: false,
        })
    }

    /// Makes it a deletion of which admission is not asked.
    pub fn set_admitted(&mut self) {
        self.is_admitted = true;
    }

    /// Makes it a deletion that changes nothing.
    pub fn set_dry_run(&mut self) {
        self.dry_run = true;
    }

    /// Whether nothing is changed.
    pub fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// Makes it a deletion of that version of the object only, unless it speaks of a version
    /// already; returns whether it did not.
    pub fn bind(&mut self, revision: u64) -> bool {
        let free = self.revision.is_none();
        if free {
            self.revision = Some(revision.to_string());
        }
        free
    }

    /// Speaks of another version of the object from now on, if it spoke of one.
    pub fn rebind(&mut self, revision: u64) {
        if let Some(bound) = &mut self.revision {
            *bound = revision.to_string();
        }
    }

    /// Whether this is the object that is meant; `conflict` makes the error of why it is not.
    pub fn check(&self, object: &Value, conflict: impl Fn(String) -> Status) -> Result<(), Status> {
        if let Some(uid) = self.uid.as_deref().filter(|u| *u != meta::uid(object)) {
            return Err(conflict(format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). The \
                 object might have been deleted and then recreated",
                meta::uid(object)
            )));
        }
        let revision = meta::resource_version(object);
        match self.revision.as_deref().filter(|r| *r != revision) {
            None => Ok(()),
            Some(wanted) => Err(conflict(format!(
                "the ResourceVersion in the precondition ({wanted}) does not match the \
                 ResourceVersion in record ({revision}). The object might have been modified"
            ))),
        }
    }

    fn from_query(ctx: &Context, errors: &mut ErrorList) -> Result<Self, Status> {
        let orphan = ctx.query.find("orphanDependents");
        let orphan = orphan.map(|_| ctx.query.flag("orphanDependents"));
        Ok(Self {
            grace: ctx.query.number("gracePeriodSeconds")?,
            propagation: propagation(ctx.query.get("propagationPolicy"), orphan, errors),
            ..Self::default()
        })
    }
}

fn propagation(policy: &str, orphan: Option<bool>, errors: &mut ErrorList) -> Option<Propagation> {
    let path = Path::new("propagationPolicy");
    if !policy.is_empty() && orphan.is_some() {
        errors.push(FieldError::invalid(
            &path,
            policy,
            "orphanDependents and deletionPropagation cannot be both set",
        ));
    }
    match (policy, orphan) {
        ("Orphan", _) | ("", Some(true)) => Some(Propagation::Orphan),
        ("Background", _) | ("", Some(false)) => Some(Propagation::Background),
        ("Foreground", _) => Some(Propagation::Foreground),
        ("", None) => None,
        (other, _) => {
            let known = ["Background", "Foreground", "Orphan"];
            errors.push(FieldError::not_supported(&path, other, &known));
            None
        }
    }
}

/// What a deletion did.
pub struct Deleted {
    /// The object, as it is now or was last.
    pub object: Object,
    /// Whether it is gone.
    pub gone: bool,
}

/// Deletes an object.
pub async fn delete(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let options = DeleteOptions::read(server, ctx, body).await?;
    let name = ctx.info.name.clone();
    let namespace = ctx.info.namespace.clone();
    if let Some(why) = strategy::is_kept(&served.stored, &name) {
        let resource = &served.resource;
        return Err(Status::forbidden(
            &resource.group,
            &resource.plural,
            &name,
            why,
        ));
    }
    let deleted = run(server, ctx, &served, &namespace, &name, &options).await?;
    if deleted.gone && !strategy::returns_deleted(&served.stored) {
        let uid = match &deleted.object {
            Object::Value(value) => meta::uid(value).to_owned(),
            Object::Cached(_) => String::new(),
        };
        return Ok(Reply::Value {
            code: 200,
            value: success(&served, &name, &uid),
        });
    }
    Ok(Reply::Object {
        code: 200,
        served,
        object: deleted.object,
    })
}

fn success(served: &Served, name: &str, uid: &str) -> Value {
    let mut details = json!({"name": name, "kind": served.resource.plural, "uid": uid});
    if !served.resource.group.is_empty() {
        meta::set(&mut details, &["group"], served.resource.group.as_ref());
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

/// Deletes one object, or begins to.
pub async fn run(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Deleted, Status> {
    for _ in 0..ATTEMPTS {
        server.fresh().await?;
        let current = find(server, served, namespace, name)?;
        let old = current.encoded.parse().map_err(Status::internal)?;
        // Upstream names the kind here, not the resource.
        let resource = &served.resource;
        options.check(&old, |why| {
            Status::conflict(&resource.group, &resource.kind, name, why)
        })?;
        if !options.is_admitted {
            admit(server, ctx, served, &old, options.dry_run)?;
        }
        if let Some(deleted) = once(server, served, &current, old, options).await? {
            return Ok(deleted);
        }
    }
    Err(served.stale(name))
}

fn admit(
    server: &Server,
    ctx: &mut Context,
    served: &Served,
    old: &Value,
    dry_run: bool,
) -> Result<(), Status> {
    let namespace = if served.resource.namespaced() {
        meta::namespace(old)
    } else {
        ctx.info.namespace.as_str()
    };
    let mut request = admission::Request {
        operation: Operation::Delete,
        resource: &served.stored,
        subresource: "",
        namespace,
        name: meta::name(old),
        object: Value::Null,
        old_object: Some(old),
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
    ctx.warnings.append(&mut warnings);
    ctx.audit_annotations.append(&mut notes);
    verdict
}

/// One attempt; nothing if somebody else changed the object meanwhile.
async fn once(
    server: &Server,
    served: &Served,
    current: &Arc<CachedObject>,
    old: Value,
    options: &DeleteOptions,
) -> Result<Option<Deleted>, Status> {
    let cache = server.objects(served)?;
    let mut new = old.clone();
    meta::remove(&mut new, &["metadata", "resourceVersion"]);
    set_finalizers(served, &mut new, options.propagation);
    let grace = grace(served, &old, options);
    let held = !meta::list(&new, &["metadata", "finalizers"]).is_empty()
        || (strategy::terminates(&served.stored)
            && !meta::list(&new, &["spec", "finalizers"]).is_empty());
    if grace == 0 && !held {
        let mut last = old;
        if strategy::ends_gracefully(&served.stored) {
            mark(&mut last, 0);
        }
        let outcome = change::remove(server, cache, current, last, options.dry_run).await?;
        return Ok(match outcome {
            Outcome::Done(last) => Some(Deleted {
                object: Object::Value(served.from_stored(last)),
                gone: true,
            }),
            Outcome::Written(_) | Outcome::Raced => None,
        });
    }
    if strategy::terminates(&served.stored) {
        terminate(&mut new);
    } else {
        mark(&mut new, grace);
    }
    let mut before = old;
    meta::remove(&mut before, &["metadata", "resourceVersion"]);
    if new == before {
        return Ok(Some(Deleted {
            object: Object::Cached(current.clone()),
            gone: false,
        }));
    }
    if options.dry_run {
        let revision = current.revision.to_string();
        meta::set(&mut new, &["metadata", "resourceVersion"], revision);
        return Ok(Some(Deleted {
            object: Object::Value(served.from_stored(new)),
            gone: false,
        }));
    }
    let outcome = change::put(server, served, cache, current, &new).await?;
    Ok(match outcome {
        Outcome::Written(object) => Some(Deleted {
            object: Object::Cached(object),
            gone: false,
        }),
        Outcome::Done(_) | Outcome::Raced => None,
    })
}

/// The seconds that the object gets to end.
fn grace(served: &Served, old: &Value, options: &DeleteOptions) -> i64 {
    if !strategy::ends_gracefully(&served.stored) {
        return 0;
    }
    let ended = matches!(
        meta::text(old, &["status", "phase"]),
        "Succeeded" | "Failed"
    );
    if ended || meta::text(old, &["spec", "nodeName"]).is_empty() {
        return 0;
    }
    let number = |path: &[&str]| meta::at(old, path).and_then(Value::as_i64);
    // Upstream takes negative periods as "now, but not quite".
    let asked = options.grace.map(|asked| if asked < 0 { 1 } else { asked });
    // A deletion that is under way can be hastened, not slowed down; whoever does not say by how
    // much leaves it as it is.
    match (asked, number(&["metadata", "deletionGracePeriodSeconds"])) {
        (asked, Some(running)) => asked.map_or(running, |asked| asked.min(running)),
        (Some(asked), None) => asked,
        (None, None) => number(&["spec", "terminationGracePeriodSeconds"]).unwrap_or(DEFAULT_GRACE),
    }
}

/// Begins the end of a namespace, for which there is no time set.
fn terminate(object: &mut Value) {
    if meta::at(object, &["metadata", "deletionTimestamp"]).is_none() {
        let now = clock::timestamp(clock::now());
        meta::set(object, &["metadata", "deletionTimestamp"], now);
    }
    meta::set(object, &["status", "phase"], "Terminating");
}

/// Sets when the object is to be gone; a second deletion only ever brings that forward.
fn mark(object: &mut Value, grace: i64) {
    let running =
        meta::at(object, &["metadata", "deletionGracePeriodSeconds"]).and_then(Value::as_i64);
    if running.is_some_and(|running| running <= grace) {
        return;
    }
    let until = clock::timestamp(clock::now().saturating_add(grace));
    let metadata = meta::map_mut(object, &["metadata"]);
    metadata.insert("deletionTimestamp".to_owned(), until.into());
    metadata.insert("deletionGracePeriodSeconds".to_owned(), grace.into());
    let generation = metadata.get("generation").and_then(Value::as_i64);
    if let Some(generation) = generation.filter(|g| *g > 0 && running.is_none()) {
        metadata.insert("generation".to_owned(), (generation + 1).into());
    }
}

/// The finalizers through which the garbage collector learns what to do with dependents.
fn set_finalizers(served: &Served, object: &mut Value, propagation: Option<Propagation>) {
    let path = ["metadata", "finalizers"];
    let existing: Vec<String> = meta::list(object, &path)
        .iter()
        .filter_map(|f| f.as_str().map(str::to_owned))
        .collect();
    let has = |name: &str| existing.iter().any(|f| f == name);
    let orphan = match propagation {
        Some(policy) => policy == Propagation::Orphan,
        None => has(ORPHAN) || (!has(FOREGROUND) && strategy::orphans_by_default(&served.stored)),
    };
    let foreground = match propagation {
        Some(policy) => policy == Propagation::Foreground,
        None => has(FOREGROUND),
    };
    let mut wanted: Vec<String> = existing
        .iter()
        .filter(|f| *f != ORPHAN && *f != FOREGROUND)
        .cloned()
        .collect();
    if orphan {
        wanted.push(ORPHAN.to_owned());
    }
    if foreground {
        wanted.push(FOREGROUND.to_owned());
    }
    let same = wanted.len() == existing.len() && wanted.iter().all(|f| existing.contains(f));
    if same {
        return;
    }
    if wanted.is_empty() {
        meta::remove(object, &path);
    } else {
        meta::set(object, &path, wanted);
    }
}

/// Deletes everything that a selection covers.
pub async fn collection(
    server: &Server,
    ctx: &mut Context,
    served: Served,
    body: BodySource,
) -> Result<Reply, Status> {
    let list = ListOptions::parse(&ctx.query, false)?;
    let options = DeleteOptions::read(server, ctx, body).await?;
    let cache = server.objects(&served)?.clone();
    let filter = filter(ctx, &served, &cache, &list)?;
    let page = super::read::page(server, &cache, &filter, &list).await?;
    for object in &page.objects {
        let deletion = run(
            server,
            ctx,
            &served,
            object.namespace(),
            object.name(),
            &options,
        );
        match deletion.await {
            Err(status) if !status.is_not_found() => return Err(status),
            _ => {}
        }
    }
    Ok(Reply::List(List {
        served,
        objects: page.objects,
        revision: page.revision,
        next: page.next,
        remaining: page.remaining,
        include: list.include,
    }))
}
