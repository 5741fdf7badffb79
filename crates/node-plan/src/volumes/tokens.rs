//! The service account tokens that a pod's volumes hold.

use crate::containers;
use model::validation::read::{get, int, list, text};
use model::{Value, meta};
use std::collections::BTreeSet;

/// Seconds that a token is valid for where the volume does not say.
const DEFAULT_SECONDS: i64 = 3600;
/// Seconds after which a token is refreshed however long it is valid.
const OLDEST: i64 = 24 * 3600;

/// What is asked of the API server's `serviceaccounts/NAME/token`, bound to the pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenRequest {
    /// Whom the token is for; `None` for the API server.
    pub audience: Option<String>,
    /// How long it is to be valid, in seconds.
    pub seconds: i64,
}

impl TokenRequest {
    /// What a `serviceAccountToken` source asks for.
    pub(super) fn of(source: &Value) -> Self {
        let audience = text(source, "audience");
        Self {
            audience: (!audience.is_empty()).then(|| audience.to_owned()),
            seconds: int(source, "expirationSeconds").unwrap_or(DEFAULT_SECONDS),
        }
    }
}

/// Every token that the pod's projected volumes need.
pub fn requests(pod: &Value) -> BTreeSet<TokenRequest> {
    let volumes = get(pod, "spec").map_or(&[][..], |spec| list(spec, "volumes"));
    volumes
        .iter()
        .filter_map(|volume| get(volume, "projected"))
        .flat_map(|projected| list(projected, "sources"))
        .filter_map(|source| get(source, "serviceAccountToken"))
        .map(TokenRequest::of)
        .collect()
}

/// When a token that was asked for with `seconds` and is valid until `expires` (Unix seconds) is to
/// be replaced: after four fifths of its time, and at most after a day. `jitter`, from 0 to 10
/// seconds, spreads the nodes' requests.
pub fn refresh_at(expires: i64, seconds: i64, jitter: i64) -> i64 {
    let issued = expires.saturating_sub(seconds);
    let soon = issued.saturating_add(OLDEST);
    let late = expires.saturating_sub(seconds.saturating_mul(20) / 100);
    soon.min(late).saturating_sub(jitter)
}

/// The user that all containers of the pod run as; `None` if they differ or one does not say.
pub(super) fn reader(pod: &Value) -> Option<u32> {
    let of_pod = meta::at(pod, &["spec", "securityContext", "runAsUser"]);
    let mut users = containers::all(pod).map(|container| {
        meta::at(container.spec, &["securityContext", "runAsUser"])
            .or(of_pod)
            .and_then(Value::as_u64)
    });
    let first = users.next()??;
    users.all(|user| user == Some(first)).then_some(())?;
    u32::try_from(first).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_are_refreshed_at_four_fifths_or_after_a_day() {
        for (expires, seconds, jitter, want) in [
            (3600, 3600, 0, 2880),
            (3607, 3607, 0, 2886),
            (3600, 3600, 10, 2870),
            (7 * 86_400, 7 * 86_400, 0, 86_400),
            (i64::MIN, i64::MAX, 10, i64::MIN),
        ] {
            assert_eq!(refresh_at(expires, seconds, jitter), want);
        }
    }

    #[test]
    fn a_token_has_one_reader_only_if_all_containers_agree() {
        let container = |user: i64| json!({"securityContext": {"runAsUser": user}});
        for (spec, want) in [
            (json!({"containers": [container(7), container(7)]}), Some(7)),
            (json!({"containers": [container(7), container(8)]}), None),
            (json!({"containers": [container(7), {}]}), None),
            (
                json!({"containers": [container(7), {}],
                "securityContext": {"runAsUser": 7}}),
                Some(7),
            ),
            (
                json!({"containers": [container(7)], "initContainers": [container(0)]}),
                None,
            ),
            (json!({"containers": [{}]}), None),
        ] {
            assert_eq!(reader(&json!({"spec": spec})), want, "{spec}");
        }
    }

    #[test]
    fn what_volumes_ask_for() {
        let source = |source: Value| json!({"serviceAccountToken": source});
        let pod = json!({"spec": {"volumes": [{"projected": {"sources": [
            source(json!({"path": "a"})),
            source(json!({"path": "b", "audience": "vault", "expirationSeconds": 600})),
            source(json!({"path": "c", "expirationSeconds": 3600})),
        ]}}, {"emptyDir": {}}]}});
        let wanted: Vec<_> = requests(&pod).into_iter().collect();
        assert_eq!(
            wanted,
            [
                TokenRequest {
                    audience: None,
                    seconds: 3600
                },
                TokenRequest {
                    audience: Some("vault".to_owned()),
                    seconds: 600
                },
            ]
        );
    }
}
