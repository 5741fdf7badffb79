//! What is to be done at a time; the earlier of two times for the same counts.

use std::collections::{BTreeMap, BTreeSet};
use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Later<K> {
    times: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K> Default for Later<K> {
    fn default() -> Self {
        Self {
            times: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord> Later<K> {
    pub(super) fn add(&mut self, key: K, time: Instant) {
        if let Some(before) = self.times.get(&key).copied() {
            if before <= time {
                return;
            }
            self.order.remove(&(before, key.clone()));
        }
        self.times.insert(key.clone(), time);
        self.order.insert((time, key));
    }

    /// The time of what comes first.
    pub(super) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(time, _)| *time)
    }

    /// What comes first, if its time has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, key) = self.order.pop_first()?;
        self.times.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earlier_of_two_times_counts() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut later = Later::default();
        for (key, seconds) in [("a", 5), ("b", 3), ("a", 1), ("b", 4)] {
            later.add(key, at(seconds));
        }
        assert_eq!(later.next(), Some(at(1)));
        assert_eq!((later.pop(start), later.pop(at(2))), (None, Some("a")));
        assert_eq!((later.pop(at(2)), later.pop(at(9))), (None, Some("b")));
        assert_eq!(later.next(), None);
    }
}
