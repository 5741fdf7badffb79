//! Random operations on two stores at once, which must give the same results.

use super::{Broken, Outcome, ensure, events_until};
use crate::{Entry, Event, Expected, Range, Revision, Store, StoreError};
use bytes::Bytes;

/// One of the two stores.
#[derive(Clone, Copy)]
struct Side<'a> {
    store: &'a dyn Store,
    /// The store's revision at the start.
    base: Revision,
}

/// Does `steps` random operations (determined by `seed`) below `prefix` in `store` and in
/// `reference`, and compares every result, including what two watches see. Revisions may differ by
/// what was written before. Both stores must be without keys below `prefix` and without
/// other writers.
///
/// # Errors
/// If a result differs.
pub async fn same_as(
    store: &dyn Store,
    reference: &dyn Store,
    prefix: &str,
    seed: u64,
    steps: usize,
) -> Outcome {
    let mut pair = [store, reference].map(|store| Side { store, base: 0 });
    for side in &mut pair {
        side.base = side.store.revision().await?;
    }
    let [left, right] = pair;
    let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15 | 1);
    let mut compacted = 0;
    let mut written = 0;
    for step in 0..steps {
        let operation = Operation::random(&mut random, prefix, compacted, written);
        let found = left.run(&operation).await?;
        let expected = right.run(&operation).await?;
        ensure(found == expected, || {
            format!("step {step} {operation:?}: found {found:?}, expected {expected:?}")
        })?;
        match found {
            Answer::Put(Ok(_)) | Answer::Deleted(Ok(_)) => written += 1,
            Answer::Compacted(Ok(revision)) => compacted = compacted.max(revision),
            _ => {}
        }
    }
    let found = left.list(prefix).await?;
    let expected = right.list(prefix).await?;
    ensure(found == expected, || {
        format!("in the end {found:?}, expected {expected:?}")
    })
}

/// A xorshift generator: the suite depends on no crate for randomness.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Revisions are counted from the base.
#[derive(Debug)]
enum Operation {
    Put {
        key: String,
        value: Bytes,
        expected: Guess,
    },
    Delete {
        key: String,
        expected: Guess,
    },
    Get {
        key: String,
        at: Option<Revision>,
    },
    Range {
        prefix: String,
        start: Option<String>,
        limit: usize,
        at: Option<Revision>,
    },
    Watch {
        prefix: String,
        after: Revision,
    },
    Compact {
        revision: Revision,
    },
}

#[derive(Debug, Clone, Copy)]
enum Guess {
    Absent,
    Any,
    /// The revision that the key has.
    Current,
    At(Revision),
}

impl Operation {
    fn random(random: &mut Random, prefix: &str, compacted: u64, written: u64) -> Self {
        let key = format!("{prefix}{}/{}", random.below(3), random.below(6));
        // From a bit before the compacted revision to one that has not happened.
        let first = compacted.saturating_sub(2);
        let revision = first + random.below(written + 3 - first);
        let at = (random.below(2) == 0).then_some(revision);
        let expected = match random.below(6) {
            0 | 1 => Guess::Any,
            2 => Guess::Absent,
            3 => Guess::At(revision),
            _ => Guess::Current,
        };
        match random.below(20) {
            0..8 => {
                let value = Bytes::from(format!("value {}", random.below(1 << 20)));
                Self::Put {
                    key,
                    value,
                    expected,
                }
            }
            8..11 => Self::Delete { key, expected },
            11..14 => Self::Get { key, at },
            14..17 => Self::Range {
                prefix: match random.below(2) {
                    0 => prefix.to_owned(),
                    _ => format!("{prefix}{}", random.below(3)),
                },
                start: (random.below(2) == 0).then_some(key),
                limit: usize::try_from(random.below(5)).unwrap_or_default(),
                at,
            },
            17..19 => Self::Watch {
                prefix: format!("{prefix}{}", random.below(3)),
                after: revision.min(written),
            },
            _ => Self::Compact { revision },
        }
    }
}

/// Results with revisions from the base and errors without what depends on it.
#[derive(Debug, PartialEq)]
enum Answer {
    Put(Result<Entry, Refusal>),
    Deleted(Result<(Revision, Entry), Refusal>),
    Got(Result<(Option<Entry>, Revision), Refusal>),
    Listed(Result<(Vec<Entry>, Revision, u64), Refusal>),
    Watched(Result<Vec<Event>, Refusal>),
    Compacted(Result<Revision, Refusal>),
}

#[derive(Debug, PartialEq)]
enum Refusal {
    Conflict(Option<Entry>),
    Compacted,
    Future,
}

impl Side<'_> {
    async fn run(&self, operation: &Operation) -> Result<Answer, Broken> {
        let store = self.store;
        Ok(match operation {
            Operation::Put {
                key,
                value,
                expected,
            } => {
                let expected = self.guess(key, *expected).await?;
                let put = store.put(key, value.clone(), expected, None).await;
                Answer::Put(self.refusal(put.map(|entry| self.entry(entry)))?)
            }
            Operation::Delete { key, expected } => {
                let expected = self.guess(key, *expected).await?;
                let deleted = store.delete(key, expected).await;
                let deleted = deleted.map(|(at, entry)| (self.relative(at), self.entry(entry)));
                Answer::Deleted(self.refusal(deleted)?)
            }
            Operation::Get { key, at } => {
                let got = store.get(key, at.map(|at| at + self.base)).await;
                let got = got
                    .map(|(entry, at)| (entry.map(|entry| self.entry(entry)), self.relative(at)));
                Answer::Got(self.refusal(got)?)
            }
            Operation::Range {
                prefix,
                start,
                limit,
                at,
            } => {
                let at = at.map(|at| at + self.base);
                let range = store.range(prefix, start.as_deref(), *limit, at).await;
                Answer::Listed(self.refusal(range.map(|range| self.range(range)))?)
            }
            Operation::Watch { prefix, after } => {
                let newest = store.revision().await?;
                let watch = store.watch(prefix, after + self.base).await;
                match self.refusal(watch)? {
                    Err(refusal) => Answer::Watched(Err(refusal)),
                    Ok(mut watch) => {
                        let seen = events_until(&mut watch, prefix, newest).await?;
                        Answer::Watched(Ok(seen.into_iter().map(|e| self.event(e)).collect()))
                    }
                }
            }
            Operation::Compact { revision } => {
                let compacted = store.compact(revision + self.base).await;
                Answer::Compacted(self.refusal(compacted.map(|()| *revision))?)
            }
        })
    }

    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision, u64), Broken> {
        Ok(self.range(self.store.range(prefix, None, 0, None).await?))
    }

    async fn guess(&self, key: &str, guess: Guess) -> Result<Expected, Broken> {
        Ok(match guess {
            Guess::Absent => Expected::Absent,
            Guess::Any => Expected::Any,
            Guess::At(revision) => Expected::At(revision + self.base),
            Guess::Current => match self.store.get(key, None).await?.0 {
                Some(entry) => Expected::At(entry.mod_revision),
                None => Expected::Absent,
            },
        })
    }

    fn relative(&self, revision: Revision) -> Revision {
        revision.saturating_sub(self.base)
    }

    fn entry(&self, mut entry: Entry) -> Entry {
        entry.create_revision = self.relative(entry.create_revision);
        entry.mod_revision = self.relative(entry.mod_revision);
        entry
    }

    fn range(&self, range: Range) -> (Vec<Entry>, Revision, u64) {
        let entries = range
            .entries
            .into_iter()
            .map(|entry| self.entry(entry))
            .collect();
        (entries, self.relative(range.revision), range.remaining)
    }

    fn event(&self, event: Event) -> Event {
        match event {
            Event::Put { entry, previous } => Event::Put {
                entry: self.entry(entry),
                previous: previous.map(|entry| self.entry(entry)),
            },
            Event::Delete {
                previous,
                key,
                revision,
            } => Event::Delete {
                previous: previous.map(|entry| self.entry(entry)),
                key,
                revision: self.relative(revision),
            },
        }
    }

    fn refusal<T>(&self, result: crate::Result<T>) -> Result<Result<T, Refusal>, Broken> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(StoreError::Conflict { current }) => Ok(Err(Refusal::Conflict(
                current.map(|entry| self.entry(entry)),
            ))),
            Err(StoreError::Compacted { .. }) => Ok(Err(Refusal::Compacted)),
            Err(StoreError::Future { .. }) => Ok(Err(Refusal::Future)),
            Err(other) => Err(other.into()),
        }
    }
}
