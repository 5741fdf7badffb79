//! Counting who may do what.

use crate::authorization::{Authorizer, RuleList};
use metrics::Histogram;
use metrics::Text;
use model::user::UserInfo;
use rbac::{Attributes, Decision, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upstream's buckets: from a millisecond, doubling.
const SECONDS: [f64; 15] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
    8.192, 16.384,
];

/// What the chain as a whole answered to requests.
#[derive(Default)]
pub(super) struct Authorization {
    allowed: Answer,
    denied: Answer,
    no_opinion: Answer,
}

#[derive(Default)]
struct Answer {
    count: AtomicU64,
    seconds: Histogram<16>,
}

impl Authorization {
    pub(super) fn count(&self, verdict: &Verdict, elapsed: Duration) {
        let answer = match verdict {
            Verdict::Allow => &self.allowed,
            Verdict::Deny => &self.denied,
            Verdict::NoOpinion => &self.no_opinion,
        };
        answer.count.fetch_add(1, Ordering::Relaxed);
        answer.seconds.observe(elapsed, &SECONDS);
    }

    pub(super) fn write(&self, text: &mut Text) {
        let answers = [
            ("allowed", &self.allowed),
            ("denied", &self.denied),
            ("no-opinion", &self.no_opinion),
        ];
        text.family(
            "authorization_attempts_total",
            "counter",
            "Counter of authorization attempts broken down by result. It can be either 'allowed', \
             'denied', 'no-opinion' or 'error'.",
        );
        for (result, answer) in answers {
            text.value(&[("result", result)], answer.count.load(Ordering::Relaxed));
        }
        text.family(
            "authorization_duration_seconds",
            "histogram",
            "Authorization duration in seconds broken out by result.",
        );
        for (result, answer) in answers {
            let (counts, sum) = answer.seconds.read();
            text.histogram(&[("result", result)], &SECONDS, &counts, sum);
        }
    }
}

/// One authorizer of the chain, whose decisions are counted. That it has no opinion is none.
pub struct CountedAuthorizer {
    inner: Arc<dyn Authorizer>,
    kind: &'static str,
    name: &'static str,
    allowed: AtomicU64,
    denied: AtomicU64,
}

impl CountedAuthorizer {
    /// Counts for `inner`, which shows as upstream's authorizer of that type and name, such as
    /// `RBAC` and `rbac`.
    pub fn new(inner: Arc<dyn Authorizer>, kind: &'static str, name: &'static str) -> Self {
        Self {
            inner,
            kind,
            name,
            allowed: AtomicU64::new(0),
            denied: AtomicU64::new(0),
        }
    }
}

impl rbac::Authorizer for CountedAuthorizer {
    fn authorize(&self, attributes: &Attributes<'_>) -> Decision {
        let decision = self.inner.authorize(attributes);
        let counter = match decision.verdict {
            Verdict::Allow => &self.allowed,
            Verdict::Deny => &self.denied,
            Verdict::NoOpinion => return decision,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        decision
    }
}

impl Authorizer for CountedAuthorizer {
    fn rules(&self, user: &UserInfo, namespace: &str) -> RuleList {
        self.inner.rules(user, namespace)
    }
}

/// Writes the decisions of each authorizer.
pub(super) fn write_decisions(authorizers: &[Arc<CountedAuthorizer>], text: &mut Text) {
    if authorizers.is_empty() {
        return;
    }
    text.family(
        "apiserver_authorization_decisions_total",
        "counter",
        "Total number of terminal decisions made by an authorizer split by authorizer type, name, \
         and decision.",
    );
    for authorizer in authorizers {
        for (decision, count) in [
            ("allowed", &authorizer.allowed),
            ("denied", &authorizer.denied),
        ] {
            let count = count.load(Ordering::Relaxed);
            let labels = [
                ("decision", decision),
                ("name", authorizer.name),
                ("type", authorizer.kind),
            ];
            // As upstream, a series begins with its first event.
            if count > 0 {
                text.value(&labels, count);
            }
        }
    }
}
