//! Carrying out a decision, beside the loop that makes the next one.

use crate::requests::{Making, Reason, Requests};
use model::Value;
use model::status::Status;
use scheduling::{Plugin, PodKey};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An attempt to place a pod.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) started: Instant,
    /// How many there were, with this one.
    pub(crate) number: u32,
    /// How long before this one the first began.
    pub(crate) since_first: Duration,
}

/// What became of a decision.
#[derive(Debug)]
pub(crate) enum Done {
    /// The pod has its node.
    Bound { key: PodKey, attempt: Attempt },
    /// The pod could not be given its node.
    NotBound {
        pod: Box<Value>,
        key: PodKey,
        status: Status,
        attempt: Attempt,
    },
    /// The pod knows why it has no node, and whoever had to go for it is going.
    Explained {
        key: PodKey,
        refused_by: BTreeSet<Plugin>,
    },
    /// That could not be brought about.
    NotExplained { key: PodKey, status: Status },
}

/// Why a pod has no node, and what is done about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) reason: Reason,
    pub(crate) message: String,
    /// Whose word can change; none if the pod is to be tried again soon.
    pub(crate) refused_by: BTreeSet<Plugin>,
    /// The node that it waits for, if that is to be written; `""` is none.
    pub(crate) nominated: Option<String>,
    /// Who has to go.
    pub(crate) making: Option<Making>,
}

/// Gives a pod its node.
pub(crate) async fn bind(
    requests: Arc<Requests>,
    pod: Value,
    node: String,
    attempt: Attempt,
) -> Done {
    let key = PodKey::of(&pod);
    match requests.bind(&pod, &node).await {
        Ok(()) => Done::Bound { key, attempt },
        Err(status) => Done::NotBound {
            pod: Box::new(pod),
            key,
            status,
            attempt,
        },
    }
}

/// Tells a pod why it has no node, and makes room for it.
pub(crate) async fn explain(requests: Arc<Requests>, pod: Value, failure: Failure) -> Done {
    let key = PodKey::of(&pod);
    let nominated = failure.nominated.as_deref();
    let told = requests.explain(&pod, failure.reason, &failure.message, nominated);
    let mut result = told.await;
    if let (Ok(()), Some(making)) = (&result, &failure.making) {
        result = requests.make_room(&pod, making).await;
    }
    match result {
        Ok(()) => Done::Explained {
            key,
            refused_by: failure.refused_by,
        },
        Err(status) => Done::NotExplained { key, status },
    }
}
