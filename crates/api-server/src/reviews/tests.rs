use super::*;
use crate::authorization::{Authorizer, RuleList};
use crate::cache::{Cache, HistoryLimits};
use crate::plugin::{Call, Services};
use crate::query::Query;
use crate::request_info::RequestInfo;
use futures::executor::block_on;
use futures::future::{BoxFuture, ready};
use identity::{Authenticator, Credentials, Identity, Rejection};
use model::registry::Registry;
use model::user::UserInfo;
use rbac::{Attributes, Decision};
use serde_json::json;
use std::collections::BTreeMap;

/// Knows the token `good`, for the audiences `api` and `vault`.
struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(
        &'a self,
        credentials: &'a Credentials<'a>,
    ) -> BoxFuture<'a, Result<Option<Identity>, Rejection>> {
        let known = ["api", "vault"];
        let audiences: Vec<String> = if credentials.audiences.is_empty() {
            vec!["api".to_owned()]
        } else {
            credentials
                .audiences
                .iter()
                .filter(|a| known.contains(&a.as_str()))
                .cloned()
                .collect()
        };
        let answer = match credentials.bearer {
            Some("good") if !audiences.is_empty() => Ok(Some(Identity {
                user: UserInfo::new("robot", ["system:serviceaccounts"]),
                audiences,
            })),
            Some("plain") => Ok(Some(Identity {
                user: UserInfo::new("robot", [""; 0]),
                audiences: vec![],
            })),
            _ => Err(Rejection("it is not good".to_owned())),
        };
        Box::pin(ready(answer))
    }
}

/// Answers with what it was asked; denies deletions, allows `get`.
struct Echo;

impl rbac::Authorizer for Echo {
    fn authorize(&self, a: &Attributes<'_>) -> Decision {
        let selector = a.field_selector.map(ToString::to_string);
        let reason = format!(
            "{}{:?}{:?} {} {}/{}/{}/{} {}/{} path={} {}",
            a.user.name,
            a.user.groups,
            a.user.extra,
            a.verb,
            a.group,
            a.version,
            a.resource,
            a.subresource,
            a.namespace,
            a.name,
            a.path,
            selector.unwrap_or_default(),
        );
        match a.verb {
            "get" => Decision::allow(reason),
            "delete" => Decision::deny(reason),
            "" => Decision::no_opinion(""),
            _ => Decision::no_opinion(reason),
        }
    }
}

impl Authorizer for Echo {
    fn rules(&self, user: &UserInfo, namespace: &str) -> RuleList {
        RuleList {
            resource: vec![json!({"verbs": ["get"], "resources": [user.name]})],
            non_resource: vec![],
            incomplete: namespace == "odd",
            error: if namespace == "odd" { "oops" } else { "" }.to_owned(),
        }
    }
}

struct Nothing;

impl admission::Lookup for Nothing {
    fn get(&self, _: &str, _: &str, _: &str, _: &str) -> Option<Arc<Value>> {
        None
    }
    fn list(&self, _: &str, _: &str, _: &str) -> Vec<Arc<Value>> {
        Vec::new()
    }
}

fn services() -> Services {
    let registry = Arc::new(Registry::builtin());
    let store = Arc::new(reference_models::store::MemoryStore::new());
    Services {
        authenticator: Arc::new(Tokens),
        authorizer: Arc::new(Echo),
        cache: Arc::new(Cache::new(
            &registry,
            store,
            vec![],
            HistoryLimits::default(),
        )),
        lookup: Arc::new(Nothing),
        registry,
    }
}

fn post(path: &str, object: Value) -> Result<Value, Status> {
    let info = RequestInfo::new(&http::Method::POST, path, &Query::default());
    let review = all()
        .into_iter()
        .find(|v| v.resource() == (info.group.as_str(), info.resource.as_str()))
        .unwrap();
    let user = UserInfo {
        extra: BTreeMap::from([("a".to_owned(), vec!["b".to_owned()])]),
        ..UserInfo::new("jane", ["dev"])
    };
    block_on(review.create(Call {
        user: &user,
        info: &info,
        object,
        dry_run: false,
        notes: &mut Vec::new(),
        services: &services(),
    }))
}

const ACCESS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
const OWN: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const LOCAL: &str = "/apis/authorization.k8s.io/v1/namespaces/ns/localsubjectaccessreviews";
const RULES: &str = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
const TOKEN: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
const WHO: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

#[test]
fn every_review_is_registered_and_has_its_kind() {
    let registry = Registry::builtin();
    for review in all() {
        let (group, plural) = review.resource();
        let resource = registry.by_path(group, "v1", plural).unwrap();
        assert_eq!(resource.verbs, ["create"], "{plural}");
    }
}

#[test]
fn access_reviews_ask_and_answer() {
    let user = json!({"user": "joe", "groups": ["g"], "uid": "u", "extra": {"K": ["v"]}});
    let with = |part: Value| {
        let mut spec = user.clone();
        let object = part.as_object().unwrap().clone();
        spec.as_object_mut().unwrap().extend(object);
        json!({"kind": "SubjectAccessReview", "spec": spec})
    };
    for (path, object, expected) in [
        (
            ACCESS,
            with(
                json!({"resourceAttributes": {"verb": "get", "group": "apps", "version": "v1",
                "resource": "deployments", "subresource": "scale", "namespace": "ns", "name": "d"}}),
            ),
            json!({"allowed": true, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} get apps/v1/deployments/scale ns/d path= "}),
        ),
        (
            ACCESS,
            with(json!({"resourceAttributes": {"verb": "delete", "resource": "pods"}})),
            json!({"allowed": false, "denied": true, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} delete /*/pods/ / path= "}),
        ),
        (
            ACCESS,
            with(json!({"nonResourceAttributes": {"verb": "get", "path": "/healthz"}})),
            json!({"allowed": true, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} get /// / path=/healthz "}),
        ),
        (
            ACCESS,
            with(json!({"resourceAttributes": {}})),
            json!({"allowed": false}),
        ),
        (
            ACCESS,
            with(
                json!({"resourceAttributes": {"verb": "list", "resource": "pods",
                "fieldSelector": {"rawSelector": "spec.nodeName=n1"}}}),
            ),
            json!({"allowed": false, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} list /*/pods/ / path= spec.nodeName=n1"}),
        ),
        (
            ACCESS,
            with(
                json!({"resourceAttributes": {"verb": "list", "resource": "pods",
                "fieldSelector": {"requirements": [
                    {"key": "spec.nodeName", "operator": "In", "values": ["n1"]},
                    {"key": "x", "operator": "In", "values": ["a", "b"]},
                    {"key": "y", "operator": "Exists"}]}}}),
            ),
            json!({"allowed": false, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} list /*/pods/ / path= spec.nodeName=n1"}),
        ),
        (
            OWN,
            json!({"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}),
            json!({"allowed": true, "reason":
                "jane[\"dev\"]{\"a\": [\"b\"]} get /*/pods/ / path= "}),
        ),
        (
            LOCAL,
            with(
                json!({"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": "ns"}}),
            ),
            json!({"allowed": true, "reason":
                "joe[\"g\"]{\"k\": [\"v\"]} get /*/pods/ ns/ path= "}),
        ),
    ] {
        let answer = post(path, object.clone()).unwrap();
        assert_eq!(answer["status"], expected, "{object}");
        assert_eq!(answer["spec"], object["spec"], "the question stays");
    }
}

#[test]
fn mistakes_in_access_reviews_are_named() {
    let resource = json!({"verb": "get", "resource": "pods"});
    for (path, object, code, expected) in [
        (
            ACCESS,
            json!({}),
            422,
            ".authorization.k8s.io \"\" is invalid: [spec.resourceAttributes: \
             Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must \
             be specified, spec.user: Invalid value: \"\": at least one of user or group must be \
             specified]",
        ),
        (
            ACCESS,
            json!({"spec": {"user": "a", "resourceAttributes": resource,
                "nonResourceAttributes": {"path": "/"}}}),
            422,
            "spec.nonResourceAttributes: Invalid value: {\"path\":\"/\"}: cannot be specified in \
             combination with resourceAttributes",
        ),
        (
            ACCESS,
            json!({"metadata": {"name": "x"}, "spec": {"user": "a", "resourceAttributes": resource}}),
            422,
            "metadata: Invalid value: {\"name\":\"x\"}: must be empty",
        ),
        (
            OWN,
            json!({"spec": {}}),
            422,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            LOCAL,
            json!({"spec": {"user": "a", "resourceAttributes": resource}}),
            422,
            "spec.resourceAttributes.namespace: Invalid value: \"\": must match metadata.namespace",
        ),
        (
            LOCAL,
            json!({"spec": {"user": "a", "nonResourceAttributes": {"path": "/"}}}),
            422,
            "disallowed on this kind of request",
        ),
        (
            LOCAL,
            json!({"metadata": {"namespace": "other"}, "spec": {"user": "a"}}),
            400,
            "does not match the namespace sent on the request",
        ),
        (
            ACCESS,
            json!({"spec": {"user": "a", "resourceAttributes": {"fieldSelector": {}}}}),
            422,
            "spec.resourceAttributes.fieldSelector.requirements: Required value",
        ),
        (
            ACCESS,
            json!({"spec": {"user": "a", "resourceAttributes": {"labelSelector":
                {"requirements": [{"key": "", "operator": "In"}, {"key": "a", "operator": "Is"},
                    {"key": "a", "operator": "Exists", "values": ["x"]}]}}}}),
            422,
            "spec.resourceAttributes.labelSelector.requirements[0].values: Required value: must be \
             specified when `operator` is 'In' or 'NotIn', \
             spec.resourceAttributes.labelSelector.requirements[1].operator: Invalid value: \
             \"Is\": not a valid selector operator, \
             spec.resourceAttributes.labelSelector.requirements[2].values: Forbidden: may not be \
             specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        (
            ACCESS,
            json!({"spec": {"user": "a", "resourceAttributes": {"labelSelector":
                {"requirements": [{"key": "", "operator": "Exists"}]}}}}),
            422,
            "spec.resourceAttributes.labelSelector.requirements[0].key: Invalid value: \"\": name \
             part must be non-empty",
        ),
        (RULES, json!({"spec": {}}), 400, "no namespace on request"),
        (TOKEN, json!({"spec": {}}), 400, "token is required"),
    ] {
        let status = post(path, object.clone()).unwrap_err();
        assert_eq!(status.code, code, "{object}");
        assert!(
            status.message.contains(expected),
            "{object}: {}",
            status.message
        );
    }
    // What Go clients send for an empty metadata is no mistake.
    let own = json!({"metadata": {"creationTimestamp": null, "name": ""},
        "spec": {"resourceAttributes": resource}});
    assert!(post(OWN, own).is_ok());
}

#[test]
fn rules_reviews_list_what_the_asker_may_do() {
    let answer = post(RULES, json!({"spec": {"namespace": "ns"}})).unwrap();
    assert_eq!(
        answer,
        json!({
            "kind": "SelfSubjectRulesReview", "apiVersion": "authorization.k8s.io/v1",
            "metadata": {}, "spec": {},
            "status": {
                "resourceRules": [{"verbs": ["get"], "resources": ["jane"]}],
                "nonResourceRules": [], "incomplete": false,
            },
        })
    );
    let odd = post(RULES, json!({"spec": {"namespace": "odd"}})).unwrap();
    assert_eq!(odd["status"]["evaluationError"], "oops");
    assert_eq!(odd["status"]["incomplete"], true);
}

#[test]
fn token_reviews_say_who_a_token_is() {
    let robot = json!({"username": "robot", "groups": ["system:serviceaccounts"]});
    for (spec, expected) in [
        (
            json!({"token": "good"}),
            json!({"authenticated": true, "user": robot, "audiences": ["api"]}),
        ),
        (
            json!({"token": "good", "audiences": ["vault", "x"]}),
            json!({"authenticated": true, "user": robot, "audiences": ["vault"]}),
        ),
        (
            json!({"token": "good", "audiences": ["x"]}),
            json!({"user": {}, "error": "[invalid bearer token, it is not good]"}),
        ),
        (
            json!({"token": "bad"}),
            json!({"user": {}, "error": "[invalid bearer token, it is not good]"}),
        ),
        (
            json!({"token": "plain"}),
            json!({"authenticated": true, "user": {"username": "robot"}}),
        ),
    ] {
        let answer = post(TOKEN, json!({"spec": spec})).unwrap();
        assert_eq!(answer["status"], expected, "{spec}");
    }
    let vague = json!({"spec": {"token": "plain", "audiences": ["vault"]}});
    assert_eq!(post(TOKEN, vague).unwrap_err().code, 500);
}

#[test]
fn self_reviews_say_who_asks() {
    let answer = post(WHO, json!({})).unwrap();
    assert_eq!(
        answer["status"]["userInfo"],
        json!({"username": "jane", "groups": ["dev"], "extra": {"a": ["b"]}})
    );
    assert!(answer["metadata"]["creationTimestamp"].is_string());
}
