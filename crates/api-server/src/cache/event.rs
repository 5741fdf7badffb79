//! A change as the cache keeps it for watchers: serialised at most once per kind of event, and
//! the same bytes are sent to everybody.

use super::object::{CachedObject, Filter};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};

/// What a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// The object is new to the watcher.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone, or no longer selected.
    Deleted,
}

impl EventKind {
    /// The `type` of the watch event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// A change to one object.
#[derive(Debug)]
pub struct CacheEvent {
    /// The revision of the change.
    pub revision: u64,
    /// The object after the change; of a deletion its last state, at the deletion's revision.
    pub object: Arc<CachedObject>,
    /// The object before the change.
    pub previous: Option<Arc<CachedObject>>,
    /// Whether it was a deletion.
    pub deleted: bool,
    /// The object before the change at the change's revision: what a watcher gets whose
    /// selection the object left.
    left: OnceLock<Arc<CachedObject>>,
    lines: [OnceLock<Bytes>; 3],
}

impl CacheEvent {
    /// A change.
    pub fn new(
        object: Arc<CachedObject>,
        previous: Option<Arc<CachedObject>>,
        deleted: bool,
    ) -> Self {
        Self {
            revision: object.revision,
            object,
            previous,
            deleted,
            left: OnceLock::new(),
            lines: Default::default(),
        }
    }

    /// What the change is to a watcher with that filter, if it is anything.
    pub fn seen_by(&self, filter: &Filter) -> Option<EventKind> {
        if !filter.covers(&self.object.key) {
            return None;
        }
        if filter.selects_all() {
            return Some(match (self.deleted, &self.previous) {
                (true, _) => EventKind::Deleted,
                (false, None) => EventKind::Added,
                (false, Some(_)) => EventKind::Modified,
            });
        }
        let before = self.previous.as_ref().is_some_and(|p| filter.matches(p));
        let after = !self.deleted && filter.matches(&self.object);
        match (before, after) {
            (false, true) => Some(EventKind::Added),
            (true, true) => Some(EventKind::Modified),
            (true, false) => Some(EventKind::Deleted),
            (false, false) => None,
        }
    }

    /// The object to send with an event of that kind.
    pub fn object_for(&self, kind: EventKind) -> &Arc<CachedObject> {
        match (&self.previous, kind) {
            (Some(previous), EventKind::Deleted) if !self.deleted => self
                .left
                .get_or_init(|| Arc::new(previous.deleted_at(self.revision))),
            _ => &self.object,
        }
    }

    /// The event as a line of a JSON watch.
    pub fn line(&self, kind: EventKind) -> Bytes {
        let slot = match kind {
            EventKind::Added => &self.lines[0],
            EventKind::Modified => &self.lines[1],
            EventKind::Deleted => &self.lines[2],
        };
        slot.get_or_init(|| line(kind.name(), self.object_for(kind).bytes()))
            .clone()
    }

    /// The bytes that the event adds to what the cache holds anyway.
    pub fn weight(&self) -> usize {
        self.object.weight()
    }
}

/// A watch event of the named type with an encoded object, and the line's end.
pub fn line(kind: &str, object: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(object.len() + 40);
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
    out.extend_from_slice(object);
    out.extend_from_slice(b"}\n");
    out.into()
}
