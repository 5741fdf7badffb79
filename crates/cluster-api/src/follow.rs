//! Following a resource: list, watch, and list again when the watch cannot go on, as an explicit
//! state machine behind a stream. What client-go calls a reflector.

use crate::{Change, Cluster, ResourceRef, Selection};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt, unfold};
use model::status::Status;
use std::sync::Arc;

/// What happened to the followed objects.
#[derive(Debug, Clone)]
pub enum Update {
    /// These are all the selected objects; whatever else was known is gone. Always the first
    /// update, and again whenever the watch had to start over.
    Reset(Vec<Bytes>),
    /// The object was created or changed.
    Applied(Bytes),
    /// The object is gone (or no longer selected); its last state.
    Deleted(Bytes),
    /// The cluster could not be asked; the follower waits and tries again.
    Trouble(Status),
}

/// Waits before the next try; the argument counts the failures in a row. The caller supplies the
/// clock, as this crate has none.
pub type Pause = Arc<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>;

enum State {
    List,
    Watch(String),
    Stream(BoxStream<'static, crate::Result<Change>>, String),
}

struct Follower {
    cluster: Arc<dyn Cluster>,
    resource: ResourceRef,
    namespace: Option<String>,
    selection: Selection,
    pause: Pause,
    state: State,
    failures: u32,
}

/// Follows the selected objects for ever. The stream ends only when it is dropped.
pub fn follow(
    cluster: Arc<dyn Cluster>,
    resource: ResourceRef,
    namespace: Option<String>,
    selection: Selection,
    pause: Pause,
) -> impl Stream<Item = Update> + Send + 'static {
    let follower = Follower {
        cluster,
        resource,
        namespace,
        selection,
        pause,
        state: State::List,
        failures: 0,
    };
    unfold(follower, |mut follower| async move {
        let update = follower.next().await;
        Some((update, follower))
    })
}

impl Follower {
    async fn next(&mut self) -> Update {
        loop {
            match std::mem::replace(&mut self.state, State::List) {
                State::List => {
                    if self.failures > 0 {
                        (self.pause)(self.failures).await;
                    }
                    let list = self.cluster.list(
                        &self.resource,
                        self.namespace.as_deref(),
                        &self.selection,
                    );
                    match list.await {
                        Ok(list) => {
                            self.failures = 0;
                            self.state = State::Watch(list.resource_version);
                            return Update::Reset(list.items);
                        }
                        Err(status) => return self.fail(State::List, status),
                    }
                }
                State::Watch(version) => {
                    if self.failures > 0 {
                        (self.pause)(self.failures).await;
                    }
                    let watch = self.cluster.watch(
                        &self.resource,
                        self.namespace.as_deref(),
                        &self.selection,
                        &version,
                    );
                    match watch.await {
                        Ok(stream) => self.state = State::Stream(stream, version),
                        Err(status) if status.code == 410 => self.state = State::List,
                        Err(status) => return self.fail(State::Watch(version), status),
                    }
                }
                State::Stream(mut stream, version) => match stream.next().await {
                    // Servers end watches now and then: go on from where this one stopped.
                    None => {
                        self.failures += 1;
                        self.state = State::Watch(version);
                    }
                    Some(Err(_)) => self.state = State::List,
                    Some(Ok(change)) => {
                        self.failures = 0;
                        if let Some(update) = self.advance(stream, version, change) {
                            return update;
                        }
                    }
                },
            }
        }
    }

    fn fail(&mut self, next: State, status: Status) -> Update {
        self.failures = self.failures.saturating_add(1);
        self.state = next;
        Update::Trouble(status)
    }

    fn advance(
        &mut self,
        stream: BoxStream<'static, crate::Result<Change>>,
        version: String,
        change: Change,
    ) -> Option<Update> {
        let version_of = |object: &Bytes| {
            crate::Head::parse(object)
                .map(|h| h.metadata.resource_version)
                .unwrap_or(version)
        };
        let (version, update) = match change {
            Change::Bookmark(version) => (version, None),
            Change::Added(object) | Change::Modified(object) => {
                (version_of(&object), Some(Update::Applied(object)))
            }
            Change::Deleted(object) => (version_of(&object), Some(Update::Deleted(object))),
        };
        self.state = State::Stream(stream, version);
        update
    }
}
