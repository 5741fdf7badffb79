//! The contract suite: what every [`Store`] does, as cases that any executor can run against any
//! store, one after the other. A case uses keys below a prefix of its own and lets be what else is
//! in the store, but nobody else may write meanwhile.
//!
//! ```
//! # use storage_api::{contract, Store};
//! # async fn check(store: &dyn Store) -> Result<(), contract::Broken> {
//! let settings = contract::Settings { value_limit: 1_572_864 };
//! for case in contract::CASES {
//!     case.run(store, settings).await?;
//! }
//! # Ok(())
//! # }
//! ```

mod history;
mod oracle;
mod watch;
mod writes;

use crate::{Entry, Event, Events, Expected, Revision, Store, StoreError};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

pub use oracle::same_as;

/// What the suite must know about the store.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The largest value that the store takes, in bytes.
    pub value_limit: usize,
}

/// How a store breaks the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(format!("an unexpected refusal: {error}"))
    }
}

/// The outcome of a case.
pub type Outcome = Result<(), Broken>;

/// One case of the suite.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What holds if it passes.
    pub name: &'static str,
    run: for<'a> fn(Scene<'a>) -> BoxFuture<'a, Outcome>,
}

impl Case {
    /// Runs the case; the error begins with its name.
    ///
    /// # Errors
    /// If the store does not keep the contract.
    pub async fn run(&self, store: &dyn Store, settings: Settings) -> Outcome {
        let prefix = format!("/contract/{}/", self.name);
        let scene = Scene {
            store,
            prefix: &prefix,
            settings,
        };
        (self.run)(scene)
            .await
            .map_err(|Broken(why)| Broken(format!("{}: {why}", self.name)))
    }
}

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$(Case {
            name: stringify!($name),
            run: |scene| Box::pin($module::$name(scene)),
        }),*]
    };
}

/// All cases.
pub const CASES: &[Case] = cases![
    writes::every_write_raises_the_revision_by_one,
    writes::absent_creates_once,
    writes::at_replaces_only_that_version,
    writes::any_always_writes,
    writes::deleting_returns_what_was_there,
    writes::deleting_has_expectations,
    writes::a_key_can_be_made_again,
    writes::values_are_opaque,
    writes::values_have_a_limit,
    writes::one_of_many_creators_wins,
    writes::concurrent_increments_are_not_lost,
    writes::entries_expire,
    writes::a_later_write_ends_the_time_to_live,
    writes::replacing_keeps_the_time_to_live,
    history::a_key_is_read_as_it_was,
    history::the_future_cannot_be_read,
    history::a_scan_has_every_entry_once,
    history::ranges_are_in_order_and_below_their_prefix,
    history::pages_of_one_revision_fit_together,
    history::compaction_forgets_the_past_only,
    history::compacting_again_changes_nothing,
    watch::a_watch_from_the_past_goes_on_into_the_present,
    watch::a_watch_sees_its_prefix_only,
    watch::a_watch_tells_its_progress,
    watch::events_have_the_previous_entry,
    watch::watchers_see_the_same,
    watch::a_watch_of_compacted_history_is_refused,
    watch::a_live_watch_outlasts_compaction,
    watch::a_slow_watcher_misses_nothing,
    watch::events_over_a_list_are_a_later_list,
];

/// What a case works with.
#[derive(Clone, Copy)]
struct Scene<'a> {
    store: &'a dyn Store,
    prefix: &'a str,
    settings: Settings,
}

type Watch = BoxStream<'static, crate::Result<Events>>;

impl Scene<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    async fn put(&self, name: &str, value: &str) -> Result<Entry, Broken> {
        let value = Bytes::copy_from_slice(value.as_bytes());
        Ok(self
            .store
            .put(&self.key(name), value, Expected::Any, None)
            .await?)
    }

    async fn delete(&self, name: &str) -> Result<Revision, Broken> {
        Ok(self.store.delete(&self.key(name), Expected::Any).await?.0)
    }

    async fn get(&self, name: &str) -> Result<Option<Entry>, Broken> {
        Ok(self.store.get(&self.key(name), None).await?.0)
    }

    async fn list(&self, at: Option<Revision>) -> Result<Vec<Entry>, Broken> {
        Ok(self.store.range(self.prefix, None, 0, at).await?.entries)
    }

    async fn watch(&self, after: Revision) -> Result<Watch, Broken> {
        Ok(self.store.watch(self.prefix, after).await?)
    }
}

/// The next `count` events; checks that they come in order, below the prefix and not too late.
async fn events(watch: &mut Watch, prefix: &str, count: usize) -> Result<Vec<Event>, Broken> {
    let mut events: Vec<Event> = Vec::new();
    let mut reached = 0;
    while events.len() < count {
        reached = step(watch, prefix, reached, &mut events).await?;
    }
    if events.len() > count {
        return Err(Broken(format!(
            "{} events came instead of {count}",
            events.len()
        )));
    }
    Ok(events)
}

/// All events until the stream has told that it has seen everything up to `revision`.
async fn events_until(
    watch: &mut Watch,
    prefix: &str,
    revision: Revision,
) -> Result<Vec<Event>, Broken> {
    let mut events: Vec<Event> = Vec::new();
    let mut reached = 0;
    while reached < revision {
        reached = step(watch, prefix, reached, &mut events).await?;
    }
    Ok(events)
}

async fn step(
    watch: &mut Watch,
    prefix: &str,
    reached: Revision,
    events: &mut Vec<Event>,
) -> Result<Revision, Broken> {
    let batch = match watch.next().await {
        Some(batch) => batch?,
        None => return Err(Broken("the stream has ended without a reason".to_owned())),
    };
    ensure(batch.revision >= reached, || {
        format!("progress went back from {reached} to {}", batch.revision)
    })?;
    for event in batch.events {
        let last = events.last().map_or(0, Event::revision);
        let at = event.revision();
        ensure(at > last && at > reached, || {
            format!("an event of revision {at} came after {last} and progress {reached}")
        })?;
        ensure(at <= batch.revision, || {
            format!(
                "an event of revision {at} came in a batch up to {}",
                batch.revision
            )
        })?;
        ensure(event.key().starts_with(prefix), || {
            format!("an event of {} came to a watch of {prefix}", event.key())
        })?;
        events.push(event);
    }
    Ok(batch.revision)
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(Broken(why())) }
}

fn ensure_eq<T: PartialEq + std::fmt::Debug>(found: T, expected: T, what: &str) -> Outcome {
    ensure(found == expected, || {
        format!("{what}: found {found:?}, expected {expected:?}")
    })
}

/// The current entry that a conflict carries; anything else breaks the contract.
fn conflict<T: std::fmt::Debug>(result: crate::Result<T>) -> Result<Option<Entry>, Broken> {
    match result {
        Err(StoreError::Conflict { current }) => Ok(current),
        other => Err(Broken(format!("a conflict was expected, not {other:?}"))),
    }
}
