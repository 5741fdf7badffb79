//! Counting who gets in.

use futures::FutureExt;
use futures::future::BoxFuture;
use identity::{Authenticator, Credentials, Identity, Rejection};
use metrics::Histogram;
use metrics::Text;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Upstream's buckets: from a millisecond, doubling.
const SECONDS: [f64; 15] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
    8.192, 16.384,
];

#[derive(Default)]
pub(super) struct Authentication {
    success: Answer,
    failure: Answer,
    error: Answer,
    known: AtomicU64,
    by_email: AtomicU64,
}

#[derive(Default)]
struct Answer {
    count: AtomicU64,
    seconds: Histogram<16>,
}

/// An authenticator whose answers are counted.
pub struct CountedAuthenticator {
    inner: Arc<dyn Authenticator>,
    counters: Arc<Authentication>,
}

impl CountedAuthenticator {
    pub(super) fn new(inner: Arc<dyn Authenticator>, counters: Arc<Authentication>) -> Self {
        Self { inner, counters }
    }
}

impl Authenticator for CountedAuthenticator {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        let began = Instant::now();
        let answer = self.inner.authenticate(credentials);
        Box::pin(answer.map(move |answer| {
            self.counters.count(&answer, began);
            answer
        }))
    }
}

impl Authentication {
    fn count(&self, answer: &Result<Option<Identity>, Rejection>, began: Instant) {
        let counted = match answer {
            Ok(Some(identity)) => {
                // As upstream, names are not labels: there may be any number of them.
                let users = if identity.user.name.contains('@') {
                    &self.by_email
                } else {
                    &self.known
                };
                users.fetch_add(1, Ordering::Relaxed);
                &self.success
            }
            Ok(None) => &self.failure,
            Err(_) => &self.error,
        };
        counted.count.fetch_add(1, Ordering::Relaxed);
        counted.seconds.observe(began.elapsed(), &SECONDS);
    }

    pub(super) fn write(&self, text: &mut Text) {
        let answers = [
            ("error", &self.error),
            ("failure", &self.failure),
            ("success", &self.success),
        ];
        text.family(
            "authenticated_user_requests",
            "counter",
            "Counter of authenticated requests broken out by username.",
        );
        for (name, count) in [("email_id", &self.by_email), ("other", &self.known)] {
            text.value(&[("username", name)], count.load(Ordering::Relaxed));
        }
        text.family(
            "authentication_attempts",
            "counter",
            "Counter of authenticated attempts.",
        );
        for (result, answer) in answers {
            text.value(&[("result", result)], answer.count.load(Ordering::Relaxed));
        }
        text.family(
            "authentication_duration_seconds",
            "histogram",
            "Authentication duration in seconds broken out by result.",
        );
        for (result, answer) in answers {
            let (counts, sum) = answer.seconds.read();
            text.histogram(&[("result", result)], &SECONDS, &counts, sum);
        }
    }
}
