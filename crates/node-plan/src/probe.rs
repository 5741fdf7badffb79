//! The probes of containers: when to probe, and what the answers mean.

use jiff::Timestamp;
use model::Value;
use model::validation::read::{get, int};

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Whether the container has come up; the other two wait for it.
    Startup,
    /// Whether it must be restarted.
    Liveness,
    /// Whether it can be given work.
    Readiness,
}

impl Kind {
    /// The field of the container.
    pub fn field(self) -> &'static str {
        match self {
            Self::Startup => "startupProbe",
            Self::Liveness => "livenessProbe",
            Self::Readiness => "readinessProbe",
        }
    }

    /// As events call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// What is held of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Success,
    /// Not as it should be.
    Failure,
    /// Not known yet.
    Unknown,
}

/// The numbers of a probe; seconds and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Before the first probe, from the container's start.
    pub initial_delay: i64,
    /// Between two probes.
    pub period: i64,
    /// Until a probe without an answer has failed.
    pub timeout: i64,
    /// Successes in a row that turn a failure.
    pub successes: i64,
    /// Failures in a row that turn a success.
    pub failures: i64,
}

impl Timing {
    /// Those of a container's probe, with the API's defaults; `None` if it has none of that kind.
    pub fn of(container: &Value, kind: Kind) -> Option<Self> {
        let probe = get(container, kind.field())?;
        let or =
            |field: &str, default: i64| int(probe, field).filter(|n| *n > 0).unwrap_or(default);
        Some(Self {
            initial_delay: or("initialDelaySeconds", 0),
            period: or("periodSeconds", 10),
            timeout: or("timeoutSeconds", 1),
            successes: or("successThreshold", 1),
            failures: or("failureThreshold", 3),
        })
    }
}

/// The state of one probe of one container, from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    kind: Kind,
    timing: Timing,
    verdict: Verdict,
    /// The last answer, and how often it came in a row.
    run: Option<(bool, i64)>,
    /// Whether its time is over: a restart follows, or it is not needed any more.
    held: bool,
}

impl Probe {
    /// For a container that just started. A container counts as alive until it is shown not to be,
    /// and as not ready until it is shown to be.
    pub fn new(kind: Kind, timing: Timing) -> Self {
        let verdict = match kind {
            Kind::Startup => Verdict::Unknown,
            Kind::Liveness => Verdict::Success,
            Kind::Readiness => Verdict::Failure,
        };
        Self {
            kind,
            timing,
            verdict,
            run: None,
            held: false,
        }
    }

    /// What is held of the container now.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether to probe now a container that is running since `since`. `started` is whether its
    /// startup probe has succeeded, or it has none; `ending` whether its pod is being deleted,
    /// when only readiness is of interest.
    pub fn is_due(
        &self,
        since: Timestamp,
        now: Timestamp,
        last: Option<Timestamp>,
        started: bool,
        ending: bool,
    ) -> bool {
        let for_startup = self.kind == Kind::Startup;
        if self.held || started == for_startup || (ending && self.kind != Kind::Readiness) {
            return false;
        }
        let seconds = |from: Timestamp| now.duration_since(from).as_secs();
        seconds(since) >= self.timing.initial_delay
            && last.is_none_or(|last| seconds(last) >= self.timing.period)
    }

    /// Takes an answer into account. A probe that could not be made has none.
    pub fn answer(&mut self, success: bool) {
        if self.held {
            return;
        }
        let count = match self.run {
            Some((last, count)) if last == success => count.saturating_add(1),
            _ => 1,
        };
        self.run = Some((success, count));
        let needed = if success {
            self.timing.successes
        } else {
            self.timing.failures
        };
        if count < needed {
            return;
        }
        self.verdict = if success {
            Verdict::Success
        } else {
            Verdict::Failure
        };
        // A container that is to be restarted, or has come up, is not probed again.
        self.held = match self.kind {
            Kind::Startup => true,
            Kind::Liveness => !success,
            Kind::Readiness => false,
        };
    }
}

/// The message of the `Unhealthy` event of a probe that failed with this output.
pub fn failure(kind: Kind, output: &str) -> String {
    format!("{} probe failed: {output}", kind.word())
}

/// The message of the `Unhealthy` event of a probe that could not be made.
pub fn error(kind: Kind, error: &str) -> String {
    format!("{} probe errored: {error}", kind.word())
}

/// Whether an HTTP answer is a success.
pub fn is_http_success(status: u16) -> bool {
    (200..400).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const TIMING: Timing = Timing {
        initial_delay: 5,
        period: 10,
        timeout: 1,
        successes: 2,
        failures: 3,
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn after(kind: Kind, answers: &str) -> Verdict {
        let mut probe = Probe::new(kind, TIMING);
        answers
            .chars()
            .for_each(|answer| probe.answer(answer == '+'));
        probe.verdict()
    }

    #[test]
    fn thresholds() {
        for (kind, answers, want) in [
            (Kind::Readiness, "", Verdict::Failure),
            (Kind::Readiness, "+", Verdict::Failure),
            (Kind::Readiness, "++", Verdict::Success),
            (Kind::Readiness, "+-+", Verdict::Failure),
            (Kind::Readiness, "++--+--", Verdict::Success),
            (Kind::Readiness, "++---", Verdict::Failure),
            (Kind::Readiness, "++---++", Verdict::Success),
            (Kind::Liveness, "", Verdict::Success),
            (Kind::Liveness, "--", Verdict::Success),
            (Kind::Liveness, "---", Verdict::Failure),
            // A container that is to be restarted stays so.
            (Kind::Liveness, "---++", Verdict::Failure),
            (Kind::Startup, "", Verdict::Unknown),
            (Kind::Startup, "--", Verdict::Unknown),
            (Kind::Startup, "---", Verdict::Failure),
            (Kind::Startup, "++---", Verdict::Success),
        ] {
            assert_eq!(after(kind, answers), want, "{kind:?} {answers}");
        }
    }

    #[test]
    fn when_to_probe() {
        let probe = |kind| Probe::new(kind, TIMING);
        let due = |kind, now, last: Option<i64>, started, ending| {
            probe(kind).is_due(at(100), at(now), last.map(at), started, ending)
        };
        assert!(!due(Kind::Liveness, 104, None, true, false));
        assert!(due(Kind::Liveness, 105, None, true, false));
        assert!(!due(Kind::Liveness, 105, None, false, false));
        assert!(due(Kind::Startup, 105, None, false, false));
        assert!(!due(Kind::Startup, 105, None, true, false));
        assert!(!due(Kind::Readiness, 114, Some(105), true, false));
        assert!(due(Kind::Readiness, 115, Some(105), true, false));
        assert!(due(Kind::Readiness, 115, None, true, true));
        assert!(!due(Kind::Liveness, 115, None, true, true));
        let mut failed = probe(Kind::Liveness);
        (0..3).for_each(|_| failed.answer(false));
        assert!(!failed.is_due(at(100), at(200), None, true, false));
    }

    #[test]
    fn numbers_have_defaults() {
        let container = json!({"livenessProbe": {"failureThreshold": 1, "successThreshold": 0}});
        assert_eq!(
            Timing::of(&container, Kind::Liveness),
            Some(Timing {
                initial_delay: 0,
                period: 10,
                timeout: 1,
                successes: 1,
                failures: 1
            })
        );
        assert_eq!(Timing::of(&container, Kind::Startup), None);
        for (status, want) in [
            (199, false),
            (200, true),
            (302, true),
            (399, true),
            (400, false),
        ] {
            assert_eq!(is_http_success(status), want);
        }
    }

    proptest! {
        /// A verdict only turns after as many answers in a row as its threshold asks.
        #[test]
        fn a_verdict_turns_after_a_run(answers in proptest::collection::vec(any::<bool>(), 0..30)) {
            let mut probe = Probe::new(Kind::Readiness, TIMING);
            for i in 0..answers.len() {
                let before = probe.verdict();
                probe.answer(answers[i]);
                let length = if answers[i] { 2 } else { 3 };
                let run = answers[..=i].iter().rev().take_while(|a| **a == answers[i]).count();
                let turned = probe.verdict() != before;
                let wanted = if answers[i] { Verdict::Success } else { Verdict::Failure };
                prop_assert_eq!(turned, before != wanted && run >= length);
            }
        }
    }
}
