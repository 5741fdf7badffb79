//! The writer: one thread through which all writes go. It takes what callers have queued, makes it
//! durable in one commit, shows it to readers and watchers, and only then answers the callers.
//! Between commits it removes what compaction has left behind, in bounded steps.

use crate::batch::{Batch, Put, Reply};
use crate::directory::Directory;
use crate::lease::Leases;
use crate::load::{Loaded, load};
use crate::log::{Commit, Log, Marks, Snapshot, write_error};
use crate::options::OpenError;
use crate::shared::Shared;
use crate::view::unavailable;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};
use storage_api::{Entry, Event, Expected, Revision, StoreError};

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Request {
    Put(Put, Reply<Entry>),
    Delete(Arc<str>, Expected, Reply<(Revision, Entry)>),
    Compact(Revision, Reply<()>),
    Vacuum(Reply<()>),
    Close(Reply<()>),
}

/// Bounds of one commit.
const COMMIT_REQUESTS: usize = 512;
const COMMIT_BYTES: usize = 8 << 20;
/// Old versions removed in one commit: few while callers wait, more when none does.
const SWEEP_BUSY: usize = 32;
const SWEEP_IDLE: usize = 512;
/// How long a watcher for whom there was nothing may be unaware of how far the store has come.
const PROGRESS: Duration = Duration::from_millis(100);

pub(crate) struct Writer {
    shared: Arc<Shared>,
    directory: Directory,
    requests: Receiver<Request>,
    /// `None` while it could not be opened again after a failure.
    log: Option<Log>,
    leases: Leases,
    swept: Revision,
    progress_due: Option<Instant>,
}

/// Why the loop ended, with whom to tell.
enum Next {
    Continue,
    Close(Option<Reply<()>>),
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        directory: Directory,
        requests: Receiver<Request>,
        log: Log,
        leases: Leases,
        swept: Revision,
    ) -> Self {
        Self {
            shared,
            directory,
            requests,
            log: Some(log),
            leases,
            swept,
            progress_due: None,
        }
    }

    /// Works until the store is closed.
    pub(crate) fn run(mut self) {
        let reply = loop {
            if let Next::Close(reply) = self.turn() {
                break reply;
            }
        };
        self.shared.hub.close();
        let revision = {
            let mut view = self.shared.view.write();
            view.snapshot = None;
            view.revision
        };
        let was_open = self.log.take().is_some();
        let noted = if was_open {
            self.directory.note_clean(revision)
        } else {
            Ok(())
        };
        if let Err(error) = &noted {
            tracing::warn!(%error, "the revision at close could not be noted");
        }
        drop(self.directory);
        if let Some(reply) = reply {
            let _ = reply.send(Ok(()));
        }
    }

    fn turn(&mut self) -> Next {
        let first = match self.wait() {
            Ok(first) => first,
            Err(()) => return Next::Close(None),
        };
        if self.progress_due.is_some_and(|due| due <= Instant::now()) {
            self.progress_due = None;
            self.shared.hub.wake_all();
        }
        let idle = first.is_none();
        let mut queue = Vec::new();
        let mut bytes = 0;
        let mut next = first;
        let mut last = None;
        while let Some(request) = next {
            match request {
                Request::Vacuum(_) | Request::Close(_) => {
                    last = Some(request);
                    break;
                }
                Request::Put(ref put, _) => bytes += put.value.len() + put.key.len(),
                Request::Delete(..) | Request::Compact(..) => {}
            }
            queue.push(request);
            let more = queue.len() < COMMIT_REQUESTS && bytes < COMMIT_BYTES;
            next = more.then(|| self.requests.try_recv().ok()).flatten();
        }
        self.commit(queue, bytes, if idle { SWEEP_IDLE } else { SWEEP_BUSY });
        match last {
            Some(Request::Close(reply)) => return Next::Close(Some(reply)),
            Some(Request::Vacuum(reply)) => {
                let done = self.vacuum();
                let _ = reply.send(done);
            }
            _ => {}
        }
        Next::Continue
    }

    /// The next request, or `None` if there is something else to do first.
    fn wait(&self) -> Result<Option<Request>, ()> {
        if self.log.is_some() && self.swept < self.shared.view.read().compacted {
            return match self.requests.try_recv() {
                Ok(request) => Ok(Some(request)),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::Disconnected) => Err(()),
            };
        }
        let deadline = [self.leases.next(), self.progress_due]
            .into_iter()
            .flatten()
            .min();
        let Some(deadline) = deadline else {
            return self.requests.recv().map(Some).map_err(drop);
        };
        // A failed medium is asked again by the next write, and for expiries now and then.
        let patience = if self.log.is_some() {
            Duration::ZERO
        } else {
            Duration::from_secs(1)
        };
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(patience);
        match self.requests.recv_timeout(left) {
            Ok(request) => Ok(Some(request)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(()),
        }
    }

    fn commit(&mut self, queue: Vec<Request>, bytes: usize, sweep: usize) {
        if let Err(error) = self.reopen() {
            for request in queue {
                request.refuse(&error);
            }
            return;
        }
        let view = self.shared.view.read();
        let Some(snapshot) = view.snapshot.clone() else {
            return;
        };
        let mut batch = Batch::new(&view, snapshot.clone());
        let full = if bytes > 0 {
            self.lacks_space(bytes)
        } else {
            None
        };
        let mut compacted = view.compacted;
        for request in queue {
            match request {
                Request::Put(put, reply) => match &full {
                    Some(error) => batch.refuse_put(reply, error.clone()),
                    None => batch.put(&view, put, reply),
                },
                Request::Delete(key, expected, reply) => batch.delete(&view, key, expected, reply),
                Request::Compact(revision, reply) => {
                    // Compacting to a revision of this batch would be to promise what may fail.
                    if revision > view.revision {
                        let newest = view.revision;
                        let _ = reply.send(Err(StoreError::Future {
                            requested: revision,
                            newest,
                        }));
                    } else {
                        compacted = compacted.max(revision);
                        batch.answer_when_durable(reply);
                    }
                }
                Request::Vacuum(_) | Request::Close(_) => {}
            }
        }
        let mut expired = 0;
        while expired < COMMIT_REQUESTS
            && let Some((key, revision)) = self.leases.pop_due()
        {
            batch.expire(&view, key, revision);
            expired += 1;
        }
        let already = view.compacted;
        drop(view);

        let (removals, swept) = self.sweep(&snapshot, already, sweep);
        let marks = Marks { compacted, swept };
        let moved = compacted != already || swept != self.swept;
        let commit = Commit {
            puts: batch.records(),
            removals,
            marks: moved.then_some(marks),
        };
        if commit.puts.is_empty() && commit.marks.is_none() {
            return batch.succeed();
        }
        let Some(log) = &mut self.log else {
            return batch.fail(&unavailable());
        };
        let committed = log.commit(&commit).and_then(|()| log.snapshot());
        match committed {
            Ok(snapshot) => {
                self.swept = swept;
                self.show(&batch, snapshot, compacted);
                batch.succeed();
            }
            Err(error) => {
                tracing::error!(%error, "a commit of the store failed");
                self.fail(batch, &write_error(&error));
            }
        }
    }

    /// Shows a durable batch to readers, then to watchers.
    fn show(&mut self, batch: &Batch, snapshot: Snapshot, compacted: Revision) {
        let mut hub = self.shared.hub.lock();
        {
            let mut view = self.shared.view.write();
            for change in batch.changes() {
                let deleted = change.value.is_none();
                view.index.apply(
                    Arc::clone(&change.key),
                    change.revision,
                    change.create,
                    deleted,
                );
            }
            view.revision = batch.revision();
            view.compacted = compacted;
            view.snapshot = Some(snapshot);
        }
        for change in batch.changes() {
            if let Some(lease) = change.lease {
                self.leases
                    .add(Arc::clone(&change.key), change.revision, lease);
            }
        }
        if batch.changes().is_empty() {
            return;
        }
        let events = if hub.is_watched() {
            batch.events()
        } else {
            Vec::new()
        };
        if hub.publish(events, batch.revision()) && self.progress_due.is_none() {
            self.progress_due = Instant::now().checked_add(PROGRESS);
        }
    }

    /// Looks for up to about `limit` versions that nobody can ask for any more, forgets them in the
    /// index and returns them with how far it has looked.
    fn sweep(
        &self,
        snapshot: &Snapshot,
        compacted: Revision,
        limit: usize,
    ) -> (Vec<Revision>, Revision) {
        let mut removals = Vec::new();
        let mut swept = self.swept;
        if swept >= compacted {
            return (removals, swept);
        }
        let mut changed: Vec<(Revision, String)> = Vec::new();
        let scanned = snapshot.scan(swept, compacted, |revision, record| {
            changed.push((revision, record.key.to_owned()));
            changed.len() < 4 * limit
        });
        if let Err(error) = scanned {
            // What is before it can still be swept, but not what is behind it.
            tracing::error!(%error, "compaction skips a damaged record");
        }
        let all = changed.len() < 4 * limit;
        let mut view = self.shared.view.write();
        for (revision, key) in changed {
            view.index.prune(&key, revision, compacted, &mut removals);
            swept = revision;
            if removals.len() >= limit {
                return (removals, swept);
            }
        }
        (removals, if all { compacted } else { swept })
    }

    fn lacks_space(&self, bytes: usize) -> Option<StoreError> {
        let path = self.log.as_ref()?.path();
        let stat = rustix::fs::statvfs(path).ok()?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        // Twice for the pages that are rewritten along the way.
        let needed = (bytes as u64)
            .saturating_mul(2)
            .saturating_add(self.shared.options.reserve_bytes);
        (free < needed)
            .then(|| StoreError::Full(format!("{free} bytes are free, {needed} are needed")))
    }

    /// After a commit failed nobody knows whether it took place. Opening the log anew tells.
    fn fail(&mut self, batch: Batch, error: &StoreError) {
        self.rebuild();
        batch.fail(error);
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        if self.log.is_some() {
            return Ok(());
        }
        let path = self.directory.store_file();
        let opened = Log::open(&path, &self.shared.options, false).and_then(|log| load(log, 0));
        let loaded = opened.map_err(|error| match error {
            OpenError::Io { source, .. } => write_error(&redb::Error::Io(source)),
            error => StoreError::Unavailable(error.to_string()),
        })?;
        self.adopt(loaded)
    }

    /// Continues with a log that was opened while the store is running.
    fn adopt(&mut self, loaded: Loaded) -> Result<(), StoreError> {
        let Loaded {
            log,
            view: found,
            leases,
            swept,
        } = loaded;
        let known = self.shared.view.read().revision;
        if found.revision < known {
            return Err(StoreError::Unavailable(format!(
                "the store was at revision {known} and has only {} on its medium",
                found.revision
            )));
        }
        // A commit that failed may have become durable all the same: then its changes happened.
        let mut events = Vec::new();
        if let (Some(snapshot), true) = (&found.snapshot, found.revision > known) {
            let mut keys = Vec::new();
            snapshot.scan(known + 1, found.revision, |revision, record| {
                keys.push((
                    Arc::<str>::from(record.key),
                    revision,
                    record.value.is_some(),
                ));
                true
            })?;
            for (key, revision, is_put) in keys {
                let before = found.index.before(&key, revision);
                let previous = before.and_then(|before| snapshot.entry(&key, before).ok());
                events.push(if is_put {
                    Event::Put {
                        entry: snapshot.entry(&key, revision)?,
                        previous,
                    }
                } else {
                    Event::Delete {
                        previous,
                        key,
                        revision,
                    }
                });
            }
        }
        let revision = found.revision;
        let mut hub = self.shared.hub.lock();
        *self.shared.view.write() = found;
        hub.publish(events, revision);
        drop(hub);
        self.log = Some(log);
        self.leases = leases;
        self.swept = swept;
        Ok(())
    }

    /// Copies what is kept into a new file, which takes the place of the old one. Readers go on
    /// with the old one meanwhile, writers wait.
    fn vacuum(&mut self) -> Result<(), StoreError> {
        self.reopen()?;
        let (snapshot, compacted) = {
            let view = self.shared.view.read();
            (view.snapshot()?, view.compacted)
        };
        let mut removals = BTreeSet::new();
        while self.swept < compacted {
            let (some, swept) = self.sweep(&snapshot, compacted, SWEEP_IDLE);
            removals.extend(some);
            self.swept = swept;
        }
        let marks = Marks {
            compacted,
            swept: compacted,
        };
        let options = self.shared.options.clone();
        let new = self.directory.new_store_file();
        let unavailable = |error: OpenError| StoreError::Unavailable(error.to_string());
        let io = |source| write_error(&redb::Error::Io(source));
        if let Err(error) = std::fs::remove_file(&new)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(io(error));
        }
        if let Err(error) = snapshot.copy_to(&new, &options, marks, &removals) {
            // What is half-written is in nobody's way but takes space.
            let _ = std::fs::remove_file(&new);
            self.rebuild();
            return Err(unavailable(error));
        }
        self.directory.replace_store_file().map_err(io)?;
        drop(snapshot);
        self.rebuild();
        if self.log.is_some() {
            Ok(())
        } else {
            Err(crate::view::unavailable())
        }
    }

    /// Opens the file that is in place now.
    fn rebuild(&mut self) {
        self.shared.view.write().snapshot = None;
        self.log = None;
        if let Err(error) = self.reopen() {
            tracing::error!(%error, "the store could not be opened again and is unavailable");
        }
    }
}

impl Request {
    fn refuse(self, error: &StoreError) {
        match self {
            Self::Put(_, reply) => drop(reply.send(Err(error.clone()))),
            Self::Delete(_, _, reply) => drop(reply.send(Err(error.clone()))),
            Self::Compact(_, reply) | Self::Vacuum(reply) | Self::Close(reply) => {
                drop(reply.send(Err(error.clone())));
            }
        }
    }
}
