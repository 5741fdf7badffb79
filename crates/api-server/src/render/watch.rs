//! A watch as it is sent: a line of JSON per event, shared between watchers wherever it can be.

use super::table;
use crate::cache::{CachedObject, line};
use crate::negotiation::{Representation, View};
use crate::reply::{Include, Notice, Watch};
use crate::served::Served;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use model::Value;
use serde_json::json;
use std::task::{Context, Poll};

/// The body of a watch.
pub struct WatchBody {
    notices: BoxStream<'static, Vec<Notice>>,
    ready: std::vec::IntoIter<Notice>,
    served: Served,
    representation: Representation,
    include: Include,
    columns_sent: bool,
    /// Ends with the watch.
    record: Option<audit::Entry>,
}

impl WatchBody {
    /// A watch in that representation.
    pub fn new(watch: Watch, representation: Representation) -> Self {
        Self {
            notices: watch.notices,
            ready: Vec::new().into_iter(),
            served: watch.served,
            representation,
            include: watch.include,
            columns_sent: false,
            record: None,
        }
    }

    /// Keeps the audit record until the watch ends.
    pub fn keep(&mut self, record: audit::Entry) {
        self.record = Some(record);
    }

    /// The next line, once there is one; `None` at the watch's end.
    pub fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(notice) = self.ready.next() {
                return Poll::Ready(Some(self.line(notice)));
            }
            match self.notices.poll_next_unpin(cx) {
                Poll::Ready(Some(batch)) => self.ready = batch.into_iter(),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn line(&mut self, notice: Notice) -> Bytes {
        let plain = self.served.native && self.representation.view == View::Whole;
        match notice {
            Notice::Event(kind, event) if plain => event.line(kind),
            Notice::Initial(object) if plain => line("ADDED", object.bytes()),
            Notice::Event(kind, event) => self.viewed(kind.name(), event.object_for(kind)),
            Notice::Initial(object) => self.viewed("ADDED", &object),
            Notice::Bookmark {
                revision,
                initial_end,
            } => self.bookmark(revision, initial_end),
            Notice::Failed(status) => line("ERROR", status.to_value().to_string().as_bytes()),
        }
    }

    fn viewed(&mut self, kind: &str, object: &CachedObject) -> Bytes {
        let value = match self.served.read(object) {
            Ok(value) => value,
            Err(status) => {
                return line("ERROR", status.to_value().to_string().as_bytes());
            }
        };
        let shown = match self.representation.view {
            View::Table => {
                let first = !std::mem::replace(&mut self.columns_sent, true);
                let version = self.representation.view_version;
                let revision = model::meta::resource_version(&value).to_owned();
                table::table(
                    &self.served.resource,
                    &[value],
                    json!({ "resourceVersion": revision }),
                    self.include,
                    version,
                    first,
                )
            }
            View::Metadata => table::partial(value, self.representation.view_version),
            View::Whole | View::AggregatedDiscovery => value,
        };
        line(kind, shown.to_string().as_bytes())
    }

    fn bookmark(&self, revision: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({
            "creationTimestamp": Value::Null,
            "resourceVersion": revision.to_string(),
        });
        if initial_end && let Some(map) = metadata.as_object_mut() {
            map.insert(
                "annotations".to_owned(),
                json!({"k8s.io/initial-events-end": "true"}),
            );
        }
        let version = self.representation.view_version;
        let object = match self.representation.view {
            View::Table => table::table(
                &self.served.resource,
                &[],
                metadata,
                self.include,
                version,
                false,
            ),
            View::Metadata => table::partial(json!({ "metadata": metadata }), version),
            View::Whole | View::AggregatedDiscovery => json!({
                "apiVersion": self.served.api_version(),
                "kind": self.served.resource.kind,
                "metadata": metadata,
            }),
        };
        line("BOOKMARK", object.to_string().as_bytes())
    }
}
