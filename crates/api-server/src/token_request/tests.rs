use super::*;
use crate::authorization::Masters;
use crate::cache::{Cache, HistoryLimits};
use crate::query::Query;
use crate::request_info::RequestInfo;
use identity::{Chain, ServiceAccountKeys};
use model::registry::Registry;
use model::user::UserInfo;
use std::sync::Arc;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

struct Objects;

impl admission::Lookup for Objects {
    fn get(&self, _: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let object = match (resource, namespace, name) {
            ("serviceaccounts", "ns", "robot") => json!({"metadata": {"uid": "sa-uid"}}),
            ("pods", "ns", "web") => json!({"metadata": {"uid": "pod-uid"},
                "spec": {"serviceAccountName": "robot", "nodeName": "n1"}}),
            ("pods", "ns", "lost") => json!({"metadata": {"uid": "lost-uid"},
                "spec": {"serviceAccountName": "robot", "nodeName": "gone"}}),
            ("pods", "ns", "other") => json!({"metadata": {"uid": "other-uid"},
                "spec": {"serviceAccountName": "default"}}),
            ("secrets", "ns", "s") => json!({"metadata": {"uid": "secret-uid"}}),
            ("nodes", "", "n1") => json!({"metadata": {"uid": "node-uid"}}),
            _ => return None,
        };
        Some(Arc::new(object))
    }
    fn list(&self, _: &str, _: &str, _: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }
}

/// What the request is answered with, and the token's `kubernetes.io` claim.
fn post(account: &str, object: Value) -> Result<(Value, Value), Status> {
    let dir = tempfile::tempdir().unwrap();
    let keys = Arc::new(ServiceAccountKeys::open(dir.path()).unwrap());
    let registry = Arc::new(Registry::builtin());
    let store = Arc::new(reference_models::store::MemoryStore::new());
    let services = Services {
        authenticator: Arc::new(Chain::new(vec![], false)),
        authorizer: Arc::new(Masters),
        cache: Arc::new(Cache::new(
            &registry,
            store,
            vec![],
            HistoryLimits::default(),
        )),
        lookup: Arc::new(Objects),
        registry,
    };
    let path = format!("/api/v1/namespaces/ns/serviceaccounts/{account}/token");
    let info = RequestInfo::new(&http::Method::POST, &path, &Query::default());
    assert_eq!(info.subresource, "token");
    let user = UserInfo::new("jane", ["dev"]);
    let requests = TokenRequests::new(TokenIssuer::new(ISSUER, vec![], keys));
    let mut notes = Vec::new();
    let call = Call {
        user: &user,
        info: &info,
        object,
        dry_run: false,
        notes: &mut notes,
        services: &services,
    };
    let answer = requests.answer(call, NOW)?;
    let claims = text(&answer, &["status", "token"])
        .split('.')
        .nth(1)
        .unwrap();
    use base64::Engine;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["sub"], "system:serviceaccount:ns:robot");
    let issued = format!("JTI={}", claims["jti"].as_str().unwrap());
    let key = "authentication.kubernetes.io/issued-credential-id";
    assert_eq!(notes, [(key.to_owned(), issued)]);
    Ok((answer, claims["kubernetes.io"].clone()))
}

#[test]
fn a_request_is_completed_and_answered() {
    for object in [
        json!({}),
        json!({"spec": null}),
        json!({"metadata": {"creationTimestamp": null}, "spec": {"audiences": null}}),
        json!({"spec": {"audiences": [ISSUER], "expirationSeconds": 3600}}),
    ] {
        let (mut answer, claims) = post("robot", object.clone()).unwrap();
        let status = answer["status"].take();
        assert_eq!(
            answer,
            json!({
                "metadata": {"name": "robot", "namespace": "ns",
                    "creationTimestamp": "2027-01-15T08:00:00Z"},
                "spec": {"audiences": [ISSUER], "expirationSeconds": 3600},
                "status": null,
            }),
            "{object}"
        );
        assert_eq!(status["expirationTimestamp"], "2027-01-15T09:00:00Z");
        assert_eq!(
            claims,
            json!({"namespace": "ns", "serviceaccount": {"name": "robot", "uid": "sa-uid"}})
        );
    }
}

#[test]
fn tokens_are_bound_to_what_is_there() {
    for (reference, key, expected) in [
        (
            json!({"kind": "Pod", "apiVersion": "v1", "name": "web"}),
            "pod",
            json!({"name": "web", "uid": "pod-uid"}),
        ),
        (
            json!({"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "pod-uid"}),
            "node",
            json!({"name": "n1", "uid": "node-uid"}),
        ),
        (
            json!({"kind": "Pod", "apiVersion": "v1", "name": "lost"}),
            "node",
            json!({"name": "gone"}),
        ),
        (
            json!({"kind": "Secret", "apiVersion": "v1", "name": "s"}),
            "secret",
            json!({"name": "s", "uid": "secret-uid"}),
        ),
        (
            json!({"kind": "Node", "apiVersion": "v1", "name": "n1"}),
            "node",
            json!({"name": "n1", "uid": "node-uid"}),
        ),
    ] {
        let object = json!({"spec": {"boundObjectRef": reference}});
        let (_, claims) = post("robot", object.clone()).unwrap();
        assert_eq!(claims[key], expected, "{object}");
    }
}

#[test]
fn mistakes_are_refused_in_upstreams_words() {
    let bound = |reference: Value| json!({"spec": {"boundObjectRef": reference}});
    for (account, object, code, expected) in [
        (
            "nobody",
            json!({}),
            404,
            "serviceaccounts \"nobody\" not found",
        ),
        (
            "robot",
            json!({"metadata": {"name": "x"}}),
            422,
            "TokenRequest.authentication.k8s.io \"robot\" is invalid: metadata.name: Invalid \
             value: \"x\": must match the service account name if specified",
        ),
        (
            "robot",
            json!({"metadata": {"namespace": "x"}}),
            422,
            "must match the service account namespace if specified",
        ),
        (
            "robot",
            json!({"spec": {"expirationSeconds": 599}}),
            422,
            "spec.expirationSeconds: Invalid value: 599: may not specify a duration less than 10 \
             minutes",
        ),
        (
            "robot",
            json!({"spec": {"expirationSeconds": 4_294_967_297_i64}}),
            422,
            "may not specify a duration larger than 2^32 seconds",
        ),
        (
            "robot",
            bound(json!({"kind": "Pod", "apiVersion": "v1", "name": "none"})),
            404,
            "pods \"none\" not found",
        ),
        (
            "robot",
            bound(json!({"kind": "Pod", "apiVersion": "v1", "name": "other"})),
            400,
            "cannot bind token for serviceaccount \"robot\" to pod running with different \
             serviceaccount name.",
        ),
        (
            "robot",
            bound(json!({"kind": "ConfigMap", "apiVersion": "v1", "name": "c"})),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            "robot",
            bound(json!({"kind": "Pod", "apiVersion": "apps/v1", "name": "web"})),
            400,
            "cannot bind token to object of type apps/v1, Kind=Pod",
        ),
        (
            "robot",
            bound(json!({"kind": "Secret", "apiVersion": "v1", "name": "s", "uid": "old"})),
            409,
            "Operation cannot be fulfilled on Secret \"s\": the UID in the bound object reference \
             (old) does not match the UID in record.",
        ),
    ] {
        let status = post(account, object.clone()).unwrap_err();
        assert_eq!(status.code, code, "{object}: {}", status.message);
        assert!(
            status.message.contains(expected),
            "{object}: {}",
            status.message
        );
    }
}
