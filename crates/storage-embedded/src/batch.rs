//! One commit's worth of writes: expectations are checked against the last commit and the writes
//! before them in the batch, revisions are given out, and the records for the log are made.

use crate::log::Snapshot;
use crate::record::{Lease, Record};
use crate::view::View;
use bytes::Bytes;
use futures::channel::oneshot;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use storage_api::{Entry, Event, Expected, Result, Revision, StoreError};

/// Where the answer to a call goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T>>;

/// How long an entry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Permanent,
    For(Duration),
    /// As long as it was going to.
    AsBefore,
}

/// A write as a caller asks for it.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) key: Arc<str>,
    pub(crate) value: Bytes,
    pub(crate) expected: Expected,
    pub(crate) life: Life,
}

/// A change that has its revision but is not durable yet.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Arc<str>,
    pub(crate) revision: Revision,
    pub(crate) create: Revision,
    /// `None` for a deletion.
    pub(crate) value: Option<Bytes>,
    pub(crate) lease: Option<Lease>,
    previous: Option<Source>,
}

/// Where the live version of a key is to be found.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// In the log.
    Stored {
        create: Revision,
        revision: Revision,
    },
    /// Among the changes of this batch.
    Staged(usize),
}

enum Answer {
    Put(Reply<Entry>, usize),
    Delete(Reply<(Revision, Entry)>, Revision, Entry),
    RefusedPut(Reply<Entry>, StoreError),
    RefusedDelete(Reply<(Revision, Entry)>, StoreError),
    Done(Reply<()>),
}

/// The batch under construction. `snapshot` is the last commit, which `view`s given to its methods
/// must still describe.
pub(crate) struct Batch {
    snapshot: Snapshot,
    revision: Revision,
    changes: Vec<Change>,
    latest: HashMap<Arc<str>, usize>,
    answers: Vec<Answer>,
}

impl Batch {
    pub(crate) fn new(view: &View, snapshot: Snapshot) -> Self {
        Self {
            snapshot,
            revision: view.revision,
            changes: Vec::new(),
            latest: HashMap::new(),
            answers: Vec::new(),
        }
    }

    /// The newest revision given out.
    pub(crate) fn revision(&self) -> Revision {
        self.revision
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(crate) fn put(&mut self, view: &View, put: Put, reply: Reply<Entry>) {
        let checked = self
            .check(view, &put.key, put.expected)
            .and_then(|previous| {
                let lease = match put.life {
                    Life::Permanent => None,
                    Life::For(ttl) => Some(Lease::starting_now(ttl)),
                    Life::AsBefore => {
                        previous.map_or(Ok(None), |source| self.lease(&put.key, source))?
                    }
                };
                Ok((previous, lease))
            });
        match checked {
            Ok((previous, lease)) => {
                let at = self.stage(put.key, Some(put.value), lease, previous);
                self.answers.push(Answer::Put(reply, at));
            }
            Err(error) => self.answers.push(Answer::RefusedPut(reply, error)),
        }
    }

    pub(crate) fn refuse_put(&mut self, reply: Reply<Entry>, error: StoreError) {
        self.answers.push(Answer::RefusedPut(reply, error));
    }

    pub(crate) fn delete(
        &mut self,
        view: &View,
        key: Arc<str>,
        expected: Expected,
        reply: Reply<(Revision, Entry)>,
    ) {
        let deleted = self.check(view, &key, expected).and_then(|previous| {
            let previous = previous.ok_or(StoreError::Conflict { current: None })?;
            Ok((previous, self.entry(&key, previous)?))
        });
        match deleted {
            Ok((previous, entry)) => {
                self.stage(key, None, None, Some(previous));
                self.answers
                    .push(Answer::Delete(reply, self.revision, entry));
            }
            Err(error) => self.answers.push(Answer::RefusedDelete(reply, error)),
        }
    }

    /// Deletes `key` if it is still as it was written at `revision`.
    pub(crate) fn expire(&mut self, view: &View, key: Arc<str>, revision: Revision) {
        if let Some(source) = self.source(view, &key)
            && self.mod_revision(source) == Some(revision)
        {
            self.stage(key, None, None, Some(source));
        }
    }

    /// Answers `reply` with success once the batch is durable.
    pub(crate) fn answer_when_durable(&mut self, reply: Reply<()>) {
        self.answers.push(Answer::Done(reply));
    }

    /// The records of all changes.
    pub(crate) fn records(&self) -> Vec<(Revision, Vec<u8>)> {
        let encode = |change: &Change| {
            let value = change.value.as_deref();
            let mut bytes =
                Vec::with_capacity(64 + change.key.len() + value.map_or(0, <[u8]>::len));
            let (key, create, lease) = (&*change.key, change.create, change.lease);
            Record {
                key,
                value,
                create,
                lease,
            }
            .encode(change.revision, &mut bytes);
            (change.revision, bytes)
        };
        self.changes.iter().map(encode).collect()
    }

    /// The changes as watchers see them.
    pub(crate) fn events(&self) -> Vec<Event> {
        let event = |(at, change): (usize, &Change)| {
            // A damaged old version is told to whoever reads it; the change itself is sound.
            let previous = change
                .previous
                .and_then(|source| self.entry(&change.key, source).ok());
            match self.staged(at) {
                Some(entry) => Event::Put { entry, previous },
                None => {
                    let (key, revision) = (Arc::clone(&change.key), change.revision);
                    Event::Delete {
                        previous,
                        key,
                        revision,
                    }
                }
            }
        };
        self.changes.iter().enumerate().map(event).collect()
    }

    /// Tells the callers that their writes are durable, or refused.
    pub(crate) fn succeed(self) {
        let Self {
            changes, answers, ..
        } = self;
        // A caller that has gone away needs no answer.
        for answer in answers {
            match answer {
                Answer::Put(reply, at) => {
                    let written = changes.get(at).and_then(Change::entry);
                    let _ = reply.send(written.ok_or_else(crate::view::unavailable));
                }
                Answer::Delete(reply, revision, entry) => {
                    let _ = reply.send(Ok((revision, entry)));
                }
                Answer::RefusedPut(reply, error) => {
                    let _ = reply.send(Err(error));
                }
                Answer::RefusedDelete(reply, error) => {
                    let _ = reply.send(Err(error));
                }
                Answer::Done(reply) => {
                    let _ = reply.send(Ok(()));
                }
            }
        }
    }

    /// Tells all callers of the batch that it failed: even refusals may rest on writes that did
    /// not happen.
    pub(crate) fn fail(self, error: &StoreError) {
        for answer in self.answers {
            match answer {
                Answer::Put(reply, _) | Answer::RefusedPut(reply, _) => {
                    let _ = reply.send(Err(error.clone()));
                }
                Answer::Delete(reply, ..) | Answer::RefusedDelete(reply, _) => {
                    let _ = reply.send(Err(error.clone()));
                }
                Answer::Done(reply) => {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    fn stage(
        &mut self,
        key: Arc<str>,
        value: Option<Bytes>,
        lease: Option<Lease>,
        previous: Option<Source>,
    ) -> usize {
        self.revision += 1;
        let revision = self.revision;
        let create = match (previous, &value) {
            (_, None) => 0,
            (None, Some(_)) => revision,
            (Some(Source::Stored { create, .. }), Some(_)) => create,
            (Some(Source::Staged(at)), Some(_)) => self
                .changes
                .get(at)
                .map_or(revision, |change| change.create),
        };
        let at = self.changes.len();
        self.latest.insert(Arc::clone(&key), at);
        self.changes.push(Change {
            key,
            revision,
            create,
            value,
            lease,
            previous,
        });
        at
    }

    fn check(&self, view: &View, key: &Arc<str>, expected: Expected) -> Result<Option<Source>> {
        let source = self.source(view, key);
        let holds = match expected {
            Expected::Any => true,
            Expected::Absent => source.is_none(),
            Expected::At(revision) => {
                source.and_then(|source| self.mod_revision(source)) == Some(revision)
            }
        };
        if holds {
            return Ok(source);
        }
        let current = source.map(|source| self.entry(key, source)).transpose()?;
        Err(StoreError::Conflict { current })
    }

    fn source(&self, view: &View, key: &str) -> Option<Source> {
        if let Some(at) = self.latest.get(key) {
            let live = self.changes.get(*at)?.value.is_some();
            return live.then_some(Source::Staged(*at));
        }
        let current = view.index.current(key)?;
        Some(Source::Stored {
            create: current.create,
            revision: current.revision,
        })
    }

    fn mod_revision(&self, source: Source) -> Option<Revision> {
        match source {
            Source::Stored { revision, .. } => Some(revision),
            Source::Staged(at) => self.changes.get(at).map(|change| change.revision),
        }
    }

    fn entry(&self, key: &Arc<str>, source: Source) -> Result<Entry> {
        match source {
            Source::Stored { revision, .. } => self.snapshot.entry(key, revision),
            Source::Staged(at) => self.staged(at).ok_or_else(crate::view::unavailable),
        }
    }

    fn lease(&self, key: &str, source: Source) -> Result<Option<Lease>> {
        match source {
            Source::Stored { revision, .. } => self.snapshot.lease(key, revision),
            Source::Staged(at) => Ok(self.changes.get(at).and_then(|change| change.lease)),
        }
    }

    fn staged(&self, at: usize) -> Option<Entry> {
        self.changes.get(at).and_then(Change::entry)
    }
}

impl Change {
    fn entry(&self) -> Option<Entry> {
        Some(Entry {
            key: Arc::clone(&self.key),
            value: self.value.clone()?,
            create_revision: self.create,
            mod_revision: self.revision,
        })
    }
}
