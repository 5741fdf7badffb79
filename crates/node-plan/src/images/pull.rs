//! Whether to pull an image now.

use crate::lifecycle::backoff::Backoff;
use jiff::Timestamp;
use model::Value;
use model::go::quoted;
use model::validation::read::text;

/// What is known of an image when a container needs it.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The container.
    pub container: &'a Value,
    /// Whether the node has the image.
    pub present: bool,
    /// The waits of this pod for this image, from [`crate::lifecycle::backoff::failed`].
    pub backoff: Option<Backoff>,
    /// What went wrong the last time, with its reason.
    pub last_error: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is there; the message of the event `Pulled`.
    Present(String),
    /// Pull it; the message of the event `Pulling`.
    Pull(String),
    /// The container waits with this reason and message.
    Wait {
        /// The waiting reason.
        reason: &'static str,
        /// The message.
        message: String,
        /// When it is tried again by itself.
        until: Option<Timestamp>,
    },
}

/// The waiting reason of a container whose image could not be pulled.
pub const PULL_ERROR: &str = "ErrImagePull";
/// The waiting reason of a container whose image is not pulled for a while.
pub const BACK_OFF: &str = "ImagePullBackOff";
/// The waiting reason of a container whose image may not be pulled and is not there.
pub const NEVER: &str = "ErrImageNeverPull";
/// The waiting reason of a container whose image has no name that could be read.
pub const INVALID_NAME: &str = "InvalidImageName";

/// Decides by the container's `imagePullPolicy`, as defaulted by the API.
pub fn decide(situation: &Situation<'_>) -> Answer {
    let image = quoted(text(situation.container, "image"));
    match (
        text(situation.container, "imagePullPolicy"),
        situation.present,
    ) {
        ("IfNotPresent" | "Never", true) => {
            return Answer::Present(format!(
                "Container image {image} already present on machine"
            ));
        }
        ("Never", false) => {
            return Answer::Wait {
                reason: NEVER,
                message: format!(
                    "Container image {image} is not present with pull policy of Never"
                ),
                until: None,
            };
        }
        _ => {}
    }
    let wait = situation.backoff.and_then(|backoff| {
        let until = backoff.since.checked_add(backoff.wait).ok()?;
        (situation.now < until).then_some(until)
    });
    if wait.is_none() {
        return Answer::Pull(format!("Pulling image {image}"));
    }
    let because = situation
        .last_error
        .map_or(String::new(), |error| format!(": {error}"));
    Answer::Wait {
        reason: BACK_OFF,
        message: format!("Back-off pulling image {image}{because}"),
        until: wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::backoff::failed;
    use jiff::SignedDuration;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn policies() {
        let backoff = Some(Backoff {
            wait: SignedDuration::from_secs(20),
            since: at(90),
        });
        let pull = || Answer::Pull("Pulling image \"busybox\"".to_owned());
        let there =
            || Answer::Present("Container image \"busybox\" already present on machine".to_owned());
        let wait = |reason, message: &str, until: Option<i64>| Answer::Wait {
            reason,
            message: message.to_owned(),
            until: until.map(at),
        };
        for (policy, present, backoff, now, want) in [
            ("Always", true, None, 100, pull()),
            ("Always", false, None, 100, pull()),
            ("IfNotPresent", true, backoff, 100, there()),
            ("IfNotPresent", false, None, 100, pull()),
            ("IfNotPresent", false, backoff, 110, pull()),
            (
                "IfNotPresent",
                false,
                backoff,
                100,
                wait(
                    BACK_OFF,
                    "Back-off pulling image \"busybox\": ErrImagePull: no such host",
                    Some(110),
                ),
            ),
            ("Never", true, None, 100, there()),
            (
                "Never",
                false,
                None,
                100,
                wait(
                    NEVER,
                    "Container image \"busybox\" is not present with pull policy of Never",
                    None,
                ),
            ),
        ] {
            let container = json!({"image": "busybox", "imagePullPolicy": policy});
            let answer = decide(&Situation {
                container: &container,
                present,
                backoff,
                last_error: Some("ErrImagePull: no such host"),
                now: at(now),
            });
            assert_eq!(answer, want, "{policy} {present}");
        }
    }

    #[test]
    fn waits_double() {
        let mut memory = None;
        let mut waits = Vec::new();
        let mut now = 1000;
        for _ in 0..7 {
            let next = failed(memory, at(now));
            assert_eq!(next.since, at(now));
            waits.push(next.wait.as_secs());
            now += next.wait.as_secs() + 1;
            memory = Some(next);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(failed(memory, at(now + 1000)).wait.as_secs(), 10);
    }
}
