//! The store port in memory: every version of every key in a map, every change in a list, one
//! lock. The oracle of the contract suite, and the store of tests that need none on disk.

use bytes::Bytes;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::{BoxFuture, ready};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_api::{
    Entry, Event, Events, Expected, Range, Result, Revision, Scan, Store, StoreError,
};

/// A [`Store`] that keeps everything in memory. Like etcd it starts at revision 1, so that its
/// first write has revision 2.
///
/// Expired entries are deleted by a thread that is started with the first write that has a time to
/// live and ends with the store. Watches are not bounded: a consumer that does not read makes the
/// store hold its events. Each watcher receives one batch per write, an empty one (progress) if
/// the write is not below its prefix.
#[derive(Debug)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    value_limit: usize,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signalled when a deadline is added or the store is dropped.
    deadlines_changed: Condvar,
}

#[derive(Debug)]
struct State {
    revision: Revision,
    /// The revision of the last compaction, 0 if there was none.
    compacted: Revision,
    /// Versions of each key in revision order; `None` marks a deletion.
    versions: BTreeMap<Arc<str>, Vec<(Revision, Option<Entry>)>>,
    /// Changes at or after `compacted`.
    log: Vec<Event>,
    deadlines: BTreeMap<Arc<str>, Instant>,
    watchers: Vec<Watcher>,
    sweeping: bool,
    closed: bool,
}

#[derive(Debug)]
struct Watcher {
    prefix: String,
    after: Revision,
    sender: UnboundedSender<Result<Events>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store that takes values of up to 1.5 MiB, as etcd does.
    pub fn new() -> Self {
        Self::with_value_limit(1_572_864)
    }

    /// An empty store that takes values of up to `value_limit` bytes.
    pub fn with_value_limit(value_limit: usize) -> Self {
        let state = State {
            revision: 1,
            compacted: 0,
            versions: BTreeMap::new(),
            log: Vec::new(),
            deadlines: BTreeMap::new(),
            watchers: Vec::new(),
            sweeping: false,
            closed: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            deadlines_changed: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
            value_limit,
        }
    }

    fn start_sweeper(&self, state: &mut State) -> Result<()> {
        if !state.sweeping {
            let shared = Arc::clone(&self.shared);
            std::thread::Builder::new()
                .name("memory-store-ttl".to_owned())
                .spawn(move || shared.sweep())
                .map_err(|error| StoreError::Unavailable(error.to_string()))?;
            state.sweeping = true;
        }
        self.shared.deadlines_changed.notify_one();
        Ok(())
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        for watcher in state.watchers.drain(..) {
            let closed = StoreError::Unavailable("the store was closed".to_owned());
            // A watcher that is gone needs no word of it.
            let _ = watcher.sender.unbounded_send(Err(closed));
        }
        self.shared.deadlines_changed.notify_one();
    }
}

impl Shared {
    fn sweep(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let now = Instant::now();
            let due: Vec<Arc<str>> = state
                .deadlines
                .iter()
                .filter(|(_, deadline)| **deadline <= now)
                .map(|(key, _)| Arc::clone(key))
                .collect();
            for key in due {
                state.deadlines.remove(&key);
                if state.current(&key).is_some() {
                    state.change(&key, None);
                }
            }
            match state.deadlines.values().min().copied() {
                Some(next) => {
                    self.deadlines_changed.wait_until(&mut state, next);
                }
                None => self.deadlines_changed.wait(&mut state),
            }
        }
    }
}

impl State {
    fn current(&self, key: &str) -> Option<Entry> {
        self.as_of(key, self.revision)
    }

    fn as_of(&self, key: &str, revision: Revision) -> Option<Entry> {
        let versions = self.versions.get(key)?;
        let (_, entry) = versions.iter().rev().find(|(at, _)| *at <= revision)?;
        entry.clone()
    }

    /// The revision to read at.
    fn readable(&self, at: Option<Revision>) -> Result<Revision> {
        let newest = self.revision;
        match at {
            None => Ok(newest),
            Some(requested) if requested > newest => Err(StoreError::Future { requested, newest }),
            Some(requested) if requested < self.compacted => Err(StoreError::Compacted {
                requested,
                oldest: self.compacted,
            }),
            Some(requested) => Ok(requested),
        }
    }

    fn check(&self, key: &str, expected: Expected) -> Result<Option<Entry>> {
        let current = self.current(key);
        let holds = match expected {
            Expected::Any => true,
            Expected::Absent => current.is_none(),
            Expected::At(revision) => current
                .as_ref()
                .is_some_and(|entry| entry.mod_revision == revision),
        };
        if holds {
            Ok(current)
        } else {
            Err(StoreError::Conflict { current })
        }
    }

    /// Puts (or with `None` deletes) `key` at the next revision and tells the watchers.
    fn change(&mut self, key: &Arc<str>, value: Option<Bytes>) -> Option<Entry> {
        let previous = self.current(key);
        self.revision += 1;
        let revision = self.revision;
        let entry = value.map(|value| Entry {
            key: Arc::clone(key),
            value,
            create_revision: previous
                .as_ref()
                .map_or(revision, |entry| entry.create_revision),
            mod_revision: revision,
        });
        self.versions
            .entry(Arc::clone(key))
            .or_default()
            .push((revision, entry.clone()));
        let event = match entry.clone() {
            Some(entry) => Event::Put { entry, previous },
            None => Event::Delete {
                previous,
                key: Arc::clone(key),
                revision,
            },
        };
        self.watchers.retain(|watcher| {
            let wanted = key.starts_with(&watcher.prefix) && revision > watcher.after;
            let events = if wanted {
                vec![event.clone()]
            } else {
                Vec::new()
            };
            watcher
                .sender
                .unbounded_send(Ok(Events { events, revision }))
                .is_ok()
        });
        self.log.push(event);
        entry
    }

    fn compact(&mut self, revision: Revision) {
        self.compacted = revision;
        self.log.retain(|event| event.revision() >= revision);
        for event in &mut self.log {
            if event.revision() == revision {
                match event {
                    Event::Put { previous, .. } | Event::Delete { previous, .. } => {
                        *previous = None;
                    }
                }
            }
        }
        self.versions.retain(|_, versions| {
            let kept = versions
                .iter()
                .rposition(|(at, _)| *at <= revision)
                .unwrap_or(0);
            versions.drain(..kept);
            let only_a_deletion = matches!(versions.as_slice(), [(at, None)] if *at <= revision);
            !only_a_deletion
        });
    }
}

impl Store for MemoryStore {
    fn get<'a>(
        &'a self,
        key: &'a str,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<(Option<Entry>, Revision)>> {
        let state = self.shared.state.lock();
        let read = state
            .readable(at)
            .map(|revision| (state.as_of(key, revision), revision));
        ready(read).boxed()
    }

    fn range<'a>(
        &'a self,
        prefix: &'a str,
        start: Option<&'a str>,
        limit: usize,
        at: Option<Revision>,
    ) -> BoxFuture<'a, Result<Range>> {
        let state = self.shared.state.lock();
        let read = state.readable(at).map(|revision| {
            let mut matching = state
                .versions
                .keys()
                .filter(|key| key.starts_with(prefix))
                .filter(|key| start.is_none_or(|start| &***key >= start))
                .filter_map(|key| state.as_of(key, revision));
            let taken = if limit == 0 { usize::MAX } else { limit };
            let entries: Vec<Entry> = matching.by_ref().take(taken).collect();
            let remaining = matching.count() as u64;
            Range {
                entries,
                revision,
                remaining,
            }
        });
        ready(read).boxed()
    }

    fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Scan<'a>>> {
        storage_api::scan_by_ranges(self, prefix)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Expected,
        ttl: Option<Duration>,
    ) -> BoxFuture<'a, Result<Entry>> {
        async move {
            if value.len() > self.value_limit {
                return Err(StoreError::TooLarge {
                    size: value.len(),
                    limit: self.value_limit,
                });
            }
            let mut state = self.shared.state.lock();
            state.check(key, expected)?;
            let key: Arc<str> = Arc::from(key);
            let deadline = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
            match deadline {
                Some(deadline) => {
                    state.deadlines.insert(Arc::clone(&key), deadline);
                    self.start_sweeper(&mut state)?;
                }
                None => {
                    state.deadlines.remove(&key);
                }
            }
            let written = state.change(&key, Some(value));
            written.ok_or_else(|| StoreError::Unavailable("a put made no entry".to_owned()))
        }
        .boxed()
    }

    fn replace<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        expected: Revision,
    ) -> BoxFuture<'a, Result<Entry>> {
        async move {
            if value.len() > self.value_limit {
                return Err(StoreError::TooLarge {
                    size: value.len(),
                    limit: self.value_limit,
                });
            }
            let mut state = self.shared.state.lock();
            state.check(key, Expected::At(expected))?;
            let written = state.change(&Arc::from(key), Some(value));
            written.ok_or_else(|| StoreError::Unavailable("a put made no entry".to_owned()))
        }
        .boxed()
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<(Revision, Entry)>> {
        async move {
            let mut state = self.shared.state.lock();
            let Some(current) = state.check(key, expected)? else {
                return Err(StoreError::Conflict { current: None });
            };
            state.deadlines.remove(key);
            state.change(&Arc::clone(&current.key), None);
            Ok((state.revision, current))
        }
        .boxed()
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a str,
        after: Revision,
    ) -> BoxFuture<'a, Result<BoxStream<'static, Result<Events>>>> {
        async move {
            let mut state = self.shared.state.lock();
            if after.saturating_add(1) < state.compacted {
                return Err(StoreError::Compacted {
                    requested: after,
                    oldest: state.compacted,
                });
            }
            let events = state
                .log
                .iter()
                .filter(|event| event.revision() > after && event.key().starts_with(prefix))
                .cloned()
                .collect();
            let (sender, receiver) = unbounded();
            // The receiver is still here, so this cannot fail.
            let _ = sender.unbounded_send(Ok(Events {
                events,
                revision: state.revision,
            }));
            state.watchers.push(Watcher {
                prefix: prefix.to_owned(),
                after,
                sender,
            });
            Ok(receiver.boxed())
        }
        .boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<Revision>> {
        ready(Ok(self.shared.state.lock().revision)).boxed()
    }

    fn compact(&self, revision: Revision) -> BoxFuture<'_, Result<()>> {
        async move {
            let mut state = self.shared.state.lock();
            if revision > state.revision {
                return Err(StoreError::Future {
                    requested: revision,
                    newest: state.revision,
                });
            }
            if revision > state.compacted {
                state.compact(revision);
            }
            Ok(())
        }
        .boxed()
    }

    fn size(&self) -> BoxFuture<'_, Result<u64>> {
        let state = self.shared.state.lock();
        let versions = state
            .versions
            .values()
            .flatten()
            .filter_map(|(_, entry)| entry.as_ref());
        ready(Ok(versions
            .map(|entry| (entry.key.len() + entry.value.len()) as u64)
            .sum()))
        .boxed()
    }
}
