//! get and list, answered from the cache; old revisions from the store's history.

use super::continuation::Continuation;
use super::list_options::{ListOptions, Match, parse_revision};
use crate::cache::{CachedObject, Filter, ResourceCache};
use crate::context::Context;
use crate::key;
use crate::reply::{List, Object, Reply};
use crate::served::Served;
use crate::server::{Server, store_status, too_large_revision};
use model::status::Status;
use std::sync::Arc;
use storage_api::StoreError;

const HISTORY_PAGE: usize = 500;

/// One object.
pub async fn get(server: &Server, ctx: &Context, served: Served) -> Result<Reply, Status> {
    match parse_revision(ctx.query.get("resourceVersion"))? {
        Some(0) => {}
        wanted => {
            let newest = server.fresh().await?;
            if let Some(wanted) = wanted.filter(|w| *w > newest) {
                return Err(too_large_revision(wanted, newest));
            }
        }
    }
    let object = find(server, &served, &ctx.info.namespace, &ctx.info.name)?;
    Ok(Reply::Object {
        code: 200,
        served,
        object: Object::Cached(object),
    })
}

/// The object of that name, as the cache has it.
pub fn find(
    server: &Server,
    served: &Served,
    namespace: &str,
    name: &str,
) -> Result<Arc<CachedObject>, Status> {
    let cache = server.objects(served)?;
    let namespace = place(served, namespace);
    cache
        .get(&key::of_object(&cache.prefix, namespace, name))
        .ok_or_else(|| served.not_found(name))
}

/// The namespace that objects are in: none for those of the whole cluster, though the path of a
/// namespace names itself as one.
fn place<'a>(served: &Served, namespace: &'a str) -> &'a str {
    if served.resource.namespaced() {
        namespace
    } else {
        ""
    }
}

/// The filter of a list, watch or deletecollection.
pub fn filter(
    ctx: &Context,
    served: &Served,
    cache: &ResourceCache,
    options: &ListOptions,
) -> Result<Filter, Status> {
    Filter::new(
        &served.resource,
        &cache.prefix,
        place(served, &ctx.info.namespace),
        &ctx.info.name,
        options.labels.clone(),
        &options.fields,
    )
    .map_err(Status::bad_request)
}

/// A list.
pub async fn list(server: &Server, ctx: &Context, served: Served) -> Result<Reply, Status> {
    let options = ListOptions::parse(&ctx.query, false)?;
    let cache = server.objects(&served)?.clone();
    let filter = filter(ctx, &served, &cache, &options)?;
    let include = options.include;
    let page = page(server, &cache, &filter, &options).await?;
    Ok(Reply::List(List {
        served,
        objects: page.objects,
        revision: page.revision,
        next: page.next,
        remaining: page.remaining,
        include,
    }))
}

/// A list's objects and what its metadata says.
#[derive(Default)]
pub struct ListPage {
    /// The objects.
    pub objects: Vec<Arc<CachedObject>>,
    /// The list's resource version.
    pub revision: u64,
    /// The token of the next page.
    pub next: String,
    /// How many follow, if that is known.
    pub remaining: Option<usize>,
}

/// Takes the part of the resource's objects that the options ask for.
pub async fn page(
    server: &Server,
    cache: &ResourceCache,
    filter: &Filter,
    options: &ListOptions,
) -> Result<ListPage, Status> {
    if !options.continue_token.is_empty() {
        if options.revision.is_some_and(|r| r != 0) {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let token = Continuation::decode(&options.continue_token)?;
        let newest = server.fresh().await?;
        let start = format!("{}{}", filter.prefix, token.start);
        let at = token.revision.unwrap_or(newest);
        return at_revision(
            server,
            cache,
            filter,
            Some(start),
            options.limit,
            at,
            newest,
        )
        .await
        .map_err(|status| match status.reason {
            "Expired" => expired_token(token.start),
            _ => status,
        });
    }
    let exact = match (options.revision_match, options.revision) {
        (Match::Exact, _) => true,
        // A limit with a resource version and nothing else meant this state before
        // `resourceVersionMatch` came to be.
        (Match::Unset, Some(revision)) => revision > 0 && options.limit > 0,
        _ => false,
    };
    let limit = match options.revision {
        // From the cache as it is, and whole, as upstream's cache answers.
        Some(0) => 0,
        _ => options.limit,
    };
    let newest = match options.revision {
        Some(0) => server.cache().revision(),
        _ => server.fresh().await?,
    };
    if let Some(wanted) = options.revision.filter(|w| *w > newest) {
        return Err(too_large_revision(wanted, newest));
    }
    if exact {
        let at = options.revision.unwrap_or(newest);
        return at_revision(server, cache, filter, None, limit, at, newest).await;
    }
    Ok(present(cache, filter, None, limit, newest))
}

/// A page of the present state; `newest` is a revision that the cache had reached before.
fn present(
    cache: &ResourceCache,
    filter: &Filter,
    start: Option<&str>,
    limit: usize,
    newest: u64,
) -> ListPage {
    let page = cache.page(filter, start, limit);
    let revision = newest.max(page.last);
    let next = match page.objects.last().filter(|_| page.more) {
        Some(last) => next_token(filter, &last.key, revision),
        None => String::new(),
    };
    ListPage {
        remaining: (page.more && filter.selects_all()).then_some(page.remaining),
        objects: page.objects,
        revision,
        next,
    }
}

fn next_token(filter: &Filter, last: &str, revision: u64) -> String {
    let below = last.get(filter.prefix.len()..).unwrap_or_default();
    Continuation {
        revision: Some(revision),
        start: format!("{below}\0"),
    }
    .encode()
}

/// A page as of revision `at`, which is not newer than `newest`.
async fn at_revision(
    server: &Server,
    cache: &ResourceCache,
    filter: &Filter,
    start: Option<String>,
    limit: usize,
    at: u64,
    newest: u64,
) -> Result<ListPage, Status> {
    if at > newest {
        return Err(too_large_revision(at, newest));
    }
    // Nothing of this resource changed since: the present state is the state then.
    let page = cache.page(filter, start.as_deref(), limit);
    if page.last <= at {
        let next = match page.objects.last().filter(|_| page.more) {
            Some(last) => next_token(filter, &last.key, at),
            None => String::new(),
        };
        return Ok(ListPage {
            remaining: (page.more && filter.selects_all()).then_some(page.remaining),
            objects: page.objects,
            revision: at,
            next,
        });
    }
    past(server, cache, filter, start, limit, at)
        .await
        .map_err(|e| store_status(&e))
}

/// A page of the state at revision `at`, from the store's history.
async fn past(
    server: &Server,
    cache: &ResourceCache,
    filter: &Filter,
    mut start: Option<String>,
    limit: usize,
    at: u64,
) -> Result<ListPage, StoreError> {
    let mut page = ListPage {
        revision: at,
        ..ListPage::default()
    };
    loop {
        let range = server
            .store
            .range(&filter.prefix, start.as_deref(), HISTORY_PAGE, Some(at))
            .await?;
        let mut left = range.entries.len() as u64 + range.remaining;
        start = range.entries.last().map(|e| format!("{}\0", e.key));
        for entry in range.entries {
            let object = CachedObject::new(
                &cache.resource,
                &cache.prefix,
                entry.key,
                &entry.value,
                entry.mod_revision,
            );
            let selected = object.ok().filter(|o| filter.matches(o));
            if let Some(object) = selected {
                if limit > 0 && page.objects.len() == limit {
                    if let Some(last) = page.objects.last() {
                        page.next = next_token(filter, &last.key, at);
                    }
                    if filter.selects_all() {
                        page.remaining = usize::try_from(left).ok();
                    }
                    return Ok(page);
                }
                page.objects.push(Arc::new(object));
            }
            left -= 1;
        }
        if range.remaining == 0 {
            return Ok(page);
        }
    }
}

/// 410 for a token whose revision is gone; it carries a token with which the client can go on
/// where it was, in the present state.
fn expired_token(start: String) -> Status {
    let mut status = Status::expired(
        "The provided continue parameter is too old to display a consistent list result. You can \
         start a new list without the continue parameter, or use the continue token in this \
         response to retrieve the remainder of the results. Continuing with the provided token \
         results in an inconsistent list - objects that were created, modified, or deleted \
         between the time the first chunk was returned and now may show up in the list.",
    );
    status.continue_token = Continuation {
        revision: None,
        start,
    }
    .encode();
    status
}
