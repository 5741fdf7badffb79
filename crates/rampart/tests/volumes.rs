//! Claims, their volumes and the pods that need them in a running cluster.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::{Kubectl, field, ready, with_every_kubectl};

/// Asks until the answer is the expected one.
fn becomes(kubectl: &Kubectl<'_>, object: &str, path: &str, expected: &str) {
    let mut last = String::new();
    for _ in 0..300 {
        last = field(kubectl, object, path);
        if last == expected {
            return;
        }
    }
    panic!("{object} {path}: {last} and not {expected}");
}

/// Asks until there is no such object. (An old kubectl cannot wait for what is gone already.)
fn is_gone(kubectl: &Kubectl<'_>, object: &str) {
    for _ in 0..300 {
        if kubectl
            .ok(&["get", object, "--ignore-not-found"])
            .is_empty()
        {
            return;
        }
    }
    panic!("{object} is still there");
}

/// Asks until the events tell it.
fn is_told(kubectl: &Kubectl<'_>, reason: &str, message: &str) {
    let selected = format!("--field-selector=reason={reason}");
    let mut last = String::new();
    for _ in 0..300 {
        last = kubectl.ok(&[
            "get",
            "events",
            &selected,
            "-o",
            "jsonpath={.items[*].message}",
        ]);
        if last.contains(message) {
            return;
        }
    }
    panic!("{reason}: {last}");
}

fn volume(name: &str, extra: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {name}}}, spec: {{capacity: \
         {{storage: 1Gi}}, accessModes: [ReadWriteOnce], local: {{path: /srv/{name}}}, \
         nodeAffinity: {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: \
         kubernetes.io/hostname, operator: In, values: [simulated]}}]}}]}}}}{extra}}}}}"
    )
}

fn claim(name: &str, extra: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}}}, spec: \
         {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}{extra}}}}}"
    )
}

fn pod(name: &str, volume: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}}}, spec: {{\
         terminationGracePeriodSeconds: 0, containers: [{{name: c, image: nginx}}], \
         volumes: [{{name: v, {volume}}}]}}}}"
    )
}

fn of_claim(claim: &str) -> String {
    format!("persistentVolumeClaim: {{claimName: {claim}}}")
}

#[test]
fn a_pod_runs_on_a_volume_that_is_kept_while_it_does() {
    with_every_kubectl(|_, kubectl| {
        kubectl.apply(&pod("user", &of_claim("data")));
        kubectl.apply(&claim("data", ""));
        let none = "no persistent volumes available for this claim and no storage class is set";
        is_told(kubectl, "FailedBinding", none);
        kubectl.apply(&volume("disk", ""));
        ready(kubectl, "user");
        assert_eq!(field(kubectl, "pvc/data", ".spec.volumeName"), "disk");
        becomes(kubectl, "pvc/data", ".status['phase','capacity']", &{
            let capacity = field(kubectl, "pv/disk", ".spec.capacity");
            format!("Bound {capacity}")
        });
        assert_eq!(field(kubectl, "pv/disk", ".spec.claimRef.name"), "data");
        // It may ask for more only where its class lets it.
        let more = "{\"spec\":{\"resources\":{\"requests\":{\"storage\":\"2Gi\"}}}}";
        let why = kubectl.fails(&["patch", "pvc", "data", "--type=merge", "-p", more]);
        assert!(
            why.contains(
                "only dynamically provisioned pvc can be resized and the storageclass that \
                 provisions the pvc must support resize"
            ),
            "{why}"
        );
        // Neither goes before the pod.
        kubectl.ok(&["delete", "pvc", "data", "--wait=false"]);
        kubectl.ok(&["delete", "pv", "disk", "--wait=false"]);
        assert!(!field(kubectl, "pvc/data", ".metadata.deletionTimestamp").is_empty());
        kubectl.apply(&pod("late", &of_claim("data")));
        let path = ".status.conditions[?(@.type=='PodScheduled')].message";
        kubectl.ok(&[
            "wait",
            "--for=condition=PodScheduled=false",
            "pod/late",
            "--timeout=60s",
        ]);
        assert_eq!(
            field(kubectl, "pod/late", path),
            "0/1 nodes are available: persistentvolumeclaim \"data\" is being deleted. preemption: \
             0/1 nodes are available: 1 Preemption is not helpful for scheduling."
        );
        assert_eq!(field(kubectl, "pv/disk", ".status.phase"), "Bound");
        kubectl.ok(&["delete", "pod", "user", "late"]);
        is_gone(kubectl, "pvc/data");
        is_gone(kubectl, "pv/disk");
    });
}

#[test]
fn a_claim_that_waits_gets_its_volume_with_the_node_of_its_pod() {
    with_every_kubectl(|_, kubectl| {
        kubectl.apply(
            "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: late}, \
             provisioner: kubernetes.io/no-provisioner, volumeBindingMode: WaitForFirstConsumer}",
        );
        let late = ", storageClassName: late";
        kubectl.apply(&claim("data", late));
        let waiting = "waiting for first consumer to be created before binding";
        is_told(kubectl, "WaitForFirstConsumer", waiting);
        kubectl.apply(&volume("elsewhere", late).replace("[simulated]", "[elsewhere]"));
        kubectl.apply(&pod("user", &of_claim("data")));
        is_told(
            kubectl,
            "FailedScheduling",
            "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind.",
        );
        is_told(
            kubectl,
            "WaitForPodScheduled",
            "waiting for pod user to be scheduled",
        );
        kubectl.apply(&volume("here", late));
        ready(kubectl, "user");
        assert_eq!(field(kubectl, "pvc/data", ".spec.volumeName"), "here");
        becomes(kubectl, "pv/elsewhere", ".status.phase", "Available");
        kubectl.ok(&["delete", "pod", "user"]);
        kubectl.ok(&["delete", "pvc", "data"]);
        becomes(kubectl, "pv/here", ".status.phase", "Released");
    });
}

#[test]
fn a_volume_is_asked_for_where_the_pod_goes() {
    with_every_kubectl(|_, kubectl| {
        kubectl.apply(
            "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: made, \
             annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}, provisioner: \
             disk.example.com, volumeBindingMode: WaitForFirstConsumer}",
        );
        kubectl.apply(&claim("data", ""));
        assert_eq!(field(kubectl, "pvc/data", ".spec.storageClassName"), "made");
        kubectl.apply(&pod("user", &of_claim("data")));
        is_told(
            kubectl,
            "ExternalProvisioning",
            "Waiting for a volume to be created either by the external provisioner \
             'disk.example.com' or manually by the system administrator.",
        );
        assert_eq!(
            field(
                kubectl,
                "pvc/data",
                ".metadata.annotations['volume\\.kubernetes\\.io/selected-node']"
            ),
            "simulated"
        );
        assert_eq!(field(kubectl, "pod/user", ".spec.nodeName"), "");
        // What a provisioner does.
        let uid = field(kubectl, "pvc/data", ".metadata.uid");
        kubectl.apply(&volume(
            "made",
            &format!(
                ", storageClassName: made, claimRef: {{namespace: default, name: data, uid: {uid}}}"
            ),
        ));
        ready(kubectl, "user");
        assert_eq!(field(kubectl, "pvc/data", ".spec.volumeName"), "made");
    });
}

#[test]
fn an_ephemeral_volume_comes_and_goes_with_its_pod() {
    with_every_kubectl(|_, kubectl| {
        kubectl.apply(&volume("disk", ""));
        kubectl.apply(&pod(
            "user",
            "ephemeral: {volumeClaimTemplate: {metadata: {labels: {a: b}}, spec: {accessModes: \
             [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}",
        ));
        ready(kubectl, "user");
        let claim = "pvc/user-v";
        assert_eq!(field(kubectl, claim, ".metadata.labels.a"), "b");
        assert_eq!(
            field(
                kubectl,
                claim,
                ".metadata.ownerReferences[0]['kind','name','controller']"
            ),
            "Pod user true"
        );
        kubectl.ok(&["delete", "pod", "user"]);
        is_gone(kubectl, claim);
        becomes(kubectl, "pv/disk", ".status.phase", "Released");
    });
}
