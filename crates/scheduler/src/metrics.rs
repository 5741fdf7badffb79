//! What the scheduler counts, under upstream's names.

use crate::NAME;
use ::metrics::{Family, Histogram, Text};
use scheduling::Waits;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

const ATTEMPT: [f64; 15] = doubling(0.001);
const WHOLE: [f64; 20] = doubling(0.01);
const ATTEMPTS: [f64; 5] = doubling(1.0);
const VICTIMS: [f64; 7] = doubling(1.0);
/// From here on attempts are not told apart.
const MANY: u32 = 15;

/// Bounds of which each is twice the one before.
#[allow(clippy::indexing_slicing, reason = "the indices are below the length")]
const fn doubling<const N: usize>(first: f64) -> [f64; N] {
    let mut bounds = [first; N];
    let mut at = 1;
    while at < N {
        bounds[at] = bounds[at - 1] * 2.0;
        at += 1;
    }
    bounds
}

/// How an attempt to place a pod ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Scheduled,
    Unschedulable,
    Error,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Unschedulable => "unschedulable",
            Self::Error => "error",
        }
    }
}

/// What the scheduler knows of, for gauges.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sizes {
    pub(crate) waits: Waits,
    pub(crate) nodes: usize,
    pub(crate) pods: usize,
    pub(crate) assumed: usize,
    /// Decisions that are being carried out.
    pub(crate) running: usize,
}

/// The scheduler's counters; written by its loop, read by whoever shows them.
#[derive(Default)]
pub struct Metrics {
    attempts: Family<AtomicU64>,
    durations: Family<Histogram<16>>,
    algorithm: Histogram<16>,
    whole: Family<Histogram<21>>,
    tries: Histogram<6>,
    preemptions: AtomicU64,
    victims: Histogram<8>,
    gauges: [AtomicUsize; 8],
}

impl Metrics {
    /// An attempt ended; it took so long with its binding.
    pub(crate) fn attempt(&self, outcome: Outcome, took: Duration) {
        let labels = [NAME, outcome.word()];
        self.attempts.with(&labels, |count| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        self.durations
            .with(&labels, |times| times.observe(took, &ATTEMPT));
    }

    /// The engine decided.
    pub(crate) fn decided(&self, took: Duration) {
        self.algorithm.observe(took, &ATTEMPT);
    }

    /// A pod has its node, at the last of so many attempts, so long after the first began.
    pub(crate) fn placed(&self, attempts: u32, since_first: Duration) {
        self.tries.observe_number(attempts.into(), &ATTEMPTS);
        let label = if attempts >= MANY {
            format!("{MANY}+")
        } else {
            attempts.to_string()
        };
        self.whole
            .with(&[&label], |times| times.observe(since_first, &WHOLE));
    }

    /// Preemption was tried.
    pub(crate) fn preemption(&self) {
        self.preemptions.fetch_add(1, Ordering::Relaxed);
    }

    /// So many pods have to go for another.
    pub(crate) fn victims(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.victims.observe_number(count, &VICTIMS);
    }

    /// What there is now.
    pub(crate) fn show(&self, sizes: &Sizes) {
        let waits = &sizes.waits;
        let values = [
            waits.active,
            waits.backoff,
            waits.gated,
            waits.parked,
            sizes.assumed,
            sizes.nodes,
            sizes.pods,
            sizes.running,
        ];
        for (gauge, value) in self.gauges.iter().zip(values) {
            gauge.store(value, Ordering::Relaxed);
        }
    }

    /// Writes all of it.
    pub fn write(&self, text: &mut Text) {
        let gauges: Vec<usize> = self
            .gauges
            .iter()
            .map(|gauge| gauge.load(Ordering::Relaxed))
            .collect();
        let (queues, rest) = gauges.split_at(4);
        let (cache, running) = rest.split_at(3);
        text.family(
            "scheduler_cache_size",
            "gauge",
            "Number of nodes, pods, and assumed (bound) pods in the scheduler cache.",
        );
        for (name, value) in ["assumed_pods", "nodes", "pods"].iter().zip(cache) {
            text.value(&[("type", name)], value);
        }
        text.family(
            "scheduler_goroutines",
            "gauge",
            "Number of decisions that are being carried out.",
        );
        for value in running {
            text.value(&[("operation", "binding")], value);
        }
        text.family(
            "scheduler_pending_pods",
            "gauge",
            "Number of pending pods, by the queue type.",
        );
        let names = ["active", "backoff", "gated", "unschedulable"];
        for (name, value) in names.iter().zip(queues) {
            text.value(&[("queue", name)], value);
        }
        text.family(
            "scheduler_pod_scheduling_attempts",
            "histogram",
            "Number of attempts to successfully schedule a pod.",
        );
        plain(text, &self.tries, &ATTEMPTS);
        text.family(
            "scheduler_pod_scheduling_sli_duration_seconds",
            "histogram",
            "E2e latency for a pod being scheduled, from the first attempt on.",
        );
        self.whole.each(|labels, times| {
            let (counts, sum) = times.read();
            for attempts in labels {
                text.histogram(&[("attempts", attempts)], &WHOLE, &counts, sum);
            }
        });
        text.family(
            "scheduler_preemption_attempts_total",
            "counter",
            "Total preemption attempts in the cluster till now",
        );
        text.value(&[], self.preemptions.load(Ordering::Relaxed));
        text.family(
            "scheduler_preemption_victims",
            "histogram",
            "Number of selected preemption victims",
        );
        plain(text, &self.victims, &VICTIMS);
        text.family(
            "scheduler_schedule_attempts_total",
            "counter",
            "Number of attempts to schedule pods, by the result.",
        );
        self.attempts.each(|labels, count| {
            text.value(&named(labels), count.load(Ordering::Relaxed));
        });
        text.family(
            "scheduler_scheduling_algorithm_duration_seconds",
            "histogram",
            "Scheduling algorithm latency in seconds",
        );
        plain(text, &self.algorithm, &ATTEMPT);
        text.family(
            "scheduler_scheduling_attempt_duration_seconds",
            "histogram",
            "Scheduling attempt latency in seconds (scheduling algorithm + binding)",
        );
        self.durations.each(|labels, times| {
            let (counts, sum) = times.read();
            text.histogram(&named(labels), &ATTEMPT, &counts, sum);
        });
    }
}

fn named<'a>(labels: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    ["profile", "result"]
        .into_iter()
        .zip(labels.iter().copied())
        .collect()
}

fn plain<const N: usize>(text: &mut Text, values: &Histogram<N>, bounds: &[f64]) {
    let (counts, sum) = values.read();
    text.histogram(&[], bounds, &counts, sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_under_upstreams_names() {
        let metrics = Metrics::default();
        metrics.attempt(Outcome::Scheduled, Duration::from_millis(3));
        metrics.attempt(Outcome::Unschedulable, Duration::from_millis(1));
        metrics.placed(20, Duration::from_secs(1));
        metrics.preemption();
        metrics.victims(3);
        metrics.show(&Sizes {
            waits: Waits {
                active: 1,
                backoff: 2,
                parked: 3,
                gated: 4,
            },
            assumed: 5,
            nodes: 6,
            pods: 7,
            running: 8,
        });
        let mut text = Text::default();
        metrics.write(&mut text);
        let page = text.finish();
        for line in [
            "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 1",
            "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"unschedulable\"} 1",
            "scheduler_scheduling_attempt_duration_seconds_bucket{profile=\"default-scheduler\",result=\"scheduled\",le=\"0.002\"} 0",
            "scheduler_scheduling_attempt_duration_seconds_bucket{profile=\"default-scheduler\",result=\"scheduled\",le=\"0.004\"} 1",
            "scheduler_pod_scheduling_sli_duration_seconds_count{attempts=\"15+\"} 1",
            "scheduler_preemption_attempts_total 1",
            "scheduler_preemption_victims_bucket{le=\"2\"} 0",
            "scheduler_preemption_victims_bucket{le=\"4\"} 1",
            "scheduler_pending_pods{queue=\"active\"} 1",
            "scheduler_pending_pods{queue=\"backoff\"} 2",
            "scheduler_pending_pods{queue=\"unschedulable\"} 3",
            "scheduler_pending_pods{queue=\"gated\"} 4",
            "scheduler_cache_size{type=\"assumed_pods\"} 5",
            "scheduler_cache_size{type=\"nodes\"} 6",
            "scheduler_cache_size{type=\"pods\"} 7",
        ] {
            assert!(page.contains(line), "{line}\n{page}");
        }
    }
}
