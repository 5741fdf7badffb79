//! Carrying out a decision, beside the loop that makes the next one.

use crate::requests::{Making, Requests};
use crate::sources::Source;
use crate::volumes::Claiming;
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
    /// The volumes of the pod's claims were asked for, or could not all be.
    Claimed {
        claiming: Box<Claiming>,
        /// What was written.
        written: Vec<(Source, Value)>,
        result: Result<(), Status>,
    },
    /// The pod knows why it has no node, and whoever had to go for it is going.
    Explained {
        key: PodKey,
        refused_by: BTreeSet<Plugin>,
    },
    /// That could not be brought about.
    NotExplained { key: PodKey, status: Status },
}

/// What is done about a pod that has no node.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What is to be written into its status.
    pub(crate) status: Option<Value>,
    /// Who has to go.
    pub(crate) making: Option<Making>,
    /// Whose word can change; none if the pod is to be tried again soon.
    pub(crate) refused_by: BTreeSet<Plugin>,
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

/// Asks for the volumes of a pod's claims.
pub(crate) async fn claim(requests: Arc<Requests>, claiming: Claiming) -> Done {
    let mut written = Vec::new();
    let result = requests.ask_volumes(&claiming, &mut written).await;
    Done::Claimed {
        claiming: Box::new(claiming),
        written,
        result,
    }
}

/// Tells a pod why it has no node, and makes room for it.
pub(crate) async fn explain(requests: Arc<Requests>, pod: Value, failure: Failure) -> Done {
    let key = PodKey::of(&pod);
    match told(&requests, &pod, &key, failure.status, failure.making).await {
        Ok(()) => Done::Explained {
            key,
            refused_by: failure.refused_by,
        },
        Err(status) => Done::NotExplained { key, status },
    }
}

async fn told(
    requests: &Requests,
    pod: &Value,
    key: &PodKey,
    status: Option<Value>,
    making: Option<Making>,
) -> Result<(), Status> {
    if let Some(status) = status {
        requests.patch_status(key, status).await?;
    }
    match making {
        Some(making) => requests.make_room(pod, &making).await,
        None => Ok(()),
    }
}
