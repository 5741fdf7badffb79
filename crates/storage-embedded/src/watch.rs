//! Watches: the hub hands each commit's changes to the watchers' bounded queues; a watcher that
//! starts in the past or falls behind its queue is served from the log until it has caught up.

use crate::shared::Shared;
use futures::Stream;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use storage_api::{Event, Events, Result, Revision, StoreError};

/// Changes that one batch of a stream holds at most; it bounds both what a consumer takes at once
/// and how long catching up reads from the log without a pause.
const BATCH: usize = 256;

/// Where commits are announced.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<HubState>,
}

#[derive(Debug, Default)]
pub(crate) struct HubState {
    /// Everything up to here was handed to every queue.
    pub(crate) published: Revision,
    queues: Vec<Arc<Queue>>,
    closed: bool,
}

#[derive(Debug)]
struct Queue {
    prefix: String,
    capacity: usize,
    state: Mutex<QueueState>,
}

#[derive(Debug, Default)]
struct QueueState {
    batches: VecDeque<Arc<Published>>,
    /// Events of `batches` that are below the prefix.
    pending: usize,
    /// The queue overflowed: nothing is added until the stream has asked for the log again.
    lagging: bool,
    /// Everything up to here is in `batches` or was not for this watcher.
    progress: Revision,
    gone: bool,
    closed: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Published {
    events: Vec<Event>,
    revision: Revision,
}

impl Hub {
    /// Holds off registrations and announcements.
    pub(crate) fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock()
    }

    /// Wakes every watcher, so that those for whom there was nothing tell their progress.
    pub(crate) fn wake_all(&self) {
        for queue in &self.state.lock().queues {
            queue.state.lock().wake();
        }
    }

    /// Ends all streams, now and in future.
    pub(crate) fn close(&self) {
        let mut hub = self.state.lock();
        hub.closed = true;
        for queue in hub.queues.drain(..) {
            let mut state = queue.state.lock();
            state.closed = true;
            state.wake();
        }
    }
}

impl HubState {
    /// Whether anybody watches.
    pub(crate) fn is_watched(&self) -> bool {
        !self.queues.is_empty()
    }

    /// Hands `events`, all of one commit, to the watchers. Whether some of them were not woken
    /// because nothing was for them.
    pub(crate) fn publish(&mut self, events: Vec<Event>, revision: Revision) -> bool {
        self.published = revision;
        if self.queues.is_empty() {
            return false;
        }
        let published = Arc::new(Published { events, revision });
        let mut unaware = false;
        self.queues.retain(|queue| {
            let mut state = queue.state.lock();
            if state.gone {
                return false;
            }
            let matching = published
                .events
                .iter()
                .filter(|e| e.key().starts_with(&queue.prefix))
                .count();
            if !state.lagging {
                state.progress = revision;
                if matching > 0 {
                    state.pending += matching;
                    state.batches.push_back(Arc::clone(&published));
                    if state.pending > queue.capacity {
                        state.lagging = true;
                        state.pending = 0;
                        state.batches = VecDeque::new();
                    }
                }
            }
            if matching > 0 {
                state.wake();
            } else {
                unaware = true;
            }
            true
        });
        unaware
    }
}

impl QueueState {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// One watch.
#[derive(Debug)]
pub(crate) struct WatchStream {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    /// Everything up to here was given to the consumer.
    delivered: Revision,
    /// Read from the log up to here before looking at the queue.
    catch_up: Option<Revision>,
    ended: bool,
}

impl WatchStream {
    /// Starts watching `prefix` after `after`.
    pub(crate) fn start(shared: Arc<Shared>, prefix: &str, after: Revision) -> Result<Self> {
        let queue = Arc::new(Queue {
            prefix: prefix.to_owned(),
            capacity: shared.options.watch_buffer,
            state: Mutex::new(QueueState::default()),
        });
        let mut hub = shared.hub.lock();
        if hub.closed {
            return Err(closed());
        }
        let oldest = shared.view.read().compacted;
        if after.saturating_add(1) < oldest {
            return Err(StoreError::Compacted {
                requested: after,
                oldest,
            });
        }
        let published = hub.published;
        queue.state.lock().progress = published;
        hub.queues.push(Arc::clone(&queue));
        drop(hub);
        Ok(Self {
            shared,
            queue,
            delivered: after,
            catch_up: Some(published),
            ended: false,
        })
    }

    /// Lets the queue fill again, from what is published now on; everything before it is to be
    /// read from the log.
    fn rejoin(&self) -> Revision {
        let hub = self.shared.hub.lock();
        let mut state = self.queue.state.lock();
        state.lagging = false;
        state.pending = 0;
        state.batches.clear();
        state.progress = hub.published;
        hub.published
    }

    /// The next batch from the log; `until` is at most what is durable.
    fn read_log(&mut self, until: Revision) -> Result<Events> {
        let (snapshot, oldest) = {
            let view = self.shared.view.read();
            (view.snapshot()?, view.compacted)
        };
        let next = self.delivered.saturating_add(1);
        if next < oldest {
            return Err(StoreError::Compacted {
                requested: self.delivered,
                oldest,
            });
        }
        let mut found = Vec::new();
        let mut seen = 0;
        let mut reached = until;
        snapshot.scan(next, until, |revision, record| {
            seen += 1;
            if record.key.starts_with(&self.queue.prefix) {
                found.push((
                    revision,
                    Arc::<str>::from(record.key),
                    record.value.is_some(),
                ));
            }
            let more = found.len() < BATCH && seen < 16 * BATCH;
            if !more {
                reached = revision;
            }
            more
        })?;
        let previous: Vec<Option<Revision>> = {
            let view = self.shared.view.read();
            found
                .iter()
                .map(|(revision, key, _)| {
                    let kept = *revision > view.compacted;
                    view.index.before(key, *revision).filter(|_| kept)
                })
                .collect()
        };
        let mut events = Vec::with_capacity(found.len());
        for ((revision, key, is_put), previous) in found.into_iter().zip(previous) {
            // Compaction may have passed this revision meanwhile; the event stands without it.
            let previous = previous.and_then(|previous| snapshot.entry(&key, previous).ok());
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
        self.delivered = self.delivered.max(reached);
        Ok(Events {
            events,
            revision: self.delivered,
        })
    }

    fn poll_queue(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Events>>> {
        let mut state = self.queue.state.lock();
        let mut events = Vec::new();
        let mut reached = self.delivered;
        while events.len() < BATCH {
            let Some(batch) = state.batches.pop_front() else {
                break;
            };
            let before = events.len();
            let wanted = batch.events.iter().filter(|event| {
                event.revision() > self.delivered && event.key().starts_with(&self.queue.prefix)
            });
            events.extend(wanted.cloned());
            state.pending = state.pending.saturating_sub(events.len() - before);
            reached = reached.max(batch.revision);
        }
        if state.batches.is_empty() && !state.lagging {
            state.pending = 0;
            reached = reached.max(state.progress);
        }
        if reached > self.delivered {
            self.delivered = reached;
            return Poll::Ready(Some(Ok(Events {
                events,
                revision: reached,
            })));
        }
        if state.lagging {
            drop(state);
            self.catch_up = Some(self.rejoin());
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if state.closed {
            self.ended = true;
            return Poll::Ready(Some(Err(closed())));
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        Poll::Pending
    }
}

impl Stream for WatchStream {
    type Item = Result<Events>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Some(until) = self.catch_up else {
            return self.poll_queue(context);
        };
        if self.delivered >= until {
            self.catch_up = None;
            // Told even if there was nothing, so that the consumer knows it has caught up.
            return Poll::Ready(Some(Ok(Events {
                events: Vec::new(),
                revision: until,
            })));
        }
        let batch = self.read_log(until);
        match &batch {
            Ok(batch) if batch.revision >= until => self.catch_up = None,
            Ok(_) => {}
            Err(_) => self.ended = true,
        }
        Poll::Ready(Some(batch))
    }
}

impl Drop for WatchStream {
    fn drop(&mut self) {
        self.queue.state.lock().gone = true;
        self.shared
            .hub
            .lock()
            .queues
            .retain(|queue| !Arc::ptr_eq(queue, &self.queue));
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store was closed".to_owned())
}
