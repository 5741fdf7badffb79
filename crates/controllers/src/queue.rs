//! A work queue: keys are worked on one at a time, each waits at most once, and a key that failed
//! comes back after a pause that doubles (as client-go's rate-limited queue).

use parking_lot::Mutex;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

struct State<K> {
    waiting: VecDeque<K>,
    queued: HashSet<K>,
    failures: HashMap<K, u32>,
}

/// The queue; clones share it.
pub struct Queue<K> {
    state: Arc<Mutex<State<K>>>,
    added: Arc<Notify>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            state: Arc::clone(&self.state),
            added: Arc::clone(&self.added),
        }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Default for Queue<K> {
    fn default() -> Self {
        let state = State {
            waiting: VecDeque::new(),
            queued: HashSet::new(),
            failures: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            added: Arc::new(Notify::new()),
        }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Queue<K> {
    /// Adds `key`, unless it waits already.
    pub fn add(&self, key: K) {
        let mut state = self.state.lock();
        if state.queued.insert(key.clone()) {
            state.waiting.push_back(key);
            self.added.notify_one();
        }
    }

    /// The next key, once there is one. There is one worker per queue.
    pub async fn next(&self) -> K {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(key) = state.waiting.pop_front() {
                    state.queued.remove(&key);
                    return key;
                }
            }
            self.added.notified().await;
        }
    }

    /// The key's work is done: its next failure is a first one again.
    pub fn forget(&self, key: &K) {
        self.state.lock().failures.remove(key);
    }

    /// The key's work could not be done: it comes back after a pause.
    pub fn retry(&self, key: K) {
        let failures = {
            let mut state = self.state.lock();
            let failures = state.failures.entry(key.clone()).or_default();
            *failures = failures.saturating_add(1);
            *failures
        };
        let queue = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause_after(failures)).await;
            queue.add(key);
        });
    }
}

/// How long to wait after that many failures in a row.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_waits_at_most_once_and_order_is_kept() {
        let queue = Queue::default();
        for key in ["a", "b", "a", "c"] {
            queue.add(key);
        }
        assert_eq!(
            [queue.next().await, queue.next().await, queue.next().await],
            ["a", "b", "c"]
        );
        queue.add("a");
        assert_eq!(queue.next().await, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_key_comes_back_later_and_later() {
        let queue = Queue::default();
        let start = tokio::time::Instant::now();
        queue.retry(1);
        assert_eq!(queue.next().await, 1);
        let first = start.elapsed();
        queue.retry(1);
        assert_eq!(queue.next().await, 1);
        let second = start.elapsed() - first;
        assert!(second > first, "{second:?} after {first:?}");
        queue.forget(&1);
        assert_eq!(pause_after(1), FIRST_PAUSE);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
