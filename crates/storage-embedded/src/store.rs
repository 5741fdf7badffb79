//! The store's handle: reads are answered here, writes are handed to the writer thread.

use crate::backup::{self, BackupReport};
use crate::batch::{Life, Put};
use crate::directory::Directory;
use crate::load::{Loaded, load};
use crate::log::{Log, Snapshot};
use crate::options::{OpenError, Options};
use crate::shared::Shared;
use crate::view::unavailable;
use crate::watch::{Hub, WatchStream};
use crate::writer::{Request, Writer};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use futures::stream::BoxStream;
use futures::{FutureExt, SinkExt, StreamExt};
use parking_lot::{Mutex, RwLock};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use storage_api::{Entry, Events, Expected, Range, Result, Revision, Scan, Store, StoreError};

/// Entries from which on a range is read on a thread of its own rather than on the caller's.
const READ_ASIDE: usize = 256;
/// Entries that a scan hands over at once, and how many such pieces it is ahead.
const PIECE: usize = 512;
const PIECES_AHEAD: usize = 4;

/// A [`Store`] in one directory of this machine.
///
/// A write is durable (`fdatasync`) when its future resolves, and every watch stream has been
/// handed its event before that. Writes that wait at the same time share one commit. Reads see the
/// last durable commit and never wait for one. Dropping the store closes it.
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    requests: Sender<Request>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl EmbeddedStore {
    /// Opens the store in the directory `path`, which is made if it does not exist. After a crash
    /// the store is as of the last acknowledged write (or one that was about to be acknowledged).
    ///
    /// # Errors
    /// See [`OpenError`]; a directory that is in use, foreign or damaged is left as it is.
    pub fn open(path: &Path, options: Options) -> std::result::Result<Self, OpenError> {
        let directory = Directory::take(path)?;
        let file = directory.store_file();
        let opened_before = directory.opened_before();
        // An empty file would be taken for a new one, and nobody would learn of the loss.
        if opened_before && std::fs::metadata(&file).map_or(0, |found| found.len()) == 0 {
            let why = "it is empty or missing".to_owned();
            return Err(OpenError::Damaged { path: file, why });
        }
        let log = Log::open(&file, &options, options.verify)?;
        let loaded = load(log, directory.clean_revision())?;
        let Loaded {
            log,
            view,
            leases,
            swept,
        } = loaded;
        if !opened_before {
            directory.note_clean(view.revision)?;
        }
        let hub = Hub::default();
        hub.lock().published = view.revision;
        let shared = Arc::new(Shared {
            options,
            file: file.clone(),
            view: RwLock::new(view),
            hub,
        });
        let (requests, queue) = channel();
        let writer = Writer::new(Arc::clone(&shared), directory, queue, log, leases, swept);
        let writer = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            shared,
            requests,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Ends all watches, completes the writes that were asked for before, and closes the file, so
    /// that the directory can be opened again. Later calls fail as unavailable; closing again
    /// does nothing.
    pub fn close(&self) -> BoxFuture<'_, ()> {
        let (reply, done) = oneshot::channel();
        let asked = self.requests.send(Request::Close(reply)).is_ok();
        async move {
            if asked {
                // The writer ending without an answer has closed the store as well.
                let _ = done.await;
            }
            self.join();
        }
        .boxed()
    }

    /// Removes everything that compaction has left behind and rewrites the file without free
    /// space, so that nothing of deleted or replaced values is left in it. Reads go on, writes wait
    /// meanwhile (about a second per 100 MB).
    ///
    /// # Errors
    /// Those of writes; the store is then as before.
    pub fn vacuum(&self) -> BoxFuture<'_, Result<()>> {
        self.ask(Request::Vacuum)
    }

    /// Writes everything that is there now, at one revision, to `out`, while the store is in use;
    /// see [`crate::restore`]. `out` is flushed, but making it durable is the caller's business.
    ///
    /// # Errors
    /// If the store cannot be read or `out` not be written.
    pub fn backup(
        &self,
        out: impl std::io::Write + Send + 'static,
    ) -> BoxFuture<'static, Result<BackupReport>> {
        let (snapshot, revision, mut live) = {
            let view = self.shared.view.read();
            let snapshot = match view.snapshot() {
                Ok(snapshot) => snapshot,
                Err(error) => return ready(Err(error)).boxed(),
            };
            let live: Vec<Revision> = view
                .index
                .range("", None, view.revision)
                .map(|(_, at)| at)
                .collect();
            (snapshot, view.revision, live)
        };
        read_aside(move || {
            live.sort_unstable();
            backup::write(&snapshot, revision, &live, out)
        })
    }

    fn join(&self) {
        if let Some(writer) = self.writer.lock().take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer has panicked");
        }
    }

    /// Hands a request to the writer and waits for its answer.
    fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T>>) -> Request,
    ) -> BoxFuture<'static, Result<T>> {
        let (reply, answer) = oneshot::channel();
        if self.requests.send(request(reply)).is_err() {
            return ready(Err(unavailable())).boxed();
        }
        async move { answer.await.unwrap_or_else(|_| Err(unavailable())) }.boxed()
    }

    fn write(
        &self,
        key: &str,
        value: Bytes,
        expected: Expected,
        life: Life,
    ) -> BoxFuture<'static, Result<Entry>> {
        let (size, limit) = (value.len(), self.shared.options.value_limit);
        if size > limit {
            return ready(Err(StoreError::TooLarge { size, limit })).boxed();
        }
        let put = Put {
            key: self.shared_key(key),
            value,
            expected,
            life,
        };
        self.ask(move |reply| Request::Put(put, reply))
    }

    /// `key` in the allocation that the index has, if it has one.
    fn shared_key(&self, key: &str) -> Arc<str> {
        let view = self.shared.view.read();
        view.index
            .shared_key(key)
            .map_or_else(|| Arc::from(key), Arc::clone)
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        let (reply, _) = oneshot::channel();
        // Fails if the store was closed before.
        let _ = self.requests.send(Request::Close(reply));
        self.join();
    }
}

impl Store for EmbeddedStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<(Option<Entry>, Revision)>> {
        let read = || {
            let view = self.shared.view.read();
            let revision = view.readable(at)?;
            let snapshot = view.snapshot()?;
            let Some((key, version)) = view.index.live_at(key, revision) else {
                return Ok((None, revision));
            };
            let key = Arc::clone(key);
            drop(view);
            Ok((Some(snapshot.entry(&key, version)?), revision))
        };
        ready(read()).boxed()
    }

    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<Range>> {
        let find = || {
            let view = self.shared.view.read();
            let revision = view.readable(at)?;
            let snapshot = view.snapshot()?;
            let mut live = view.index.range(prefix, start, revision);
            let taken = if limit == 0 { usize::MAX } else { limit };
            let wanted: Vec<(Arc<str>, Revision)> = live
                .by_ref()
                .take(taken)
                .map(|(key, at)| (Arc::clone(key), at))
                .collect();
            let remaining = live.count() as u64;
            Ok((snapshot, wanted, revision, remaining))
        };
        let (snapshot, wanted, revision, remaining) = match find() {
            Ok(found) => found,
            Err(error) => return ready(Err(error)).boxed(),
        };
        let few = wanted.len() <= READ_ASIDE;
        let read = move || {
            snapshot.entries(&wanted).map(|entries| Range {
                entries,
                revision,
                remaining,
            })
        };
        if few {
            return ready(read()).boxed();
        }
        read_aside(read)
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Scan<'a>>> {
        let find = || {
            let view = self.shared.view.read();
            let live = view.index.range(prefix, None, view.revision);
            let live = live.map(|(key, at)| (Arc::clone(key), at));
            Ok((view.snapshot()?, live.collect(), view.revision))
        };
        let scan = find().and_then(|(snapshot, live, revision)| {
            let entries = read_in_pieces(snapshot, live)?.boxed();
            Ok(Scan { revision, entries })
        });
        ready(scan).boxed()
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<Entry>> {
        self.write(key, value, expected, ttl.map_or(Life::Permanent, Life::For))
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, Result<Entry>> {
        self.write(key, value, Expected::At(expected), Life::AsBefore)
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<(Revision, Entry)>> {
        let key = self.shared_key(key);
        self.ask(move |reply| Request::Delete(key, expected, reply))
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Events>>>> {
        let stream = WatchStream::start(Arc::clone(&self.shared), prefix, after);
        ready(stream.map(StreamExt::boxed)).boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        ready(Ok(self.shared.view.read().revision)).boxed()
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<()>> {
        self.ask(move |reply| Request::Compact(revision, reply))
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        ready(
            crate::medium::allocated(&self.shared.file)
                .map_err(|error| StoreError::Unavailable(error.to_string())),
        )
        .boxed()
    }
}

/// Reads entries in the order in which they lie on the medium, on a thread of its own that is a few
/// pieces ahead of who takes them.
fn read_in_pieces(
    snapshot: Snapshot,
    mut wanted: Vec<(Arc<str>, Revision)>,
) -> Result<impl futures::Stream<Item = Result<Vec<Entry>>> + Send> {
    let (mut pieces, taken) = mpsc::channel(PIECES_AHEAD);
    let read = move || {
        wanted.sort_unstable_by_key(|(_, revision)| *revision);
        for piece in wanted.chunks(PIECE) {
            let entries = snapshot.entries(piece);
            let failed = entries.is_err();
            // Nobody wants the rest any more if this fails.
            if block_on(pieces.send(entries)).is_err() || failed {
                return;
            }
        }
    };
    let reader = std::thread::Builder::new().name("store-reader".to_owned());
    match reader.spawn(read) {
        Ok(_) => Ok(taken),
        Err(error) => Err(StoreError::Unavailable(error.to_string())),
    }
}

/// Runs a long read on a thread of its own, so that it does not hold up the caller's executor.
fn read_aside<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> BoxFuture<'static, Result<T>> {
    let (reply, answer) = oneshot::channel();
    let reader = std::thread::Builder::new()
        .name("store-reader".to_owned())
        .spawn(move || {
            // Nobody waits any more if this fails.
            let _ = reply.send(read());
        });
    match reader {
        Ok(_) => async move { answer.await.unwrap_or_else(|_| Err(unavailable())) }.boxed(),
        Err(error) => ready(Err(StoreError::Unavailable(error.to_string()))).boxed(),
    }
}
