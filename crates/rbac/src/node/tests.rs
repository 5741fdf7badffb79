use super::*;
use crate::Verdict;
use model::Value;
use model::selector::FieldSelector;
use serde_json::json;

fn node(name: &str) -> UserInfo {
    UserInfo::new(
        format!("system:node:{name}"),
        [NODES, "system:authenticated"],
    )
}

fn pod(name: &str, node: &str) -> Value {
    json!({
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "n"},
        "spec": {
            "nodeName": node,
            "serviceAccountName": "robot",
            "containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}]}],
            "volumes": [
                {"name": "s", "secret": {"secretName": "key"}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
            ],
        },
    })
}

fn authorizer() -> NodeAuthorizer {
    let mut nodes = NodeAuthorizer::default();
    for object in [
        pod("p", "a"),
        pod("unbound", ""),
        json!({
            "kind": "PersistentVolume",
            "metadata": {"name": "pv"},
            "spec": {
                "claimRef": {"namespace": "n", "name": "data"},
                "csi": {"nodeStageSecretRef": {"namespace": "storage", "name": "csi"}},
            },
        }),
        json!({
            "kind": "VolumeAttachment",
            "metadata": {"name": "va"},
            "spec": {"nodeName": "a"},
        }),
    ] {
        nodes.graph.upsert(&object);
    }
    nodes
}

#[test]
fn a_node_reaches_what_its_pods_need() {
    let nodes = authorizer();
    let no_relation = "no relationship found between node 'b' and this object";
    for (group, resource, namespace, name, verbs) in [
        (
            "",
            "secrets",
            "n",
            "key",
            ["get", "list", "watch"].as_slice(),
        ),
        ("", "secrets", "storage", "csi", &["get"]),
        ("", "configmaps", "n", "settings", &["get", "watch"]),
        ("", "persistentvolumeclaims", "n", "data", &["get"]),
        ("", "persistentvolumes", "", "pv", &["get"]),
        ("storage.k8s.io", "volumeattachments", "", "va", &["get"]),
        ("", "pods", "n", "p", &["get"]),
    ] {
        for verb in verbs {
            let ask = |user: &UserInfo| {
                let a = Attributes::resource(user, verb, group, resource)
                    .in_namespace(namespace)
                    .named(name);
                nodes.authorize(&a)
            };
            assert_eq!(ask(&node("a")), Decision::allow(""), "{verb} {resource}");
            assert_eq!(
                ask(&node("b")),
                Decision::no_opinion(no_relation),
                "{verb} {resource}"
            );
        }
    }
}

#[test]
fn reasons() {
    let nodes = authorizer();
    let user = node("a");
    let base = |verb, group, resource| Attributes::resource(&user, verb, group, resource);
    let own = FieldSelector::parse("spec.nodeName=a").unwrap();
    let other = FieldSelector::parse("spec.nodeName!=a").unwrap();
    let with = |selector| Attributes {
        field_selector: Some(selector),
        ..base("list", "", "pods")
    };
    for (a, reason) in [
        (
            base("get", "", "secrets").in_namespace("n"),
            "No Object name found",
        ),
        (
            base("list", "", "secrets"),
            "can only read namespaced object of this type",
        ),
        (
            base("update", "", "secrets").in_namespace("n").named("key"),
            "can only read resources of this type",
        ),
        (
            base("get", "", "secrets")
                .in_namespace("n")
                .named("key")
                .of_subresource("x"),
            "cannot read subresource",
        ),
        (
            base("list", "", "persistentvolumes"),
            "can only get individual resources of this type",
        ),
        (
            base("get", "", "persistentvolumeclaims")
                .in_namespace("n")
                .named("data")
                .of_subresource("status"),
            "can only get/update/patch this type",
        ),
        (
            base("create", "", "serviceaccounts").in_namespace("n"),
            "can only create tokens for individual service accounts",
        ),
        (
            base("create", "", "serviceaccounts")
                .in_namespace("n")
                .named("robot"),
            "can only create token subresource of serviceaccount",
        ),
        (
            base("list", "coordination.k8s.io", "leases"),
            "can only get, create, update, patch, or delete a node lease",
        ),
        (
            base("get", "coordination.k8s.io", "leases")
                .in_namespace("n")
                .named("a"),
            "can only access leases in the \"kube-node-lease\" system namespace",
        ),
        (
            base("get", "coordination.k8s.io", "leases")
                .in_namespace(LEASE_NAMESPACE)
                .named("b"),
            "can only access node lease with the same name as the requesting node",
        ),
        (
            base("get", "storage.k8s.io", "csinodes").named("b"),
            "can only access CSINode with the same name as the requesting node",
        ),
        (
            base("list", "", "nodes"),
            "node 'a' cannot read all nodes, only its own Node object",
        ),
        (
            base("get", "", "nodes").named("b"),
            "node 'a' cannot read 'b', only its own Node object",
        ),
        (
            base("list", "", "pods"),
            "can only list/watch pods with spec.nodeName field selector",
        ),
        (
            with(&other),
            "can only list/watch pods with spec.nodeName field selector",
        ),
        (base("deletecollection", "", "pods").in_namespace("n"), ""),
        (
            base("get", "apps", "deployments")
                .in_namespace("n")
                .named("x"),
            "",
        ),
    ] {
        assert_eq!(nodes.authorize(&a), Decision::no_opinion(reason), "{a:?}");
    }
    for a in [
        with(&own),
        base("list", "", "pods").in_namespace("n").named("p"),
        base("update", "", "pods")
            .in_namespace("n")
            .named("q")
            .of_subresource("status"),
        base("create", "", "pods")
            .in_namespace("n")
            .named("p")
            .of_subresource("eviction"),
        base("create", "", "nodes"),
        base("watch", "", "nodes").named("a"),
        base("patch", "", "nodes")
            .named("b")
            .of_subresource("status"),
        base("create", "coordination.k8s.io", "leases").in_namespace(LEASE_NAMESPACE),
        base("update", "coordination.k8s.io", "leases")
            .in_namespace(LEASE_NAMESPACE)
            .named("a"),
        base("create", "storage.k8s.io", "csinodes"),
        base("create", "", "serviceaccounts")
            .in_namespace("n")
            .named("robot")
            .of_subresource("token"),
        base("patch", "", "persistentvolumeclaims")
            .in_namespace("n")
            .named("data")
            .of_subresource("status"),
        base("list", "", "services"),
        base("create", "", "events").in_namespace("n"),
        base("watch", "node.k8s.io", "runtimeclasses"),
        base("create", "authentication.k8s.io", "tokenreviews"),
    ] {
        assert_eq!(nodes.authorize(&a), Decision::allow(""), "{a:?}");
    }
}

#[test]
fn who_is_a_node() {
    let nodes = authorizer();
    for (user, reason) in [
        (UserInfo::new("system:node:a", ["x"]), ""),
        (UserInfo::new("jane", [NODES]), ""),
        (
            UserInfo::new("system:node:", [NODES]),
            "unknown node for user \"system:node:\"",
        ),
    ] {
        let a = Attributes::resource(&user, "list", "", "services");
        let decision = nodes.authorize(&a);
        assert_eq!(decision.verdict, Verdict::NoOpinion);
        assert_eq!(decision.reason, reason);
    }
}

#[test]
fn access_ends_with_the_last_pod_that_needs_it() {
    let mut nodes = authorizer();
    let user = node("a");
    let may = |nodes: &NodeAuthorizer| {
        let a = Attributes::resource(&user, "get", "", "secrets")
            .in_namespace("n")
            .named("key");
        nodes.authorize(&a).allowed()
    };
    nodes.graph.upsert(&pod("q", "a"));
    nodes.graph.upsert(&pod("q", "a"));
    nodes.graph.remove(&pod("p", "a"));
    assert!(may(&nodes));
    nodes.graph.upsert(&pod("q", "b"));
    assert!(!may(&nodes));
    nodes.graph.remove(&pod("q", ""));
    for (kind, name) in [("PersistentVolume", "pv"), ("VolumeAttachment", "va")] {
        nodes
            .graph
            .remove(&json!({"kind": kind, "metadata": {"name": name}}));
    }
    assert!(nodes.graph.is_empty());
}

#[test]
fn a_mirror_pod_gives_nothing_but_itself() {
    let mut nodes = NodeAuthorizer::default();
    let mut mirror = pod("m", "a");
    mirror["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "x"});
    nodes.graph.upsert(&mirror);
    let user = node("a");
    let secret = Attributes::resource(&user, "get", "", "secrets")
        .in_namespace("n")
        .named("key");
    assert!(!nodes.authorize(&secret).allowed());
    let itself = Attributes::resource(&user, "get", "", "pods")
        .in_namespace("n")
        .named("m");
    assert!(nodes.authorize(&itself).allowed());
}
