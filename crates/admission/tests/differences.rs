//! What comparing with upstream 1.33.4 brought to light, one table per plugin.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod common;

use admission::{
    AlwaysPullImages, NoRecorder, Patience, PodSecurity, PodSecurityConfig, RuntimeClass,
    ServiceAccount, TaintNodesByCondition,
};
use common::{Ask, Cluster, resource};
use model::Value;
use model::resource::Resource;
use pod_security::Level;
use serde_json::json;
use std::cell::Cell;
use std::sync::Arc;

fn pods() -> &'static Resource {
    resource("", "v1", "pods")
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "p", "namespace": "n" }, "spec": spec })
}

#[test]
fn tolerations_of_a_runtime_class_are_merged() {
    let strict = json!({ "key": "k", "operator": "Exists", "effect": "NoSchedule" });
    let timed = json!({
        "key": "t", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300,
    });
    let class = json!({
        "metadata": { "name": "kata" },
        "scheduling": { "tolerations": [strict, timed] },
    });
    let cluster = Cluster::default().and("runtimeclasses", class);
    let everything = json!({ "operator": "Exists" });
    let any_effect = json!({ "key": "k", "operator": "Exists" });
    let value = json!({ "key": "k", "operator": "Equal", "value": "v", "effect": "NoSchedule" });
    let shorter = json!({
        "key": "t", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5,
    });
    let longer = json!({
        "key": "t", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 900,
    });
    for (own, want) in [
        (json!([]), json!([strict, timed])),
        (json!([strict]), json!([strict, timed])),
        (json!([any_effect]), json!([any_effect, timed])),
        (json!([any_effect, everything]), json!([everything])),
        // What the class tolerates is more than one value.
        (json!([value]), json!([strict, timed])),
        (json!([shorter]), json!([strict, timed])),
        (json!([longer]), json!([longer, strict])),
    ] {
        let object = pod(json!({ "runtimeClassName": "kata", "tolerations": own }));
        let done = Ask::create(pods(), object).of(&RuntimeClass, &cluster);
        assert_eq!(done.message(), "");
        assert_eq!(done.object["spec"]["tolerations"], want, "{own}");
    }
}

#[test]
fn images_of_ephemeral_containers_are_pulled_as_they_say() {
    let with = |policy: &str| {
        pod(json!({
            "containers": [{ "name": "c", "image": "i", "imagePullPolicy": "Always" }],
            "ephemeralContainers": [{ "name": "e", "image": "j", "imagePullPolicy": policy }],
        }))
    };
    let cluster = Cluster::default();
    let mut ask = Ask::update(pods(), pod(json!({})), with("Never"));
    ask.subresource = "ephemeralcontainers";
    let done = ask.of(&AlwaysPullImages, &cluster);
    assert_eq!((done.message(), &done.object), ("", &with("Never")));
    let done = Ask::create(pods(), with("Never")).of(&AlwaysPullImages, &cluster);
    assert_eq!((done.message(), &done.object), ("", &with("Always")));
}

#[test]
fn new_nodes_are_tainted() {
    let taint = |key: &str, effect: &str| json!({ "key": key, "effect": effect });
    let not_ready = "node.kubernetes.io/not-ready";
    let added = taint(not_ready, "NoSchedule");
    let nodes = resource("", "v1", "nodes");
    let node =
        |taints: &Value| json!({ "metadata": { "name": "a" }, "spec": { "taints": taints } });
    let with_value = json!({ "key": not_ready, "value": "x", "effect": "NoSchedule" });
    for (own, want) in [
        (json!([]), json!([added])),
        (
            json!([taint("a", "NoSchedule")]),
            json!([taint("a", "NoSchedule"), added]),
        ),
        (json!([added]), json!([added])),
        (json!([with_value]), json!([with_value])),
        (
            json!([taint(not_ready, "NoExecute")]),
            json!([taint(not_ready, "NoExecute"), added]),
        ),
    ] {
        let done = Ask::create(nodes, node(&own)).of(&TaintNodesByCondition, &Cluster::default());
        assert_eq!(done.object["spec"]["taints"], want, "{own}");
    }
    let bare = json!({ "metadata": { "name": "a" } });
    let done = Ask::update(nodes, bare.clone(), bare.clone())
        .of(&TaintNodesByCondition, &Cluster::default());
    assert_eq!(done.object, bare);
}

fn accounts() -> Cluster {
    let account = |name: &str, more: Value| {
        let mut account = json!({ "metadata": { "name": name, "namespace": "n" } });
        let fields = account.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("fields").clone());
        account
    };
    let mut strict = account(
        "strict",
        json!({ "secrets": [{ "name": "own" }], "imagePullSecrets": [{ "name": "pull" }] }),
    );
    strict["metadata"]["annotations"] =
        json!({ "kubernetes.io/enforce-mountable-secrets": "true" });
    Cluster::default()
        .and("serviceaccounts", strict)
        .and("serviceaccounts", account("default", json!({})))
}

#[test]
fn a_strict_account_says_who_uses_which_secret() {
    let cluster = accounts();
    let by_env = json!([{ "name": "E", "valueFrom": { "secretKeyRef": { "name": "x" } } }]);
    let by_source = json!([{ "secretRef": { "name": "x" } }]);
    let tail = "because service account strict does not reference that secret";
    for (spec, want) in [
        (
            json!({ "volumes": [{ "name": "v", "secret": { "secretName": "x" } }] }),
            format!("volume with secret.secretName=\"x\" is not allowed {tail}"),
        ),
        (
            json!({
                "containers": [{ "name": "c", "envFrom": by_source }],
                "initContainers": [{ "name": "i", "env": by_env }],
            }),
            format!(
                "init container i with envVar E referencing secret.secretName=\"x\" is not allowed \
                 {tail}"
            ),
        ),
        (
            json!({ "containers": [{ "name": "c", "envFrom": by_source }] }),
            format!(
                "container c with envFrom referencing secret.secretName=\"x\" is not allowed {tail}"
            ),
        ),
        (
            json!({ "imagePullSecrets": [{ "name": "pull" }, { "name": "x" }] }),
            "imagePullSecrets[1].name=\"x\" is not allowed because service account strict does not \
             reference that imagePullSecret"
                .to_owned(),
        ),
        // Projected secrets are not looked at.
        (
            json!({ "volumes": [{ "name": "v", "projected": { "sources": [
                { "secret": { "name": "x" } }] } }] }),
            String::new(),
        ),
    ] {
        let mut spec = spec;
        spec["serviceAccountName"] = "strict".into();
        let done = Ask::create(pods(), pod(spec)).of(&ServiceAccount, &cluster);
        let want = match want.as_str() {
            "" => String::new(),
            why => format!("pods \"p\" is forbidden: {why}"),
        };
        assert_eq!(done.message(), want);
    }
    // Of ephemeral containers upstream speaks with another code.
    let spec = json!({
        "serviceAccountName": "strict",
        "ephemeralContainers": [{ "name": "e", "env": by_env }],
    });
    let mut ask = Ask::update(pods(), pod(json!({})), pod(spec));
    ask.subresource = "ephemeralcontainers";
    let status = ask
        .of(&ServiceAccount, &cluster)
        .verdict
        .expect_err("refused");
    let want = format!(
        "ephemeral container e with envVar E referencing secret.secretName=\"x\" is not allowed {tail}"
    );
    assert_eq!((status.code, status.message), (500, want));
}

#[test]
fn a_volume_that_is_named_like_a_token_is_mounted_as_one() {
    let spec = json!({
        "containers": [{ "name": "c" }],
        "volumes": [{ "name": "kube-api-access-mine", "emptyDir": {} }],
    });
    let done = Ask::create(pods(), pod(spec)).of(&ServiceAccount, &accounts());
    let spec = &done.object["spec"];
    assert_eq!(spec["volumes"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        spec["containers"][0]["volumeMounts"][0]["name"],
        "kube-api-access-mine"
    );
}

#[test]
fn mirror_pods_name_no_secrets() {
    let with = |spec: Value| {
        let mut mirror = pod(spec);
        mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
        let done = Ask::create(pods(), mirror).of(&ServiceAccount, &accounts());
        done.message().to_owned()
    };
    let refused = "pods \"p\" is forbidden: a mirror pod may not reference secrets";
    let secret = json!({ "secretName": "s" });
    assert_eq!(
        with(json!({ "volumes": [{ "name": "v", "secret": secret }] })),
        refused
    );
    assert_eq!(
        with(json!({ "imagePullSecrets": [{ "name": "s" }] })),
        refused
    );
    let map = json!({ "name": "m" });
    assert_eq!(
        with(json!({ "volumes": [{ "name": "v", "configMap": map }] })),
        ""
    );
}

#[test]
fn old_annotations_do_not_make_an_update_count() {
    let plugin = PodSecurity::new(
        PodSecurityConfig::enforcing(Level::Baseline),
        Arc::new(NoRecorder),
    );
    let cluster = Cluster::with_labels(json!({}));
    let privileged = |image: &str, annotations: Value| {
        let mut pod = pod(json!({ "containers": [{
            "name": "c", "image": image, "securityContext": { "privileged": true },
        }] }));
        pod["metadata"]["annotations"] = annotations;
        pod
    };
    let seccomp = json!({ "seccomp.security.alpha.kubernetes.io/pod": "unconfined" });
    let before = || privileged("i", json!({}));
    let annotated = Ask::update(pods(), before(), privileged("i", seccomp)).of(&plugin, &cluster);
    assert_eq!(annotated.message(), "");
    let changed = Ask::update(pods(), before(), privileged("j", json!({}))).of(&plugin, &cluster);
    assert!(changed.message().contains("violates PodSecurity"));
}

/// Out of patience after it was asked that often.
struct Brief(usize);

impl Patience for Brief {
    fn begin(&self) -> Box<dyn Fn() -> bool> {
        let (most, asked) = (self.0, Cell::new(0));
        Box::new(move || {
            asked.set(asked.get() + 1);
            asked.get() >= most
        })
    }
}

#[test]
fn pods_of_a_namespace_are_looked_at_while_there_is_time() {
    let with = |name: &str, class: &str| {
        json!({
            "metadata": { "name": name, "namespace": "n" },
            "spec": { "hostPID": true, "runtimeClassName": class, "containers": [{ "name": "c" }] },
        })
    };
    let mut config = PodSecurityConfig::default();
    config.exemptions.runtime_classes = ["free".to_owned()].into();
    let cluster = ["a", "b", "c"]
        .iter()
        .fold(Cluster::with_labels(json!({})), |cluster, name| {
            cluster.and("pods", with(name, ""))
        })
        .and("pods", with("d", "free"));
    let violated = "existing pods in namespace \"n\" violate the new PodSecurity enforce level \
                    \"baseline:latest\"";
    let part = "new PodSecurity enforce level only checked against the first 2 of 3 existing pods";
    for (looks, want) in [
        (
            2,
            vec![part, violated, "a (and 1 other pod): host namespaces"],
        ),
        (9, vec![violated, "a (and 2 other pods): host namespaces"]),
    ] {
        let plugin = PodSecurity::new(config.clone(), Arc::new(NoRecorder))
            .with_patience(Arc::new(Brief(looks)));
        let namespaces = resource("", "v1", "namespaces");
        let namespace = |labels: Value| json!({ "metadata": { "name": "n", "labels": labels } });
        let baseline = json!({ "pod-security.kubernetes.io/enforce": "baseline" });
        let done = Ask::update(namespaces, namespace(json!({})), namespace(baseline))
            .of(&plugin, &cluster);
        assert_eq!(
            (done.message(), &done.warnings),
            ("", &want.iter().map(|w| (*w).to_owned()).collect())
        );
    }
}
