//! The pods that wait: which is next, who waits out a failure, who waits for a change, and which
//! change helps whom. Time is the caller's, in milliseconds from any fixed point.

use crate::hint::{Event, helps};
use crate::misfit::Plugin;
use crate::pod::{PodInfo, PodKey};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The first wait after a failure; each further failure doubles it …
const FIRST_BACKOFF: u64 = 1_000;
/// … up to this.
const LONGEST_BACKOFF: u64 = 10_000;
/// Pods that are ready within the same span of time are taken by priority.
const WINDOW: u64 = 1_000;
/// After this long without a change that helps, a pod is tried all the same.
const LONGEST_PARKED: u64 = 5 * 60 * 1_000;

/// A place in the order of the queue: higher priority first, then who waits longer.
type Rank = (Reverse<i64>, u64, u64);
/// A place among those that wait out a failure: who is ready first.
type Ready = (u64, Reverse<i64>, u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In line.
    Active(Rank),
    /// Waits out a failure.
    Backoff(Ready),
    /// Waits for a change that helps, since then.
    Parked(u64),
    /// Kept by scheduling gates.
    Gated,
    /// Handed out.
    InFlight,
}

#[derive(Debug)]
struct Waiting {
    pod: Arc<PodInfo>,
    place: Place,
    attempts: u32,
    /// When it came to its place or failed last.
    since: u64,
    refused_by: BTreeSet<Plugin>,
    /// While in flight: which plugins a change helped meanwhile.
    helped: BTreeSet<Plugin>,
    /// It failed for no reason of its own; such pods always wait out their time.
    is_error: bool,
}

/// How many pods wait in which way; those in flight are in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waits {
    /// In line.
    pub active: usize,
    /// Waiting out a failure.
    pub backoff: usize,
    /// Waiting for a change that helps.
    pub parked: usize,
    /// Kept by scheduling gates.
    pub gated: usize,
}

/// The pods that wait for a node.
#[derive(Debug, Default)]
pub struct Queue {
    pods: HashMap<PodKey, Waiting>,
    active: BTreeMap<Rank, PodKey>,
    backoff: BTreeMap<Ready, PodKey>,
    parked: BTreeSet<(u64, PodKey)>,
    in_flight: BTreeSet<PodKey>,
    arrivals: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many pods wait, in whatever way.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether no pod waits.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// How many pods wait in which way.
    pub fn waits(&self) -> Waits {
        let (active, backoff, parked) = (self.active.len(), self.backoff.len(), self.parked.len());
        let others = active + backoff + parked + self.in_flight.len();
        Waits {
            active,
            backoff,
            parked,
            gated: self.pods.len().saturating_sub(others),
        }
    }

    /// How often a pod was handed out.
    pub fn attempts(&self, key: &PodKey) -> u32 {
        self.pods.get(key).map_or(0, |waiting| waiting.attempts)
    }

    /// A pod that waits.
    pub fn get(&self, key: &PodKey) -> Option<&Arc<PodInfo>> {
        self.pods.get(key).map(|waiting| &waiting.pod)
    }

    /// Whether a pod waits for a change.
    pub fn is_parked(&self, key: &PodKey) -> bool {
        let waiting = self.pods.get(key);
        waiting.is_some_and(|waiting| matches!(waiting.place, Place::Parked(_)))
    }

    /// The keys of all pods that wait.
    pub fn keys(&self) -> impl Iterator<Item = &PodKey> {
        self.pods.keys()
    }

    /// A pod without a node appeared or changed.
    pub fn set(&mut self, pod: Arc<PodInfo>, now: u64) {
        let key = pod.key.clone();
        let Some(waiting) = self.pods.get_mut(&key) else {
            let is_gated = pod.is_gated;
            let waiting = Waiting {
                pod,
                place: Place::Gated,
                attempts: 0,
                since: now,
                refused_by: BTreeSet::new(),
                helped: BTreeSet::new(),
                is_error: false,
            };
            self.pods.insert(key.clone(), waiting);
            if !is_gated {
                self.activate(&key, now);
            }
            return;
        };
        let before = std::mem::replace(&mut waiting.pod, pod);
        let pod = &waiting.pod;
        let helps = own_change(&before, pod);
        match (waiting.place, pod.is_gated) {
            (Place::InFlight, _) => waiting.helped.extend(helps),
            (Place::Gated, true) => {}
            (_, true) => {
                self.leave(&key);
                if let Some(waiting) = self.pods.get_mut(&key) {
                    waiting.place = Place::Gated;
                }
            }
            (Place::Parked(_), false) => {
                if helps
                    .iter()
                    .any(|plugin| waiting.refused_by.contains(plugin))
                {
                    self.retry(&key, now);
                }
            }
            (Place::Gated, false) => self.activate(&key, now),
            (Place::Backoff(_) | Place::Active(_), false) => {}
        }
    }

    /// A pod waits no longer: it is bound or gone.
    pub fn remove(&mut self, key: &PodKey) -> Option<Arc<PodInfo>> {
        self.leave(key);
        self.pods.remove(key).map(|waiting| waiting.pod)
    }

    /// The pod that is next. It is in flight until `park`, `fail` or `remove` says what became of
    /// it. When none is in line, one that waits out a refusal goes ahead of its time.
    pub fn pop(&mut self, now: u64) -> Option<Arc<PodInfo>> {
        self.advance(now);
        let key = match self.active.pop_first() {
            Some((_, key)) => key,
            None => {
                let early = self.backoff.iter().find(|(_, key)| {
                    let waiting = self.pods.get(*key);
                    waiting.is_some_and(|waiting| !waiting.is_error)
                });
                let (ready, key) = early.map(|(ready, key)| (*ready, key.clone()))?;
                self.backoff.remove(&ready);
                key
            }
        };
        let waiting = self.pods.get_mut(&key)?;
        waiting.place = Place::InFlight;
        waiting.attempts = waiting.attempts.saturating_add(1);
        waiting.helped.clear();
        let pod = Arc::clone(&waiting.pod);
        self.in_flight.insert(key);
        Some(pod)
    }

    /// The pod in flight fits nowhere; these plugins refused it.
    pub fn park(&mut self, key: &PodKey, refused_by: BTreeSet<Plugin>, now: u64) {
        self.leave(key);
        let Some(waiting) = self.pods.get_mut(key) else {
            return;
        };
        waiting.since = now;
        waiting.is_error = false;
        let is_helped = refused_by
            .iter()
            .any(|plugin| waiting.helped.contains(plugin));
        waiting.refused_by = refused_by;
        if is_helped {
            self.back_off(key);
        } else {
            waiting.place = Place::Parked(now);
            self.parked.insert((now, key.clone()));
        }
    }

    /// The pod in flight could not be tried or bound, for no reason of its own.
    pub fn fail(&mut self, key: &PodKey, now: u64) {
        self.leave(key);
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.since = now;
            waiting.refused_by.clear();
            waiting.is_error = true;
            self.back_off(key);
        }
    }

    /// Something changed: the pods that it helps are tried again.
    pub fn notice(&mut self, event: &Event<'_>, now: u64) {
        self.notice_up_to(i64::MAX, event, now);
    }

    /// As `notice`, but only pods of no higher priority than `most` are tried again: others did
    /// not feel what went away.
    pub fn notice_up_to(&mut self, most: i64, event: &Event<'_>, now: u64) {
        let mut moved = Vec::new();
        for (_, key) in &self.parked {
            let Some(waiting) = self.pods.get(key) else {
                continue;
            };
            if waiting.pod.priority > most {
                continue;
            }
            let refused = &waiting.refused_by;
            let is_helped =
                refused.is_empty() || refused.iter().any(|p| helps(*p, event, &waiting.pod));
            if is_helped {
                moved.push(key.clone());
            }
        }
        moved.iter().for_each(|key| self.retry(key, now));
        for key in &self.in_flight {
            let waiting = self.pods.get_mut(key);
            if let Some(waiting) = waiting.filter(|waiting| waiting.pod.priority <= most) {
                let helped = Plugin::ALL
                    .iter()
                    .filter(|p| helps(**p, event, &waiting.pod));
                waiting.helped.extend(helped.copied());
            }
        }
    }

    /// Everything may have changed: all that wait for a change are tried again.
    pub fn retry_all(&mut self, now: u64) {
        for (_, key) in self.parked.clone() {
            self.retry(&key, now);
        }
    }

    /// Lets those go on whose time has come.
    fn advance(&mut self, now: u64) {
        while let Some(entry) = self.backoff.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let key = entry.remove();
            self.activate(&key, now);
        }
        while let Some((since, key)) = self.parked.first().cloned() {
            if since.saturating_add(LONGEST_PARKED) > now {
                break;
            }
            self.retry(&key, now);
        }
    }

    /// Whether `pop` would give a pod now.
    pub fn has_next(&self, now: u64) -> bool {
        !self.active.is_empty()
            || self.backoff.iter().any(|((ready, _, _), key)| {
                *ready <= now || self.pods.get(key).is_some_and(|waiting| !waiting.is_error)
            })
            || self.next_time().is_some_and(|time| time <= now)
    }

    /// When the next pod's time comes without any change, if one waits for a time.
    pub fn next_time(&self) -> Option<u64> {
        let ready = self.backoff.keys().next().map(|(ready, _, _)| *ready);
        let parked = self.parked.first();
        let parked = parked.map(|(since, _)| since.saturating_add(LONGEST_PARKED));
        match (ready, parked) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn activate(&mut self, key: &PodKey, now: u64) {
        self.arrivals += 1;
        if let Some(waiting) = self.pods.get_mut(key) {
            waiting.since = now;
            let rank = (Reverse(waiting.pod.priority), now, self.arrivals);
            waiting.place = Place::Active(rank);
            self.active.insert(rank, key.clone());
        }
    }

    /// From the parked ones into line, or first out of the time that it has to wait.
    fn retry(&mut self, key: &PodKey, now: u64) {
        self.leave(key);
        let Some(waiting) = self.pods.get(key) else {
            return;
        };
        if waiting.since.saturating_add(backoff(waiting.attempts)) > now {
            self.back_off(key);
        } else {
            self.activate(key, now);
        }
    }

    fn back_off(&mut self, key: &PodKey) {
        self.arrivals += 1;
        if let Some(waiting) = self.pods.get_mut(key) {
            let ready = waiting.since.saturating_add(backoff(waiting.attempts));
            let ready = ready - ready % WINDOW;
            let ready = (ready, Reverse(waiting.pod.priority), self.arrivals);
            waiting.place = Place::Backoff(ready);
            self.backoff.insert(ready, key.clone());
        }
    }

    fn leave(&mut self, key: &PodKey) {
        match self.pods.get(key).map(|waiting| waiting.place) {
            Some(Place::Active(rank)) => {
                self.active.remove(&rank);
            }
            Some(Place::Backoff(ready)) => {
                self.backoff.remove(&ready);
            }
            Some(Place::Parked(since)) => {
                self.parked.remove(&(since, key.clone()));
            }
            Some(Place::InFlight) => {
                self.in_flight.remove(key);
            }
            Some(Place::Gated) | None => {}
        }
    }
}

/// The plugins that may take back their word because of what changed in the pod itself.
fn own_change(before: &PodInfo, after: &PodInfo) -> BTreeSet<Plugin> {
    let mut helped = BTreeSet::new();
    if before.labels != after.labels {
        helped.extend([Plugin::InterPodAffinity, Plugin::PodTopologySpread]);
    }
    if before.tolerations != after.tolerations {
        helped.extend([Plugin::TaintToleration, Plugin::NodeUnschedulable]);
    }
    if before.requests != after.requests {
        helped.insert(Plugin::NodeResourcesFit);
    }
    if before.required_nodes != after.required_nodes {
        helped.insert(Plugin::NodeAffinity);
    }
    helped
}

/// How long a pod waits after so many attempts.
fn backoff(attempts: u32) -> u64 {
    let doublings = attempts.saturating_sub(1).min(10);
    (FIRST_BACKOFF << doublings).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests;
