//! How long a container that keeps ending waits before it is started again.

use jiff::{SignedDuration, Timestamp};

/// The first wait.
const FIRST: SignedDuration = SignedDuration::from_secs(10);
/// The longest wait.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);
/// A container that ran for so long since its last start counts as well again.
const FORGET: SignedDuration = SignedDuration::from_mins(10);

/// The waits of one container, or of pulling one image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// How long to wait after the next end.
    pub wait: SignedDuration,
    /// When that was decided.
    pub since: Timestamp,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Now; this is to be remembered for the next time.
    Now(Backoff),
    /// Not before `until`.
    Wait {
        /// The moment.
        until: Timestamp,
        /// The whole wait, as messages state it.
        wait: SignedDuration,
    },
}

/// Decides at `now` whether what ended at `ended` is tried again. The first time it is at once,
/// then after 10 seconds, doubling up to 5 minutes; more than 10 minutes between two ends begin
/// anew. Follows upstream's `flowcontrol.Backoff` with the kubelet's numbers.
pub fn decide(memory: Option<Backoff>, ended: Timestamp, now: Timestamp) -> Decision {
    let memory = recent(memory, ended);
    if let Some(memory) = memory
        && now.duration_since(ended) < memory.wait
    {
        let until = ended.checked_add(memory.wait).unwrap_or(Timestamp::MAX);
        return Decision::Wait {
            until,
            wait: memory.wait,
        };
    }
    Decision::Now(grown(memory, now))
}

/// What to remember after a failure at `now`, where waits begin with the first failure: 10 seconds,
/// doubling up to 5 minutes; more than 10 minutes between two failures begin anew.
pub fn failed(memory: Option<Backoff>, now: Timestamp) -> Backoff {
    grown(recent(memory, now), now)
}

fn recent(memory: Option<Backoff>, event: Timestamp) -> Option<Backoff> {
    memory.filter(|memory| event.duration_since(memory.since) <= FORGET)
}

fn grown(memory: Option<Backoff>, now: Timestamp) -> Backoff {
    let wait = memory.map_or(FIRST, |memory| {
        memory.wait.saturating_add(memory.wait).min(LONGEST)
    });
    Backoff { wait, since: now }
}

/// A wait as messages state it: `10s`, `1m20s`, `5m0s`.
pub fn words(wait: SignedDuration) -> String {
    match (wait.as_mins(), wait.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_container_that_ends_at_once_waits_longer_and_longer() {
        let mut memory = None;
        let mut now = 1000;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let ended = now;
            loop {
                match decide(memory, at(ended), at(now)) {
                    Decision::Now(next) => {
                        memory = Some(next);
                        break;
                    }
                    Decision::Wait { until, .. } => now = until.as_second(),
                }
            }
            waits.push(now - ended);
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
    }

    #[test]
    fn a_container_that_ran_long_begins_anew() {
        let memory = Some(Backoff {
            wait: LONGEST,
            since: at(1000),
        });
        assert_eq!(
            decide(memory, at(1600), at(1700)),
            Decision::Wait {
                until: at(1900),
                wait: LONGEST
            }
        );
        let fresh = Backoff {
            wait: FIRST,
            since: at(1601),
        };
        assert_eq!(decide(memory, at(1601), at(1601)), Decision::Now(fresh));
    }

    #[test]
    fn waits_in_words() {
        for (seconds, want) in [(10, "10s"), (60, "1m0s"), (80, "1m20s"), (300, "5m0s")] {
            assert_eq!(words(SignedDuration::from_secs(seconds)), want);
        }
    }

    proptest! {
        #[test]
        fn a_wait_ends_when_it_says(since in 0i64..10_000, ended in 0i64..10_000, now in 0i64..20_000) {
            let memory = Some(Backoff { wait: FIRST, since: at(since) });
            if let Decision::Wait { until, .. } = decide(memory, at(ended), at(now)) {
                prop_assert!(until > at(now));
                prop_assert!(matches!(decide(memory, at(ended), until), Decision::Now(_)));
            }
        }
    }
}
