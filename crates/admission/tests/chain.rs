//! The plugins against a small cluster: what they change, and what they refuse in which words.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

use admission::{
    Chain, DefaultTolerationSeconds, Lookup, NamespaceLifecycle, NodeRestriction, Operation,
    Plugin, Priority, Request, ServiceAccount, TOKEN_MOUNT, VOLUME_PREFIX,
};
use model::registry::Registry;
use model::resource::Resource;
use model::status::Status;
use model::user::UserInfo;
use model::{Value, meta};
use serde_json::json;
use std::sync::{Arc, LazyLock};

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::builtin);

fn resource(group: &str, version: &str, plural: &str) -> &'static Resource {
    REGISTRY
        .by_path(group, version, plural)
        .expect("registered")
}

/// Objects by plural name.
struct Cluster(Vec<(&'static str, Arc<Value>)>);

impl Lookup for Cluster {
    fn get(&self, _: &str, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.0
            .iter()
            .find(|(plural, o)| {
                *plural == resource && meta::namespace(o) == namespace && meta::name(o) == name
            })
            .map(|(_, o)| Arc::clone(o))
    }

    fn list(&self, _: &str, resource: &str, _: &str) -> Vec<Arc<Value>> {
        self.0
            .iter()
            .filter(|(p, _)| *p == resource)
            .map(|(_, o)| Arc::clone(o))
            .collect()
    }
}

fn cluster() -> Cluster {
    let objects = [
        (
            "namespaces",
            json!({ "metadata": { "name": "default" }, "status": { "phase": "Active" } }),
        ),
        (
            "namespaces",
            json!({
                "metadata": { "name": "going", "deletionTimestamp": "2024-01-01T00:00:00Z" },
                "status": { "phase": "Terminating" },
            }),
        ),
        (
            "serviceaccounts",
            json!({ "metadata": { "name": "default", "namespace": "default" } }),
        ),
        (
            "serviceaccounts",
            json!({
                "metadata": { "name": "quiet", "namespace": "default" },
                "automountServiceAccountToken": false,
                "imagePullSecrets": [{ "name": "pull" }],
            }),
        ),
        (
            "serviceaccounts",
            json!({
                "metadata": {
                    "name": "strict",
                    "namespace": "default",
                    "annotations": { "kubernetes.io/enforce-mountable-secrets": "true" },
                },
                "secrets": [{ "name": "listed" }],
            }),
        ),
        (
            "priorityclasses",
            json!({ "metadata": { "name": "high" }, "value": 1000 }),
        ),
        (
            "priorityclasses",
            json!({
                "metadata": { "name": "usual" },
                "value": 5,
                "globalDefault": true,
                "preemptionPolicy": "Never",
            }),
        ),
    ];
    Cluster(
        objects
            .into_iter()
            .map(|(plural, object)| (plural, Arc::new(object)))
            .collect(),
    )
}

/// Runs one plugin on a create in `namespace`; the object as it left it.
fn create(
    plugin: impl Plugin + 'static,
    resource: &Resource,
    namespace: &str,
    object: Value,
) -> Result<Value, Status> {
    let user = UserInfo::new("jane", ["dev"]);
    let name = meta::name(&object).to_owned();
    let mut request = Request {
        operation: Operation::Create,
        resource,
        subresource: "",
        namespace,
        name: &name,
        object,
        old_object: None,
        user: &user,
        dry_run: false,
        warnings: Vec::new(),
        audit_annotations: Vec::new(),
    };
    let chain = Chain::new(vec![Box::new(plugin)]);
    chain.mutate(&mut request, &cluster())?;
    chain.validate(&mut request, &cluster())?;
    Ok(request.object)
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "p", "namespace": "default" }, "spec": spec })
}

fn pods() -> &'static Resource {
    resource("", "v1", "pods")
}

#[test]
fn a_pod_gets_a_token_where_none_is_mounted() {
    let spec = json!({
        "initContainers": [{ "name": "i" }],
        "containers": [
            { "name": "a", "volumeMounts": [{ "name": "own", "mountPath": TOKEN_MOUNT }] },
            { "name": "b" },
        ],
    });
    let pod = create(ServiceAccount, pods(), "default", pod(spec)).expect("admitted");
    assert_eq!(meta::text(&pod, &["spec", "serviceAccountName"]), "default");
    let volumes = meta::list(&pod, &["spec", "volumes"]);
    let name = meta::text(&volumes[0], &["name"]);
    let suffix = name.strip_prefix(VOLUME_PREFIX).expect("upstream's prefix");
    assert_eq!((volumes.len(), suffix.len()), (1, 5), "{name}");
    let sources = meta::list(&volumes[0], &["projected", "sources"]);
    assert_eq!(
        sources[0],
        json!({ "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } })
    );
    assert_eq!(
        meta::text(&sources[1], &["configMap", "name"]),
        "kube-root-ca.crt"
    );
    let mounts = |field: &str, n: usize| {
        meta::list(&meta::list(&pod, &["spec", field])[n], &["volumeMounts"]).to_vec()
    };
    let mount = json!({ "name": name, "readOnly": true, "mountPath": TOKEN_MOUNT });
    assert_eq!(mounts("initContainers", 0), std::slice::from_ref(&mount));
    assert_eq!(
        mounts("containers", 0).len(),
        1,
        "its own mount stays the only one"
    );
    assert_eq!(mounts("containers", 1), [mount]);
}

#[test]
fn the_pods_word_counts_before_the_accounts() {
    let with = |account: &str, said: Option<bool>| {
        let mut spec = json!({ "serviceAccountName": account, "containers": [{ "name": "c" }] });
        if let Some(said) = said {
            meta::set(&mut spec, &["automountServiceAccountToken"], said);
        }
        let pod = create(ServiceAccount, pods(), "default", pod(spec)).expect("admitted");
        !meta::list(&pod, &["spec", "volumes"]).is_empty()
    };
    for (account, said, mounted) in [
        ("default", None, true),
        ("default", Some(false), false),
        ("quiet", None, false),
        ("quiet", Some(true), true),
    ] {
        assert_eq!(with(account, said), mounted, "{account} {said:?}");
    }
    let spec = json!({ "serviceAccountName": "quiet", "containers": [] });
    let quiet = create(ServiceAccount, pods(), "default", pod(spec)).expect("admitted");
    assert_eq!(
        meta::at(&quiet, &["spec", "imagePullSecrets"]),
        Some(&json!([{ "name": "pull" }]))
    );
}

#[test]
fn refusals_of_service_account() {
    let mirror = json!({
        "metadata": { "name": "p", "annotations": { "kubernetes.io/config.mirror": "x" } },
        "spec": { "serviceAccountName": "default" },
    });
    let strict = |secret: &str| {
        pod(json!({
            "serviceAccountName": "strict",
            "automountServiceAccountToken": false,
            "containers": [],
            "volumes": [{ "name": "v", "secret": { "secretName": secret } }],
        }))
    };
    for (object, message) in [
        (
            pod(json!({ "serviceAccountName": "gone" })),
            "pods \"p\" is forbidden: error looking up service account default/gone: serviceaccount \
             \"gone\" not found",
        ),
        (
            mirror,
            "pods \"p\" is forbidden: a mirror pod may not reference service accounts",
        ),
        (
            strict("other"),
            "pods \"p\" is forbidden: volume with secret.secretName=\"other\" is not allowed \
             because service account strict does not reference that secret",
        ),
    ] {
        let refused = create(ServiceAccount, pods(), "default", object).expect_err("refused");
        assert_eq!((refused.message.as_str(), refused.code), (message, 403));
    }
    create(ServiceAccount, pods(), "default", strict("listed")).expect("the account lists it");
}

#[test]
fn nothing_new_where_no_namespace_is_or_will_be() {
    let maps = resource("", "v1", "configmaps");
    let map = || json!({ "metadata": { "name": "m" } });
    create(NamespaceLifecycle, maps, "default", map()).expect("admitted");
    let missing = create(NamespaceLifecycle, maps, "nowhere", map()).expect_err("refused");
    assert_eq!(
        (missing.code, missing.message.as_str()),
        (404, "namespaces \"nowhere\" not found")
    );
    let going = create(NamespaceLifecycle, maps, "going", map()).expect_err("refused");
    assert_eq!(
        going.message,
        "configmaps \"m\" is forbidden: unable to create new content in namespace going because it \
         is being terminated"
    );
    assert_eq!(going.details.causes[0].reason, "NamespaceTerminating");
    let reviews = resource("authorization.k8s.io", "v1", "localsubjectaccessreviews");
    create(NamespaceLifecycle, reviews, "nowhere", json!({})).expect("questions are free");
}

#[test]
fn the_clusters_own_namespaces_stay() {
    let user = UserInfo::new("jane", ["system:masters"]);
    for (name, immortal) in [
        ("default", true),
        ("kube-system", true),
        ("kube-public", true),
        ("mine", false),
    ] {
        let old = json!({ "metadata": { "name": name } });
        let mut request = Request {
            operation: Operation::Delete,
            resource: resource("", "v1", "namespaces"),
            subresource: "",
            namespace: "",
            name,
            object: Value::Null,
            old_object: Some(&old),
            user: &user,
            dry_run: false,
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
        };
        let verdict = NamespaceLifecycle.mutate(&mut request, &cluster());
        assert_eq!(verdict.is_err(), immortal, "{name}");
    }
}

#[test]
fn priorities_come_from_classes() {
    let run = |spec: Value| create(Priority, pods(), "default", pod(spec));
    let high = run(json!({ "priorityClassName": "high" })).expect("admitted");
    assert_eq!(high["spec"]["priority"], 1000);
    assert_eq!(high["spec"]["preemptionPolicy"], "PreemptLowerPriority");
    let usual = run(json!({})).expect("admitted");
    assert_eq!(usual["spec"]["priority"], 5);
    assert_eq!(usual["spec"]["priorityClassName"], "usual");
    assert_eq!(usual["spec"]["preemptionPolicy"], "Never");
    for (spec, why) in [
        (
            json!({ "priorityClassName": "none" }),
            "no PriorityClass with name none was found",
        ),
        (
            json!({ "priorityClassName": "high", "priority": 1 }),
            "the integer value of priority (1) must not be provided in pod spec; priority admission \
             controller computed 1000 from the given PriorityClass name",
        ),
    ] {
        let refused = run(spec).expect_err("refused");
        assert_eq!(refused.message, format!("pods \"p\" is forbidden: {why}"));
    }
    let classes = resource("scheduling.k8s.io", "v1", "priorityclasses");
    let second = json!({ "metadata": { "name": "second" }, "value": 1, "globalDefault": true });
    let refused = create(Priority, classes, "", second).expect_err("refused");
    assert!(
        refused.message.contains(
            "PriorityClass usual is already marked as default. Only one default can exist"
        )
    );
}

#[test]
fn tolerations_are_added_once() {
    let own = json!({ "tolerations": [{
        "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 7,
    }] });
    for (spec, count) in [
        (json!({}), 2),
        (own, 2),
        (json!({ "tolerations": [{ "operator": "Exists" }] }), 1),
    ] {
        let once =
            create(DefaultTolerationSeconds, pods(), "default", pod(spec)).expect("admitted");
        assert_eq!(meta::list(&once, &["spec", "tolerations"]).len(), count);
        let again = create(DefaultTolerationSeconds, pods(), "default", once.clone());
        assert_eq!(again.expect("admitted"), once);
    }
}

/// Nobody may do anything.
struct Nobody;

impl rbac::Authorizer for Nobody {
    fn authorize(&self, _: &rbac::Attributes<'_>) -> rbac::Decision {
        rbac::Decision::no_opinion("")
    }
}

#[test]
fn a_node_writes_its_own_objects_only() {
    let node = UserInfo::new("system:node:one", ["system:nodes"]);
    let verdict = |name: &str| {
        let object = json!({ "metadata": { "name": name } });
        let mut request = Request {
            operation: Operation::Create,
            resource: resource("", "v1", "nodes"),
            subresource: "",
            namespace: "",
            name,
            object,
            old_object: None,
            user: &node,
            dry_run: false,
            warnings: Vec::new(),
            audit_annotations: Vec::new(),
        };
        let plugin = NodeRestriction::new(std::sync::Arc::new(Nobody));
        plugin.mutate(&mut request, &cluster())
    };
    verdict("one").expect("its own");
    assert_eq!(verdict("two").expect_err("another's").code, 403);
}
