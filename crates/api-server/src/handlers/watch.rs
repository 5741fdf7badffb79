//! watch: a stream of notices made from the cache's recent changes.
//!
//! A watcher holds no queue of its own. It remembers up to which revision it has seen everything
//! and takes what came after from the history that all watchers of the resource share. One that
//! falls behind that history is cut off and starts anew, as upstream does with slow watchers.

use super::list_options::ListOptions;
use super::read::filter;
use crate::cache::{Cache, CacheEvent, CachedObject, Filter, ResourceCache, Since};
use crate::context::Context;
use crate::plugin::Telemetry;
use crate::reply::{Notice, Reply, Watch};
use crate::served::Served;
use crate::server::{Server, store_status, too_large_revision};
use futures::StreamExt;
use futures::stream::BoxStream;
use model::status::Status;
use std::sync::Arc;
use std::time::Duration;
use storage_api::{Event, Events, StoreError};
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Changes taken from the history at a time.
const BATCH: usize = 256;

/// Watches end after this at the latest: a clock does not reach as far as a client may ask.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A watch.
pub async fn watch(server: &Server, ctx: &Context, served: Served) -> Result<Reply, Status> {
    let options = ListOptions::parse(&ctx.query, true)?;
    let cache = server.objects(&served)?.clone();
    let filter = filter(ctx, &served, &cache, &options)?;
    let changes = cache.changes();
    let epoch = cache.epoch();
    let timeout = options
        .timeout
        .map_or_else(|| spread(server.limits.watch), Duration::from_secs);
    let (first, cursor) = begin(server, &cache, &filter, &options).await?;
    let mut watcher = Watcher {
        cache: server.cache().clone(),
        resource: cache,
        changes,
        epoch,
        filter,
        cursor,
        first,
        history: None,
        bookmarks: options.bookmarks,
        bookmark_every: server.limits.bookmarks,
        next_bookmark: Instant::now() + spread(server.limits.bookmarks) / 2,
        deadline: Instant::now() + timeout.min(LONGEST),
        stop: server.stop.clone(),
        done: false,
        open: Open::new(server.telemetry.clone(), &served),
    };
    watcher.reach_back(server).await;
    let notices = futures::stream::unfold(watcher, |mut watcher| async move {
        let batch = watcher.next().await?;
        watcher.open.sent(&batch);
        Some((batch, watcher))
    });
    Ok(Reply::Watch(Watch {
        served,
        notices: notices.boxed(),
        include: options.include,
    }))
}

/// A duration between `least` and twice that, so that watches do not all end at once.
fn spread(least: Duration) -> Duration {
    let byte = uuid::Uuid::new_v4().into_bytes().first().copied();
    least + least * u32::from(byte.unwrap_or(0)) / 256
}

/// The notices that a watch begins with, and the revision after which changes follow.
async fn begin(
    server: &Server,
    cache: &ResourceCache,
    filter: &Filter,
    options: &ListOptions,
) -> Result<(Vec<Notice>, u64), Status> {
    let from_now = matches!(options.revision, None | Some(0));
    let initial = options.send_initial.unwrap_or(from_now);
    if !initial && let Some(revision) = options.revision.filter(|r| *r > 0) {
        return Ok((Vec::new(), revision));
    }
    let newest = match options.revision {
        Some(0) => server.cache().revision(),
        _ => server.fresh().await?,
    };
    if let Some(wanted) = options.revision.filter(|w| *w > newest) {
        return Err(too_large_revision(wanted, newest));
    }
    if !initial {
        return Ok((Vec::new(), newest));
    }
    let page = cache.page(filter, None, 0);
    let revision = newest.max(page.last);
    let mut notices: Vec<Notice> = page.objects.into_iter().map(Notice::Initial).collect();
    if options.send_initial == Some(true) && options.bookmarks {
        notices.push(Notice::Bookmark {
            revision,
            initial_end: true,
        });
    }
    Ok((notices, revision))
}

/// Counts an open watch.
struct Open {
    telemetry: Arc<dyn Telemetry>,
    served: Served,
}

impl Open {
    fn new(telemetry: Arc<dyn Telemetry>, served: &Served) -> Self {
        telemetry.watch(&served.resource, true);
        Self {
            telemetry,
            served: served.clone(),
        }
    }
}

impl Open {
    fn sent(&self, batch: &[Notice]) {
        let events = batch
            .iter()
            .filter(|n| matches!(n, Notice::Initial(_) | Notice::Event(..)))
            .count();
        self.telemetry.watch_events(&self.served.resource, events);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.telemetry.watch(&self.served.resource, false);
    }
}

struct Watcher {
    cache: Arc<Cache>,
    resource: Arc<ResourceCache>,
    changes: Receiver<u64>,
    epoch: u64,
    filter: Filter,
    /// Everything up to this revision has been seen.
    cursor: u64,
    first: Vec<Notice>,
    history: Option<BoxStream<'static, storage_api::Result<Events>>>,
    bookmarks: bool,
    bookmark_every: Duration,
    next_bookmark: Instant,
    deadline: Instant,
    stop: CancellationToken,
    done: bool,
    open: Open,
}

/// What a watcher did not have to wait for.
enum Ready {
    Notices(Vec<Notice>),
    More,
    Nothing,
    End,
}

impl Watcher {
    /// If the watch starts before the shared history, takes what is missing from the store's.
    async fn reach_back(&mut self, server: &Server) {
        let floor = self.resource.floor();
        if self.cursor >= floor || !self.first.is_empty() {
            return;
        }
        match server.store.watch(&self.resource.prefix, self.cursor).await {
            Ok(stream) => self.history = Some(stream),
            Err(error) => self.fail(match error {
                StoreError::Compacted { .. } => Status::expired(format!(
                    "too old resource version: {} ({floor})",
                    self.cursor
                )),
                other => store_status(&other),
            }),
        }
    }

    fn fail(&mut self, status: Status) {
        self.first.push(Notice::Failed(status));
        self.done = true;
    }

    /// The next batch; `None` when the watch is over.
    async fn next(&mut self) -> Option<Vec<Notice>> {
        loop {
            if !self.first.is_empty() {
                return Some(std::mem::take(&mut self.first));
            }
            if self.done {
                return None;
            }
            if self.history.is_none() {
                self.changes.borrow_and_update();
                match self.ready() {
                    Ready::Notices(notices) => return Some(notices),
                    Ready::More => continue,
                    Ready::End => return None,
                    Ready::Nothing => {}
                }
            }
            let notices = self.wait().await;
            if !notices.is_empty() {
                return Some(notices);
            }
        }
    }

    fn ready(&mut self) -> Ready {
        // Read before the history is: what it covers is in there.
        let covered = self.cache.revision();
        match self.resource.since(self.cursor, self.epoch, BATCH) {
            Since::Gone => Ready::End,
            Since::Events(events, last) => {
                self.cursor = last;
                if events.is_empty() {
                    self.cursor = self.cursor.max(covered);
                }
                let notices: Vec<_> = events
                    .iter()
                    .filter_map(|event| Notice::of(event, &self.filter))
                    .collect();
                match (notices.is_empty(), events.is_empty()) {
                    (false, _) => Ready::Notices(notices),
                    (true, false) => Ready::More,
                    (true, true) => Ready::Nothing,
                }
            }
        }
    }

    /// Waits for a change, the time of a bookmark, or the end.
    async fn wait(&mut self) -> Vec<Notice> {
        let wake = if self.bookmarks {
            self.next_bookmark.min(self.deadline)
        } else {
            self.deadline
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {
                self.done = true;
                Vec::new()
            }
            batch = past(&mut self.history) => self.take_past(batch),
            changed = self.changes.changed(), if self.history.is_none() => {
                self.done |= changed.is_err();
                Vec::new()
            }
            () = tokio::time::sleep_until(wake) => {
                self.done = Instant::now() >= self.deadline;
                self.next_bookmark = Instant::now() + self.bookmark_every;
                let bookmark = Notice::Bookmark {
                    revision: self.cursor,
                    initial_end: false,
                };
                if self.bookmarks { vec![bookmark] } else { Vec::new() }
            }
        }
    }

    /// Takes a batch of the store's history; once it has come as far as the shared one, that
    /// goes on.
    fn take_past(&mut self, batch: Option<storage_api::Result<Events>>) -> Vec<Notice> {
        match batch {
            Some(Ok(batch)) => {
                self.cursor = self.cursor.max(batch.revision);
                if self.cursor >= self.resource.floor() {
                    self.history = None;
                }
                let events = batch.events.into_iter().filter_map(|e| self.convert(e));
                events
                    .filter_map(|event| Notice::of(&event, &self.filter))
                    .collect()
            }
            Some(Err(error)) => {
                self.done = true;
                vec![Notice::Failed(store_status(&error))]
            }
            None => {
                self.done = true;
                Vec::new()
            }
        }
    }

    fn convert(&self, event: Event) -> Option<Arc<CacheEvent>> {
        let read = |entry: storage_api::Entry| {
            CachedObject::new(
                &self.resource.resource,
                &self.resource.prefix,
                entry.key,
                &entry.value,
                entry.mod_revision,
            )
            .ok()
        };
        let event = match event {
            Event::Put { entry, previous } => {
                let previous = previous.and_then(read).map(Arc::new);
                CacheEvent::new(Arc::new(read(entry)?), previous, false)
            }
            Event::Delete {
                previous, revision, ..
            } => {
                let previous = Arc::new(read(previous?)?);
                let last = Arc::new(previous.deleted_at(revision));
                CacheEvent::new(last, Some(previous), true)
            }
        };
        Some(Arc::new(event))
    }
}

/// The next batch of the store's history, if that is where the watch is; else never.
async fn past(
    history: &mut Option<BoxStream<'static, storage_api::Result<Events>>>,
) -> Option<storage_api::Result<Events>> {
    match history {
        Some(history) => history.next().await,
        None => std::future::pending().await,
    }
}
