use super::*;
use model::user::NODES;
use serde_json::json;

struct Cluster;

impl Objects for Cluster {
    fn pod(&self, _: &str, name: &str) -> Option<Arc<Value>> {
        let node = match name {
            "mine" => "a",
            "other" => "b",
            _ => return None,
        };
        Some(Arc::new(json!({
            "metadata": {"name": name, "uid": "pod-uid"},
            "spec": {"nodeName": node, "volumes": [
                {"name": "v", "projected": {"sources": [
                    {"serviceAccountToken": {"path": "t"}},
                    {"serviceAccountToken": {"path": "u", "audience": "vault"}},
                ]}},
                {"name": "w", "persistentVolumeClaim": {"claimName": "claim"}},
            ]},
        })))
    }

    fn node(&self, name: &str) -> Option<Arc<Value>> {
        Some(Arc::new(
            json!({"metadata": {"name": name, "uid": "node-uid"}}),
        ))
    }

    fn claim(&self, _: &str, name: &str) -> Option<Arc<Value>> {
        (name == "claim").then(|| Arc::new(json!({"spec": {"volumeName": "pv"}})))
    }

    fn volume(&self, name: &str) -> Option<Arc<Value>> {
        (name == "pv").then(|| Arc::new(json!({"spec": {"csi": {"driver": "csi.example"}}})))
    }

    fn driver(&self, name: &str) -> Option<Arc<Value>> {
        let requests = json!([{"audience": "by-driver"}]);
        (name == "csi.example").then(|| Arc::new(json!({"spec": {"tokenRequests": requests}})))
    }

    fn may_request_audience(&self, _: &Write<'_>, audience: &str) -> bool {
        audience == "granted"
    }
}

struct Case<'a> {
    operation: Operation,
    group: &'a str,
    path: &'a str,
    namespace: &'a str,
    name: &'a str,
    object: Value,
    old: Option<Value>,
}

fn case<'a>(operation: Operation, path: &'a str, name: &'a str, object: Value) -> Case<'a> {
    Case {
        operation,
        group: "",
        path,
        namespace: "n",
        name,
        object,
        old: None,
    }
}

impl Case<'_> {
    fn run(&self, user: &UserInfo) -> String {
        let (resource, subresource) = self.path.split_once('/').unwrap_or((self.path, ""));
        let write = Write {
            user,
            operation: self.operation,
            group: self.group,
            resource,
            subresource,
            namespace: self.namespace,
            name: self.name,
            object: &self.object,
            old: self.old.as_ref(),
        };
        match check(&write, &Cluster) {
            Ok(()) => String::new(),
            Err(status) => match status.message.split_once(" is forbidden: ") {
                Some((_, why)) => why.to_owned(),
                None => status.message,
            },
        }
    }
}

fn node_a() -> UserInfo {
    UserInfo::new("system:node:a", [NODES])
}

fn mirror() -> Value {
    json!({
        "metadata": {
            "name": "m",
            "namespace": "n",
            "annotations": {"kubernetes.io/config.mirror": "x"},
            "ownerReferences": [{
                "apiVersion": "v1", "kind": "Node", "name": "a", "uid": "node-uid",
                "controller": true,
            }],
        },
        "spec": {"nodeName": "a", "containers": [{"name": "c"}]},
    })
}

#[test]
fn mirror_pods() {
    type Change = fn(&mut Value);
    let set = |change: Change| {
        let mut pod = mirror();
        change(&mut pod);
        pod
    };
    for (pod, want) in [
        (set(|_| {}), ""),
        (
            set(|p| p["metadata"]["annotations"] = json!({})),
            "pod does not have \"kubernetes.io/config.mirror\" annotation, node \"a\" can only \
             create mirror pods",
        ),
        (
            set(|p| p["spec"]["nodeName"] = json!("b")),
            "node \"a\" can only create pods with spec.nodeName set to itself",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"] = json!([])),
            "node \"a\" can only create pods with an owner reference set to itself",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"] = json!([{}, {}])),
            "node \"a\" can only create pods with a single owner reference set to itself",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"][0]["name"] = json!("b")),
            "node \"a\" can only create pods with an owner reference set to itself",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"][0]["controller"] = json!(false)),
            "node \"a\" can only create pods with a controller owner reference set to itself",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"][0]["blockOwnerDeletion"] = json!(true)),
            "node \"a\" must not set blockOwnerDeletion on an owner reference",
        ),
        (
            set(|p| p["metadata"]["ownerReferences"][0]["uid"] = json!("x")),
            "node a UID mismatch: expected x got node-uid",
        ),
        (
            set(|p| p["spec"]["serviceAccountName"] = json!("s")),
            "node \"a\" can not create pods that reference a service account",
        ),
        (
            set(|p| p["spec"]["imagePullSecrets"] = json!([{"name": "s"}])),
            "node \"a\" can not create pods that reference secrets",
        ),
        (
            set(|p| p["spec"]["volumes"] = json!([{"configMap": {"name": "s"}}])),
            "node \"a\" can not create pods that reference configmaps",
        ),
        (
            set(|p| {
                p["spec"]["volumes"] =
                    json!([{"projected": {"sources": [{"clusterTrustBundle": {}}]}}]);
            }),
            "node \"a\" can not create pods that reference clustertrustbundles",
        ),
        (
            set(|p| p["spec"]["volumes"] = json!([{"persistentVolumeClaim": {"claimName": "s"}}])),
            "node \"a\" can not create pods that reference persistentvolumeclaims",
        ),
        // A claim that the pod makes for itself is its own.
        (
            set(|p| p["spec"]["volumes"] = json!([{"name": "v", "ephemeral": {}}])),
            "",
        ),
        (
            set(|p| p["spec"]["resourceClaims"] = json!([{"name": "c"}])),
            "node \"a\" can not create pods that reference resourceclaims",
        ),
    ] {
        let case = case(Operation::Create, "pods", "", pod);
        assert_eq!(case.run(&node_a()), want);
        assert_eq!(case.run(&UserInfo::new("jane", ["x"])), "");
    }
}

#[test]
fn pods() {
    let status = |node: &str, object: Value| Case {
        old: Some(json!({"metadata": {"labels": {"l": "1"}}, "spec": {"nodeName": node}})),
        ..case(Operation::Update, "pods/status", "p", object)
    };
    let labelled = json!({"metadata": {"labels": {"l": "1"}}});
    for (case, want) in [
        (case(Operation::Delete, "pods", "mine", Value::Null), ""),
        (
            case(Operation::Delete, "pods", "other", Value::Null),
            "node \"a\" can only delete pods with spec.nodeName set to itself",
        ),
        (
            case(Operation::Delete, "pods", "none", Value::Null),
            "pod \"none\" not found",
        ),
        (
            case(Operation::Update, "pods", "mine", json!({})),
            "unexpected operation \"UPDATE\", node \"a\" can only create and delete mirror pods",
        ),
        (
            case(Operation::Create, "pods/binding", "mine", json!({})),
            "unexpected pod subresource \"binding\", only 'status' and 'eviction' are allowed",
        ),
        (
            case(Operation::Create, "pods/eviction", "mine", json!({})),
            "",
        ),
        (
            case(
                Operation::Create,
                "pods/eviction",
                "",
                json!({"metadata": {"name": "other"}}),
            ),
            "node a can only evict pods with spec.nodeName set to itself",
        ),
        (
            case(Operation::Create, "pods/eviction", "", json!({})),
            "could not determine pod from request data",
        ),
        (status("a", labelled.clone()), ""),
        (
            status("b", labelled),
            "node \"a\" can only update pod status for pods with spec.nodeName set to itself",
        ),
        (
            status("a", json!({})),
            "node \"a\" cannot update labels through pod status",
        ),
        (
            status(
                "a",
                json!({
                    "metadata": {"labels": {"l": "1"}},
                    "status": {"resourceClaimStatuses": [{"name": "c"}]},
                }),
            ),
            "node \"a\" cannot update resource claim statues",
        ),
    ] {
        assert_eq!(case.run(&node_a()), want);
    }
}

#[test]
fn nodes() {
    let object = |labels: Value, taints: Value| json!({"metadata": {"name": "a", "labels": labels}, "spec": {"taints": taints}});
    let plain = || object(json!({}), json!([]));
    let update = |object: Value| Case {
        old: Some(plain()),
        ..case(Operation::Update, "nodes", "a", object)
    };
    for (case, want) in [
        (case(Operation::Create, "nodes", "", plain()), ""),
        (
            case(
                Operation::Create,
                "nodes",
                "",
                json!({"metadata": {"name": "b"}}),
            ),
            "node \"a\" is not allowed to modify node \"b\"",
        ),
        (
            case(
                Operation::Create,
                "nodes",
                "",
                object(
                    json!({
                        "x": "1",
                        "example.com/y": "1",
                        "kubernetes.io/hostname": "a",
                        "node.kubernetes.io/z": "1",
                        "sub.kubelet.kubernetes.io/z": "1",
                        "topology.kubernetes.io/zone": "z",
                        "evil.kubernetes.io/a": "1",
                        "node-role.kubernetes.io/control-plane": "",
                        "x.node-restriction.kubernetes.io/b": "1",
                        "notkubernetes.io/c": "1",
                        "k8s.io/d": "1",
                    }),
                    json!([{"key": "own"}]),
                ),
            ),
            "node \"a\" is not allowed to set the following labels: evil.kubernetes.io/a, \
             k8s.io/d, node-role.kubernetes.io/control-plane, x.node-restriction.kubernetes.io/b",
        ),
        (update(object(json!({"x": "2"}), json!([]))), ""),
        (
            update(object(json!({}), json!([{"key": "k"}]))),
            "node \"a\" is not allowed to modify taints",
        ),
        (
            update(object(
                json!({"node-restriction.kubernetes.io/x": "2"}),
                json!([]),
            )),
            "is not allowed to modify labels: node-restriction.kubernetes.io/x",
        ),
        (
            case(Operation::Update, "nodes/status", "b", plain()),
            "node \"a\" is not allowed to modify node \"b\"",
        ),
    ] {
        assert_eq!(case.run(&node_a()), want);
    }
}

#[test]
fn tokens() {
    let ask = |reference: Value| {
        let object = json!({"spec": {"boundObjectRef": reference}});
        case(Operation::Create, "serviceaccounts/token", "robot", object).run(&node_a())
    };
    let pod = |name: &str, uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid});
    assert_eq!(ask(Value::Null), "node requested token not bound to a pod");
    assert_eq!(
        ask(pod("mine", "")),
        "node requested token with a pod binding without a uid"
    );
    assert!(ask(pod("mine", "x")).starts_with("the UID in the bound object reference (x) does"));
    assert_eq!(
        ask(pod("other", "pod-uid")),
        "node requested token bound to a pod scheduled on a different node"
    );
    assert_eq!(ask(pod("none", "pod-uid")), "pod \"none\" not found");
    assert_eq!(ask(pod("mine", "pod-uid")), "");
}

#[test]
fn tokens_are_for_audiences_that_the_pod_asks_for() {
    for (audiences, want) in [
        (json!([]), ""),
        (json!(["vault"]), ""),
        (json!(["by-driver"]), ""),
        (json!(["granted"]), ""),
        (
            json!(["other"]),
            "audience \"other\" not found in pod spec volume, system:node:a is not authorized to \
             request tokens for this audience",
        ),
        (
            json!(["vault", "by-driver"]),
            "node may only request 0 or 1 audiences",
        ),
    ] {
        let bound = json!({"apiVersion": "v1", "kind": "Pod", "name": "mine", "uid": "pod-uid"});
        let object = json!({"spec": {"boundObjectRef": bound, "audiences": audiences}});
        let case = case(Operation::Create, "serviceaccounts/token", "robot", object);
        assert_eq!(case.run(&node_a()), want, "{audiences}");
    }
}

#[test]
fn leases_claims_and_the_nameless() {
    let lease = |namespace, name| Case {
        group: "coordination.k8s.io",
        namespace,
        ..case(
            Operation::Create,
            "leases",
            "",
            json!({"metadata": {"name": name}}),
        )
    };
    assert_eq!(lease(LEASE_NAMESPACE, "a").run(&node_a()), "");
    assert_eq!(
        lease(LEASE_NAMESPACE, "b").run(&node_a()),
        "can only access node lease with the same name as the requesting node"
    );
    assert_eq!(
        lease("n", "a").run(&node_a()),
        "can only access leases in the \"kube-node-lease\" system namespace"
    );
    let claim = |object: Value| Case {
        old: Some(json!({"spec": {"x": 1}, "status": {"phase": "Bound"}})),
        ..case(
            Operation::Update,
            "persistentvolumeclaims/status",
            "c",
            object,
        )
    };
    assert_eq!(
        claim(json!({"spec": {"x": 1}, "status": {"phase": "Bound", "capacity": {"a": "1"}}}))
            .run(&node_a()),
        ""
    );
    assert!(
        claim(json!({"spec": {"x": 2}}))
            .run(&node_a())
            .contains("is not allowed to update")
    );
    assert_eq!(
        case(Operation::Update, "persistentvolumeclaims", "c", json!({})).run(&node_a()),
        "may only update PVC status"
    );
    let nameless = UserInfo::new("system:node:", [NODES]);
    assert_eq!(
        case(Operation::Create, "events", "", json!({})).run(&nameless),
        "could not determine node from user \"system:node:\""
    );
    let kubelet = "kubernetes.io/kubelet-serving";
    assert!(check_certificate_request(&node_a(), kubelet, "system:node:a").is_ok());
    assert!(check_certificate_request(&node_a(), kubelet, "system:node:b").is_err());
    assert!(check_certificate_request(&node_a(), "example.com/x", "b").is_ok());
}
