//! The objects of one resource in key order, and its most recent changes.

use super::event::CacheEvent;
use super::object::{CachedObject, Filter};
use model::resource::Resource;
use parking_lot::RwLock;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use tokio::sync::watch;

/// How many changes are kept for watchers that lag or start from a known revision.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// Changes per resource.
    pub events: usize,
    /// Bytes of the objects in them, per resource.
    pub bytes: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self {
            events: 4096,
            bytes: 8 << 20,
        }
    }
}

/// The cache of one resource.
#[derive(Debug)]
pub struct ResourceCache {
    /// The resource that owns the objects (the first of those that share them).
    pub resource: Arc<Resource>,
    /// The prefix of its keys.
    pub prefix: String,
    state: RwLock<State>,
    /// The revision of the newest change; watchers wait for it to move.
    newest: watch::Sender<u64>,
    limits: HistoryLimits,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<Arc<str>, Arc<CachedObject>>,
    bytes: usize,
    /// Every change after `floor`, in order.
    events: VecDeque<Arc<CacheEvent>>,
    events_bytes: usize,
    floor: u64,
    last: u64,
    /// Raised when the history was broken; watchers of an older one end.
    epoch: u64,
}

/// A part of a list.
#[derive(Debug, Default)]
pub struct Page {
    /// The objects, in key order.
    pub objects: Vec<Arc<CachedObject>>,
    /// The revision of the resource's newest change when the page was taken.
    pub last: u64,
    /// Whether objects beyond the limit match.
    pub more: bool,
    /// How many keys follow the last object's, whether or not they match; counted only if there
    /// are more.
    pub remaining: usize,
}

/// What a watcher finds when it looks for changes.
#[derive(Debug)]
pub enum Since {
    /// The changes after the revision asked for, and the revision of the newest of them all.
    Events(Vec<Arc<CacheEvent>>, u64),
    /// Changes after that revision are no longer kept.
    Gone,
}

impl ResourceCache {
    pub(super) fn new(resource: Arc<Resource>, prefix: String, limits: HistoryLimits) -> Self {
        Self {
            resource,
            prefix,
            state: RwLock::default(),
            newest: watch::Sender::new(0),
            limits,
        }
    }

    /// The object at `key`.
    pub fn get(&self, key: &str) -> Option<Arc<CachedObject>> {
        self.state.read().objects.get(key).cloned()
    }

    /// How many objects there are, and their bytes.
    pub fn size(&self) -> (usize, usize) {
        let state = self.state.read();
        (state.objects.len(), state.bytes)
    }

    /// The revision of the resource's newest change.
    pub fn last(&self) -> u64 {
        self.state.read().last
    }

    /// The objects that match, from the first key not below `start`, at most `limit` (0: all).
    pub fn page(&self, filter: &Filter, start: Option<&str>, limit: usize) -> Page {
        let state = self.state.read();
        let mut page = Page {
            last: state.last,
            ..Page::default()
        };
        if filter.exact {
            let found = state.objects.get(filter.prefix.as_str());
            page.objects
                .extend(found.filter(|o| filter.matches(o)).cloned());
            return page;
        }
        let from = start.unwrap_or(&filter.prefix);
        let range = (Bound::Included(from), Bound::Unbounded);
        let mut entries = state
            .objects
            .range::<str, _>(range)
            .take_while(|(key, _)| key.starts_with(&filter.prefix))
            .map(|(_, object)| object);
        let all = filter.selects_all();
        for object in entries.by_ref() {
            if !all && !filter.matches(object) {
                continue;
            }
            if limit > 0 && page.objects.len() == limit {
                page.more = true;
                break;
            }
            page.objects.push(object.clone());
        }
        if page.more {
            page.remaining = entries.count() + 1;
        }
        page
    }

    /// Waits for changes: the receiver's value is the revision of the newest one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// How many are watching.
    pub fn watchers(&self) -> usize {
        self.newest.receiver_count()
    }

    /// The present history; see [`ResourceCache::since`].
    pub fn epoch(&self) -> u64 {
        self.state.read().epoch
    }

    /// The oldest revision from which [`ResourceCache::since`] can go on.
    pub fn floor(&self) -> u64 {
        self.state.read().floor
    }

    /// At most `limit` changes after `revision`, if the history still is that of `epoch`.
    pub fn since(&self, revision: u64, epoch: u64, limit: usize) -> Since {
        let state = self.state.read();
        if state.epoch != epoch || revision < state.floor {
            return Since::Gone;
        }
        let from = state.events.partition_point(|e| e.revision <= revision);
        let events: Vec<_> = state.events.range(from..).take(limit).cloned().collect();
        let last = events.last().map_or(state.last, |e| e.revision);
        Since::Events(events, last.max(revision))
    }

    /// Takes objects as they were at `revision`, before any change is applied.
    pub(super) fn load(&self, objects: Vec<Arc<CachedObject>>) {
        let mut state = self.state.write();
        for object in objects {
            state.last = state.last.max(object.revision);
            state.bytes += object.weight();
            state.objects.insert(object.key.clone(), object);
        }
    }

    /// Declares everything up to `revision` as loaded; changes are kept from here on.
    pub(super) fn loaded(&self, revision: u64) {
        let mut state = self.state.write();
        state.floor = revision;
        state.events.clear();
        state.events_bytes = 0;
    }

    /// Forgets everything, because changes were missed; all watches end.
    pub(super) fn reset(&self) {
        let mut state = self.state.write();
        let epoch = state.epoch + 1;
        *state = State {
            epoch,
            ..State::default()
        };
        drop(state);
        self.newest.send_modify(|_| {});
    }

    /// Applies a put; returns the event.
    pub(super) fn put(&self, object: Arc<CachedObject>) -> Arc<CacheEvent> {
        let mut state = self.state.write();
        state.bytes += object.weight();
        let previous = state.objects.insert(object.key.clone(), object.clone());
        if let Some(previous) = &previous {
            state.bytes = state.bytes.saturating_sub(previous.weight());
        }
        let event = Arc::new(CacheEvent::new(object, previous, false));
        state.push(event.clone(), self.limits);
        event
    }

    /// Applies a deletion; returns the event, or nothing if there was no such object.
    pub(super) fn delete(&self, key: &str, revision: u64) -> Option<Arc<CacheEvent>> {
        let mut state = self.state.write();
        let previous = state.objects.remove(key)?;
        state.bytes = state.bytes.saturating_sub(previous.weight());
        let last = Arc::new(previous.deleted_at(revision));
        let event = Arc::new(CacheEvent::new(last, Some(previous), true));
        state.push(event.clone(), self.limits);
        Some(event)
    }

    /// Wakes the watchers, after all changes of a batch were applied.
    pub(super) fn announce(&self) {
        let last = self.last();
        self.newest.send_if_modified(|newest| {
            let moved = *newest != last;
            *newest = last;
            moved
        });
    }
}

impl State {
    fn push(&mut self, event: Arc<CacheEvent>, limits: HistoryLimits) {
        self.last = event.revision;
        self.events_bytes += event.weight();
        self.events.push_back(event);
        while self.events.len() > limits.events
            || (self.events_bytes > limits.bytes && self.events.len() > 1)
        {
            let Some(oldest) = self.events.pop_front() else {
                break;
            };
            self.events_bytes = self.events_bytes.saturating_sub(oldest.weight());
            self.floor = oldest.revision;
        }
    }
}
