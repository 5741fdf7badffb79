use super::*;
use crate::log::LogOptions;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

const AT: i64 = 1_800_000_000_123_456;

fn auditor(dir: &Path, rules: &Value) -> Auditor {
    let file = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules});
    let policy = Policy::parse(file.to_string().as_bytes()).unwrap();
    with(dir, policy)
}

fn with(dir: &Path, policy: Policy) -> Auditor {
    let ticks = AtomicI64::new(AT);
    let clock: Clock = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed) + 1);
    let log = Log::open(LogOptions::new(dir.join("audit.log")), clock.clone()).unwrap();
    Auditor::new(policy, Arc::new(log), clock)
}

fn events(auditor: &Auditor, dir: &Path) -> Vec<Value> {
    auditor.log().close();
    std::fs::read_to_string(dir.join("audit.log"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn create<'a>(user: &'a UserInfo, resource: &'a str, ips: &'a [String]) -> Received<'a> {
    Received {
        id: "3b1d",
        attributes: Attributes {
            user,
            verb: "create",
            is_resource: true,
            group: "",
            version: "v1",
            resource,
            subresource: "",
            namespace: "ns",
            name: "",
            path: "/api/v1/namespaces/ns/pods",
        },
        uri: "/api/v1/namespaces/ns/pods?dryRun=All&token=abc",
        source_ips: ips,
        user_agent: "kubectl/v1.33",
        at: AT,
    }
}

#[test]
fn a_request_is_followed_in_upstreams_format() {
    let dir = tempfile::tempdir().unwrap();
    let auditor = auditor(dir.path(), &json!([{"level": "RequestResponse"}]));
    let user = UserInfo::new("jane", ["dev"]);
    let ips = ["192.0.2.1".to_owned()];
    let mut entry = auditor.begin(&create(&user, "pods", &ips)).unwrap();
    entry.impersonated(&UserInfo::new("joe", ["ops"]));
    entry.authorized(true, "RBAC: allowed");
    entry.authorized(false, "said later");
    entry.request_object(json!({"kind": "Pod"}));
    entry.response_object(json!({"kind": "Pod", "metadata": {"name": "a"}}));
    entry.about("a", "uid", "7");
    entry.complete(201, None);
    let events = events(&auditor, dir.path());
    assert_eq!(
        events[0],
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
            "auditID": "3b1d", "stage": "RequestReceived",
            "requestURI": "/api/v1/namespaces/ns/pods?dryRun=All&token=REDACTED",
            "verb": "create", "user": {"username": "jane", "groups": ["dev"]},
            "sourceIPs": ["192.0.2.1"], "userAgent": "kubectl/v1.33",
            "objectRef": {"resource": "pods", "namespace": "ns", "apiVersion": "v1"},
            "requestReceivedTimestamp": "2027-01-15T08:00:00.123456Z",
            "stageTimestamp": "2027-01-15T08:00:00.123456Z",
        })
    );
    assert_eq!(
        events[1],
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "RequestResponse",
            "auditID": "3b1d", "stage": "ResponseComplete",
            "requestURI": "/api/v1/namespaces/ns/pods?dryRun=All&token=REDACTED",
            "verb": "create", "user": {"username": "jane", "groups": ["dev"]},
            "impersonatedUser": {"username": "joe", "groups": ["ops"]},
            "sourceIPs": ["192.0.2.1"], "userAgent": "kubectl/v1.33",
            "objectRef": {"resource": "pods", "namespace": "ns", "name": "a", "uid": "uid",
                "apiVersion": "v1", "resourceVersion": "7"},
            "responseStatus": {"metadata": {}, "code": 201},
            "requestObject": {"kind": "Pod"},
            "responseObject": {"kind": "Pod", "metadata": {"name": "a"}},
            "requestReceivedTimestamp": "2027-01-15T08:00:00.123456Z",
            "stageTimestamp": "2027-01-15T08:00:00.123457Z",
            "annotations": {
                "authorization.k8s.io/decision": "allow",
                "authorization.k8s.io/reason": "RBAC: allowed",
            },
        })
    );
    assert_eq!(events.len(), 2);
}

#[test]
fn levels_decide_what_is_kept() {
    for (level, request, response) in [
        ("Metadata", false, false),
        ("Request", true, false),
        ("RequestResponse", true, true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let auditor = auditor(dir.path(), &json!([{"level": level}]));
        let user = UserInfo::new("jane", ["dev"]);
        let mut entry = auditor.begin(&create(&user, "secrets", &[])).unwrap();
        entry.request_object(json!({"kind": "Secret", "data": {"a": "HUNTER2"}}));
        entry.response_object(json!({"kind": "Secret", "data": {"a": "HUNTER2"}}));
        entry.complete(201, None);
        let events = events(&auditor, dir.path());
        let last = &events[1];
        assert_eq!(last.get("requestObject").is_some(), request, "{level}");
        assert_eq!(last.get("responseObject").is_some(), response, "{level}");
        assert!(!last.to_string().contains("HUNTER2"), "{level}");
    }
}

#[test]
fn failures_panics_and_ended_watches_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let rules = json!([{"level": "Metadata", "omitStages": ["RequestReceived"]}]);
    let auditor = auditor(dir.path(), &rules);
    let user = UserInfo::new("jane", ["dev"]);
    let request = create(&user, "pods", &[]);
    let begin = || auditor.begin(&request).unwrap();
    begin().complete(409, Some(&Status::already_exists("", "pods", "a")));
    begin().panicked(&Status::internal("oops"));
    let mut watch = begin();
    watch.response_started(200);
    drop(watch);
    drop(begin());
    let found: Vec<(Value, Value, Value)> = events(&auditor, dir.path())
        .into_iter()
        .map(|e| {
            let status = &e["responseStatus"];
            (
                e["stage"].clone(),
                status["code"].clone(),
                status["reason"].clone(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                json!("ResponseComplete"),
                json!(409),
                json!("AlreadyExists")
            ),
            (json!("Panic"), json!(500), json!("InternalError")),
            (json!("ResponseStarted"), json!(200), Value::Null),
            (json!("ResponseComplete"), json!(200), Value::Null),
            (json!("ResponseComplete"), Value::Null, Value::Null),
        ]
    );
}

#[test]
fn the_default_policy_writes_refusals_of_reads() {
    let dir = tempfile::tempdir().unwrap();
    let auditor = with(dir.path(), Policy::secure_default());
    let user = UserInfo::new("jane", ["dev"]);
    let mut request = create(&user, "pods", &[]);
    request.attributes.verb = "list";
    assert!(auditor.begin(&request).is_none());
    let status = Status::forbidden("", "pods", "", "no");
    auditor.refused(&request, Some(&UserInfo::new("joe", ["ops"])), &status);
    auditor.refused(&request, None, &Status::unauthorized());
    let events = events(&auditor, dir.path());
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["impersonatedUser"]["username"], "joe");
    assert!(events[1].get("annotations").is_none());
    assert_eq!(events[0]["level"], "Metadata");
    assert_eq!(events[0]["responseStatus"]["code"], 403);
    assert_eq!(
        events[0]["annotations"]["authorization.k8s.io/decision"],
        "forbid"
    );
    assert_eq!(auditor.log().counters().level(Level::None), 1);

    let dir = tempfile::tempdir().unwrap();
    let auditor = self::auditor(dir.path(), &json!([{"level": "None"}]));
    auditor.refused(&request, None, &status);
    assert!(
        self::events(&auditor, dir.path()).is_empty(),
        "a policy file is taken at its word"
    );
}

#[test]
fn long_user_agents_are_cut_between_characters() {
    assert_eq!(cut("kubectl"), "kubectl");
    let long = format!("{}é{}", "a".repeat(1023), "b".repeat(1000));
    assert_eq!(cut(&long), format!("{}...TRUNCATED", "a".repeat(1023)));
}
