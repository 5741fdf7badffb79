//! What a handler answers, before it is known how the client wants it written.

use crate::cache::{CacheEvent, Filter};
use crate::cache::{CachedObject, EventKind};
use crate::served::Served;
use bytes::Bytes;
use futures::stream::BoxStream;
use model::Value;
use model::status::Status;
use std::sync::Arc;

/// An answer.
pub enum Reply {
    /// One object of a stored resource.
    Object {
        /// The HTTP status code.
        code: u16,
        /// The resource and version.
        served: Served,
        /// The object.
        object: Object,
    },
    /// A list.
    List(List),
    /// A watch.
    Watch(Watch),
    /// An object that is sent as it is: a review's answer, a `Status`, a Scale.
    Value {
        /// The HTTP status code.
        code: u16,
        /// The object.
        value: Value,
    },
    /// A document that is no API object.
    Document {
        /// The HTTP status code.
        code: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        body: Bytes,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
    },
}

/// One object of an answer.
pub enum Object {
    /// As the cache has it.
    Cached(Arc<CachedObject>),
    /// In the request's version.
    Value(Value),
}

/// A list of objects.
pub struct List {
    /// The resource and version.
    pub served: Served,
    /// The objects.
    pub objects: Vec<Arc<CachedObject>>,
    /// The list's resource version.
    pub revision: u64,
    /// Where the next page starts; empty on the last one.
    pub next: String,
    /// How many follow, if that is known.
    pub remaining: Option<usize>,
    /// Of each object in a table: nothing, its metadata, or all of it (`includeObject`).
    pub include: Include,
}

/// What a table's rows carry of their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Include {
    /// Nothing.
    None,
    /// The metadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// A watch.
pub struct Watch {
    /// The resource and version.
    pub served: Served,
    /// What happens, in batches; the watch ends with the stream.
    pub notices: BoxStream<'static, Vec<Notice>>,
    /// As of a list.
    pub include: Include,
}

/// Something a watcher is told.
#[derive(Debug, Clone)]
pub enum Notice {
    /// An object was there when the watch began.
    Initial(Arc<CachedObject>),
    /// An object changed.
    Event(EventKind, Arc<CacheEvent>),
    /// Nothing else happened up to this revision.
    Bookmark {
        /// The revision.
        revision: u64,
        /// Whether this ends the objects that were there when the watch began.
        initial_end: bool,
    },
    /// The watch cannot go on.
    Failed(Status),
}

impl Notice {
    /// The notice of a change, if the filter lets the watcher see it.
    pub fn of(event: &Arc<CacheEvent>, filter: &Filter) -> Option<Self> {
        let kind = event.seen_by(filter)?;
        Some(Self::Event(kind, event.clone()))
    }
}
