//! `LimitRanger`, `ResourceQuota`, `RuntimeClass` and the small plugins.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use admission::{
    AlwaysPullImages, Chain, Charge, DefaultIngressClass, DefaultStorageClass,
    ExtendedResourceToleration, LimitRanger, Operation, Request, ResourceQuota, RuntimeClass,
};
use common::{Ask, Cluster, resource};
use model::Value;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use serde_json::json;

fn pods() -> &'static Resource {
    resource("", "v1", "pods")
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "p", "namespace": "n" }, "spec": spec })
}

fn plain() -> Value {
    pod(json!({ "containers": [{ "name": "c", "image": "i" }] }))
}

#[test]
fn limit_ranges_fill_in_and_bound() {
    let range = json!({
        "metadata": { "name": "r", "namespace": "n" },
        "spec": { "limits": [{
            "type": "Container",
            "default": { "memory": "512Mi" },
            "defaultRequest": { "memory": "256Mi" },
            "max": { "memory": "1Gi" },
            "min": { "memory": "100Mi", "cpu": "1" },
        }] },
    });
    let mut elsewhere = range.clone();
    elsewhere["metadata"]["namespace"] = "m".into();
    elsewhere["spec"]["limits"][0]["default"]["memory"] = "7".into();
    let cluster = Cluster::default()
        .and("limitranges", range)
        .and("limitranges", elsewhere);
    let done = Ask::create(pods(), plain()).of(&LimitRanger, &cluster);
    assert_eq!(
        done.object["spec"]["containers"][0]["resources"],
        json!({ "limits": { "memory": "512Mi" }, "requests": { "memory": "256Mi" } })
    );
    assert_eq!(
        done.object["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: memory request for container c; memory limit for container c"
    );
    assert_eq!(
        done.message(),
        "pods \"p\" is forbidden: minimum cpu usage per Container is 1.  No request is specified"
    );
    let resources =
        json!({ "requests": { "cpu": "2" }, "limits": { "memory": "2Gi", "cpu": "2" } });
    let big = pod(json!({ "containers": [{ "name": "c", "resources": resources }] }));
    let done = Ask::create(pods(), big.clone()).of(&LimitRanger, &cluster);
    assert_eq!(
        done.message(),
        "pods \"p\" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi"
    );
    // Pods that are there are left alone.
    let done = Ask::update(pods(), big.clone(), big.clone()).of(&LimitRanger, &cluster);
    assert_eq!((done.message(), &done.object), ("", &big));
}

fn quota(hard: Value, used: Value) -> Value {
    json!({
        "metadata": { "name": "q", "namespace": "n", "resourceVersion": "5" },
        "spec": { "hard": hard },
        "status": { "hard": hard, "used": used },
    })
}

fn charge(
    resource: &'static Resource,
    object: Value,
    old: Option<&Value>,
    cluster: &Cluster,
    settled: &[Charge],
) -> Result<Vec<Charge>, Status> {
    let user = UserInfo::new("jane", ["dev"]);
    let request = Request {
        operation: match old {
            Some(_) => Operation::Update,
            None => Operation::Create,
        },
        resource,
        subresource: "",
        namespace: "n",
        name: "p",
        object,
        old_object: old,
        user: &user,
        dry_run: false,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    Chain::new(vec![Box::new(ResourceQuota::default())]).charge(&request, cluster, settled)
}

#[test]
fn what_is_taken_is_written_into_the_quota() {
    let cluster = |used: &str| {
        let quota = quota(
            json!({ "pods": "2", "secrets": "1" }),
            json!({ "pods": used, "secrets": "0" }),
        );
        Cluster::default().and("resourcequotas", quota)
    };
    let charges = charge(pods(), plain(), None, &cluster("1"), &[]).expect("room");
    assert_eq!(charges.len(), 1);
    assert_eq!(
        (charges[0].resource, charges[0].name.as_str()),
        ("resourcequotas", "q")
    );
    let object = &charges[0].object;
    assert_eq!(
        object["status"]["used"],
        json!({ "pods": "2", "secrets": "0" })
    );
    assert_eq!(object["metadata"]["resourceVersion"], "5");
    // What has been written is not taken again.
    assert!(
        charge(pods(), plain(), None, &cluster("2"), &charges)
            .expect("done")
            .is_empty()
    );
    let refused = charge(pods(), plain(), None, &cluster("2"), &[]).expect_err("full");
    assert_eq!(
        (refused.code, refused.message.as_str()),
        (
            403,
            "pods \"p\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
        )
    );
    let old = plain();
    assert!(
        charge(pods(), plain(), Some(&old), &cluster("2"), &[])
            .expect("no news")
            .is_empty()
    );
    let maps = resource("", "v1", "configmaps");
    assert!(
        charge(maps, json!({}), None, &cluster("2"), &[])
            .expect("not limited")
            .is_empty()
    );
    let reviews = resource("authorization.k8s.io", "v1", "localsubjectaccessreviews");
    assert!(
        charge(reviews, json!({}), None, &cluster("2"), &[])
            .expect("a question")
            .is_empty()
    );
}

#[test]
fn runtime_classes_bring_overhead_and_nodes() {
    let class = json!({
        "metadata": { "name": "kata" },
        "overhead": { "podFixed": { "memory": "100Mi" } },
        "scheduling": {
            "nodeSelector": { "runtime": "kata" },
            "tolerations": [{ "key": "kata", "operator": "Exists" }],
        },
    });
    let bare = json!({ "metadata": { "name": "runc" } });
    let cluster = Cluster::default()
        .and("runtimeclasses", class)
        .and("runtimeclasses", bare);
    let with = |class: &str, more: Value| {
        let mut pod = plain();
        pod["spec"]["runtimeClassName"] = class.into();
        pod["spec"]
            .as_object_mut()
            .expect("a spec")
            .extend(more.as_object().expect("fields").clone());
        Ask::create(pods(), pod).of(&RuntimeClass, &cluster)
    };
    let done = with("kata", json!({ "nodeSelector": { "disk": "ssd" } }));
    assert_eq!(done.message(), "");
    let spec = &done.object["spec"];
    assert_eq!(spec["overhead"], json!({ "memory": "100Mi" }));
    assert_eq!(
        spec["nodeSelector"],
        json!({ "disk": "ssd", "runtime": "kata" })
    );
    assert_eq!(
        spec["tolerations"],
        json!([{ "key": "kata", "operator": "Exists" }])
    );
    assert_eq!(with("runc", json!({})).message(), "");
    for (class, more, why) in [
        ("gone", json!({}), "RuntimeClass \"gone\" not found"),
        (
            "kata",
            json!({ "overhead": { "memory": "1" } }),
            "Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            "runc",
            json!({ "overhead": { "memory": "1" } }),
            "Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ] {
        let done = with(class, more);
        assert_eq!(
            done.message(),
            format!("pods \"p\" is forbidden: pod rejected: {why}")
        );
    }
    let done = with("kata", json!({ "nodeSelector": { "runtime": "runc" } }));
    assert_eq!(
        done.message(),
        "pods \"p\" is forbidden: conflict: runtimeClass.scheduling.nodeSelector[runtime] = kata; \
         pod.spec.nodeSelector[runtime] = runc"
    );
    assert_eq!(
        with("kata", json!({ "overhead": { "memory": "102400Ki" } })).message(),
        ""
    );
}

#[test]
fn extended_resources_are_tolerated() {
    let resources = json!({ "requests": { "example.com/gpu": "1", "cpu": "1" } });
    let it = pod(json!({ "containers": [{ "name": "c", "resources": resources }] }));
    let want = json!([{ "key": "example.com/gpu", "operator": "Exists", "effect": "NoSchedule" }]);
    let run = |it: Value| {
        Ask::create(pods(), it)
            .of(&ExtendedResourceToleration, &Cluster::default())
            .object
    };
    let once = run(it);
    assert_eq!(once["spec"]["tolerations"], want);
    assert_eq!(run(once.clone()), once);
    assert_eq!(run(plain()), plain());
}

#[test]
fn images_are_always_pulled() {
    let none = Cluster::default();
    let done = Ask::create(pods(), plain()).of(&AlwaysPullImages, &none);
    assert_eq!(
        done.object["spec"]["containers"][0]["imagePullPolicy"],
        "Always"
    );
    // Updates that bring no image change nothing.
    let mut old = plain();
    old["spec"]["containers"][0]["imagePullPolicy"] = "Never".into();
    let done = Ask::update(pods(), old.clone(), old.clone()).of(&AlwaysPullImages, &none);
    assert_eq!((done.message(), &done.object), ("", &old));
    let mut new = old.clone();
    new["spec"]["containers"][0]["image"] = "j".into();
    let done = Ask::update(pods(), old, new).of(&AlwaysPullImages, &none);
    assert_eq!(
        done.object["spec"]["containers"][0]["imagePullPolicy"],
        "Always"
    );
}

#[test]
fn the_newest_default_class_is_taken() {
    let class = |name: &str, made: &str, mark: &str, is: &str| json!({ "metadata": { "name": name, "creationTimestamp": made, "annotations": { mark: is } } });
    let ingress = "ingressclass.kubernetes.io/is-default-class";
    let (storage, beta) = (
        "storageclass.kubernetes.io/is-default-class",
        "storageclass.beta.kubernetes.io/is-default-class",
    );
    let (old, new) = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
    let cluster = Cluster::default()
        .and("ingressclasses", class("old", old, ingress, "true"))
        .and("ingressclasses", class("b", new, ingress, "true"))
        .and("ingressclasses", class("a", new, ingress, "true"))
        .and("ingressclasses", class("no", new, ingress, "false"))
        .and("storageclasses", class("slow", old, storage, "true"))
        .and("storageclasses", class("fast", new, beta, "true"));
    let ingresses = resource("networking.k8s.io", "v1", "ingresses");
    let claims = resource("", "v1", "persistentvolumeclaims");
    let of = |object: &Value| object["spec"]["ingressClassName"].clone();
    let run = |object: Value, cluster: &Cluster| {
        of(&Ask::create(ingresses, object)
            .of(&DefaultIngressClass, cluster)
            .object)
    };
    assert_eq!(run(json!({ "spec": {} }), &cluster), "a");
    assert_eq!(run(json!({ "spec": {} }), &Cluster::default()), Value::Null);
    assert_eq!(
        run(json!({ "spec": { "ingressClassName": "own" } }), &cluster),
        "own"
    );
    let annotated =
        json!({ "metadata": { "annotations": { "kubernetes.io/ingress.class": "x" } } });
    assert_eq!(run(annotated, &cluster), Value::Null);
    let claim = |spec: Value| {
        let done = Ask::create(claims, json!({ "spec": spec })).of(&DefaultStorageClass, &cluster);
        done.object["spec"]["storageClassName"].clone()
    };
    assert_eq!(claim(json!({})), "fast");
    assert_eq!(claim(json!({ "storageClassName": "" })), "");
}
