//! Values by labels. Reading and counting take no lock; only a new combination of labels does.

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Combinations beyond this are not counted; a server has far fewer.
const MAX_SERIES: usize = 20_000;

struct Series<T> {
    labels: Box<[Box<str>]>,
    value: T,
}

/// Series under the hash of their labels.
type Table<T> = HashMap<u64, Vec<Arc<Series<T>>>>;

/// Values of one kind, by the values of their labels.
pub struct Family<T> {
    table: ArcSwap<Table<T>>,
    growing: Mutex<usize>,
    hasher: RandomState,
}

impl<T: Default> Default for Family<T> {
    fn default() -> Self {
        Self {
            table: ArcSwap::default(),
            growing: Mutex::new(0),
            hasher: RandomState::new(),
        }
    }
}

impl<T: Default> Family<T> {
    /// Hands the value of these labels to `count`, if the labels are known.
    pub fn find(&self, labels: &[&str], count: impl FnOnce(&T)) -> bool {
        let table = self.table.load();
        let found = lookup(&table, self.hasher.hash_one(labels), labels);
        match found {
            Some(series) => {
                count(&series.value);
                true
            }
            None => false,
        }
    }

    /// Hands the value of these labels to `count`; new labels begin at the default.
    pub fn with(&self, labels: &[&str], count: impl FnOnce(&T)) {
        let hash = self.hasher.hash_one(labels);
        if let Some(series) = lookup(&self.table.load(), hash, labels) {
            count(&series.value);
            return;
        }
        let mut known = self.growing.lock();
        let table = self.table.load_full();
        // Somebody else may have been quicker.
        if let Some(series) = lookup(&table, hash, labels) {
            count(&series.value);
            return;
        }
        if *known >= MAX_SERIES {
            return;
        }
        let series = Arc::new(Series {
            labels: labels.iter().map(|l| Box::from(*l)).collect(),
            value: T::default(),
        });
        count(&series.value);
        let mut table = Table::clone(&table);
        table.entry(hash).or_default().push(series);
        self.table.store(Arc::new(table));
        *known = known.saturating_add(1);
    }

    /// Every value, in the order of the labels.
    pub fn each(&self, mut visit: impl FnMut(&[&str], &T)) {
        let table = self.table.load_full();
        let mut all: Vec<&Arc<Series<T>>> = table.values().flatten().collect();
        all.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        for series in all {
            let labels: Vec<&str> = series.labels.iter().map(AsRef::as_ref).collect();
            visit(&labels, &series.value);
        }
    }
}

fn lookup<'t, T>(table: &'t Table<T>, hash: u64, labels: &[&str]) -> Option<&'t Arc<Series<T>>> {
    table.get(&hash)?.iter().find(|s| {
        s.labels.len() == labels.len() && s.labels.iter().zip(labels).all(|(a, b)| **a == **b)
    })
}

/// Values sorted into `N` buckets, the last of which has no bound.
pub struct Histogram<const N: usize> {
    counts: [AtomicU64; N],
    /// In the unit of the caller, times a million.
    sum: AtomicU64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            sum: AtomicU64::new(0),
        }
    }
}

impl<const N: usize> Histogram<N> {
    /// Adds a time, in seconds against the bounds.
    pub fn observe(&self, elapsed: Duration, bounds: &[f64]) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.add(elapsed.as_secs_f64(), micros, bounds);
    }

    /// Adds a number, such as of bytes.
    pub fn observe_number(&self, bytes: u64, bounds: &[f64]) {
        // Precise enough for buckets that are powers of ten.
        #[allow(clippy::cast_precision_loss)]
        let value = bytes as f64;
        self.add(value, bytes.saturating_mul(1_000_000), bounds);
    }

    fn add(&self, value: f64, millionths: u64, bounds: &[f64]) {
        let bucket = bounds.partition_point(|b| *b < value);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(millionths, Ordering::Relaxed);
    }

    /// The counts per bucket and the sum.
    pub fn read(&self) -> ([u64; N], f64) {
        let counts = std::array::from_fn(|i| {
            self.counts
                .get(i)
                .map_or(0, |count| count.load(Ordering::Relaxed))
        });
        #[allow(clippy::cast_precision_loss)]
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1_000_000.0;
        (counts, sum)
    }
}
