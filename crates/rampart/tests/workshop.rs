//! The workshop, from its first to its last manifest, with real kubectl.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::{Cluster, Kubectl, with_every_kubectl, workshop};

fn apply_all(kubectl: &Kubectl<'_>) {
    for file in workshop() {
        let path = file.display().to_string();
        kubectl.ok(&["apply", "-f", &path, "--validate=true"]);
    }
    kubectl.ok(&[
        "wait",
        "--for=condition=Ready",
        "pods",
        "--all",
        "-A",
        "--timeout=60s",
    ]);
}

#[test]
fn every_manifest_applies_and_every_pod_runs() {
    with_every_kubectl(|_, kubectl| {
        apply_all(kubectl);
        let pods = kubectl.ok(&[
            "get",
            "pods",
            "-A",
            "-o",
            "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.status.phase} \
             {.status.qosClass} {.spec.priority}{'\\n'}{end}",
        ]);
        let mut lines: Vec<&str> = pods.trim().lines().collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "default/nginx Running BestEffort 1000000",
                "default/rbac-example Running BestEffort 0",
                "default/secret-env-pod Running BestEffort 0",
                "default/secret-volume-pod Running BestEffort 0",
                "qos-example/qos-demo Running Guaranteed 0",
                "qos-example/qos-demo-2 Running Burstable 0",
                "qos-example/qos-demo-3 Running BestEffort 0",
            ]
        );
        // Applying again changes nothing. (kubectl says "configured" of pods, because the order of
        // their volumes is part of its patch, as on upstream.)
        let revisions = || {
            let path = "jsonpath={range .items[*]}{.metadata.resourceVersion} {end}";
            kubectl.ok(&["get", "pods,secrets,roles,namespaces", "-A", "-o", path])
        };
        let before = revisions();
        for file in workshop() {
            kubectl.ok(&["apply", "-f", &file.display().to_string()]);
        }
        assert_eq!(revisions(), before);
    });
}

#[test]
fn the_node_says_that_it_is_simulated() {
    with_every_kubectl(|_, kubectl| {
        let nodes = kubectl.ok(&[
            "get",
            "nodes",
            "-l",
            "rampart.dev/simulated=true",
            "-o",
            "name",
        ]);
        assert_eq!(nodes.lines().count(), 1, "{nodes}");
        apply_all(kubectl);
        let conditions = kubectl.ok(&[
            "get",
            "pod",
            "nginx",
            "-o",
            "jsonpath={.status.conditions[?(@.type=='rampart.dev/Simulated')].message}",
        ]);
        assert_eq!(
            conditions,
            "the pod is reported as running, no process runs"
        );
    });
}

#[test]
fn service_accounts_can_what_they_are_bound_to() {
    with_every_kubectl(|_, kubectl| {
        apply_all(kubectl);
        let account = "system:serviceaccount:default:rbac-example";
        let list = kubectl.ok(&["auth", "can-i", "--list", "--as", account]);
        let pods = |list: &str| {
            list.lines()
                .any(|l| l.starts_with("pods ") && l.contains("[get list]"))
        };
        assert!(pods(&list), "{list}");
        let list = kubectl.ok(&["auth", "can-i", "--list", "--as", "rbac-example"]);
        assert!(!pods(&list), "{list}");
        assert_eq!(
            kubectl.ok(&["auth", "can-i", "list", "pods", "--as", account]),
            "yes\n"
        );
        let (allowed, answer, _) =
            kubectl.run(&["auth", "can-i", "list", "pods", "--as", "rbac-example"]);
        assert!(!allowed && answer.starts_with("no"), "{answer}");
        // The workshop's own 05-rolebinding.yaml binds an account of another namespace: nothing.
        let robot = "system:serviceaccount:test-namespace:build-robot";
        assert!(
            !kubectl
                .run(&["auth", "can-i", "list", "pods", "--as", robot])
                .0
        );
        let refused = kubectl.fails(&["get", "secrets", "--as", account]);
        assert_eq!(
            refused.trim(),
            format!(
                "Error from server (Forbidden): secrets is forbidden: User \"{account}\" cannot list \
                 resource \"secrets\" in API group \"\" in the namespace \"default\""
            )
        );
    });
}

#[test]
fn pods_get_a_token_unless_their_account_says_no() {
    with_every_kubectl(|_, kubectl| {
        apply_all(kubectl);
        let mounts = |namespace: &str, pod: &str| {
            kubectl.ok(&[
                "get",
                "pod",
                pod,
                "-n",
                namespace,
                "-o",
                "jsonpath={.spec.containers[0].volumeMounts[*].mountPath}",
            ])
        };
        let path = "/var/run/secrets/kubernetes.io/serviceaccount";
        assert_eq!(mounts("default", "rbac-example"), path);
        kubectl.apply(
            "{apiVersion: v1, kind: Pod, metadata: {name: robot, namespace: test-namespace}, spec: \
             {serviceAccountName: build-robot, containers: [{name: c, image: busybox}]}}",
        );
        assert_eq!(mounts("test-namespace", "robot"), "");
    });
}

#[test]
fn a_normal_user_gets_what_rbac_gives_and_no_more() {
    with_every_kubectl(|cluster: &Cluster, kubectl| {
        apply_all(kubectl);
        let data = cluster.data().display().to_string();
        let issued = cluster.rampart(&[
            "kubeconfig",
            "--data-dir",
            &data,
            "--user",
            "developer-1",
            "--group",
            "dev",
        ]);
        assert!(
            issued.status.success(),
            "{}",
            String::from_utf8_lossy(&issued.stderr)
        );
        let file = cluster.scratch().join("developer.kubeconfig");
        std::fs::write(&file, &issued.stdout).expect("writable");
        let developer = kubectl.with(file);
        let refused = developer.fails(&["get", "pods"]);
        assert_eq!(
            refused.trim(),
            "Error from server (Forbidden): pods is forbidden: User \"developer-1\" cannot list \
             resource \"pods\" in API group \"\" in the namespace \"default\""
        );
        kubectl.ok(&[
            "create",
            "rolebinding",
            "dev-pods",
            "--role=pod-reader",
            "--group=dev",
        ]);
        developer.ok(&["get", "pods"]);
        developer.fails(&["get", "pods", "-n", "kube-system"]);
        developer.fails(&["delete", "pod", "nginx"]);
        kubectl.ok(&["delete", "rolebinding", "dev-pods"]);
        kubectl.ok(&[
            "create",
            "rolebinding",
            "user-pods",
            "--role=pod-reader",
            "--user=developer-1",
        ]);
        developer.ok(&["get", "pod", "nginx"]);
    });
}
