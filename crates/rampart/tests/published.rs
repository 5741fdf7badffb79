//! What upstream's controller manager, its scheduler and extension servers read of the server.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests"
)]

mod support;

use support::{Cluster, kubectls, with_every_kubectl};

#[test]
fn the_server_publishes_what_others_ask_for() {
    with_every_kubectl(|_, kubectl| {
        let read = |arguments: &[&str]| kubectl.ok(&[&["get"], arguments].concat());
        let root = read(&[
            "configmap",
            "kube-root-ca.crt",
            "-o",
            "jsonpath={.data.ca\\.crt}",
        ]);
        let authentication = [
            "configmap",
            "-n",
            "kube-system",
            "extension-apiserver-authentication",
            "-o",
            "jsonpath={.data.client-ca-file}",
        ];
        assert_eq!(read(&authentication), root);
        let since = read(&[
            "configmap",
            "-n",
            "kube-system",
            "kube-apiserver-legacy-service-account-token-tracking",
            "-o",
            "jsonpath={.data.since}",
        ]);
        let parts: Vec<usize> = since.split('-').map(str::len).collect();
        assert_eq!(parts, [4, 2, 2], "{since}");
        let network = read(&[
            "servicecidr",
            "kubernetes",
            "-o",
            "jsonpath={.spec.cidrs[*]} {.status.conditions[0].type}={.status.conditions[0].status}",
        ]);
        assert_eq!(network, "10.96.0.0/12 Ready=True");
    });
}

#[test]
fn a_second_start_leaves_the_day_and_renews_the_certificate() {
    let program = kubectls().pop().expect("a kubectl");
    let cluster = Cluster::start();
    let kubectl = cluster.kubectl(&program);
    let patch = |name: &str, data: &str| {
        let patch = format!("{{\"data\":{data}}}");
        kubectl.ok(&[
            "patch",
            "configmap",
            "-n",
            "kube-system",
            name,
            "-p",
            &patch,
        ]);
    };
    let tracking = "kube-apiserver-legacy-service-account-token-tracking";
    let authentication = "extension-apiserver-authentication";
    patch(tracking, "{\"since\":\"2020-02-02\"}");
    patch(authentication, "{\"client-ca-file\":\"old\"}");
    let cluster = cluster.kill_and_restart();
    let kubectl = cluster.kubectl(&program);
    let data = |name: &str| {
        kubectl.ok(&[
            "get",
            "configmap",
            "-n",
            "kube-system",
            name,
            "-o",
            "jsonpath={.data}",
        ])
    };
    assert!(data(tracking).contains("2020-02-02"));
    assert!(data(authentication).contains("BEGIN CERTIFICATE"));
}
