//! What token checks ask of the cluster, answered from the cache.

use crate::cache::{Cache, CachedObject};
use crate::key;
use identity::{ObjectState, Objects, PodState, SecretState, Sensitive};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

const TOKEN_SECRET: &str = "kubernetes.io/service-account-token";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";

/// Answers [`identity::Objects`] from the cache. Only the fields that are asked for are read.
pub struct CacheObjects(pub Arc<Cache>);

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow, default)]
    deletion_timestamp: Option<Cow<'a, str>>,
}

impl Metadata<'_> {
    fn state(&self) -> ObjectState {
        ObjectState {
            uid: self.uid.to_string(),
            // A time that cannot be read counts as long past: the object is going away.
            deletion_timestamp: self.deletion_timestamp.as_deref().map(|text| {
                text.parse::<jiff::Timestamp>()
                    .map_or(i64::MIN, jiff::Timestamp::as_second)
            }),
        }
    }
}

#[derive(Deserialize)]
struct Pod<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: PodSpec<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec<'a> {
    #[serde(borrow, default)]
    service_account_name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    node_name: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Secret<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    #[serde(borrow, rename = "type", default)]
    kind: Cow<'a, str>,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

impl CacheObjects {
    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<CachedObject>> {
        let cache = self.0.named("", resource)?;
        cache.get(&key::of_object(&cache.prefix, namespace, name))
    }

    fn head(&self, resource: &str, namespace: &str, name: &str) -> Option<ObjectState> {
        let object = self.find(resource, namespace, name)?;
        let head: Head<'_> = serde_json::from_slice(object.bytes()).ok()?;
        Some(head.metadata.state())
    }
}

impl Objects for CacheObjects {
    fn service_account(&self, namespace: &str, name: &str) -> Option<ObjectState> {
        self.head("serviceaccounts", namespace, name)
    }

    fn pod(&self, namespace: &str, name: &str) -> Option<PodState> {
        let object = self.find("pods", namespace, name)?;
        let pod: Pod<'_> = serde_json::from_slice(object.bytes()).ok()?;
        Some(PodState {
            object: pod.metadata.state(),
            service_account: pod
                .spec
                .service_account_name
                .unwrap_or_default()
                .into_owned(),
            node: pod.spec.node_name.unwrap_or_default().into_owned(),
        })
    }

    fn secret(&self, namespace: &str, name: &str) -> Option<SecretState> {
        let object = self.find("secrets", namespace, name)?;
        let secret: Secret<'_> = serde_json::from_slice(object.bytes()).ok()?;
        let invalid_since = object
            .label(INVALID_SINCE)
            .filter(|since| !since.is_empty())
            .map(str::to_owned);
        let token = (secret.kind == TOKEN_SECRET)
            .then(|| secret.data.as_ref()?.get("token"))
            .flatten()
            .and_then(|encoded| decode(encoded));
        Some(SecretState {
            object: secret.metadata.state(),
            kind: secret.kind.into_owned(),
            token,
            invalid_since,
        })
    }

    fn node(&self, name: &str) -> Option<ObjectState> {
        self.head("nodes", "", name)
    }
}

fn decode(encoded: &str) -> Option<Sensitive> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .ok()?;
    String::from_utf8(bytes).ok().map(Sensitive::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::HistoryLimits;
    use crate::encoding::to_stored;
    use futures::executor::block_on;
    use model::Value;
    use model::registry::Registry;
    use serde_json::json;
    use storage_api::{Expected, Store};

    fn objects(objects: &[(&str, Value)]) -> CacheObjects {
        let registry = Registry::builtin();
        let store = Arc::new(reference_models::store::MemoryStore::new());
        for (key, object) in objects {
            let key = format!("{}core/{key}", key::ROOT);
            block_on(store.put(&key, to_stored(object), Expected::Absent, None)).unwrap();
        }
        let cache = Cache::new(&registry, store, vec![], HistoryLimits::default());
        block_on(cache.load()).unwrap();
        CacheObjects(Arc::new(cache))
    }

    #[test]
    fn only_what_tokens_ask_is_read() {
        let objects = objects(&[
            (
                "serviceaccounts/ns/robot",
                json!({"metadata": {"name": "robot", "uid": "u1"}}),
            ),
            (
                "pods/ns/web",
                json!({
                    "metadata": {"name": "web", "uid": "u2",
                        "deletionTimestamp": "2027-01-15T08:00:00Z"},
                    "spec": {"serviceAccountName": "robot", "nodeName": "n1", "containers": []},
                }),
            ),
            (
                "pods/ns/bare",
                json!({"metadata": {"uid": "u3"}, "spec": {}}),
            ),
            (
                "secrets/ns/s",
                json!({
                    "metadata": {"uid": "u4", "labels": {INVALID_SINCE: "2026-01-01"}},
                    "type": TOKEN_SECRET, "data": {"token": "YWJj", "ca.crt": "eA=="},
                }),
            ),
            (
                "secrets/ns/opaque",
                json!({"metadata": {"uid": "u5"}, "type": "Opaque", "data": {"token": "YWJj"}}),
            ),
            (
                "secrets/ns/empty",
                json!({"metadata": {"uid": "u6"}, "type": TOKEN_SECRET}),
            ),
            ("nodes/n1", json!({"metadata": {"name": "n1", "uid": "u7"}})),
        ]);
        let state = |uid: &str, deleted: Option<i64>| ObjectState {
            uid: uid.to_owned(),
            deletion_timestamp: deleted,
        };
        assert_eq!(
            objects.service_account("ns", "robot"),
            Some(state("u1", None))
        );
        assert_eq!(objects.service_account("other", "robot"), None);
        let pod = objects.pod("ns", "web").unwrap();
        assert_eq!(pod.object, state("u2", Some(1_800_000_000)));
        assert_eq!(
            (pod.service_account.as_str(), pod.node.as_str()),
            ("robot", "n1")
        );
        assert_eq!(objects.pod("ns", "bare").unwrap().node, "");
        let secret = objects.secret("ns", "s").unwrap();
        assert_eq!(secret.token, Some(Sensitive::new("abc")));
        assert_eq!(secret.invalid_since.as_deref(), Some("2026-01-01"));
        assert_eq!(objects.secret("ns", "opaque").unwrap().token, None);
        assert_eq!(objects.secret("ns", "empty").unwrap().token, None);
        assert_eq!(objects.node("n1"), Some(state("u7", None)));
        assert_eq!(objects.node("n2"), None);
    }
}
